"""Compiled loop over hyperparameter points, all sets of controls summed at each.

Points are taken a block at a time, and what is done to all of them is done along the last axis of
arrays (..., point). Variables are put in the order: initial states, controls that cannot be left
out, free controls from the last to the first, outcome.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift._lanes import LANES
from lift.impact._interpolant import between, between_four, polynomials_of, term_weights
from lift.impact._kernels import LOG_2PI, cholesky, log_prior
from lift.impact._moments import fill_moments, n_packed
from lift.impact._subsets import draw_sets, eliminate, prior_of_sets, sweep_sets, weigh_sets

BLOCK = 64


@compiled
def _order_of(m, always, free):
    """Return the rows of the moments in the order of the variables."""
    fixed = m + always.shape[0]
    q = fixed + free.shape[0]
    order = np.zeros(q + 1, dtype=np.int64)
    for i in range(m):
        order[i] = 1 + i
    for i in range(m, fixed):
        order[i] = 1 + m + always[i - m]
    for i in range(fixed, q):
        order[i] = 1 + m + free[q - 1 - i]
    return order


@compiled
def _fill_moments(
    log_sds, valid, grid, columns, observed, duration, m, polynomials, weights, outside, own, rows,
    packed,
):  # fmt: skip
    """Fill the moments (entry, point) of a block: interpolated in the grid's box, else computed.

    ``outside`` (point, axis) and ``own`` (point, entry) are buffers for those computed.
    """
    count = log_sds.shape[0]
    n_entries = packed.shape[0]
    pieces = np.zeros(count, dtype=np.int64)
    places = np.zeros(count, dtype=np.int64)
    n_outside = 0
    for x in range(count):
        ratios = outside[n_outside]
        for i in range(ratios.shape[0]):
            ratios[i] = log_sds[x, 1 + i] - log_sds[x, 0]
        pieces[x] = term_weights(ratios, grid, polynomials, weights[x])
        if pieces[x] < 0 and valid[x]:
            places[n_outside] = x
            n_outside += 1
    together = np.zeros(count, dtype=np.int64)
    for piece in range(grid.table.shape[0]):
        table = grid.table[piece]
        n_in = 0
        for x in range(count):
            if pieces[x] == piece:
                together[n_in] = x
                n_in += 1
                if n_in == 4 and n_entries >= LANES:
                    between_four(table, weights, together, n_entries, rows)
                    n_in = 0
        for i in range(n_in):
            between(table, weights[together[i]], n_entries, rows[together[i]])
    if n_outside > 0:
        fill_moments(outside[:n_outside], columns, observed, duration, m, own)
        for i in range(n_outside):
            rows[places[i]] = own[i]
    for e in range(n_entries):
        for x in range(count):
            packed[e, x] = rows[x, e]


@compiled
def _fill_equations(packed, order, m, precision, shares, count, a):
    """Fill the lower triangles of the normal equations; the priors' part is in units of noise."""
    q = order.shape[0] - 1
    for i in range(q + 1):
        for k in range(i + 1):
            high = max(order[i], order[k])
            source = packed[high * (high + 1) // 2 + min(order[i], order[k])]
            target = a[i, k]
            more = precision[order[i] - 1 - m, order[k] - 1 - m] if k >= m and i < q else 0.0
            for x in range(count):
                target[x] = source[x] + more
        if i < m:
            target = a[i, i]
            for x in range(count):
                target[x] += shares[x]


@compiled
def _draw_free(a, fixed, codes, normals, sds, count, drawn):
    """Fill draws of the free controls that are in the model, 0 for the others."""
    q = a.shape[0] - 1
    n_free = q - fixed
    members = np.zeros(n_free, dtype=np.int64)
    root = np.zeros((n_free, n_free))
    b = np.zeros(n_free)
    for x in range(count):
        n_in = 0
        for e in range(n_free):
            drawn[q - 1 - e, x] = 0.0
            if (codes[x] >> e) & 1:
                members[n_in] = q - 1 - e
                n_in += 1
        for i in range(n_in):
            for k in range(i + 1):
                root[i, k] = a[members[k], members[i], x]
            b[i] = a[q, members[i], x]
        cholesky(root, n_in)
        for i in range(n_in):
            for k in range(i):
                b[i] -= root[i, k] * b[k]
            b[i] /= root[i, i]
        for i in range(n_in):
            b[i] += sds[x] * normals[x, fixed + i]
        for i in range(n_in - 1, -1, -1):
            b[i] /= root[i, i]
            drawn[members[i], x] = b[i]
            for k in range(i):
                b[k] -= b[i] * root[i, k]


@compiled
def _draw_fixed(a, fixed, normals, sds, count, drawn):
    """Fill draws of the first variables given the others, from their Cholesky columns."""
    q = a.shape[0] - 1
    for i in range(fixed - 1, -1, -1):
        own = drawn[i]
        centre = a[q, i]
        pivot = a[i, i]
        for x in range(count):
            own[x] = centre[x] + sds[x] * normals[x, i]
        for k in range(i + 1, q):
            column = a[k, i]
            other = drawn[k]
            for x in range(count):
                own[x] -= column[x] * other[x]
        for x in range(count):
            own[x] /= pivot[x]


@compiled
def _draw_states(mean, cov, order, normals, sds, drawn, count, out):
    """Fill draws of the state after the last row, (state, point), given the coefficients.

    ``mean`` (state, column, point); ``cov``, packed lower triangles (entry, point), gives way to
    its Cholesky factor. From a known start it is singular on the first days: pivots are zero.
    """
    m = mean.shape[0]
    for i in range(m):
        for k in range(i + 1):
            own = cov[i * (i + 1) // 2 + k]
            for e in range(k):
                left = cov[i * (i + 1) // 2 + e]
                right = cov[k * (k + 1) // 2 + e]
                for x in range(count):
                    own[x] -= left[x] * right[x]
            pivot = cov[k * (k + 1) // 2 + k]
            for x in range(count):
                if i == k:
                    own[x] = math.sqrt(max(own[x], 0.0))
                else:
                    own[x] = own[x] / pivot[x] if pivot[x] > 1e-12 else 0.0
        state = out[i]
        for x in range(count):
            state[x] = mean[i, 0, x]
        for c in range(order.shape[0] - 1):
            column = mean[i, order[c]]
            other = drawn[c]
            for x in range(count):
                state[x] -= column[x] * other[x]
        for k in range(i + 1):
            root = cov[i * (i + 1) // 2 + k]
            for x in range(count):
                state[x] += sds[x] * root[x] * normals[x, k]


@compiled
def evaluate_points(
    log_sds, normals, uniforms, grid, columns, observed, duration, start_var, precision, log_odds,
    always, free, shapes, rates, limits, values, coefficients, states,
):  # fmt: skip
    """Fill the log posterior density at each point and, with ``normals``, one draw at each.

    ``normals`` has ``p + 2 m`` columns. ``coefficients`` (point, p) is zero for a control that is
    left out; ``states`` (point, m) is the state after the last row. Moments come from the
    interpolant ``grid`` where it reaches.
    """
    n, width = columns.shape
    m = states.shape[1]
    p = width - 1 - m
    n_free = free.shape[0]
    fixed = m + p - n_free
    n_observed = 0
    for t in range(n):
        n_observed += observed[t]
    order = _order_of(m, always, free)
    prior = np.zeros(1 << n_free)
    prior_of_sets(precision, always, free, log_odds, prior)
    n_sums = width * (width + 1) // 2 + 1
    n_entries = n_packed(width, m)
    n_wanted = n_entries if normals.shape[0] > 0 else n_sums
    polynomials = polynomials_of(grid)
    weights = np.zeros((BLOCK, grid.table.shape[1]))
    valid = np.zeros(BLOCK, dtype=np.bool_)
    outside = np.zeros((BLOCK, log_sds.shape[1] - 1))
    own_rows = np.zeros((BLOCK, n_entries))
    rows = np.zeros((BLOCK, n_entries))
    packed = np.zeros((n_wanted, BLOCK))
    variances = np.zeros(BLOCK)
    sds = np.zeros(BLOCK)
    shares = np.zeros(BLOCK)
    halves = np.zeros(BLOCK)
    tops = np.zeros(BLOCK)
    totals = np.zeros(BLOCK)
    codes = np.zeros(BLOCK, dtype=np.int64)
    a = np.zeros((m + p + 1, m + p + 1, BLOCK))
    work = np.zeros((n_free + 1, n_free + 1, n_free + 1, BLOCK))
    slots = np.zeros((n_free + 1, BLOCK))
    dets = np.zeros((prior.shape[0], BLOCK))
    rests = np.zeros((prior.shape[0], BLOCK))
    drawn = np.zeros((m + p, BLOCK))
    last = np.zeros((m, BLOCK))
    for begin in range(0, log_sds.shape[0], BLOCK):
        block = log_sds[begin : begin + BLOCK]
        count = block.shape[0]
        for x in range(count):
            values[begin + x] = log_prior(block[x], shapes, rates, limits)
            valid[x] = values[begin + x] > -np.inf
            sds[x] = math.exp(block[x, 0])
            variances[x] = sds[x] * sds[x]
            shares[x] = variances[x] / start_var
        _fill_moments(
            block, valid, grid, columns, observed, duration, m, polynomials, weights, outside,
            own_rows, rows, packed,
        )  # fmt: skip
        _fill_equations(packed, order, m, precision, shares, count, a)
        halves[:] = 0.0
        eliminate(a, fixed, count, halves)
        work[0] = a[fixed:, fixed:]
        sweep_sets(work, slots, count, dets, rests)
        weigh_sets(prior, variances, dets, rests, count, tops, totals)
        for x in range(count):
            value = 0.5 * m * math.log(shares[x]) - halves[x] - 0.5 * packed[n_sums - 1, x]
            value -= 0.5 * n_observed * (LOG_2PI + 2.0 * block[x, 0])
            values[begin + x] += value + tops[x] + math.log(totals[x])
        if normals.shape[0] == 0:
            continue
        own = normals[begin : begin + count]
        draw_sets(rests, uniforms[begin : begin + count], totals, count, codes)
        _draw_free(a, fixed, codes, own, sds, count, drawn)
        _draw_fixed(a, fixed, own, sds, count, drawn)
        means = packed[n_sums : n_sums + m * width].reshape((m, width, BLOCK))
        spreads = packed[n_sums + m * width :]
        _draw_states(means, spreads, order, own[:, m + p :], sds, drawn, count, last)
        for x in range(count):
            if valid[x]:
                for i in range(p):
                    coefficients[begin + x, order[m + i] - 1 - m] = drawn[m + i, x]
                for i in range(m):
                    states[begin + x, i] = last[i, x]
