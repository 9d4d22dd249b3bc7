"""What a wrong family of the response costs, and whether the evidence knows the right one."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import lift
from lift import study
from lift.analysis.effects import Effects
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.rng import stream

AVERAGE = "average"
"""Draws of all families, each by its share of the evidence."""
LEAST_FLIPS = 0.15
"""Standard error of the number of intervals that hold the truth, at least: one may change sides."""


def within(truth: str, since: np.ndarray, shape: dict[str, float]) -> np.ndarray:
    """Return the share of a response within some days of the post; 0 before it."""
    u = np.maximum(since, 0.0)
    if truth == "weibull":
        return -np.expm1(math.log1p(-shape["first_day_share"]) * u ** shape["shape"])
    if truth == "geometric":
        return -np.expm1(math.log1p(-shape["first_day_share"]) * u)
    if truth == "gamma":
        return np.asarray(stats.gamma.cdf(u, shape["shape"], scale=1 / shape["rate"]))
    late = shape["second_share"]
    second = stats.triang.cdf(u, 0.5, loc=shape["second_start"], scale=shape["second_days"])
    return np.asarray((1 - late) * -np.expm1(-shape["first_rate"] * u) + late * second)


def made(name: str, truth: str, config: dict[str, Any]) -> tuple[lift.Campaign, np.ndarray]:
    """Return a campaign, and what each of its posts adds to log downloads by day."""
    rng = stream(config["seed"], name, "campaign")
    n, n_posts = config["n_days"], config["n_posts"]
    times = np.sort(rng.uniform(config["first_post_day"], config["last_post_day"], n_posts))
    times = np.round(times * 1440) / 1440  # whole minutes
    amplitude = rng.normal(config["amplitude_mean"], config["amplitude_sd"], n_posts)
    edges = np.arange(n + 1)[:, None] - times
    log_lift = amplitude * np.diff(within(truth, edges, config["shape"][truth]), axis=0)
    level = math.log(config["daily_downloads"]) + config["level_sd"] * rng.normal(size=n).cumsum()
    log_mean = level + log_lift.sum(axis=1) + config["noise_sd"] * rng.normal(size=n)
    dates = pd.date_range("2025-01-01", periods=n)
    stamps = dates[0].tz_localize("UTC") + pd.to_timedelta(np.round(times * 1440), unit="min")
    posts = pd.DataFrame({"post_id": [f"post_{j}" for j in range(n_posts)], "posted_at": stamps})
    downloads = pd.DataFrame({"date": dates, "downloads": rng.poisson(np.exp(log_mean))})
    return lift.Campaign(downloads=downloads, posts=posts), log_lift


def effects_of(campaign: lift.Campaign, log_lift: np.ndarray, horizon: int) -> np.ndarray:
    """Return the true effects of the posts, and last that of all of them."""
    downloads = campaign.downloads["downloads"].to_numpy(dtype=np.float64)
    stamps = campaign.posts["posted_at"].dt.tz_localize(None).dt.normalize()
    days = (stamps - campaign.dates[0]).dt.days.to_numpy()
    since = np.arange(len(downloads))[:, None] - days
    window = (since >= 0) & (since <= horizon)
    alone = (downloads[:, None] * -np.expm1(-log_lift) * window).sum(axis=0)
    together = downloads * -np.expm1(-log_lift.sum(axis=1))
    return np.append(alone, together[window.any(axis=1)].sum())


def one_campaign(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return truth and estimates of one campaign under every family."""
    truth = name.rpartition("_")[0]
    campaign, log_lift = made(name, truth, config)
    wanted = effects_of(campaign, log_lift, config["horizon_days"])
    seed = int(stream(config["seed"], name, "fit").integers(2**31))
    draws, evidence, worst = {}, {}, 0.0
    for kernel in config["kernels"]:
        response: dict[str, Any] = {"kernel": kernel}
        if kernel == "free":
            response["free_rate"] = config["free_rate"]
        spec = lift.ModelSpec.model_validate(
            {"horizon_days": config["horizon_days"], "response": response}
        )
        settings = SampleSettings(config["draws"], config["chains"], seed, 1)
        # not through analyse(), which refuses poor draws: here every campaign counts
        fitted = fit_exact(campaign, spec, settings)
        effects = Effects(fitted)
        parts = [effects.draws(by).to_numpy() for by in ("post", "campaign")]
        draws[kernel] = np.concatenate(parts, axis=-1).reshape(-1, len(wanted))
        evidence[kernel] = float(fitted.sample_stats["log_evidence"])
        worst = max(worst, float(fitted.sample_stats["pareto_k"]))
    draws[AVERAGE] = averaged(draws, evidence)
    best = max(evidence, key=lambda kernel: evidence[kernel])
    return {
        "truth": wanted.tolist(),
        "evidence": evidence,
        "best": best,
        "pareto_k": worst,
        "intervals": {kernel: intervals(values) for kernel, values in draws.items()},
    }


