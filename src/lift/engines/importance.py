"""Adaptive importance sampling over a few hyperparameters, with a population-MCMC safety net.

Points come from mixtures of multivariate t distributions that are refitted to what has been seen
(adaptive multiple importance sampling: Cornuet, Marin, Mira & Robert 2012,
doi:10.1111/j.1467-9469.2011.00756.x). All batches are weighted together by the mixture of all
proposals that were used. Each chain has scrambled Sobol points of its own, so that chains differ by
Monte Carlo error alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lift.engines.mixture import Mixture, fit_mixture, log_sum_exp
from lift.engines.pareto import pareto_k
from lift.engines.threads import mapped
from lift.rng import stream

FloatArray = NDArray[np.float64]
Target = Callable[[FloatArray], FloatArray]
Draw = Callable[[FloatArray, np.random.Generator], tuple[FloatArray, FloatArray]]

FIRST_POINTS = 256
POINTS = 512
MAX_BATCHES = 24
GOOD_K = 0.5
BAD_K = 0.7
MIN_EFFICIENCY = 0.1
NET_WALKERS = 128
NET_STEPS = 32
NET_BATCH = 3
PRIOR_SHARE = 0.03
SHOULDER_SHARE = 0.12
WIDE_SHARE = 0.1
WIDE_FACTOR = 1.5
INFLATION = 1.08


@dataclass(frozen=True)
class Weighted:
    """Weighted hyperparameter points of all chains.

    Attributes
    ----------
    points : ndarray, shape (chain, n, d)
    log_weights : ndarray, shape (chain, n)
        Unnormalised; the log of their mean estimates the log evidence.
    batches : tuple of ndarray, shape (chain, n_b, q)
        What the target returned beside each value, a draw of the coefficients: the points of one
        batch after those of another.
    ess : float
        Kish's effective sample size over all chains.
    k : float
        Largest Pareto shape of the weights' tail over the chains pooled.
    n_evaluations : int
        Calls of the target, the search for the mode and the safety net included.
    net_used : bool
    """

    points: FloatArray
    log_weights: FloatArray
    batches: tuple[FloatArray, ...]
    ess: float
    k: float
    n_evaluations: int
    net_used: bool

    @property
    def extras(self) -> FloatArray:
        """What the target returned beside all values, (chain, n, q), in one array."""
        return np.concatenate(self.batches, axis=1)

    def extras_at(self, chain: int, index: NDArray[np.int64]) -> FloatArray:
        """Return the extras of some points of a chain, (k, q).

        Draws of many coefficients are the largest arrays of a fit: they are not held twice.
        """
        if len(self.batches) == 1:
            return np.asarray(self.batches[0][chain].take(index, axis=0))
        out = np.empty((len(index), self.batches[0].shape[2]))
        begin = 0
        for batch in self.batches:
            mine = (index >= begin) & (index < begin + batch.shape[1])
            out[mine] = batch[chain, index[mine] - begin]
            begin += batch.shape[1]
        return out


@dataclass
class _State:
    n_evaluations: int = 0
    points: list[FloatArray] = field(default_factory=list)
    values: list[FloatArray] = field(default_factory=list)
    extras: list[FloatArray] = field(default_factory=list)
    densities: list[list[FloatArray]] = field(default_factory=list)
    proposals: list[Mixture] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def effective_size(log_weights: FloatArray) -> float:
    """Return Kish's effective sample size of unnormalised log weights, 0 if all weights are."""
    if not np.isfinite(log_weights.max()):
        return 0.0
    return float(np.exp(2 * log_sum_exp(log_weights) - log_sum_exp(2 * log_weights)))


