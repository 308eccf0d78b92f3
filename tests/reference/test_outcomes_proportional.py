"""Proportional odds of a rating of MIBot, against nominal_test of R: case M3 of values.R."""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.proportional import ProportionalOdds, check_proportional_odds
from tests.reference.tables import mibot_shares, r_values, read_table

pytest.importorskip("scipy", reason="scipy is not installed: pip install 'mi-coder[analysis]'")


@pytest.fixture(scope="module")
def check(shared: Path) -> ProportionalOdds:
    table = read_table(shared / "mibot" / "data.csv")
    rated = table["CAREQ4"] > 0
    columns = np.column_stack([mibot_shares(table, "R", "Q", "MICO"), table["PreRulerReadiness"]])[rated]
    return check_proportional_odds(table["CAREQ4"][rated], ["sR", "sQ", "sMICO", "readiness"], columns)


def test_the_likelihood_ratio_is_that_of_nominal_test(check: ProportionalOdds) -> None:
    nominal = r_values("M3", "nominal_test")
    readiness = check.columns[3]
    assert readiness.name == "readiness"
    assert readiness.likelihood_ratio is not None
    found = readiness.likelihood_ratio
    assert found.statistic == pytest.approx(nominal.one("statistic", "PreRulerReadiness"), abs=1e-5)
    assert found.df == nominal.one("df", "PreRulerReadiness") == 3
    assert found.p == pytest.approx(nominal.one("p", "PreRulerReadiness"), abs=1e-7)
    # nominal_test gives nothing for these.
    others = [column.likelihood_ratio.p for column in check.columns[:3] if column.likelihood_ratio is not None]
    assert len(others) == 3
    assert min(others) > 0.3


def test_the_wald_test_finds_nothing_where_four_rows_carry_it(check: ProportionalOdds) -> None:
    # Our own values. The slope of readiness is -.48 (4 ratings of 1) and then about 0.
    readiness = check.columns[3]
    assert check.cuts == (2, 3, 4, 5)
    assert readiness.slopes == pytest.approx([-0.483707, -0.108129, -0.036665, 0.020590], abs=1e-6)
    assert readiness.wald is not None and check.wald is not None
    assert (readiness.wald.statistic, readiness.wald.df) == (pytest.approx(2.294403, abs=1e-5), 3)
    assert readiness.wald.p == pytest.approx(0.524763, abs=1e-5)
    assert check.wald.p == pytest.approx(0.422133, abs=1e-5)
