"""Compiled loop over hyperparameter points where more than a level moves in time.

One Kalman filter with a small state runs over all columns with common gains, as the scalar filter
of ``_kernels`` does for the level alone. State order: level, slope, noise (first-order
autoregression), walking coefficients. Per day it takes ``m`` operations per column and ``m^2`` for
the covariance, which no column enters.
"""

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._kernels import (
    LEVEL,
    LOG_2PI,
    NOISE,
    cross_products,
    factor,
    normal_equations,
    prior_spread,
    solve_lower,
    solve_upper,
)
from lift.engines._points import prepare_posts

SLOPE_SD, SLOPE_PHI, NOISE_PHI, FREE_SD = range(9, 13)
NO_TREND, DAMPED, LINEAR = range(3)


@compiled
def start_states(theta, layout, trend, ar1, walk_position, start_var, slope_var, cov, steps, z):
    """Fill covariance of the first day, variances of the daily steps and fixed loadings."""
    cov[:] = 0.0
    steps[:] = 0.0
    z[:] = 0.0
    cov[0, 0] = start_var
    steps[0] = theta[layout[LEVEL]] ** 2
    z[0] = 1.0
    at = 1
    if trend != NO_TREND:
        steps[at] = theta[layout[SLOPE_SD]] ** 2
        cov[at, at] = slope_var
        if trend == DAMPED:
            phi = theta[layout[SLOPE_PHI]]
            cov[at, at] = steps[at] / (1.0 - phi * phi)
        at += 1
    if ar1:
        phi = theta[layout[NOISE_PHI]]
        variance = theta[layout[NOISE]] ** 2
        cov[at, at] = variance
        steps[at] = (1.0 - phi * phi) * variance
        z[at] = 1.0
        at += 1
    for i in range(walk_position.shape[0]):
        steps[at + i] = theta[walk_position[i]] ** 2


@compiled
def next_day(slope, slope_phi, noise, noise_phi, steps, used, mean, cov):
    """Move means and covariance of the states to the next day; -1 marks a state that is not."""
    m = cov.shape[0]
    if slope > 0:
        for c in range(used):
            mean[0, c] += mean[slope, c]
            mean[slope, c] *= slope_phi
        for k in range(m):
            cov[0, k] += cov[slope, k]
            cov[slope, k] *= slope_phi
        for k in range(m):
            cov[k, 0] += cov[k, slope]
            cov[k, slope] *= slope_phi
    if noise > 0:
        for c in range(used):
            mean[noise, c] *= noise_phi
        for k in range(m):
            cov[noise, k] *= noise_phi
        for k in range(m):
            cov[k, noise] *= noise_phi
    for k in range(m):
        cov[k, k] += steps[k]


@compiled
def state_innovations(
    y, noise, observed, fixed, kernels, day, walk, slope, slope_phi, ar, ar_phi, cov, steps,
    level_var, z, pz, v, mean,
):  # fmt: skip
    """Fill ``v`` with standardised innovations of all columns; return the sum of log variances.

    ``level_var[t]`` is the variance of the step of the level from day t to the next.
    """
    n, p = fixed.shape
    n_posts, window = kernels.shape
    m = cov.shape[0]
    n_walks = walk.shape[1]
    mean[:] = 0.0
    log_variance = 0.0
    ended = 0
    begun = 0
    for t in range(n):
        while begun < n_posts and day[begun] <= t:
            begun += 1
        while ended < begun and t - day[ended] >= window:
            ended += 1
        used = 1 + p + begun
        row = v[t]
        row[:] = 0.0
        if observed[t]:
            for i in range(n_walks):
                z[m - n_walks + i] = walk[t, i]
            total = noise[t]
            for i in range(m):
                value = 0.0
                for k in range(m):
                    value += cov[i, k] * z[k]
                pz[i] = value
                total += z[i] * value
            if not total > 0.0:
                return np.nan
            row[0] = y[t]
            row[1 : 1 + p] = fixed[t]
            for j in range(ended, begun):
                row[1 + p + j] = kernels[j, t - day[j]]
            for i in range(m):
                load = z[i]
                if load != 0.0:
                    for c in range(used):
                        row[c] -= load * mean[i, c]
            for i in range(m):
                gain = pz[i] / total
                for c in range(used):
                    mean[i, c] += gain * row[c]
                for k in range(m):
                    cov[i, k] -= gain * pz[k]
            scale = 1.0 / math.sqrt(total)
            for c in range(used):
                row[c] *= scale
            log_variance += math.log(total)
        steps[0] = level_var[t]
        next_day(slope, slope_phi, ar, ar_phi, steps, used, mean, cov)
    return log_variance


