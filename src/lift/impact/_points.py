"""Compiled loop over hyperparameter points, all sets of controls summed at each."""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift.engines._compile import compiled
from lift.impact._interpolant import node_weights, unpack
from lift.impact._kernels import (
    LOG_2PI,
    draw_coefficients,
    draw_state,
    factor,
    log_prior,
    moments,
    pivot,
    ratios_of,
    reduce_initial,
)

BLOCK = 64


@compiled
def _sweep_sets(work, halves, rests):
    """Eliminate every subset of the variables of a symmetric matrix, all but its last.

    Variables are decided one after another, and what is common to subsets is eliminated once
    (Furnival & Wilson 1974, Technometrics 16:499). ``work[0]`` holds the matrix, lower triangle,
    and the other slots those that variables have been taken out of. Fills half the log determinant
    of each subset's block and what is left of the last diagonal entry. In the code of a subset bit
    e stands for the variable e places before the last.
    """
    n_free = work.shape[1] - 1
    slot = np.zeros(n_free + 1, dtype=np.int64)
    half = np.zeros(n_free + 1)
    halves[0] = 0.0
    rests[0] = work[0, n_free, n_free]
    for code in range(1, halves.shape[0]):
        e = 0
        while not (code >> e) & 1:
            e += 1
        d = n_free - 1 - e
        old = work[slot[d]]
        new = work[d + 1]
        inverse = 1.0 / old[d, d]
        for i in range(d + 1, n_free + 1):
            f = old[i, d] * inverse
            for k in range(d + 1, i + 1):
                new[i, k] = old[i, k] - f * old[k, d]
        half[d + 1 :] = half[d] + 0.5 * math.log(old[d, d])
        slot[d + 1 :] = d + 1
        halves[code] = half[n_free]
        rests[code] = new[n_free, n_free]


@compiled
def _free_block(matrix, always, free, work):
    """Fill ``work[0]`` with the free variables and any last one, the others taken out.

    Changes ``matrix``; returns half the log determinant of the block of the others.
    """
    half = 0.0
    row = np.empty(matrix.shape[0])
    for i in range(always.shape[0]):
        half += 0.5 * math.log(matrix[always[i], always[i]])
        pivot(matrix, always[i], row)
    n_free = free.shape[0]
    last = matrix.shape[0] - 1
    for i in range(n_free + 1):
        row = free[n_free - 1 - i] if i < n_free else last
        for k in range(i + 1):
            work[0, i, k] = matrix[row, free[n_free - 1 - k] if k < n_free else last]
    return half


@compiled
def _prior_of_sets(precision, always, free, log_odds, work, halves, rests, out):
    """Fill ``out`` with the log prior odds of every subset of the free controls.

    Half the log determinant of the precision of its coefficients included.
    """
    p = precision.shape[0]
    bordered = np.zeros((p + 1, p + 1))
    bordered[:p, :p] = precision
    half = _free_block(bordered, always, free, work)
    _sweep_sets(work, halves, rests)
    for code in range(out.shape[0]):
        out[code] = half + halves[code]
        for e in range(free.shape[0]):
            if (code >> e) & 1:
                out[code] += log_odds[free[e]]


@compiled
def _sum_sets(always, free, prior, variance, joint, work, halves, shares):
    """Fill ``shares`` with those of every subset of the free controls; return the log of their sum.

    ``joint`` holds the normal equations of all controls and the outcome.
    """
    half = _free_block(joint, always, free, work)
    _sweep_sets(work, halves, shares)
    for code in range(shares.shape[0]):
        shares[code] = prior[code] - halves[code] - 0.5 * shares[code] / variance
    top = shares.max()
    total = 0.0
    for code in range(shares.shape[0]):
        shares[code] = math.exp(shares[code] - top)
        total += shares[code]
    for code in range(shares.shape[0]):
        shares[code] /= total
    return top + math.log(total) - half


@compiled
def _drawn_set(shares, uniform):
    """Return the code of a subset drawn by its share; they are gone through in Gray-code order."""
    left = uniform
    for g in range(shares.shape[0]):
        code = g ^ (g >> 1)
        left -= shares[code]
        if left < 0.0:
            return code
    return code


