"""Compiled pieces of a path that all markets have in common, integrated out.

The path is ``lambda = T E e`` with independent standard normal ``e``: ``T`` adds up from day to
day, and ``E`` (lower bidiagonal) makes the steps of a random walk plus shocks of single days, as
the innovations of a local level without a start. Given the path the markets are independent, so
that ``sum_m T' Sigma_m^-1 T`` and ``sum_m T' Sigma_m^-1 W_m`` say all about it. Both come from the
backward recursion of the disturbance smoother (Durbin & Koopman 2012, section 4.5),
``r_{t-1} = v_t / F_t + (1 - K_t) r_t``, whose values are sums of ``Sigma_m^-1 W_m`` from day t on.
"""

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._blas import dsyrk, dtrsm
from lift.engines._kernels import factor


@compiled
def add_market(v, noise, observed, level_var, start_var, columns_from, n_columns, pairs_from,
               n_all_columns, keep, root, back, steps, crossed):  # fmt: skip
    """Add what one market says of the path to ``steps`` (lower triangle) and ``crossed``."""
    n, width = v.shape
    variance = start_var
    for t in range(n):
        keep[t] = 1.0
        root[t] = 0.0
        if observed[t]:
            total = variance + noise[t]
            keep[t] = noise[t] / total
            root[t] = 1.0 / math.sqrt(total)
            variance *= keep[t]
        variance += level_var
    back[:] = 0.0
    own = 0.0
    for t in range(n - 1, -1, -1):
        for c in range(width):
            back[c] = v[t, c] * root[t] + keep[t] * back[c]
        own = root[t] * root[t] + keep[t] * keep[t] * own
        row = crossed[t]
        row[0] += back[0]
        for c in range(n_columns):
            row[1 + columns_from + c] += back[1 + c]
        for c in range(width - 1 - n_columns):
            row[1 + n_all_columns + pairs_from + c] += back[1 + n_columns + c]
        value = own
        steps[t, t] += value
        for b in range(t - 1, -1, -1):
            value *= keep[b]
            steps[t, b] += value


@compiled
def bidiagonal(walk_var, shock_var, size, less):
    """Fill ``E``: ``size`` on its diagonal, ``-size * less`` below."""
    variance = 0.0
    for t in range(size.shape[0]):
        total = variance + shock_var
        size[t] = math.sqrt(total)
        less[t] = shock_var / total if total > 0.0 else 0.0
        variance = variance * less[t] + walk_var


@compiled
def integrate_path(walk_var, shock_var, size, less, steps, crossed, flags, sizes, signs, whole):
    """Take the path out of the cross products of all markets; return half a log determinant.

    NaN where that cannot be done. ``steps`` and ``crossed`` are used up.
    """
    n, width = crossed.shape
    bidiagonal(walk_var, shock_var, size, less)
    for a in range(n):
        for b in range(a + 1):
            value = steps[a, b]
            if a + 1 < n:
                value -= less[a] * steps[a + 1, b]
                below = steps[a + 1, b + 1]
                beside = steps[a, b + 1] if b < a else steps[a + 1, a]
                value -= less[b] * (beside - less[a] * below)
            elif b < a:
                value -= less[b] * steps[a, b + 1]
            steps[a, b] = size[a] * size[b] * value
        steps[a, a] += 1.0
        for c in range(width):
            after = crossed[a + 1, c] if a + 1 < n else 0.0
            crossed[a, c] = size[a] * (crossed[a, c] - less[a] * after)
    half_log_det = factor(steps, flags, sizes)
    if math.isnan(half_log_det):
        return np.nan
    sizes[0] = width
    sizes[1] = n
    sizes[2] = whole.shape[0]
    dtrsm(
        flags[2:].ctypes, flags[0:].ctypes, flags[1:].ctypes, flags[1:].ctypes, sizes[0:].ctypes,
        sizes[1:].ctypes, signs[0:].ctypes, steps.ctypes, sizes[1:].ctypes, crossed.ctypes,
        sizes[0:].ctypes,
    )  # fmt: skip
    dsyrk(
        flags[0:].ctypes, flags[1:].ctypes, sizes[0:].ctypes, sizes[1:].ctypes, signs[1:].ctypes,
        crossed.ctypes, sizes[0:].ctypes, signs[0:].ctypes, whole.ctypes, sizes[2:].ctypes,
    )  # fmt: skip
    return half_log_det
