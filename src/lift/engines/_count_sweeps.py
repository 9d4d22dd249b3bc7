"""Compiled sweeps of the Gibbs engine over counts.

Coefficients and states cannot be integrated out exactly. They are proposed together with the
hyperparameters, from the Gaussian that has the mode of their posterior, and taken by a Metropolis
step whose weights are those of the exact engine: ``p(y | x) G / g(x)``, with the likelihood ``G``
of the pseudo-data and their density ``g`` (Shephard & Pitt 1997, Biometrika 84:653; independent
proposals of states: Knorr-Held 1999, doi:10.1111/1467-9469.00135). Scale variables are drawn given
all else.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lift.engines._compile import compiled
from lift.engines._kernels import (
    AMPLITUDE,
    LEVEL,
    NEWTON_PASSES,
    NEWTON_TOLERANCE,
    NOISE,
    amplitudes,
    predictor,
    solve_upper,
)
from lift.engines._points import corrected, newton_data, newton_step
from lift.engines._proposals import (
    JUMPED,
    JUMPS,
    WALKED,
    WALKS,
    adapt_walk,
    jump,
    log_jump,
)
from lift.engines._scaled import motion, prepare
from lift.engines._signals import prior_signal, smoothed_signal
from lift.engines._states import collapse_states
from lift.engines._tails import AMPLITUDE_STEP, LEVEL_STEP, draw_spread_scales

FloatArray = NDArray[np.float64]

IMPOSSIBLE = -1e300
"""Log weight of a point at which Newton's method finds no mode."""


class Counts(NamedTuple):
    """What the log mean is measured from, where Newton's method starts, and buffers of a chain.

    ``eta`` and ``steps`` are the log means and the steps of the level where the chain is.
    """

    centre: float
    start: FloatArray
    eta: FloatArray
    steps: FloatArray
    mode: FloatArray
    pseudo: FloatArray
    residual: FloatArray
    linear: FloatArray
    gamma: FloatArray
    level: FloatArray
    new_eta: FloatArray
    new_steps: FloatArray


def count_buffers(centre: float, start: FloatArray, n_coefficients: int) -> Counts:
    """Return the buffers that one chain over counts needs."""
    n = len(start)
    return Counts(
        centre=centre,
        start=start,
        eta=start.copy(),
        steps=np.zeros(n),
        mode=np.zeros(n),
        pseudo=np.zeros(n),
        residual=np.zeros(n),
        linear=np.zeros(n),
        gamma=np.zeros(n_coefficients),
        level=np.zeros(n),
        new_eta=np.zeros(n),
        new_steps=np.zeros(n),
    )


@compiled
def size_of(problem, work):
    """Return the size parameter of the counts: beyond all counts where they are Poisson."""
    sd = 0.0 if problem.ar1 else work.theta[problem.layout[NOISE]]
    return 1.0 / max(sd * sd, 1e-300)


@compiled
def fill_linear(gamma, problem, work, scratch, out):
    """Fill what coefficients add to the log mean."""
    p = problem.fixed.shape[1]
    amplitudes(gamma, p, problem.member_index, problem.member_value, scratch.amplitude)
    predictor(gamma, scratch.amplitude, work.fixed, work.kernels, problem.day, out)


@compiled
def smooth(residual, problem, work, scratch, out):
    """Fill the mean of the states' sum given residuals."""
    slope, slope_phi, noise, noise_phi = motion(problem, work)
    smoothed_signal(
        residual, work.noise, problem.observed, problem.walk, slope, slope_phi, noise, noise_phi,
        work.cov, work.steps, work.level_var, work.loads, work.gained, work.means, scratch.errors,
        scratch.gains, scratch.pushed, out,
    )  # fmt: skip


@compiled
def find_mode(z, state, problem, prior, counts, work, scratch):
    """Return the log likelihood of the pseudo-data at the mode; leave L, L^-1 b and what it needs.

    NaN where Newton's method finds none.
    """
    prepare(z, state.scaled, problem, prior, work)
    size = size_of(problem, work)
    n = problem.y.shape[0]
    for t in range(n):
        counts.mode[t] = counts.start[t]
    value = 0.0
    move = np.inf
    for _ in range(NEWTON_PASSES):
        newton_data(
            problem.y, counts.mode, problem.observed, size, counts.centre, work.noise,
            counts.pseudo,
        )  # fmt: skip
        slope, slope_phi, noise, noise_phi = motion(problem, work)
        value = collapse_states(
            counts.pseudo, work.noise, problem.observed, work.fixed, work.kernels, problem.day,
            problem.walk, slope, slope_phi, noise, noise_phi, work.cov, work.steps,
            work.level_var, work.loads, work.gained, problem.member_index, problem.member_value,
            work.spread, work.v, work.means, work.s, work.a, work.b, work.flags, work.sizes,
            work.ones,
        )  # fmt: skip
        for i in range(work.b.shape[0]):
            counts.gamma[i] = work.b[i]
        solve_upper(work.a, counts.gamma)
        for i in range(work.b.shape[0]):
            counts.gamma[i] *= work.spread[i]
        fill_linear(counts.gamma, problem, work, scratch, counts.linear)
        for t in range(n):
            counts.residual[t] = counts.pseudo[t] - counts.linear[t]
        smooth(counts.residual, problem, work, scratch, counts.level)
        move = newton_step(
            problem.observed, counts.centre, counts.level, counts.linear, counts.mode
        )
        if not move > NEWTON_TOLERANCE:
            break
    return value if move <= 1e-4 else np.nan


