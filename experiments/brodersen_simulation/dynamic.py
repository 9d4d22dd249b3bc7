"""The model that the paper itself fits: a local level and coefficients that walk.

All states are Gaussian given the standard deviations and are integrated out by a Kalman filter; the
standard deviations are integrated by lift's importance sampler. The prior of the level is the
paper's: a guess of 0.1 sd(y) worth 32 observations. Of the coefficients' daily sds it is
exponential with mean 0.1 sd(y) / sd(x); the paper says gamma with that mean.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lift.engines.importance import integrate
from lift.rng import stream

LEVEL_DF = 32.0
NOISE_DF = 0.01
NOISE_LIMIT = 1.2
COEFFICIENT_MEAN = 0.1
START_SD = 1.0
BAD_K = 0.7
# Where the search begins, and rough posterior sds of the log sds.
START = {"noise": -1.5, "level": -2.0, "coefficient": -3.0}
WIDTHS = {"noise": 0.5, "level": 0.3, "coefficient": 1.0}


@njit(error_model="numpy")
def filtered(log_sds, outcome, design, start_mean, start_sd, values, means, factors):
    """Fill the log likelihood at each point, and mean and Cholesky factor of the last state."""
    n_points, n_states = log_sds.shape[0], log_sds.shape[1] - 1
    mean = np.empty(n_states)
    cov = np.empty((n_states, n_states))
    gain = np.empty(n_states)
    for i in range(n_points):
        noise = math.exp(2.0 * log_sds[i, 0])
        mean[:] = 0.0
        mean[0] = start_mean
        cov[:] = 0.0
        for k in range(n_states):
            cov[k, k] = start_sd * start_sd
        value = 0.0
        for t in range(outcome.shape[0]):
            miss = outcome[t]
            total = noise
            for k in range(n_states):
                gain[k] = 0.0
                for e in range(n_states):
                    gain[k] += cov[k, e] * design[t, e]
                miss -= design[t, k] * mean[k]
            for k in range(n_states):
                total += design[t, k] * gain[k]
            value -= 0.5 * (math.log(2.0 * math.pi * total) + miss * miss / total)
            for k in range(n_states):
                mean[k] += gain[k] * miss / total
                for e in range(n_states):
                    cov[k, e] -= gain[k] * gain[e] / total
            for k in range(n_states):
                cov[k, k] += math.exp(2.0 * log_sds[i, 1 + k])
        values[i] = value
        means[i] = mean
        factors[i] = np.linalg.cholesky(cov)


def log_prior(log_sds: np.ndarray, level_guess: float) -> np.ndarray:
    """Return the log prior density of the log sds: noise, level, coefficients."""
    noise, level, walks = log_sds[:, 0], log_sds[:, 1], log_sds[:, 2:]
    value = -NOISE_DF * noise - 0.5 * NOISE_DF * np.exp(-2.0 * noise)
    value += -LEVEL_DF * level - 0.5 * LEVEL_DF * level_guess**2 * np.exp(-2.0 * level)
    value += (walks - np.exp(walks) / COEFFICIENT_MEAN).sum(axis=1)
    return np.where((np.exp(noise) < NOISE_LIMIT) & (np.exp(level) < 1.0), value, -np.inf)


def predict(
    outcome: np.ndarray,
    controls: np.ndarray,
    *,
    level_guess: float,
    n_draws: int,
    n_chains: int,
    seed: int,
) -> tuple[np.ndarray, float]:
    """Return draws of the outcome after the pre-period, shape (draw, row), and the Pareto k.

    ``outcome`` is the pre-period's; ``controls`` has the rows of both.
    """
    n = len(outcome)
    centre, scale = outcome.mean(), outcome.std(ddof=1)
    before = controls[:n]
    columns = (controls - before.mean(axis=0)) / before.std(axis=0, ddof=1)
    design = np.column_stack([np.ones(len(columns)), columns])
    y = (outcome - centre) / scale
    names = ["noise", "level", *(["coefficient"] * controls.shape[1])]
    start = np.array([START[name] for name in names])
    widths = np.array([WIDTHS[name] for name in names])

    def evaluate(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        log_sds = np.clip(start + widths * z, -12.0, 3.0)
        values = np.empty(len(z))
        means = np.empty((len(z), design.shape[1]))
        factors = np.empty((len(z), design.shape[1], design.shape[1]))
        filtered(log_sds, y, design[:n], y[0], START_SD, values, means, factors)
        return values + log_prior(log_sds, level_guess), means, factors

    def draw(z: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        values, means, factors = evaluate(z)
        return values, means + np.einsum("nij,nj->ni", factors, rng.standard_normal(means.shape))

    found = integrate(
        lambda z: evaluate(z)[0],
        draw,
        len(names),
        n_draws=n_draws,
        n_chains=n_chains,
        seed=seed,
    )
    if not found.k < BAD_K:
        return np.empty((0, len(controls) - n)), float(found.k)
    logs = found.log_weights.ravel()
    weights = np.round(np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum(), 9)
    rng = stream(seed, "dynamic", "ahead")
    at = (np.arange(n_draws) + rng.random()) / n_draws
    edges = np.cumsum(weights) / weights.sum()
    chosen = np.minimum(np.searchsorted(edges, at), len(edges) - 1)
    z = found.points.reshape(-1, len(names))[chosen]
    sds = np.exp(np.clip(start + widths * z, -12.0, 3.0))
    states = found.extras.reshape(len(edges), -1)[chosen]
    ahead = design[n:]
    shocks = rng.standard_normal((n_draws, len(ahead), design.shape[1])) * sds[:, None, 1:]
    shocks[:, 0] = 0.0
    paths = states[:, None] + np.cumsum(shocks, axis=1)
    predicted = np.einsum("nts,ts->nt", paths, ahead)
    predicted += sds[:, :1] * rng.standard_normal(predicted.shape)
    return centre + scale * predicted, float(found.k)
