"""The stored values of R are whole, and hold nothing but names and numbers."""

import csv
import math
import re

import pytest

from tests.reference.tables import VALUES, r_values

MODELS = [
    *(("M1", "ols"), ("M1b", "ols"), ("single_codes", "ols"), ("M2", "lmer"), ("M2b", "lmer"), ("M3", "clm")),
    *(("M3", "nominal_test"), ("M4", "clmm"), ("M5", "logit"), ("M5p", "poisson")),
    *(("matching", model) for model in ("propensity", "greedy_logit", "greedy_probability", "matched", "balance")),
    *(("matching", model) for model in ("matched_adjusted", "regression", "rosenbaum")),
    *(("F1", "clm"), ("F2", "clm"), ("F1-ols", "ols")),
    *(("F3", model) for model in ("clm", "polr", "clmm", "clmm_laplace", "lmer", "lmer_mundlak", "ols", "ols_cr2")),
    *(("A1", model) for model in ("logit", "logit_other")),
    *(("A3", model) for model in ("gee_exchangeable", "gee_independence", "glmer")),
    *(("known_truth", model) for model in ("data", "lmer", "lmer_crossed", "clmm", "clm", "polr", "marginal_refl_w")),
]


def test_every_model_is_there_and_nothing_else() -> None:
    with VALUES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["case", "model", "term", "quantity", "value"]
    assert {(row["case"], row["model"]) for row in rows} == set(MODELS)
    for row in rows:
        assert all(re.fullmatch(r"[\w.|:-]*", row[name]) for name in ("case", "model", "term", "quantity")), row
        assert math.isfinite(float(row["value"])), row


def test_a_value_that_is_not_there_is_no_value() -> None:
    with pytest.raises(KeyError):
        r_values("M1", "lmer")
    with pytest.raises(KeyError):
        r_values("M1", "ols").of("estimate", ["sR", "sX"])
