"""Mixtures of multivariate t distributions: density, quasi-random points, weighted EM fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtri
from scipy.special import gammaincinv, gammaln, ndtri

from lift.errors import EngineError

FloatArray = NDArray[np.float64]

DEGREES = 10.0
EM_PASSES = 15
EM_POINTS = 2048
POINTS_PER_COMPONENT = 300
MAX_COMPONENTS = 4
RIDGE = 1e-8
LEAN = 0.1


def log_sum_exp(logs: FloatArray) -> FloatArray:
    """Return the log of the sum of exponentials over the first axis.

    The largest terms are taken out of the sum, which keeps the digits of small ones, as SciPy's
    ``logsumexp`` does: the same to the last bit, without its passes for complex and infinite sums.

    Parameters
    ----------
    logs : ndarray, shape (k, ...)
        Not NaN; the largest of each sum is finite.

    Returns
    -------
    ndarray, shape (...)
    """
    top = logs.max(axis=0)
    largest = logs == top
    rest = np.exp(logs - top)
    rest[largest] = 0.0
    n_largest = largest.sum(axis=0, dtype=np.float64)
    return np.asarray(np.log1p(rest.sum(axis=0) / n_largest) + np.log(n_largest) + top)


@dataclass(frozen=True)
class Mixture:
    """A mixture of multivariate t distributions with ten degrees of freedom.

    Attributes
    ----------
    shares : ndarray, shape (k,)
        Positive; need not sum to one.
    means : ndarray, shape (k, d)
    factors : ndarray, shape (k, d, d)
        Lower Cholesky factors of the scale matrices.
    """

    shares: FloatArray
    means: FloatArray
    factors: FloatArray

    def inflated(self, by: float) -> Mixture:
        """Return the mixture with every component wider by a factor."""
        return Mixture(self.shares, self.means, by * self.factors)

    def log_components(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the log density of each component and the squared Mahalanobis distances.

        Parameters
        ----------
        points : ndarray, shape (n, d)

        Returns
        -------
        log_densities, distances : ndarray, shape (k, n)
        """
        dim = points.shape[1]
        constant = (
            gammaln((DEGREES + dim) / 2) - gammaln(DEGREES / 2) - dim / 2 * np.log(DEGREES * np.pi)
        )
        logs = np.empty((len(self.shares), len(points)))
        distances = np.empty_like(logs)
        for i, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            inverse, _ = dtrtri(factor, lower=1)
            whitened = (points - mean) @ inverse.T
            distances[i] = np.einsum("nd,nd->n", whitened, whitened)
            logs[i] = constant - np.log(np.diag(factor)).sum()
            logs[i] -= (DEGREES + dim) / 2 * np.log1p(distances[i] / DEGREES)
        return logs, distances

    def log_density(self, points: FloatArray) -> FloatArray:
        """Return the log density at points of shape (n, d), shape (n,)."""
        logs, _ = self.log_components(points)
        shares = np.log(self.shares / self.shares.sum())
        logs += shares[:, None]
        return log_sum_exp(logs)

    def points(self, uniform: FloatArray) -> FloatArray:
        """Return points of the mixture from uniform numbers.

        Parameters
        ----------
        uniform : ndarray, shape (n, d + 2), in (0, 1)
            The first column picks the component, the second the scale, the rest the direction.

        Returns
        -------
        ndarray, shape (n, d)
        """
        edges = np.cumsum(self.shares) / self.shares.sum()
        component = np.minimum(np.searchsorted(edges, uniform[:, 0]), len(edges) - 1)
        spread = np.sqrt(DEGREES / (2.0 * gammaincinv(DEGREES / 2, uniform[:, 1])))
        normal = ndtri(uniform[:, 2:]) * spread[:, None]
        out = np.empty_like(normal)
        for i in range(len(self.shares)):
            mine = component == i
            out[mine] = self.means[i] + normal[mine] @ self.factors[i].T
        return np.asarray(out)


def fit_mixture(points: FloatArray, log_weights: FloatArray) -> Mixture:
    """Return the t mixture fitted to weighted points by EM.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    log_weights : ndarray, shape (n,)
        Unnormalised.

    Returns
    -------
    Mixture
        As many components as the effective number of points carries, four at most; they start as
        slices along the most skewed axis.

    Raises
    ------
    EngineError
        If no point has a positive weight.

    References
    ----------
    Peel & McLachlan 2000, Statistics and Computing 10:339, doi:10.1023/A:1008981510081.
    """
    if not np.isfinite(log_weights.max()):
        raise EngineError(
            f"at least one of {len(points):,} points must have a density above zero, found none: "
            "the priors do not go with these data, or the computation overflows; choose priors "
            "nearer to their defaults, and check the sizes of outcome and controls"
        )
    weights = np.exp(log_weights - log_sum_exp(log_weights))
    n_effective = 1.0 / (weights**2).sum()
    points, weights = _thinned(points, weights)
    dim = points.shape[1]
    n_components = int(np.clip(n_effective // POINTS_PER_COMPONENT, 1, MAX_COMPONENTS))
    mean = weights @ points
    centred = points - mean
    cov = (weights[:, None] * centred).T @ centred + RIDGE * np.eye(dim)
    if n_components == 1:
        responsibilities = np.ones((1, len(points)))
    else:
        skewness = weights @ (centred / np.sqrt(np.diag(cov))) ** 3
        score = centred[:, int(np.argmax(np.abs(skewness)))]
        order = np.argsort(score, kind="stable")
        rank = np.empty(len(points))
        rank[order] = np.cumsum(weights[order])
        slot = np.minimum((rank * n_components).astype(int), n_components - 1)
        responsibilities = (slot == np.arange(n_components)[:, None]).astype(np.float64)
    scales = np.ones_like(responsibilities)
    for _ in range(EM_PASSES):
        mixture = _maximise(points, weights, responsibilities, scales, cov)
        logs, distances = mixture.log_components(points)
        logs += np.log(mixture.shares)[:, None]
        responsibilities = np.exp(logs - log_sum_exp(logs))
        scales = (DEGREES + dim) / (DEGREES + distances)
    return mixture


def _thinned(points: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return at most ``EM_POINTS`` weighted points, taken at equal steps of the total weight.

    In the order of their coordinates' sum: in a Sobol sequence every fourth point lies in the same
    quarter of the space.
    """
    order = np.argsort(points.sum(axis=1), kind="stable")
    points, weights = points[order], weights[order]
    steps = (np.arange(EM_POINTS) + 0.5) / EM_POINTS
    index = np.minimum(np.searchsorted(np.cumsum(weights), steps), len(weights) - 1)
    kept, counts = np.unique(index, return_counts=True)
    return points[kept], counts / EM_POINTS


def _maximise(
    points: FloatArray,
    weights: FloatArray,
    responsibilities: FloatArray,
    scales: FloatArray,
    cov: FloatArray,
) -> Mixture:
    """Return the mixture that maximises the expected log likelihood."""
    dim = points.shape[1]
    shares, means, factors = [], [], []
    for mine, scale in zip(responsibilities, scales, strict=True):
        mass = weights * mine
        share = max(float(mass.sum()), 1e-6)
        pull = mass * scale
        mean = pull @ points / max(float(pull.sum()), 1e-300)
        centred = points - mean
        spread = (pull[:, None] * centred).T @ centred / share
        # a component of few points leans on the overall spread, so that it cannot collapse
        spread = (1 - LEAN) * spread + LEAN * cov + RIDGE * np.eye(dim)
        shares.append(share)
        means.append(mean)
        factors.append(np.linalg.cholesky(spread))
    return Mixture(np.array(shares), np.array(means), np.array(factors))
