"""Calibration of several markets: ranks of prior-drawn truths among draws of their joint fit."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.analysis.effects import Effects
from lift.engines.base import SampleSettings
from lift.engines.markets import fit_markets
from lift.model.markets import MarketsDesign, build_markets
from lift.model.markets_prior import draw_markets_prior
from lift.model.posterior import Posterior
from lift.model.prior import PriorDraw, draw_downloads, true_effects
from lift.rng import stream

CALIBRATION = Path(__file__).parent.parent / "simulation_based_calibration" / "run.py"
LABEL = "markets"
OWN = ("noise_sd", "level_sd")
SHARED = (
    "amplitude_sd",
    "market_sd",
    "shared_level_sd",
    "shared_noise_sd",
    "spill_over",
    "kernel_shape",
)


def calibration() -> ModuleType:
    """Return the study of one market: how ranks are taken and bands drawn."""
    spec = importlib.util.spec_from_file_location("calibration", CALIBRATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def skeleton(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a campaign whose downloads are still to be drawn."""
    rng = stream(config["seed"], name, "tables")
    dates = pd.date_range("2025-01-01", periods=config["n_days"])
    days = np.sort(
        rng.uniform(config["first_post_day"], config["last_post_day"], len(config["targets"]))
    )
    posts = pd.DataFrame(
        {
            "post_id": [f"post_{j}" for j in range(len(days))],
            "posted_at": (dates[0] + pd.to_timedelta(days, unit="D")).tz_localize("UTC"),
            "market": [target or None for target in config["targets"]],
        }
    )
    wave = np.where(np.arange(len(dates)) % 2, config["start"], config["start"] * 1.5)
    tables = [
        pd.DataFrame({"date": dates, "market": market, "downloads": wave})
        for market in config["markets"]
    ]
    return {"downloads": pd.concat(tables, ignore_index=True), "posts": posts, "timezone": "UTC"}


def truths(
    design: MarketsDesign,
    drawn: tuple[PriorDraw, ...],
    downloads: list[np.ndarray],
    config: dict[str, Any],
) -> dict[str, float]:
    """Return the true value of everything that is ranked."""
    out: dict[str, float] = {}
    horizon = config["horizon_days"]
    total = 0.0
    for m, market in enumerate(design.markets):
        part = design.designs[m]
        for name in OWN:
            out[f"{name}[{market}]"] = float(drawn[m].values[part.position(name)])
        for j, post in enumerate(part.posts.ids):
            members = np.array([j])
            effect = true_effects(part, drawn[m], downloads[m], members, horizon)
            out[f"effect[{post}, {market}]"] = effect
        everyone = np.arange(len(part.posts.ids))
        effect = true_effects(part, drawn[m], downloads[m], everyone, horizon)
        out[f"effect[campaign, {market}]"] = effect
        total += effect
    out["effect[campaign, all]"] = total
    first, values = design.designs[0], drawn[0].values
    for name in SHARED:
        at = first.position({"kernel_shape": "log_shape"}.get(name, name))
        out[name] = float(np.exp(values[at]) if name == "kernel_shape" else values[at])
    share = -np.expm1(-np.exp(values[first.position("first_day")]))
    out["first_day_share"] = float(share)
    return out


def posterior_values(fits: dict[str, Posterior], names: list[str]) -> dict[str, np.ndarray]:
    """Return the posterior draws of ranked quantities, each of shape (chain * draw,)."""
    effects = {
        market: {by: Effects(fitted).draws(by) for by in ("post", "campaign")}
        for market, fitted in fits.items()
    }
    first = next(iter(fits.values())).draws
    out = {}
    for name in names:
        kind, _, label = name.removesuffix("]").partition("[")
        unit, _, market = label.partition(", ")
        if kind != "effect":
            array = fits[unit].draws[kind] if unit else first[kind]
        elif market == "all":
            array = sum(parts["campaign"] for parts in effects.values())
        elif unit == "campaign":
            array = effects[market]["campaign"]
        else:
            array = effects[market]["post"].sel(post=unit)
        out[name] = np.asarray(array.to_numpy()).reshape(-1)
    return out


def one_campaign(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the rank of every truth among the posterior draws of one prior-drawn campaign."""
    tables = skeleton(name, config)
    spec = lift.ModelSpec.model_validate({"horizon_days": config["horizon_days"], **config["spec"]})
    design = build_markets(lift.Campaign(**tables), spec)
    rng = stream(config["seed"], name, "truth")
    drawn = draw_markets_prior(design, [np.log(config["start"])] * len(design.markets), rng)
    downloads = [
        draw_downloads(part, mine, rng) for part, mine in zip(design.designs, drawn, strict=True)
    ]
    tables["downloads"]["downloads"] = np.concatenate(downloads)
    campaign = lift.Campaign(**tables)
    true = truths(build_markets(campaign, spec), drawn, downloads, config)
    seed = int(stream(config["seed"], name, "fit").integers(2**31))
    fits = fit_markets(campaign, spec, SampleSettings(draws=config["draws"], seed=seed))
    values = posterior_values(fits, list(true))
    every = config["draws"] // config["ranked_draws"]
    ties = stream(config["seed"], name, "ties")
    ranked = calibration().ranked
    ranks = {key: ranked(np.append(true[key], values[key][::every]), ties).tolist() for key in true}
    stats = next(iter(fits.values())).sample_stats
    judged = {key: float(stats[key]) for key in ("pareto_k", "ess", "safety_net")}
    return {"ranks": ranks, **judged}


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return how evenly the ranks lie."""
    apart = ("campaigns", "band_prob", "band_simulations")
    own = {key: value for key, value in config.items() if key not in apart}
    names = [f"{LABEL}_{i:04d}" for i in range(config["campaigns"])]
    folder = Path(config["results"])
    units = study.units(names, lambda name: one_campaign(name, own), folder / "units", own)
    quantities = list(units[0]["ranks"])
    ranks = np.array([[unit["ranks"][key] for key in quantities] for unit in units])
    rng = stream(config["seed"], "bands", LABEL)
    bands = calibration().bands
    p_values, joint = bands(ranks.transpose(0, 2, 1), config["band_simulations"], rng)
    n_ranks = ranks.shape[2]
    tail = round(0.025 * n_ranks)
    true = ranks[:, :, 0]
    covered = ((true >= tail) & (true < n_ranks - tail)).mean(axis=0)
    k = np.array([unit["pareto_k"] for unit in units])
    net = np.array([unit["safety_net"] for unit in units])
    style: dict[str, Any] = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    rows = zip(quantities, p_values, covered, true.mean(axis=0), strict=True)
    columns = ["quantity", "band_p_value", "coverage_95", "mean_rank"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "quantities.csv", **style)
    frame = pd.DataFrame(true, columns=quantities)
    frame.insert(0, "campaign", names)
    frame.assign(pareto_k=k.round(3), safety_net=net.astype(int)).to_csv(
        folder / "ranks.csv", **style
    )
    least, count = float(p_values.min()), len(quantities)
    return {
        "campaigns": len(units),
        "quantities": count,
        "outside_own_band": int((p_values <= 1 - config["band_prob"]).sum()),
        "smallest_p": least,
        "bonferroni_p": min(1.0, least * count),
        "joint_p": joint,
        "inside_joint_band": int(joint > 1 - config["band_prob"]),
        "mean_coverage_95": float(covered.mean()),
        "share_k_above_0.7": float((k > 0.7).mean()),
        "largest_k": round(float(k.max()), 3),
        "share_safety_net": float(net.mean()),
    }


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
