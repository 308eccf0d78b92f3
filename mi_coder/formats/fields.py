"""The names under which a record may hold its text, role and ids, and the names that tagging writes."""

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

OUTPUT_FIELDS = ("codes", "scores", "depth", "permission", "review", "uncoded", "sentences")
"""What tagging adds to a message. A record that has one already is turned away unless it may be overwritten."""


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
