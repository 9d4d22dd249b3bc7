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
    collapse,
    draw_coefficients,
    draw_state,
    gain_of,
    log_prior,
    moments,
    pivot,
    ratios_of,
    reduce_initial,
)

BLOCK = 64


@compiled
def _sum_sets(s, m, always, free, log_odds, precision, variance, start_var, joint, prior, logs):
    """Fill ``logs`` with the log weight of every subset of the free controls.

    Subsets run in Gray-code order, one exchange each; entry g belongs to the code ``g ^ (g >> 1)``.
    """
    p = precision.shape[0]
    half = reduce_initial(s, m, precision, variance, start_var, joint)
    prior[:] = precision
    value = -half + 0.5 * m * math.log(variance / start_var)
    for i in range(always.shape[0]):
        value += 0.5 * math.log(prior[always[i], always[i]] / joint[always[i], always[i]])
        pivot(joint, always[i])
        pivot(prior, always[i])
    fit = -0.5 * joint[p, p] / variance
    logs[0] = value + fit
    inside = np.zeros(free.shape[0], dtype=np.bool_)
    for g in range(1, logs.shape[0]):
        e = 0
        while not (g >> e) & 1:
            e += 1
        j = free[e]
        logs[g] = logs[g - 1] + gain_of(joint, prior, j, variance)
        logs[g] += -log_odds[j] if inside[e] else log_odds[j]
        inside[e] = not inside[e]
        pivot(joint, j)
        pivot(prior, j)


@compiled
def _interpolated(log_sds, grid, parts, weights, inside):
    """Return packed moments of a block of points; ``inside`` says which lie in the box."""
    for i in range(log_sds.shape[0]):
        inside[i] = node_weights(log_sds[i, 1:] - log_sds[i, 0], grid, parts, weights[i])
        if not inside[i]:
            weights[i] = 0.0
    return np.dot(weights[: log_sds.shape[0]], grid.table.T)


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
    n_nodes = grid.table.shape[1]
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
    prior = np.zeros((p, p))
    a = np.zeros((m + p, m + p))
    b = np.zeros(m + p)
    work = np.zeros((m, m))
    drawn = np.zeros(m + p)
    used = np.zeros(p, dtype=np.int64)
    logs = np.zeros(1 << free.shape[0])
    for i in range(always.shape[0]):
        used[i] = always[i]
    for i in range(log_sds.shape[0]):
        if n_nodes > 0 and i % BLOCK == 0:
            packed = _interpolated(log_sds[i : i + BLOCK], grid, parts, weights, inside)
        value = log_prior(log_sds[i], shapes, rates, limits)
        if value == -np.inf:
            values[i] = value
            continue
        ratios_of(log_sds[i], ratios)
        variance = math.exp(2.0 * log_sds[i, 0])
        if n_nodes > 0 and inside[i % BLOCK]:
            value -= 0.5 * unpack(packed[i % BLOCK], s, mean, cov)
        else:
            value -= 0.5 * moments(columns, observed, ratios, duration, v, s, mean, cov)
        value -= 0.5 * n_observed * (LOG_2PI + 2.0 * log_sds[i, 0])
        n_used = always.shape[0]
        if free.shape[0] > 0:
            _sum_sets(
                s, m, always, free, log_odds, precision, variance, start_var, joint, prior, logs
            )
            top = logs.max()
            total = 0.0
            for g in range(logs.shape[0]):
                total += math.exp(logs[g] - top)
            values[i] = value + top + math.log(total)
            if normals.shape[0] > 0:
                left = uniforms[i] * total
                g = 0
                while g < logs.shape[0] - 1:
                    left -= math.exp(logs[g] - top)
                    if left < 0.0:
                        break
                    g += 1
                code = g ^ (g >> 1)
                for e in range(free.shape[0]):
                    if (code >> e) & 1:
                        used[n_used] = free[e]
                        n_used += 1
        if free.shape[0] == 0 or normals.shape[0] > 0:
            fit = collapse(s, m, used, n_used, precision, variance, start_var, a, b)
            if free.shape[0] == 0:
                values[i] = value + fit
        if normals.shape[0] > 0:
            sd = math.exp(log_sds[i, 0])
            draw_coefficients(a, b, m + n_used, sd, normals[i], drawn)
            coefficients[i] = 0.0
            for k in range(n_used):
                coefficients[i, used[k]] = drawn[m + k]
            draw_state(mean, cov, m, used, n_used, drawn, sd, normals[i, m + p :], work, states[i])
