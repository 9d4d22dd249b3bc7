"""Several chains over hyperparameters and sets of controls, warmed up and tuned together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lift.impact._chain import run_chain
from lift.impact._interpolant import no_interpolant
from lift.impact.interpolant import interpolant_on
from lift.impact.model import ImpactModel
from lift.rng import stream

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

PILOT_ROUNDS = 4
PILOT_SWEEPS = 12
PILOT_MOVES = 8
WARM_ROUNDS = 3
WARM_SWEEPS = 40
MOVES_PER_DIMENSION = 4
EXCHANGES = 4
FIRST_STEPS = (0.05, 0.15, 0.5)
# The box of the interpolant: the pilot's range and this many of its sds and logs beyond.
BOX_SDS = 5.0
BOX_MARGIN = 0.2


class _Runner:
    """The arguments that every call of the compiled chain shares."""

    def __init__(self, model: ImpactModel) -> None:
        self.model = model
        self.grid = no_interpolant(model.n_states)

    def run(
        self,
        rng: np.random.Generator,
        log_sd: FloatArray,
        inside: BoolArray,
        step: FloatArray,
        n_keep: int,
        n_moves: int,
    ) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Return log sds, coefficients and states kept, and the share of accepted moves."""
        model = self.model
        log_sds = np.empty((n_keep, len(log_sd)))
        coefficients = np.empty((n_keep, model.n_controls))
        states = np.empty((n_keep, model.n_states))
        accepted = run_chain(
            rng, log_sd, inside, n_keep, 1, n_moves, EXCHANGES, step, model.columns,
            model.observed, model.duration, model.prior.start_sd**2, model.prior.precision,
            model.log_odds, model.always, model.shapes, model.rates, np.log(model.prior.limits),
            self.grid, log_sds, coefficients, states,
        )  # fmt: skip
        return log_sds, coefficients, states, accepted

    def run_all(
        self,
        starts: Sequence[tuple[np.random.Generator, FloatArray, BoolArray]],
        step: FloatArray,
        n_keep: int,
        n_moves: int,
    ) -> list[tuple[FloatArray, FloatArray, FloatArray, float]]:
        """Return what ``run`` does for each chain, on all processors.

        Each has a stream of its own, so that it does not matter which thread runs it.
        """
        with ThreadPoolExecutor(min(os.cpu_count() or 1, len(starts))) as pool:
            tasks = [pool.submit(self.run, *start, step, n_keep, n_moves) for start in starts]
            return [task.result() for task in tasks]

    def interpolate(self, log_sds: FloatArray, rng: np.random.Generator, n_sweeps: int) -> None:
        """Interpolate the moments around the log ratios of the pilot, if that is cheaper."""
        at = log_sds[:, 1:] - log_sds[:, :1]
        margin = BOX_SDS * at.std(axis=0) + BOX_MARGIN
        low, high = at.min(axis=0) - margin, at.max(axis=0) + margin
        self.grid = interpolant_on(self.model, low, high, rng, n_sweeps)


def _step(log_sds: FloatArray) -> FloatArray:
    """Return the factor of random-walk steps tuned to draws (n, d) (Gelman, Roberts & Gilks)."""
    dim = log_sds.shape[1]
    cov = np.cov(log_sds.T).reshape(dim, dim) + 1e-6 * np.eye(dim)
    return np.asarray(2.38 / np.sqrt(dim) * np.linalg.cholesky(cov))


def sample_chains(
    model: ImpactModel, n_draws: int, n_chains: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Return draws of ``n_chains`` chains that start from different sets of controls.

    A pilot chain finds where the hyperparameters are; all chains then warm up and tune their steps
    together before any draw is kept.

    Parameters
    ----------
    model : ImpactModel
    n_draws : int
        Draws kept of each chain.
    n_chains : int
    seed : int
        Root seed.

    Returns
    -------
    log_sds : ndarray, shape (chain, draw, 2 or 3)
    coefficients : ndarray, shape (chain, draw, p)
    states : ndarray, shape (chain, draw, m)
    acceptance : float
        Share of accepted moves among those kept.
    """
    dim = len(model.start)
    runner = _Runner(model)
    rng = stream(seed, "impact", "pilot")
    log_sd = model.start.copy()
    inside = model.always | (rng.random(model.n_controls) < model.prior.inclusion)
    step = np.diag(FIRST_STEPS[:dim])
    for _ in range(PILOT_ROUNDS):
        pilot = runner.run(rng, log_sd, inside, step, PILOT_SWEEPS, PILOT_MOVES)[0]
        step = 0.5 * _step(pilot) + 0.2 * np.diag(FIRST_STEPS[:dim])
    n_moves = MOVES_PER_DIMENSION * dim
    warm = n_chains * WARM_ROUNDS * WARM_SWEEPS
    runner.interpolate(pilot, rng, warm + n_chains * n_draws)

    rngs = [stream(seed, "impact", f"chain {chain}") for chain in range(n_chains)]
    places = [pilot[int(own.integers(len(pilot)))].copy() for own in rngs]
    sets = [model.always | (own.random(model.n_controls) < model.prior.inclusion) for own in rngs]
    starts = list(zip(rngs, places, sets, strict=True))
    for _ in range(WARM_ROUNDS):
        warmed = runner.run_all(starts, step, WARM_SWEEPS, n_moves)
        step = _step(np.concatenate([log_sds for log_sds, *_ in warmed]))
    kept = runner.run_all(starts, step, n_draws, n_moves)
    log_sds, coefficients, states, accepted = zip(*kept, strict=True)
    return np.stack(log_sds), np.stack(coefficients), np.stack(states), float(np.mean(accepted))
