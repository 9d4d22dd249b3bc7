"""PyMC with nutpie: R's model with every control in, the level integrated out by a sine transform.

First differences of level plus noise have covariance ``level^2 I + noise^2 T`` with T tridiagonal
(-1, 2, -1), whose eigenvectors are sine waves whatever the sds: a fixed transform of the data has
independent entries, and the model needs no scan. The season is fixed; there is no selection of
controls, which NUTS cannot sample. Chains are paths of the level's filter carried on.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt
from protocol import answer, draws, frame, interval

CHAINS = 4
TUNE = 500


def standardised(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return outcome and columns by pre-period mean and sd, and those of the outcome."""
    data = frame(case).to_numpy()
    n_pre = case["n_pre"]
    center, scale = data[:n_pre].mean(axis=0), data[:n_pre].std(axis=0, ddof=1)
    both = (data - center) / scale
    columns = both[:, 1:]
    if case["season"] > 1:
        which = np.arange(len(both)) % case["season"]
        season = (which[:, None] == np.arange(case["season"])).astype(float)[:, 1:]
        columns = np.column_stack([columns, season])
    return both[:, 0], columns, float(center[0]), float(scale[0])


def model_of(y: np.ndarray, x: np.ndarray, n_controls: int) -> pm.Model:
    """Return the model of the pre-period's first differences."""
    n = len(y) - 1
    k = np.arange(1, n + 1)
    waves = np.sqrt(2.0 / (n + 1)) * np.sin(np.pi * np.outer(k, k) / (n + 1))
    frequency = 2.0 - 2.0 * np.cos(np.pi * k / (n + 1))
    cross = x[:, :n_controls].T @ x[:, :n_controls] / len(x)
    slab = 0.01 * 0.5 * (cross + np.diag(np.diag(cross)))
    half = np.linalg.inv(np.linalg.cholesky(slab)).T
    change_y, change_x = waves @ np.diff(y), waves @ np.diff(x, axis=0)
    with pm.Model() as model:
        noise = pm.InverseGamma("noise_precision_inverse", 25.0, 25.0 * 0.2)
        level = pm.InverseGamma("level_precision_inverse", 16.0, 16.0 * 1e-4)
        sigma = pm.Deterministic("sigma_obs", pt.sqrt(noise))
        pm.Deterministic("sigma_level", pt.sqrt(level))
        z = pm.Normal("z", 0.0, 1.0, shape=n_controls)
        parts = [sigma * (half @ z)]
        if x.shape[1] > n_controls:
            parts.append(pm.Normal("season", 0.0, 1.0, shape=x.shape[1] - n_controls))
        beta = pm.Deterministic("beta", pt.concatenate(parts))
        pm.Normal("y", change_x @ beta, pt.sqrt(level + noise * frequency), observed=change_y)
    return model


def ahead(
    residual: np.ndarray, noise: np.ndarray, level: np.ndarray, n_ahead: int, seed: int
) -> np.ndarray:
    """Return draws (draw, row) of level and noise after the pre-period, given residuals."""
    mean, variance = residual[:, 0].copy(), noise.copy()
    for column in residual[:, 1:].T:
        variance = variance + level
        gain = variance / (variance + noise)
        mean += gain * (column - mean)
        variance = variance * (1.0 - gain)
    rng = np.random.default_rng(seed)
    start = mean + np.sqrt(variance) * rng.standard_normal(len(mean))
    steps = np.sqrt(level)[:, None] * rng.standard_normal((len(mean), n_ahead))
    noises = np.sqrt(noise)[:, None] * rng.standard_normal((len(mean), n_ahead))
    return start[:, None] + np.cumsum(steps, axis=1) + noises


def fit(case: dict[str, Any]) -> dict[str, Any]:
    n_pre = case["n_pre"]
    y, x, center, scale = standardised(case)
    begun = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model_of(y[:n_pre], x[:n_pre], len(case["controls"][0])))
    ready = time.perf_counter()
    tree = nutpie.sample(
        compiled,
        draws=case["draws"] // CHAINS,
        tune=TUNE,
        chains=CHAINS,
        cores=2,
        seed=case["seed"],
        save_warmup=False,
        progress_bar=False,
    )
    posterior = tree["posterior"].to_dataset()
    noise = posterior["sigma_obs"].to_numpy().ravel() ** 2
    level = posterior["sigma_level"].to_numpy().ravel() ** 2
    beta = posterior["beta"].to_numpy().reshape(len(noise), -1)
    paths = ahead(y[:n_pre] - beta @ x[:n_pre].T, noise, level, len(y) - n_pre, case["seed"])
    predicted = center + scale * (paths + beta @ x[n_pre:].T)
    effect = np.sum(case["outcome"][n_pre:]) - predicted.sum(axis=1)
    return {
        "compile_seconds": ready - begun,
        **interval(effect),
        "effect": draws(effect, CHAINS),
        "hyper": {
            name: posterior[name].to_numpy().tolist() for name in ("sigma_obs", "sigma_level")
        },
    }


if __name__ == "__main__":
    answer("nutpie", fit)
