"""The Pareto shape of importance weights: can their mean be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

PRIOR_POINTS = 10.0
PRIOR_K = 0.5


def pareto_k(log_weights: FloatArray) -> float:
    """Return the shape of a generalised Pareto distribution fitted to the largest weights.

    Parameters
    ----------
    log_weights : ndarray, shape (n,)
        Unnormalised.

    Returns
    -------
    float
        Below 0.5 the weights have a finite variance, above 0.7 their mean must not be trusted;
        infinite if fewer than 25 weights are above zero.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry 2024, Pareto smoothed importance sampling, JMLR 25(72);
    Zhang & Stephens 2009, Technometrics 51:316, doi:10.1198/tech.2009.08017.
    """
    finite = log_weights[np.isfinite(log_weights)]
    n = len(log_weights)
    n_tail = int(np.ceil(min(0.2 * n, 3 * np.sqrt(n))))
    if len(finite) < max(25, n_tail + 1):
        return float("inf")
    largest = np.sort(np.partition(finite, -n_tail - 1)[-n_tail - 1 :])
    largest = np.exp(largest - largest[-1])
    tail = largest[1:] - largest[0]
    if tail[-1] <= 1e-12:
        return float("-inf")
    return _shape(np.maximum(tail, 1e-300))


def _shape(tail: FloatArray) -> float:
    """Return the shape estimate of Zhang & Stephens for a sorted positive sample."""
    n = len(tail)
    n_grid = 30 + int(np.sqrt(n))
    grid = 1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))
    grid /= 3.0 * tail[int(n / 4 + 0.5) - 1]
    grid += 1.0 / tail[-1]
    shapes = np.log1p(-grid[:, None] * tail).mean(axis=1)
    profile = n * (np.log(-grid / shapes) - shapes - 1.0)
    # a candidate far below another overflows, and has no weight
    with np.errstate(over="ignore"):
        weights = 1.0 / np.exp(profile - profile[:, None]).sum(axis=1)
    kept = weights >= 10 * np.finfo(np.float64).eps
    weights = weights[kept] / weights[kept].sum()
    best = float((grid[kept] * weights).sum())
    k = float(np.log1p(-best * tail).mean())
    return (n * k + PRIOR_POINTS * PRIOR_K) / (n + PRIOR_POINTS)
