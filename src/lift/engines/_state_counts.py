"""Compiled loop over hyperparameter points of counts where more than a level moves in time.

As ``count_points`` of ``_points``, with the states of ``_states``. Newton's method needs the mean
of the states' sum given pseudo-data, which the disturbance smoother gives without the states
themselves; a draw of it is a path from the prior, moved by the smoothed difference of the
pseudo-data to those of the path (Durbin & Koopman 2002, doi:10.1093/biomet/89.3.603).
"""

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._kernels import (
    LEVEL,
    NEWTON_PASSES,
    NEWTON_TOLERANCE,
    NOISE,
    amplitudes,
    predictor,
    prior_spread,
    solve_upper,
)
from lift.engines._points import corrected, newton_data, newton_step, prepare_posts
from lift.engines._signals import prior_signal, smoothed_signal
from lift.engines._states import (
    DAMPED,
    FREE_SD,
    NO_TREND,
    NOISE_PHI,
    SLOPE_PHI,
    collapse_states,
    free_columns,
    start_states,
)


@compiled
def count_state_points(
    thetas, normals, layout, lags, y, centre, observed, fixed, fixed_sd, day, group, n_groups,
    log_edges, log_views, log_size, member_index, member_value, mean_sd, start_var,
    trend, ar1, slope_var, walk, walk_position, fraction, free_shares, start,
    log_likelihood, gammas,
):  # fmt: skip
    """Fill the log likelihood of counts at each point and one draw of the coefficients.

    As ``count_points``: the Laplace approximation without ``normals``, the unbiased estimate from
    one draw with them; these are (points, q + n (m + 1)) for m states. With autoregressive noise
    the counts are Poisson about a mean that has it.
    """
    n, p = fixed.shape
    n_posts = day.shape[0]
    q = p + n_posts + mean_sd.shape[0]
    width = 1 + p + n_posts
    m = 1 + (trend != NO_TREND) + ar1 + walk.shape[1]
    slope = 1 if trend != NO_TREND else -1
    ar = 1 + (trend != NO_TREND) if ar1 else -1
    flags = np.array([85, 78], dtype=np.uint8)
    sizes = np.zeros(4, dtype=np.int32)
    ones = np.ones(2)
    v = np.zeros((n, width))
    mean = np.zeros((m, width))
    cov = np.zeros((m, m))
    steps, z, pz = np.zeros(m), np.zeros(m), np.zeros(m)
    s = np.zeros((width, width))
    a = np.zeros((q, q))
    b, gamma, spread = np.zeros(q), np.zeros(q), np.zeros(q)
    kernels = np.zeros((n_posts, log_edges.shape[1] - 1))
    scale = np.zeros(n_groups)
    gain, amplitude = np.zeros(n_posts), np.zeros(n_posts)
    noise = np.ones(n)
    pseudo, linear, residual, state = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    errors, eta, path, pushed = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    level_var = np.zeros(n)
    gains = np.zeros((n, m))
    mine = fixed.copy()
    n_free = free_shares.shape[0]
    for i in range(thetas.shape[0]):
        theta = thetas[i]
        prepare_posts(
            theta, layout, lags, group, log_edges, log_views, log_size, scale, gain, kernels
        )
        if n_free > 0:
            spread_free = theta[layout[FREE_SD]]
            free_columns(day, fraction, gain, free_shares, spread_free, mine, p - n_free)
        prior_spread(theta, layout, fixed_sd, mean_sd, n_posts, spread)
        slope_phi = theta[layout[SLOPE_PHI]] if trend == DAMPED else 1.0
        ar_phi = theta[layout[NOISE_PHI]] if ar1 else 0.0
        size = 1.0 / max(0.0 if ar1 else theta[layout[NOISE]] ** 2, 1e-300)
        level_var[:] = theta[layout[LEVEL]] ** 2
        eta[:] = start
        value = 0.0
        move = np.inf
        for _ in range(NEWTON_PASSES):
            newton_data(y, eta, observed, size, centre, noise, pseudo)
            start_states(
                theta, layout, trend, ar1, walk_position, start_var, slope_var, cov, steps, z
            )
            value = collapse_states(
                pseudo, noise, observed, mine, kernels, day, walk, slope, slope_phi, ar, ar_phi,
                cov, steps, level_var, z, pz, member_index, member_value, spread, v, mean, s, a,
                b, flags, sizes, ones,
            )  # fmt: skip
            gamma[:] = b
            solve_upper(a, gamma)
            for k in range(q):
                gamma[k] *= spread[k]
            amplitudes(gamma, p, member_index, member_value, amplitude)
            predictor(gamma, amplitude, mine, kernels, day, linear)
            for t in range(n):
                residual[t] = pseudo[t] - linear[t]
            start_states(
                theta, layout, trend, ar1, walk_position, start_var, slope_var, cov, steps, z
            )
            smoothed_signal(
                residual, noise, observed, walk, slope, slope_phi, ar, ar_phi, cov, steps,
                level_var, z, pz, mean, errors, gains, pushed, state,
            )  # fmt: skip
            move = newton_step(observed, centre, state, linear, eta)
            if not move > NEWTON_TOLERANCE:
                break
        if not move <= 1e-4:
            log_likelihood[i] = np.nan
            continue
        if normals.shape[0] > 0:
            for k in range(q):
                b[k] += normals[i, k]
            solve_upper(a, b)
            for k in range(q):
                gamma[k] = b[k] * spread[k]
                gammas[i, k] = gamma[k]
            amplitudes(gamma, p, member_index, member_value, amplitude)
            predictor(gamma, amplitude, mine, kernels, day, linear)
            start_states(
                theta, layout, trend, ar1, walk_position, start_var, slope_var, cov, steps, z
            )
            prior_signal(
                normals[i, q : q + n * m], walk, slope, slope_phi, ar, ar_phi, cov, steps,
                level_var, z, mean, path,
            )  # fmt: skip
            for t in range(n):
                shock = math.sqrt(noise[t]) * normals[i, q + n * m + t]
                residual[t] = pseudo[t] - linear[t] - path[t] - shock
            smoothed_signal(
                residual, noise, observed, walk, slope, slope_phi, ar, ar_phi, cov, steps,
                level_var, z, pz, mean, errors, gains, pushed, state,
            )  # fmt: skip
            for t in range(n):
                eta[t] = centre + path[t] + state[t] + linear[t]
        log_likelihood[i] = corrected(value, y, eta, observed, size, centre, noise, pseudo)
