"""Fits the TF-IDF baseline on the rows that the model is trained on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import need
from mi_coder.evaluation.baseline import Baseline, character_grams, word_grams
from mi_coder.evaluation.metrics import Confusion, macro
from mi_coder.training.calibrate import best_threshold

REGULARIZATIONS = (1.0, 2.0, 4.0)
MAX_FEATURES = 30_000
MIN_MESSAGES = 2


@dataclass(frozen=True, slots=True)
class Labeled:
    """Texts, and their truth [messages, codes] with nan where unknown."""

    texts: Sequence[str]
    truth: Floats


def fit_baseline(codes: Sequence[str], train: Labeled, dev: Labeled, seed: int = 1) -> Baseline:
    """Fit one class-balanced logistic regression per code; choose regularization and thresholds on dev.

    A code learns only from the messages where it is known, so a message of which only a group is known teaches none of
    the group's codes.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    words, characters = (_vectorizer(grams, len(train.texts)) for grams in (word_grams, character_grams))
    hstack = need("scipy.sparse", extra="train").hstack
    features = hstack([words.fit_transform(train.texts), characters.fit_transform(train.texts)], format="csr")
    blank = Baseline(
        codes=tuple(codes),
        trained=_both_known(train.truth),
        thresholds=np.full(len(codes), 0.5),
        words=tuple(words.get_feature_names_out()),
        characters=tuple(characters.get_feature_names_out()),
        idf=np.concatenate([words.idf_, characters.idf_]).astype(np.float32),
        coefficients=np.zeros((len(codes), features.shape[1]), dtype=np.float16),
        intercepts=np.zeros(len(codes), dtype=np.float32),
    )
    candidates = [_tuned(_fitted(blank, features, train.truth, c, seed), dev) for c in REGULARIZATIONS]
    judged = blank.trained & _both_known(dev.truth)
    scores = [_macro_f1(candidate, dev, judged) for candidate in candidates]
    return candidates[int(np.argmax(np.nan_to_num(scores)))]


def _vectorizer(grams: Callable[[str], Iterator[str]], texts: int) -> Any:
    text = need("sklearn.feature_extraction.text", extra="train")
    return text.TfidfVectorizer(
        analyzer=grams, sublinear_tf=True, max_features=MAX_FEATURES, min_df=min(MIN_MESSAGES, texts)
    )


def _both_known(truth: Floats) -> Bools:
    return (truth == 1).any(axis=0) & (truth == 0).any(axis=0)


def _fitted(blank: Baseline, features: Any, truth: Floats, regularization: float, seed: int) -> Baseline:
    linear_model = need("sklearn.linear_model", extra="train")
    coefficients, intercepts = blank.coefficients.copy(), blank.intercepts.copy()
    for code in np.flatnonzero(blank.trained):
        known = ~np.isnan(truth[:, code])
        regression = linear_model.LogisticRegression(
            C=regularization, class_weight="balanced", solver="liblinear", random_state=seed
        )
        regression.fit(features[known], truth[known, code])
        coefficients[code], intercepts[code] = regression.coef_[0], regression.intercept_[0]
    return replace(blank, coefficients=coefficients, intercepts=intercepts)


def _tuned(baseline: Baseline, dev: Labeled) -> Baseline:
    probability = baseline.probabilities(dev.texts)
    thresholds = baseline.thresholds.copy()
    for code in np.flatnonzero(baseline.trained):
        known = ~np.isnan(dev.truth[:, code])
        thresholds[code] = best_threshold(probability[known, code], dev.truth[known, code])
    return replace(baseline, thresholds=thresholds)


def _macro_f1(baseline: Baseline, dev: Labeled, judged: Bools) -> float:
    counts = Confusion.of_messages(dev.truth, baseline.predict(dev.texts)).total()
    return float(macro(counts.f1, judged))
