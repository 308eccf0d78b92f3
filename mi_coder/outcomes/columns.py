"""Checks of covariates of two groups of rows, and which columns follow from others."""

from collections.abc import Sequence

import numpy as np

from mi_coder.arrays import Bools, Floats
from mi_coder.outcomes.guards import SingleCategory, check_columns

# A column whose part that the columns before it do not explain is below this share of its length follows from them.
TOLERANCE = 1e-10


def check_covariates(names: Sequence[str], covariates: Floats, treated: Bools) -> None:
    """Refuse covariates [rows, covariates] that do not fit `names` and `treated` [rows], or have gaps.

    Raises:
        BadShape, Gaps: with the covariate and the row.
        SingleCategory: less than two rows of a group.
    """
    check_columns(names, covariates, len(treated))
    for group, word in ((treated, "treated"), (~treated, "untreated")):
        if group.sum() < 2:
            raise SingleCategory(
                f"There are {int(group.sum())} {word} rows of {len(treated)}: at least two are needed."
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
