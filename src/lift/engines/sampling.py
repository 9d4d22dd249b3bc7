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
# 16 MB; points share out among threads as they come.
NORMALS_AT_A_TIME = 2_000_000
MIN_POINTS = 256


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
        return _drawn(model, z, rng)

    with one_blas_thread():
        weighted = integrate(
            target,
            draw,
            model.n_hypers,
            n_draws=settings.draws,
            n_chains=settings.chains,
            seed=settings.seed,
            progress=progress,
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
    picked, coefficients, repeated = [], [], []
    for chain in range(settings.chains):
        logs = weighted.log_weights[chain]
        weights = np.exp(logs - logs.max())
        weights = np.round(weights / weights.sum(), WEIGHT_DIGITS)
        edges = np.cumsum(weights) / weights.sum()
        offset = stream(settings.seed, "resample", f"chain {chain}").random()
        index = np.minimum(np.searchsorted(edges, (np.arange(n) + offset) / n), len(edges) - 1)
        picked.append(weighted.points[chain, index])
        coefficients.append(weighted.extras_at(chain, index))
        repeated.append(np.append(False, index[1:] == index[:-1]))
    points, gammas, again = np.stack(picked), np.stack(coefficients), np.stack(repeated)
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
    return points, gammas, n_again
