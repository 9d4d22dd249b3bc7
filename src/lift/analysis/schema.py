"""The one schema of every effect: of downloads, of users, and of money."""

from __future__ import annotations

import pandas as pd

LONG_COLUMNS = (
    "quantity",
    "by",
    "unit",
    "outcome",
    "date",
    "n_posts",
    "start",
    "end",
    "n_days",
    "observed",
    "mean",
    "median",
    "sd",
    "lower",
    "upper",
    "prob",
    "prob_positive",
    "mcse_mean",
    "relative_mean",
    "relative_lower",
    "relative_upper",
    "interaction_index",
    "coupling",
    "basis",
    "extrapolated",
    "note",
)
"""Columns of every table of effects; what a row does not have is NaN."""


def in_schema(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns of the one schema of effects, NaN where it has none.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    DataFrame
        :data:`LONG_COLUMNS`.
    """
    out = table.reindex(columns=list(LONG_COLUMNS))
    stamps = {name: "datetime64[us]" for name in ("date", "start", "end")}
    return out.astype(stamps)
