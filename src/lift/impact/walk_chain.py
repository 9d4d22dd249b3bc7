"""Several chains over the sds of a model with many coefficients that walk.

One sweep moves noise, level and season by Metropolis with all states integrated out, draws the
states, draws the walks' variances given them, and draws level's and walks' sds once more given the
shocks in place of the states: where a walk is small the first of the two mixes badly, where it is
large the second does (ancillarity-sufficiency interweaving: Yu & Meng 2011,
doi:10.1198/jcgs.2011.203main; Kastner & Fruhwirth-Schnatter 2014, doi:10.1016/j.csda.2013.01.002).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lift.impact._walks import smooth_path
from lift.impact.walks import WalkDensity, evaluate
from lift.rng import stream

FloatArray = NDArray[np.float64]

WARM_ROUNDS = 4
WARM_SWEEPS = 100
# Sweeps for each draw that is kept, and moves of noise, level and season in each.
SWEEPS = 3
MOVES = 3
FIRST_STEPS = (1.0, 1.0, 0.5)
# The random walk's share of steps that know nothing of the tuned ones.
FRESH = 0.1
# Slice sampling of log sds: first width, and most steps out on either side.
WIDTH = 1.0
MAX_OUT = 20


def sample_walks(
    density: WalkDensity, n_draws: int, n_chains: int, seed: int
) -> tuple[FloatArray, float]:
    """Return draws of the log sds of ``n_chains`` chains that start from different places.

    Parameters
    ----------
    density : WalkDensity
    n_draws : int
        Draws kept of each chain.
    n_chains : int
    seed : int
        Root seed.

    Returns
    -------
    log_sds : ndarray, shape (chain, draw, s)
    acceptance : float
        Share of accepted moves of noise, level and season.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        chains = list(pool.map(lambda c: _Chain(density, seed, c).run(n_draws), range(n_chains)))
    log_sds, accepted = zip(*chains, strict=True)
    return np.stack(log_sds), float(np.mean(accepted))


