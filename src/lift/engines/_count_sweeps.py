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

from lift._compile import compiled
from lift.engines._count_controls import move_count_controls, refer
from lift.engines._count_modes import IMPOSSIBLE, find_mode, log_weight, propose, take
from lift.engines._kernels import NOISE
from lift.engines._proposals import log_jump, propose_point, record_move
from lift.engines._selection import RIDGE, log_global_prior
from lift.engines._sweeps import draw_other_scales, store


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
        if stay:
            for i in range(dim):
                scratch.proposed[i] = z[i]
        else:
            propose_point(rng, z, walk, jumps, tuning, scratch.normal, scratch.proposed)
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
        if not stay:
            record_move(tuning, walk, accepted, log_chance, scratch.normal, adapt)
    return current


@compiled
def run_count_sweeps(
    rng, state, flags, problem, prior, jumps, tuning, counts, work, scratch, n_walks, n_jumps, thin,
    adapt, zs, log_dfs, gammas, insides, log_globals,
):  # fmt: skip
    """Keep the state after every ``thin`` sweeps, in as many rows as ``zs`` has."""
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
            draw_other_scales(rng, state, flags, problem, prior, tuning, counts.steps, adapt)
        store(state, i, zs, log_dfs, gammas, insides, log_globals)
