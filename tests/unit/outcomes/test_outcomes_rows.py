"""Rows meet by their place: columns and frames of pandas whose index has another order give what their arrays give."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.errors import UsageProblem  # noqa: E402
from mi_coder.outcomes.balance import balance  # noqa: E402
from mi_coder.outcomes.cr2 import fit_cr2  # noqa: E402
from mi_coder.outcomes.crossed import fit_crossed  # noqa: E402
from mi_coder.outcomes.experience import curves, fit_experience, tenure_table  # noqa: E402
from mi_coder.outcomes.experience_fixed import fit_fixed_effects  # noqa: E402
from mi_coder.outcomes.families import fit_family  # noqa: E402
from mi_coder.outcomes.gee import fit_gee  # noqa: E402
from mi_coder.outcomes.guards import BadShape  # noqa: E402
from mi_coder.outcomes.label_error import correct, error_by_outcome, fit_pieces  # noqa: E402
from mi_coder.outcomes.match_effect import (  # noqa: E402
    att_weights,
    matched_effect,
    regression_effect,
    weighted_effect,
)
from mi_coder.outcomes.matching import match_pairs  # noqa: E402
from mi_coder.outcomes.ordinal import fit_ordinal, predictors, row_scores  # noqa: E402
from mi_coder.outcomes.ordinal_effects import marginal_effect, predict  # noqa: E402
from mi_coder.outcomes.ordinal_random import fit_ordinal_random  # noqa: E402
from mi_coder.outcomes.penalized import fit_penalized, penalized_terms  # noqa: E402
from mi_coder.outcomes.propensity import area_under_curve, fit_propensity  # noqa: E402
from mi_coder.outcomes.proportional import check_proportional_odds  # noqa: E402
from mi_coder.outcomes.random_intercept import fit_random_intercept  # noqa: E402
from mi_coder.outcomes.response import compare_responders, fit_response, response_weights  # noqa: E402
from mi_coder.outcomes.rows import floats, truths  # noqa: E402
from mi_coder.outcomes.score_bootstrap import score_bootstrap  # noqa: E402
from mi_coder.outcomes.sensitivity import pair_differences, placebo_effect, rosenbaum_bounds  # noqa: E402
from mi_coder.outcomes.survivorship import who_stays  # noqa: E402
from mi_coder.outcomes.symptom_change import effect_sizes  # noqa: E402
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap  # noqa: E402

ROWS, NAMES = 400, ["affirm", "advise"]
GOLD = np.arange(0, ROWS, 2)


class Arrays:
    """A study as arrays."""

    def __init__(self) -> None:
        random = np.random.default_rng(4)
        self.people = random.integers(0, 40, ROWS)
        self.clients = random.integers(0, 90, ROWS)
        self.columns = random.normal(size=(ROWS, 2)) + 0.3 * random.normal(size=(40, 2))[self.people]
        latent = self.columns @ [0.6, -0.4] + random.normal(size=40)[self.people] + random.logistic(size=ROWS)
        self.value = latent + random.normal(size=90)[self.clients]
        self.rating = np.digitize(latent, [-1.5, 0.0, 1.5]) + 1.0
        self.tagged = self.columns + 0.4 * random.normal(size=(ROWS, 2))
        self.weights = random.uniform(0.5, 2, ROWS)
        self.messages = random.integers(10, 60, ROWS).astype(float)
        self.number = random.poisson(0.2 * self.messages * np.exp(0.2 * self.columns[:, 0])).astype(float)
        self.treated = self.columns[:, 0] + random.logistic(size=ROWS) > 0
        self.months = random.integers(0, 30, ROWS).astype(float)
        self.chances = np.clip(random.uniform(0.3, 0.9, ROWS), 0, 1)

    def rows(self, values: Any, rows: Any) -> Any:
        return values[rows]


class Frames(Arrays):
    """The same as columns and frames with an index that is not 0, 1, 2."""

    def __init__(self) -> None:
        plain = Arrays()
        index = np.random.default_rng(5).permutation(ROWS)
        for name, values in vars(plain).items():
            given = pd.DataFrame(values, index=index) if values.ndim == 2 else pd.Series(values, index=index)
            setattr(self, name, given.rename(columns={0: "a", 1: "b"}) if values.ndim == 2 else given)

    def rows(self, values: Any, rows: Any) -> Any:
        """With an index of its own, as after another sort."""
        return values.iloc[rows].set_axis(np.arange(len(rows))[::-1])


def _counts(of: Arrays) -> Any:
    return pd.DataFrame({"REF": np.asarray(of.number)})


def _corrected(of: Arrays) -> Any:
    gold, by_tagger, chances = (of.rows(each, GOLD) for each in (of.columns, of.tagged, of.chances))
    offset = np.log(of.messages)
    given = {"tagged_on_gold": by_tagger, "probabilities": chances, "offset": offset}
    return correct("poisson", of.number, NAMES, of.tagged, gold, GOLD, of.people, **given)


def _pairs(of: Arrays) -> Any:
    plain = Arrays()
    return match_pairs(fit_propensity(NAMES, plain.columns, plain.treated).logit, plain.treated, caliper=0.5)


def _score(of: Arrays) -> Any:
    return fit_propensity(NAMES, of.columns, of.treated)


def _ordinal(of: Arrays) -> Any:
    plain = Arrays()
    return fit_ordinal(plain.rating, NAMES, plain.columns)


def _slope(of: Arrays) -> Any:
    plain = Arrays()
    return fit_experience(_counts(plain), plain.messages, plain.months, plain.people).codes[0].slope("within")


def _times(of: Arrays) -> Any:
    return pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(31 * np.asarray(of.months), unit="D"))


CASES: Mapping[str, Callable[[Arrays], Any]] = {
    "area_under_curve": lambda of: area_under_curve(of.value, of.treated),
    "att_weights": lambda of: att_weights(_score(Arrays()), of.treated),
    "balance": lambda of: balance(NAMES, of.columns, of.treated, of.weights),
    "check_proportional_odds": lambda of: check_proportional_odds(of.rating, NAMES, of.columns, of.people),
    "compare_responders": lambda of: compare_responders(of.treated, NAMES, of.columns, of.weights),
    "correct": _corrected,
    "curves": lambda of: curves(of.number, of.messages, of.months, of.people, _slope(of)),
    "effect_sizes": lambda of: effect_sizes(of.value, of.rows(of.rating, np.arange(ROWS))),
    "error_by_outcome": lambda of: error_by_outcome(["OQ", "REF"], of.tagged, of.columns, of.rating, of.people),
    "fit_cr2": lambda of: fit_cr2(of.value, NAMES, of.columns, of.people),
    "fit_crossed": lambda of: fit_crossed(of.value, NAMES, of.columns, of.people, of.clients),
    "fit_experience": lambda of: fit_experience(_counts(of), of.messages, of.months, of.people),
    "fit_family": lambda of: fit_family("ordinal", of.rating, NAMES, of.columns, of.weights),
    "fit_family, offset": lambda of: fit_family("poisson", of.number, NAMES, of.columns, None, np.log(of.messages)),
    "fit_fixed_effects": lambda of: fit_fixed_effects(_counts(of), of.messages, of.months, of.people),
    "fit_gee": lambda of: fit_gee("logit", of.treated, NAMES, of.columns, of.people),
    "fit_ordinal": lambda of: fit_ordinal(of.rating, NAMES, of.columns, of.people, weights=of.weights),
    "fit_ordinal_random": lambda of: fit_ordinal_random(of.rating, NAMES, of.columns, of.people),
    "fit_penalized": lambda of: fit_penalized(of.rating, NAMES, of.columns),
    "fit_pieces": lambda of: fit_pieces(
        "linear", of.value, NAMES, of.tagged, of.rows(of.columns, GOLD), GOLD, of.people
    ),
    "fit_propensity": _score,
    "fit_random_intercept": lambda of: fit_random_intercept(of.value, NAMES, of.columns, of.people),
    "fit_response": lambda of: fit_response(of.treated, NAMES, of.columns, of.people),
    "marginal_effect": lambda of: marginal_effect(_ordinal(of), of.columns, "affirm"),
    "match_pairs": lambda of: match_pairs(of.value, of.treated, within=of.people),
    "matched_effect": lambda of: matched_effect(of.value, _pairs(of), NAMES, of.columns, of.people),
    "pair_differences": lambda of: pair_differences(of.value, _pairs(of)),
    "penalized_terms": lambda of: penalized_terms(of.rating, NAMES, of.columns, NAMES, of.people),
    "placebo_effect": lambda of: placebo_effect(of.value, of.treated, _pairs(of), NAMES, of.columns, of.people),
    "predict": lambda of: predict(_ordinal(of), of.columns),
    "predictors": lambda of: predictors(_ordinal(of), of.columns),
    "regression_effect": lambda of: regression_effect(of.value, of.treated, NAMES, of.columns, of.people),
    "response_weights": lambda of: response_weights(fit_response(of.treated, NAMES, of.columns), of.treated),
    "rosenbaum_bounds": lambda of: rosenbaum_bounds(of.value),
    "row_scores": lambda of: row_scores(_ordinal(of), of.rating, of.columns),
    "score_bootstrap": lambda of: score_bootstrap("poisson", of.number, NAMES, of.columns, of.people, "affirm", 99),
    "tenure_table": lambda of: tenure_table(_counts(of), of.messages, of.months, of.people),
    "weighted_effect": lambda of: weighted_effect(of.value, of.treated, _score(Arrays()), NAMES, of.columns, of.people),
    "who_stays": lambda of: who_stays(_counts(of), of.messages, of.people, _times(of)),
    "wild_bootstrap": lambda of: wild_bootstrap(of.value, NAMES, of.columns, of.people, "affirm", draws=99),
}


def _plain(found: Any) -> Any:
    """A result as nested lists."""
    if is_dataclass(found):
        return {each.name: _plain(getattr(found, each.name)) for each in fields(found)}
    if isinstance(found, pd.DataFrame):
        return _plain(found.to_dict("list"))
    if isinstance(found, Mapping):
        return {name: _plain(value) for name, value in found.items()}
    if isinstance(found, (tuple, list, np.ndarray)):
        return [_plain(each) for each in found]
    return found


@pytest.mark.parametrize("name", CASES)
def test_an_index_moves_no_row(name: str) -> None:
    expected, found = (_plain(CASES[name](of)) for of in (Arrays(), Frames()))
    np.testing.assert_equal(found, expected)


def test_lists_are_arrays_too() -> None:
    of = Arrays()
    plain, listed = (_plain(fit_family("linear", *given)) for given in (
        (of.value, NAMES, of.columns, of.weights),
        (of.value.tolist(), NAMES, of.columns.tolist(), of.weights.tolist()),
    ))  # fmt: skip
    np.testing.assert_equal(listed, plain)


@pytest.mark.parametrize(
    "given",
    [
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3], index=[7, 0, 1]),
        pd.Series([1, None, 3], dtype=object),
        [1, None, 3],
        np.ma.masked_array([1, 999, 3], mask=[False, True, False]),
    ],
)
def test_a_missing_number_is_not_a_number(given: Any) -> None:
    np.testing.assert_equal(floats(given, "outcome"), np.array([1, np.nan, 3]))


@pytest.mark.parametrize("given", [["low", "high"], pd.Series(["low", "high"]), [[1], [2, 3]], [1, 10**400]])
def test_what_is_no_number_is_refused(given: Any) -> None:
    told = "outcome must be numbers, one or more for each row, with nan where one is missing, but has other values."
    with pytest.raises(UsageProblem, match=f"^{told}$"):
        floats(given, "outcome")


@pytest.mark.parametrize("given", [[1, 0], [1.0, np.nan], pd.Series([True, None], dtype="boolean"), ["yes", "no"]])
def test_what_is_no_truth_value_is_refused(given: Any) -> None:
    told = "treated must be true or false in every row. Where it is 1 or 0, give treated == 1."
    with pytest.raises(BadShape, match=f"^{told}$"):
        truths(given, "treated")


def test_an_array_is_not_copied() -> None:
    values, treated = np.arange(3.0), np.array([True, False])
    assert floats(values, "outcome") is values and truths(treated, "treated") is treated
