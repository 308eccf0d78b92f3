"""What the tagger says of the units of a population: how unsure it is, and how likely they carry rare codes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.annotation.population import Candidate, Place
from mi_coder.arrays import Bools, Floats, Indices
from mi_coder.conversation import Coding, Conversation
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean
from mi_coder.evaluation.compare import has_all_scores
from mi_coder.progress import Progress, unwatched
from mi_coder.tagger.tagger import Tagger

RARE = 0.02
_AT_ONCE = 256
_MEND = "Tag these chats again and keep all scores: mi-code tag CHATS --scores all"


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities of the codes in the messages of all units.

    Attributes:
        codes: those the tagger can give.
        values: [messages, codes].
        unit: [messages] number of the unit of each message, from 0 without gaps.
    """

    codes: tuple[str, ...]
    values: Floats
    unit: Indices

    @classmethod
    def of(cls, units: Sequence[Candidate], codings: Mapping[Place, Coding]) -> "Scores":
        """The scores of the units' messages; a code that a coding does not score counts as 0 there."""
        rows = [codings[unit.chat.id, place].scores for unit in units for place in unit.places]
        codes = tuple(sorted({code for row in rows for code in row}))
        values = np.array([[row.get(code, 0.0) for code in codes] for row in rows], dtype=np.float64)
        return cls(codes, values, np.repeat(np.arange(len(units)), [len(unit.places) for unit in units]))

    def means(self) -> Floats:
        """[units, codes] mean probabilities."""
        return self._mean(self.values)

    def likeliest(self) -> list[str]:
        """[units] the code that is most likely on the whole."""
        return [self.codes[at] for at in self.means().argmax(axis=1)]

    def entropy(self) -> Floats:
        """[units] bits of doubt over all codes, each as yes or no; the mean over the messages of a unit."""
        p = np.clip(self.values, 1e-12, 1 - 1e-12)
        return self._mean(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum(axis=1))

    def any_of(self, codes: Sequence[str]) -> Floats:
        """[units] probability of at least one of the codes, taken as independent; the mean over the messages of a unit.

        Raises:
            UnknownName: the tagger does not give one of them.
        """
        return self._mean(1 - np.prod(1 - self.values[:, self._columns(codes)], axis=1))

    def rare(self) -> tuple[str, ...]:
        """The codes that less than a share `RARE` of the messages is expected to carry; the rarest one at least."""
        expected = self.values.mean(axis=0)
        chosen: Bools = (expected < RARE) | (expected == expected.min())
        return tuple(code for code, is_rare in zip(self.codes, chosen, strict=True) if is_rare)

    def _columns(self, codes: Sequence[str]) -> list[int]:
        for code in codes:
            if code not in self.codes:
                raise UnknownName(
                    f"The tagger does not give the code {code!r}.{did_you_mean(code, self.codes)} It gives: "
                    f"{', '.join(self.codes)}."
                )
        return [self.codes.index(code) for code in codes]

    def _mean(self, values: Floats) -> Floats:
        """[messages, ...] to [units, ...]."""
        sums = np.zeros((int(self.unit[-1]) + 1, *values.shape[1:]))
        np.add.at(sums, self.unit, values)
        counts = np.bincount(self.unit).reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(sums / counts, dtype=np.float64)


def tagged_now(units: Iterable[Candidate], tagger: Tagger, progress: Progress = unwatched) -> dict[Place, Coding]:
    """Codings of the units' messages by a tagger, which codes many at once."""
    wanted = [(unit.chat, place) for unit in units for place in unit.places]
    codings: dict[Place, Coding] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        chosen = wanted[start : start + _AT_ONCE]
        jobs = [tagger.job(chat.messages[place].text, chat.messages[:place]) for chat, place in chosen]
        codings.update(zip([(chat.id, place) for chat, place in chosen], tagger.code(jobs), strict=True))
        progress(len(codings), len(wanted))
    return codings


def tagged_before(units: Iterable[Candidate], tagged: Iterable[Conversation]) -> dict[Place, Coding]:
    """Codings of the units' messages from tagged chats.

    Raises:
        UsageProblem: a message is not in them, has another text or not all scores there.
    """
    by_id = {chat.id: chat for chat in tagged}
    return {(unit.chat.id, place): _coding(unit, place, by_id) for unit in units for place in unit.places}


def _coding(unit: Candidate, place: int, by_id: Mapping[str, Conversation]) -> Coding:
    chat = by_id.get(unit.chat.id)
    message = chat.messages[place] if chat and place < len(chat.messages) else None
    where = f"Conversation {unit.chat.id!r}, message {place}"
    if message is None or message.text != unit.chat.messages[place].text:
        raise UsageProblem(f"{where}: the tagged file does not have it, or has another text. {_MEND}")
    if message.coding is None or not has_all_scores(message.coding):
        raise UsageProblem(f"{where}: the tagged file has scores of chosen codes only. {_MEND}")
    return message.coding
