"""Coverage of intervals of single posts whose responses overlap, truth known."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.data.simulate import SimulationConfig, simulate
from lift.data.simulated_posts import clock
from lift.rng import stream

PROBS = (0.95, 0.5)
KINDS = ("post", "influencer", "campaign")
CLOSE_DAYS = 7
LEAST_FLIPS = 0.15
"""Standard error of the number of intervals that hold the truth, at least: one may change sides."""


def settings_of(name: str, index: int, config: dict[str, Any]) -> SimulationConfig:
    """Return what one campaign is like, drawn from the ranges of the configuration."""
    rng = stream(config["seed"], name, "settings")
    drawn: dict[str, Any] = dict(config["fixed"])
    for key, (low, high) in config["between"].items():
        drawn[key] = float(rng.uniform(low, high))
    for key, (low, high) in config["between_log"].items():
        drawn[key] = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    for key, (low, high) in config["between_whole"].items():
        drawn[key] = int(rng.integers(low, high + 1))
    for key, (low, high) in config["between_platforms"].items():
        drawn[key] = tuple(rng.uniform(low, high, len(drawn["platforms"])).tolist())
    span = int(rng.integers(config["span"]["days"][0], config["span"]["days"][1] + 1))
    families = config["families"]["names"]
    drawn["last_post_day"] = drawn["n_days"] - config["horizon_days"] - 1
    drawn["first_post_day"] = drawn["last_post_day"] - span
    return SimulationConfig(name=name, amplitude_family=families[index % len(families)], **drawn)


def one_campaign(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign's settings, and estimate beside truth for its posts and its total."""
    settings = settings_of(name, int(name.split("_")[1]), config)
    seed = int(stream(config["seed"], name, "seed").integers(2**31))
    made = simulate(settings, seed=seed, horizon_days=config["horizon_days"])
    spec = lift.ModelSpec(horizon_days=config["horizon_days"])
    analysis = lift.analyse(
        made.campaign, spec, draws=config["draws"], chains=config["chains"], seed=seed, workers=1
    )
    frame = pd.concat(
        [
            intervals(analysis, by).merge(made.truth, on=["by", "unit"], validate="one_to_one")
            for by in KINDS
        ],
        ignore_index=True,
    )
    days, fractions = clock(settings, made.campaign.posts)
    apart = np.abs(np.subtract.outer(days + fractions, days + fractions))
    return {
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "daily_downloads": float(made.campaign.downloads["downloads"].median()),
        "posts_close": float((apart < CLOSE_DAYS).sum(axis=1).mean() - 1),
        "diagnostics": {
            key: float(analysis.posterior.sample_stats[key]) for key in ("pareto_k", "ess")
        },
        "effects": frame.to_dict(orient="list"),
    }


def intervals(analysis: lift.Analysis, by: str) -> pd.DataFrame:
    """Return mean, sd and ends of the intervals, each end with its Monte Carlo error."""
    table = analysis.effects.table(by)[["by", "unit", "mean", "sd", "mcse_mean"]].copy()
    draws = analysis.effects.draws(by).to_numpy()
    flat = draws.reshape(-1, draws.shape[-1])
    for prob in PROBS:
        for end, tail in (("lower", (1 - prob) / 2), ("upper", (1 + prob) / 2)):
            column = f"{end}_{round(100 * prob)}"
            table[column] = np.quantile(flat, tail, axis=0)
            # The binomial error of the probability below the quantile, read off the draws.
            half = math.sqrt(tail * (1 - tail) / len(flat))
            around = np.quantile(flat, [max(tail - half, 0.0), min(tail + half, 1.0)], axis=0)
            table[f"mcse_{column}"] = (around[1] - around[0]) / 2
    return table


