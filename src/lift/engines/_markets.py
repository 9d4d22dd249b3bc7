"""Compiled loop over hyperparameter points of several markets: normal equations added up.

A path that all markets have in common is taken out of their sum.

Arrays of the markets lie one after the other; ``columns`` and ``pairs`` say where each begins. A
pair is a post in a market. Coefficient order: baseline columns of all markets, pairs, posts, group
means, influencers.
"""

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._kernels import (
    AMPLITUDE,
    INFLUENCER,
    LOG_2PI,
    cross_products,
    factor,
    innovations,
    normal_equations,
    solve_lower,
    solve_upper,
)
from lift.engines._points import prepare_posts
from lift.engines._shared import add_market, integrate_path

MARKET_SD, SHARED_LEVEL, SHARED_NOISE, SPILL_OVER = range(4)
"""Places in ``common`` of the positions of the hyperparameters that the markets share; -1 marks one
that is not there."""


@compiled
def market_spread(theta, layout, market_sd, own, columns, fixed_sd, n_pairs, n_posts, mean_sd, out):
    """Fill the prior sd of every coefficient; NaN in a table stands for a hyperparameter."""
    n_markets = columns.shape[0] - 1
    for m in range(n_markets):
        for c in range(columns[m], columns[m + 1]):
            out[c] = theta[own[m, 2]] if math.isnan(fixed_sd[c]) else fixed_sd[c]
    at = columns[n_markets]
    for _ in range(n_pairs):
        out[at] = theta[market_sd]
        at += 1
    for _ in range(n_posts):
        out[at] = theta[layout[AMPLITUDE]]
        at += 1
    for i in range(mean_sd.shape[0]):
        out[at] = theta[layout[INFLUENCER]] if math.isnan(mean_sd[i]) else mean_sd[i]
        at += 1


@compiled
def scatter(part, columns_from, n_columns, pairs_from, n_all_columns, whole):
    """Add the cross products of one market to those of all, lower triangles."""
    width = part.shape[0]
    for i in range(width):
        if i == 0:
            row = 0
        elif i <= n_columns:
            row = columns_from + i
        else:
            row = n_all_columns + pairs_from + i - n_columns
        for k in range(i + 1):
            if k == 0:
                column = 0
            elif k <= n_columns:
                column = columns_from + k
            else:
                column = n_all_columns + pairs_from + k - n_columns
            whole[row, column] += part[i, k]


@compiled
def collapse_markets(
    theta, common, own, y, noise, observed, columns, fixed, kernels, pairs, day, member_index,
    member, spread, start_var, v_all, s_all, mean, keep, root, back, size, less, steps, crossed,
    flags, sizes, ones, signs, whole, a, b,
):  # fmt: skip
    """Return the log likelihood of all markets; leave L and L^-1 b.

    Of a path that they have in common ``steps`` is left with its own factor ``L_e`` and ``crossed``
    with ``L_e^-1 E' T' sum_m Sigma_m^-1 W_m``.
    """
    n_markets, n = y.shape
    p = columns[n_markets]
    shares_path = common[SHARED_LEVEL] >= 0 or common[SHARED_NOISE] >= 0
    whole[:] = 0.0
    steps[:] = 0.0
    crossed[:] = 0.0
    log_variance = 0.0
    n_observed = 0
    for m in range(n_markets):
        n_columns = columns[m + 1] - columns[m]
        first, last = pairs[m], pairs[m + 1]
        width = 1 + n_columns + last - first
        v_all[: n * width] = 0.0
        v = v_all[: n * width].reshape((n, width))
        s = s_all[: width * width].reshape((width, width))
        mine = fixed[n * columns[m] : n * columns[m + 1]].reshape((n, n_columns))
        for t in range(n):
            n_observed += observed[m, t]
        log_variance += innovations(
            y[m], noise[m], observed[m], mine, kernels[first:last], day[first:last],
            theta[own[m, 1]] ** 2, start_var, v, mean[:width],
        )  # fmt: skip
        cross_products(v, day[first:last], n_columns, flags, sizes, ones, s)
        scatter(s, columns[m], n_columns, first, p, whole)
        if shares_path:
            add_market(
                v, noise[m], observed[m], theta[own[m, 1]] ** 2, start_var, columns[m], n_columns,
                first, p, keep, root, back[:width], steps, crossed,
            )  # fmt: skip
    half_log_det = 0.0
    if shares_path:
        level = common[SHARED_LEVEL]
        shock = common[SHARED_NOISE]
        half_log_det = integrate_path(
            theta[level] ** 2 if level >= 0 else 0.0,
            theta[shock] ** 2 if shock >= 0 else 0.0,
            size, less, steps, crossed, flags, sizes, signs, whole,
        )  # fmt: skip
    normal_equations(whole, p, member_index, member, spread, a, b)
    half_log_det += factor(a, flags, sizes)
    squared = solve_lower(a, b)
    total = n_observed * LOG_2PI + log_variance + whole[0, 0] - squared
    return -0.5 * total - half_log_det


@compiled
def widest_market(columns, pairs):
    """Return how many columns the widest market has, its outcome among them."""
    widest = 0
    for m in range(columns.shape[0] - 1):
        widest = max(widest, 1 + columns[m + 1] - columns[m] + pairs[m + 1] - pairs[m])
    return widest


@compiled
def spill(theta, common, spilled, member_value, member):
    """Fill what part of what a post does everywhere each pair has."""
    if common[SPILL_OVER] >= 0:
        for k in range(spilled.shape[0]):
            if spilled[k]:
                member[k] = theta[common[SPILL_OVER]] * member_value[k]


@compiled
def market_points(
    thetas, normals, layout, common, own, lags, y, poisson_var, observed, columns, fixed,
    fixed_sd, pairs, day, group, n_groups, log_edges, log_views, log_size, member_index,
    member_value, spilled, n_posts, mean_sd, start_var,
    log_likelihood, gammas,
):  # fmt: skip
    """Fill the collapsed log likelihood at each point and one draw of the coefficients.

    ``own`` (market, 3) holds the positions of noise, level and control sd of each market; ``fixed``
    the baseline columns of market m, by day, from ``n columns[m]`` on; ``spilled`` says which pairs
    get a share of what their post does where it reaches.
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
    back = np.zeros(widest)
    member = member_value.copy()
    v_all = np.zeros(n * widest)
    s_all = np.zeros(widest * widest)
    mean = np.zeros(widest)
    whole = np.zeros((1 + p + n_pairs, 1 + p + n_pairs))
    a = np.zeros((q, q))
    b = np.zeros(q)
    spread = np.zeros(q)
    kernels = np.zeros((n_pairs, log_edges.shape[1] - 1))
    scale = np.zeros(n_groups)
    gain = np.zeros(n_pairs)
    noise = np.zeros((n_markets, n))
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
            for k in range(n):
                noise[m, k] = noise_var + poisson_var[m, k]
        log_likelihood[i] = collapse_markets(
            theta, common, own, y, noise, observed, columns, fixed, kernels, pairs, day,
            member_index, member, spread, start_var, v_all, s_all, mean, keep, root, back, size,
            less, steps, crossed, flags, sizes, ones, signs, whole, a, b,
        )  # fmt: skip
        if normals.shape[0] > 0:
            for k in range(q):
                b[k] += normals[i, k]
            solve_upper(a, b)
            for k in range(q):
                gammas[i, k] = b[k] * spread[k]
