"""Compiled sweeps of the Gibbs engine over counts.

Coefficients and states cannot be integrated out exactly. They are proposed together with the
hyperparameters, from the Gaussian that has the mode of their posterior, and taken by a Metropolis
step with the weights of :mod:`lift.engines._count_modes` (independent proposals of states:
Knorr-Held 1999, doi:10.1111/1467-9469.00135). Prior variances of controls are moved with them too
(:mod:`lift.engines._count_controls`). Other scale variables are drawn given all else.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

from lift.engines._compile import compiled
from lift.engines._count_controls import move_count_controls, refer
from lift.engines._count_modes import IMPOSSIBLE, find_mode, log_weight, propose, take
from lift.engines._kernels import AMPLITUDE, LEVEL, NOISE
from lift.engines._proposals import (
    JUMPED,
    JUMPS,
    WALKED,
    WALKS,
    adapt_walk,
    jump,
    log_jump,
)
from lift.engines._selection import RIDGE, log_global_prior
from lift.engines._tails import AMPLITUDE_STEP, LEVEL_STEP, draw_spread_scales


@compiled
def move_everything(
    rng, state, flags, problem, prior, jumps, tuning, counts, work, scratch, n_walks, n_jumps, adapt
):
    """Move hyperparameters, coefficients and states together; the last move keeps the first.

    Returns the log weight of where the chain is.
    """
    dim = state.z.shape[0]
    z = state.z
    log_global = state.controls.log_global
    value = find_mode(z, state, problem, prior, counts, work, scratch)
    current = log_weight(value, z, counts.eta, problem, counts, work)
    current += log_global_prior(flags.controls, log_global, work.theta[problem.layout[NOISE]])
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
            new += log_global_prior(flags.controls, log_global, work.theta[problem.layout[NOISE]])
        log_chance = new - current + shift
        accepted = math.log(rng.random()) < log_chance
        if accepted:
            for i in range(dim):
                z[i] = scratch.proposed[i]
            take(state, counts)
            current = new
            jump_at = jump_to
        if stay:
            continue
        tuning.counts[WALKS if walk else JUMPS] += 1
        tuning.counts[WALKED if walk else JUMPED] += accepted
        if adapt and walk:
            chance = math.exp(min(0.0, log_chance)) if log_chance > -700.0 else 0.0
            adapt_walk(tuning, scratch.normal, chance)
    return current


@compiled
def run_count_sweeps(
    rng, state, flags, problem, prior, jumps, tuning, counts, work, scratch, n_walks, n_jumps, thin,
    adapt, zs, gammas, insides, log_globals,
):  # fmt: skip
    """Keep the state after every ``thin`` sweeps, in as many rows as ``zs`` has."""
    n = problem.y.shape[0]
    p = problem.fixed.shape[1]
    own = slice(p, p + problem.day.shape[0])
    for i in range(zs.shape[0]):
        for _ in range(thin):
            current = move_everything(
                rng, state, flags, problem, prior, jumps, tuning, counts, work, scratch, n_walks,
                n_jumps, adapt,
            )  # fmt: skip
            if flags.controls.kind != RIDGE:
                move_count_controls(
                    rng, state, flags.controls, problem, prior, counts, work, scratch, current
                )
                if adapt:
                    refer(counts)
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
        log_globals[i] = state.controls.log_global[0]
        for k in range(insides.shape[1]):
            insides[i, k] = state.controls.inside[k]