def integrate(
    target: Target,
    draw: Draw,
    dim: int,
    *,
    n_draws: int,
    n_chains: int,
    seed: int,
    progress: Callable[[float, str], None] | None = None,
    workers: int = 1,
) -> Weighted:
    """Return weighted points of a density over ``dim`` standard normal coordinates.

    Parameters
    ----------
    target : callable
        ``target(z)`` with z of shape (n, d) returns log densities, shape (n,): the prior N(0, I)
        included. It steers the proposals. NaN counts as zero density.
    draw : callable
        ``draw(z, rng)`` returns log densities, shape (n,), and extras, shape (n, q). These values
        carry the weights; where they are unbiased estimates the result is still exact.
    dim : int
        Number of coordinates d, at least 1.
    n_draws : int
        Effective sample size to reach, over all chains.
    n_chains : int
    seed : int
    progress : callable, optional
        Called with the share done and a word.
    workers : int
        Threads for what is not the target's; the result does not depend on it.

    Returns
    -------
    Weighted

    Raises
    ------
    EngineError
        If no point has a positive density.
    """
    state = _State()

    def counted(z: FloatArray) -> FloatArray:
        state.n_evaluations += len(z)
        values = target(z)
        return np.where(np.isfinite(values), values, -np.inf)

    centre, factor = _laplace(counted, dim)
    proposal = Mixture(
        np.array([0.8, 0.2]), np.stack([centre, centre]), np.stack([1.15 * factor, 2.0 * factor])
    )
    net_used = bad = False
    for batch in range(MAX_BATCHES):
        state.proposals.append(_defended(proposal, dim))
        _batch(state, draw, dim, batch, n_chains, seed, workers)
        log_weights = _weights(state)
        pooled = log_weights.ravel()
        ess, k = effective_size(pooled), pareto_k(pooled)
        if progress is not None:
            progress(min(1.0, ess / n_draws), "integrating hyperparameters")
        if ess >= n_draws and k < GOOD_K:
            break
        # one large weight is cured by another batch more often than not
        was_bad, bad = bad, k > BAD_K
        poor = (bad and was_bad) or ess < MIN_EFFICIENCY * pooled.size
        points = np.concatenate(state.points, axis=1).reshape(-1, dim)
        if batch >= NET_BATCH - 1 and poor and not net_used:
            net_used = True
            rng = stream(seed, "hyper", "net")
            points = _population(counted, points, pooled, dim, rng)
            proposal = fit_mixture(points, np.zeros(len(points))).inflated(INFLATION)
        else:
            proposal = fit_mixture(points, _tempered(pooled, dim)).inflated(INFLATION)
    return Weighted(
        points=np.concatenate(state.points, axis=1),
        log_weights=log_weights,
        batches=tuple(state.extras),
        ess=ess,
        k=k,
        n_evaluations=state.n_evaluations,
        net_used=net_used,
    )


def _defended(proposal: Mixture, dim: int) -> Mixture:
    """Return the mixture with what keeps weights bounded beside it.

    Wider copies of its components; the fit with one coordinate at a time returned to its prior,
    where a standard deviation that the data cannot tell from zero has its shoulder; the prior.
    """
    shares = proposal.shares / proposal.shares.sum()
    mean = shares @ proposal.means
    centred = proposal.means - mean
    cov = np.einsum("k,kij,klj->il", shares, proposal.factors, proposal.factors)
    cov += (shares[:, None] * centred).T @ centred
    shoulders = np.empty((dim, dim, dim))
    centres = np.tile(mean, (dim, 1))
    for i in range(dim):
        freed = cov.copy()
        freed[i, :] = freed[:, i] = 0.0
        freed[i, i] = 1.0
        shoulders[i] = np.linalg.cholesky(freed)
        centres[i, i] = 0.0
    near = 1.0 - WIDE_SHARE - SHOULDER_SHARE - PRIOR_SHARE
    return Mixture(
        np.concatenate(
            [near * shares, WIDE_SHARE * shares, np.full(dim, SHOULDER_SHARE / dim), [PRIOR_SHARE]]
        ),
        np.concatenate([proposal.means, proposal.means, centres, np.zeros((1, dim))]),
        np.concatenate(
            [proposal.factors, WIDE_FACTOR * proposal.factors, shoulders, np.eye(dim)[None]]
        ),
    )


def _batch(
    state: _State, draw: Draw, dim: int, batch: int, n_chains: int, seed: int, workers: int
) -> None:
    """Evaluate one batch for every chain, each on Sobol points of its own."""
    # scipy.stats and scipy.optimize take long to import, and not every caller comes here
    from scipy.stats.qmc import Sobol

    size = FIRST_POINTS if batch == 0 else POINTS
    proposal = state.proposals[-1]

    def made(rng: np.random.Generator) -> FloatArray:
        uniform = Sobol(dim + 2, scramble=True, rng=rng).random(size)
        return proposal.points(np.clip(uniform, 1e-12, 1 - 1e-12))

    chains = [f"chain {chain}" for chain in range(n_chains)]
    rngs = [stream(seed, "hyper", chain, f"batch {batch}") for chain in chains]
    points = np.stack(list(mapped(workers)(made, rngs)))
    state.points.append(points)
    # every proposal at all points that it has not seen, while the target is at work
    flat = [own.reshape(-1, dim) for own in state.points]
    state.densities.append([])
    known = zip(state.densities, state.proposals, strict=True)
    unknown = [(of, by, at) for of, by in known for at in flat[len(of) :]]
    densities = mapped(workers)(lambda each: each[1].log_density(each[2]), unknown)
    values, extras = draw(flat[-1], stream(seed, "coefficients", f"batch {batch}"))
    for (of, _, _), found in zip(unknown, densities, strict=True):
        of.append(found)
    state.n_evaluations += len(values)
    values = np.where(np.isfinite(values), values, -np.inf)
    state.values.append(values.reshape(n_chains, size))
    state.extras.append(extras.reshape(n_chains, size, -1))
    state.sizes.append(size)


