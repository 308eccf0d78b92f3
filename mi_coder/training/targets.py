"""What is known of each message, as arrays over the heads of the model: the codes, then depth and permission."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Bools, Floats, Indices
from mi_coder.codebook import Codebook
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean
from mi_coder.training.data import Example

ATTRIBUTES = ("depth", "permission")
POSITIVE_VALUE = {"depth": "complex", "permission": "with"}


@dataclass(frozen=True, slots=True)
class Targets:
    """Known and unknown truth of messages.

    Attributes:
        known: [messages, heads] 1 (applies), 0 (does not), nan (unknown). Depth 1 is complex, permission 1 is with.
        groups: [groups, heads] the codes of each group of which at least one applies.
        group_rows: [groups] the message of each group.
    """

    known: Floats
    groups: Bools
    group_rows: Indices

    def take(self, rows: Indices) -> "Targets":
        """The targets of some messages, in the order of `rows`."""
        place = np.full(len(self.known), -1, dtype=np.intp)
        place[rows] = np.arange(len(rows))
        kept = place[self.group_rows] >= 0
        return Targets(self.known[rows], self.groups[kept], place[self.group_rows[kept]])

    def without_silent(self) -> "Targets":
        """Without what is known of heads that no message has: a model that knows them would only unlearn them."""
        known = self.known.copy()
        known[:, self.positives == 0] = np.nan
        return Targets(known, self.groups, self.group_rows)

    @property
    def positives(self) -> Indices:
        """[heads] messages known to carry the code."""
        return (self.known == 1).sum(axis=0)

    @property
    def negatives(self) -> Indices:
        """[heads] messages known not to carry the code."""
        return (self.known == 0).sum(axis=0)

    @property
    def trainable(self) -> Bools:
        """[heads] whether both a positive and a negative message are known."""
        return (self.positives > 0) & (self.negatives > 0)


def head_names(book: Codebook) -> tuple[str, ...]:
    """The names of the heads in the order of the model's outputs."""
    return (*book.ids, *ATTRIBUTES)


def targets(examples: Sequence[Example], book: Codebook) -> Targets:
    """The truth of all examples, with what follows from the groups of their gold (`Gold.resolved`).

    Raises:
        UnknownName: gold names a code or an attribute value that the codebook lacks.
        UsageProblem: gold contradicts itself.
    """
    heads = head_names(book)
    column = {head: index for index, head in enumerate(heads)}
    known = np.full((len(examples), len(heads)), np.nan)
    groups: list[list[int]] = []
    rows: list[int] = []
    for row, example in enumerate(examples):
        _check(example, book)
        gold = example.gold.resolved()
        known[row, [column[code] for code in gold.negative]] = 0
        known[row, [column[code] for code in gold.positive]] = 1
        for name, value in (("depth", gold.depth), ("permission", gold.permission)):
            if value is not None:
                known[row, column[name]] = value == POSITIVE_VALUE[name]
        for group in gold.any_of:
            groups.append(sorted(column[code] for code in group))
            rows.append(row)
    flags = np.zeros((len(groups), len(heads)), dtype=bool)
    for index, members in enumerate(groups):
        flags[index, members] = True
    return Targets(known, flags, np.array(rows, dtype=np.intp))


def _check(example: Example, book: Codebook) -> None:
    gold = example.gold
    where = f"Gold codes in conversation {example.conversation!r}"
    for code in sorted(gold.positive.union(gold.negative, *gold.any_of)):
        if code not in book.ids:
            raise UnknownName(f"{where}: no code {code!r} in the codebook.{did_you_mean(code, book.ids)}")
    for name, value in (("depth", gold.depth), ("permission", gold.permission)):
        if value is not None and value not in book.attributes[name]:
            raise UnknownName(f"{where}: {name} {value!r} is none of {', '.join(book.attributes[name])}.")
    if both := gold.positive & gold.negative:
        raise UsageProblem(f"{where}: {', '.join(sorted(both))} both applies and does not apply.")
    if any(group <= gold.negative for group in gold.any_of):
        raise UsageProblem(f"{where}: a group any_of names only codes that do not apply.")
