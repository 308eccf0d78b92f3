"""Codes the sentences of a message one by one (`--unit sentence`)."""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from mi_coder.conversation import ALONE, Coding, SentenceCoding
from mi_coder.errors import need

Span = tuple[int, int]
Splitter = Callable[[str], list[Span]]


def spacy_splitter() -> Splitter:
    """A splitter into character spans by spaCy's rule-based sentencizer (no trained model).

    Raises:
        MissingExtra: spaCy is not installed.
    """
    pipeline = _sentencizer()

    def split(text: str) -> list[Span]:
        return [(sent.start_char, sent.end_char) for sent in pipeline(text).sents if sent.text.strip()]

    return split


@cache
def _sentencizer() -> Any:
    pipeline = need("spacy", "nlp").blank("en")
    pipeline.add_pipe("sentencizer")
    # The limit of spaCy is there for parsers, which need far more memory.
    pipeline.max_length = sys.maxsize
    return pipeline


def merge(sentences: Sequence[SentenceCoding]) -> Coding:
    """The coding of a message from those of its sentences: the union of codes, the highest score of each code.

    Depth is complex where one sentence is; permission is with where one sentence has it (MITI 4.2.1: the stronger act
    counts once).
    """
    codings = [sentence.coding for sentence in sentences]
    scores: dict[str, float] = {}
    for coding in codings:
        for code, score in coding.scores.items():
            scores[code] = max(score, scores.get(code, 0.0))
    codes = {code for coding in codings for code in coding.codes}
    if len(codes) > 1:
        codes.discard(ALONE)
    return Coding(
        codes=tuple(sorted(codes, key=lambda code: (-scores[code], code))),
        scores=scores,
        depth=_strongest(codings, "depth", "complex", "simple"),
        permission=_strongest(codings, "permission", "with", "without"),
        review=any(coding.review for coding in codings),
        sentences=tuple(sentences),
    )


def _strongest(codings: Sequence[Coding], name: str, strong: str, weak: str) -> str | None:
    values = {getattr(coding, name) for coding in codings}
    return strong if strong in values else weak if weak in values else None
