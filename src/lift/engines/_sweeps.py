"""Compiled sweeps of the Gibbs engine.

A sweep moves the hyperparameters with level and coefficients integrated out, draws coefficients and
level, and then each set of scale variables together with the hyperparameters of its distribution.
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
    AMPLITUDE,
    LEVEL,
    NOISE,
    amplitudes,
    factor,
    normal_equations,
    predictor,
    solve_lower,
    solve_upper,
)
from lift.engines._paths import draw_signal
from lift.engines._proposals import log_jump, propose_point, record_move
from lift.engines._scaled import (
    Scaled,
    Work,
    collapsed,
    has_more,
    level_by_day,
    prepare,
)
from lift.engines._selection import (
    RIDGE,
    Controls,
    ControlState,
    ControlWork,
    control_buffers,
    log_global_prior,
    move_controls,
)
from lift.engines._tails import (
    AMPLITUDE_STEP,
    LEVEL_STEP,
    draw_noise_scales,
    draw_spread_scales,
)

FloatArray = NDArray[np.float64]


class Flags(NamedTuple):
    """Which distributions are Student t, degrees of freedom where they are fixed, and controls."""

    noise: bool
    level: bool
    amplitude: bool
    level_df: float
    amplitude_df: float
    df_shape: float
    df_rate: float
    controls: Controls


class State(NamedTuple):
    """Where a chain is; every array is changed in place.

    ``level`` is the sum of all states where there are others beside the level.
    """

    z: FloatArray
    log_df: FloatArray
    scaled: Scaled
    controls: ControlState
    gamma: FloatArray
    level: FloatArray


class Paths(NamedTuple):
    """More buffers of one chain."""

    proposed: FloatArray
    normal: FloatArray
    kept_a: FloatArray
    kept_b: FloatArray
    kept_spread: FloatArray
    kept_kernels: FloatArray
    kept_theta: FloatArray
    kept_s: FloatArray
    controls: ControlWork
    amplitude: FloatArray
    linear: FloatArray
    filtered: FloatArray
    variances: FloatArray
    normals: FloatArray
    errors: FloatArray
    gains: FloatArray
    pushed: FloatArray
    path: FloatArray


def paths(work: Work, controls: Controls) -> Paths:
    """Return the buffers that go with those of the likelihood."""
    width = 0 if controls.kind == RIDGE else len(work.s)
    n, n_hypers, m = len(work.noise), len(work.theta), len(work.steps)
    return Paths(
        proposed=np.zeros(n_hypers),
        normal=np.zeros(n_hypers),
        kept_a=np.zeros_like(work.a),
        kept_b=np.zeros_like(work.b),
        kept_spread=np.zeros_like(work.spread),
        kept_kernels=np.zeros_like(work.kernels),
        kept_theta=np.zeros(n_hypers),
        kept_s=np.zeros((width, width)),
        controls=control_buffers(len(work.b), controls),
        amplitude=np.zeros(len(work.gain)),
        linear=np.zeros(n),
        filtered=np.zeros(n),
        variances=np.zeros(n),
        normals=np.zeros(n * (m + 1)),
        errors=np.zeros(n),
        gains=np.zeros((n, m)),
        pushed=np.zeros(n),
        path=np.zeros(n),
    )


@compiled
def keep(work, scratch):
    """Remember what the likelihood left at the current point."""
    # loops, since assigning one array to another takes seconds to compile
    for i in range(work.b.shape[0]):
        for k in range(i + 1):
            scratch.kept_a[i, k] = work.a[i, k]
        scratch.kept_b[i] = work.b[i]
        scratch.kept_spread[i] = work.spread[i]
    for j in range(work.kernels.shape[0]):
        for k in range(work.kernels.shape[1]):
            scratch.kept_kernels[j, k] = work.kernels[j, k]
    for i in range(work.theta.shape[0]):
        scratch.kept_theta[i] = work.theta[i]
    for i in range(scratch.kept_s.shape[0]):
        for k in range(i + 1):
            scratch.kept_s[i, k] = work.s[i, k]


@compiled
def move_hyperparameters(
    rng, state, flags, problem, prior, jumps, tuning, work, scratch, n_walks, n_jumps, adapt
):
    """Move the hyperparameters by Metropolis steps given the scales, all else integrated out."""
    dim = state.z.shape[0]
    z = state.z
    current = collapsed(z, state.scaled, problem, prior, work)
    log_global = state.controls.log_global
    current += log_global_prior(flags.controls, log_global, work.theta[problem.layout[NOISE]])
    for i in range(dim):
        current -= 0.5 * z[i] * z[i]
    keep(work, scratch)
    jump_at = log_jump(z, jumps)
    for step in range(n_walks + n_jumps):
        walk = step < n_walks
        propose_point(rng, z, walk, jumps, tuning, scratch.normal, scratch.proposed)
        jump_to = log_jump(scratch.proposed, jumps)
        shift = 0.0 if walk else jump_at - jump_to
        value = collapsed(scratch.proposed, state.scaled, problem, prior, work)
        value += log_global_prior(flags.controls, log_global, work.theta[problem.layout[NOISE]])
        for i in range(dim):
            value -= 0.5 * scratch.proposed[i] * scratch.proposed[i]
        log_chance = value - current + shift
        accepted = math.log(rng.random()) < log_chance
        if accepted:
            for i in range(dim):
                z[i] = scratch.proposed[i]
            current = value
            jump_at = jump_to
            keep(work, scratch)
        record_move(tuning, walk, accepted, log_chance, scratch.normal, adapt)


@compiled
def move_control_variances(rng, state, flags, problem, work, scratch):
    """Move the prior variances of controls and factor the normal equations anew."""
    controls = flags.controls
    p = problem.fixed.shape[1]
    noise_sd = scratch.kept_theta[problem.layout[NOISE]]
    move_controls(
        rng, scratch.kept_s, p, problem.member_index, problem.member_value, controls,
        state.controls, noise_sd, scratch.kept_spread, scratch.controls,
    )  # fmt: skip
    for k in range(controls.n_controls):
        state.scaled.coefficient[controls.first + k] = scratch.controls.variance[k]
    normal_equations(
        scratch.kept_s, p, problem.member_index, problem.member_value, scratch.kept_spread,
        scratch.kept_a, scratch.kept_b,
    )  # fmt: skip
    factor(scratch.kept_a, work.flags, work.sizes)
    solve_lower(scratch.kept_a, scratch.kept_b)


@compiled
def draw_states(rng, state, problem, work, scratch):
    """Draw the sum of the states given what is left of the outcome, and the level's steps.

    The sum takes the place of the level; the steps are in ``filtered``.
    """
    draw_signal(
        rng, scratch.linear, problem, work, scratch, scratch.variances, scratch.filtered,
        state.level,
    )  # fmt: skip
    for t in range(scratch.path.shape[0]):
        state.level[t] += scratch.path[t]


@compiled
def draw_linear(rng, state, problem, prior, work, scratch):
    """Draw coefficients, then the level and other states, given hyperparameters and scales."""
    b = scratch.kept_b
    for i in range(b.shape[0]):
        b[i] += rng.standard_normal()
    solve_upper(scratch.kept_a, b)
    for i in range(b.shape[0]):
        state.gamma[i] = b[i] * scratch.kept_spread[i]
    p = problem.fixed.shape[1]
    amplitudes(state.gamma, p, problem.member_index, problem.member_value, scratch.amplitude)
    if has_more(problem):
        prepare(state.z, state.scaled, problem, prior, work)
        predictor(
            state.gamma, scratch.amplitude, work.fixed, scratch.kept_kernels, problem.day,
            scratch.linear,
        )  # fmt: skip
        for t in range(problem.y.shape[0]):
            scratch.linear[t] = problem.y[t] - scratch.linear[t]
        draw_states(rng, state, problem, work, scratch)
        return
    predictor(
        state.gamma, scratch.amplitude, problem.fixed, scratch.kept_kernels, problem.day,
        scratch.linear,
    )  # fmt: skip
    noise_var = scratch.kept_theta[problem.layout[NOISE]] ** 2
    level_var = scratch.kept_theta[problem.layout[LEVEL]] ** 2
    for t in range(problem.y.shape[0]):
        scratch.linear[t] = problem.y[t] - scratch.linear[t]
        work.noise[t] = state.scaled.noise[t] * (noise_var + problem.poisson_var[t])
        work.level_var[t] = state.scaled.level[t] * level_var
    level_by_day(
        scratch.linear, work.noise, problem.observed, work.level_var, problem.start_var, rng,
        scratch.filtered, scratch.variances, state.level,
    )  # fmt: skip


@compiled
def draw_other_scales(rng, state, flags, problem, prior, tuning, steps, adapt):
    """Draw the scales of the level's steps, and of the posts' own amplitudes."""
    if flags.level:
        draw_spread_scales(
            rng, state, LEVEL_STEP, problem.layout[LEVEL], flags.level_df,
            steps[: steps.shape[0] - 1], prior, tuning, state.scaled.level, adapt,
        )  # fmt: skip
    if flags.amplitude:
        p = problem.fixed.shape[1]
        own = slice(p, p + problem.day.shape[0])
        draw_spread_scales(
            rng, state, AMPLITUDE_STEP, problem.layout[AMPLITUDE], flags.amplitude_df,
            state.gamma[own], prior, tuning, state.scaled.coefficient[own], adapt,
        )  # fmt: skip


@compiled
def store(state, i, zs, log_dfs, gammas, insides, log_globals):
    """Fill row ``i`` with where the chain is."""
    for k in range(state.z.shape[0]):
        zs[i, k] = state.z[k]
    log_dfs[i] = state.log_df[0]
    for k in range(state.gamma.shape[0]):
        gammas[i, k] = state.gamma[k]
    log_globals[i] = state.controls.log_global[0]
    for k in range(insides.shape[1]):
        insides[i, k] = state.controls.inside[k]


@compiled
def run_sweeps(
    rng, state, flags, problem, prior, jumps, tuning, work, scratch, n_walks, n_jumps, thin, adapt,
    zs, log_dfs, gammas, insides, log_globals,
):  # fmt: skip
    """Keep the state after every ``thin`` sweeps, in as many rows as ``zs`` has."""
    n = state.level.shape[0]
    for i in range(zs.shape[0]):
        for _ in range(thin):
            move_hyperparameters(
                rng, state, flags, problem, prior, jumps, tuning, work, scratch, n_walks, n_jumps,
                adapt,
            )  # fmt: skip
            if flags.controls.kind != RIDGE:
                move_control_variances(rng, state, flags, problem, work, scratch)
            draw_linear(rng, state, problem, prior, work, scratch)
            if flags.noise:
                draw_noise_scales(rng, state, flags, problem, prior, tuning, scratch, adapt)
            if flags.level and not has_more(problem):
                for t in range(n - 1):
                    scratch.filtered[t] = state.level[t + 1] - state.level[t]
            draw_other_scales(rng, state, flags, problem, prior, tuning, scratch.filtered, adapt)
        store(state, i, zs, log_dfs, gammas, insides, log_globals)
