"""Compiled moments of the single-intervention model with the states integrated out.

Local level plus an optional evolving season in dummy form, in units where the observation variance
is one. Filters start from a known zero state; the unknown initial states are coefficients, so that
everything here depends on the two variance ratios alone. Their columns hold zeros and start from
the state -1: the innovations are those of the signal that the initial state would send, and the
predicted means are those of the state less what is left of the initial state. The season lives in
a ring of ``period - 1`` slots: the newest effect, minus the sum of all slots plus noise, overwrites
the oldest, and nothing is shifted.

Column order: outcome, initial states (all zero), controls. State order: level, season slots.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._blas import dsyrk

LOG_2PI = math.log(2.0 * math.pi)
# One logarithm is taken of the product of so many factors.
LOGS_TOGETHER = 8
# Numbers in the widest registers.
VECTOR = 8


@compiled
def filter_level(columns, observed, level_ratio, v, mean, cov):
    """Filter all columns by a local level; return the sum of log innovation variances.

    Leaves standardised innovations in ``v`` and the predicted state after the last row in ``mean``
    (state, column) and ``cov`` (state, state).
    """
    n, width = columns.shape
    mean[:] = 0.0
    centre = mean[0]
    centre[1] = -1.0
    variance = 0.0
    log_variance = 0.0
    for t in range(n):
        row = v[t]
        if not observed[t]:
            row[:] = 0.0
            variance += level_ratio
            continue
        total = 1.0 + variance
        gain = variance / total
        scale = 1.0 / math.sqrt(total)
        for c in range(width):
            error = columns[t, c] - centre[c]
            row[c] = error * scale
            centre[c] += gain * error
        log_variance += math.log(total)
        variance = gain + level_ratio
    cov[0, 0] = variance
    return log_variance


@compiled
def filter_season(columns, observed, level_ratio, season_ratio, duration, v, mean, cov):
    """Filter all columns by level and season, as ``filter_level`` does by the level.

    A row of ``states`` holds the mean of a state for each column and, after them, its covariances
    with all states, which a new observation changes alike: by its gain times one row. The last row
    is the sum of all slots: a new effect is minus it plus noise, and the sum that follows is minus
    the effect overwritten plus that noise.
    """
    n, width = columns.shape
    m = cov.shape[0]
    # rows of whole vectors are faster
    size = -(-(width + m) // VECTOR) * VECTOR
    states = np.zeros((m + 1, size))
    for i in range(m):
        states[i, 1 + i] = -1.0
    states[m, 2 : 1 + m] = -1.0
    slots = states[m]
    gain = np.zeros(m + 1)
    change = np.zeros(size)
    now = 1
    log_variance = 0.0
    product = 1.0
    for t in range(n):
        row = v[t]
        if observed[t]:
            for i in range(m + 1):
                gain[i] = states[i, width] + states[i, width + now]
            total = 1.0 + gain[0] + gain[now]
            inverse = 1.0 / total
            scale = math.sqrt(inverse)
            for c in range(width):
                miss = columns[t, c] - states[0, c] - states[now, c]
                row[c] = miss * scale
                change[c] = miss * inverse
            for k in range(m):
                change[width + k] = -inverse * gain[k]
            for i in range(m + 1):
                g = gain[i]
                for c in range(size):
                    states[i, c] += g * change[c]
            product *= total
        else:
            row[:] = 0.0
        if t % LOGS_TOGETHER == LOGS_TOGETHER - 1:
            log_variance += math.log(product)
            product = 1.0
        states[0, width] += level_ratio
        if (t + 1) % duration == 0:
            now = now + 1 if now + 1 < m else 1
            fresh = season_ratio
            for k in range(1, m):
                fresh += slots[width + k]
            with_fresh = slots[width + now] + season_ratio
            for c in range(size):
                old = states[now, c]
                states[now, c] = -slots[c]
                slots[c] = -old
            for k in range(m):
                states[k, width + now] = states[now, width + k]
            states[now, width + now] = fresh
            slots[width + now] = with_fresh
    for i in range(m):
        mean[i] = states[i, :width]
        cov[i] = states[i, width : width + m]
    return log_variance + math.log(product)


@compiled
def moments(columns, observed, ratios, duration, v, s, mean, cov):
    """Fill the lower triangle of ``s`` with innovations' cross-products; see ``filter_level``."""
    if cov.shape[0] == 1:
        log_variance = filter_level(columns, observed, ratios[0], v, mean, cov)
    else:
        log_variance = filter_season(
            columns, observed, ratios[0], ratios[1], duration, v, mean, cov
        )
    n, width = columns.shape
    flags = np.array([85, 78], dtype=np.uint8)
    sizes = np.array([width, n], dtype=np.int32)
    ones = np.array([1.0, 0.0])
    dsyrk(
        flags[0:].ctypes, flags[1:].ctypes, sizes[0:].ctypes, sizes[1:].ctypes, ones.ctypes,
        v.ctypes, sizes[0:].ctypes, ones[1:].ctypes, s.ctypes, sizes[0:].ctypes,
    )  # fmt: skip
    return log_variance


