"""The codebook as JSON, CSV and Markdown."""

import csv
import io
from collections.abc import Iterable

import msgspec

from mi_coder.codebook import GROUPINGS, BySplit, Code, Codebook, Example
from mi_coder.crosswalk import Link, Scheme

_SIGNS = {"adherent": "+", "non-adherent": "-", "neutral": "0", "not-coded": "n/c"}


def to_json(book: Codebook) -> str:
    """All of the codebook, as the package carries it."""
    return msgspec.json.format(msgspec.json.encode(book), indent=2).decode() + "\n"


def to_csv(book: Codebook) -> str:
    """One row per code, a column per group and crosswalk. Several entries in a cell stand on lines of their own."""
    out = io.StringIO()
    plain = ("id", "name", "set", "shah17", "definition", "hotkey", "color", "confidence", "note")
    lists = ("include", "exclude", "ties", "attributes")
    texts = ("examples", "near_misses")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*plain, *GROUPINGS, *lists, *texts, *book.schemes])
    for code in book.codes:
        writer.writerow(
            [
                *(str(getattr(code, name)) for name in plain),
                *(standing_text(code, grouping) for grouping in GROUPINGS),
                *("\n".join(getattr(code, name)) for name in lists),
                "\n".join(example.text for example in code.examples),
                "\n".join(f"{miss.text} [{miss.code}] {miss.why}" for miss in code.near_misses),
                *("\n".join(labels_of(scheme, code.id)) for scheme in book.crosswalks),
            ]
        )
    return out.getvalue()


def standing_text(code: Code, grouping: str) -> str:
    """Where the code stands, in words: `adherent`, or `with adherent, without non-adherent`."""
    standing = getattr(code.groups, grouping)
    if isinstance(standing, BySplit):
        return f"with {standing.with_permission}, without {standing.without_permission}"
    return str(standing)


def labels_of(scheme: Scheme, code: str) -> list[str]:
    """The labels of a scheme that may mean a code, such as `SR (exact, simple)`."""
    return [
        f"{label.label} ({_link_text(link)})" for label in scheme.labels for link in label.links if link.code == code
    ]


def explain(book: Codebook, code: Code) -> str:
    """Everything about one code, as a Markdown section."""
    where = "; ".join(f"{grouping}: {standing_text(code, grouping)}" for grouping in GROUPINGS)
    parts = [
        f"### {code.id}: {code.name}",
        *_rules(book, code),
        f"Set: {code.set}{', shah17' if code.shah17 else ''}. Groups: {where}. Hotkey: `{code.hotkey}`.",
        _bullets("Labels of other schemes", _crosswalk(book, code)),
    ]
    return "\n\n".join(parts) + "\n"


def to_markdown(book: Codebook) -> str:
    """The whole codebook as a Markdown page: overview, every code, groups and crosswalks."""
    parts = [
        f"# {book.title}",
        f"Version {book.version}, fingerprint `{book.hash}`. Generated from `schemas/codebook.yaml`; edit that file.",
        book.origin,
        book.unit,
        "## Overview",
        "Groups: + adherent, - non-adherent, 0 neutral, n/c not coded. `shah` follows Shah et al. 2022, `misc` MISC "
        "2.5 and `miti` MITI 4.2.1. Where a code changes sides, the first sign is with permission, the second without. "
        "Confidence S: the paper states name and sense; M: it states the name, and the sense comes from the manuals.",
        _overview(book),
        "For tools that hold only one label per message, the first of these wins: "
        + " > ".join(book.single_label_order)
        + ".",
        "## The codes",
        *(explain(book, code).rstrip() for code in book.codes),
        "## Details of codes",
        *_attribute_section(book),
        "## Crosswalks",
        "Links are exact (same sense), broad (wider or narrower, good enough to train on) or weak (nothing is known). "
        "A label with several exact or broad links says that at least one of these codes applies. Codes that a scheme "
        "cannot see are unknown, never negative.",
        *(part for scheme in book.crosswalks for part in _scheme_section(scheme)),
    ]
    return "\n\n".join(parts) + "\n"


