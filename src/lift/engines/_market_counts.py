"""Compiled loop over hyperparameter points of several markets of which some are counts.

As ``market_points`` of ``_markets``, with Newton's method on pseudo-data of all count markets at
once, and the importance-sampling estimate of ``count_points`` of ``_points``: given the
hyperparameters, coefficients, common path and levels are drawn from the Gaussian about their joint
mode, in this order, each given those before it. Markets whose outcome is the log of downloads are
Gaussian as they are: their levels are integrated out.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._kernels import (
    NEWTON_PASSES,
    NEWTON_TOLERANCE,
    amplitudes,
    level,
    predictor,
    solve_upper,
)
from lift.engines._markets import (
    MARKET_SD,
    SHARED_LEVEL,
    SHARED_NOISE,
    collapse_markets,
    market_spread,
    spill,
    widest_market,
)
from lift.engines._points import corrected, newton_data, newton_step, prepare_posts


@compiled
def common_path(gamma, p, amplitude, normals, steps, crossed, size, less, effort, path):
    """Fill the path given coefficients: its mean, or with ``normals`` a draw."""
    n = path.shape[0]
    for t in range(effort.shape[0]):
        total = crossed[t, 0]
        for c in range(p):
            total -= crossed[t, 1 + c] * gamma[c]
        for j in range(amplitude.shape[0]):
            total -= crossed[t, 1 + p + j] * amplitude[j]
        effort[t] = total + (normals[t] if normals.shape[0] > 0 else 0.0)
    if effort.shape[0] == 0:
        return
    solve_upper(steps, effort)
    total = 0.0
    for t in range(n):
        total += size[t] * effort[t]
        if t > 0:
            total -= size[t - 1] * less[t - 1] * effort[t - 1]
        path[t] = total


@compiled
def fill_linear(gamma, columns, fixed, amplitude, kernels, pairs, day, path, linear):
    """Fill what coefficients and common path add to the log mean of every market."""
    n_markets, n = linear.shape
    for m in range(n_markets):
        first, last = pairs[m], pairs[m + 1]
        mine = fixed[n * columns[m] : n * columns[m + 1]].reshape((n, columns[m + 1] - columns[m]))
        predictor(
            gamma[columns[m] : columns[m + 1]], amplitude[first:last], mine, kernels[first:last],
            day[first:last], linear[m],
        )  # fmt: skip
        for t in range(n):
            linear[m, t] += path[t]


@compiled
def market_count_points(
    thetas, normals, layout, common, own, lags, y, poisson_var, observed, columns, fixed,
    fixed_sd, pairs, day, group, n_groups, log_edges, log_views, log_size, member_index,
    member_value, spilled, n_posts, mean_sd, start_var, counted, centre, start,
    log_likelihood, gammas,
):  # fmt: skip
    """Fill the log likelihood at each point and one draw of the coefficients.

    ``counted`` says which markets are counts, ``centre`` and ``start`` (market, day) what their log
    means are measured from and where Newton's method starts. ``normals`` has q numbers for the
    coefficients, n for the common path where there is one, and n for each market of counts.
    Without them the result is the Laplace approximation.
    """
    n_markets, n = y.shape
    p = columns[n_markets]
    n_pairs = pairs[n_markets]
    q = p + n_pairs + n_posts + mean_sd.shape[0]
    widest = widest_market(columns, pairs)
    flags = np.array([85, 78, 82], dtype=np.uint8)
    sizes = np.zeros(4, dtype=np.int32)
    ones = np.ones(2)
    signs = np.array([1.0, -1.0])
    shares_path = common[SHARED_LEVEL] >= 0 or common[SHARED_NOISE] >= 0
    n_path = n if shares_path else 0
    steps = np.zeros((n_path, n_path))
    crossed = np.zeros((n_path, 1 + p + n_pairs))
    keep, root, size, less = np.zeros(n), np.zeros(n), np.zeros(n_path), np.zeros(n_path)
    effort, path = np.zeros(n_path), np.zeros(n)
    back = np.zeros(widest)
    member = member_value.copy()
    v_all = np.zeros(n * widest)
    s_all = np.zeros(widest * widest)
    mean = np.zeros(widest)
    whole = np.zeros((1 + p + n_pairs, 1 + p + n_pairs))
    a = np.zeros((q, q))
    b, gamma, spread = np.zeros(q), np.zeros(q), np.zeros(q)
    kernels = np.zeros((n_pairs, log_edges.shape[1] - 1))
    scale = np.zeros(n_groups)
    gain, amplitude = np.zeros(n_pairs), np.zeros(n_pairs)
    noise = np.ones((n_markets, n))
    pseudo = y.copy()
    eta, linear, state = np.zeros((n_markets, n)), np.zeros((n_markets, n)), np.zeros(n)
    residual, filtered, variances, zeros = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    nothing = np.zeros(0)
    for i in range(thetas.shape[0]):
        theta = thetas[i]
        prepare_posts(
            theta, layout, lags, group, log_edges, log_views, log_size, scale, gain, kernels
        )
        spill(theta, common, spilled, member_value, member)
        market_spread(
            theta, layout, common[MARKET_SD], own, columns, fixed_sd, n_pairs, n_posts, mean_sd,
            spread,
        )  # fmt: skip
        for m in range(n_markets):
            noise_var = theta[own[m, 0]] ** 2
            for t in range(n):
                noise[m, t] = 1.0 if counted[m] else noise_var + poisson_var[m, t]
                eta[m, t] = start[m, t]
        value = 0.0
        move = np.inf
        for _ in range(NEWTON_PASSES):
            for m in range(n_markets):
                if counted[m]:
                    dispersion = 1.0 / max(theta[own[m, 0]] ** 2, 1e-300)
                    newton_data(
                        y[m], eta[m], observed[m], dispersion, centre[m], noise[m], pseudo[m]
                    )
            value = collapse_markets(
                theta, common, own, pseudo, noise, observed, columns, fixed, kernels, pairs, day,
                member_index, member, spread, start_var, v_all, s_all, mean, keep, root, back,
                size, less, steps, crossed, flags, sizes, ones, signs, whole, a, b,
            )  # fmt: skip
            if math.isnan(value):
                break
            gamma[:] = b
            solve_upper(a, gamma)
            for k in range(q):
                gamma[k] *= spread[k]
            amplitudes(gamma, p, member_index, member, amplitude)
            common_path(gamma, p, amplitude, nothing, steps, crossed, size, less, effort, path)
            fill_linear(gamma, columns, fixed, amplitude, kernels, pairs, day, path, linear)
            move = 0.0
            for m in range(n_markets):
                if not counted[m]:
                    continue
                for t in range(n):
                    residual[t] = pseudo[m, t] - linear[m, t]
                level(
                    residual, noise[m], observed[m], theta[own[m, 1]] ** 2, start_var, zeros,
                    filtered, variances, state,
                )  # fmt: skip
                move = max(move, newton_step(observed[m], centre[m], state, linear[m], eta[m]))
            if not move > NEWTON_TOLERANCE:
                break
        if math.isnan(value) or not move <= 1e-4:
            log_likelihood[i] = np.nan
            continue
        draws = normals.shape[0] > 0
        if draws:
            for k in range(q):
                b[k] += normals[i, k]
            solve_upper(a, b)
            for k in range(q):
                gamma[k] = b[k] * spread[k]
                gammas[i, k] = gamma[k]
            amplitudes(gamma, p, member_index, member, amplitude)
            common_path(
                gamma, p, amplitude, normals[i, q : q + n_path], steps, crossed, size, less,
                effort, path,
            )  # fmt: skip
            fill_linear(gamma, columns, fixed, amplitude, kernels, pairs, day, path, linear)
        at = q + n_path
        for m in range(n_markets):
            if not counted[m]:
                continue
            if draws:
                for t in range(n):
                    residual[t] = pseudo[m, t] - linear[m, t]
                level(
                    residual, noise[m], observed[m], theta[own[m, 1]] ** 2, start_var,
                    normals[i, at : at + n], filtered, variances, state,
                )  # fmt: skip
                at += n
                for t in range(n):
                    eta[m, t] = centre[m] + state[t] + linear[m, t]
            dispersion = 1.0 / max(theta[own[m, 0]] ** 2, 1e-300)
            value = corrected(
                value, y[m], eta[m], observed[m], dispersion, centre[m], noise[m], pseudo[m]
            )
        log_likelihood[i] = value
