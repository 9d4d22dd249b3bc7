"""Compiled pieces of the Gibbs engine over counts: modes, proposals about them, their weights.

Given hyperparameters and scale variables, coefficients and states are proposed from the Gaussian
that has the mode of their posterior; the weight of a proposal ``x`` is that of the exact engine,
``p(y | x) G / g(x)``, with the likelihood ``G`` of the pseudo-data and their density ``g``
(Shephard & Pitt 1997, Biometrika 84:653).
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
    NEWTON_PASSES,
    NEWTON_TOLERANCE,
    NOISE,
    amplitudes,
    predictor,
    solve_upper,
)
from lift.engines._paths import draw_signal, smooth
from lift.engines._points import corrected, newton_data, newton_step
from lift.engines._scaled import motion, prepare
from lift.engines._selection import ControlState
from lift.engines._states import collapse_states

FloatArray = NDArray[np.float64]

IMPOSSIBLE = -1e300
"""Log weight of a point at which Newton's method finds no mode."""


class Counts(NamedTuple):
    """What the log mean is measured from, where Newton's method starts, and buffers of a chain.

    ``eta`` and ``steps`` are the log means and the steps of the level where the chain is,
    ``reference`` the log means about which controls are selected, averaged over ``seen`` sweeps.
    ``kept`` is where the controls were before a step; ``taken`` counts steps taken, and all.
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
    reference: FloatArray
    seen: FloatArray
    kept: ControlState
    taken: FloatArray


def count_buffers(centre: float, start: FloatArray, n_coefficients: int, n_controls: int) -> Counts:
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
        reference=start.copy(),
        seen=np.zeros(1),
        kept=ControlState(np.zeros(n_controls), np.zeros(n_controls), np.zeros(2)),
        taken=np.zeros(2),
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
    for i in range(work.b.shape[0]):
        work.b[i] += rng.standard_normal()
    solve_upper(work.a, work.b)
    for i in range(work.b.shape[0]):
        counts.gamma[i] = work.b[i] * work.spread[i]
    fill_linear(counts.gamma, problem, work, scratch, counts.linear)
    for t in range(counts.linear.shape[0]):
        counts.residual[t] = counts.pseudo[t] - counts.linear[t]
    draw_signal(
        rng, counts.residual, problem, work, scratch, counts.residual, counts.new_steps,
        counts.level,
    )  # fmt: skip
    for t in range(counts.linear.shape[0]):
        counts.new_eta[t] = counts.centre + scratch.path[t] + counts.level[t] + counts.linear[t]


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
def take(state, counts):
    """Move the chain to the coefficients and states that were proposed."""
    for i in range(state.gamma.shape[0]):
        state.gamma[i] = counts.gamma[i]
    for t in range(counts.eta.shape[0]):
        counts.eta[t] = counts.new_eta[t]
        counts.steps[t] = counts.new_steps[t]
