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

from lift.engines._compile import compiled
from lift.impact._interpolant import node_weights, pack
from lift.impact._kernels import (
    LOG_2PI,
    LOGS_TOGETHER,
    cholesky,
    log_prior,
    moments,
    ratios_of,
)

BLOCK = 64


@compiled
def _eliminate(a, first, count, halves):
    """Make Cholesky columns of the first variables of symmetric matrices, lower triangles.

    What is left of the others stays in their places. Adds half the log determinant of the first
    variables' block to ``halves``; a matrix that is not positive leaves NaN.
    """
    size = a.shape[0]
    product = np.ones(count)
    for d in range(first):
        pivot = a[d, d]
        for x in range(count):
            pivot[x] = math.sqrt(pivot[x])
            product[x] *= pivot[x]
        for i in range(d + 1, size):
            column = a[i, d]
            for x in range(count):
                column[x] /= pivot[x]
            for k in range(d + 1, i + 1):
                left = a[i, k]
                other = a[k, d]
                for x in range(count):
                    left[x] -= column[x] * other[x]
        if d % LOGS_TOGETHER == LOGS_TOGETHER - 1 or d == first - 1:
            for x in range(count):
                halves[x] += math.log(product[x])
                product[x] = 1.0


@compiled
def _sweep_sets(work, dets, count, out, rests):
    """Eliminate every subset of the variables of symmetric matrices, all but their last.

    Variables are decided one after another, and what is common to subsets is eliminated once
    (Furnival & Wilson 1974, Technometrics 16:499). ``work[0]`` holds the matrices, lower triangles,
    and the other slots those that variables have been taken out of; ``dets`` is a buffer for the
    determinants of what was taken out. Fills the determinant of each subset's block and what is
    left of the last diagonal entry. In the code of a subset bit e stands for the variable e places
    before the last.
    """
    n_free = work.shape[1] - 1
    slot = np.zeros(n_free + 1, dtype=np.int64)
    inverse = np.empty(count)
    factor = np.empty(count)
    dets[0] = 1.0
    out[0] = 1.0
    rests[0, :count] = work[0, n_free, n_free, :count]
    for code in range(1, out.shape[0]):
        e = 0
        while not (code >> e) & 1:
            e += 1
        d = n_free - 1 - e
        old = work[slot[d]]
        new = work[d + 1]
        pivot = old[d, d]
        before = dets[slot[d]]
        after = dets[d + 1]
        for x in range(count):
            inverse[x] = 1.0 / pivot[x]
            after[x] = before[x] * pivot[x]
        for i in range(d + 1, n_free + 1):
            row = old[i, d]
            for x in range(count):
                factor[x] = row[x] * inverse[x]
            for k in range(d + 1, i + 1):
                left = new[i, k]
                was = old[i, k]
                other = old[k, d]
                for x in range(count):
                    left[x] = was[x] - factor[x] * other[x]
        slot[d + 1 :] = d + 1
        out[code, :count] = after[:count]
        rests[code, :count] = new[n_free, n_free, :count]


@compiled
def _prior_of_sets(precision, always, free, log_odds, out):
    """Fill ``out`` with the log prior odds of every subset of the free controls.

    Half the log determinant of the precision of its coefficients included.
    """
    fixed = always.shape[0]
    n_free = free.shape[0]
    p = precision.shape[0]
    a = np.zeros((p + 1, p + 1, 1))
    for i in range(p):
        row = always[i] if i < fixed else free[p - 1 - i]
        for k in range(i + 1):
            a[i, k, 0] = precision[row, always[k] if k < fixed else free[p - 1 - k]]
    half = np.zeros(1)
    _eliminate(a, fixed, 1, half)
    work = np.zeros((n_free + 1, n_free + 1, n_free + 1, 1))
    work[0] = a[fixed:, fixed:]
    dets = np.zeros((out.shape[0], 1))
    rests = np.zeros((out.shape[0], 1))
    _sweep_sets(work, np.zeros((n_free + 1, 1)), 1, dets, rests)
    for code in range(out.shape[0]):
        out[code] = half[0] + 0.5 * math.log(dets[code, 0])
        for e in range(n_free):
            if (code >> e) & 1:
                out[code] += log_odds[free[e]]