@compiled
def _interpolated(log_sds, grid, parts, weights, inside):
    """Return packed moments of a block of points; ``inside`` says which lie in the box."""
    for i in range(log_sds.shape[0]):
        inside[i] = node_weights(log_sds[i, 1:] - log_sds[i, 0], grid, parts, weights[i])
        if not inside[i]:
            weights[i] = 0.0
    return np.dot(weights[: log_sds.shape[0]], grid.table)


@compiled
def evaluate_points(
    log_sds, normals, uniforms, grid, columns, observed, duration, start_var, precision, log_odds,
    always, free, shapes, rates, limits, values, coefficients, states,
):  # fmt: skip
    """Fill the log posterior density at each point and, with ``normals``, one draw at each.

    ``normals`` has ``p + 2 m`` columns. ``coefficients`` (point, p) is zero for a control that is
    left out; ``states`` (point, m) is the state after the last row. Moments come from the
    interpolant ``grid`` where it reaches, a block of points at a time.
    """
    n, width = columns.shape
    m = states.shape[1]
    p = width - 1 - m
    n_observed = 0
    for t in range(n):
        n_observed += observed[t]
    n_nodes = grid.table.shape[0]
    parts = np.zeros(grid.nodes.shape[1])
    weights = np.zeros((BLOCK, n_nodes))
    inside = np.zeros(BLOCK, dtype=np.bool_)
    packed = np.zeros((1, 1))
    v = np.empty((n, width))
    s = np.zeros((width, width))
    mean = np.zeros((m, width))
    cov = np.zeros((m, m))
    ratios = np.zeros(log_sds.shape[1] - 1)
    joint = np.zeros((p + 1, p + 1))
    n_sets = 1 << free.shape[0]
    prior = np.zeros(n_sets)
    shares = np.zeros(n_sets)
    halves = np.zeros(n_sets)
    sweeps = np.zeros((free.shape[0] + 1, free.shape[0] + 1, free.shape[0] + 1))
    _prior_of_sets(precision, always, free, log_odds, sweeps, halves, shares, prior)
    a = np.zeros((m + p, m + p))
    b = np.zeros(m + p)
    work = np.zeros((m, m))
    drawn = np.zeros(m + p)
    used = np.zeros(p, dtype=np.int64)
    for i in range(always.shape[0]):
        used[i] = always[i]
    for i in range(log_sds.shape[0]):
        if n_nodes > 0 and i % BLOCK == 0:
            packed = _interpolated(log_sds[i : i + BLOCK], grid, parts, weights, inside)
        value = log_prior(log_sds[i], shapes, rates, limits)
        if value == -np.inf:
            values[i] = value
            continue
        variance = math.exp(2.0 * log_sds[i, 0])
        if n_nodes > 0 and inside[i % BLOCK]:
            value -= 0.5 * unpack(packed[i % BLOCK], s, mean, cov)
        else:
            ratios_of(log_sds[i], ratios)
            value -= 0.5 * moments(columns, observed, ratios, duration, v, s, mean, cov)
        value -= 0.5 * n_observed * (LOG_2PI + 2.0 * log_sds[i, 0])
        value += 0.5 * m * math.log(variance / start_var)
        n_used = always.shape[0]
        if free.shape[0] > 0:
            value -= reduce_initial(s, m, precision, variance, start_var, joint)
            values[i] = value + _sum_sets(
                always, free, prior, variance, joint, sweeps, halves, shares
            )
        else:
            fit = factor(s, m, used, n_used, precision, variance, start_var, a, b)
            values[i] = value + prior[0] + fit
        if normals.shape[0] > 0:
            if free.shape[0] > 0:
                code = _drawn_set(shares, uniforms[i])
                for e in range(free.shape[0]):
                    if (code >> e) & 1:
                        used[n_used] = free[e]
                        n_used += 1
                factor(s, m, used, n_used, precision, variance, start_var, a, b)
            sd = math.exp(log_sds[i, 0])
            draw_coefficients(a, b, m + n_used, sd, normals[i], drawn)
            coefficients[i] = 0.0
            for k in range(n_used):
                coefficients[i, used[k]] = drawn[m + k]
            draw_state(mean, cov, m, used, n_used, drawn, sd, normals[i, m + p :], work, states[i])
