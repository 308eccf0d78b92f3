"""The 21 codes, their groups and attributes, and what the labels of other schemes mean in them."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from mi_coder.crosswalk import Scheme, Translation, translate
from mi_coder.errors import UnknownName, did_you_mean

Standing = Literal["adherent", "non-adherent", "neutral", "not-coded"]
STANDINGS: tuple[Standing, ...] = ("adherent", "neutral", "non-adherent", "not-coded")
SUBSETS = ("all", "MI", "platform", "shah17")
_LIKE_A_CODE = re.compile("[A-Za-z_-]{1,16}")


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An invented message that carries the code, and any further codes and attributes that it carries."""

    text: str
    also: tuple[str, ...] = ()
    depth: str | None = None
    permission: str | None = None
    reason: str | None = None


class NearMiss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invented message that looks like the code but is really `code`, and why."""

    text: str
    code: str
    why: str


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value of an attribute."""

    name: str
    definition: str
    hotkey: str


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A detail that some codes carry: depth, permission or reason."""

    name: str
    definition: str
    values: tuple[Value, ...]


class BySplit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The standing of a code that changes sides with permission."""

    with_permission: Standing = msgspec.field(name="with")
    without_permission: Standing = msgspec.field(name="without")


class Groups(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a code stands in Shah et al. 2022, MISC 2.5 and MITI 4.2.1."""

    shah: Standing | BySplit
    misc: Standing | BySplit
    miti: Standing | BySplit


GROUPINGS = Groups.__struct_fields__


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One code of the book.

    Attributes:
        set: MI (from the MISC and MITI manuals) or platform (made for chat).
        shah17: True for the 17 codes that Shah et al. 2022 modeled.
        include: what counts.
        exclude: what does not, with the code it is instead after an arrow.
        ties: which code wins when a coder is unsure.
        attributes: names of the details that the code carries.
        confidence: S where the paper states name and sense, M where the sense comes from the manuals only.
    """

    id: str
    name: str
    set: Literal["MI", "platform"]
    shah17: bool
    definition: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    ties: tuple[str, ...]
    examples: tuple[Example, ...]
    near_misses: tuple[NearMiss, ...]
    groups: Groups
    hotkey: str
    color: str
    confidence: Literal["S", "M"]
    attributes: tuple[str, ...] = ()
    note: str = ""

    def standing(self, grouping: str, permission: str | None = None) -> Standing | None:
        """Where the code stands in `grouping` (shah, misc or miti).

        Returns None for PR and RC where the side depends on permission and `permission` is None.
        """
        standing = getattr(self.groups, _known(grouping, GROUPINGS, "grouping"))
        if not isinstance(standing, BySplit):
            return standing
        if permission is None:
            return None
        known = _known(permission, ("with", "without"), "permission")
        return standing.with_permission if known == "with" else standing.without_permission


class Codebook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The codes in their fixed order, with everything that coders and programs need to know about them."""

    version: str
    title: str
    unit: str
    origin: str
    attribute_details: tuple[Attribute, ...] = msgspec.field(name="attributes")
    single_label_order: tuple[str, ...]
    codes: tuple[Code, ...]
    crosswalks: tuple[Scheme, ...]

    @staticmethod
    @cache
    def load() -> "Codebook":
        """The codebook that comes with the package, read once."""
        return msgspec.json.decode(Path(__file__).with_name("codebook.json").read_bytes(), type=Codebook)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The code ids in the order of the model's outputs."""
        return tuple(code.id for code in self.codes)

    def in_order(self, codes: Iterable[str]) -> list[str]:
        """Code ids as they follow one another in the book.

        Raises:
            UnknownName: the book has no such code.
        """
        codes = list(codes)
        for code in codes:
            if code not in self._by_id:
                raise self._no_such(code)
        return sorted(codes, key=self.ids.index)

    @cached_property
    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """The allowed values of each attribute."""
        return MappingProxyType(
            {attribute.name: tuple(value.name for value in attribute.values) for attribute in self.attribute_details}
        )

    @cached_property
    def hash(self) -> str:
        """Fingerprint of what a machine depends on: ids in order, sets, attributes with their values, and groups.

        Wording, hotkeys, colors and crosswalks do not count, so that editing them does not orphan a model.
        """
        codes = [(code.id, code.set, code.shah17, code.attributes, code.groups) for code in self.codes]
        digest = hashlib.sha256(msgspec.json.encode([codes, dict(self.attributes)])).hexdigest()
        return f"sha256:{digest[:16]}"

    @cached_property
    def _by_id(self) -> Mapping[str, Code]:
        return {code.id: code for code in self.codes}

    @cached_property
    def _by_name(self) -> Mapping[str, Code]:
        return {name.casefold(): code for code in self.codes for name in (code.name, code.id)}

    def __getitem__(self, name: str) -> Code:
        """The code with this id or name. Case and outer spaces do not count.

        Raises:
            UnknownName: the book has no such code.
        """
        try:
            return self._by_name[name.strip().casefold()]
        except KeyError:
            raise self._no_such(name) from None

    def __contains__(self, name: object) -> bool:
        """Whether the book has a code with this id or name. Case and outer spaces do not count."""
        return isinstance(name, str) and self.get(name) is not None

    def get(self, name: str) -> Code | None:
        """The code with this id or name, or None."""
        return self._by_name.get(name.strip().casefold())

    def _no_such(self, name: str) -> UnknownName:
        hint = did_you_mean(name, [spelling for code in self.codes for spelling in (code.id, code.name)])
        # A cell may hold the text of a message in the place of a code.
        said = f"code {name!r}" if _LIKE_A_CODE.fullmatch(name.strip()) else "such code"
        return UnknownName(f"There is no {said}.{hint} The codes are: {', '.join(self.ids)}.")

    def name_of(self, identity: str) -> str:
        """The name of the code with exactly this id; another name, such as that of merged codes, as it is."""
        code = self._by_id.get(identity)
        return code.name if code else identity

    def label_of(self, identity: str) -> str:
        """As "Affirm (AF)" for the code with exactly this id; another name as it is."""
        return f"{self.name_of(identity)} ({identity})" if identity in self._by_id else identity

    def subset(self, name: str) -> tuple[str, ...]:
        """The ids in `all`, `MI` (17 from the manuals), `platform` (4 made for chat) or `shah17` (the paper's list)."""
        known = _known(name, SUBSETS, "subset")
        return tuple(
            code.id for code in self.codes if known in ("all", code.set) or (known == "shah17" and code.shah17)
        )

    def group(self, grouping: str, standing: str, permission: str | None = None) -> tuple[str, ...]:
        """The ids with this standing in `grouping` (shah, misc or miti).

        PR and RC change sides with permission in misc and miti. They are listed there only when `permission` is given:
        `group("misc", "adherent")` lacks them, `group("misc", "adherent", "with")` has both.
        """
        wanted = _known(standing, STANDINGS, "standing")
        return tuple(code.id for code in self.codes if code.standing(grouping, permission) == wanted)

    @property
    def schemes(self) -> tuple[str, ...]:
        """The names of the crosswalks."""
        return tuple(scheme.name for scheme in self.crosswalks)

    def scheme(self, name: str) -> Scheme:
        """The crosswalk with this name."""
        return self.crosswalks[self.schemes.index(_known(name, self.schemes, "scheme"))]

    def translate(self, scheme: str, label: str) -> Translation:
        """What one label of a scheme says. Other labels count as absent only where a unit carries exactly one."""
        found = self.scheme(scheme)
        return translate(found, [label], self.ids, complete=found.exclusive)

    def translate_labels(self, scheme: str, labels: Iterable[str]) -> Translation:
        """What all labels of one unit say together. Every label that is not among them counts as absent.

        An empty set says nothing where each unit must carry a label.
        """
        return translate(self.scheme(scheme), labels, self.ids, complete=True)


def _known(name: str, allowed: Iterable[str], what: str) -> str:
    """`name` as it is spelled in `allowed`, or UnknownName. Case does not count."""
    spellings = {spelling.casefold(): spelling for spelling in allowed}
    try:
        return spellings[name.strip().casefold()]
    except KeyError:
        choices = ", ".join(spellings.values())
        hint = did_you_mean(name, spellings.values())
        raise UnknownName(f"There is no {what} {name!r}.{hint} Choose from: {choices}.") from None
