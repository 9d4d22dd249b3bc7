"""How many independent chains R's long references are worth, and how far from them lift is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from numba import njit

import lift
from lift import study
from lift.errors import RunError
from lift.rng import stream

OURS = {
    "sigma.obs": "sigma_obs",
    "sigma.level": "sigma_level",
    "cum.effect.pred": "cumulative_effect",
    "cum.effect.state": None,
}
"""What R's draws are called, and lift's."""
STREAMS = ("level", "states", "regression")


def anchors() -> Path:
    """Return the folder of R's results."""
    named = os.environ.get("LIFT_ANCHORS_DIR", "")
    folder = Path(named) / "r"
    if not named or not folder.is_dir():
        raise RunError(
            "LIFT_ANCHORS_DIR must name the folder of reference results, with a folder r in it, "
            f"found {named!r}"
        )
    return folder


def chain_draws(name: str) -> dict[str, np.ndarray]:
    """Return each quantity's thinned draws of R, shape (draw, chain)."""
    table = pd.read_csv(anchors() / f"{name}_ref_draws_thin10.csv.gz")
    return {
        quantity: table.pivot(index="iter", columns="chain", values=quantity).to_numpy()
        for quantity in OURS
    }


def inflation(draws: np.ndarray) -> float:
    """Return the variance of the mean over chains, in units of what independent chains would have.

    From correlations at the same iteration: exact where those at other lags decay alike.
    """
    return float(np.corrcoef(draws.T).sum() / draws.shape[1])


@njit(cache=False)
def gibbs(y, x, slab, n, level, states, regression):  # type: ignore[no-untyped-def]
    """Return draws of noise, level sd and last level: R's scheme, one stream of numbers per part.

    Rows of y beyond x's end have no outcome. Intercept and coefficient have a normal slab that
    scales with the noise; both variances have R's priors. Shape (n, 3).
    """
    n_days, n_pre = len(x), len(y)
    noise, step, intercept, slope = 0.2, 1e-4, 0.0, 0.0
    mean, var, walk = np.empty(n_days), np.empty(n_days), np.empty(n_days)
    out = np.empty((n, 3))
    for i in range(n):
        m, v = y[0], 1.0
        for t in range(n_days):
            if t > 0:
                v += step
            if t < n_pre:
                gain = v / (v + noise)
                m += gain * (y[t] - intercept - slope * x[t] - m)
                v *= 1.0 - gain
            mean[t], var[t] = m, v
        walk[-1] = mean[-1] + np.sqrt(var[-1]) * states.standard_normal()
        for t in range(n_days - 2, -1, -1):
            back = var[t] / (var[t] + step)
            sd = np.sqrt(var[t] * (1.0 - back))
            walk[t] = mean[t] + back * (walk[t + 1] - mean[t]) + sd * states.standard_normal()
        squares = 32.0 * 1e-4 + np.sum((walk[1:] - walk[:-1]) ** 2)
        a, b, c = slab[0, 0], slab[0, 1], slab[1, 1]
        u, w, yy = 0.0, 0.0, 50.0 * 0.2
        for t in range(n_pre):
            rest = y[t] - walk[t]
            a, b, c = a + 1.0, b + x[t], c + x[t] * x[t]
            u, w, yy = u + rest, w + rest * x[t], yy + rest * rest
        det = a * c - b * b
        fit_0, fit_1 = (c * u - b * w) / det, (a * w - b * u) / det
        shape = 0.5 * (50 + n_pre)
        noise = 0.5 * (yy - u * fit_0 - w * fit_1) / regression.standard_gamma(shape)
        root, low = np.sqrt(a), b / np.sqrt(a)
        e_1 = regression.standard_normal() / np.sqrt(c - low * low)
        e_0 = (regression.standard_normal() - low * e_1) / root
        intercept, slope = fit_0 + np.sqrt(noise) * e_0, fit_1 + np.sqrt(noise) * e_1
        step = 0.5 * squares / level.standard_gamma(0.5 * (32 + n_days - 1))
        out[i, 0], out[i, 1], out[i, 2] = np.sqrt(noise), np.sqrt(step), walk[-1]
    return out