def _weights(state: _State) -> FloatArray:
    """Return log weights against the mixture of all proposals used so far."""
    logs = np.log(np.array(state.sizes) / sum(state.sizes))
    n_chains = state.values[0].shape[0]
    parts = []
    for batch, values in enumerate(state.values):
        stacked = np.stack([known[batch] for known in state.densities]) + logs[:, None]
        parts.append(values - log_sum_exp(stacked).reshape(n_chains, -1))
    return np.concatenate(parts, axis=1)


def _tempered(log_weights: FloatArray, dim: int) -> FloatArray:
    """Return log weights flattened until they carry enough points to fit a proposal to."""
    enough = min(40.0 * dim, 0.5 * len(log_weights))
    power = 1.0
    while power > 1e-3 and effective_size(power * log_weights) < enough:
        power *= 0.8
    return power * log_weights


def _laplace(target: Target, dim: int) -> tuple[FloatArray, FloatArray]:
    """Return the mode and the lower Cholesky factor of the inverse Hessian there."""
    from scipy.optimize import minimize

    step = 1e-4
    shifts = np.vstack([np.zeros((1, dim)), step * np.eye(dim), -step * np.eye(dim)])

    def objective(z: FloatArray) -> tuple[float, FloatArray]:
        values = np.maximum(target(z + shifts), -1e12)
        gradient = (values[1 : dim + 1] - values[dim + 1 :]) / (2 * step)
        return -values[0], -gradient

    found = minimize(
        objective, np.zeros(dim), jac=True, method="BFGS", options={"gtol": 1e-2, "maxiter": 60}
    )
    centre = np.asarray(found.x, dtype=np.float64)
    sds = np.clip(np.sqrt(np.abs(np.diag(found.hess_inv))), 1e-3, 1.0)
    return centre, _hessian_factor(target, centre, 0.2 * sds)


def _hessian_factor(target: Target, centre: FloatArray, steps: FloatArray) -> FloatArray:
    """Return the lower Cholesky factor of the inverse of minus the Hessian, made positive."""
    dim = len(centre)
    axes = np.diag(steps)
    rows, columns = np.tril_indices(dim, -1)
    points = [centre[None], centre + axes, centre - axes]
    points += [centre + sign * (axes[rows] + axes[columns]) for sign in (1, -1)]
    values = target(np.vstack(points))
    if not np.isfinite(values).all():
        return 0.5 * np.eye(dim)
    plus, minus = values[1 : dim + 1], values[dim + 1 : 2 * dim + 1]
    middle = values[0]
    diagonal = (plus + minus - 2 * middle) / steps**2
    n_pairs = len(rows)
    both = values[2 * dim + 1 : 2 * dim + 1 + n_pairs] + values[2 * dim + 1 + n_pairs :]
    singles = (plus + minus)[rows] + (plus + minus)[columns]
    hessian = np.diag(diagonal)
    hessian[rows, columns] = (both - singles + 2 * middle) / (2 * steps[rows] * steps[columns])
    hessian[columns, rows] = hessian[rows, columns]
    eigenvalues, vectors = np.linalg.eigh(-hessian)
    # the prior alone has curvature 1; a flatter direction is trusted no further than that
    variances = 1.0 / np.maximum(eigenvalues, 0.5)
    return np.linalg.cholesky((vectors * variances) @ vectors.T)


def _population(
    target: Target, points: FloatArray, log_weights: FloatArray, dim: int, rng: np.random.Generator
) -> FloatArray:
    """Return states of many short random-walk Metropolis chains that start at good points.

    The walkers move together: the step is scaled by their own covariance (Gelman, Roberts & Gilks
    1996) and tuned towards an acceptance of 30 % during the first half, which is dropped.
    """
    flat = _tempered(log_weights, dim)
    shares = np.exp(flat - log_sum_exp(flat))
    states = points[rng.choice(len(points), size=NET_WALKERS, p=shares)]
    values = target(states)
    log_scale = np.log(2.38 / np.sqrt(dim))
    kept = []
    for step in range(NET_STEPS):
        factor = np.linalg.cholesky(np.cov(states.T).reshape(dim, dim) + 1e-6 * np.eye(dim))
        moves = np.exp(log_scale) * rng.standard_normal((NET_WALKERS, dim)) @ factor.T
        proposed = states + moves
        proposed_values = target(proposed)
        accepted = np.log(rng.random(NET_WALKERS)) < proposed_values - values
        states = np.where(accepted[:, None], proposed, states)
        values = np.where(accepted, proposed_values, values)
        if step < NET_STEPS // 2:
            log_scale += 2.0 * (accepted.mean() - 0.3) / np.sqrt(step + 1.0)
        else:
            kept.append(states)
    return np.concatenate(kept)
