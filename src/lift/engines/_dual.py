"""Compiled loop over hyperparameter points in the dual form, for more posts than days.

The marginal covariance of the outcome is built day by day and factored once; coefficients are
drawn by conditioning a prior draw on the data (Matheron's rule; Doucet 2010, "A note on efficient
conditional simulation of Gaussian distributions"). The cost grows with the number of posts only
linearly.
"""

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._blas import dsyrk
from lift.engines._kernels import (
    AMPLITUDE,
    LEVEL,
    LOG_2PI,
    NOISE,
    factor,
    prior_spread,
    solve_lower,
    solve_upper,
)
from lift.engines._points import prepare_posts


@compiled
def shared_columns(fixed, kernels, day, member_index, member_value, spread, out):
    """Fill the columns of baseline coefficients and group means, each times its prior sd."""
    n, p = fixed.shape
    n_posts, window = kernels.shape
    out[:] = 0.0
    for t in range(n):
        for c in range(p):
            out[t, c] = fixed[t, c] * spread[c]
    for j in range(n_posts):
        last = min(window, n - day[j])
        for e in range(member_index.shape[1]):
            if member_index[j, e] < 0:
                break
            column = p + member_index[j, e]
            value = member_value[j, e] * spread[p + n_posts + member_index[j, e]]
            for k in range(last):
                out[day[j] + k, column] += value * kernels[j, k]


@compiled
def marginal_covariance(
    noise, level_var, start_var, amplitude_var, shared, kernels, day, flags, sizes, ones, out
):
    """Fill the lower triangle of the covariance of the outcome over all days."""
    n, rank = shared.shape
    n_posts, window = kernels.shape
    for t in range(n):
        for s in range(t + 1):
            out[t, s] = start_var + level_var * s
        out[t, t] += noise[t]
    sizes[0] = n
    sizes[1] = rank
    sizes[2] = rank
    sizes[3] = n
    if rank > 0:
        dsyrk(
            flags[0:].ctypes, flags[2:].ctypes, sizes[0:].ctypes, sizes[1:].ctypes, ones.ctypes,
            shared.ctypes, sizes[2:].ctypes, ones[1:].ctypes, out.ctypes, sizes[3:].ctypes,
        )  # fmt: skip
    for j in range(n_posts):
        for k in range(min(window, n - day[j])):
            value = amplitude_var * kernels[j, k]
            row = out[day[j] + k]
            for i in range(k + 1):
                row[day[j] + i] += value * kernels[j, i]


@compiled
def dual_points(
    thetas, normals, layout, lags, y, poisson_var, observed, fixed, fixed_sd, day, group, n_groups,
    log_edges, log_views, log_size, member_index, member_value, mean_sd, start_var,
    log_likelihood, gammas,
):  # fmt: skip
    """Fill the collapsed log likelihood at each point and one draw of the coefficients.

    As ``lognormal_points``; ``normals`` has q + 2 n columns: coefficients, level, noise.
    """
    n, p = fixed.shape
    n_posts = day.shape[0]
    n_means = mean_sd.shape[0]
    q = p + n_posts + n_means
    flags = np.array([85, 78, 84], dtype=np.uint8)
    sizes = np.zeros(4, dtype=np.int32)
    ones = np.ones(2)
    flat = np.zeros(n * n)
    full = flat.reshape(n, n)
    shared = np.zeros((n, p + n_means))
    spread = np.zeros(q)
    kernels = np.zeros((n_posts, log_edges.shape[1] - 1))
    scale = np.zeros(n_groups)
    gain = np.zeros(n_posts)
    noise = np.zeros(n)
    path = np.zeros(n)
    alpha = np.zeros(n)
    seen = np.flatnonzero(observed)
    n_seen = seen.shape[0]
    # in the place of ``full``: no entry moves to where one is that is still to be read
    packed = flat[: n_seen * n_seen].reshape(n_seen, n_seen)
    b = np.zeros(n_seen)
    for i in range(thetas.shape[0]):
        theta = thetas[i]
        prepare_posts(
            theta, layout, lags, group, log_edges, log_views, log_size, scale, gain, kernels
        )
        prior_spread(theta, layout, fixed_sd, mean_sd, n_posts, spread)
        level_var = theta[layout[LEVEL]] ** 2
        noise_var = theta[layout[NOISE]] ** 2
        amplitude_var = theta[layout[AMPLITUDE]] ** 2
        for t in range(n):
            noise[t] = noise_var + poisson_var[t]
        shared_columns(fixed, kernels, day, member_index, member_value, spread, shared)
        marginal_covariance(
            noise, level_var, start_var, amplitude_var, shared, kernels, day, flags, sizes, ones,
            full,
        )  # fmt: skip
        for r in range(n_seen):
            for c in range(r + 1):
                packed[r, c] = full[seen[r], seen[c]]
            b[r] = y[seen[r]]
        half_log_det = factor(packed, flags, sizes)
        squared = solve_lower(packed, b)
        log_likelihood[i] = -0.5 * (n_seen * LOG_2PI + squared) - half_log_det
        if normals.shape[0] == 0:
            continue
        z = normals[i]
        gamma = gammas[i]
        for k in range(q):
            gamma[k] = spread[k] * z[k]
        level = math.sqrt(start_var) * z[q]
        for t in range(n):
            if t > 0:
                level += math.sqrt(level_var) * z[q + t]
            path[t] = level + math.sqrt(noise[t]) * z[q + n + t]
            for c in range(p):
                path[t] += shared[t, c] * z[c]
            for c in range(n_means):
                path[t] += shared[t, p + c] * z[p + n_posts + c]
        for j in range(n_posts):
            for k in range(min(kernels.shape[1], n - day[j])):
                path[day[j] + k] += gamma[p + j] * kernels[j, k]
        for r in range(n_seen):
            b[r] = y[seen[r]] - path[seen[r]]
        solve_lower(packed, b)
        solve_upper(packed, b)
        alpha[:] = 0.0
        for r in range(n_seen):
            alpha[seen[r]] = b[r]
        for t in range(n):
            for c in range(p):
                gamma[c] += spread[c] * shared[t, c] * alpha[t]
            for c in range(n_means):
                gamma[p + n_posts + c] += spread[p + n_posts + c] * shared[t, p + c] * alpha[t]
        for j in range(n_posts):
            total = 0.0
            for k in range(min(kernels.shape[1], n - day[j])):
                total += kernels[j, k] * alpha[day[j] + k]
            gamma[p + j] += amplitude_var * total
