"""Downloads that two real events brought to the Immuni app, by horizon and prior of the level."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study

ENDS = {"lower": 0.025, "upper": 0.975}


def variants(config: dict[str, Any], main_spec: lift.ModelSpec) -> dict[str, lift.ModelSpec]:
    """Return the specifications by label; ``main`` comes first, ``default`` is that of lift."""
    out = {"main": main_spec}
    for horizon in config["horizons"]:
        if horizon != main_spec.horizon_days:
            out[f"horizon_{horizon}"] = main_spec.model_copy(update={"horizon_days": horizon})
    for rate in config["level_rates"]:
        baseline = main_spec.baseline.model_copy(update={"level_rate": rate})
        out[f"level_rate_{rate:g}"] = main_spec.model_copy(update={"baseline": baseline})
    out["default"] = lift.ModelSpec(horizon_days=main_spec.horizon_days)
    return out


def end_error(draws: np.ndarray, prob: float) -> float:
    """Return the Monte Carlo error of a quantile of draws."""
    half = math.sqrt(prob * (1 - prob) / draws.size)
    low, high = np.quantile(draws, [max(prob - half, 0.0), min(prob + half, 1.0)])
    return float(high - low) / 2


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return the effects of the events and of both, under each specification."""
    folder = Path(config["folder"]) / config["campaign"]
    campaign = lift.read_campaign(folder)
    numbers: dict[str, float] = {}
    tables = []
    for label, spec in variants(config, lift.ModelSpec.from_toml(folder / "model.toml")).items():
        analysis = lift.analyse(
            campaign, spec, draws=config["draws"], chains=config["chains"], seed=config["seed"]
        )
        level = analysis.posterior.draws["level_sd"].to_numpy()
        for by in ("post", "campaign"):
            table = analysis.effects.table(by)
            draws = analysis.effects.draws(by).to_numpy()
            for i, (unit, row) in enumerate(table.set_index("unit").iterrows()):
                name = f"{label}_{unit}"
                numbers[f"{name}_mean"] = float(row["mean"])
                numbers[f"{name}_mean_mcse"] = float(row["mcse_mean"])
                for end, prob in ENDS.items():
                    numbers[f"{name}_{end}"] = float(row[end])
                    numbers[f"{name}_{end}_mcse"] = end_error(draws[..., i], prob)
            tables.append(
                table.assign(
                    variant=label,
                    horizon_days=spec.horizon_days,
                    level_rate=spec.baseline.level_rate,
                    level_sd=float(level.mean()),
                    seed=config["seed"],
                    lift=study.versions()["lift"],
                )
            )
    results = pd.concat(tables, ignore_index=True)
    front = ["variant", "horizon_days", "level_rate", "level_sd"]
    results = results[front + [name for name in results.columns if name not in front]]
    results.to_csv(
        Path(config["results"]) / "effects.csv",
        index=False,
        lineterminator="\n",
        float_format="%.6g",
    )
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
