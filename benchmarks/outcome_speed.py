"""Our models of outcomes against those of statsmodels: CPU seconds and estimates on the same data, in one run.

    OMP_NUM_THREADS=1 python benchmarks/outcome_speed.py [--rows 100000]

24 technique columns, 50 conversations per counselor. statsmodels runs twice: as it comes, and with a tolerance that
brings it to the maximum, because what it stops at by itself can be far off (of 100,000 rows MixedLM reports convergence
at a variance of 0). Estimates are compared with the second run; the ratio of CPU seconds is to the faster of the two.
Leaves with 1 where estimates differ by more than 1e-5, or we are not 10 times (linear) or 5 times (ordinal) as fast.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from mi_coder.errors import need
from mi_coder.outcomes.ordinal import fit_ordinal
from mi_coder.outcomes.ordinal_random import fit_ordinal_random
from mi_coder.outcomes.random_intercept import fit_random_intercept

WIDTH = 24
PER_COUNSELOR = 50
FURTHEST = 1e-5
POWELL = {"xtol": 1e-8, "ftol": 1e-12}
LEAST_LINEAR = 10
LEAST_ORDINAL = 5


def data(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Symptom score, rating, columns and counselors."""
    random = np.random.default_rng(20240501)
    counselors = np.arange(rows) // PER_COUNSELOR
    columns = random.normal(size=(rows, WIDTH)) + 0.5 * random.normal(size=(counselors[-1] + 1, WIDTH))[counselors]
    better = columns @ random.normal(scale=0.15, size=WIDTH) + 0.5 * random.normal(size=counselors[-1] + 1)[counselors]
    rating = 1 + ((better + random.logistic(size=rows))[:, None] > [-2.5, -1.5, -0.5, 0.75]).sum(axis=1)
    return 10 - better + 2 * random.normal(size=rows), rating, columns, counselors


def timed(what: str, run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and result, with a line printed."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = run()
    seconds = time.process_time() - start
    print(f"  {what:<44} {seconds:8.2f} CPU s", flush=True)
    return seconds, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    symptom, rating, columns, counselors = data(rows)
    names = [f"x{i}" for i in range(WIDTH)]
    models, pandas = need("statsmodels.api", "analysis"), need("pandas", "analysis")
    ordered = need("statsmodels.miscmodels.ordinal_model", "analysis").OrderedModel(
        pandas.Categorical(rating, ordered=True), columns, distr="logit"
    )
    clustered = {"cov_type": "cluster", "cov_kwds": {"groups": counselors}, "method": "bfgs", "maxiter": 500, "disp": 0}

    print(f"Random-intercept linear model, {rows:,} rows")
    ours, linear = timed("mi_coder", lambda: fit_random_intercept(symptom, names, columns, counselors))
    mixed = models.MixedLM(symptom, models.add_constant(columns), groups=counselors)
    usual, _ = timed("statsmodels MixedLM", lambda: mixed.fit(reml=True))
    tight, other = timed("statsmodels MixedLM(powell)", lambda: mixed.fit(reml=True, method="powell", **POWELL))
    variances = abs(np.array([linear.tau2 - other.cov_re[0, 0], linear.sigma2 - other.scale]))
    linear_gap = max(abs(linear.coefficients - other.fe_params).max(), variances.max())
    linear_ratio = min(usual, tight) / ours
    print(f"  {linear_ratio:.0f} times as fast; estimates differ by at most {linear_gap:.1e}")

    print(f"Proportional-odds logit, errors clustered by counselor, {rows:,} rows")
    ours, ordinal = timed("mi_coder", lambda: fit_ordinal(rating, names, columns, counselors))
    usual, _ = timed("statsmodels OrderedModel(bfgs)", lambda: ordered.fit(**clustered))
    tight, other = timed("statsmodels OrderedModel(bfgs, gtol=1e-7)", lambda: ordered.fit(gtol=1e-7, **clustered))
    ordinal_gap = max(abs(ordinal.coefficients - other.params[:WIDTH]).max(), abs(ordinal.se - other.bse[:WIDTH]).max())
    ordinal_ratio = min(usual, tight) / ours
    print(f"  {ordinal_ratio:.0f} times as fast; estimates and errors differ by at most {ordinal_gap:.1e}")

    print(f"Cumulative logit with random intercept, {rows:,} rows; statsmodels has none")
    timed("mi_coder, 10 nodes", lambda: fit_ordinal_random(rating, names, columns, counselors))

    slow = linear_ratio < LEAST_LINEAR or ordinal_ratio < LEAST_ORDINAL
    sys.exit(bool(slow or max(linear_gap, ordinal_gap) > FURTHEST))


if __name__ == "__main__":
    main()
