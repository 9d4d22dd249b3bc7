"""Compiled moments between the points at which they were computed: Chebyshev series.

The moments depend on the two variance ratios alone. An axis is ``log(floor + ratio) / 2``: below
the floor the moments hardly change, and without it they would be resolved there for nothing.
In a box of the axes they are sums of products of Chebyshev polynomials, one for each axis.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lift._compile import compiled
from lift.impact._kernels import moments


class Interpolant(NamedTuple):
    """A series of the moments, ready for the compiled kernels.

    Attributes
    ----------
    table : ndarray, shape (terms, entries)
        What each term adds to the packed moments; without terms there is no interpolant.
    degrees : ndarray of int, shape (terms, axes)
        Of each term's polynomials.
    floors : ndarray, shape (axes,)
        Variance ratios below which an axis is compressed.
    low, high : ndarray, shape (axes,)
        The box, on the axes; NaN where there is none.
    sizes : ndarray of int, shape (axes,)
        One more than the largest degree.
    """

    table: Any
    degrees: Any
    floors: Any
    low: Any
    high: Any
    sizes: Any


def no_interpolant(n_states: int) -> Interpolant:
    """Return an interpolant without terms: moments are computed at every point."""
    dim = min(n_states, 2)
    return Interpolant(
        table=np.empty((0, 1)),
        degrees=np.empty((0, dim), dtype=np.int64),
        floors=np.zeros(dim),
        low=np.full(dim, np.nan),
        high=np.full(dim, np.nan),
        sizes=np.ones(dim, dtype=np.int64),
    )


@compiled
def pack(s, log_variance, mean, cov, out):
    """Fill ``out`` with the lower triangle of ``s``, the log variance, ``mean`` and ``cov``."""
    e = 0
    for i in range(s.shape[0]):
        for k in range(i + 1):
            out[e] = s[i, k]
            e += 1
    out[e] = log_variance
    e += 1
    for i in range(mean.shape[0]):
        for k in range(mean.shape[1]):
            out[e] = mean[i, k]
            e += 1
    for i in range(cov.shape[0]):
        for k in range(i + 1):
            out[e] = cov[i, k]
            e += 1


class TermRows(NamedTuple):
    """Terms of the moments laid out row by row, for those who need few of the rows.

    Attributes
    ----------
    rows : ndarray, shape (width + 1, terms, width + m)
        Of each column the cross-products with all of them, then what the predicted mean holds of
        it. The last row holds the diagonal.
    cov : ndarray, shape (terms, m (m + 1) / 2)
        Lower triangles of the predicted covariance.
    """

    rows: Any
    cov: Any


@compiled
def rows_of(n_terms, width, m):
    """Return room for the rows of so many terms."""
    cov = np.zeros((n_terms, m * (m + 1) // 2))
    return TermRows(np.zeros((width + 1, n_terms, width + m)), cov)


@compiled
def lay_out(table, out):
    """Fill the rows of packed moments."""
    n_terms = table.shape[0]
    width = out.rows.shape[0] - 1
    m = out.rows.shape[2] - width
    for term in range(n_terms):
        e = 0
        for i in range(width):
            for k in range(i + 1):
                out.rows[i, term, k] = table[term, e]
                out.rows[k, term, i] = table[term, e]
                e += 1
            out.rows[width, term, i] = table[term, e - 1]
        e += 1
        for i in range(m):
            for k in range(width):
                out.rows[k, term, width + i] = table[term, e]
                e += 1
        for k in range(out.cov.shape[1]):
            out.cov[term, k] = table[term, e + k]


@compiled
def moments_at_points(log_ratios, columns, observed, duration, m, out):
    """Fill ``out[i]`` with packed moments at each point."""
    n, width = columns.shape
    v = np.empty((n, width))
    s = np.zeros((width, width))
    mean = np.zeros((m, width))
    cov = np.zeros((m, m))
    for i in range(log_ratios.shape[0]):
        log_variance = moments(
            columns, observed, np.exp(2.0 * log_ratios[i]), duration, v, s, mean, cov
        )
        pack(s, log_variance, mean, cov, out[i])


@compiled
def polynomials_of(grid):
    """Return room for the polynomials of each axis."""
    return np.ones((grid.sizes.shape[0], grid.sizes.max()))


@compiled
def term_weights(at, grid, polynomials, out):
    """Fill the weights of all terms at log ratios; return whether they lie in the box.

    ``polynomials`` is a buffer from ``polynomials_of``.
    """
    for axis in range(at.shape[0]):
        low = grid.low[axis]
        high = grid.high[axis]
        place = 0.5 * math.log(grid.floors[axis] + math.exp(2.0 * at[axis]))
        x = (2.0 * place - low - high) / (high - low)
        if not -1.0 <= x <= 1.0:
            return False
        own = polynomials[axis]
        before = x
        now = 1.0
        for k in range(grid.sizes[axis]):
            own[k] = now
            ahead = 2.0 * x * now - before
            before = now
            now = ahead
    for term in range(grid.degrees.shape[0]):
        weight = polynomials[0, grid.degrees[term, 0]]
        for axis in range(1, at.shape[0]):
            weight *= polynomials[axis, grid.degrees[term, axis]]
        out[term] = weight
    return True


@compiled
def between(table, weights, n, out):
    """Fill the first ``n`` of ``out`` with entries of the sum of all terms."""
    # four terms at a time: what is filled goes through memory a quarter as often
    count = table.shape[0]
    first = count % 4
    for e in range(n):
        out[e] = 0.0
    for term in range(first):
        w = weights[term]
        for e in range(n):
            out[e] += w * table[term, e]
    for term in range(first, count, 4):
        w, w2, w3, w4 = weights[term], weights[term + 1], weights[term + 2], weights[term + 3]
        for e in range(n):
            out[e] += (w * table[term, e] + w2 * table[term + 1, e]) + (
                w3 * table[term + 2, e] + w4 * table[term + 3, e]
            )
