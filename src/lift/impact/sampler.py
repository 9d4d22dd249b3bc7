"""Draws of the single-intervention model: hyperparameters, controls in the model, last state.

States and coefficients are integrated out. Where few controls may enter or stay out, all sets are
summed and the hyperparameters are integrated by importance sampling; with many, chains move over
sets and hyperparameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lift.engines.importance import GOOD_K, Weighted, integrate
from lift.engines.threads import one_blas_thread
from lift.errors import DiagnosticsError
from lift.impact.cells import find_cells, weighted_points
from lift.impact.chain import sample_chains
from lift.impact.density import density_of
from lift.impact.model import ImpactModel
from lift.rng import stream

FloatArray = NDArray[np.float64]

MAX_SUMMED = 6
BAD_K = 0.7
WEIGHT_DIGITS = 9


@dataclass(frozen=True, eq=False)
class ImpactDraws:
    """Posterior draws given the pre-period.

    Attributes
    ----------
    log_sds : ndarray, shape (chain, draw, 2 or 3)
        Noise, level, season.
    coefficients : ndarray, shape (chain, draw, p)
        Exactly 0 where a control is left out.
    states : ndarray, shape (chain, draw, m)
        Level (less its prior mean) and season slots on the row after the pre-period.
    method : "importance" or "chain"
    k : float
        Pareto shape of the importance weights; NaN for chains.
    n_effective : float
        Kish's effective number of importance points; NaN for chains.
    acceptance : float
        Share of accepted moves of the chains; NaN for importance sampling.
    """

    log_sds: FloatArray
    coefficients: FloatArray
    states: FloatArray
    method: Literal["importance", "chain"]
    k: float
    n_effective: float
    acceptance: float


def sample(model: ImpactModel, *, n_draws: int, n_chains: int, seed: int) -> ImpactDraws:
    """Return ``n_draws`` posterior draws in ``n_chains`` chains.

    Parameters
    ----------
    model : ImpactModel
    n_draws : int
        Over all chains.
    n_chains : int
    seed : int
        Root seed.

    Returns
    -------
    ImpactDraws

    Raises
    ------
    DiagnosticsError
        If the importance weights must not be believed (Pareto k above 0.7).
    """
    # one BLAS thread: more are slower at these sizes and change the last digits
    with one_blas_thread():
        if (~model.always).sum() > MAX_SUMMED:
            log_sds, coefficients, states, acceptance = sample_chains(
                model, n_draws // n_chains, n_chains, seed
            )
            nan = float("nan")
            return ImpactDraws(log_sds, coefficients, states, "chain", nan, nan, acceptance)
        return _integrated(model, n_draws, n_chains, seed)


def _integrated(model: ImpactModel, n_draws: int, n_chains: int, seed: int) -> ImpactDraws:
    """Return draws by importance sampling over the log sds."""
    density = density_of(model)
    found = None
    if cells := find_cells(density, n_draws, seed):
        density = cells[1]
        found = weighted_points(*cells, n_draws=n_draws, n_chains=n_chains, seed=seed)
    if found is None or found.k > GOOD_K:
        found = integrate(
            density.log, density.draw, density.dim, n_draws=n_draws, n_chains=n_chains, seed=seed
        )
    if not found.k < BAD_K:
        raise DiagnosticsError(
            f"the importance weights of the hyperparameters have Pareto k {found.k:.2f}; above "
            f"{BAD_K} their means must not be believed"
        )
    points, extras, again = resampled(found, n_draws // n_chains, seed)
    if again.any():
        extras[again] = density.draw(points[again], stream(seed, "impact", "repeats"))[1]
    log_sds, coefficients, states = np.split(
        extras, [density.dim, density.dim + model.n_controls], axis=2
    )
    return ImpactDraws(
        log_sds=log_sds,
        coefficients=coefficients,
        states=states,
        method="importance",
        k=found.k,
        n_effective=found.ess,
        acceptance=float("nan"),
    )


def resampled(
    found: Weighted, n_draws: int, seed: int
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return equally weighted points and extras of each chain, and which of them are repeats.

    Systematic resampling, then a random order.

    Parameters
    ----------
    found : Weighted
    n_draws : int
        Of each chain.
    seed : int
        Root seed.

    Returns
    -------
    points : ndarray, shape (chain, draw, d)
    extras : ndarray, shape (chain, draw, q)
    again : ndarray of bool, shape (chain, draw)
        The same point as another draw of the chain: its extras are to be drawn anew.
    """
    weights = np.exp(found.log_weights - found.log_weights.max(axis=1, keepdims=True))
    weights = np.round(weights / weights.sum(axis=1, keepdims=True), WEIGHT_DIGITS)
    edges = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    points, extras, repeats = [], [], []
    for chain, own in enumerate(edges):
        rng = stream(seed, "impact", "resample", f"chain {chain}")
        at = (np.arange(n_draws) + rng.random()) / n_draws
        index = np.minimum(np.searchsorted(own, at), len(own) - 1)
        again = np.append(False, index[1:] == index[:-1])
        order = rng.permutation(n_draws)
        points.append(found.points[chain].take(index[order], axis=0))
        extras.append(found.extras_at(chain, index[order]))
        repeats.append(again[order])
    return np.stack(points), np.stack(extras), np.stack(repeats)
