"""How the tagger errs on chats that people coded too, and what its counts are when corrected for these errors.

A count is corrected by recall and false alarms (Rogan & Gladen 1978, American Journal of Epidemiology 107:71-76), which
do not depend on how frequent the code is, as precision does. Depth and permission are corrected in the same way, as a
table of three: one value, the other, no such code.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation
from mi_coder.errors import UsageProblem
from mi_coder.measures.reading import Chat, as_chat
from mi_coder.measures.summaries import Measure
from mi_coder.measures.tally import AT, CODES, OPEN, Turn, Unit, check_unit, tally

FEWEST = 5
"""A code that the tagger found correctly fewer times is not corrected, nor is depth or permission of which either value
was checked fewer times."""
LEAST_GAP = 0.1
"""Corrections divide by how far recall is above the false alarms, and for depth and permission by how much more often a
value is given where it is right than where the other is. Where the lower end of the 95% interval of this difference is
smaller, nothing is corrected."""
SPLITS: Mapping[str, tuple[str, str, str]] = {
    "REF": ("depth", "REF:simple", "REF:complex"),
    "PR": ("permission", "PR:with", "PR:without"),
    "RC": ("permission", "RC:with", "RC:without"),
}
"""By code: the attribute, and the columns of its two values."""

Share = Callable[[float, float], Any]
"""The chance of the first of two things that were seen so many times: its mean, or draws [draws]."""
Outcomes = tuple[int, int, int]
"""How often the tagger gave the first value, the second, and no such code."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How often the tagger was right with one code, on validated units of which gold says whether they carry it."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def recall(self) -> tuple[int, int]:
        """Units with the code: found and missed."""
        return self.true_positive, self.false_negative

    @property
    def false_alarms(self) -> tuple[int, int]:
        """Units without the code: where the tagger gave it and where it did not."""
        return self.false_positive, self.true_negative