def coverage(effects: pd.DataFrame, prob: float) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and its Monte Carlo error."""
    truth, label = effects["truth"], round(100 * prob)
    lower, upper = effects[f"lower_{label}"], effects[f"upper_{label}"]
    inside = (lower <= truth) & (truth <= upper)
    # The chance that another run of the sampler puts an end on the other side of the truth.
    variance = 0.0
    for end, error in ((lower, f"mcse_lower_{label}"), (upper, f"mcse_upper_{label}")):
        distance = ((truth - end) / effects[error]).abs()
        flip = np.array([0.5 * math.erfc(z / math.sqrt(2)) for z in distance])
        variance += float((flip * (1 - flip)).sum())
    return float(inside.mean()), max(math.sqrt(variance), LEAST_FLIPS) / len(effects)


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return coverage, width and error of the intervals over all campaigns."""
    names = [f"campaign_{i:03d}" for i in range(config["campaigns"])]
    folder = Path(config["results"])
    units = study.units(names, lambda name: one_campaign(name, config), folder / "units", config)
    parts = []
    for name, unit in zip(names, units, strict=True):
        part = pd.DataFrame(unit["effects"])
        part.insert(0, "campaign", name)
        part["daily_downloads"] = unit["daily_downloads"]
        parts.append(part)
    effects = pd.concat(parts, ignore_index=True)
    numbers: dict[str, float] = {}
    for by in KINDS:
        own = effects[effects["by"] == by]
        numbers[f"{by}_n"] = len(own)
        for prob in PROBS:
            label = f"{by}_coverage_{round(100 * prob)}"
            numbers[label], numbers[f"{label}_mcse"] = coverage(own, prob)
        scale = own["daily_downloads"]
        error = (own["mean"] - own["truth"]) / scale
        width = (own["upper_95"] - own["lower_95"]) / scale
        mcse = own["mcse_mean"] / scale
        end_mcse = np.hypot(own["mcse_lower_95"], own["mcse_upper_95"]) / scale
        rmse = float(np.sqrt((error**2).mean()))
        numbers |= {
            f"{by}_width_95_days": float(width.mean()),
            f"{by}_width_95_days_mcse": float(np.sqrt((end_mcse**2).sum()) / len(own)),
            f"{by}_rmse_days": rmse,
            f"{by}_rmse_days_mcse": float(np.sqrt(((error * mcse) ** 2).sum()) / (len(own) * rmse)),
            f"{by}_bias_days": float(error.mean()),
            f"{by}_bias_days_mcse": float(np.sqrt((mcse**2).sum()) / len(own)),
            f"{by}_truth_sd_days": float((own["truth"] / scale).std()),
        }
    numbers["posts_within_a_week"] = float(np.mean([unit["posts_close"] for unit in units]))
    write(folder, config, effects, units, numbers)
    return numbers


def write(
    folder: Path,
    config: dict[str, Any],
    effects: pd.DataFrame,
    units: list[dict[str, Any]],
    numbers: dict[str, float],
) -> None:
    """Write the tables: effects, campaigns, summary with seed and versions."""
    style: dict[str, Any] = {"index": False, "lineterminator": "\n", "float_format": "%.6g"}
    effects.to_csv(folder / "effects.csv", **style)
    campaigns = [
        {"campaign": unit["settings"]["name"], "seed": unit["seed"], **unit["diagnostics"]}
        | {key: unit["settings"][key] for key in (*config["between"], *config["between_log"])}
        | {key: unit["settings"][key] for key in config["between_whole"]}
        | {"amplitude_family": unit["settings"]["amplitude_family"]}
        for unit in units
    ]
    pd.DataFrame(campaigns).to_csv(folder / "campaigns.csv", **style)
    rows = [
        {"number": name, "value": value, "mcse": numbers.get(f"{name}_mcse", 0.0)}
        for name, value in numbers.items()
        if not name.endswith("_mcse")
    ]
    summary = pd.DataFrame(rows)
    summary["seed"] = config["seed"]
    for package, found in study.versions().items():
        summary[package] = found
    summary.to_csv(folder / "summary.csv", **style)


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
