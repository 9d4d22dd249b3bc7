"""Compiled moments between the points at which they were computed: Chebyshev series.

The moments depend on the two variance ratios alone. An axis is ``log(floor + ratio) / 2``: below
the floor the moments hardly change, and without it they would be resolved there for nothing.
In a box of the axes, cut into equal pieces, they are sums of products of Chebyshev polynomials, one
for each axis: those of a piece are of a lower degree than those of the whole box would be.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lift._compile import compiled
from lift._lanes import LANES, every, put_from, run_from


class Interpolant(NamedTuple):
    """A series of the moments, ready for the compiled kernels.

    Attributes
    ----------
    table : ndarray, shape (pieces, terms, entries)
        What each term of a piece adds to the packed moments; without terms there is no interpolant.
        The last axis' pieces run fastest.
    degrees : ndarray of int, shape (terms, axes)
        Of each term's polynomials, the same in all pieces.
    floors : ndarray, shape (axes,)
        Variance ratios below which an axis is compressed.
    low, high : ndarray, shape (axes,)
        The box, on the axes; NaN where there is none.
    sizes : ndarray of int, shape (axes,)
        One more than the largest degree.
    cuts : int
        Pieces along each axis.
    """

    table: Any
    degrees: Any
    floors: Any
    low: Any
    high: Any
    sizes: Any
    cuts: int


def no_interpolant(n_states: int) -> Interpolant:
    """Return an interpolant without terms: moments are computed at every point."""
    dim = min(n_states, 2)
    return Interpolant(
        table=np.empty((1, 0, 1)),
        degrees=np.empty((0, dim), dtype=np.int64),
        floors=np.zeros(dim),
        low=np.full(dim, np.nan),
        high=np.full(dim, np.nan),
        sizes=np.ones(dim, dtype=np.int64),
        cuts=1,
    )


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
def polynomials_of(grid):
    """Return room for the polynomials of each axis."""
    return np.ones((grid.sizes.shape[0], grid.sizes.max()))


@compiled
def term_weights(at, grid, polynomials, out):
    """Fill the weights of all terms at log ratios; return their piece, -1 where none holds them.

    ``polynomials`` is a buffer from ``polynomials_of``.
    """
    piece = 0
    for axis in range(at.shape[0]):
        low = grid.low[axis]
        place = 0.5 * math.log(grid.floors[axis] + math.exp(2.0 * at[axis]))
        reached = grid.cuts * ((place - low) / (grid.high[axis] - low))
        if not 0.0 <= reached <= grid.cuts:
            return -1
        own = min(int(reached), grid.cuts - 1)
        piece = piece * grid.cuts + own
        x = 2.0 * (reached - own) - 1.0
        values = polynomials[axis]
        before = x
        now = 1.0
        for k in range(grid.sizes[axis]):
            values[k] = now
            ahead = 2.0 * x * now - before
            before = now
            now = ahead
    for term in range(grid.degrees.shape[0]):
        weight = polynomials[0, grid.degrees[term, 0]]
        for axis in range(1, at.shape[0]):
            weight *= polynomials[axis, grid.degrees[term, axis]]
        out[term] = weight
    return piece


@compiled
def _eight_between(table, weights, first, out):
    """Fill eight entries of the sum of all terms."""
    width = table.shape[1]
    total = every(0.0)
    for term in range(table.shape[0]):
        total = total + every(weights[term]) * run_from(table, term * width + first)
    put_from(out, first, total)


@compiled
def between_four(table, weights, four, n, rows):
    """Do for four points, rows of ``weights``, what ``between`` does for one.

    The table goes through the processor once for all of them.
    """
    width = table.shape[1]
    a, b, c, d = four[0], four[1], four[2], four[3]
    for begin in range(0, n, LANES):
        # the last run overlaps the one before it: what both fill is the same
        first = min(begin, n - LANES)
        at_a, at_b, at_c, at_d = every(0.0), every(0.0), every(0.0), every(0.0)
        for term in range(table.shape[0]):
            entries = run_from(table, term * width + first)
            at_a = at_a + every(weights[a, term]) * entries
            at_b = at_b + every(weights[b, term]) * entries
            at_c = at_c + every(weights[c, term]) * entries
            at_d = at_d + every(weights[d, term]) * entries
        put_from(rows[a], first, at_a)
        put_from(rows[b], first, at_b)
        put_from(rows[c], first, at_c)
        put_from(rows[d], first, at_d)


@compiled
def between(table, weights, n, out):
    """Fill the first ``n`` of ``out`` with entries of the sum of all terms (term, entry)."""
    width = table.shape[1]
    first = 0
    # four runs of entries at a time: a sum need not wait for the last addition to end
    while first + 4 * LANES <= n:
        a, b, c, d = every(0.0), every(0.0), every(0.0), every(0.0)
        for term in range(table.shape[0]):
            weight = every(weights[term])
            at = term * width + first
            a = a + weight * run_from(table, at)
            b = b + weight * run_from(table, at + LANES)
            c = c + weight * run_from(table, at + 2 * LANES)
            d = d + weight * run_from(table, at + 3 * LANES)
        put_from(out, first, a)
        put_from(out, first + LANES, b)
        put_from(out, first + 2 * LANES, c)
        put_from(out, first + 3 * LANES, d)
        first += 4 * LANES
    while first + LANES <= n:
        _eight_between(table, weights, first, out)
        first += LANES
    if n >= LANES and first < n:
        # the last run overlaps the one before it: what both fill is the same
        _eight_between(table, weights, n - LANES, out)
    elif first < n:
        for e in range(n):
            total = 0.0
            for term in range(table.shape[0]):
                total += weights[term] * table[term, e]
            out[e] = total