@dataclass(frozen=True, slots=True)
class Split:
    """What the tagger gave, by what gold has; units whose depth or permission is not known on both sides do not count.

    Attributes:
        first, second: where gold has the first or the second value.
        none: where gold does not have the code.
    """

    first: Outcomes
    second: Outcomes
    none: Outcomes

    @property
    def told(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the tagger gave the code: its second and first value where gold has the second, and where the first."""
        return self.second[1::-1], self.first[1::-1]

    def share(self, first: Floats, second: Floats, units: Floats, chance: Share) -> Floats:
        """[...] the share of the second value among units that truly have the code.

        With the tagger's rates, the true numbers of both values give the numbers that it found: two equations in two
        unknowns. What they are divided by is the same in both, so only its sign matters for the share.

        Args:
            first, second: [...] how often the tagger gave each value.
            units: [...] messages or volleys.
            chance: see `Share`.
        """
        given = []
        for one, other, missed in (self.first, self.second, self.none):
            found, turned = chance(one + other, missed), chance(other, one)
            given.append((found * (1 - turned), found * turned))
        (right, wrong), (other_wrong, other_right), (alarms, other_alarms) = given
        beyond, other_beyond = first - alarms * units, second - other_alarms * units
        true = (other_right - other_alarms) * beyond - (other_wrong - alarms) * other_beyond
        other_true = (right - alarms) * other_beyond - (wrong - other_alarms) * beyond
        divisor = (right - alarms) * (other_right - other_alarms) - (wrong - other_alarms) * (other_wrong - alarms)
        sign = np.sign(divisor)
        known, other_known = np.maximum(sign * true, 0), np.maximum(sign * other_true, 0)
        total = known + other_known
        return np.divide(other_known, total, out=np.full(total.shape, 0.5), where=total > 0)


@dataclass(frozen=True, slots=True)
class TaggerErrors:
    """The tagger's errors, counted by message or by volley.

    Attributes:
        codes: by code.
        splits: by code with a depth or permission.
        doubt: what to say of every figure that they correct; empty where nothing speaks against them.
    """

    unit: Unit
    codes: Mapping[str, Errors]
    splits: Mapping[str, Split]
    doubt: str = ""

    def lacking(self, measure: Measure) -> str:
        """Why a measure cannot be corrected for the errors; empty where it can, or where it counts no codes."""
        few = [code for code in measure.codes if not self._enough(code)]
        blurred = [code for code in measure.codes if code not in few and not self._distinct(code)]
        sound = [code for code in measure.split if code not in few and code not in blurred]
        unchecked = [code for code in sound if not self._checked(code)]
        untold = [code for code in sound if code not in unchecked and not self._told(code)]
        reasons = []
        if few:
            were = "was" if len(few) == 1 else "were each"
            reasons.append(f"{', '.join(few)} {were} found correctly fewer than {FEWEST} times in the validation chats")
        if blurred:
            their = "its" if len(blurred) == 1 else "their"
            reasons.append(
                f"recall of {', '.join(blurred)} not surely above {their} false alarms in the validation chats"
            )
        for code in unchecked:
            reasons.append(f"fewer than {FEWEST} validated {self.unit}s for one value of {SPLITS[code][0]} of {code}")
        for code in untold:
            reasons.append(f"{SPLITS[code][0]} of {code} not surely distinguished in the validation chats")
        return f"not corrected for the tagger's errors: {'; '.join(reasons)}" if reasons else ""

    def mended(self, counts: Floats, share: Share) -> Floats:
        """[..., columns] corrected counts, of codes of which enough was validated.

        Of n units in which the tagger found a code so many times, (found - false alarms * n) / (recall - false alarms)
        have it, at least none and at most all. Depth and permission are shared out among these by `Split.share`.
        """
        done, units = counts.copy(), counts[..., AT["units"]]
        for code, seen in self.codes.items():
            if not (self._enough(code) and self._distinct(code)):
                continue
            found, alarms = counts[..., AT[code]], share(*seen.false_alarms)
            true = np.clip((found - alarms * units) / (share(*seen.recall) - alarms), 0, units)
            done[..., AT[code]] = true
            if code in SPLITS and self._checked(code) and self._told(code):
                first, second = (AT[column] for column in SPLITS[code][1:])
                one, other = counts[..., first], counts[..., second]
                known = true * np.divide(one + other, found, out=np.zeros(found.shape), where=found > 0)
                done[..., second] = known * self.splits[code].share(one, other, units, share)
                done[..., first] = known - done[..., second]
        return done

    def _enough(self, code: str) -> bool:
        return self.codes[code].true_positive >= FEWEST

    def _distinct(self, code: str) -> bool:
        return _surely_more(self.codes[code].recall, self.codes[code].false_alarms)

    def _checked(self, code: str) -> bool:
        return min(map(sum, self.splits[code].told)) >= FEWEST

    def _told(self, code: str) -> bool:
        return _surely_more(*self.splits[code].told)


def _surely_more(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether a share is above another one by `LEAST_GAP`, by their posteriors (Jeffreys) as normal ones."""
    (more, spread), (less, other_spread) = map(_posterior, (one, other))
    return more - less - 1.96 * sqrt(spread + other_spread) >= LEAST_GAP


def _posterior(counts: tuple[int, int]) -> tuple[float, float]:
    """Mean and variance of the Beta posterior of a share (Jeffreys)."""
    mean = expected(*counts)
    return mean, mean * (1 - mean) / (sum(counts) + 2)


def expected(right: float, wrong: float) -> float:
    """The mean of the Beta posterior of a share (Jeffreys)."""
    return (right + 0.5) / (right + wrong + 1)


def drawn(random: np.random.Generator, draws: int) -> Share:
    """Draws from the same posterior."""
    return lambda right, wrong: random.beta(right + 0.5, wrong + 0.5, draws)


def errors_of(
    tagged: Iterable[Chat | Conversation], gold: Iterable[Chat | Conversation], unit: Unit = "message"
) -> TaggerErrors:
    """The tagger's errors on chats that both sides coded, by message or volley, as far as gold says.

    Args:
        tagged, gold: the same chats, matched by id; chats that one side lacks do not count.

    Raises:
        UsageProblem: another unit, a chat whose gold has another number of messages, or no message has codes of both.
    """
    check_unit(unit)
    truth = {chat.id: chat.turns for chat in (as_chat(given, gold=True) for given in gold)}
    codes, left = [AT[code] for code in CODES], [AT[OPEN[code]] for code in CODES]
    values = [[AT[column] for column in columns] for _, *columns in SPLITS.values()]
    split_codes, split_places = [AT[code] for code in SPLITS], [CODES.index(code) for code in SPLITS]
    counted = np.zeros((4, len(CODES)), dtype=int)
    splits = np.zeros((len(SPLITS), 3, 3), dtype=int)
    units = 0
    for chat in map(as_chat, tagged):
        if chat.id not in truth:
            continue
        known_turns = truth[chat.id]
        if len(chat.turns) != len(known_turns):
            raise UsageProblem(
                f"Chat {chat.id!r} has {len(chat.turns):,} messages where it is tagged and {len(known_turns):,} where "
                "it has gold codes, so which codes are of the same message is not known. Tag the chats that have gold "
                "codes:  mi-code tag GOLD.jsonl -o gold.tagged.jsonl"
            )
        for given, known in _units(chat.turns, known_turns, unit):
            units += 1
            found, true, false = given[codes], known[codes], 1 - known[codes] - known[left]
            counted += np.array([found * true, found * false, (1 - found) * true, (1 - found) * false]).astype(int)
            seen = np.column_stack((given[values], 1 - given[split_codes]))
            real = np.column_stack((known[values], false[split_places]))
            splits += (real[:, :, None] * seen[:, None, :]).astype(int)
    if not units:
        raise UsageProblem(
            "No counselor message of the validation file has both gold codes and codes of the tagger. Tag the chats "
            "that have gold codes and give what comes out:  mi-code tag GOLD.jsonl -o gold.tagged.jsonl"
        )
    return TaggerErrors(
        unit,
        {code: Errors(*row) for code, row in zip(CODES, counted.T.tolist(), strict=True)},
        {code: Split(*map(tuple, rows)) for code, rows in zip(SPLITS, splits.tolist(), strict=True)},
    )


def _units(tagged: Sequence[Turn], gold: Sequence[Turn], unit: Unit) -> Iterator[tuple[Floats, Floats]]:
    """Counts of every message, or volley, of the messages that both sides coded: the tagger's and gold's."""
    pair: tuple[list[Turn], list[Turn]] = ([], [])
    for one, other in zip(tagged, gold, strict=True):
        if one.role == COUNSELOR and one.codes is not None and other.codes is not None:
            pair[0].append(one)
            pair[1].append(other)
        if pair[0] and (unit == "message" or one.role == CLIENT):
            yield tally(pair[0], unit), tally(pair[1], unit)
            pair = ([], [])
    if pair[0]:
        yield tally(pair[0], unit), tally(pair[1], unit)
