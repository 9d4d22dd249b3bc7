"""A mean response that is free by day: deviations from the Weibull kernel, linear and Gaussian.

The response of post j is ``f_j(t) = g_j [b_j K(t; tau_j) + sum_a delta_a B_a(t; tau_j)]`` with its
gain ``g_j`` by views and size, the Weibull kernel ``K``, and ``B_a`` the part of day ``a`` since
the post that falls on calendar day t (a post at a fraction ``phi`` of its day: ``1 - phi`` on the
a-th calendar day and ``phi`` on the next). All posts share the deviations

    delta_a = free_sd Kbar_a (e_a - sum_b Kbar_b e_b),   e_a ~ N(0, 1) independent,

where ``Kbar`` is the mean kernel (Weibull at the prior medians) over the first days, scaled to sum
to one. They sum to zero, so that an amplitude remains the size of its response, and their prior sd
falls as the mean kernel does: ``free_sd`` is their size relative to a response of one baseline day.
Given ``free_sd`` the response is linear in Gaussian unknowns, which the exact engine integrates out
with the other coefficients. What single posts differ by follows the Weibull kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.baseline import Block
from lift.model.response import kernel_days
from lift.model.spec import ResponseSpec

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def mean_shares(spec: ResponseSpec) -> FloatArray:
    """Return the mean kernel by day since a post, shape (free_days,); sums to one.

    Parameters
    ----------
    spec : ResponseSpec
    """
    scale, shape = np.exp(np.array([spec.share_mean, spec.shape_mean]))
    return kernel_days(np.array(scale), np.array(shape), 0.0, spec.free_days)


def age_shares(fraction: float, n_days: int) -> FloatArray:
    """Return which part of each day since a post falls on which calendar day.

    Parameters
    ----------
    fraction : float
        Part of its day that had passed when the post went out, in [0, 1).
    n_days : int
        Days since the post.

    Returns
    -------
    ndarray, shape (n_days, n_days + 1)
        Rows are days since the post, columns calendar days since that of the post.
    """
    now = np.eye(n_days, n_days + 1)
    return np.asarray((1.0 - fraction) * now + fraction * np.roll(now, 1, axis=1))


def deviation_columns(
    n: int, day: IntArray, fraction: FloatArray, gain: FloatArray, shares: FloatArray
) -> FloatArray:
    """Return what ``e_a`` multiplies where ``free_sd`` is 1.

    Parameters
    ----------
    n : int
        Days of the calendar.
    day : ndarray of int, shape (J,)
        Position of each post's day.
    fraction, gain : ndarray, shape (J,)
    shares : ndarray, shape (free_days,)
        The mean kernel.

    Returns
    -------
    ndarray, shape (n, free_days)
    """
    n_free = len(shares)
    whole = np.zeros((n + n_free + 1, n_free))
    for first, part, size in zip(day, fraction, gain, strict=True):
        whole[first : first + n_free + 1] += size * age_shares(float(part), n_free).T
    by_age = whole[:n]
    return np.asarray(shares * (by_age - (by_age @ shares)[:, None]))


def free_block(
    n: int, day: IntArray, fraction: FloatArray, gain: FloatArray, shares: FloatArray
) -> Block:
    """Return the columns of the deviations as the last baseline component.

    Parameters
    ----------
    n, day, fraction, gain, shares
        As in :func:`deviation_columns`.

    Returns
    -------
    Block
        At reference views and ``free_sd`` of 1: both are hyperparameters, and engines fill the
        columns again at each of their values. The coefficients are ``e``, of sd 1.
    """
    labels = tuple(f"day_{a}" for a in range(len(shares)))
    columns = deviation_columns(n, day, fraction, gain, shares)
    return Block("free_kernel", labels, columns, np.ones(len(shares)))
