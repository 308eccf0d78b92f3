"""What a label of another scheme says in terms of this codebook: codes known to apply, known not to, and unknown."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from mi_coder.errors import UnknownName, did_you_mean

Strength = Literal["exact", "broad", "weak"]


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One label may mean one code.

    Attributes:
        strength: exact (same sense), broad (wider or narrower, good enough to train on) or weak (nothing is known).
        depth: what the label says about a reflection, where it says so.
        permission: what the label says about advice or a concern, where it says so.
    """

    code: str
    strength: Strength
    depth: str | None = None
    permission: str | None = None


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A label of a scheme, its other spellings and the codes it may mean."""

    label: str
    links: tuple[Link, ...]
    aliases: tuple[str, ...] = ()

    @property
    def strong(self) -> tuple[Link, ...]:
        """The exact and broad links."""
        return tuple(link for link in self.links if link.strength != "weak")


class Scheme(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The labels of another manual or corpus.

    Attributes:
        unit: the stretch of talk that carries a label.
        exclusive: True where a unit carries exactly one label, False where labels are flags, each present or absent.
        note: what is lost on the way into this codebook.
    """

    name: str
    title: str
    source: str
    unit: str
    exclusive: bool
    note: str
    labels: tuple[Label, ...]

    def find(self, label: str) -> Label:
        """The label with this name or alias. Case and outer spaces do not count.

        Raises:
            UnknownName: the scheme has no such label.
        """
        spellings = [(name, entry) for entry in self.labels for name in (entry.label, *entry.aliases)]
        by_name = {name.casefold(): entry for name, entry in spellings}
        try:
            return by_name[label.strip().casefold()]
        except KeyError:
            hint = did_you_mean(label, (name for name, _ in spellings))
            names = ", ".join(entry.label for entry in self.labels)
            raise UnknownName(f"Scheme {self.name!r} has no label {label!r}.{hint} Its labels are: {names}.") from None


class Translation(msgspec.Struct, frozen=True):
    """What is known about a unit. `positive`, `negative` and `unknown` together hold each code of the book once.

    Attributes:
        any_of: sets of unknown codes of which at least one applies.
        depth: simple or complex, where the labels tell.
        permission: with or without, where the labels tell.
    """

    positive: frozenset[str] = frozenset()
    negative: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    any_of: tuple[frozenset[str], ...] = ()
    depth: str | None = None
    permission: str | None = None


def translate(scheme: Scheme, labels: Iterable[str], codes: Iterable[str], complete: bool) -> Translation:
    """Read the labels of one unit as codes.

    A label with one exact or broad link makes its code positive; one with several says that at least one of them
    applies. A code is negative where the absence of other labels speaks against it: some label of the scheme reaches it
    by an exact or broad link, and none of the given labels reaches it at all. A code that no label of the scheme
    reaches that way stays unknown.

    Args:
        codes: all code ids of the book.
        complete: True where `labels` is everything that the unit carries, so that absent labels count as evidence.

    Raises:
        UnknownName: the scheme has no such label.
    """
    given = [scheme.find(label) for label in labels]
    strong = [{link.code for link in label.strong} for label in given]
    positive = frozenset(code for reached in strong if len(reached) == 1 for code in reached)
    any_of = dict.fromkeys(frozenset(reached) for reached in strong if len(reached) > 1 and not reached & positive)
    touched = {link.code for label in given for link in label.links}
    seen = {link.code for label in scheme.labels for link in label.strong}
    evidence = complete and (given or not scheme.exclusive)
    negative = frozenset(seen - touched) if evidence else frozenset()
    return Translation(
        positive=positive,
        negative=negative,
        unknown=frozenset(codes) - positive - negative,
        any_of=tuple(any_of),
        depth=_depth(given),
        permission=_permission(given),
    )


def _depth(labels: Iterable[Label]) -> str | None:
    """The deepest reflection wins, as in MITI 4.2.1."""
    told = {link.depth for label in labels for link in label.strong if link.depth}
    return "complex" if "complex" in told else next(iter(told), None)


def _permission(labels: Iterable[Label]) -> str | None:
    """Permission wins within one code, as in MITI 4.2.1. Where two codes differ, nothing is known of the message."""
    told: dict[str, str] = {}
    for link in (link for label in labels for link in label.strong if link.permission):
        told[link.code] = "with" if "with" in (link.permission, told.get(link.code)) else "without"
    return next(iter(told.values())) if len(set(told.values())) == 1 else None
