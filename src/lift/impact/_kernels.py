"""Compiled algebra of the single-intervention model: priors, one set of controls, states.

Everything is in units where the observation variance is one, and depends on the moments that
``_moments`` fills.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled

LOG_2PI = math.log(2.0 * math.pi)
# One logarithm is taken of the product of so many factors.
LOGS_TOGETHER = 8


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