@compiled
def cholesky(a, size):
    """Replace the lower triangle by its Cholesky factor; return half its log determinant or NaN."""
    half = 0.0
    product = 1.0
    for i in range(size):
        for k in range(i + 1):
            total = a[i, k]
            for e in range(k):
                total -= a[i, e] * a[k, e]
            if i == k:
                if not total > 0.0:
                    return np.nan
                a[i, i] = math.sqrt(total)
                product *= a[i, i]
            else:
                a[i, k] = total / a[k, k]
        if i % LOGS_TOGETHER == LOGS_TOGETHER - 1:
            half += math.log(product)
            product = 1.0
    return half + math.log(product)


@compiled
def factor(s, m, used, n_used, precision, variance, start_var, a, b):
    """Return the log likelihood of one set of controls but for what its prior brings.

    The first ``n_used`` entries of ``used`` are the controls in the model. The part that is common
    to all sets, ``n log(2 pi)`` and the innovation variances, is left out too. Leaves the Cholesky
    factor L of the scaled posterior precision in ``a`` and L^-1 S_wy in ``b``.
    """
    q = m + n_used
    for i in range(q):
        row = 1 + i if i < m else 1 + m + used[i - m]
        b[i] = s[row, 0]
        for k in range(i + 1):
            column = 1 + k if k < m else 1 + m + used[k - m]
            a[i, k] = s[row, column] if column <= row else s[column, row]
            if k >= m:
                a[i, k] += precision[used[i - m], used[k - m]]
        if i < m:
            a[i, i] += variance / start_var
    half_posterior = cholesky(a, q)
    squared = 0.0
    for i in range(q):
        total = b[i]
        for k in range(i):
            total -= a[i, k] * b[k]
        b[i] = total / a[i, i]
        squared += b[i] * b[i]
    return -0.5 * (s[0, 0] - squared) / variance - half_posterior


@compiled
def semidefinite_root(a, m):
    """Put the Cholesky factor of the lower triangle of ``a`` in its place.

    From a known start a covariance is singular on the first days; then pivots are zero.
    """
    for i in range(m):
        for k in range(i + 1):
            total = a[i, k]
            for e in range(k):
                total -= a[i, e] * a[k, e]
            if i == k:
                a[i, i] = math.sqrt(max(total, 0.0))
            else:
                a[i, k] = total / a[k, k] if a[k, k] > 1e-12 else 0.0


@compiled
def draw_state(mean, cov, m, used, n_used, coefficients, sd, normals, work, out):
    """Fill a draw of the state after the last row, given the coefficients."""
    for i in range(m):
        total = mean[i, 0]
        for k in range(m):
            total -= mean[i, 1 + k] * coefficients[k]
        for k in range(n_used):
            total -= mean[i, 1 + m + used[k]] * coefficients[m + k]
        out[i] = total
        for k in range(i + 1):
            work[i, k] = cov[i, k]
    semidefinite_root(work, m)
    for i in range(m):
        for k in range(i + 1):
            out[i] += sd * work[i, k] * normals[k]


@compiled
def log_prior(log_sd, shapes, rates, limits):
    """Return the log prior density of log sds: inverse gamma variances, truncated above."""
    total = 0.0
    for i in range(log_sd.shape[0]):
        if not log_sd[i] <= limits[i]:
            return -np.inf
        total -= 2.0 * shapes[i] * log_sd[i] + rates[i] * math.exp(-2.0 * log_sd[i])
    return total


@compiled
def ratios_of(log_sd, out):
    """Fill the variance ratios of level and season to the observation noise."""
    for i in range(out.shape[0]):
        out[i] = math.exp(2.0 * (log_sd[1 + i] - log_sd[0]))