def replicate(config: dict[str, Any], shared: dict[str, list[int]]) -> np.ndarray:
    """Return chains of R's model of set a whose streams are shared as said.

    Shape (chain, draw, 3).
    """
    data = pd.read_csv(anchors() / "a_input.csv")[["y", "x1"]].to_numpy()
    n_pre = config["a"]["pre_days"]
    data = (data - data[:n_pre].mean(axis=0)) / data[:n_pre].std(axis=0, ddof=1)
    x = np.column_stack([np.ones(len(data)), data[:, 1]])
    cross = x.T @ x / len(x)
    slab = 0.01 * (cross + np.diag(np.diag(cross))) / 2
    chains = []
    for chain in range(1, config["replicate"]["chains"] + 1):
        keys = ["0" if chain in shared[part] else str(chain) for part in STREAMS]
        own = [stream(config["seed"], part, k) for part, k in zip(STREAMS, keys, strict=True)]
        chains.append(gibbs(data[:n_pre, 0], data[:, 1], slab, config["replicate"]["draws"], *own))
    return np.stack(chains)


def mine(name: str, config: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the mean and its Monte Carlo error of each of lift's quantities."""
    data = pd.read_csv(anchors() / f"{name}_input.csv").drop(columns=["t", "date"], errors="ignore")
    last = config[name]["pre_days"] - 1
    args = {"niter": config["niter"], "post_period_covariates_in_prior": True}
    result = lift.CausalImpact(data, [0, last], [last + 1, len(data) - 1], model_args=args)
    found = {}
    for theirs, ours in OURS.items():
        if ours is None:
            # the effect without the noise of the days, whose mean is that of the effect with it
            effect = result.posterior["cumulative_effect"]
            expected = result.fitted.ahead.sums[0].reshape(effect.shape)
            draws = result.summary_data.loc["Cumulative", "Actual"] - expected
        else:
            draws = result.posterior[ours].to_numpy()
        error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")
        found[theirs] = float(draws.mean()), float(error)
    return found


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return what R's chains are worth, lift's distance from them, and what explains it."""
    folder = Path(config["results"])
    numbers: dict[str, float] = {}
    rows, pairs = [], []
    for name in config["sets"]:
        draws = chain_draws(name)
        stated = pd.read_csv(anchors() / f"{name}_ref_params.csv").set_index("param")
        found = mine(name, config)
        for quantity, values in draws.items():
            n_chains = values.shape[1]
            worth = n_chains / inflation(values)
            label = f"{name}_{quantity}".replace(".", "_")
            numbers[f"{label}_chains_worth"] = worth
            correlations = np.corrcoef(values.T)
            for i, k in zip(*np.triu_indices(n_chains, 1), strict=True):
                pairs.append((name, quantity, i + 1, k + 1, correlations[i, k]))
            mean, error = found[quantity]
            row = stated.loc[quantity]
            theirs = row["mcse_mean"] * np.array([1.0, np.sqrt(n_chains / worth)])
            z = (mean - row["mean"]) / np.hypot(error, theirs)
            numbers[f"{label}_z_as_stated"], numbers[f"{label}_z"] = map(float, z)
            rows.append((name, quantity, n_chains, worth, row["mean"], *theirs, mean, *z))
    table = pd.DataFrame(pairs, columns=["set", "quantity", "first", "second", "r"])
    alike = replicate(config, config["shared"])
    apart = replicate(config, {part: [] for part in STREAMS})
    n_chains = alike.shape[0]
    upper = np.triu_indices(n_chains, 1)
    for i, quantity in enumerate(("sigma.obs", "sigma.level")):
        here = (table["set"] == "a") & (table["quantity"] == quantity)
        ours = np.corrcoef(alike[:, :, i])[upper]
        table.loc[here, "replicate"] = ours
        away = np.abs(ours - table.loc[here, "r"].to_numpy())
        label = quantity.replace(".", "_")
        numbers[f"replicate_{label}_largest_difference"] = float(away.max())
        numbers[f"replicate_{label}_chains_worth"] = n_chains / inflation(alike[:, :, i].T)
        numbers[f"replicate_{label}_chains_worth_own_streams"] = n_chains / inflation(
            apart[:, :, i].T
        )
    level = apart[:, :, 1]
    numbers["replicate_sigma_level"] = float(level.mean())
    numbers["replicate_sigma_level_mcse"] = float(
        array_stats.mcse(level, chain_axis=0, draw_axis=1, method="mean")
    )
    columns = [
        *("set", "quantity", "chains", "chains_worth", "r_mean", "r_mcse", "r_mcse_of_worth"),
        *("lift_mean", "z_as_stated", "z"),
    ]
    style: dict[str, Any] = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    pd.DataFrame(rows, columns=columns).to_csv(folder / "distances.csv", **style)
    table.to_csv(folder / "correlations.csv", **style)
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
