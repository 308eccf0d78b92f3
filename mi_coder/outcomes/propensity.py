"""The propensity score: how likely the covariates make the treatment, by an unpenalized logit.

Rosenbaum and Rubin 1983, Biometrika 70, 41-55. Covariates must have been known before the treatment.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import need
from mi_coder.outcomes.columns import check_covariates
from mi_coder.outcomes.guards import Separation, standardize
from mi_coder.outcomes.rows import by_place

# A coefficient per standard deviation of a covariate beyond this leaves no overlap to speak of.
MOST_PER_SD = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Propensity:
    """A fitted propensity score.

    Attributes:
        names: [covariates]
        coefficients: [1 + covariates] the constant first.
        logit: [rows] log-odds of treatment; pairs are matched on it.
        auc: how often a treated row has a higher score than an untreated one, ties as half. Near .5 the covariates say
            nothing about the treatment; near 1 there is little overlap to compare in.
        treated_outside: share of treated rows with a score beyond every untreated one's.
    """

    names: tuple[str, ...]
    coefficients: Floats
    logit: Floats
    auc: float
    treated_outside: float

    @property
    def score(self) -> Floats:
        """[rows] probability of treatment."""
        return np.asarray(0.5 * (1 + np.tanh(self.logit / 2)), dtype=np.float64)


@by_place
def fit_propensity(names: Sequence[str], covariates: Floats, treated: Bools) -> Propensity:
    """Fit the score.

    Args:
        names: [covariates] for errors and reports.
        covariates: [rows, covariates] without gaps and without a constant column.
        treated: [rows]

    Raises:
        MissingExtra: statsmodels is not installed.
        ModelProblem: gaps, a group of less than two, a constant or aliased covariate, or separation: covariates that
            tell the groups apart leave nobody to compare with.
    """
    statsmodels = need("statsmodels.api", "analysis")
    check_covariates(names, covariates, treated)
    standard = standardize(names, covariates, len(treated))
    _refuse_separating(names, covariates, treated)
    design = np.column_stack([np.ones(len(treated)), standard.z])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fit = statsmodels.Logit(treated.astype(np.float64), design).fit(method="newton", maxiter=100, disp=0)
        except np.linalg.LinAlgError as error:
            raise _separated(names) from error
    slopes = fit.params[1:]
    if not fit.mle_retvals["converged"] or (abs(slopes) > MOST_PER_SD).any():
        raise _separated(names)
    raw = slopes / standard.spread
    logit = np.asarray(design @ fit.params, dtype=np.float64)
    return Propensity(
        names=tuple(names),
        coefficients=np.concatenate([[fit.params[0] - standard.center @ raw], raw]),
        logit=logit,
        auc=area_under_curve(logit, treated),
        treated_outside=float(((logit > logit[~treated].max()) | (logit < logit[~treated].min()))[treated].mean()),
    )


@by_place
def area_under_curve(score: Floats, treated: Bools) -> float:
    """Share of pairs of a treated and an untreated row where the treated one's score is higher, ties as half."""
    untreated = np.sort(score[~treated])
    below = np.searchsorted(untreated, score[treated], side="left")
    not_above = np.searchsorted(untreated, score[treated], side="right")
    return float((below + not_above).mean() / (2 * len(untreated)))


def _refuse_separating(names: Sequence[str], covariates: Floats, treated: Bools) -> None:
    for name, column in zip(names, covariates.T, strict=True):
        for group, word in ((treated, "treated"), (~treated, "untreated")):
            low, other_high = float(column[group].min()), float(column[~group].max())
            if low >= other_high:
                raise Separation(
                    f"Covariate {name!r} separates the groups: no {word} row is below {low:g}, and no other row is "
                    f"above {other_high:g}. Where it differs there are no rows to compare with: leave out rows that "
                    "could not have been in the other group, or the covariate if the treatment defines it.",
                    [name],
                )


def _separated(names: Sequence[str]) -> Separation:
    return Separation(
        f"The covariates together ({', '.join(names)}) separate treated from untreated rows without error, or nearly: "
        "the "
        "logit has no finite solution, and there are no rows left to compare with. Use fewer covariates, or leave out "
        "those "
        "that the treatment defines.",
        names,
    )
