"""Surveys after whole conversations of FailedESConv, and quality and reflections of AnnoMI.

Cases F1, F1-ols, F2, A1 and A3 of values.R.
"""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.families import clustered_covariance, fit_family
from mi_coder.outcomes.guards import TooFewClusters
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.wild_bootstrap import wild_bootstrap
from tests.reference.tables import Table, r_values, read_table

STRATEGIES = ["sQ", "sS", "sA", "sR", "sD", "sP", "sI", "logn"]
THRESHOLDS = ["1|2", "2|3", "3|4", "4|5"]


@pytest.fixture(scope="module")
def surveys(shared: Path) -> Table:
    """Complete ones."""
    table = read_table(shared / "reference" / "failed_esconv_design.csv")
    complete = np.flatnonzero(np.isfinite(table["final"])).tolist()
    return Table({name: [values[i] for i in complete] for name, values in table.columns.items()})


def test_distress_after_failed_chats(surveys: Table) -> None:
    clm = r_values("F1", "clm")
    names = ["init", *STRATEGIES]
    fit = fit_ordinal(surveys["final"], names, surveys.matrix(names))
    assert fit.rows == clm.one("rows") == 142
    assert fit.coefficients == pytest.approx(clm.of("estimate", names), abs=1e-6)
    assert fit.se == pytest.approx(clm.of("se", names), abs=1e-6)
    assert fit.thresholds == pytest.approx(clm.of("estimate", THRESHOLDS), abs=1e-6)
    assert fit.log_likelihood == pytest.approx(clm.one("log_likelihood"), abs=1e-6)


def test_distress_by_least_squares_with_five_kinds_of_problem_as_clusters(surveys: Table) -> None:
    """Errors of ten coefficients by five clusters are refused; the wild bootstrap has those of one at a time."""
    ols = r_values("F1-ols", "ols")
    names = ["init", *STRATEGIES]
    problem = np.array(surveys.columns["problem"])
    columns = surveys.matrix(names)
    estimate = fit_family("linear", surveys["final"], names, columns)
    assert estimate.coefficients == pytest.approx(ols.of("estimate", names), abs=1e-8)
    with pytest.raises(TooFewClusters, match="5 clusters are too few for clustered standard errors of 10 coefficients"):
        clustered_covariance(estimate, problem)
    tests = [wild_bootstrap(surveys["final"], names, columns, problem, name) for name in names]
    assert [test.estimate for test in tests] == pytest.approx(ols.of("estimate", names), abs=1e-8)
    assert [test.se for test in tests] == pytest.approx(ols.of("se_clustered", names), abs=1e-8)
    assert {test.clusters for test in tests} == {ols.one("clusters")} == {5}


def test_empathy_of_failed_chats(surveys: Table) -> None:
    clm = r_values("F2", "clm")
    fit = fit_ordinal(surveys["emp"], STRATEGIES, surveys.matrix(STRATEGIES))
    assert fit.coefficients == pytest.approx(clm.of("estimate", STRATEGIES), abs=1e-6)
    assert fit.se == pytest.approx(clm.of("se", STRATEGIES), abs=1e-6)
    assert fit.thresholds == pytest.approx(clm.of("estimate", THRESHOLDS), abs=1e-6)
    assert fit.log_likelihood == pytest.approx(clm.one("log_likelihood"), abs=1e-6)


def test_quality_of_annomi_sessions_whatever_the_reference(shared: Path) -> None:
    table = read_table(shared / "reference" / "annomi_quality_design.csv")
    names = ["s_question", "s_therapist_input", "s_other", "logn"]
    turned = ["s_question", "s_therapist_input", "s_reflection", "logn"]
    for model, columns in (("logit", names), ("logit_other", turned)):
        logit = r_values("A1", model)
        fit = fit_ordinal(table["high"], columns, table.matrix(columns))
        assert -fit.thresholds == pytest.approx([logit.one("estimate", "constant")], abs=1e-6)
        assert fit.threshold_se == pytest.approx([logit.one("se", "constant")], abs=1e-6)
        assert fit.coefficients == pytest.approx(logit.of("estimate", columns), abs=1e-6)
        assert fit.se == pytest.approx(logit.of("se", columns), abs=1e-6)
    fit, other = (fit_ordinal(table["high"], columns, table.matrix(columns)) for columns in (names, turned))
    assert other.coefficients[2] == pytest.approx(-fit.coefficients[2], abs=1e-7)
    assert other.coefficients[:2] == pytest.approx(fit.coefficients[:2] - fit.coefficients[2], abs=1e-7)


def test_reflections_in_annomi(shared: Path) -> None:
    glmer = r_values("A3", "glmer")
    table = read_table(shared / "reference" / "annomi_reflection_design.csv")
    fit = fit_ordinal_random(table["refl"], ["high"], table.matrix(["high"]), table["session"])
    assert -fit.thresholds == pytest.approx([glmer.one("estimate", "constant")], abs=2e-5)
    # Errors of glmer are by finite differences.
    assert fit.threshold_se == pytest.approx([glmer.one("se", "constant")], abs=3e-5)
    assert fit.coefficients == pytest.approx([glmer.one("estimate", "high")], abs=1e-5)
    assert fit.se == pytest.approx([glmer.one("se", "high")], abs=3e-5)
    assert fit.sd == pytest.approx(glmer.one("sd"), abs=5e-6)
    assert fit.log_likelihood == pytest.approx(glmer.one("log_likelihood"), abs=1e-5)
