"""Compiled draws of scale variables, and of the sd and degrees of freedom of their distribution."""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._kernels import NOISE
from lift.engines._proposals import settle
from lift.engines._scaled import log_upper_tail
from lift.engines._selection import log_global_prior

N_SCALAR_MOVES = 3
NOISE_STEP, DF_STEP, LEVEL_STEP, AMPLITUDE_STEP = range(4)


@compiled
def log_student(squared, df):
    """Return the kernel of the log density of a t of variance one at ``sqrt(squared)``."""
    return -0.5 * (df + 1.0) * math.log1p(squared / (df - 2.0))


@compiled
def log_student_constant(df):
    """Return the constant of the log density of a t of variance one, up to ``log(pi) / 2``."""
    return math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df) - 0.5 * math.log(df - 2.0)


@compiled
def log_noise(z, log_df, rate, flags, log_global, residuals, problem):
    """Return the log density of noise sd and degrees of freedom, the days' scales integrated out.

    ``residuals`` are outcome less all that is expected.
    """
    sd = -log_upper_tail(z) / rate
    excess = math.exp(log_df)
    value = -0.5 * z * z + flags.df_shape * log_df - flags.df_rate * excess
    value += log_global_prior(flags.controls, log_global, sd)
    constant = log_student_constant(2.0 + excess)
    for t in range(residuals.shape[0]):
        if problem.observed[t]:
            variance = sd * sd + problem.poisson_var[t]
            squared = residuals[t] * residuals[t] / variance
            value += constant - 0.5 * math.log(variance) + log_student(squared, 2.0 + excess)
    return value


@compiled
def log_spread(z, rate, df, values):
    """Return the log density of an sd with an exponential prior given draws of a t around zero."""
    sd = -log_upper_tail(z) / rate
    value = -0.5 * z * z
    for i in range(values.shape[0]):
        ratio = values[i] / sd
        value += log_student(ratio * ratio, df) - math.log(sd)
    return value


@compiled
def draw_noise_scales(rng, state, flags, problem, prior, tuning, scratch, adapt):
    """Draw noise sd, degrees of freedom and the days' scales given level and coefficients."""
    residuals = scratch.linear
    n = residuals.shape[0]
    for t in range(n):
        residuals[t] -= state.level[t]
    at = problem.layout[NOISE]
    rate = prior.first[at]
    log_df = state.log_df
    log_global = state.controls.log_global
    current = log_noise(state.z[at], log_df[0], rate, flags, log_global, residuals, problem)
    for _ in range(N_SCALAR_MOVES):
        for which in range(2):
            move = math.exp(tuning.log_steps[which]) * rng.standard_normal()
            z = state.z[at] + (move if which == NOISE_STEP else 0.0)
            new = log_df[0] + (move if which == DF_STEP else 0.0)
            value = log_noise(z, new, rate, flags, log_global, residuals, problem)
            chance = math.exp(min(0.0, value - current)) if value > -np.inf else 0.0
            if rng.random() < chance:
                state.z[at] = z
                log_df[0] = new
                current = value
            settle(tuning, which, chance, adapt)
    sd = -log_upper_tail(state.z[at]) / rate
    excess = math.exp(log_df[0])
    for t in range(n):
        if problem.observed[t]:
            variance = sd * sd + problem.poisson_var[t]
            half = 0.5 * (excess + residuals[t] * residuals[t] / variance)
            state.scaled.noise[t] = half / rng.standard_gamma(0.5 * (excess + 3.0))


@compiled
def draw_spread_scales(rng, state, which, at, df, values, prior, tuning, out, adapt):
    """Draw an sd and the scales of values that are a t around zero."""
    rate = prior.first[at]
    current = log_spread(state.z[at], rate, df, values)
    for _ in range(N_SCALAR_MOVES):
        z = state.z[at] + math.exp(tuning.log_steps[which]) * rng.standard_normal()
        value = log_spread(z, rate, df, values)
        chance = math.exp(min(0.0, value - current)) if value > -np.inf else 0.0
        if rng.random() < chance:
            state.z[at] = z
            current = value
        settle(tuning, which, chance, adapt)
    sd = -log_upper_tail(state.z[at]) / rate
    for i in range(values.shape[0]):
        ratio = values[i] / sd
        out[i] = 0.5 * (df - 2.0 + ratio * ratio) / rng.standard_gamma(0.5 * (df + 1.0))