def averaged(draws: dict[str, np.ndarray], evidence: dict[str, float]) -> np.ndarray:
    """Return draws of every family in proportion to its evidence (equal prior weights)."""
    logs = np.array(list(evidence.values()))
    share = np.exp(logs - logs.max())
    share /= share.sum()
    size = len(next(iter(draws.values())))
    counts = np.diff(np.round(np.cumsum([0.0, *share]) * size).astype(int))
    parts = [
        values[np.linspace(0, size - 1, count).astype(int)]
        for values, count in zip(draws.values(), counts, strict=True)
        if count
    ]
    return np.concatenate(parts)


def intervals(values: np.ndarray) -> dict[str, list[float]]:
    """Return mean and ends of the 95 % interval of every effect, with Monte Carlo errors."""
    out = {"mean": values.mean(axis=0), "mcse_mean": values.std(axis=0) / math.sqrt(len(values))}
    for end, tail in (("lower", 0.025), ("upper", 0.975)):
        out[end] = np.quantile(values, tail, axis=0)
        half = math.sqrt(tail * (1 - tail) / len(values))
        around = np.quantile(values, [tail - half, min(tail + half, 1.0)], axis=0)
        out[f"mcse_{end}"] = (around[1] - around[0]) / 2
    return {key: array.tolist() for key, array in out.items()}


def coverage(table: pd.DataFrame) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and its Monte Carlo error."""
    inside = (table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"])
    variance = 0.0
    for end in ("lower", "upper"):
        error = table[f"mcse_{end}"].clip(lower=1e-9)
        distance = ((table["truth"] - table[end]) / error).abs()
        flip = np.array([0.5 * math.erfc(z / math.sqrt(2)) for z in distance])
        variance += float((flip * (1 - flip)).sum())
    return float(inside.mean()), max(math.sqrt(variance), LEAST_FLIPS) / len(table)


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return coverage, width and bias of posts and totals for every truth and family."""
    names = [
        f"{truth}_{i:03d}"
        for truth in config["truths"]
        for i in range(config["campaigns_per_truth"])
    ]
    folder = Path(config["results"])
    units = study.units(names, lambda name: one_campaign(name, config), folder / "units", config)
    rows = []
    for name, unit in zip(names, units, strict=True):
        for kernel, found in unit["intervals"].items():
            frame = pd.DataFrame({"truth": unit["truth"], **found})
            frame.insert(0, "unit", [*(f"post_{j}" for j in range(len(frame) - 1)), "campaign"])
            frame.insert(0, "kernel", kernel)
            frame.insert(0, "campaign", name)
            rows.append(frame)
    table = pd.concat(rows, ignore_index=True)
    numbers: dict[str, float] = {}
    for truth in config["truths"]:
        mine = [unit for name, unit in zip(names, units, strict=True) if name.startswith(truth)]
        for kernel in (*config["kernels"], AVERAGE):
            own = table[table["campaign"].str.startswith(truth) & (table["kernel"] == kernel)]
            posts, totals = own[own["unit"] != "campaign"], own[own["unit"] == "campaign"]
            key = f"{truth}_by_{kernel}"
            for kind, part in (("post", posts), ("total", totals)):
                label = f"{key}_{kind}_coverage"
                numbers[label], numbers[f"{label}_mcse"] = coverage(part)
            width = (posts["upper"] - posts["lower"]) / config["daily_downloads"]
            ends = np.hypot(posts["mcse_lower"], posts["mcse_upper"]) / config["daily_downloads"]
            numbers[f"{key}_post_width_days"] = float(width.mean())
            numbers[f"{key}_post_width_days_mcse"] = float(np.sqrt((ends**2).sum()) / len(ends))
            whole = float(totals["truth"].sum())
            numbers[f"{key}_total_bias"] = float((totals["mean"] - totals["truth"]).sum() / whole)
            error = float(np.sqrt((totals["mcse_mean"] ** 2).sum()) / abs(whole))
            numbers[f"{key}_total_bias_mcse"] = error
            if kernel in config["kernels"]:
                chosen = float(np.mean([unit["best"] == kernel for unit in mine]))
                numbers[f"{key}_best_evidence"] = chosen
                numbers[f"{key}_best_evidence_mcse"] = LEAST_FLIPS / len(mine)
    table.to_csv(folder / "intervals.csv", index=False, lineterminator="\n", float_format="%.6g")
    evidence = pd.DataFrame(
        [
            {"campaign": name, "pareto_k": unit["pareto_k"], "best": unit["best"]}
            | {f"log_evidence_{kernel}": value for kernel, value in unit["evidence"].items()}
            for name, unit in zip(names, units, strict=True)
        ]
    )
    evidence.to_csv(folder / "evidence.csv", index=False, lineterminator="\n", float_format="%.6g")
    numbers["worst_pareto_k"] = float(evidence["pareto_k"].max())
    numbers["worst_pareto_k_mcse"] = 0.1
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
