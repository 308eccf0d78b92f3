"""Generalized estimating equations on AnnoMI and FailedESConv, against geepack and clustered least squares.

R 4.2.2, geepack 1.3.9; statsmodels 0.15.0; `d` is the data named in each test.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.gee import fit_gee
from mi_coder.outcomes.guards import TooFewClusters
from tests.reference.tables import Table, read_table

pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

FEEDBACK = ["pQ", "pS", "pA", "pR", "pD", "pP", "pI", "nprev"]


@pytest.fixture(scope="module")
def reflections(shared: Path) -> Table:
    return read_table(shared / "reference" / "annomi_reflection_design.csv")


def test_reflections_in_annomi_exchangeable(reflections: Table) -> None:
    # geeglm(refl ~ high, id = session, d, family = binomial, corstr = "exchangeable")
    fit = fit_gee("logit", reflections["refl"], ["high"], reflections.matrix(["high"]), reflections["session"])
    assert fit.coefficients == pytest.approx([-2.798487, 1.895941], abs=6e-5)
    assert fit.se == pytest.approx([0.3363361, 0.3446624], abs=5e-6)
    # geepack divides by other degrees of freedom.
    assert fit.correlation == pytest.approx(0.04373822, abs=2e-5)
    # statsmodels
    assert fit.coefficients == pytest.approx([-2.7984419, 1.8958904], abs=1e-6)
    assert fit.se == pytest.approx([0.3363395, 0.3446654], abs=1e-6)
    assert fit.correlation == pytest.approx(0.0437206, abs=1e-6)
    assert (fit.rows, fit.clusters, fit.df, fit.covariance_kind) == (4882, 133, 132, "robust")


def test_reflections_in_annomi_independent(reflections: Table) -> None:
    # geeglm(refl ~ high, id = session, d, family = binomial, corstr = "independence")
    names = ["high"]
    fit = fit_gee(
        "logit", reflections["refl"], names, reflections.matrix(names), reflections["session"], "independence"
    )
    assert fit.coefficients == pytest.approx([-2.5821700, 1.6616195], abs=1e-6)
    assert fit.se == pytest.approx([0.3339394, 0.3418142], abs=1e-6)
    assert fit.correlation == 0


def test_feedback_is_that_of_clustered_least_squares(shared: Path) -> None:
    # OLS of fb on the columns with errors clustered by conversation (CR1), failed_esconv_feedback_design.csv
    table = read_table(shared / "reference" / "failed_esconv_feedback_design.csv")
    fit = fit_gee("linear", table["fb"], FEEDBACK, table.matrix(FEEDBACK), table["conv"], "independence")
    factor = 193 / 192 * 986 / (987 - 9)
    # pQ and pD, after the constant
    assert fit.coefficients[[1, 5]] == pytest.approx([0.0104649, -0.1483492], abs=1e-7)
    assert factor**0.5 * fit.se[[1, 5]] == pytest.approx([0.1227669, 0.1397052], abs=1e-7)


def test_feedback_exchangeable_is_near_the_random_intercept(shared: Path) -> None:
    # lmer(fb ~ ... + (1 | conv), d): with a linear model both have the same population average.
    table = read_table(shared / "reference" / "failed_esconv_feedback_design.csv")
    fit = fit_gee("linear", table["fb"], FEEDBACK, table.matrix(FEEDBACK), table["conv"])
    lmer = [0.0482386, -0.0826955, -0.0094173, 0.0405012, -0.1178246, 0.0052887, 0.0880463, 0.0884632]
    assert fit.coefficients[1:] == pytest.approx(lmer, abs=2e-3)
    assert fit.correlation == pytest.approx(0.9947203 / (0.9947203 + 0.7951963), abs=0.03)


def test_six_kinds_of_problem_are_too_few_clusters(shared: Path) -> None:
    # Where others give errors clustered by problem_type: nine columns on six clusters.
    table = read_table(shared / "reference" / "failed_esconv_design.csv")
    complete = np.isfinite(table["final"])
    names = ["init", "sQ", "sS", "sA", "sR", "sD", "sP", "sI", "logn"]
    problem = np.array(table.columns["problem"])[complete]
    with pytest.raises(TooFewClusters, match="clusters are too few for clustered errors of 10 coefficients"):
        fit_gee("linear", table["final"][complete], names, table.matrix(names)[complete], problem)
