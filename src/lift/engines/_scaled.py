"""Compiled kernels of the Gibbs engine: the collapsed likelihood given scale variables.

As ``_kernels``, with a variance of its own for the noise and the step of the level of every day and
a multiplier for the prior variance of every coefficient.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
)
from lift.engines._points import prepare_posts
from lift.engines._products import Filtered, filter_buffers, level_products
from lift.engines._special import betaincinv
from lift.engines._states import (
    DAMPED,
    FREE_SD,
    NO_TREND,
    NOISE_PHI,
    SLOPE_PHI,
    free_columns,
    start_states,
    state_innovations,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FAR = 30.0
LOG_FAR = 0.5 * LOG_2PI
ROOT_2 = math.sqrt(2.0)

EXPONENTIAL, NORMAL, BETA, BETA_BOTH = range(4)


class Problem(NamedTuple):
    """The arrays of a model, in the order in which :mod:`lift.engines.exact` makes them."""

    layout: IntArray
    lags: IntArray
    y: FloatArray
    poisson_var: FloatArray
    observed: NDArray[np.bool_]
    fixed: FloatArray
    fixed_sd: FloatArray
    day: IntArray
    group: IntArray
    n_groups: int
    log_edges: FloatArray
    log_views: FloatArray
    log_size: FloatArray
    member_index: IntArray
    member_value: FloatArray
    mean_sd: FloatArray
    start_var: float
    trend: int
    ar1: int
    slope_var: float
    walk: FloatArray
    walk_position: IntArray
    fraction: FloatArray
    free_shares: FloatArray


class Prior(NamedTuple):
    """Priors of the hyperparameters that have a standard normal coordinate."""

    kinds: IntArray
    first: FloatArray
    second: FloatArray
    mix: FloatArray


class Scaled(NamedTuple):
    """Variance multipliers: of the noise and level step of each day and of each coefficient."""

    noise: FloatArray
    level: FloatArray
    coefficient: FloatArray


class Work(NamedTuple):
    """Buffers of one chain."""

    theta: FloatArray
    v: FloatArray
    filtered: Filtered
    s: FloatArray
    a: FloatArray
    b: FloatArray
    spread: FloatArray
    kernels: FloatArray
    scale: FloatArray
    gain: FloatArray
    noise: FloatArray
    level_var: FloatArray
    fixed: FloatArray
    means: FloatArray
    cov: FloatArray
    steps: FloatArray
    loads: FloatArray
    gained: FloatArray
    flags: NDArray[np.uint8]
    sizes: NDArray[np.int32]
    ones: FloatArray


def buffers(problem: Problem, n_hypers: int) -> Work:
    """Return the buffers that one chain needs."""
    n, p = problem.fixed.shape
    n_posts = len(problem.day)
    q = p + n_posts + len(problem.mean_sd)
    width = 1 + p + n_posts
    m = 1 + (problem.trend != NO_TREND) + problem.ar1 + problem.walk.shape[1]
    return Work(
        theta=np.zeros(n_hypers),
        v=np.zeros((n, width)),
        filtered=filter_buffers(n, 1 + p, n_posts, problem.log_edges.shape[1] - 1),
        s=np.zeros((width, width)),
        a=np.zeros((q, q)),
        b=np.zeros(q),
        spread=np.zeros(q),
        kernels=np.zeros((n_posts, problem.log_edges.shape[1] - 1)),
        scale=np.zeros(problem.n_groups),
        gain=np.zeros(n_posts),
        noise=np.zeros(n),
        level_var=np.zeros(n),
        fixed=problem.fixed.copy(),
        means=np.zeros((m, width)),
        cov=np.zeros((m, m)),
        steps=np.zeros(m),
        loads=np.zeros(m),
        gained=np.zeros(m),
        flags=np.array([85, 78], dtype=np.uint8),
        sizes=np.zeros(4, dtype=np.int32),
        ones=np.ones(2),
    )


@compiled
def log_upper_tail(z):
    """Return the log of the probability that a standard normal number is above ``z``."""
    if z > FAR:
        return -0.5 * z * z - math.log(z) - LOG_FAR + math.log1p(-1.0 / (z * z))
    if z > 0.0:
        return math.log(0.5 * math.erfc(z / ROOT_2))
    return math.log1p(-0.5 * math.erfc(-z / ROOT_2))


@compiled
def hyperparameters(z, prior, out):
    """Fill hyperparameters on their own scale, as ``lift.model.hyper.natural`` does."""
    for i in range(z.shape[0]):
        total = 0.0
        for k in range(i + 1):
            total += prior.mix[i, k] * z[k]
        if prior.kinds[i] == EXPONENTIAL:
            out[i] = -log_upper_tail(total) / prior.first[i]
        elif prior.kinds[i] == BETA:
            out[i] = -math.expm1(log_upper_tail(total) / prior.first[i])
        elif prior.kinds[i] == BETA_BOTH:
            a, b = prior.second[i], prior.first[i]
            if total < 0.0:
                out[i] = betaincinv(a, b, 0.5 * math.erfc(-total / ROOT_2), 0)
            else:
                out[i] = 1.0 - betaincinv(b, a, 0.5 * math.erfc(total / ROOT_2), 0)
        else:
            out[i] = prior.first[i] + prior.second[i] * total


@compiled
def prepare(z, scaled, problem, prior, work):
    """Fill hyperparameters, kernels of the posts, variances of the days and prior sds."""
    hyperparameters(z, prior, work.theta)
    prepare_posts(
        work.theta, problem.layout, problem.lags, problem.group, problem.log_edges,
        problem.log_views, problem.log_size, work.scale, work.gain, work.kernels,
    )  # fmt: skip
    prior_spread(
        work.theta, problem.layout, problem.fixed_sd, problem.mean_sd, problem.day.shape[0],
        work.spread,
    )  # fmt: skip
    for i in range(work.spread.shape[0]):
        work.spread[i] *= math.sqrt(scaled.coefficient[i])
    n_free = problem.free_shares.shape[0]
    if n_free > 0:
        free_columns(
            problem.day, problem.fraction, work.gain, problem.free_shares,
            work.theta[problem.layout[FREE_SD]], work.fixed, problem.fixed.shape[1] - n_free,
        )  # fmt: skip
    noise_var = 0.0 if problem.ar1 else work.theta[problem.layout[NOISE]] ** 2
    level_var = work.theta[problem.layout[LEVEL]] ** 2
    for t in range(problem.y.shape[0]):
        work.noise[t] = scaled.noise[t] * (noise_var + problem.poisson_var[t])
        work.level_var[t] = scaled.level[t] * level_var


@compiled
def has_more(problem):
    """Return whether more than a level moves in time, or columns depend on hyperparameters."""
    states = problem.trend + problem.ar1 + problem.walk.shape[1]
    return states > 0 or problem.free_shares.shape[0] > 0


@compiled
def motion(problem, work):
    """Fill where the states start; return places and persistence of slope and noise."""
    start_states(
        work.theta, problem.layout, problem.trend, problem.ar1, problem.walk_position,
        problem.start_var, problem.slope_var, work.cov, work.steps, work.loads,
    )  # fmt: skip
    sloping = problem.trend != NO_TREND
    slope = 1 if sloping else -1
    noise = 1 + sloping if problem.ar1 else -1
    slope_phi = work.theta[problem.layout[SLOPE_PHI]] if problem.trend == DAMPED else 1.0
    noise_phi = work.theta[problem.layout[NOISE_PHI]] if problem.ar1 else 0.0
    return slope, slope_phi, noise, noise_phi


@compiled
def collapsed(z, scaled, problem, prior, work):
    """Return the log likelihood given scales, level and coefficients integrated out.

    Leaves the Cholesky factor L of the scaled posterior precision in ``work.a``, L^-1 b in
    ``work.b`` and what ``prepare`` fills. NaN where it cannot be computed.
    """
    prepare(z, scaled, problem, prior, work)
    if has_more(problem):
        slope, slope_phi, noise, noise_phi = motion(problem, work)
        log_variance = state_innovations(
            problem.y, work.noise, problem.observed, work.fixed, work.kernels, problem.day,
            problem.walk, slope, slope_phi, noise, noise_phi, work.cov, work.steps,
            work.level_var, work.loads, work.gained, work.v, work.means,
        )  # fmt: skip
        cross_products(
            work.v, problem.day, problem.fixed.shape[1], work.flags, work.sizes, work.ones, work.s
        )
    else:
        log_variance = level_products(
            problem.y, work.noise, problem.observed, problem.fixed, work.kernels, problem.day,
            work.level_var, problem.start_var, work.filtered, work.s,
        )  # fmt: skip
    normal_equations(
        work.s, problem.fixed.shape[1], problem.member_index, problem.member_value, work.spread,
        work.a, work.b,
    )  # fmt: skip
    half_log_det = factor(work.a, work.flags, work.sizes)
    squared = solve_lower(work.a, work.b)
    n_observed = 0
    for t in range(problem.observed.shape[0]):
        n_observed += problem.observed[t]
    fit = n_observed * LOG_2PI + log_variance + work.s[0, 0] - squared
    return -0.5 * fit - half_log_det


@compiled
def level_by_day(residual, noise, observed, level_var, start_var, rng, filtered, variances, out):
    """Fill a draw of the level given residuals, forward filter and backward sampling.

    ``level_var`` has an entry for each day (Carter & Kohn 1994; Fruehwirth-Schnatter 1994).
    """
    n = residual.shape[0]
    mean = 0.0
    variance = start_var
    for t in range(n):
        if observed[t]:
            gain = variance / (variance + noise[t])
            mean += gain * (residual[t] - mean)
            variance = variance * noise[t] / (variance + noise[t])
        filtered[t] = mean
        variances[t] = variance
        variance += level_var[t]
    out[n - 1] = filtered[n - 1] + math.sqrt(variances[n - 1]) * rng.standard_normal()
    for t in range(n - 2, -1, -1):
        ahead = variances[t] + level_var[t]
        gain = variances[t] / ahead if ahead > 0.0 else 0.0
        centre = filtered[t] + gain * (out[t + 1] - filtered[t])
        out[t] = centre + math.sqrt(gain * level_var[t]) * rng.standard_normal()
