"""How the tagger errs on chats that people coded too, and what its counts are when corrected for these errors."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation
from mi_coder.errors import UsageProblem
from mi_coder.measures.reading import Chat, as_chat
from mi_coder.measures.summaries import Measure
from mi_coder.measures.tally import AT, CODES, OPEN, Turn, Unit, tally

FEWEST = 5
"""A code that the tagger found correctly fewer times is not corrected, nor is depth or permission of which either value
was checked fewer times."""
SPLITS: Mapping[str, tuple[str, str, str]] = {
    "REF": ("depth", "REF:simple", "REF:complex"),
    "PR": ("permission", "PR:with", "PR:without"),
    "RC": ("permission", "RC:with", "RC:without"),
}
"""By code: the attribute, and the columns of its two values."""

Share = Callable[[float, float], Any]
"""The chance of the first of two things that were seen so many times: its mean, or draws [draws]."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How often the tagger was right with one code on validated units."""

    true_positive: int
    false_positive: int
    false_negative: int


@dataclass(frozen=True, slots=True)
class TaggerErrors:
    """The tagger's errors, counted by message or by volley.

    Attributes:
        codes: by code.
        splits: by code with a depth or permission, where tagger and gold have both: gold's first and second value where
            the tagger gave the first, and the same where it gave the second.
        doubt: what to say of every figure that they correct; empty where nothing speaks against them.
    """

    unit: Unit
    codes: Mapping[str, Errors]
    splits: Mapping[str, tuple[tuple[int, int], tuple[int, int]]]
    doubt: str = ""

    def lacking(self, measure: Measure) -> str:
        """Why a measure cannot be corrected for the errors; empty where it can, or where it counts no codes."""
        few = [code for code in measure.codes if not self._enough(code)]
        untold = [code for code in measure.split if code not in few and not self._told(code)]
        reasons = []
        if few:
            were = "was" if len(few) == 1 else "were each"
            reasons.append(f"{', '.join(few)} {were} found correctly fewer than {FEWEST} times in the validation chats")
        for code in untold:
            reasons.append(f"fewer than {FEWEST} validated {self.unit}s for one value of {SPLITS[code][0]} of {code}")
        return f"not corrected for the tagger's errors: {'; '.join(reasons)}" if reasons else ""

    def mended(self, counts: Floats, share: Share) -> Floats:
        """[..., columns] counts with what was found times precision over recall, where enough was validated.

        Depth and permission are shared out as gold has them where the tagger gave each; messages that it missed are
        taken to be like those that it found.
        """
        done = counts.copy()
        for code, seen in self.codes.items():
            if not self._enough(code):
                continue
            precision = share(seen.true_positive, seen.false_positive)
            factor = precision / share(seen.true_positive, seen.false_negative)
            done[..., AT[code]] = counts[..., AT[code]] * factor
            if code in SPLITS and self._told(code):
                first, second = (AT[column] for column in SPLITS[code][1:])
                kept, moved = (share(*row) for row in self.splits[code])
                one, other = counts[..., first] * factor, counts[..., second] * factor
                done[..., first] = one * kept + other * moved
                done[..., second] = one * (1 - kept) + other * (1 - moved)
        return done

    def _enough(self, code: str) -> bool:
        return self.codes[code].true_positive >= FEWEST

    def _told(self, code: str) -> bool:
        return min(map(sum, self.splits[code])) >= FEWEST


def expected(right: float, wrong: float) -> float:
    """The mean of the Beta posterior of a share (Jeffreys)."""
    return (right + 0.5) / (right + wrong + 1)


def drawn(random: np.random.Generator, draws: int) -> Share:
    """Draws from the same posterior."""
    return lambda right, wrong: random.beta(right + 0.5, wrong + 0.5, draws)


def errors_of(tagged: Iterable[Chat | Conversation], gold: Iterable[Chat], unit: Unit = "message") -> TaggerErrors:
    """The tagger's errors on chats that both sides coded, by message or volley, as far as gold says.

    Raises:
        UsageProblem: no message has codes of both.
    """
    truth = {chat.id: chat.turns for chat in gold}
    codes, left = [AT[code] for code in CODES], [AT[OPEN[code]] for code in CODES]
    values = [[AT[column] for column in columns] for _, *columns in SPLITS.values()]
    right, found, true = np.zeros((3, len(CODES)), dtype=int)
    splits = np.zeros((len(SPLITS), 2, 2), dtype=int)
    units = 0
    for chat in map(as_chat, tagged):
        for given, known in _units(chat.turns, truth.get(chat.id, ()), unit):
            units += 1
            right += (given[codes] * known[codes]).astype(int)
            found += (given[codes] * (1 - known[left])).astype(int)
            true += known[codes].astype(int)
            splits += (given[values][:, :, None] * known[values][:, None, :]).astype(int)
    if not units:
        raise UsageProblem(
            "No counselor message of the validation file has both gold codes and codes of the tagger. Tag the chats "
            "that have gold codes and give what comes out:  mi-code tag GOLD.jsonl -o gold.tagged.jsonl"
        )
    rows = zip(CODES, right.tolist(), (found - right).tolist(), (true - right).tolist(), strict=True)
    return TaggerErrors(
        unit,
        {code: Errors(*counts) for code, *counts in rows},
        {code: ((a, b), (c, d)) for code, ((a, b), (c, d)) in zip(SPLITS, splits.tolist(), strict=True)},
    )


def _units(tagged: Sequence[Turn], gold: Sequence[Turn], unit: Unit) -> Iterator[tuple[Floats, Floats]]:
    """Counts of every message, or volley, of the messages that both sides coded: the tagger's and gold's."""
    pair: tuple[list[Turn], list[Turn]] = ([], [])
    if len(tagged) != len(gold):
        return
    for one, other in zip(tagged, gold, strict=True):
        if one.role == COUNSELOR and one.codes is not None and other.codes is not None:
            pair[0].append(one)
            pair[1].append(other)
        if pair[0] and (unit == "message" or one.role == CLIENT):
            yield tally(pair[0], unit), tally(pair[1], unit)
            pair = ([], [])
    if pair[0]:
        yield tally(pair[0], unit), tally(pair[1], unit)
