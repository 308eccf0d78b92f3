"""Generalized estimating equations on AnnoMI and FailedESConv, against geepack and clustered least squares.

Cases A3 and F3 of values.R; statsmodels 0.15.0.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.gee import fit_gee
from mi_coder.outcomes.guards import TooFewClusters
from tests.reference.tables import Table, r_values, read_table

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

FEEDBACK = ["pQ", "pS", "pA", "pR", "pD", "pP", "pI", "nprev"]


@pytest.fixture(scope="module")
def reflections(shared: Path) -> Table:
    return read_table(shared / "reference" / "annomi_reflection_design.csv")


def test_reflections_in_annomi_exchangeable(reflections: Table) -> None:
    geeglm = r_values("A3", "gee_exchangeable")
    fit = fit_gee("logit", reflections["refl"], ["high"], reflections.matrix(["high"]), reflections["session"])
    assert fit.coefficients == pytest.approx(geeglm.of("estimate", ["constant", "high"]), abs=6e-5)
    assert fit.se == pytest.approx(geeglm.of("se", ["constant", "high"]), abs=5e-6)
    # geepack divides by other degrees of freedom.
    assert fit.correlation == pytest.approx(geeglm.one("correlation"), abs=2e-5)
    # statsmodels
    assert fit.coefficients == pytest.approx([-2.7984419, 1.8958904], abs=1e-6)
    assert fit.se == pytest.approx([0.3363395, 0.3446654], abs=1e-6)
    assert fit.correlation == pytest.approx(0.0437206, abs=1e-6)
    assert (fit.rows, fit.clusters, fit.df, fit.covariance_kind) == (4882, 133, 132, "robust")


def test_reflections_in_annomi_independent(reflections: Table) -> None:
    geeglm = r_values("A3", "gee_independence")
    names = ["high"]
    fit = fit_gee(
        "logit", reflections["refl"], names, reflections.matrix(names), reflections["session"], "independence"
    )
    assert fit.coefficients == pytest.approx(geeglm.of("estimate", ["constant", "high"]), abs=1e-6)
    assert fit.se == pytest.approx(geeglm.of("se", ["constant", "high"]), abs=1e-6)
    assert fit.correlation == 0


def test_feedback_is_that_of_clustered_least_squares(shared: Path) -> None:
    ols = r_values("F3", "ols")
    table = read_table(shared / "reference" / "failed_esconv_feedback_design.csv")
    fit = fit_gee("linear", table["fb"], FEEDBACK, table.matrix(FEEDBACK), table["conv"], "independence")
    factor = 193 / 192 * 986 / (987 - 9)
    terms = ["constant", *FEEDBACK]
    assert fit.coefficients == pytest.approx(ols.of("estimate", terms), abs=1e-7)
    assert factor**0.5 * fit.se == pytest.approx(ols.of("se_clustered", terms), abs=1e-7)


def test_feedback_exchangeable_is_near_the_random_intercept(shared: Path) -> None:
    # With a linear model both have the same population average.
    lmer = r_values("F3", "lmer")
    table = read_table(shared / "reference" / "failed_esconv_feedback_design.csv")
    fit = fit_gee("linear", table["fb"], FEEDBACK, table.matrix(FEEDBACK), table["conv"])
    assert fit.coefficients[1:] == pytest.approx(lmer.of("estimate", FEEDBACK), abs=2e-3)
    between, within = lmer.of("variance", ["conv", "residual"])
    assert fit.correlation == pytest.approx(between / (between + within), abs=0.03)


def test_five_kinds_of_problem_are_too_few_clusters(shared: Path) -> None:
    # Where others give errors clustered by problem_type: nine columns on five clusters.
    table = read_table(shared / "reference" / "failed_esconv_design.csv")
    complete = np.isfinite(table["final"])
    names = ["init", "sQ", "sS", "sA", "sR", "sD", "sP", "sI", "logn"]
    problem = np.array(table.columns["problem"])[complete]
    with pytest.raises(TooFewClusters, match="clusters are too few for clustered standard errors of 10 coefficients"):
        fit_gee("linear", table["final"][complete], names, table.matrix(names)[complete], problem)
