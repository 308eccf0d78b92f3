"""Checks of covariates before a model sees them: what the models of numpy and statsmodels let pass silently."""

from collections.abc import Sequence

import numpy as np

from mi_coder.errors import UsageProblem
from mi_coder.evaluation.metrics import Bools, Floats

# A column whose part that the columns before it do not explain is below this share of its length follows from them.
TOLERANCE = 1e-10


def check_covariates(names: Sequence[str], covariates: Floats, treated: Bools) -> None:
    """Refuse covariates [rows, covariates] that do not fit `names` and `treated` [rows], or have gaps.

    Raises:
        UsageProblem: with the covariate and the row.
    """
    if covariates.shape != (len(treated), len(names)):
        raise UsageProblem(
            f"Covariates must be an array [rows, covariates]: {len(treated)} rows of treatment and {len(names)} names "
            f"ask for {(len(treated), len(names))}, and it is {covariates.shape}."
        )
    gaps = np.argwhere(~np.isfinite(covariates))
    if len(gaps):
        row, column = map(int, gaps[0])
        raise UsageProblem(
            f"Covariate {names[column]!r} has no value in row {row + 1} ({len(gaps)} gaps in all): drop rows with gaps "
            "and count them, or fill them in, before matching."
        )
    for group, word in ((treated, "treated"), (~treated, "untreated")):
        if group.sum() < 2:
            raise UsageProblem(f"There are {int(group.sum())} {word} rows of {len(treated)}: it takes at least two.")


def check_outcome(outcome: Floats, rows: int) -> None:
    """Refuse an outcome that has not `rows` values, or has gaps.

    Raises:
        UsageProblem: with the row.
    """
    if outcome.shape != (rows,):
        raise UsageProblem(f"The outcome must have one value for each of {rows} rows: its shape is {outcome.shape}.")
    gaps = np.flatnonzero(~np.isfinite(outcome))
    if len(gaps):
        raise UsageProblem(
            f"The outcome has no value in row {gaps[0] + 1} ({len(gaps)} gaps in all): leave these rows out before "
            "matching, and say how many they were."
        )


def independent(columns: Floats) -> Bools:
    """[columns] whether a column of [rows, columns] does not follow from the ones before it and the constant."""
    kept = np.zeros(columns.shape[1], dtype=np.bool_)
    basis: Floats = np.full((len(columns), 1), len(columns) ** -0.5)
    for i, column in enumerate(columns.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length > TOLERANCE * float(np.linalg.norm(column)):
            kept[i] = True
            basis = np.column_stack([basis, rest / length])
    return kept
