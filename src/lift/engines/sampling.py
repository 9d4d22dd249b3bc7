"""Equally weighted draws of a collapsed model: integrate the hyperparameters, resample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lift.engines.base import Progress, SampleSettings
from lift.engines.importance import Weighted, integrate
from lift.engines.threads import one_blas_thread
from lift.rng import stream

FloatArray = NDArray[np.float64]

EMPTY = np.empty((0, 0))
WEIGHT_DIGITS = 9
# 8 MB; points share out among threads as they come.
NORMALS_AT_A_TIME = 1_000_000
MIN_POINTS = 128
# With more of them a draw for every point would take hundreds of MB: those of the points that are
# picked are made afterwards, from the same numbers.
MAX_KEPT_NORMALS = 4000


class Collapsed(Protocol):
    """A model whose states and coefficients are integrated out at given hyperparameters."""

    @property
    def n_normals(self) -> int:
        """Standard normal numbers that one draw of the coefficients takes."""
        ...

    @property
    def n_hypers(self) -> int:
        """Number of hyperparameters."""
        ...

    @property
    def weighs_draws(self) -> bool:
        """Whether a weight belongs to a draw of the coefficients too, not to its point alone."""
        ...

    def evaluate(self, z: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log posterior densities and, with ``normals``, a draw of the coefficients."""
        ...


@dataclass(frozen=True, eq=False)
class Draws:
    """Equally weighted draws.

    Attributes
    ----------
    coordinates : ndarray, shape (chain, draw, d)
        Standard normal coordinates of the hyperparameters.
    coefficients : ndarray, shape (chain, draw, q)
    stats : dict
        Pareto k, effective sample size, log evidence, and what it took.
    """

    coordinates: FloatArray
    coefficients: FloatArray
    stats: dict[str, float | int]


def sample(model: Collapsed, settings: SampleSettings, progress: Progress | None = None) -> Draws:
    """Return draws of hyperparameters and coefficients.

    Parameters
    ----------
    model : Collapsed
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.

    Returns
    -------
    Draws
    """

    def target(z: FloatArray) -> FloatArray:
        return model.evaluate(z, EMPTY)[0]

    def draw(z: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        return (target(z), np.empty((len(z), 0))) if _draws_later(model) else _drawn(model, z, rng)

    with one_blas_thread():
        weighted = integrate(
            target,
            draw,
            model.n_hypers,
            n_draws=settings.draws,
            n_chains=settings.chains,
            seed=settings.seed,
            progress=progress,
            workers=settings.workers,
        )
        coordinates, coefficients, n_repeats = _resample(model, weighted, settings)
    log_weights = weighted.log_weights
    stats: dict[str, float | int] = {
        "pareto_k": weighted.k,
        "ess": weighted.ess,
        "log_evidence": float(np.logaddexp.reduce(log_weights.ravel()) - np.log(log_weights.size)),
        "n_evaluations": weighted.n_evaluations + n_repeats,
        "n_points": log_weights.size,
        "safety_net": int(weighted.net_used),
    }
    return Draws(coordinates, coefficients, stats)


def _drawn(
    model: Collapsed, z: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return log densities and draws at points, the normal numbers made for some at a time."""
    step = max(MIN_POINTS, NORMALS_AT_A_TIME // max(model.n_normals, 1))
    if len(z) <= step:
        return model.evaluate(z, rng.standard_normal((len(z), model.n_normals)))
    values = np.empty(len(z))
    coefficients = EMPTY
    for begin in range(0, len(z), step):
        part = slice(begin, begin + step)
        own = rng.standard_normal((len(z[part]), model.n_normals))
        values[part], drawn = model.evaluate(z[part], own)
        if begin == 0:
            coefficients = np.empty((len(z), drawn.shape[1]))
        coefficients[part] = drawn
    return values, coefficients


def _resample(
    model: Collapsed, weighted: Weighted, settings: SampleSettings
) -> tuple[FloatArray, FloatArray, int]:
    """Return equally weighted draws of every chain, by systematic resampling.

    A hyperparameter point that is taken twice gets a fresh draw of the coefficients, so that
    draws stay distinct; with counts the weight belongs to both and they are repeated together.
    """
    n = settings.draws // settings.chains
    picked, indices, repeated = [], [], []
    for chain in range(settings.chains):
        logs = weighted.log_weights[chain]
        weights = np.exp(logs - logs.max())
        weights = np.round(weights / weights.sum(), WEIGHT_DIGITS)
        edges = np.cumsum(weights) / weights.sum()
        offset = stream(settings.seed, "resample", f"chain {chain}").random()
        index = np.minimum(np.searchsorted(edges, (np.arange(n) + offset) / n), len(edges) - 1)
        picked.append(weighted.points[chain, index])
        indices.append(index)
        repeated.append(np.append(False, index[1:] == index[:-1]))
    points, again = np.stack(picked), np.stack(repeated)
    n_later = 0
    if not _draws_later(model):
        gammas = np.stack([weighted.extras_at(chain, own) for chain, own in enumerate(indices)])
    else:
        gammas = _drawn_later(model, weighted, points, np.stack(indices), settings.seed)
        n_later = again.size
    n_again = 0
    if not model.weighs_draws and again.any():
        rng = stream(settings.seed, "coefficients", "repeats")
        n_again = int(again.sum())
        gammas[again] = _drawn(model, points[again], rng)[1]
    # The weights are right over all batches together, not within one: draws in the order of the
    # batches drift, which R-hat and ESS take for a chain that has not converged.
    for chain in range(settings.chains):
        order = stream(settings.seed, "order", f"chain {chain}").permutation(n)
        points[chain], gammas[chain] = points[chain, order], gammas[chain, order]
    return points, gammas, n_again + n_later


def _draws_later(model: Collapsed) -> bool:
    """Return whether points get their draws after resampling: such draws are too many to keep."""
    return model.n_normals > MAX_KEPT_NORMALS and not model.weighs_draws


def _drawn_later(
    model: Collapsed, weighted: Weighted, points: FloatArray, index: NDArray[np.int64], seed: int
) -> FloatArray:
    """Return the draws (chain, draw, q) that points of the batches would have been given at once.

    Each batch's stream is run through again, and the normal numbers of the picked points are used.
    """
    n_chains, n = index.shape
    flat = points.reshape(n_chains * n, -1)
    gammas, begin = EMPTY, 0
    for number, batch in enumerate(weighted.batches):
        size = batch.shape[1]
        rows = np.where((index >= begin) & (index < begin + size), index - begin, -1)
        rows = np.where(rows >= 0, rows + size * np.arange(n_chains)[:, None], -1).ravel()
        rng = stream(seed, "coefficients", f"batch {number}")
        step = max(1, NORMALS_AT_A_TIME // model.n_normals)
        for first in range(0, n_chains * size, step):
            mine = np.flatnonzero((rows >= first) & (rows < first + step))
            own = np.empty((len(mine), model.n_normals))
            for row in range(first, min(first + step, n_chains * size)):
                own[rows[mine] == row] = rng.standard_normal(model.n_normals)
            if len(mine):
                drawn = model.evaluate(flat[mine], own)[1]
                gammas = gammas if gammas.size else np.empty((len(flat), drawn.shape[1]))
                gammas[mine] = drawn
        begin += size
    return gammas.reshape(n_chains, n, -1)