@compiled
def _weigh_sets(prior, variances, dets, rests, count, tops, totals):
    """Turn ``rests`` into the weights of the subsets, over ``exp(tops)``; fill their sums too."""
    tops[:count] = -np.inf
    for code in range(rests.shape[0]):
        log_weight = rests[code]
        odds = prior[code]
        for x in range(count):
            log_weight[x] = odds - 0.5 * log_weight[x] / variances[x]
            if log_weight[x] > tops[x]:
                tops[x] = log_weight[x]
    totals[:count] = 0.0
    for code in range(rests.shape[0]):
        weight = rests[code]
        det = dets[code]
        for x in range(count):
            weight[x] = math.exp(weight[x] - tops[x])
        for x in range(count):
            weight[x] /= math.sqrt(det[x])
            totals[x] += weight[x]


@compiled
def _draw_sets(weights, uniforms, totals, count, codes):
    """Fill the codes of subsets drawn by their weights, gone through in Gray-code order."""
    left = np.empty(count)
    for x in range(count):
        left[x] = uniforms[x] * totals[x]
    for g in range(weights.shape[0]):
        code = g ^ (g >> 1)
        weight = weights[code]
        for x in range(count):
            if left[x] >= 0.0:
                left[x] -= weight[x]
                codes[x] = code


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
    log_sds, valid, grid, table, columns, observed, duration, parts, weights, inside, v, s, mean,
    cov, one, packed,
):  # fmt: skip
    """Fill the moments (entry, point) of a block: interpolated in the grid's box, else computed."""
    count = log_sds.shape[0]
    ratios = np.zeros(log_sds.shape[1] - 1)
    for x in range(count):
        inside[x] = False
        if table.shape[0] > 0:
            inside[x] = node_weights(log_sds[x, 1:] - log_sds[x, 0], grid, parts, weights[x])
        if not inside[x]:
            weights[x] = 0.0
    between = np.dot(weights[:count], table)
    for e in range(packed.shape[0]):
        for x in range(count):
            packed[e, x] = between[x, e]
    for x in range(count):
        if valid[x] and not inside[x]:
            ratios_of(log_sds[x], ratios)
            log_variance = moments(columns, observed, ratios, duration, v, s, mean, cov)
            pack(s, log_variance, mean, cov, one)
            packed[:, x] = one[: packed.shape[0]]


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
    _prior_of_sets(precision, always, free, log_odds, prior)
    n_sums = width * (width + 1) // 2 + 1
    n_entries = n_sums + m * width + m * (m + 1) // 2
    n_wanted = n_entries if normals.shape[0] > 0 else n_sums
    table = np.zeros((grid.table.shape[0], n_wanted))
    if grid.table.shape[0] > 0:
        table[:] = grid.table[:, :n_wanted]
    parts = np.zeros(grid.nodes.shape[1])
    weights = np.zeros((BLOCK, table.shape[0]))
    inside = np.zeros(BLOCK, dtype=np.bool_)
    valid = np.zeros(BLOCK, dtype=np.bool_)
    v = np.empty((n, width))
    s = np.zeros((width, width))
    mean = np.zeros((m, width))
    cov = np.zeros((m, m))
    one = np.zeros(n_entries)
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
            block, valid, grid, table, columns, observed, duration, parts, weights, inside, v, s,
            mean, cov, one, packed,
        )  # fmt: skip
        _fill_equations(packed, order, m, precision, shares, count, a)
        halves[:] = 0.0
        _eliminate(a, fixed, count, halves)
        work[0] = a[fixed:, fixed:]
        _sweep_sets(work, slots, count, dets, rests)
        _weigh_sets(prior, variances, dets, rests, count, tops, totals)
        for x in range(count):
            value = 0.5 * m * math.log(shares[x]) - halves[x] - 0.5 * packed[n_sums - 1, x]
            value -= 0.5 * n_observed * (LOG_2PI + 2.0 * block[x, 0])
            values[begin + x] += value + tops[x] + math.log(totals[x])
        if normals.shape[0] == 0:
            continue
        own = normals[begin : begin + count]
        _draw_sets(rests, uniforms[begin : begin + count], totals, count, codes)
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
