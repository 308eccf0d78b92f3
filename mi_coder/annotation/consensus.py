"""One coding from several: which messages their coders agree on, and what a rule makes of the others.

A message stays open where the rule does not settle it: on a tie, where no code is left, where the codes left are not
allowed together, or where there is a tie on the depth, permission or reason of a settled code.

Each coder has one voice for a message, the coding of the last round. Depth, permission, reason and own codes are
compared among the codings whose files tell them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mi_coder.annotation.codings import DETAILS, Given, Unit
from mi_coder.annotation.dawid_skene import CodeEstimate
from mi_coder.codebook import Codebook
from mi_coder.conversation import ALONE, MOST_CODES, Gold

Rule = Literal["majority", "unanimous", "dawid-skene"]
How = Literal["agreed", "single", "majority", "unanimous", "dawid-skene"]
Presence = Callable[[str], bool | None]
"""Whether a code is present, or None where that stays open."""

SURE = 0.9


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one message.

    Attributes:
        unit: the message with all of its codings, earlier rounds too.
        how: "agreed" where all codings are the same, "single" where there is one, else the rule.
        gold: what it was settled as; None where it stays open.
        why: what spoke for it, or what keeps it open.
        own: the codes of the platform's own with it.
    """

    unit: Unit
    how: How
    gold: Gold | None
    why: str
    own: frozenset[str] = frozenset()


def agrees(unit: Unit) -> bool:
    """Whether the coders of a message code it the same, in codes, attributes and own codes where they are told.

    One coding agrees with itself.
    """
    given = unit.last_rounds().given
    codes = {(one.gold.positive, one.gold.negative, one.gold.any_of) for one in given}
    own = {one.own for one in given} - {None}
    return len(codes) <= 1 and len(own) <= 1 and all(len(_values(given, name)) <= 1 for name in DETAILS)


def disagreements(units: Sequence[Unit]) -> list[Unit]:
    """The messages on which coders differ, with the codings that count: the last round of each coder."""
    return [unit.last_rounds() for unit in units if not agrees(unit)]


def settle(
    units: Sequence[Unit], rule: Rule, estimates: Sequence[CodeEstimate] = (), sure: float = SURE
) -> list[Decision]:
    """What the rule makes of each message, in their order.

    Codings that are all the same are kept, whatever the rule. Majority: a code that more than half of the codings have;
    half is a tie. Unanimous: nothing else. Dawid-Skene: a code that is present with a probability of `sure` or more; it
    is open where neither its presence nor its absence is so sure. Attributes and own codes go by majority.

    Args:
        estimates: those of `mi_coder.annotation.dawid_skene.code_estimates`, for its rule.
    """
    chances = {one.code: one.presence for one in estimates}
    return [_decision(unit, rule, chances, sure) for unit in units]


def told(gold: Gold, own: Iterable[str] | None = None) -> str:
    """A coding in few words: its codes in the order of the codebook, with their attributes, then its own codes."""
    book = Codebook.load()
    codes = (
        " ".join([code, *(value for name in book[code].attributes if (value := getattr(gold, name)))])
        for code in book.in_order(gold.positive)
    )
    return "+".join([*codes, *sorted(own or ())])


def _decision(unit: Unit, rule: Rule, chances: Mapping[str, Mapping[str, float]], sure: float) -> Decision:
    counted = unit.last_rounds()
    if agrees(counted):
        count = len(counted.given)
        how: How = "agreed" if count > 1 else "single"
        why = f"{count} codings are the same" if count > 1 else "one coding"
        return Decision(unit, how, _agreed(counted.given), why, _own(counted)[0])
    if rule == "unanimous":
        return Decision(unit, rule, None, "the codings differ")
    if rule == "dawid-skene":
        named = {code: chances[code].get(unit.id) for code in _named(counted)}
        votes = ", ".join(f"{code} {chance:.2f}" for code, chance in named.items() if chance is not None)
        gold, fault = _gold(counted, lambda code: _likely(named[code], sure))
    else:
        given = Counter(code for gold in counted.codings for code in gold.positive)
        votes = ", ".join(f"{code} {given[code]} of {len(counted.given)}" for code in _named(counted))
        gold, fault = _gold(counted, lambda code: _majority(counted, code))
    own, tie = _own(counted)
    if gold and tie:
        gold, fault = None, tie
    return Decision(unit, rule, gold, f"{fault}: {votes}" if fault else votes, own if gold else frozenset())


def _values(given: Iterable[Given], name: str) -> set[str | None]:
    """The values of an attribute in the codings whose files tell it."""
    return {getattr(one.gold, name) for one in given if name in one.tells}


def _agreed(given: Sequence[Given]) -> Gold:
    """What codings that are the same say together: some may tell an attribute that others do not."""
    depth, permission, reason = (next(iter(_values(given, name)), None) for name in DETAILS)
    return replace(given[0].gold, depth=depth, permission=permission, reason=reason)


def _own(unit: Unit) -> tuple[frozenset[str], str]:
    """The own codes in more than half of the codings that tell them, and what keeps them open, if anything."""
    told = [given.own for given in unit.given if given.own is not None]
    counts = Counter(code for own in told for code in own)
    ties = sorted(code for code, count in counts.items() if 2 * count == len(told))
    settled = frozenset(code for code, count in counts.items() if 2 * count > len(told))
    return settled, f"{', '.join(ties)} undecided" if ties else ""


def _gold(unit: Unit, presence: Presence) -> tuple[Gold | None, str]:
    """The coding that is left, or why there is none."""
    book = Codebook.load()
    verdicts = {code: presence(code) for code in _named(unit)}
    if undecided := [code for code, verdict in verdicts.items() if verdict is None]:
        return None, f"{', '.join(undecided)} undecided"
    codes = frozenset(code for code, verdict in verdicts.items() if verdict)
    if not codes:
        return None, "no code is left"
    if len(codes) > MOST_CODES:
        return None, f"{len(codes)} codes are left, and at most {MOST_CODES} are allowed"
    if ALONE in codes and len(codes) > 1:
        return None, "OT is left with other codes"
    carriers = {name: {code for code in codes if name in book[code].attributes} for name in DETAILS}
    told = {name: _told(unit, name, carriers[name]) for name in DETAILS}
    values = {name: _most(told[name]) for name in DETAILS}
    if undecided := [name for name in DETAILS if told[name] and values[name] is None]:
        return None, f"{', '.join(undecided)} undecided"
    depth, permission, reason = (values[name] for name in DETAILS)
    return Gold(codes, frozenset(book.ids) - codes, (), depth, permission, reason), ""


def _told(unit: Unit, name: str, carriers: set[str]) -> Counter[str]:
    """The values that an attribute has in the codings that have a code which carries it and tell the value."""
    return Counter(
        value for gold in unit.codings if gold.positive & carriers and (value := getattr(gold, name)) is not None
    )


def _most(values: Counter[str]) -> str | None:
    """The value of more than half of them, None where there is none."""
    return next((value for value, count in values.items() if 2 * count > values.total()), None)


def _named(unit: Unit) -> tuple[str, ...]:
    """The codes that any coding of the message has, in the order of the codebook."""
    return tuple(Codebook.load().in_order({code for gold in unit.codings for code in gold.positive}))


def _majority(unit: Unit, code: str) -> bool | None:
    present, absent = (sum(code in getattr(gold, side) for gold in unit.codings) for side in ("positive", "negative"))
    return None if present == absent else present > absent


def _likely(chance: float | None, sure: float) -> bool | None:
    if chance is None or 1 - sure < chance < sure:
        return None
    return chance >= sure
