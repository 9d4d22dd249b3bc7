"""Compiled chain over hyperparameters and the set of controls, states and coefficients out.

Each sweep changes the set by Gibbs steps on single controls and by exchanges of two, with the
cross-products of the innovations fixed (O(1) a step after principal pivots), then moves the
hyperparameters by random-walk Metropolis given the set. Moments come from a Chebyshev interpolant
over the logs of the variance ratios; outside its box they are computed anew.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift.engines._compile import compiled
from lift.impact._interpolant import between, node_weights, unpack
from lift.impact._kernels import (
    LOG_2PI,
    cholesky,
    draw_coefficients,
    draw_state,
    factor,
    log_prior,
    moments,
    pivot,
    ratios_of,
    reduce_initial,
)

PIVOTS_ANEW = 32


@compiled
def _log_given(
    log_sd, used, n_used, columns, observed, n_observed, duration, m, start_var, precision,
    prior_half, shapes, rates, limits, grid, few, parts, weights, packed,
    small, every, ratios, a, b,
):  # fmt: skip
    """Return the log posterior density of hyperparameters given the set of controls.

    ``few`` holds the columns of the interpolant's table that the set takes, in the order of
    ``_entries_of_set``; ``prior_half`` is half the log determinant of the set's prior precision.
    """
    value = log_prior(log_sd, shapes, rates, limits)
    if value == -np.inf:
        return value
    variance = math.exp(2.0 * log_sd[0])
    at = log_sd[1:] - log_sd[0]
    size = 1 + m + n_used
    if grid.table.shape[0] > 0 and node_weights(at, grid, parts, weights):
        n_entries = size * (size + 1) // 2
        between(few, weights, n_entries + 1, packed)
        e = 0
        for i in range(size):
            for k in range(i + 1):
                small[i, k] = packed[e]
                e += 1
        log_variance = packed[n_entries]
    else:
        ratios_of(log_sd, ratios)
        n = columns.shape[0]
        some = np.empty((n, size))
        for i in range(size):
            some[:, i] = columns[:, i if i <= m else 1 + m + used[i - 1 - m]]
        own = np.zeros((size, size))
        mean = np.zeros((m, size))
        cov = np.zeros((m, m))
        log_variance = moments(
            some, observed, ratios, duration, np.empty((n, size)), own, mean, cov
        )
        small[:size, :size] = own
    value += factor(small[:size, :size], m, every, n_used, precision, variance, start_var, a, b)
    value += prior_half + 0.5 * m * math.log(variance / start_var)
    return value - 0.5 * (log_variance + n_observed * (LOG_2PI + 2.0 * log_sd[0]))


@compiled
def _entries_of_set(table, width, m, used, n_used, few):
    """Fill ``few`` with the entries of the outcome, initial states and a set of controls.

    The lower triangle of their cross-products, row by row, and the innovations' log variance.
    """
    out = 0
    for i in range(1 + m + n_used):
        row = i if i <= m else 1 + m + used[i - 1 - m]
        for k in range(i + 1):
            column = k if k <= m else 1 + m + used[k - 1 - m]
            last = max(row, column)
            few[:, out] = table[:, last * (last + 1) // 2 + min(row, column)]
            out += 1
    few[:, out] = table[:, width * (width + 1) // 2]


@compiled
def _change_set(rng, joint, prior, inside, always, log_odds, variance, n_exchanges, row):
    """Make one Gibbs scan over single controls and ``n_exchanges`` exchanges of in for out.

    Returns whether any control went in or out.
    """
    p = prior.shape[0]
    changed = False
    for j in range(p):
        if always[j]:
            continue
        # odds of the exchange against staying
        rise = 0.5 * joint[p, j] * joint[j, p] / (joint[j, j] * variance)
        rise += -log_odds[j] if inside[j] else log_odds[j]
        odds = math.exp(min(rise, 700.0)) * math.sqrt(prior[j, j] / joint[j, j])
        if rng.random() * (1.0 + odds) < odds:
            pivot(joint, j, row)
            pivot(prior, j, row)
            inside[j] = not inside[j]
            changed = True
    members = np.empty(p, dtype=np.int64)
    others = np.empty(p, dtype=np.int64)
    for _ in range(n_exchanges):
        n_in = 0
        n_out = 0
        for j in range(p):
            if inside[j]:
                if not always[j]:
                    members[n_in] = j
                    n_in += 1
            elif log_odds[j] > -np.inf:
                others[n_out] = j
                n_out += 1
        if n_in == 0 or n_out == 0:
            return changed
        i = members[min(int(rng.random() * n_in), n_in - 1)]
        j = others[min(int(rng.random() * n_out), n_out - 1)]
        det = joint[i, i] * joint[j, j] - joint[i, j] * joint[j, i]
        det_prior = prior[i, i] * prior[j, j] - prior[i, j] * prior[j, i]
        fit = joint[p, i] * (joint[j, j] * joint[i, p] - joint[i, j] * joint[j, p])
        fit += joint[p, j] * (joint[i, i] * joint[j, p] - joint[j, i] * joint[i, p])
        rise = 0.5 * fit / (det * variance) + 0.5 * math.log(det_prior / det)
        rise += log_odds[j] - log_odds[i]
        if math.log(rng.random()) < rise:
            pivot(joint, j, row)
            pivot(joint, i, row)
            pivot(prior, j, row)
            pivot(prior, i, row)
            inside[i] = False
            inside[j] = True
            changed = True
    return changed


@compiled
def run_chain(
    rng, log_sd, inside, n_keep, n_sweeps, n_moves, n_exchanges, step, columns, observed, duration,
    start_var, precision, log_odds, always, shapes, rates, limits, grid,
    log_sds, coefficients, states,
):  # fmt: skip
    """Run ``n_keep`` times ``n_sweeps`` sweeps of ``n_moves`` moves; keep a draw after each.

    Changes ``log_sd`` and ``inside`` in place to where the chain ends; returns the share of moves
    that were accepted.
    """
    n, width = columns.shape
    m = states.shape[1]
    p = width - 1 - m
    dim = log_sd.shape[0]
    n_observed = 0
    for t in range(n):
        n_observed += observed[t]
    v = np.empty((n, width) if grid.table.shape[0] == 0 else (1, 1))
    s = np.zeros((width, width))
    mean = np.zeros((m, width))
    cov = np.zeros((m, m))
    ratios = np.zeros(dim - 1)
    joint = np.zeros((p + 1, p + 1))
    prior = np.zeros((p, p))
    row = np.zeros(p + 1)
    a = np.zeros((m + p, m + p))
    b = np.zeros(m + p)
    small = np.zeros((width, width))
    small_precision = np.zeros((p, p))
    every = np.arange(p)
    work = np.zeros((m, m))
    drawn = np.zeros(m + p)
    normals = np.zeros(2 * m + p)
    used = np.zeros(p, dtype=np.int64)
    parts = np.zeros(grid.nodes.shape[1])
    weights = np.zeros(max(1, grid.table.shape[0]))
    few = np.zeros((weights.shape[0], 1))
    packed = np.zeros(grid.table.shape[1])
    proposed = np.zeros(dim)
    accepted = 0
    n_used = 0
    for sweep in range(n_keep * n_sweeps + 1):
        variance = math.exp(2.0 * log_sd[0])
        at = log_sd[1:] - log_sd[0]
        if grid.table.shape[0] > 0 and node_weights(at, grid, parts, weights):
            between(grid.table, weights, packed.shape[0], packed)
            unpack(packed, s, mean, cov)
        else:
            if v.shape[0] < n:
                v = np.empty((n, width))
            ratios_of(log_sd, ratios)
            moments(columns, observed, ratios, duration, v, s, mean, cov)
        if sweep > 0 and sweep % n_sweeps == 0:
            kept = sweep // n_sweeps - 1
            factor(s, m, used, n_used, precision, variance, start_var, a, b)
            for i in range(2 * m + p):
                normals[i] = rng.standard_normal()
            sd = math.exp(log_sd[0])
            draw_coefficients(a, b, m + n_used, sd, normals, drawn)
            log_sds[kept] = log_sd
            coefficients[kept] = 0.0
            for k in range(n_used):
                coefficients[kept, used[k]] = drawn[m + k]
            draw_state(mean, cov, m, used, n_used, drawn, sd, normals[m + p :], work, states[kept])
        if sweep == n_keep * n_sweeps:
            break
        reduce_initial(s, m, precision, variance, start_var, joint)
        # principal pivots of the prior carry over; their rounding must not pile up
        anew = sweep % PIVOTS_ANEW == 0
        if anew:
            prior[:] = precision
        for j in range(p):
            if inside[j]:
                pivot(joint, j, row)
                if anew:
                    pivot(prior, j, row)
        changed = _change_set(
            rng, joint, prior, inside, always, log_odds, variance, n_exchanges, row
        )
        if changed or sweep == 0:
            n_used = 0
            for j in range(p):
                if inside[j]:
                    used[n_used] = j
                    n_used += 1
            for i in range(n_used):
                for k in range(n_used):
                    small_precision[i, k] = precision[used[i], used[k]]
                    a[i, k] = small_precision[i, k]
            prior_half = cholesky(a, n_used)
            if grid.table.shape[0] > 0:
                size = 1 + m + n_used
                if few.shape[1] < size * (size + 1) // 2 + 1:
                    few = np.zeros((weights.shape[0], size * (size + 1) // 2 + 1))
                _entries_of_set(grid.table, width, m, used, n_used, few)
        current = _log_given(
            log_sd, used, n_used, columns, observed, n_observed, duration, m, start_var,
            small_precision, prior_half, shapes, rates, limits, grid, few, parts, weights,
            packed, small, every, ratios, a, b,
        )  # fmt: skip
        for _ in range(n_moves):
            for i in range(dim):
                normals[i] = rng.standard_normal()
            for i in range(dim):
                proposed[i] = log_sd[i]
                for k in range(i + 1):
                    proposed[i] += step[i, k] * normals[k]
            value = _log_given(
                proposed, used, n_used, columns, observed, n_observed, duration, m, start_var,
                small_precision, prior_half, shapes, rates, limits, grid, few, parts, weights,
                packed, small, every, ratios, a, b,
            )  # fmt: skip
            if math.log(rng.random()) < value - current:
                current = value
                log_sd[:] = proposed
                accepted += 1
    return accepted / (n_keep * n_sweeps * n_moves)
