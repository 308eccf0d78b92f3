"""The only data model: messages in conversations, with the roles of their writers and the codes they carry."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mi_coder.errors import UnknownName, did_you_mean

Role = Literal["counselor", "client", "other"]
COUNSELOR: Role = "counselor"
CLIENT: Role = "client"
OTHER: Role = "other"
ROLES: tuple[Role, ...] = (COUNSELOR, CLIENT, OTHER)
_ROLES = frozenset(ROLES)
_LONGEST_ROLE = 16
"""What is longer, or is several words, may be the text of a message and is not shown."""

MOST_CODES = 3
"""How many codes one message carries at most."""

ALONE = "OT"
"""The code that never stands with another."""

_COUNSELOR_NAMES = "counselor counsellor listener helper therapist supporter provider volunteer coach sys assistant"
_CLIENT_NAMES = "client member seeker help-seeker patient caller user usr texter visitor"

ROLE_ALIASES: Mapping[str, Role] = {
    **{name: COUNSELOR for name in _COUNSELOR_NAMES.split()},
    **{name: CLIENT for name in _CLIENT_NAMES.split()},
    OTHER: OTHER,
}


@dataclass(frozen=True)
class RoleTable:
    """Maps the role names of a platform to counselor, client or other. Case and outer spaces do not count."""

    names: Mapping[str, Role] = field(default_factory=lambda: ROLE_ALIASES)

    def extended(self, names: Mapping[str, Role]) -> "RoleTable":
        """A table with further names, which win over the built-in ones."""
        return RoleTable({**self.names, **{name.strip().casefold(): role for name, role in names.items()}})

    def role(self, name: str) -> Role | None:
        """The role that `name` stands for, or None where the table does not know it."""
        return self.names.get(name.strip().casefold())


@dataclass(frozen=True, slots=True)
class Gold:
    """Codes that people (or a corpus through its crosswalk) gave a message.

    Codes in none of the three sets are unknown: missing, not negative.

    Attributes:
        positive: codes known to apply.
        negative: codes known not to apply.
        any_of: sets of codes of which at least one applies.
    """

    positive: frozenset[str] = frozenset()
    negative: frozenset[str] = frozenset()
    any_of: tuple[frozenset[str], ...] = ()
    depth: str | None = None
    permission: str | None = None
    reason: str | None = None

    def resolved(self) -> "Gold":
        """What follows: a group of which all but one code do not apply says that this one does.

        Groups that hold a code known to apply say nothing more and are left out; the others keep the codes that may
        apply, none where they contradict `negative`.
        """
        groups = [group - self.negative for group in self.any_of]
        positive = self.positive.union(*(group for group in groups if len(group) == 1))
        return replace(self, positive=positive, any_of=tuple(group for group in groups if not group & positive))


@dataclass(frozen=True, slots=True)
class Coding:
    """What the tagger says of one counselor message.

    Attributes:
        codes: at most `MOST_CODES` ids, most likely first; the union over sentences where it was coded by sentence.
        scores: calibrated probability by code id, between 0 and 1.
        possible: the codes of the prediction set, most likely first, where one was asked for; it holds `codes`.
        depth: simple or complex, only beside REF.
        permission: with or without, only beside PR or RC.
        review: True where the tagger is too unsure and a person should look.
        uncoded: why there are no codes ("empty"), or None.
    """

    codes: tuple[str, ...]
    scores: Mapping[str, float]
    depth: str | None = None
    permission: str | None = None
    review: bool = False
    uncoded: str | None = None
    sentences: tuple["SentenceCoding", ...] = ()
    possible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SentenceCoding:
    """The coding of the characters `start` to `end` of a message."""

    start: int
    end: int
    coding: Coding


@dataclass(slots=True)
class Message:
    """One chat message. `text` is as it was written; `extra` holds every further field of its record.

    Attributes:
        role: counselor, client or other; `RoleTable().role(name)` gives that of a platform's own name.

    Raises:
        UnknownName: another role.
    """

    role: Role
    text: str
    id: str | None = None
    gold: Gold | None = None
    coding: Coding | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.role, str) or self.role not in _ROLES:
            raise _unknown_role(self.role)

    @property
    def is_counselor(self) -> bool:
        return self.role == COUNSELOR


@dataclass(slots=True)
class Conversation:
    """Messages in the order in which they were sent. `extra` holds ratings, counselor ids and the like."""

    id: str
    messages: list[Message]
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def counselor_messages(self) -> list[Message]:
        return [message for message in self.messages if message.is_counselor]

    def without_gold(self) -> "Conversation":
        return replace(self, messages=[replace(message, gold=None) for message in self.messages])


def _unknown_role(name: object) -> UnknownName:
    roles = ", ".join(ROLES)
    if not isinstance(name, str):
        return UnknownName(f"The role of a message is one of {roles}; here it is of the type {type(name).__name__}.")
    if known := RoleTable().role(name):
        return UnknownName(
            f"There is no role {name!r}; a message has one of {roles}. RoleTable().role({name!r}) gives {known!r}."
        )
    said = f"role {name!r}" if len(name) <= _LONGEST_ROLE and len(name.split()) == 1 else "such role"
    return UnknownName(
        f"There is no {said}; a message has one of {roles}.{did_you_mean(name, ROLE_ALIASES)} RoleTable().role(name) "
        "gives the role of a platform's own name, and RoleTable.extended adds names."
    )


# Zero-width and bidirectional controls carry no meaning for the model but split words for its tokenizer. A set, since a
# regular expression of these ranges would take longer to compile than the whole module to import.
_INVISIBLE = frozenset(
    "\0\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)


def model_text(text: str) -> str:
    """The copy of a text that the model reads: NFC, without invisible controls, outer space stripped."""
    if not _INVISIBLE.isdisjoint(text):
        text = "".join(character for character in text if character not in _INVISIBLE)
    return unicodedata.normalize("NFC", text).strip()
