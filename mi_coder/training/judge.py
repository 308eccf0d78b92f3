"""Scores the exported model and the baseline on one part, as `mi-code evaluate` would."""

from collections.abc import Sequence

import numpy as np

from mi_coder.arrays import Bools
from mi_coder.conversation import Coding
from mi_coder.corpora.parts import Part
from mi_coder.evaluation.compare import Comparison
from mi_coder.evaluation.doubt import SETS
from mi_coder.evaluation.evaluate import evaluate
from mi_coder.evaluation.metrics import Confusion, macro
from mi_coder.evaluation.report import EvaluationReport, Options, Source
from mi_coder.tagger.config import MODEL_FILE, ModelConfig
from mi_coder.training.data import Example
from mi_coder.training.targets import Targets


def judge(
    part: Part,
    examples: Sequence[Example],
    truth: Targets,
    codings: Sequence[Coding],
    baseline: Bools,
    config: ModelConfig,
    gold_sha256: str,
) -> EvaluationReport:
    """The figures of one part.

    Args:
        codings: what the model says of `examples`.
        baseline: [messages, codes] codes that the baseline gives.
        gold_sha256: of all gold files.
    """
    source = Source(
        gold=f"the {part} part",
        gold_sha256=gold_sha256,
        coder=f"{config.name} {config.version}",
        coder_sha256=config.files[MODEL_FILE],
        codebook=config.codebook,
    )
    comparison = _compared(config.codes, examples, truth, codings)
    return evaluate(comparison, source, Options(), baseline, config.untrained, set_cut=config.set_cuts.get(SETS))


def macro_f1(codes: Sequence[str], truth: Targets, codings: Sequence[Coding]) -> float:
    """The macro-F1 that `judge` gives for `codes`, alone; nan where no code can be judged."""
    total = Confusion.of_messages(truth.known[:, : len(codes)], _given(codes, codings)).total()
    counted = (total.positives >= Options().min_support) & (total.negatives > 0)
    return float(macro(total.f1, counted))


def _compared(
    codes: Sequence[str], examples: Sequence[Example], truth: Targets, codings: Sequence[Coding]
) -> Comparison:
    identities = sorted({one.conversation for one in examples})
    number = {identity: index for index, identity in enumerate(identities)}
    return Comparison(
        codes=tuple(codes),
        conversation_ids=tuple(identities),
        conversation=np.array([number[one.conversation] for one in examples], dtype=np.intp),
        truth=truth.known[:, : len(codes)],
        predicted=_given(codes, codings),
        probability=np.array([[one.scores.get(code, np.nan) for code in codes] for one in codings]),
        gold=tuple(one.gold for one in examples),
        coding=tuple(codings),
        texts=tuple(one.text for one in examples),
    )


def _given(codes: Sequence[str], codings: Sequence[Coding]) -> Bools:
    """[messages, codes] which codes are given."""
    return np.array([[code in one.codes for code in codes] for one in codings])
