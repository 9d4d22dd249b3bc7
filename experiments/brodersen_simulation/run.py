"""Power, coverage and error of single-intervention models in the paper's own simulation."""

from __future__ import annotations

import importlib.util
import math
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.engines import causalimpact
from lift.rng import stream

Z_95 = 1.959963984540054
END_ERROR = 0.0598
"""Monte Carlo sd of a 2.5% quantile of 2,000 normal draws, in sds of the draws."""
TRUTHS = ("plain", "break")


@cache
def beside(name: str, folder: str) -> Any:
    """Return a module that lies in the experiment's folder."""
    spec = importlib.util.spec_from_file_location(name, Path(folder) / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def simulate(name: str, config: dict[str, Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the controls, and the outcome without the campaign under each truth."""
    truth = config["truth"]
    rng = stream(config["seed"], name, "truth")
    n, n_pre = truth["pre_days"] + truth["post_days"], truth["pre_days"]
    days = np.arange(n)
    controls = np.column_stack([np.sin(2 * np.pi * days / w) for w in truth["wavelengths"]])
    steps = truth["coefficient_sd"] * rng.standard_normal(controls.shape)
    level = np.cumsum(truth["level_sd"] * rng.standard_normal(n))
    noise = truth["noise_sd"] * rng.standard_normal(n)
    outcomes = {}
    for kind in TRUTHS:
        walk = steps.copy()
        if kind == "break":
            walk[n_pre:] *= truth["break_factor"]
        coefficients = truth["start_coefficient"] + np.cumsum(walk, axis=0)
        outcomes[kind] = (coefficients * controls).sum(axis=1) + level + noise
    return controls, outcomes


def package(
    outcome: np.ndarray, controls: np.ndarray, at: np.ndarray, config: dict[str, Any]
) -> dict[str, Any]:
    """Return what the package causalimpact says; its sums of limits are running sums of limits."""
    n_pre = config["truth"]["pre_days"]
    data = pd.DataFrame(np.column_stack([outcome, controls]))
    periods = [0, n_pre - 1], [n_pre, len(outcome) - 1]
    with warnings.catch_warnings():
        # It says so where maximum likelihood ends at a variance of nothing.
        warnings.simplefilter("ignore")
        said = causalimpact.run(data, *periods, 1 - config["asked"]["prob"]).iloc[n_pre:]
    sums = {end: said[f"point_pred{end}"].cumsum().iloc[at] for end in ("", "_lower", "_upper")}
    lower, upper = np.sort([sums["_lower"], sums["_upper"]], axis=0)
    return {
        "k": 0.0,
        "refused": False,
        "mean": sums[""].tolist(),
        "sd": ((upper - lower) / (2 * Z_95)).tolist(),
        "lower": lower.tolist(),
        "upper": upper.tolist(),
    }


def predictions(
    outcome: np.ndarray, controls: np.ndarray, method: dict[str, Any], seed: int, config: Any
) -> tuple[np.ndarray, float]:
    """Return draws of the outcome without the campaign, shape (draw, day), and the Pareto k."""
    n_pre = config["truth"]["pre_days"]
    if method["kind"] == "dynamic":
        return beside("dynamic", config["folder"]).predict(
            outcome[:n_pre],
            controls,
            level_guess=method["prior_level_sd"],
            n_draws=config["draws"],
            n_chains=config["chains"],
            seed=seed,
        )
    model_args = {
        "niter": config["draws"],
        "chains": config["chains"],
        "prior_level_sd": method["prior_level_sd"],
        "prior_level_df": method["prior_level_df"],
        "dynamic_regression": method.get("dynamic_regression", False),
    }
    result = lift.CausalImpact(
        np.column_stack([outcome, controls]),
        (0, n_pre - 1),
        (n_pre, len(outcome) - 1),
        model_args,
        seed=seed,
    )
    made = result.fitted.draws
    # chains have no weights
    return result.fitted.predicted, made.k if made.method == "importance" else 0.0


def replication(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the truth and every method's interval of the counterfactual sum, by days."""
    n_pre = config["truth"]["pre_days"]
    controls, outcomes = simulate(name, config)
    at = np.array(config["asked"]["days"]) - 1
    tails = [(1 - config["asked"]["prob"]) / 2, (1 + config["asked"]["prob"]) / 2]
    out: dict[str, Any] = {
        "scale": float(outcomes["plain"][:n_pre].std(ddof=1)),
        "truth": {kind: np.cumsum(y[n_pre:])[at].tolist() for kind, y in outcomes.items()},
        "methods": {},
    }
    seed = int(stream(config["seed"], name, "seed").integers(2**31))
    for label, method in config["methods"].items():
        # What comes after the intervention is not looked at, so one fit serves both truths.
        if method["kind"] == "package":
            out["methods"][label] = package(outcomes["plain"], controls, at, config)
            continue
        draws, k = predictions(outcomes["plain"], controls, method, seed, config)
        if not len(draws):
            out["methods"][label] = {"k": k, "refused": True}
            continue
        sums = np.cumsum(draws, axis=1)[:, at]
        lower, upper = np.quantile(sums, tails, axis=0)
        out["methods"][label] = {
            "k": k,
            "refused": False,
            "mean": sums.mean(axis=0).tolist(),
            "sd": sums.std(axis=0, ddof=1).tolist(),
            "lower": lower.tolist(),
            "upper": upper.tolist(),
        }
    return out


def table(units: list[dict[str, Any]], config: dict[str, Any]) -> pd.DataFrame:
    """Return one row per replication, method, truth and length of the campaign."""
    rows = []
    for i, unit in enumerate(units):
        for label, found in unit["methods"].items():
            if found["refused"]:
                continue
            for kind, truths in unit["truth"].items():
                for j, days in enumerate(config["asked"]["days"]):
                    rows.append(
                        {
                            "replication": i,
                            "method": label,
                            "truth": kind,
                            "days": days,
                            "scale": unit["scale"],
                            "actual": truths[j],
                            **{key: found[key][j] for key in ("mean", "sd", "lower", "upper")},
                        }
                    )
    return pd.DataFrame(rows)


def share(hits: pd.Series) -> dict[str, float]:
    """Return a share, its standard error over replications, and how many there are."""
    p, n = float(hits.mean()), len(hits)
    return {"share": p, "se": math.sqrt(p * (1 - p) / n), "replications": n}


def power_table(found: pd.DataFrame, config: dict[str, Any]) -> pd.DataFrame:
    """Return how often the interval of the whole campaign's effect leaves out zero."""
    last = max(config["asked"]["days"])
    rows = []
    whole = found[(found["days"] == last) & (found["truth"] == "plain")]
    for method, own in whole.groupby("method", sort=False):
        for effect in config["asked"]["effects"]:
            actual = (1 + effect) * own["actual"]
            detected = (actual - own["upper"] > 0) | (actual - own["lower"] < 0)
            right = np.sign(actual - own["mean"]) == np.sign(own["actual"])
            rows.append(
                {
                    "method": method,
                    "effect": effect,
                    **share(detected),
                    "right_sign": float((detected & right).mean()),
                }
            )
    return pd.DataFrame(rows)


def horizon_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return coverage, width and error by length of the campaign; in sds of the outcome a day."""
    rows = []
    for (method, truth, days), own in found.groupby(["method", "truth", "days"], sort=False):
        inside = (own["lower"] <= own["actual"]) & (own["actual"] <= own["upper"])
        per_day = own["scale"] * days
        error = (own["mean"] - own["actual"]) / per_day
        width = (own["upper"] - own["lower"]) / per_day
        rows.append(
            {
                "method": method,
                "truth": truth,
                "days": days,
                **share(inside),
                "width": float(width.mean()),
                "width_mcse": float((own["sd"] / per_day).mean())
                * END_ERROR
                * math.sqrt(2 / len(own)),
                "rmse": float(np.sqrt((error**2).mean())),
                "median_error": float(error.abs().median()),
                "bias": float(error.mean()),
            }
        )
    return pd.DataFrame(rows)


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return power by effect size, coverage and error by length of the campaign."""
    folder = Path(config["results"])
    per_unit = config["per_unit"]
    names = [f"block_{i:03d}" for i in range(math.ceil(config["replications"] / per_unit))]

    def block(name: str) -> dict[str, Any]:
        first = int(name.split("_")[1]) * per_unit
        last = min(first + per_unit, config["replications"])
        return {
            "replications": [
                replication(f"replication_{i:04d}", config) for i in range(first, last)
            ]
        }

    # How many there are does not change any of them.
    settings = {key: value for key, value in config.items() if key != "replications"}
    blocks = study.units(names, block, folder / "units", settings | {"blocks": per_unit})
    units = [unit for found in blocks for unit in found["replications"]]
    found = table(units, config)
    power = power_table(found, config)
    horizon = horizon_table(found)
    numbers: dict[str, float] = {"replications": len(units)}
    for label in config["methods"]:
        own = [unit["methods"][label] for unit in units]
        numbers[f"{label}_refused"] = sum(unit["refused"] for unit in own)
        numbers[f"{label}_largest_k"] = max(unit["k"] for unit in own)
        numbers[f"{label}_largest_k_mcse"] = 0.1
    for row in power.to_dict(orient="records"):
        name = f"{row['method']}_detected_{row['effect']:g}"
        numbers[name], numbers[f"{name}_mcse"] = row["share"], 1.0 / row["replications"]
    for row in horizon.to_dict(orient="records"):
        name = f"{row['method']}_{row['truth']}_{row['days']}"
        numbers[f"{name}_covered"] = row["share"]
        numbers[f"{name}_covered_mcse"] = 1.0 / row["replications"]
        numbers[f"{name}_width"], numbers[f"{name}_width_mcse"] = row["width"], row["width_mcse"]
        numbers[f"{name}_rmse"] = row["rmse"]
        numbers[f"{name}_rmse_mcse"] = (
            row["width"] / (2 * Z_95) / math.sqrt(config["draws"] * row["replications"])
        )
    for label, result in (("power", power), ("horizon", horizon)):
        result = result.drop(columns="width_mcse", errors="ignore")
        result["seed"], result["lift"] = config["seed"], study.versions()["lift"]
        result.to_csv(
            folder / f"{label}.csv", index=False, lineterminator="\n", float_format="%.6g"
        )
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
