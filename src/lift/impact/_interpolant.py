"""Compiled moments at Chebyshev nodes of the log variance ratios, and between them.

The moments depend on the two variance ratios alone. An axis is ``log(floor + ratio) / 2``: below
the floor the moments hardly change, and without it they would be resolved there for nothing.
Barycentric weights of a product of Chebyshev
grids (Berrut & Trefethen 2004, doi:10.1137/S0036144502417715) turn those at the nodes into those at
any point of the box.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lift.engines._compile import compiled
from lift.impact._kernels import moments


class Interpolant(NamedTuple):
    """Moments at nodes, ready for the compiled kernels.

    Attributes
    ----------
    table : ndarray, shape (nodes, entries)
        Packed moments at each node; without nodes there is no interpolant.
    floors : ndarray, shape (axes,)
        Variance ratios below which an axis is compressed.
    low, high : ndarray, shape (axes,)
        The box, on the axes; NaN where there is none.
    n_nodes : ndarray of int, shape (axes,)
    nodes, slopes : ndarray, shape (axes, largest n_nodes)
        Nodes on (-1, 1) and their barycentric weights.
    """

    table: Any
    floors: Any
    low: Any
    high: Any
    n_nodes: Any
    nodes: Any
    slopes: Any


def no_interpolant(n_states: int) -> Interpolant:
    """Return an interpolant without nodes: moments are computed at every point."""
    dim = min(n_states, 2)
    return Interpolant(
        table=np.empty((0, 1)),
        floors=np.zeros(dim),
        low=np.full(dim, np.nan),
        high=np.full(dim, np.nan),
        n_nodes=np.ones(dim, dtype=np.int64),
        nodes=np.zeros((dim, 1)),
        slopes=np.ones((dim, 1)),
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


@compiled
def unpack(packed, s, mean, cov):
    """Fill the moments from ``packed``, as ``pack`` left them; return the log variance."""
    e = 0
    for i in range(s.shape[0]):
        for k in range(i + 1):
            s[i, k] = packed[e]
            e += 1
    log_variance = packed[e]
    e += 1
    for i in range(mean.shape[0]):
        for k in range(mean.shape[1]):
            mean[i, k] = packed[e]
            e += 1
    for i in range(cov.shape[0]):
        for k in range(i + 1):
            cov[i, k] = packed[e]
            e += 1
    return log_variance


class NodeRows(NamedTuple):
    """Moments at nodes laid out row by row, for those who need few of the rows.

    Attributes
    ----------
    rows : ndarray, shape (width + 1, nodes, width + m)
        Of each column the cross-products with all of them, then what the predicted mean holds of
        it. The last row holds the diagonal.
    cov : ndarray, shape (nodes, m (m + 1) / 2)
        Lower triangles of the predicted covariance.
    """

    rows: Any
    cov: Any


@compiled
def node_rows(n_nodes, width, m):
    """Return room for the rows of so many nodes."""
    cov = np.zeros((n_nodes, m * (m + 1) // 2))
    return NodeRows(np.zeros((width + 1, n_nodes, width + m)), cov)


@compiled
def lay_out(table, out):
    """Fill the rows of packed moments."""
    n_nodes = table.shape[0]
    width = out.rows.shape[0] - 1
    m = out.rows.shape[2] - width
    for node in range(n_nodes):
        e = 0
        for i in range(width):
            for k in range(i + 1):
                out.rows[i, node, k] = table[node, e]
                out.rows[k, node, i] = table[node, e]
                e += 1
            out.rows[width, node, i] = table[node, e - 1]
        e += 1
        for i in range(m):
            for k in range(width):
                out.rows[k, node, width + i] = table[node, e]
                e += 1
        for k in range(out.cov.shape[1]):
            out.cov[node, k] = table[node, e + k]


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
def node_weights(at, grid, parts, out):
    """Fill the weights of all nodes at log ratios; return whether they lie in the box."""
    total = 1
    out[0] = 1.0
    for axis in range(at.shape[0]):
        count = grid.n_nodes[axis]
        low = grid.low[axis]
        high = grid.high[axis]
        place = 0.5 * math.log(grid.floors[axis] + math.exp(2.0 * at[axis]))
        x = (2.0 * place - low - high) / (high - low)
        if not -1.0 <= x <= 1.0:
            return False
        norm = 0.0
        hit = -1
        for i in range(count):
            gap = x - grid.nodes[axis, i]
            if abs(gap) < 1e-14:
                hit = i
                break
            parts[i] = grid.slopes[axis, i] / gap
            norm += parts[i]
        inverse = 1.0 / norm
        for i in range(count):
            if hit >= 0:
                parts[i] = 1.0 if i == hit else 0.0
            else:
                parts[i] *= inverse
        for i in range(total - 1, -1, -1):
            base = out[i]
            for k in range(count - 1, -1, -1):
                out[i * count + k] = base * parts[k]
        total *= count
    return True


@compiled
def between(table, weights, n, out):
    """Fill the first ``n`` of ``out`` with entries between the nodes."""
    # four nodes at a time: what is filled goes through memory a quarter as often
    count = table.shape[0]
    first = count % 4
    for e in range(n):
        out[e] = 0.0
    for node in range(first):
        w = weights[node]
        for e in range(n):
            out[e] += w * table[node, e]
    for node in range(first, count, 4):
        w, w2, w3, w4 = weights[node], weights[node + 1], weights[node + 2], weights[node + 3]
        for e in range(n):
            out[e] += (w * table[node, e] + w2 * table[node + 1, e]) + (
                w3 * table[node + 2, e] + w4 * table[node + 3, e]
            )