@compiled
def propose(rng, problem, counts, work, scratch):
    """Draw coefficients and states about the mode."""
    n, m = scratch.gains.shape
    for i in range(work.b.shape[0]):
        work.b[i] += rng.standard_normal()
    solve_upper(work.a, work.b)
    for i in range(work.b.shape[0]):
        counts.gamma[i] = work.b[i] * work.spread[i]
    fill_linear(counts.gamma, problem, work, scratch, counts.linear)
    for i in range(scratch.normals.shape[0]):
        scratch.normals[i] = rng.standard_normal()
    slope, slope_phi, noise, noise_phi = motion(problem, work)
    prior_signal(
        scratch.normals, problem.walk, slope, slope_phi, noise, noise_phi, work.cov, work.steps,
        work.level_var, work.loads, work.means, scratch.path,
    )  # fmt: skip
    for t in range(n):
        shock = math.sqrt(work.noise[t]) * scratch.normals[n * m + t]
        counts.residual[t] = counts.pseudo[t] - counts.linear[t] - scratch.path[t] - shock
    smooth(counts.residual, problem, work, scratch, counts.level)
    for t in range(n):
        counts.new_eta[t] = counts.centre + scratch.path[t] + counts.level[t] + counts.linear[t]
        step = math.sqrt(work.level_var[t]) * scratch.normals[(t + 1) * m] if t + 1 < n else 0.0
        counts.new_steps[t] = step + work.level_var[t] * scratch.pushed[t]


@compiled
def log_weight(value, z, eta, problem, counts, work):
    """Return the log weight of a point and log means, the prior of the coordinates included."""
    if math.isnan(value):
        return IMPOSSIBLE
    size = size_of(problem, work)
    out = corrected(
        value, problem.y, eta, problem.observed, size, counts.centre, work.noise, counts.pseudo
    )
    for i in range(z.shape[0]):
        out -= 0.5 * z[i] * z[i]
    return out if out > IMPOSSIBLE else IMPOSSIBLE


@compiled
def move_everything(
    rng, state, problem, prior, jumps, tuning, counts, work, scratch, n_walks, n_jumps, adapt
):
    """Move hyperparameters, coefficients and states together; the last move keeps the first."""
    dim = state.z.shape[0]
    z = state.z
    value = find_mode(z, state, problem, prior, counts, work, scratch)
    current = log_weight(value, z, counts.eta, problem, counts, work)
    jump_at = log_jump(z, jumps)
    for step in range(n_walks + n_jumps + 1):
        walk = step < n_walks
        stay = step == n_walks + n_jumps
        for i in range(dim):
            scratch.proposed[i] = z[i]
        if walk:
            for i in range(dim):
                scratch.normal[i] = rng.standard_normal()
            for i in range(dim):
                for k in range(i + 1):
                    scratch.proposed[i] += tuning.factor[i, k] * scratch.normal[k]
        elif not stay:
            jump(rng, jumps, scratch.normal, scratch.proposed)
        jump_to = log_jump(scratch.proposed, jumps)
        shift = 0.0 if walk else jump_at - jump_to
        value = find_mode(scratch.proposed, state, problem, prior, counts, work, scratch)
        new = IMPOSSIBLE
        if not math.isnan(value):
            propose(rng, problem, counts, work, scratch)
            new = log_weight(value, scratch.proposed, counts.new_eta, problem, counts, work)
        log_chance = new - current + shift
        accepted = math.log(rng.random()) < log_chance
        if accepted:
            for i in range(dim):
                z[i] = scratch.proposed[i]
            for i in range(state.gamma.shape[0]):
                state.gamma[i] = counts.gamma[i]
            for t in range(problem.y.shape[0]):
                counts.eta[t] = counts.new_eta[t]
                counts.steps[t] = counts.new_steps[t]
            current = new
            jump_at = jump_to
        if stay:
            continue
        tuning.counts[WALKS if walk else JUMPS] += 1
        tuning.counts[WALKED if walk else JUMPED] += accepted
        if adapt and walk:
            chance = math.exp(min(0.0, log_chance)) if log_chance > -700.0 else 0.0
            adapt_walk(tuning, scratch.normal, chance)


@compiled
def run_count_sweeps(
    rng, state, flags, problem, prior, jumps, tuning, counts, work, scratch, n_walks, n_jumps, thin,
    adapt, zs, gammas,
):  # fmt: skip
    """Keep the state after every ``thin`` sweeps, in as many rows as ``zs`` has."""
    n = problem.y.shape[0]
    p = problem.fixed.shape[1]
    own = slice(p, p + problem.day.shape[0])
    for i in range(zs.shape[0]):
        for _ in range(thin):
            move_everything(
                rng, state, problem, prior, jumps, tuning, counts, work, scratch, n_walks, n_jumps,
                adapt,
            )  # fmt: skip
            if flags.level:
                draw_spread_scales(
                    rng, state, LEVEL_STEP, problem.layout[LEVEL], flags.level_df,
                    counts.steps[: n - 1], prior, tuning, state.scaled.level, adapt,
                )  # fmt: skip
            if flags.amplitude:
                draw_spread_scales(
                    rng, state, AMPLITUDE_STEP, problem.layout[AMPLITUDE], flags.amplitude_df,
                    state.gamma[own], prior, tuning, state.scaled.coefficient[own], adapt,
                )  # fmt: skip
        for k in range(state.z.shape[0]):
            zs[i, k] = state.z[k]
        for k in range(state.gamma.shape[0]):
            gammas[i, k] = state.gamma[k]
