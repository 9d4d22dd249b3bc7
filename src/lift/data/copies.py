"""Series that are another one in disguise: scaled, shifted, or bent by a monotone function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

COPY_TOLERANCE = 1e-10
"""Distance of a correlation from 1 at which a series is a copy up to scale and shift: ten times
the rounding error of a sum over a few thousand days, far less than any measurement error."""

LEAST_COMMON = 3
"""Common values below which nothing is a copy: any two pairs lie on a line."""

SUSPECT = 10.0 * COPY_TOLERANCE
"""Distance of a correlation from 1 at which a series is looked at more closely."""

FOLLOWS = 0.99
"""Correlation, of the days and of the steps between them, above which a series says little else
than the outcome: 2 of 2,067 pairs of real daily series of one kind are as near as that."""

CHANGED = 0.05
"""Part of the days that need not agree."""

TOGETHER = 0.6
"""Steps in the outcome's direction less those against it, as a part of all: a series that follows
it has more, or as many the other way, whatever the scale."""

PASSES = 3

LEAST_FOLLOWED = 14
"""Days that this takes."""

LEAST_BENT = 5
"""Different values that both series must have before a function that bends says anything: three
small counts can lie on the curve of a log by chance."""

LEAST_VALUES = 60
"""Different values that both series must have before their order alone says anything: a control
of a few levels, or one that leaves a ten-thousandth of the outcome's variance open, can be in the
order of a short outcome by chance (3 % of random walks of 40 days, none in a thousand of 90)."""

LEAST_TURNS = 30
"""Changes of direction that both must have before their order says anything: two series that only
rise are in the same order too."""


def is_copy(one: FloatArray, other: FloatArray) -> bool:
    """Return whether two series are equal up to scale and shift where both are observed.

    Parameters
    ----------
    one, other : ndarray, shape (n,)
        Not finite where not observed; fewer than three common values are never a copy.
    """
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < LEAST_COMMON:
        return False
    a = one[both] - one[both].mean()
    b = other[both] - other[both].mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return scale > 0 and abs(float(a @ b)) / scale > 1 - COPY_TOLERANCE


def copies(columns: FloatArray) -> NDArray[np.bool_]:
    """Return which of many series are copies of which, as :func:`is_copy` says of two.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        Not finite where not observed.

    Returns
    -------
    ndarray of bool, shape (k, k)
        True in row i and column j > i for two that are.
    """
    out = np.zeros((columns.shape[1], columns.shape[1]), dtype=np.bool_)
    if len(out) < 2:
        return out
    # two that have no correlation here, such as those with gaps, are looked at too
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = _unit(columns)
        apart = np.abs(unit.T @ unit) <= 1.0 - SUSPECT
    for i, j in np.argwhere(np.triu(~apart, 1)):
        out[i, j] = is_copy(columns[:, i], columns[:, j])
    return out


def suspects(columns: FloatArray, outcome: FloatArray) -> NDArray[np.bool_]:
    """Return which of many series may be the outcome in disguise: all that are, and few others.

    What :func:`disguise` looks at one by one, for all at once: correlations of the series and of
    their logs, and whether two days next to each other in the outcome's order are in the other
    order.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        One that is not finite on a day on which the outcome was observed is a suspect.
    outcome : ndarray, shape (n,)
        Not finite where not observed.

    Returns
    -------
    ndarray of bool, shape (k,)
    """
    seen = np.isfinite(outcome)
    if seen.sum() < LEAST_COMMON:
        return np.ones(columns.shape[1], dtype=np.bool_)
    x, y = columns[seen], outcome[seen]
    found = ~np.isfinite(x).all(axis=0)
    nil = (x == 0.0) & (y == 0.0)[:, None]
    found |= nil.any(axis=0) & (nil | ((x > 0.0) & (y > 0.0)[:, None])).all(axis=0)
    # what is not positive has no log, what overflows no length: NaN, which is near to nothing
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        targets = _unit(np.stack([y, np.log(y), np.log1p(y)], axis=1))
        for values in (x, np.log(x)):
            found |= (np.abs(_unit(values).T @ targets) > 1.0 - SUSPECT).any(axis=1)
    order = np.argsort(y, kind="stable")
    rises = np.diff(y[order]) > 0.0
    if rises.sum() + 1 >= LEAST_VALUES:
        steps = np.diff(x[order], axis=0)[rises]
        found |= (steps >= 0.0).all(axis=0) | (steps <= 0.0).all(axis=0)
    return found


def followers(columns: FloatArray, outcome: FloatArray) -> NDArray[np.bool_]:
    """Return which series move with the outcome day by day, almost exactly.

    Where :func:`disguise` finds copies, this finds what is left of a copy after a few cells were
    changed, however much, and series that are made of the outcome for the most part. Each may be on
    the scale of its logs.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        One that is not finite on a day on which the outcome was observed does not follow it.
    outcome : ndarray, shape (n,)
        Not finite where not observed.

    Returns
    -------
    ndarray of bool, shape (k,)
    """
    seen = np.isfinite(outcome)
    found = np.zeros(columns.shape[1], dtype=np.bool_)
    if seen.sum() < LEAST_FOLLOWED:
        return found
    x, y = columns[seen], outcome[seen]
    moves = np.sign(np.diff(x, axis=0)) * np.sign(np.diff(y))[:, None]
    # what never moves with it, or has no number on a day, is NaN, which is near to nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        together = np.abs(moves.sum(axis=0)) / (moves != 0.0).sum(axis=0)
    for j in np.flatnonzero(together > TOGETHER):
        found[j] = any(_follows(a, b) for a in _scales(x[:, j]) for b in _scales(y))
    return found


def _scales(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a series and its logs, NaN where it has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
    return values, np.where(np.isfinite(logs), logs, np.nan)


def _follows(series: FloatArray, outcome: FloatArray) -> bool:
    """Return whether all but a few days of a series lie on a line over the outcome."""
    usable = np.isfinite(series) & np.isfinite(outcome)
    if usable.mean() < 1.0 - CHANGED:
        return False
    kept = usable
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(PASSES):  # a changed cell may bend the first line
            x, y = (values - values[kept].mean() for values in (series, outcome))
            off = np.abs(x - y * ((x[kept] @ y[kept]) / (y[kept] @ y[kept])))
            off[~usable] = np.inf
            kept = off <= np.quantile(off, 1.0 - CHANGED, method="lower")
        days = np.stack([series[kept], outcome[kept]], axis=1)
        steps = np.diff(np.stack([series, outcome], axis=1), axis=0)[kept[1:] & kept[:-1]]
        near = [np.abs(np.prod(_unit(pair), axis=1).sum()) for pair in (days, steps)]
    return bool(min(near) > FOLLOWS)


def _unit(columns: FloatArray) -> FloatArray:
    """Return columns with mean zero and length one."""
    centred = columns - columns.mean(axis=0)
    return np.asarray(centred / np.sqrt(np.square(centred).sum(axis=0)))


def disguise(series: FloatArray, outcome: FloatArray) -> str | None:
    """Return how a series is the outcome in disguise, None if it is not.

    Parameters
    ----------
    series, outcome : ndarray, shape (n,)
        Not finite where not observed: those days are not looked at.

    Returns
    -------
    str or None
        Words for a message. A copy up to scale and shift; one after either or both were put on
        the log scale, which finds logs, exponentials and powers; or, in long series that go up and
        down, the same order of all days, which finds any monotone function, rounded too. Either
        direction counts.
    """
    both = np.isfinite(series) & np.isfinite(outcome)
    x, y = series[both], outcome[both]
    if is_copy(x, y):
        return "equal up to scale and shift"
    if min(len(np.unique(x)), len(np.unique(y))) < LEAST_BENT:
        return None
    if (y > 0.0).all() and is_copy(x, np.log(y)):
        return "their log, up to scale and shift"
    if (y >= 0.0).all() and is_copy(x, np.log1p(y)):
        return "the log of them and one, up to scale and shift"
    if (x > 0.0).all() and is_copy(np.log(x), y):
        return "the exponential of their scaled values"
    positive = (x > 0.0) & (y > 0.0)
    alike = bool((positive | ((x == 0.0) & (y == 0.0))).all())
    alike = alike and len(np.unique(y[positive])) >= LEAST_BENT
    if alike and is_copy(np.log(x[positive]), np.log(y[positive])):
        return "a power of them"
    if _same_order(x, y) or _same_order(-x, y):
        return "a monotone function of them: all days in the same order"
    return None


def _same_order(x: FloatArray, y: FloatArray) -> bool:
    """Return whether no two entries are in opposite orders, in series that could be so."""
    values, group = np.unique(y, return_inverse=True)
    n_values = len(values), len(np.unique(x))
    if min(n_values) < max(LEAST_VALUES, max(n_values) / 2):
        return False
    if min(_turns(x), _turns(y)) < LEAST_TURNS:
        return False
    low, high = np.full(len(values), np.inf), np.full(len(values), -np.inf)
    np.minimum.at(low, group, x)
    np.maximum.at(high, group, x)
    return bool((high[:-1] <= low[1:]).all())


def _turns(series: FloatArray) -> int:
    """Return how often a series changes its direction."""
    steps = np.sign(np.diff(series))
    steps = steps[steps != 0.0]
    return int((steps[1:] != steps[:-1]).sum())
