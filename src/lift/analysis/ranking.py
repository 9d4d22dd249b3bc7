"""Which is best: probabilities of ranks from joint draws."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.errors import InputError, Problem

FloatArray = NDArray[np.float64]

TOP = 3


def rank_probabilities(draws: xr.DataArray) -> xr.DataArray:
    """Return the probability that each unit has each rank, 1 being the largest.

    Ranks are counted draw by draw, so that what units have in common cancels. Units that tie in a
    draw share the ranks that they take up.

    Parameters
    ----------
    draws : DataArray, dims (chain, draw, <unit>)
        Such as :meth:`Effects.draws`, of two units or more.

    Returns
    -------
    DataArray, dims (<unit>, rank)
        Rows and columns sum to 1.

    Raises
    ------
    InputError
        If there is one unit only.
    """
    dim = str(draws.dims[-1])
    n = draws.sizes[dim]
    if n < 2:
        what = f"a ranking needs two units or more, found {n} {dim}; rank by something else"
        raise InputError([Problem("effects", what)])
    values = draws.to_numpy().reshape(-1, n)
    table = np.zeros((n, n + 1))
    for unit in range(n):
        mine = values[:, unit, None]
        above = (values > mine).sum(axis=1)
        tied = (values == mine).sum(axis=1)
        weight = 1.0 / (tied * len(values))
        np.add.at(table[unit], above, weight)
        np.add.at(table[unit], above + tied, -weight)
    probabilities = np.clip(table.cumsum(axis=1)[:, :n], 0.0, 1.0)
    coords = {dim: draws[dim].to_numpy(), "rank": np.arange(1, n + 1)}
    return xr.DataArray(probabilities, dims=(dim, "rank"), coords=coords, name="probability")


def ranking(draws: xr.DataArray, top: int = TOP) -> pd.DataFrame:
    """Return how sure the order of units is, the best first.

    Parameters
    ----------
    draws : DataArray, dims (chain, draw, <unit>)
        Such as :meth:`Effects.draws`.
    top : int
        Number of ranks that count as the top.

    Returns
    -------
    DataFrame
        Columns by, unit, mean (of the draws), expected_rank (1 is the largest), prob_best,
        prob_top (that the rank is at most ``top``) and top; by expected rank, equal ones as they
        came.

    Raises
    ------
    InputError
        If there is one unit only, or ``top`` is not one of the ranks.
    """
    dim = str(draws.dims[-1])
    n = draws.sizes[dim]
    if not 1 <= top <= n:
        what = f"top must lie between 1 and the number of units ({n}), found {top}"
        raise InputError([Problem("effects", what)])
    table = cast(FloatArray, rank_probabilities(draws).to_numpy())
    frame = pd.DataFrame(
        {
            "by": dim,
            "unit": draws[dim].to_numpy(),
            "mean": draws.to_numpy().reshape(-1, n).mean(axis=0),
            "expected_rank": table @ np.arange(1.0, n + 1),
            "prob_best": table[:, 0],
            "prob_top": np.minimum(table[:, :top].sum(axis=1), 1.0),
            "top": top,
        }
    )
    return frame.sort_values("expected_rank", kind="stable", ignore_index=True)
