"""The names under which a record may hold its text, role and ids, and the names that tagging writes."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

FIELD_ALIASES = MappingProxyType(
    {
        "text": ("text", "content"),
        "role": ("role", "speaker", "author"),
        "conversation_id": ("conversation_id",),
        "nested_conversation_id": ("conversation_id", "id"),
        "id": ("id",),
        "messages": ("messages",),
    }
)
"""The first name that a record has wins. A `*_field` of ReadOptions replaces the names of its row."""

OUTPUT_FIELDS = ("codes", "scores", "possible", "depth", "permission", "review", "uncoded", "sentences")
"""What tagging adds to a message. A record that has one already is turned away unless it may be overwritten."""

CONVERSATION_FIELDS = frozenset(
    {
        "corpus",
        "source_group",
        "split",
        "official_split",
        "failed",
        "gold_from",
        "counselor_id",
        "client_id",
        "rating",
        "quality",
        "mi_quality",
        "topic",
    }
)
"""Further fields that always tell of the conversation, even where it has one message only."""


def names_of(field: str, chosen: str | None) -> tuple[str, ...]:
    """The names to look under for `field`, given the name that the user chose, if any."""
    return (chosen,) if chosen else FIELD_ALIASES[field]


def present_name(data: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of the names that `data` has."""
    for name in names:
        if name in data:
            return name
    return None


def first_of(data: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The value under the first of the names that `data` has, or None."""
    name = present_name(data, names)
    return None if name is None else data[name]


def column_of(header: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that goes by one of the names: the first exact match, else the only one but for case and space."""
    for name in names:
        if name in header:
            return name
    folded = {name.casefold() for name in names}
    alike = [column for column in header if column.strip().casefold() in folded]
    return alike[0] if len(alike) == 1 else None


def table_columns(names: Iterable[str]) -> tuple[str, ...]:
    """The columns of a table with these fields. Where one of the OUTPUT_FIELDS is there, all of them follow at the end.

    So the columns of a tagged table do not depend on which codes were given.
    """
    names = dict.fromkeys(names)
    further = tuple(name for name in names if name not in OUTPUT_FIELDS)
    return further if len(further) == len(names) else (*further, *OUTPUT_FIELDS)
