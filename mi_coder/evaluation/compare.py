"""Puts gold codes and a tagger's codes of the same messages side by side."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools, Floats
from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.errors import MiCoderError, UnknownName, did_you_mean

_MEND = "Tag the gold file itself: `mi-code tag GOLD.jsonl`."


class NotComparable(MiCoderError):
    """The gold file and the tagged file do not have the same messages."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every message with gold codes, ordered by conversation id and then as sent.

    Attributes:
        codes: code ids, one per column of the arrays.
        conversation_ids: sorted, [conversations].
        conversation: [messages] number of each message's conversation.
        truth: [messages, codes] 1, 0 or nan (unknown).
        predicted: [messages, codes] codes given.
        probability: [messages, codes]; nan where the tagger's probability was not kept.
        gold, coding, texts: one per message.
    """

    codes: tuple[str, ...]
    conversation_ids: tuple[str, ...]
    conversation: NDArray[np.intp]
    truth: Floats
    predicted: Bools
    probability: Floats
    gold: tuple[Gold, ...]
    coding: tuple[Coding, ...]
    texts: tuple[str, ...]


def has_gold(conversation: Conversation) -> bool:
    """Whether any of the counselor messages has gold that says anything of its codes."""
    return any(_judging(message) for message in conversation.messages)


def from_codes(conversation: Conversation, codes: Iterable[str]) -> Conversation:
    """A conversation with the finished codes of its messages as gold: a code that was not given does not apply."""
    return replace(conversation, messages=[_as_gold(message, frozenset(codes)) for message in conversation.messages])


def compare(gold: Iterable[Conversation], tagged: Iterable[Conversation], codes: Sequence[str]) -> Comparison:
    """Align the counselor messages that have gold codes with the tagged ones, by conversation id and position.

    Tagged conversations without gold are left out.

    Raises:
        NotComparable: a gold conversation or message is missing from the tagged ones, has another text or no codes
            there, or nothing has gold codes.
        UnknownName: a code that is not among `codes`.
    """
    tested = sorted((one for one in gold if any(_judging(message) for message in one.messages)), key=lambda one: one.id)
    if not tested:
        raise NotComparable(
            "No counselor message of the gold file carries gold codes. Each needs a field gold, such as "
            '{"codes": ["SU", "OQ"]}, or a field codes.'
        )
    wanted = {one.id for one in tested}
    tagged_by_id = {one.id: one for one in tagged if one.id in wanted}
    missing = [one.id for one in tested if one.id not in tagged_by_id]
    if missing:
        raise NotComparable(
            f"{len(missing)} of {len(tested)} gold conversations are not in the tagged file, "
            f"the first is {missing[0]!r}. {_MEND}"
        )
    pairs = [pair for number, one in enumerate(tested) for pair in _pairs(number, one, tagged_by_id[one.id])]
    column = {code: i for i, code in enumerate(codes)}
    truth = np.full((len(pairs), len(codes)), np.nan)
    predicted = np.zeros(truth.shape, dtype=bool)
    probability = np.full(truth.shape, np.nan)
    for row, pair in enumerate(pairs):
        truth[row, _columns(pair.gold.negative, column, pair.place)] = 0
        truth[row, _columns(pair.gold.resolved().positive, column, pair.place)] = 1
        for group in pair.gold.any_of:  # scored in `attributes`, but names are checked here
            _columns(group, column, pair.place)
        predicted[row, _columns(pair.coding.codes, column, pair.place)] = True
        if has_all_scores(pair.coding):
            probability[row, _columns(pair.coding.scores, column, pair.place)] = list(pair.coding.scores.values())
    return Comparison(
        codes=tuple(codes),
        conversation_ids=tuple(one.id for one in tested),
        conversation=np.array([pair.conversation for pair in pairs], dtype=np.intp),
        truth=truth,
        predicted=predicted,
        probability=probability,
        gold=tuple(pair.gold for pair in pairs),
        coding=tuple(pair.coding for pair in pairs),
        texts=tuple(pair.text for pair in pairs),
    )


def has_all_scores(coding: Coding) -> bool:
    """Whether the scores hold more than the chosen codes. Chosen ones alone would make any coder look miscalibrated."""
    return set(coding.scores) > set(coding.codes)


@dataclass(frozen=True, slots=True)
class _Pair:
    """One message, coded twice. `place` names it in error messages."""

    conversation: int
    place: str
    text: str
    gold: Gold
    coding: Coding


def _judging(message: Message) -> Gold | None:
    """The gold of a counselor message where it says anything of its codes."""
    gold = message.gold if message.is_counselor else None
    return gold if gold and (gold.positive or gold.negative or gold.any_of) else None


def _as_gold(message: Message, codes: frozenset[str]) -> Message:
    coding = message.coding
    if coding is None or coding.uncoded:
        return message
    positive = frozenset(coding.codes)
    return replace(message, gold=Gold(positive, codes - positive, depth=coding.depth, permission=coding.permission))


def _pairs(number: int, gold: Conversation, tagged: Conversation) -> Iterator[_Pair]:
    for index, message in enumerate(gold.messages):
        known = _judging(message)
        if known is None:
            continue
        place = f"conversation {gold.id!r}, message {index}"
        if index >= len(tagged.messages):
            raise NotComparable(f"{place}: the tagged conversation has only {len(tagged.messages)} messages. {_MEND}")
        partner = tagged.messages[index]
        if partner.text != message.text:
            raise NotComparable(f"{place}: its text in the tagged file differs. {_MEND}")
        if partner.coding is None:
            raise NotComparable(f"{place}: the tagged file has no codes for it. {_MEND}")
        yield _Pair(number, place, message.text, known, partner.coding)


def _columns(codes: Iterable[str], column: Mapping[str, int], place: str) -> list[int]:
    try:
        return [column[code] for code in codes]
    except KeyError as error:
        code = error.args[0]
        raise UnknownName(f"{place}: no code {code!r} in the codebook.{did_you_mean(code, column)}") from None
