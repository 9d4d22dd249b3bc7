"""Further seasons and holidays of one intervention, as columns that are always in the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.calendar import holiday_table
from lift.impact.settings import ImpactSettings

FloatArray = NDArray[np.float64]


def calendar_columns(
    index: pd.Index, settings: ImpactSettings
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return waves of every further season, and whether a row is a public holiday.

    Parameters
    ----------
    index : Index
        Labels of all rows; dates where there are holidays.
    settings : ImpactSettings

    Returns
    -------
    columns : ndarray, shape (n, k)
    names : tuple of str, length k
    """
    rows = np.arange(len(index))
    columns, names = [], []
    for period, pairs in settings.seasons:
        for pair in range(1, pairs + 1):
            angle = 2.0 * np.pi * pair * rows / period
            columns += [np.sin(angle), np.cos(angle)]
            names += [f"season {period:g} sin {pair}", f"season {period:g} cos {pair}"]
    if settings.holidays is not None:
        dates = pd.DatetimeIndex(index).tz_localize(None).normalize()
        days = holiday_table(settings.holidays, dates[0], dates[-1])["date"]
        columns.append(dates.isin(pd.DatetimeIndex(days)).astype(np.float64))
        names.append(f"holiday {settings.holidays}")
    if not columns:
        return np.empty((len(index), 0)), ()
    return np.column_stack(columns), tuple(names)
