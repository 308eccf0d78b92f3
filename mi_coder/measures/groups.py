"""By what chats are grouped: fields that they have, periods of a time, each chat by itself, or all together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mi_coder.errors import UsageProblem, did_you_mean

CONVERSATION = "conversation"
ALL = "all"
PERIODS: Mapping[str, str] = {"year": "%Y", "month": "%Y-%m", "week": "%G-W%V"}
NONE = "(none)"
"""How the group of chats without a value is shown."""

Fields = Mapping[str, Any]


def fields_needed(by: Sequence[str], time: str) -> list[str]:
    """The fields that chats are asked for."""
    return [name for name in by if name not in (CONVERSATION, ALL, *PERIODS)] + ([time] if time else [])


def check_fields(chats: Sequence[Fields], wanted: Iterable[str], there: Callable[[], Iterable[str]]) -> None:
    """Refuse fields that no chat has.

    Args:
        there: the names of the fields that there are; asked for only where one is missing.

    Raises:
        UsageProblem: naming them.
    """
    for name in wanted:
        if not any(has(chat, name) for chat in chats):
            names = sorted(there())
            raise UsageProblem(
                f"No conversation has the field {name!r}.{did_you_mean(name, [*names, CONVERSATION, *PERIODS])} "
                + (f"Fields that there are: {', '.join(names)}." if names else "There are no fields beside messages.")
            )


def has(chat: Fields, name: str) -> bool:
    """Whether a chat has a value for the field."""
    return chat.get(name) not in (None, "")


def check_periods(by: Sequence[str], time: str) -> None:
    """Refuse periods without the field that they are of.

    Raises:
        UsageProblem: there is none.
    """
    if (periods := [name for name in by if name in PERIODS]) and not time:
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
