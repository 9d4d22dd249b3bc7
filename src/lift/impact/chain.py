"""Several chains over hyperparameters and sets of controls, warmed up and tuned together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lift.engines.threads import share_out
from lift.impact._chain import TUNED, run_chain
from lift.impact._interpolant import Interpolant, lay_out, no_interpolant, rows_of
from lift.impact.interpolant import EXACT, ROUGH, interpolant_on
from lift.impact.model import WORTH_THREADS, ImpactModel
from lift.rng import stream

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

PILOT_ROUNDS = 4
PILOT_SWEEPS = 12
PILOT_MOVES = 8
WARM_ROUNDS = 3
WARM_SWEEPS = 40
# Nanoseconds that a sweep takes for each column.
PER_COLUMN = 80.0
# A step of a random walk and a point drawn anew.
MOVES = 2
FIRST_STEPS = (0.05, 0.15, 0.5)
# The box of the interpolant: the range of draws and this many of their sds and logs beyond, more of
# these about where the pilot starts and about its few draws.
BOX_SDS = 2.0
BOX_MARGIN = 0.1
PILOT_MARGIN = 0.5
START_MARGIN = 2.0


class _Runner:
    """The arguments that every call of the compiled chain shares."""

    def __init__(self, model: ImpactModel) -> None:
        self.model = model
        self._use(no_interpolant(model.n_states))

    def _use(self, grid: Interpolant) -> None:
        """Take the moments from this interpolant."""
        self.grid = grid
        terms = grid.table[0]
        self.terms = rows_of(len(terms), self.model.columns.shape[1], self.model.n_states)
        lay_out(terms, self.terms)

    def run(
        self,
        rng: np.random.Generator,
        log_sd: FloatArray,
        inside: BoolArray,
        tuned: tuple[FloatArray, FloatArray],
        n_keep: int,
        n_moves: int,
    ) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Return log sds, coefficients and states kept, and the share of accepted moves.

        ``tuned`` is where points are drawn anew and the factor of the random walk's steps.
        """
        model = self.model
        log_sds = np.empty((n_keep, len(log_sd)))
        coefficients = np.empty((n_keep, model.n_controls))
        states = np.empty((n_keep, model.n_states))
        accepted = run_chain(
            rng, log_sd, inside, n_keep, n_moves, *tuned, model.columns, model.observed,
            model.duration, model.prior.start_sd**2, model.prior.precision, model.log_odds,
            model.always, model.shapes, model.rates, np.log(model.prior.limits), self.grid,
            self.terms, log_sds, coefficients, states,
        )  # fmt: skip
        return log_sds, coefficients, states, accepted

    def run_all(
        self,
        starts: Sequence[tuple[np.random.Generator, FloatArray, BoolArray]],
        tuned: tuple[FloatArray, FloatArray],
        n_keep: int,
        n_moves: int,
    ) -> list[tuple[FloatArray, FloatArray, FloatArray, float]]:
        """Return what ``run`` does for each chain, on all processors.

        Each has a stream of its own, so that it does not matter which thread runs it.
        """
        done = {}

        def run(chains: slice) -> None:
            for i in range(chains.start, chains.stop):
                done[i] = self.run(*starts[i], tuned, n_keep, n_moves)

        work = PER_COLUMN * self.model.columns.shape[1] * n_keep * len(starts)
        share_out(run, len(starts), 1, worth=work > WORTH_THREADS)
        return [done[i] for i in range(len(starts))]

    def interpolate(
        self,
        log_sds: FloatArray,
        rng: np.random.Generator,
        n_sweeps: int,
        margin: float = BOX_MARGIN,
        digits: float = EXACT,
    ) -> None:
        """Interpolate the moments around the log ratios of draws, if that is cheaper."""
        at = log_sds[:, 1:] - log_sds[:, :1]
        beyond = BOX_SDS * at.std(axis=0) + margin
        low, high = at.min(axis=0) - beyond, at.max(axis=0) + beyond
        self._use(interpolant_on(self.model, low, high, rng, n_sweeps, digits))


def _tuned(log_sds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of draws (n, d) and the factor of random-walk steps tuned to them."""
    dim = log_sds.shape[1]
    cov = np.cov(log_sds.T).reshape(dim, dim) + 1e-6 * np.eye(dim)
    return log_sds.mean(axis=0), np.asarray(TUNED / np.sqrt(dim) * np.linalg.cholesky(cov))


def sample_chains(
    model: ImpactModel, n_draws: int, n_chains: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Return draws of ``n_chains`` chains that start from different sets of controls.

    A pilot chain finds where the hyperparameters are; all chains then warm up and tune their moves
    together before any draw is kept. Until then rough moments do.

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
    first = np.diag(FIRST_STEPS[:dim])
    tuned = log_sd.copy(), first
    n_pilot = PILOT_ROUNDS * PILOT_SWEEPS
    runner.interpolate(log_sd[None], rng, n_pilot, margin=START_MARGIN, digits=ROUGH)
    for _ in range(PILOT_ROUNDS):
        pilot = runner.run(rng, log_sd, inside, tuned, PILOT_SWEEPS, PILOT_MOVES)[0]
        centre, step = _tuned(pilot)
        tuned = centre, 0.5 * step + 0.2 * first

    rngs = [stream(seed, "impact", f"chain {chain}") for chain in range(n_chains)]
    places = [pilot[int(own.integers(len(pilot)))].copy() for own in rngs]
    sets = [model.always | (own.random(model.n_controls) < model.prior.inclusion) for own in rngs]
    starts = list(zip(rngs, places, sets, strict=True))
    if not runner.grid.table.size:
        n_warm = n_chains * WARM_ROUNDS * WARM_SWEEPS
        runner.interpolate(pilot, rng, n_warm, margin=PILOT_MARGIN, digits=ROUGH)
    for _ in range(WARM_ROUNDS):
        warmed = runner.run_all(starts, tuned, WARM_SWEEPS, MOVES)
        warm = np.concatenate([log_sds for log_sds, *_ in warmed])
        tuned = _tuned(warm)
    runner.interpolate(warm, rng, n_chains * n_draws)
    kept = runner.run_all(starts, tuned, n_draws, MOVES)
    log_sds, coefficients, states, accepted = zip(*kept, strict=True)
    return np.stack(log_sds), np.stack(coefficients), np.stack(states), float(np.mean(accepted))
