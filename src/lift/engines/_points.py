"""Compiled loops over hyperparameter points: Gaussian and count likelihoods."""

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._kernels import (
    DISPLACEMENT,
    FIRST_DAY,
    FLATTEST,
    LEVEL,
    LOG_2PI,
    NEWTON_MAX_STEP,
    NEWTON_PASSES,
    NEWTON_TOLERANCE,
    NOISE,
    SHAPE,
    VIEWS,
    amplitudes,
    count_log_mass,
    factor,
    gamma_kernels,
    level,
    normal_equations,
    post_kernels,
    predictor,
    prior_spread,
    solve_lower,
    solve_upper,
)
from lift.engines._products import filter_buffers, level_products


@compiled
def prepare_posts(theta, layout, lags, group, log_edges, log_views, log_size, scale, gain, kernels):
    """Fill the scaled kernels of all posts at one point.

    ``lags`` holds the two of displacement, then whether the kernel is gamma.
    """
    n_posts = gain.shape[0]
    if n_posts == 0:
        return
    n_groups = scale.shape[0]
    for g in range(n_groups):
        scale[g] = math.exp(theta[layout[FIRST_DAY] + g])
    elasticity = theta[layout[VIEWS]] if layout[VIEWS] >= 0 else 0.0
    for j in range(n_posts):
        gain[j] = elasticity * log_views[j] + log_size[j]
    shape = math.exp(theta[layout[SHAPE]]) if layout[SHAPE] >= 0 else 1.0
    displaced = theta[layout[DISPLACEMENT]] if layout[DISPLACEMENT] >= 0 else 0.0
    if lags[2]:
        gamma_kernels(log_edges, scale, shape, displaced, lags, gain, group, kernels)
    else:
        post_kernels(log_edges, scale, shape, displaced, lags, gain, group, kernels)


@compiled
def _collapse(
    y, noise, observed, fixed, kernels, day, level_var, start_var,
    member_index, member_value, spread, work, s, a, b,
):  # fmt: skip
    """Return the log likelihood with level and coefficients integrated out; leave L and L^-1 b."""
    log_variance = level_products(
        y, noise, observed, fixed, kernels, day, level_var, start_var, work, s
    )
    normal_equations(s, fixed.shape[1], member_index, member_value, spread, a, b)
    half_log_det = factor(a, work.flags, work.sizes)
    squared = solve_lower(a, b)
    n_observed = 0
    for t in range(observed.shape[0]):
        n_observed += observed[t]
    return -0.5 * (n_observed * LOG_2PI + log_variance + s[0, 0] - squared) - half_log_det


@compiled
def newton_data(y, eta, observed, size, centre, noise, pseudo):
    """Fill the pseudo-data of counts about a linear predictor, and their variances."""
    for t in range(y.shape[0]):
        if observed[t]:
            expected = math.exp(eta[t])
            share = expected / size
            information = (y[t] / size + 1.0) * expected / (1.0 + share) ** 2
            slope = (y[t] - expected) / (1.0 + share)
            information = max(information, slope * slope / FLATTEST)
            noise[t] = 1.0 / information
            pseudo[t] = eta[t] + slope * noise[t] - centre


@compiled
def newton_step(observed, centre, state, linear, eta):
    """Move the linear predictor towards where the pseudo-data put it; return how far that is."""
    move = 0.0
    for t in range(eta.shape[0]):
        if observed[t]:
            move = max(move, abs(centre + state[t] + linear[t] - eta[t]))
    if move > NEWTON_TOLERANCE:
        step = min(1.0, NEWTON_MAX_STEP / move)
        for t in range(eta.shape[0]):
            eta[t] += step * (centre + state[t] + linear[t] - eta[t])
    return move


@compiled
def corrected(value, y, eta, observed, size, centre, noise, pseudo):
    """Return a log likelihood of pseudo-data with the counts in their place."""
    for t in range(y.shape[0]):
        if observed[t]:
            error = pseudo[t] + centre - eta[t]
            value += count_log_mass(y[t], eta[t], size)
            value += 0.5 * (LOG_2PI + math.log(noise[t]) + error * error / noise[t])
    return value


