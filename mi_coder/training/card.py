"""The model card of a model folder."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mi_coder.evaluation import render
from mi_coder.evaluation.report import EvaluationReport
from mi_coder.tagger.config import ModelConfig
from mi_coder.training.license import bullets, terms
from mi_coder.training.sources import Source
from mi_coder.training.targets import ATTRIBUTES

_SUMMARY = (
    "A model that gives Motivational Interviewing codes to counselor messages of peer-support chats: {given}, from one "
    "encoder pass over the message and up to {context} messages before it{asking}. Codebook {codebook}."
)
_USE = (
    "How to use it: `mi-code tag` (with `--model` and this folder, unless it is the bundled model). Read "
    "[its limits](#limits) before you do."
)
_ASKING = ", for permission also from the client's sentences in up to {}"
_ATTRIBUTES = {"depth": "the depth of reflections", "permission": "the permission of advice"}
_LABELS = (
    "Codes that a data set does not label are missing in training, not negative. Codes that come through a crosswalk "
    "are only as good as the match of the two schemes, and those that people chose for their own messages carry their "
    "habits."
)
_PARTS = "Conversations were put into parts by group (one worker, one video, one text), never by message:"
_FIGURES = (
    "The epoch, the calibration, the thresholds and the weight of the client's words were chosen on the dev part, so "
    "its figures are too good; none of them was chosen on the test part. Every code is judged on the messages where it "
    "is known. The baseline, TF-IDF with logistic regression, was trained on the same messages and gives codes by the "
    "same rule. The figure of a code with few positives is uncertain."
)
_NEW_ALONE = (
    "The baseline has not seen data that only the earlier model (from which training continued) was trained on."
)
_LIMITS = (
    "It reads words, not people: it estimates codes, and the codes of single messages are often wrong.",
    "Its probabilities and prediction sets apply to chats like those of the dev part; on another platform, check them "
    "with gold codes of your own.",
    "English only. Slang, irony and varieties of English that the training data lack are read less well.",
    "The messages marked for review are those it is least sure of; the others are not free of mistakes.",
)
_WEAK = 0.65
"""F1 under which a code of the test part is named among the limits: the least that the project wants of any code."""

_MISUSES = (
    "Anyone who would judge, reward or dismiss a counselor by it: it supports supervision and replaces none of it.",
    "Anyone in need of a clinical or a crisis tool: it finds neither risk nor need and says nothing of treatment.",
    "Anyone whose use the terms above forbid.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All that the card says.

    Attributes:
        sources: of the training part.
        went_on_from: the finished model from which training continued; empty where it started from an encoder.
        teachers: the models that it learned from.
        sizes: conversations and messages by part.
        settings: name and value of what decided the training.
    """

    config: ModelConfig
    sources: tuple[Source, ...]
    sizes: dict[str, tuple[int, int]]
    settings: dict[str, str]
    dev: EvaluationReport
    test: EvaluationReport
    went_on_from: str = ""
    teachers: tuple[str, ...] = ()


def render_card(card: Card) -> str:
    """The card as Markdown."""
    config = card.config
    trained_on = [(one.title, one.license, one.gold, one.conversations, one.messages) for one in card.sources]
    sections = [
        f"# {config.name} {config.version}",
        _summary(config),
        _USE,
        "## Terms",
        terms(card.sources, card.went_on_from, card.teachers),
        "## Trained on",
        _table(("data set", "license", "where its codes come from", "conversations", "messages"), trained_on),
        _LABELS,
        bullets(dict.fromkeys(one.citation for one in card.sources if one.citation)),
        _PARTS,
        _table(("part", "conversations", "messages"), [(part, *size) for part, size in card.sizes.items()]),
        "## Codes and attributes that this model does not give",
        _untrained(config),
        "## Figures",
        f"{_FIGURES} {_NEW_ALONE}" if card.went_on_from else _FIGURES,
        *(f"##{report.to_markdown().rstrip()}" for report in (card.test, card.dev)),
        "## Settings",
        bullets(f"{name}: {value}" for name, value in card.settings.items()),
        "## Limits",
        bullets((*_LIMITS, *_weaknesses(card.test))),
        "## Who should not use it",
        bullets(_MISUSES),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _summary(config: ModelConfig) -> str:
    window = config.window
    asking = _ASKING.format(window.asking) if window.asking else ""
    return _SUMMARY.format(given=_given(config), context=window.context, asking=asking, codebook=config.codebook)


def _given(config: ModelConfig) -> str:
    parts = [
        f"{len(config.trained)} codes",
        *(_ATTRIBUTES[name] for name in ATTRIBUTES if getattr(config, name).trained),
    ]
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _untrained(config: ModelConfig) -> str:
    attributes = [name for name in ATTRIBUTES if not getattr(config, name).trained]
    remarks = {
        "Codes of which the training data had no message with the code, or none without it: {}.": config.untrained,
        "Attributes that on the dev part were no more accurate than always giving their more frequent value: "
        "{}.": attributes,
    }
    gaps = " ".join(remark.format(", ".join(names)) for remark, names in remarks.items() if names)
    return gaps or f"None: it gives all {len(config.codes)} codes, {' and '.join(ATTRIBUTES)}."


def _weaknesses(test: EvaluationReport) -> Iterator[str]:
    """What the figures of the test part say against the codes, depth and permission; codes not given are left out."""
    trained = [row for row in test.rows if row.trained]
    weak = [row.score for row in trained if row.counted and not math.isnan(row.score.f1) and row.score.f1 < _WEAK]
    if weak:
        figures = ", ".join(
            f"{one.code} {render.number(one.f1)}{render.interval(one.f1_low, one.f1_high)}"
            for one in sorted(weak, key=lambda one: one.f1)
        )
        yield (
            f"Weak codes, with an F1 under {_WEAK} on the test part: {figures}. Have people check messages with these "
            "codes."
        )
    few = test.options.min_support
    if rare := [row.score.code for row in trained if row.score.positives < few]:
        yield (
            f"How well it gives {', '.join(rare)} is not known: the test part has each in fewer than {few} messages."
        )
    for one in test.attributes:
        if not one.low > one.majority:
            accuracy = f"{render.number(one.accuracy)}{render.interval(one.low, one.high)}"
            yield (
                f"{one.attribute.capitalize()} is not surely better than always giving the more frequent value: "
                f"accuracy {accuracy} on {one.messages} messages of the test part, against "
                f"{render.number(one.majority)}."
            )


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
