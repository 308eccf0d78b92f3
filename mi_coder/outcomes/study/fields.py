"""Columns of the chats, checked: as they are, as numbers, as covariates of a model."""

import numpy as np
import pandas as pd

from mi_coder.errors import UsageProblem, did_you_mean
from mi_coder.outcomes.study.spec import Covariate

MOST_CATEGORIES = 50
"""A text with more values than that is no category: each value takes a column."""


def field_of(frame: pd.DataFrame, name: str, key: str) -> "pd.Series[str]":
    """A column [chats] as it is, blank cells as missing.

    Args:
        key: of the study file that names it, for the message.

    Raises:
        UsageProblem: there is none.
    """
    if name not in frame.columns:
        known = [str(column) for column in frame.columns]
        raise UsageProblem(
            f"{key}: the chats have no field {name!r}.{did_you_mean(name, known)} They have {', '.join(sorted(known))}."
        )
    column = frame[name]
    return column.mask(column.astype(str).str.strip() == "")


def column_of(frame: pd.DataFrame, name: str, key: str) -> "pd.Series[float]":
    """A column [chats] of numbers; truth values become 0 and 1.

    Raises:
        UsageProblem: there is none, or a value is no number.
    """
    column = field_of(frame, name, key)
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    bad = numbers.isna() & column.notna()
    if bad.any():
        raise UsageProblem(
            f"{key}: {name} is not a number in {int(bad.sum())} chats, the first is {frame.index[bad][0]!r}."
        )
    return _finite(numbers, name, key)


def labels_of(series: "pd.Series[str]") -> "pd.Series[str]":
    """A column [chats] as text; empty where it is missing."""
    return series.astype("string").fillna("").astype(object)


def covariate_columns(frame: pd.DataFrame, covariate: Covariate, key: str = "covariates") -> pd.DataFrame:
    """The columns [chats, columns] of one covariate; a category with k values has k - 1.

    Args:
        key: of the study file that names it, for messages.

    Raises:
        UsageProblem: the chats have no such field, or values that its transform does not have.
    """
    name = covariate.field
    column = field_of(frame, name, key)
    numeric = pd.to_numeric(column, errors="coerce")
    texts = column.notna() & numeric.isna()
    if covariate.transform == "category" or (covariate.transform == "none" and texts.any() and numeric.isna().all()):
        if (values := column.nunique()) > MOST_CATEGORIES:
            raise UsageProblem(
                f"{key}: {name} is a text with {values:,} values, but a category has at most {MOST_CATEGORIES}. "
                "Merge values, or give numbers, such as earlier chats instead of dates."
            )
        dummies = pd.get_dummies(column.astype("string"), prefix=name, prefix_sep=" = ", drop_first=True, dtype=float)
        return dummies.mask(column.isna())
    if texts.any():
        told = f"{key}: {name} is not a number in {int(texts.sum())} chats"
        first = f"the first is {frame.index[texts][0]!r}"
        if covariate.transform != "none":
            raise UsageProblem(f"{told}, {first}, and {covariate.transform} needs numbers.")
        mends = [
            "correct these cells or leave them empty",
            f"if {name} is a category, write {{field: {name}, transform: category}}",
        ]
        if texts.sum() > numeric.notna().sum():
            mends.reverse()
        raise UsageProblem(
            f"{told} and a number in {int(numeric.notna().sum())}, {first}. To fix it, {'; or '.join(mends)}."
        )
    values = _finite(numeric.astype(float), name, key)
    if covariate.transform in ("log", "log1p"):
        least = 0 if covariate.transform == "log" else -1
        if (values <= least).any():
            raise UsageProblem(
                f"{key}: {name} is {least} or less in {int((values <= least).sum())} chats, where "
                f"{covariate.transform} does not exist."
            )
        values = np.log(values) if covariate.transform == "log" else np.log1p(values)
    if covariate.transform == "standardize":
        spread = values.std(ddof=0)
        values = (values - values.mean()) / (spread if spread > 0 else 1.0)
    label = name if covariate.transform in ("none", "standardize") else f"{covariate.transform}({name})"
    return pd.DataFrame({label: values})


def _finite(values: "pd.Series[float]", name: str, key: str) -> "pd.Series[float]":
    if endless := int(np.isinf(values).sum()):
        raise UsageProblem(f"{key}: {name} is infinite in {endless} chats. Leave such cells empty.")
    return values
