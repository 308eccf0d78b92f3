"""Checks of schemas/codebook.yaml that its types cannot express. Each finding names the place and the mend."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from mi_coder.annotation.label_config import UNSURE_HOTKEY
from mi_coder.codebook import BySplit, Code, Codebook
from mi_coder.crosswalk import Scheme

# Label Studio's editor keeps `u` for itself, and combinations such as ctrl+a are longer than one character.
HOTKEYS = frozenset("abcdefghijklmnopqrstvwxyz123456789")
LEAST_EXAMPLES = 3


def findings(book: Codebook) -> list[str]:
    """Everything that is wrong with a codebook, or an empty list."""
    return [
        *_ids(book),
        *_hotkeys(book),
        *_colors(book),
        *_texts(book),
        *(found for code in book.codes for found in _code(book, code)),
        *(found for scheme in book.crosswalks for found in _scheme(book, scheme)),
    ]


def _repeated(items: Iterable[str]) -> list[str]:
    return [item for item, count in Counter(items).items() if count > 1]


def _ids(book: Codebook) -> Iterator[str]:
    for name in _repeated(name.casefold() for code in book.codes for name in (code.id, code.name)):
        yield f"codes: {name!r} names two codes"
    if sorted(book.single_label_order) != sorted(book.ids):
        yield "single_label_order: must hold every code id once"


def _hotkeys(book: Codebook) -> Iterator[str]:
    keys = [code.hotkey for code in book.codes]
    keys += [value.hotkey for attribute in book.attribute_details for value in attribute.values]
    for key in _repeated([*keys, UNSURE_HOTKEY]):
        yield f"hotkey {key!r}: used twice"
    for key in keys:
        if key not in HOTKEYS and key != UNSURE_HOTKEY:
            yield f"hotkey {key!r}: use one lower-case letter other than u, or a digit from 1 to 9"


def _colors(book: Codebook) -> Iterator[str]:
    for color in _repeated(code.color.upper() for code in book.codes):
        yield f"color {color}: used twice"
    for code in book.codes:
        if not re.fullmatch(r"#[0-9A-F]{6}", code.color):
            yield f"{code.id}.color: write {code.color!r} as # and six upper-case hex digits"


def _texts(book: Codebook) -> Iterator[str]:
    examples = [example.text for code in book.codes for example in code.examples]
    near_misses = [miss.text for code in book.codes for miss in code.near_misses]
    for text in _repeated(text.casefold() for text in (*examples, *near_misses)):
        yield f"example {text!r}: used twice"


def _code(book: Codebook, code: Code) -> Iterator[str]:
    for field in ("include", "exclude", "ties"):
        if not getattr(code, field):
            yield f"{code.id}.{field}: write at least one rule"
    for field in ("examples", "near_misses"):
        if len(getattr(code, field)) < LEAST_EXAMPLES:
            yield f"{code.id}.{field}: write at least {LEAST_EXAMPLES}"
    for grouping in ("shah", "misc", "miti"):
        if isinstance(getattr(code.groups, grouping), BySplit) and "permission" not in code.attributes:
            yield f"{code.id}.groups.{grouping}: only codes with the attribute permission can be split"
    for miss in code.near_misses:
        if miss.code not in book.ids or miss.code == code.id:
            yield f"{code.id}.near_misses: {miss.code!r} must be the id of another code"
    for target in (id for rule in (*code.exclude, *code.ties) for id in _targets(rule)):
        if target not in book.ids:
            yield f"{code.id}: a rule points to the unknown code {target!r}"
    yield from _example_attributes(book, code)


def _targets(rule: str) -> list[str]:
    return re.findall(r"\b[A-Z]{2,3}\b", rule.partition("→")[2])


def _example_attributes(book: Codebook, code: Code) -> Iterator[str]:
    for name in code.attributes:
        if name not in book.attributes:
            yield f"{code.id}.attributes: {name!r} is not defined under attributes"
            continue
        shown = {getattr(example, name) for example in code.examples}
        for value in book.attributes[name]:
            if value not in shown:
                yield f"{code.id}.examples: none shows {name} {value}"
    for example in code.examples:
        carried = {name for id in (code.id, *example.also) if (known := book.get(id)) for name in known.attributes}
        for name, values in book.attributes.items():
            value = getattr(example, name)
            if name in carried and value not in values:
                yield f"{code.id}.examples: {example.text!r} needs a {name}"
            if name not in carried and value is not None:
                yield f"{code.id}.examples: {example.text!r} cannot carry a {name}"
        for id in example.also:
            if id not in book.ids:
                yield f"{code.id}.examples: also names the unknown code {id!r}"


def _scheme(book: Codebook, scheme: Scheme) -> Iterator[str]:
    spellings = (name.casefold() for label in scheme.labels for name in (label.label, *label.aliases))
    for name in _repeated(spellings):
        yield f"{scheme.name}: {name!r} names two labels"
    for label in scheme.labels:
        for link in label.links:
            where = f"{scheme.name}.{label.label}"
            code = next((code for code in book.codes if code.id == link.code), None)
            if code is None:
                yield f"{where}: links to the unknown code {link.code!r}"
                continue
            for name in ("depth", "permission"):
                value = getattr(link, name)
                if value is not None and (name not in code.attributes or value not in book.attributes[name]):
                    yield f"{where}: {code.id} cannot carry {name} {value!r}"
