"""Proportional odds of a rating of MIBot, against R 4.2.2, ordinal 2022.11-16."""

from pathlib import Path

import numpy as np
import pytest

from mi_coder.outcomes.proportional import ProportionalOdds, check_proportional_odds
from tests.reference.tables import read_table

pytest.importorskip("scipy", reason="scipy is not installed: pip install 'mi-coder[analysis]'")


@pytest.fixture(scope="module")
def check(shared: Path) -> ProportionalOdds:
    table = read_table(shared / "mibot" / "data.csv")
    rated = table["CAREQ4"] > 0
    total = sum(table[f"AutoMISC_{name}"] for name in ("R", "Q", "MICO", "MIIN", "Other"))
    shares = [10 * table[f"AutoMISC_{name}"] / total for name in ("R", "Q", "MICO")]
    columns = np.column_stack([*shares, table["PreRulerReadiness"]])[rated]
    return check_proportional_odds(table["CAREQ4"][rated], ["sR", "sQ", "sMICO", "readiness"], columns)


def test_the_likelihood_ratio_is_that_of_nominal_test(check: ProportionalOdds) -> None:
    # ordinal::nominal_test(clm(factor(CAREQ4) ~ sR + sQ + sMICO + readiness, data = d)), CAREQ4 above 0
    readiness = check.columns[3]
    assert readiness.name == "readiness"
    assert readiness.likelihood_ratio is not None
    assert readiness.likelihood_ratio.statistic == pytest.approx(12.916, abs=5e-4)
    assert readiness.likelihood_ratio.df == 3
    assert readiness.likelihood_ratio.p == pytest.approx(0.00482, abs=5e-6)
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
