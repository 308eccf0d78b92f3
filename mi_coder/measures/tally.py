"""One conversation in numbers.

Codes are counted by message, or by volley: all that the counselor writes between two messages of the client. In a
volley each code counts once, one reflection counts (complex before simple) and one question (open before closed), as
MITI 4.2.1 counts. The manual does not split open and closed questions; here the open one stands for both.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec
import numpy as np

from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Gold, Role
from mi_coder.errors import UsageProblem, did_you_mean

Unit = Literal["message", "volley"]
UNITS: tuple[Unit, ...] = ("message", "volley")
CODES = Codebook.load().ids
DETAILS = ("REF:simple", "REF:complex", "PR:with", "PR:without", "RC:with", "RC:without")
SIZES = ("units", "client_messages", "counselor_words", "client_words")
OPEN = {code: f"open:{code}" for code in CODES}
"""The columns that count units of which gold does not say whether they carry the code."""
COLUMNS = (*CODES, *DETAILS, *SIZES, *OPEN.values())
AT = {name: i for i, name in enumerate(COLUMNS)}
_UNITS, _CLIENT, _COUNSELOR_WORDS, _CLIENT_WORDS = (AT[name] for name in SIZES)


def check_unit(unit: str) -> None:
    """Refuse what is no unit.

    Raises:
        UsageProblem: naming the units.
    """
    if unit not in UNITS:
        raise UsageProblem(f"The unit is {unit!r}: it is one of {', '.join(UNITS)}.{did_you_mean(unit, UNITS)}")


class Turn(msgspec.Struct, frozen=True, gc=False):
    """What counts of one message.

    Attributes:
        codes: None where the message was not coded, or is not the counselor's.
        words: separated by blanks.
        review: the tagger was too unsure.
        open: codes that gold leaves open: neither given nor ruled out.
    """

    role: Role
    codes: tuple[str, ...] | None
    depth: str | None
    permission: str | None
    words: int
    review: bool = False
    open: tuple[str, ...] = ()


def turns_of(conversation: Conversation, gold: bool = False) -> Iterator[Turn]:
    """The messages of a conversation, with the tagger's codes or with gold codes.

    A message whose gold says nothing about codes counts as not coded.
    """
    for message in conversation.messages:
        codes, depth, permission, review = None, None, None, False
        left: tuple[str, ...] = ()
        if message.is_counselor and gold and (given := _known(message.gold)) is not None:
            codes, depth, permission = tuple(given.positive), given.depth, given.permission
            left = tuple(code for code in CODES if code not in given.positive and code not in given.negative)
        elif message.is_counselor and not gold and message.coding is not None and not message.coding.uncoded:
            coding = message.coding
            codes, depth, permission, review = coding.codes, coding.depth, coding.permission, coding.review
        yield Turn(message.role, codes, depth, permission, len(message.text.split()), review, left)


def _known(gold: Gold | None) -> Gold | None:
    return gold if gold and (gold.positive or gold.negative or gold.any_of) else None


def tally(turns: Iterable[Turn], unit: Unit) -> Floats:
    """[columns] counts of one conversation; units are coded messages, or volleys that hold one."""
    row = [0] * len(COLUMNS)
    volley: list[Turn] = []
    for turn in turns:
        if turn.role == COUNSELOR:
            row[_COUNSELOR_WORDS] += turn.words
            if turn.codes is None:
                continue
            if unit == "message":
                _add(row, turn.codes, turn.depth, turn.permission)
                _leave_open(row, turn.open)
            else:
                volley.append(turn)
        elif turn.role == CLIENT:
            row[_CLIENT] += 1
            row[_CLIENT_WORDS] += turn.words
            if volley:
                _close(row, volley)
    if volley:
        _close(row, volley)
    return np.array(row, dtype=np.float64)


def _add(row: list[int], codes: Iterable[str], depth: str | None, permission: str | None) -> None:
    row[_UNITS] += 1
    for code in codes:
        place = AT.get(code)
        if place is None:
            continue
        row[place] += 1
        detail = depth if code == "REF" else permission if code in ("PR", "RC") else None
        if detail is not None and (where := AT.get(f"{code}:{detail}")) is not None:
            row[where] += 1


def _leave_open(row: list[int], codes: Iterable[str]) -> None:
    for code in codes:
        row[AT[OPEN[code]]] += 1


def _close(row: list[int], volley: list[Turn]) -> None:
    """Count a volley and empty it."""
    codes = {code for turn in volley for code in turn.codes or ()}
    left = {code for turn in volley for code in turn.open} - codes
    if "OQ" in codes:
        codes.discard("CQ")
        left.discard("CQ")
    elif "OQ" in left and "CQ" in codes:
        codes.discard("CQ")
        left.add("CQ")
    _leave_open(row, left)
    depths = {turn.depth for turn in volley if "REF" in (turn.codes or ())}
    depth = "complex" if "complex" in depths else "simple" if depths == {"simple"} else None
    _add(row, codes - {"PR", "RC"}, depth, None)
    row[_UNITS] -= 1
    for code in codes & {"PR", "RC"}:
        given = {turn.permission for turn in volley if code in (turn.codes or ())}
        permission = "with" if "with" in given else "without" if given == {"without"} else None
        _add(row, [code], None, permission)
        row[_UNITS] -= 1
    row[_UNITS] += 1
    volley.clear()