@compiled
def free_columns(day, fraction, log_gain, shares, spread, out, first):
    """Fill the columns of ``out`` from ``first`` on: what the mean response deviates by day."""
    n = out.shape[0]
    n_free = shares.shape[0]
    out[:, first:] = 0.0
    for j in range(day.shape[0]):
        gain = math.exp(log_gain[j])
        for a in range(min(n_free, n - day[j])):
            out[day[j] + a, first + a] += gain * (1.0 - fraction[j])
            if day[j] + a + 1 < n:
                out[day[j] + a + 1, first + a] += gain * fraction[j]
    for t in range(n):
        total = 0.0
        for a in range(n_free):
            total += out[t, first + a] * shares[a]
        for a in range(n_free):
            out[t, first + a] = spread * shares[a] * (out[t, first + a] - total)


@compiled
def collapse_states(
    y, noise, observed, fixed, kernels, day, walk, slope, slope_phi, ar, ar_phi, cov, steps,
    level_var, z, pz, member_index, member_value, spread, v, mean, s, a, b, flags, sizes, ones,
):  # fmt: skip
    """Return the log likelihood with states and coefficients integrated out; leave L and L^-1 b.

    ``cov`` is used up.
    """
    log_variance = state_innovations(
        y, noise, observed, fixed, kernels, day, walk, slope, slope_phi, ar, ar_phi, cov, steps,
        level_var, z, pz, v, mean,
    )  # fmt: skip
    cross_products(v, day, fixed.shape[1], flags, sizes, ones, s)
    normal_equations(s, fixed.shape[1], member_index, member_value, spread, a, b)
    half_log_det = factor(a, flags, sizes)
    squared = solve_lower(a, b)
    n_observed = 0
    for t in range(observed.shape[0]):
        n_observed += observed[t]
    return -0.5 * (n_observed * LOG_2PI + log_variance + s[0, 0] - squared) - half_log_det


@compiled
def state_points(
    thetas, normals, layout, lags, y, poisson_var, observed, fixed, fixed_sd, day, group, n_groups,
    log_edges, log_views, log_size, member_index, member_value, mean_sd, start_var,
    trend, ar1, slope_var, walk, walk_position, fraction, free_shares,
    log_likelihood, gammas,
):  # fmt: skip
    """Fill the collapsed log likelihood at each point and one draw of the coefficients.

    As ``lognormal_points``, with further states, and with the last baseline columns those of a
    free kernel.
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
    steps = np.zeros(m)
    z = np.zeros(m)
    pz = np.zeros(m)
    s = np.zeros((width, width))
    a = np.zeros((q, q))
    b = np.zeros(q)
    spread = np.zeros(q)
    kernels = np.zeros((n_posts, log_edges.shape[1] - 1))
    scale = np.zeros(n_groups)
    gain = np.zeros(n_posts)
    noise = np.zeros(n)
    level_var = np.zeros(n)
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
        start_states(theta, layout, trend, ar1, walk_position, start_var, slope_var, cov, steps, z)
        slope_phi = theta[layout[SLOPE_PHI]] if trend == DAMPED else 1.0
        ar_phi = theta[layout[NOISE_PHI]] if ar1 else 0.0
        noise_var = 0.0 if ar1 else theta[layout[NOISE]] ** 2
        for t in range(n):
            noise[t] = noise_var + poisson_var[t]
            level_var[t] = steps[0]
        log_likelihood[i] = collapse_states(
            y, noise, observed, mine, kernels, day, walk, slope, slope_phi, ar, ar_phi, cov, steps,
            level_var, z, pz, member_index, member_value, spread, v, mean, s, a, b, flags, sizes,
            ones,
        )  # fmt: skip
        if normals.shape[0] > 0:
            for k in range(q):
                b[k] += normals[i, k]
            solve_upper(a, b)
            for k in range(q):
                gammas[i, k] = b[k] * spread[k]
