"""Checks of the shares of a post's audience: one column of the posts for each market."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.cells import numbers, texts
from lift.data.tables import RawTable, some
from lift.errors import Problem

FloatArray = NDArray[np.float64]

PREFIX = "share_"
"""What the name of such a column begins with; the market follows."""
SUM_TOLERANCE = 1e-6
"""By how much shares may add up to more than 1, since they are rounded."""


def share_columns(table: RawTable, markets: Sequence[str] | None) -> list[str]:
    """Return the columns of shares that a table of posts may have.

    Parameters
    ----------
    table : RawTable
    markets : sequence of str or None
        Those of the downloads; None if they are not known.

    Returns
    -------
    list of str
        Of every market where the table has such a column, else none.
    """
    found = [name for name in table.columns if name.casefold().startswith(PREFIX)]
    if not found:
        return []
    return found if markets is None else [f"{PREFIX}{market}" for market in markets]


def check_shares(
    table: RawTable, columns: Sequence[str], problems: list[Problem]
) -> dict[str, FloatArray]:
    """Return the shares of each post's audience by column, with every fault appended.

    Parameters
    ----------
    table : RawTable
    columns : sequence of str
        As :func:`share_columns`.
    problems : list of Problem
        Faults are appended to it.

    Returns
    -------
    dict of str to ndarray, shape (n_posts,)
        In [0, 1]. NaN in all columns where none is given for a post; else what is not given is 0.
    """
    if not columns:
        return {}
    shares = np.full((len(table), len(columns)), np.nan)
    for i, name in enumerate(columns):
        if name in table.columns:
            shares[:, i] = numbers(table, name, problems)[0]
    given = ~np.isnan(shares).all(axis=1)
    shares = np.where(given[:, None] & np.isnan(shares), 0.0, shares)
    wrong = [
        f"{table.at(int(i))}: {columns[k]} = {shares[i, k]:g}"
        for i, k in zip(*np.nonzero((shares < 0.0) | (shares > 1.0)), strict=True)
    ]
    if wrong:
        problems.append(
            table.problem(
                f"a share of the audience must be in 0 to 1, found {some(wrong)}; correct it, or "
                "leave it empty"
            )
        )
    total = np.where(given, shares.sum(axis=1), 1.0)
    off = [
        f"{table.at(int(i))}: {total[i]:g}"
        for i in np.flatnonzero((total > 1.0 + SUM_TOLERANCE) | (total <= 0.0))
    ]
    if off and not wrong:
        problems.append(
            table.problem(
                "the shares of a post's audience must add up to more than 0 and at most 1, found "
                f"{some(off)}; correct them, or leave all empty"
            )
        )
    _check_one_of_both(table, given, problems)
    return {name: shares[:, i] for i, name in enumerate(columns)}


def audience_shares(posts: pd.DataFrame, market: str) -> FloatArray:
    """Return the share of each post's audience that is in a market.

    Parameters
    ----------
    posts : DataFrame
        Canonical.
    market : str

    Returns
    -------
    ndarray, shape (n_posts,)
        As given; else 1 where a post reaches the market, 0 where it does not.
    """
    target = posts["market"]
    reached = np.asarray(target.isna() | (target == market), dtype=np.float64)
    columns = [name for name in posts.columns if str(name).startswith(PREFIX)]
    if not columns:
        return reached
    given = posts[columns].notna().any(axis=1).to_numpy()
    mine = f"{PREFIX}{market}"
    share = posts[mine].to_numpy(dtype=np.float64) if mine in columns else np.zeros(len(posts))
    return np.where(given, share, reached)


def _check_one_of_both(table: RawTable, given: NDArray[np.bool_], problems: list[Problem]) -> None:
    """Name the posts that have both a market and shares."""
    if "market" not in table.columns:
        return
    named = np.array([name is not None for name in texts(table, "market")], dtype=bool)
    both = [table.at(int(i)) for i in np.flatnonzero(given & named)]
    if both:
        problems.append(
            table.problem(
                "a post must have either a market or shares of its audience, found both at "
                f"{some(both)}; leave one of them empty"
            )
        )
