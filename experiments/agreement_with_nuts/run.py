"""Agreement with NUTS: two unrelated ways to compute the posterior, side by side."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

from lift import ModelSpec, study
from lift.analysis.diagnostics import measures
from lift.analysis.effects import Effects
from lift.data.simulate import SimulationConfig, simulate_campaign
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.engines.pymc import fit_pymc
from lift.model.posterior import Posterior

HYPERPARAMETERS = (
    "noise_sd",
    "level_sd",
    "control_sd",
    "amplitude_sd",
    "influencer_sd",
    "views_elasticity",
    "first_day_share",
    "kernel_shape",
)


def quantities(posterior: Posterior) -> dict[str, np.ndarray]:
    """Return draws (chain, draw) of hyperparameters, post effects and the campaign total."""
    out = {}
    for name in HYPERPARAMETERS:
        if name not in posterior.draws:
            continue
        array = posterior.draws[name]
        if array.ndim == 2:
            out[name] = array.to_numpy()
            continue
        for i, label in enumerate(array[array.dims[2]].to_numpy()):
            out[f"{name}[{label}]"] = array.to_numpy()[..., i]
    effects = Effects(posterior)
    posts = effects.draws("post")
    for i, post in enumerate(posts["post"].to_numpy()):
        out[f"effect[{post}]"] = posts.to_numpy()[..., i]
    out["effect[campaign]"] = effects.draws("campaign").to_numpy().reshape(posts.shape[:2])
    return out


def described(posterior: Posterior) -> dict[str, dict[str, float]]:
    """Return mean, sd, their standard errors, ESS and R-hat of every quantity."""
    axes = {"chain_axis": 0, "draw_axis": 1}
    return {
        name: {
            **measures(draws),
            "mcse_sd": float(array_stats.mcse(draws, method="sd", **axes)),
        }
        for name, draws in quantities(posterior).items()
    }


def timed(fit: Any, *arguments: Any, **options: Any) -> tuple[Posterior, dict[str, float]]:
    """Return a posterior and wall and processor seconds, those before the first step apart."""
    first: list[tuple[float, float]] = []

    def watch(_done: float, word: str) -> None:
        if word != "compile" and not first:
            first.append((time.perf_counter(), time.process_time()))

    begun = time.perf_counter(), time.process_time()
    posterior = fit(*arguments, watch, **options)
    ended = time.perf_counter(), time.process_time()
    return posterior, {
        "wall_seconds": ended[0] - begun[0],
        "processor_seconds": ended[1] - begun[1],
        "compile_processor_seconds": first[0][1] - begun[1],
    }


def one_campaign(case: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return what both engines say of one campaign."""
    simulated = SimulationConfig(n_days=case["n_days"], n_posts=case["n_posts"], **case["more"])
    campaign, _ = simulate_campaign(
        simulated, seed=case["seed"], horizon_days=config["horizon_days"]
    )
    spec = ModelSpec(horizon_days=config["horizon_days"])
    chains, workers, seed = config["chains"], config["workers"], config["seed"]
    warm = SampleSettings(100, chains, seed, workers)
    fit_exact(campaign, spec, warm)
    exact = SampleSettings(config["exact_draws"], chains, seed, workers)
    nuts = SampleSettings(config["nuts_draws"], chains, seed, workers)
    out = {}
    for engine, fit, settings, options in (
        ("exact", fit_exact, exact, {}),
        ("pymc", fit_pymc, nuts, {"tune": config["tune"]}),
    ):
        posterior, cost = timed(fit, campaign, spec, settings, **options)
        stats = {name: value for name, value in posterior.sample_stats.items() if value != ""}
        out[engine] = {"quantities": described(posterior), "cost": cost, "stats": stats}
    return out


def compared(unit: dict[str, Any]) -> pd.DataFrame:
    """Return one row per quantity: both means and sds, and how far they lie apart."""
    rows = []
    for name, a in unit["exact"]["quantities"].items():
        b = unit["pymc"]["quantities"][name]
        ratio = b["sd"] / a["sd"]
        rows.append(
            {
                "quantity": name,
                "mean_exact": a["mean"],
                "mean_pymc": b["mean"],
                "mcse_exact": a["mcse_mean"],
                "mcse_pymc": b["mcse_mean"],
                "z": (b["mean"] - a["mean"]) / math.hypot(a["mcse_mean"], b["mcse_mean"]),
                "sd_exact": a["sd"],
                "sd_pymc": b["sd"],
                "sd_ratio": ratio,
                "sd_ratio_mcse": ratio * math.hypot(a["mcse_sd"] / a["sd"], b["mcse_sd"] / b["sd"]),
                "ess_exact": a["ess_bulk"],
                "ess_pymc": b["ess_bulk"],
                "r_hat_pymc": b["r_hat"],
            }
        )
    return pd.DataFrame(rows)


def costs(unit: dict[str, Any]) -> pd.DataFrame:
    """Return one row per engine: seconds and effective draws per processor second."""
    rows = []
    for engine, result in unit.items():
        cost, found = result["cost"], result["quantities"]
        spent = cost["processor_seconds"]
        if engine == "pymc":
            spent -= cost["compile_processor_seconds"]
        worst = min(found, key=lambda name: found[name]["ess_bulk"])
        rows.append(
            {
                "engine": engine,
                **cost,
                "worst_quantity": worst,
                "worst_ess": found[worst]["ess_bulk"],
                "worst_ess_per_processor_second": found[worst]["ess_bulk"] / spent,
                "total_ess_per_processor_second": found["effect[campaign]"]["ess_bulk"] / spent,
                "divergences": result["stats"].get("divergences", ""),
                "gradients_per_draw": result["stats"].get("gradients_per_draw", ""),
                "pareto_k": result["stats"].get("pareto_k", ""),
            }
        )
    return pd.DataFrame(rows)


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return how many quantities lie apart, and the campaign totals of both engines."""
    folder = Path(config["results"])
    cases = {
        case["name"]: {"more": {"first_post_day": min(150, case["n_days"] // 3)}, **case}
        for case in config["campaigns"]
    }
    units = study.durable(
        list(cases), lambda name: one_campaign(cases[name], config), folder / "units", config
    )
    tables = {name: compared(unit) for name, unit in zip(cases, units, strict=True)}
    spent = {name: costs(unit) for name, unit in zip(cases, units, strict=True)}
    for file, parts in (("agreement.csv", tables), ("cost.csv", spent)):
        whole = pd.concat(parts, names=["campaign"]).reset_index(level=0)
        whole.to_csv(folder / file, index=False, float_format="%.6g", lineterminator="\n")
    numbers: dict[str, float] = {}
    for name, table in tables.items():
        numbers[f"{name}_quantities"] = len(table)
        numbers[f"{name}_means_apart"] = int((table["z"].abs() > config["max_z"]).sum())
        off = (table["sd_ratio"] - 1).abs()
        numbers[f"{name}_sds_apart"] = int((off > config["max_sd_difference"]).sum())
        total = table.set_index("quantity").loc["effect[campaign]"]
        for engine in ("exact", "pymc"):
            numbers[f"{name}_total_{engine}"] = float(total[f"mean_{engine}"])
            numbers[f"{name}_total_{engine}_mcse"] = float(total[f"mcse_{engine}"])
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