@compiled
def lognormal_points(
    thetas, normals, layout, lags, y, poisson_var, observed, fixed, fixed_sd, day, group, n_groups,
    log_edges, log_views, log_size, member_index, member_value, mean_sd, start_var,
    log_likelihood, gammas,
):  # fmt: skip
    """Fill the collapsed log likelihood at each point and one draw of the coefficients.

    ``normals`` (points, q) makes the draws; with no row of it only likelihoods are computed.
    """
    n, p = fixed.shape
    n_posts = day.shape[0]
    q = p + n_posts + mean_sd.shape[0]
    width = 1 + p + n_posts
    work = filter_buffers(n, 1 + p, n_posts, log_edges.shape[1] - 1)
    s = np.zeros((width, width))
    a = np.zeros((q, q))
    b = np.zeros(q)
    spread = np.zeros(q)
    kernels = np.zeros((n_posts, log_edges.shape[1] - 1))
    scale = np.zeros(n_groups)
    gain = np.zeros(n_posts)
    noise = np.zeros(n)
    level_var = np.zeros(n)
    for i in range(thetas.shape[0]):
        theta = thetas[i]
        prepare_posts(
            theta, layout, lags, group, log_edges, log_views, log_size, scale, gain, kernels
        )
        prior_spread(theta, layout, fixed_sd, mean_sd, n_posts, spread)
        noise_var = theta[layout[NOISE]] ** 2
        for t in range(n):
            noise[t] = noise_var + poisson_var[t]
        level_var[:] = theta[layout[LEVEL]] ** 2
        log_likelihood[i] = _collapse(
            y, noise, observed, fixed, kernels, day, level_var, start_var,
            member_index, member_value, spread, work, s, a, b,
        )  # fmt: skip
        if normals.shape[0] > 0:
            for k in range(q):
                b[k] += normals[i, k]
            solve_upper(a, b)
            for k in range(q):
                gammas[i, k] = b[k] * spread[k]


@compiled
def count_points(
    thetas, normals, layout, lags, y, centre, observed, fixed, fixed_sd, day, group, n_groups,
    log_edges, log_views, log_size, member_index, member_value, mean_sd, start_var, start,
    log_likelihood, gammas,
):  # fmt: skip
    """Fill the log likelihood of counts at each point and one draw of the coefficients.

    The Gaussian approximation at the joint mode of level and coefficients comes from Newton's
    method on pseudo-data (Durbin & Koopman 2012, ch. 10). Without ``normals`` the result is the
    Laplace approximation. With ``normals`` (points, q + n) it is the unbiased importance-sampling
    estimate from one draw of level and coefficients (Shephard & Pitt 1997, Biometrika 84:653), so
    that weights built on it are exact.
    """
    n, p = fixed.shape
    n_posts = day.shape[0]
    q = p + n_posts + mean_sd.shape[0]
    width = 1 + p + n_posts
    work = filter_buffers(n, 1 + p, n_posts, log_edges.shape[1] - 1)
    s = np.zeros((width, width))
    a = np.zeros((q, q))
    b = np.zeros(q)
    gamma = np.zeros(q)
    spread = np.zeros(q)
    kernels = np.zeros((n_posts, log_edges.shape[1] - 1))
    scale = np.zeros(n_groups)
    gain = np.zeros(n_posts)
    noise = np.ones(n)
    pseudo = np.zeros(n)
    level_vars = np.zeros(n)
    linear = np.zeros(n)
    residual = np.zeros(n)
    state = np.zeros(n)
    filtered = np.zeros(n)
    variances = np.zeros(n)
    eta = np.zeros(n)
    amplitude = np.zeros(n_posts)
    zeros = np.zeros(n)
    draws = normals.shape[0] > 0
    for i in range(thetas.shape[0]):
        theta = thetas[i]
        prepare_posts(
            theta, layout, lags, group, log_edges, log_views, log_size, scale, gain, kernels
        )
        prior_spread(theta, layout, fixed_sd, mean_sd, n_posts, spread)
        level_var = theta[layout[LEVEL]] ** 2
        level_vars[:] = level_var
        size = 1.0 / max(theta[layout[NOISE]] ** 2, 1e-300)
        eta[:] = start
        value = 0.0
        move = np.inf
        for _ in range(NEWTON_PASSES):
            newton_data(y, eta, observed, size, centre, noise, pseudo)
            value = _collapse(
                pseudo, noise, observed, fixed, kernels, day, level_vars, start_var,
                member_index, member_value, spread, work, s, a, b,
            )  # fmt: skip
            gamma[:] = b
            solve_upper(a, gamma)
            for k in range(q):
                gamma[k] *= spread[k]
            amplitudes(gamma, p, member_index, member_value, amplitude)
            predictor(gamma, amplitude, fixed, kernels, day, linear)
            for t in range(n):
                residual[t] = pseudo[t] - linear[t]
            level(
                residual, noise, observed, level_var, start_var, zeros, filtered, variances, state
            )
            move = newton_step(observed, centre, state, linear, eta)
            if not move > NEWTON_TOLERANCE:
                break
        if not move <= 1e-4:
            log_likelihood[i] = np.nan
            continue
        if draws:
            for k in range(q):
                b[k] += normals[i, k]
            solve_upper(a, b)
            for k in range(q):
                gamma[k] = b[k] * spread[k]
                gammas[i, k] = gamma[k]
            amplitudes(gamma, p, member_index, member_value, amplitude)
            predictor(gamma, amplitude, fixed, kernels, day, linear)
            for t in range(n):
                residual[t] = pseudo[t] - linear[t]
            level(
                residual, noise, observed, level_var, start_var, normals[i, q:], filtered,
                variances, state,
            )  # fmt: skip
            for t in range(n):
                eta[t] = centre + state[t] + linear[t]
        log_likelihood[i] = corrected(value, y, eta, observed, size, centre, noise, pseudo)
