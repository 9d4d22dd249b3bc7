"""Phantom lift: posts that did nothing, with signed and with positive-only amplitudes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.data.simulate import SimulationConfig
from lift.rng import stream

MODELS = {"signed": "exact", "positive": "pymc"}
AT_ZERO = 0.01
"""Monte Carlo error of a share of intervals: one that ends at 0 may fall on either side of it."""


def campaign_of(name: str, config: dict[str, Any]) -> lift.Campaign:
    """Return one simulated campaign."""
    seed = int(stream(config["seed"], name).integers(2**31))
    settings = SimulationConfig(name=name, **config["simulation"])
    return lift.simulate_campaign(settings, seed=seed)[0]


def fitted(model: str, campaign: lift.Campaign, config: dict[str, Any]) -> dict[str, Any]:
    """Return what one model says of a campaign, as shares of all its downloads."""
    spec = lift.ModelSpec.model_validate({"response": {"positive_only": model == "positive"}})
    analysis = lift.analyse(
        campaign,
        spec,
        engine=MODELS[model],
        draws=config["draws"],
        chains=config["chains"],
        seed=config["seed"],
        workers=1,
    )
    total = float(analysis.posterior.downloads.sum())
    whole = analysis.effects.table("campaign", config["prob"]).loc[0]
    posts = analysis.effects.table("post", config["prob"])
    away = (posts["lower"] > 0.0) | (posts["upper"] < 0.0)
    return {
        "mean": float(whole["mean"]) / total,
        "lower": float(whole["lower"]) / total,
        "upper": float(whole["upper"]) / total,
        "mcse_mean": float(whole["mcse_mean"]) / total,
        "posts_away_from_0": float(away.mean()),
        "divergences": int(analysis.posterior.sample_stats.get("divergences", 0)),
    }


def stored(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return what the positive-only model said of a campaign in the committed run."""
    table = pd.read_csv(Path(config["folder"]) / "results" / "null.csv")
    mine = table[(table["campaign"] == name) & (table["model"] == "positive")].iloc[0]
    return {name: float(value) for name, value in mine.drop(["campaign", "model"]).items()}


def one_campaign(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return what both models say of one campaign."""
    campaign = campaign_of(name, config)
    positive = (
        fitted("positive", campaign, config)
        if config["positive"] == "sample"
        else stored(name, config)
    )
    return {"signed": fitted("signed", campaign, config), "positive": positive}


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return mean shares of all downloads, and how often intervals exclude 0, of both models."""
    folder = Path(config["results"])
    names = [f"null_{i + 1:02d}" for i in range(config["campaigns"])]
    units = study.units(names, lambda name: one_campaign(name, config), folder / "units", config)
    rows = [
        {"campaign": name, "model": model, **found}
        for name, unit in zip(names, units, strict=True)
        for model, found in unit.items()
    ]
    table = pd.DataFrame(rows)
    table.to_csv(folder / "null.csv", index=False, float_format="%.6g", lineterminator="\n")
    numbers: dict[str, float] = {}
    for model, mine in table.groupby("model"):
        away = (mine["lower"] > 0.0) | (mine["upper"] < 0.0)
        numbers[f"{model}_share"] = float(mine["mean"].mean())
        # of another run of the same campaigns
        error = float(np.sqrt((mine["mcse_mean"] ** 2).sum())) / len(mine)
        numbers[f"{model}_share_mcse"] = error
        numbers[f"{model}_away_from_0"] = float(away.mean())
        numbers[f"{model}_away_from_0_mcse"] = AT_ZERO
        numbers[f"{model}_posts_away_from_0"] = float(mine["posts_away_from_0"].mean())
        numbers[f"{model}_posts_away_from_0_mcse"] = AT_ZERO
        numbers[f"{model}_divergences"] = float(mine["divergences"].sum())
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
