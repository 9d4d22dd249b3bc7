"""Compiled steps over the prior variances of controls where the outcome is a count.

Let v be all that the prior variances of the controls depend on (who is in, slab variances, local
and global scales), z the hyperparameters, and x coefficients and states. Of counts the marginal
likelihood ``p(y | v, z)`` is not known, but that of a Gaussian in its place is: the second-order
expansion of the log likelihood in the log means about a *reference* that is held while the chain
is kept. Its pseudo-data have the marginal likelihood ``m(v | z)``, in which one variance changes by
a rank-one formula (:mod:`lift.engines._selection`).

A step has two parts (surrogate transitions: Liu 2001, Monte Carlo Strategies in Scientific
Computing, section 9.4.3; delayed acceptance: Christen & Fox 2005, doi:10.1198/106186005X76983).

1. From v, moves that are each reversible with respect to ``s(v) ~ p(v | z) m(v | z)``, each drawn
   independently of those before it, lead to v'. A power of one reversible kernel is reversible:
   ``s(v) S(v, v') = s(v') S(v', v)``. (Moves in a fixed order would not be.)
2. ``x' ~ g(. | v', z)``, the Gaussian that has the mode of ``p(x | y, v', z)``.

The chain is to keep ``p(v | z) p(x | v, z) p(y | x, z)``. With
``w(v, x) = p(y | x, z) p(x | v, z) / g(x | v, z)`` the Metropolis-Hastings ratio of
``S(v, v') g(x' | v', z)`` is, as the prior of v cancels,

``w(v', x') / w(v, x)  m(v | z) / m(v' | z)``.

The better the reference, the nearer it is to one where the expansion of each model at its own mode
is good; the law that the chain keeps does not depend on it. It is the mean of the log means over
the warm-up.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

from lift._compile import compiled
from lift.engines._count_modes import find_mode, log_weight, propose, size_of, take
from lift.engines._kernels import NOISE, cross_products
from lift.engines._points import newton_data
from lift.engines._scaled import motion, prepare
from lift.engines._selection import (
    LARGE_STEP,
    SMALL_STEP,
    SPIKE_SLAB,
    choose,
    exchange,
    fill_variances,
    isolate,
    log_global_prior,
    move_global,
    move_local,
    move_slab,
    rebuild,
    trade_scales,
)
from lift.engines._states import state_innovations

N_STEPS = 2
"""Steps over the variances of controls in a sweep; each takes one mode."""
LONGEST_MEMORY = 100.0
"""Sweeps that the mean of the log means looks back on at most: the chain forgets its start."""


@compiled
def refer(counts):
    """Move the reference to the mean of the log means that the chain has passed."""
    counts.seen[0] = min(counts.seen[0] + 1.0, LONGEST_MEMORY)
    for t in range(counts.eta.shape[0]):
        counts.reference[t] += (counts.eta[t] - counts.reference[t]) / counts.seen[0]


@compiled
def expand(state, problem, prior, counts, work):
    """Fill the cross products of the pseudo-data at the reference."""
    prepare(state.z, state.scaled, problem, prior, work)
    newton_data(
        problem.y, counts.reference, problem.observed, size_of(problem, work), counts.centre,
        work.noise, counts.pseudo,
    )  # fmt: skip
    slope, slope_phi, noise, noise_phi = motion(problem, work)
    state_innovations(
        counts.pseudo, work.noise, problem.observed, work.fixed, work.kernels, problem.day,
        problem.walk, slope, slope_phi, noise, noise_phi, work.cov, work.steps, work.level_var,
        work.loads, work.gained, work.v, work.means,
    )  # fmt: skip
    cross_products(
        work.v, problem.day, problem.fixed.shape[1], work.flags, work.sizes, work.ones, work.s
    )


@compiled
def walk_selection(rng, controls, state, work):
    """Move who is in and the slab variances, each move drawn without regard to those before it."""
    count = controls.n_controls
    for _ in range(3 * count):
        kind = rng.random()
        k = min(int(rng.random() * count), count - 1)
        if kind < 0.3:
            move_slab(rng, controls, state, work, k)
        elif kind < 0.7:
            choose(rng, controls, state, work, k)
        else:
            exchange(rng, controls, state, work)


@compiled
def walk_horseshoe(rng, controls, state, noise_sd, work, current):
    """Move the scales of a horseshoe, each move drawn without regard to those before it."""
    count = controls.n_controls
    for _ in range(4 * count + 8):
        u = int(rng.random() * (4 * count + 8))
        step = SMALL_STEP if rng.random() < 0.5 else LARGE_STEP
        if u < 4 * count:
            current += move_local(rng, controls, state, work, u // 4, step)
        elif u < 4 * count + 4:
            current = move_global(rng, controls, state, noise_sd, work, u % 2, step, current)
            # where it was not taken, the matrix is that of the proposal
            rebuild(work)
        else:
            trade_scales(rng, controls, state, noise_sd, min(step, 1.0 / math.sqrt(count)))


@compiled
def put_variances(state, controls, work):
    """Let coefficients have the prior variances that the state of the controls gives."""
    fill_variances(controls, state.controls, work.variance)
    for k in range(controls.n_controls):
        state.scaled.coefficient[controls.first + k] = work.variance[k]


@compiled
def copy_controls(source, target):
    """Copy what the variances of controls depend on."""
    for k in range(source.log_local.shape[0]):
        target.log_local[k] = source.log_local[k]
        target.inside[k] = source.inside[k]
    for k in range(2):
        target.log_global[k] = source.log_global[k]


@compiled
def move_count_controls(rng, state, controls, problem, prior, counts, work, scratch, current):
    """Move the prior variances of controls with coefficients and states.

    ``current`` is the log weight of where the chain is, the prior of its global sd included.
    """
    mine = scratch.controls
    expand(state, problem, prior, counts, work)
    noise_sd = work.theta[problem.layout[NOISE]]
    isolate(
        work.s, problem.fixed.shape[1], problem.member_index, problem.member_value, work.spread,
        controls, mine,
    )  # fmt: skip
    current -= log_global_prior(controls, state.controls.log_global, noise_sd)
    for _ in range(N_STEPS):
        copy_controls(state.controls, counts.kept)
        fill_variances(controls, state.controls, mine.variance)
        before = rebuild(mine)
        if controls.kind == SPIKE_SLAB:
            walk_selection(rng, controls, state.controls, mine)
        else:
            walk_horseshoe(rng, controls, state.controls, noise_sd, mine, before)
        put_variances(state, controls, mine)
        after = rebuild(mine)
        value = find_mode(state.z, state, problem, prior, counts, work, scratch)
        log_chance = -math.inf
        new = current
        if not math.isnan(value):
            propose(rng, problem, counts, work, scratch)
            new = log_weight(value, state.z, counts.new_eta, problem, counts, work)
            log_chance = new - current - (after - before)
        accepted = math.log(rng.random()) < log_chance
        counts.taken[0] += accepted
        counts.taken[1] += 1.0
        if accepted:
            take(state, counts)
            current = new
        else:
            copy_controls(counts.kept, state.controls)
            put_variances(state, controls, mine)
