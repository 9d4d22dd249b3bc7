"""Compiled chain over hyperparameters and the set of controls, states and coefficients out.

Each sweep changes the set by Gibbs steps, draws coefficients and the last state, and moves the
hyperparameters by Metropolis given the set: in turn by a step of a random walk and to a point drawn
anew. Moments come from a Chebyshev series over the logs of the variance ratios; outside its
box they are computed anew.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.impact._interpolant import between, lay_out, polynomials_of, rows_of, term_weights
from lift.impact._kernels import (
    LOG_2PI,
    cholesky,
    draw_state,
    factor,
    log_prior,
)
from lift.impact._moments import fill_moments, n_packed
from lift.impact._sets import change_set, entries_of_set, load, start
from lift.impact._swept import sweep

SWEEPS_ANEW = 32
# Steps of a random walk in posterior sds, times the root of the dimension (Gelman, Roberts & Gilks
# 1996, Bayesian Statistics 5:599). Points drawn anew are Student's t with these degrees of freedom.
TUNED = 2.38
PROPOSAL_DF = 5.0


@compiled
def _log_given(
    log_sd, used, n_used, columns, observed, n_observed, duration, m, start_var, precision,
    prior_half, shapes, rates, limits, grid, few, at, polynomials, weights, packed,
    small, every, a, b,
):  # fmt: skip
    """Return the log posterior density of hyperparameters given the set of controls.

    ``few`` holds the columns of the interpolant's table that the set takes, in the order of
    ``entries_of_set``; ``prior_half`` is half the log determinant of the set's prior precision.
    """
    value = log_prior(log_sd, shapes, rates, limits)
    if value == -np.inf:
        return value
    variance = math.exp(2.0 * log_sd[0])
    size = 1 + m + n_used
    _log_ratios(log_sd, at)
    if term_weights(at, grid, polynomials, weights) >= 0:
        n_entries = size * (size + 1) // 2
        between(few, weights, n_entries + 1, packed)
        e = 0
        for i in range(size):
            for k in range(i + 1):
                small[i, k] = packed[e]
                e += 1
        log_variance = packed[n_entries]
    else:
        log_variance = _moments_of_set(columns, observed, at, duration, m, used, n_used, small)
    value += factor(small, m, every, n_used, precision, variance, start_var, a, b)
    value += prior_half + m * (log_sd[0] - 0.5 * math.log(start_var))
    return value - 0.5 * (log_variance + n_observed * (LOG_2PI + 2.0 * log_sd[0]))


@compiled
def _log_ratios(log_sd, out):
    """Fill the logs of the ratios of level and season to the observation noise."""
    for i in range(out.shape[0]):
        out[i] = log_sd[1 + i] - log_sd[0]


@compiled
def _moments_of_set(columns, observed, at, duration, m, used, n_used, small):
    """Fill the cross-products of a set of controls without an interpolant, at log ratios.

    Returns the innovations' log variance.
    """
    n = columns.shape[0]
    size = 1 + m + n_used
    some = np.empty((n, size))
    for i in range(size):
        some[:, i] = columns[:, i if i <= m else 1 + m + used[i - 1 - m]]
    packed = np.empty((1, n_packed(size, m)))
    fill_moments(at.reshape((1, -1)), some, observed, duration, m, packed)
    e = 0
    for i in range(size):
        for k in range(i + 1):
            small[i, k] = packed[0, e]
            e += 1
    return packed[0, e]


@compiled
def _draw(rng, joint, order, q, mean, cov, sd, used, a, normals, work, drawn, coefficients, state):
    """Fill a draw of the coefficients and of the state after the last row."""
    m = mean.shape[0]
    for i in range(q):
        for k in range(i + 1):
            a[i, k] = -joint[order[i], order[k]]
    cholesky(a, q)
    for i in range(q + m):
        normals[i] = rng.standard_normal()
    for k in range(coefficients.shape[0]):
        coefficients[k] = 0.0
    for i in range(q):
        drawn[i] = joint[order[i], 0]
        for k in range(i + 1):
            drawn[i] += sd * a[i, k] * normals[k]
        if i >= m:
            coefficients[used[i - m]] = drawn[i]
    draw_state(mean, cov, m, used, q - m, drawn, sd, normals[q:], work, state)


@compiled
def _propose(rng, log_sd, centre, step, anywhere, normals, proposed):
    """Fill a point: a step away from ``log_sd``, or ``anywhere`` about ``centre``."""
    dim = log_sd.shape[0]
    scale = 1.0
    if anywhere:
        scale = math.sqrt(dim * 0.5 * PROPOSAL_DF / rng.standard_gamma(0.5 * PROPOSAL_DF)) / TUNED
    for i in range(dim):
        normals[i] = scale * rng.standard_normal()
        proposed[i] = centre[i] if anywhere else log_sd[i]
        for k in range(i + 1):
            proposed[i] += step[i, k] * normals[k]


@compiled
def _log_proposal(log_sd, centre, step, z):
    """Return the log density, up to a constant, of points anywhere; ``z`` is a buffer."""
    dim = log_sd.shape[0]
    squared = 0.0
    for i in range(dim):
        z[i] = log_sd[i] - centre[i]
        for k in range(i):
            z[i] -= step[i, k] * z[k]
        z[i] /= step[i, i]
        squared += z[i] * z[i]
    squared *= TUNED * TUNED / dim
    return -0.5 * (PROPOSAL_DF + dim) * math.log1p(squared / PROPOSAL_DF)


@compiled
def run_chain(
    rng, log_sd, inside, n_keep, n_moves, centre, step, columns, observed, duration,
    start_var, precision, log_odds, always, shapes, rates, limits, grid, terms,
    log_sds, coefficients, states,
):  # fmt: skip
    """Run ``n_keep`` sweeps of ``n_moves`` moves; keep a draw of each.

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
    mean = np.zeros((m, width))
    cov = np.zeros((m, m))
    packed = np.zeros((1, n_packed(width, m)))
    at_point = rows_of(1, width, m)
    penalty = np.zeros((width, width))
    penalty[1 + m :, 1 + m :] = precision
    joint = np.zeros((width + 1, width))
    prior = np.zeros((width + 1, width))
    order = np.arange(1, width)
    n_in = m
    for j in range(p):
        if inside[j]:
            order[n_in] = 1 + m + j
            n_in += 1
    a = np.zeros((m + p, m + p))
    b = np.zeros(m + p)
    small = np.zeros((width, width))
    small_precision = np.zeros((p, p))
    every = np.arange(p)
    work = np.zeros((m, m))
    drawn = np.zeros(m + p)
    normals = np.zeros(max(2 * m + p, dim))
    used = np.zeros(p, dtype=np.int64)
    members = np.zeros((2, p), dtype=np.int64)
    packed_cov = np.zeros(m * (m + 1) // 2)
    row = np.zeros(width + m)
    at = np.zeros(dim - 1)
    polynomials = polynomials_of(grid)
    weights = np.zeros(max(1, grid.table.shape[1]))
    few = np.zeros((weights.shape[0], 1))
    proposed = np.zeros(dim)
    accepted = 0
    for keep in range(n_keep):
        variance = math.exp(2.0 * log_sd[0])
        source = terms
        _log_ratios(log_sd, at)
        if term_weights(at, grid, polynomials, weights) < 0:
            fill_moments(at.reshape((1, -1)), columns, observed, duration, m, packed)
            lay_out(packed, at_point)
            source = at_point
            weights[0] = 1.0
        for i in range(m):
            penalty[1 + i, 1 + i] = variance / start_var
        # what is swept of the prior carries over; its rounding must not pile up
        anew = keep % SWEEPS_ANEW == 0
        if anew:
            for k in range(width):
                prior[width, k] = penalty[k, k]
        start(source.rows, weights, penalty, joint, mean, row)
        for i in range(n_in):
            j = order[i]
            between(source.rows[j], weights, row.shape[0], row)
            load(row, penalty, j, joint, mean)
            sweep(joint, order, i, j, True, row)
            if anew:
                prior[j] = penalty[j]
                sweep(prior, order, i, j, True, row)
        n_in, changed = change_set(
            rng, source.rows, weights, penalty, inside, always, log_odds, variance, order, n_in,
            joint, prior, members, mean, row,
        )  # fmt: skip
        if changed or keep == 0:
            n_used = n_in - m
            for i in range(n_used):
                used[i] = order[m + i] - 1 - m
            for i in range(n_used):
                for k in range(n_used):
                    small_precision[i, k] = precision[used[i], used[k]]
                    a[i, k] = small_precision[i, k]
            prior_half = cholesky(a, n_used)
            size = 1 + m + n_used
            if few.shape[1] < size * (size + 1) // 2 + 1:
                few = np.zeros((weights.shape[0], size * (size + 1) // 2 + 1))
            if grid.table.shape[1] > 0:
                entries_of_set(
                    terms.rows, grid.table[0, :, width * (width + 1) // 2], m, used, n_used, few
                )
        log_sds[keep] = log_sd
        between(source.cov, weights, packed_cov.shape[0], packed_cov)
        e = 0
        for i in range(m):
            for k in range(i + 1):
                cov[i, k] = packed_cov[e]
                e += 1
        _draw(
            rng, joint, order, n_in, mean, cov, math.exp(log_sd[0]), used, a, normals, work, drawn,
            coefficients[keep], states[keep],
        )  # fmt: skip
        if changed or keep == 0:
            current = _log_given(
                log_sd, used, n_used, columns, observed, n_observed, duration, m, start_var,
                small_precision, prior_half, shapes, rates, limits, grid, few, at, polynomials,
                weights, packed[0], small, every, a, b,
            )  # fmt: skip
        for move in range(n_moves):
            anywhere = move % 2 == 1
            _propose(rng, log_sd, centre, step, anywhere, normals, proposed)
            value = _log_given(
                proposed, used, n_used, columns, observed, n_observed, duration, m, start_var,
                small_precision, prior_half, shapes, rates, limits, grid, few, at, polynomials,
                weights, packed[0], small, every, a, b,
            )  # fmt: skip
            rise = value - current
            if anywhere and value > -np.inf:
                rise += _log_proposal(log_sd, centre, step, normals)
                rise -= _log_proposal(proposed, centre, step, normals)
            if math.log(rng.random()) < rise:
                current = value
                log_sd[:] = proposed
                accepted += 1
    return accepted / (n_keep * n_moves)