class _Chain:
    """One chain: where it is and its steps."""

    def __init__(self, density: WalkDensity, seed: int, chain: int) -> None:
        self.density = density
        self.model = density.model
        self.rng = stream(seed, "impact", "walks", f"chain {chain}")
        self.n_block = self.model.n_sds - self.model.n_walks
        start = self.rng.standard_normal(self.model.n_sds)
        self.z = start[: self.n_block]
        self.log_sds = density.log_sds(start)
        self.step = np.diag(FIRST_STEPS[: self.n_block])
        self.accepted = 0

    def run(self, n_draws: int) -> tuple[FloatArray, float]:
        """Return draws of the log sds, (draw, s), and the share of accepted moves."""
        for _ in range(WARM_ROUNDS):
            seen = []
            for _ in range(WARM_SWEEPS):
                self.sweep()
                seen.append(self.z.copy())
            cov = np.cov(np.array(seen[WARM_SWEEPS // 4 :]).T) + 1e-3 * np.eye(self.n_block)
            self.step = 2.38 / np.sqrt(self.n_block) * np.linalg.cholesky(cov)
        self.accepted = 0
        kept = np.empty((n_draws, self.model.n_sds))
        for draw in range(n_draws):
            for _ in range(SWEEPS):
                self.sweep()
            kept[draw] = self.log_sds
        return kept, self.accepted / (n_draws * SWEEPS * MOVES)

    def sweep(self) -> None:
        """Move everything once."""
        self._move_block()
        path = self._states()
        self._walks_given_states(path)
        self._sds_given_shocks(path)

    def _log_block(self, z: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density of noise, level and season, and all log sds."""
        padded = np.append(z, np.zeros(self.model.n_walks))
        log_sds = self.density.log_sds(padded)
        log_sds[self.n_block :] = self.log_sds[self.n_block :]
        value = float(evaluate(self.model, log_sds[None])[0][0])
        value += float(self.density.log_jacobian(padded[None])[0])
        return (value if np.isfinite(value) else -np.inf), log_sds

    def _move_block(self) -> None:
        self.z = np.append(self.density.scaled(self.log_sds), self.z[2:])
        current, _ = self._log_block(self.z)
        for _ in range(MOVES):
            step = np.diag(FIRST_STEPS[: self.n_block]) if self.rng.random() < FRESH else self.step
            proposed = self.z + step @ self.rng.standard_normal(self.n_block)
            value, log_sds = self._log_block(proposed)
            if np.log(self.rng.random()) < value - current:
                self.z, current, self.log_sds = proposed, value, log_sds
                self.accepted += 1

    def _states(self) -> FloatArray:
        """Return a draw of all states over the pre-period, (row, m)."""
        model = self.model
        n, m = len(model.outcome), len(model.start_vars)
        path = np.empty((n, m))
        smooth_path(
            *model.data, np.exp(self.log_sds), model.start_vars, self.rng.standard_normal(m),
            self.rng.standard_normal((n, model.n_sds)), path,
        )  # fmt: skip
        return path

    def _walks_given_states(self, path: FloatArray) -> None:
        """Draw the walks' variances given their paths: inverse gamma."""
        model, walks = self.model, slice(self.n_block, None)
        paths = path[:, model.base : model.base + model.n_walks]
        shapes = model.shapes[walks] + 0.5 * (len(path) - 1)
        rates = model.rates[walks] + 0.5 * np.square(np.diff(paths, axis=0)).sum(axis=0)
        self.log_sds[walks] = 0.5 * np.log(rates / self.rng.gamma(shapes))

    def _sds_given_shocks(self, path: FloatArray) -> None:
        """Draw level's and walks' sds given shocks of sd one and everything else."""
        model, base = self.model, self.model.base
        which = np.append(1, np.arange(self.n_block, model.n_sds))
        columns = np.column_stack([path[:, 0], path[:, base : base + model.n_walks]])
        design = np.column_stack([np.ones(len(path)), model.controls[:, : model.n_walks]])
        sds = np.exp(self.log_sds[which])
        loads = design * (columns - columns[0]) / sds
        rows = np.arange(len(path))
        signal = path[:, 0] + (model.controls * path[:, base:]).sum(axis=1)
        if base > 1:
            signal += path[rows, 1 + (rows // model.duration) % (base - 1)]
        residual = (model.outcome - signal)[model.observed]
        loads = loads[model.observed] / np.exp(self.log_sds[0])
        gram = loads.T @ loads
        cross = loads.T @ (residual / np.exp(self.log_sds[0])) + gram @ sds
        limits = np.log(model.prior.limits[which])
        for i, at in enumerate(which):
            pull = cross[i] - gram[i] @ sds + gram[i, i] * sds[i]
            shape, rate, curve, limit = model.shapes[at], model.rates[at], gram[i, i], limits[i]

            def log_density(
                x: float,
                shape: float = shape,
                rate: float = rate,
                pull: float = pull,
                curve: float = curve,
                limit: float = limit,
            ) -> float:
                if x > limit:
                    return -np.inf
                sd = np.exp(x)
                fit = sd * (pull - 0.5 * curve * sd)
                return float(fit - 2.0 * shape * x - rate * np.exp(-2.0 * x))

            self.log_sds[at] = _slice_draw(log_density, float(self.log_sds[at]), self.rng)
            sds[i] = np.exp(self.log_sds[at])


def _slice_draw(log_density: Callable[[float], float], x: float, rng: np.random.Generator) -> float:
    """Return the next point of a slice sampler (Neal 2003, doi:10.1214/aos/1056562461)."""
    height = log_density(x) + np.log(rng.random())
    low = x - WIDTH * rng.random()
    high = low + WIDTH
    for _ in range(MAX_OUT):
        if log_density(low) <= height:
            break
        low -= WIDTH
    for _ in range(MAX_OUT):
        if log_density(high) <= height:
            break
        high += WIDTH
    while True:
        y = low + (high - low) * rng.random()
        if log_density(y) > height:
            return float(y)
        if y < x:
            low = y
        else:
            high = y