def to_manual(book: Codebook) -> str:
    """What a coder needs of each code while coding: no groups, no crosswalks. A part of annotations/guidelines.md."""
    parts = (
        part for code in book.codes for part in (f"### {code.id}: {code.name} (`{code.hotkey}`)", *_rules(book, code))
    )
    return "\n\n".join(parts) + "\n"


def table(rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def _rules(book: Codebook, code: Code) -> list[str]:
    return [
        code.definition,
        *([code.note] if code.note else []),
        _bullets("Counts", code.include),
        _bullets("Does not count", code.exclude),
        _bullets("When unsure", code.ties),
        _bullets("Examples", (_example_text(example) for example in code.examples)),
        _bullets("Near misses", (f'"{miss.text}" is {miss.code}. {miss.why}' for miss in code.near_misses)),
        *([_bullets("Details to add", _attributes(book, code))] if code.attributes else []),
    ]


def _bullets(title: str, items: Iterable[str]) -> str:
    return "\n".join([f"**{title}**", "", *(f"- {item}" for item in items)])


def _example_text(example: Example) -> str:
    marks = [*(f"also {code}" for code in example.also), example.depth, example.reason]
    marks.append(f"{example.permission} permission" if example.permission else None)
    told = ", ".join(mark for mark in marks if mark)
    return f'"{example.text}"' + (f" ({told})" if told else "")


def _link_text(link: Link) -> str:
    permission = f"{link.permission} permission" if link.permission else None
    return ", ".join(mark for mark in (link.strength, link.depth, permission) if mark)


def _attributes(book: Codebook, code: Code) -> Iterable[str]:
    for name in code.attributes:
        yield f"`{name}`: {', '.join(book.attributes[name])}"


def _crosswalk(book: Codebook, code: Code) -> Iterable[str]:
    for scheme in book.crosswalks:
        yield f"{scheme.name}: {'; '.join(labels_of(scheme, code.id)) or 'none'}"


def _signs(code: Code, grouping: str) -> str:
    standing = getattr(code.groups, grouping)
    if isinstance(standing, BySplit):
        return f"{_SIGNS[standing.with_permission]} / {_SIGNS[standing.without_permission]}"
    return _SIGNS[standing]


def _overview(book: Codebook) -> str:
    head = ["id", "name", "definition", "set", *GROUPINGS, "hotkey", "confidence"]
    rows = (
        [
            code.id,
            code.name,
            code.definition,
            f"{code.set}{', shah17' if code.shah17 else ''}",
            *(_signs(code, grouping) for grouping in GROUPINGS),
            f"`{code.hotkey}`",
            code.confidence,
        ]
        for code in book.codes
    )
    return table([head, *rows])


def _attribute_section(book: Codebook) -> Iterable[str]:
    for attribute in book.attribute_details:
        codes = ", ".join(code.id for code in book.codes if attribute.name in code.attributes)
        yield f"**{attribute.name}** (on {codes}). {attribute.definition}"
        yield table(
            [["value", "meaning", "hotkey"], *([v.name, v.definition, f"`{v.hotkey}`"] for v in attribute.values)]
        )


def _scheme_section(scheme: Scheme) -> Iterable[str]:
    kind = "one label per unit" if scheme.exclusive else "several labels per unit"
    yield f"### {scheme.name}: {scheme.title}"
    yield f"{scheme.source}. Unit: {scheme.unit}, {kind}. {scheme.note}"
    yield table(
        [
            ["label", "also written", "codes"],
            *(
                [
                    label.label,
                    ", ".join(label.aliases),
                    "; ".join(f"{link.code} ({_link_text(link)})" for link in label.links),
                ]
                for label in scheme.labels
            ),
        ]
    )
