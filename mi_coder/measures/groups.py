"""By what chats are grouped: fields that they have, periods of a time, each chat by itself, or all together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.missing import is_missing

CONVERSATION = "conversation"
ALL = "all"
PERIODS: Mapping[str, str] = {"year": "%Y", "month": "%Y-%m", "week": "%G-W%V"}
NONE = "(none)"
"""How the group of chats without a value is shown."""

Fields = Mapping[str, Any]


def names_in(names: str | Iterable[str]) -> tuple[str, ...]:
    """Several names, or one that is given alone."""
    return (names,) if isinstance(names, str) else tuple(names)


def fields_needed(by: Sequence[str], time: str) -> list[str]:
    """The fields that chats are asked for."""
    return [name for name in by if name not in (CONVERSATION, ALL, *PERIODS)] + ([time] if time else [])


def check_fields(chats: Sequence[Fields], wanted: Iterable[str], there: Callable[[], Iterable[str] | None]) -> None:
    """Refuse fields that no chat has.

    Args:
        there: the names of the fields that there are, None where they are not known; asked for only where one is
            missing.

    Raises:
        UsageProblem: naming them.
    """
    for name in wanted:
        if not any(has(chat, name) for chat in chats):
            known = there()
            names = sorted(known or ())
            told = f" Fields that there are: {', '.join(names)}." if names else " There are no fields beside messages."
            raise UsageProblem(
                f"No conversation has the field {name!r}.{did_you_mean(name, [*names, CONVERSATION, *PERIODS])}"
                + (" Check its name." if known is None else told)
            )


def has(chat: Fields, name: str) -> bool:
    """Whether a chat has a value for the field; the empty string and what pandas calls missing are none."""
    value = chat.get(name)
    return not is_missing(value) and value != ""


def check_periods(by: str | Sequence[str], time: str) -> None:
    """Refuse periods without the field that they are of.

    Raises:
        UsageProblem: there is none.
    """
    if (periods := [name for name in names_in(by) if name in PERIODS]) and not time:
        raise UsageProblem(f"By {periods[0]}: name the field with the time of the chat (--time started_at).")


def value_of(chat: str, fields: Fields, name: str, time: str) -> str:
    """The group of a chat by one name; empty where it has no value.

    Raises:
        UsageProblem: a time that is none.
    """
    if name == CONVERSATION:
        return chat
    if not has(fields, time if name in PERIODS else name):
        return ""
    if name not in PERIODS:
        return str(fields[name])
    try:
        return datetime.fromisoformat(str(fields[time])).strftime(PERIODS[name])
    except ValueError:
        raise UsageProblem(
            f"Chat {chat!r}: {time} is no date or time such as 2024-05-31 or 2024-05-31T18:30:00."
        ) from None


def all_periods(periods: Iterable[str], name: str) -> list[str]:
    """All periods from the first to the last, also those without a chat.

    Args:
        periods: as `value_of` gives them, in any order.
        name: year, month or week.
    """
    starts = sorted(_start(period, name) for period in periods)
    if not starts:
        return []
    weeks = range((starts[-1] - starts[0]).days // 7 + 1)
    days = [*(starts[0] + timedelta(weeks=week) for week in weeks), starts[-1]]
    return list(dict.fromkeys(day.strftime(PERIODS[name]) for day in days))


def _start(period: str, name: str) -> date:
    """The first day of a period."""
    year, _, part = period.replace("W", "").partition("-")
    number = int(part or 1)
    return date.fromisocalendar(int(year), number, 1) if name == "week" else date(int(year), number, 1)
