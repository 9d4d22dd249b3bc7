"""Agreement with NUTS: two unrelated ways to compute one posterior, side by side."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

import lift
from lift import study
from lift.analysis.diagnostics import measures
from lift.data.campaign import Campaign
from lift.data.simulate import SimulationConfig
from lift.rng import stream

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
DRAWS_AT_A_TIME = 2000


def campaign_of(name: str, config: dict[str, Any]) -> Campaign:
    """Return one of the campaigns of the configuration."""
    settings = SimulationConfig(name=name, **config["campaigns"][name])
    seed = int(stream(config["seed"], name).integers(2**31))
    return lift.simulate_campaign(settings, seed=seed)[0]


def described(draws: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return mean, sd, their Monte Carlo errors, ESS and R-hat; one row per quantity."""
    rows = [
        {
            "quantity": name,
            **measures(values),
            "mcse_sd": float(array_stats.mcse(values, chain_axis=0, draw_axis=1, method="sd")),
        }
        for name, values in draws.items()
    ]
    return pd.DataFrame(rows).set_index("quantity")


def hyperparameters(posterior: Any) -> dict[str, np.ndarray]:
    """Return draws (chain, draw) of the hyperparameters in a dataset."""
    out = {}
    for name in HYPERPARAMETERS:
        if name not in posterior:
            continue
        array = posterior[name]
        if array.ndim == 2:
            out[name] = array.to_numpy()
            continue
        for i, label in enumerate(array[array.dims[2]].to_numpy()):
            out[f"{name}[{label}]"] = array.to_numpy()[..., i]
    return out


def by_exact(campaign: Campaign, spec: lift.ModelSpec, config: dict[str, Any]) -> dict[str, Any]:
    """Return what the exact engine and lift's effects say."""
    begun = time.perf_counter()
    analysis = lift.analyse(
        campaign,
        spec,
        engine="exact",
        draws=config["exact_draws"],
        chains=config["chains"],
        seed=config["seed"],
        workers=config["exact_workers"],
    )
    posts = analysis.effects.draws("post")
    draws = hyperparameters(analysis.posterior.draws)
    for i, post in enumerate(posts["post"].to_numpy()):
        draws[f"effect[{post}]"] = posts.to_numpy()[..., i]
    draws["effect[campaign]"] = analysis.effects.draws("campaign").to_numpy()[..., 0]
    return {
        "quantities": described(draws).to_dict("index"),
        "seconds": time.perf_counter() - begun,
        "pareto_k": float(analysis.posterior.sample_stats["pareto_k"]),
    }


def by_nuts(campaign: Campaign, spec: lift.ModelSpec, config: dict[str, Any]) -> dict[str, Any]:
    """Return what nutpie says of the PyMC model, effects computed from its variables alone."""
    import nutpie

    from lift.engines.pymc_model import build_model
    from lift.model.design import build_design

    design = build_design(campaign, spec)
    begun = time.perf_counter()
    compiled = nutpie.compile_pymc_model(build_model(design))
    ready = time.perf_counter()
    tree = nutpie.sample(
        compiled,
        draws=config["nuts_draws"] // config["chains"],
        tune=config["tune"],
        chains=config["chains"],
        cores=config["cores"],
        seed=int(stream(config["seed"], "nutpie").integers(2**31)),
        target_accept=config["target_accept"],
        adaptation="low_rank",
        save_warmup=False,
        progress_bar=False,
    )
    ended = time.perf_counter()
    posterior = tree["posterior"].to_dataset()
    draws = hyperparameters(posterior)
    shape = posterior["noise_sd"].shape
    impulse = posterior["impulse"].to_numpy().reshape(-1, len(design.posts.ids))
    kernel = posterior["kernel"].to_numpy().reshape(len(impulse), *posterior["kernel"].shape[2:])
    effects = loo_effects(design.downloads, design.posts.day, spec.horizon_days, impulse, kernel)
    for i, post in enumerate(design.posts.ids):
        draws[f"effect[{post}]"] = effects[:, i].reshape(shape)
    draws["effect[campaign]"] = effects[:, -1].reshape(shape)
    stats = tree["sample_stats"].to_dataset()
    return {
        "quantities": described(draws).to_dict("index"),
        "seconds": ended - ready,
        "compile_seconds": ready - begun,
        "divergences": int(stats["diverging"].sum()),
        "gradients_per_draw": float(stats["n_steps"].mean()),
    }


def loo_effects(
    downloads: np.ndarray, day: np.ndarray, horizon: int, impulse: np.ndarray, kernel: np.ndarray
) -> np.ndarray:
    """Return ``sum_t Y_t (1 - exp(-f_t))`` of each post and of all, shape (draw, post + 1).

    Over the observed days from a post (any post) to the horizon after it.
    """
    n = len(downloads)
    seen = np.nan_to_num(downloads)
    out = np.empty((len(impulse), len(day) + 1))
    inside = np.zeros(n, dtype=bool)
    for first in day:
        inside[first : first + horizon + 1] = True
    for begin in range(0, len(impulse), DRAWS_AT_A_TIME):
        part = slice(begin, begin + DRAWS_AT_A_TIME)
        together = np.zeros((len(impulse[part]), n))
        for j, first in enumerate(day):
            length = min(kernel.shape[2], n - first)
            lift_of_post = impulse[part, j, None] * kernel[part, j, :length]
            together[:, first : first + length] += lift_of_post
            reach = min(horizon + 1, length)
            taken = -np.expm1(-lift_of_post[:, :reach])
            out[part, j] = taken @ seen[first : first + reach]
        out[part, -1] = -np.expm1(-together[:, inside]) @ seen[inside]
    return out


def stored(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return what nutpie said in the committed run."""
    table = pd.read_csv(Path(config["folder"]) / "results" / "agreement.csv")
    mine = table[table["campaign"] == name].set_index("quantity")
    nuts = mine.filter(regex="_nuts$").rename(columns=lambda column: column.removesuffix("_nuts"))
    return {"quantities": nuts.to_dict("index")}


def one_campaign(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return what both say of one campaign."""
    campaign = campaign_of(name, config)
    spec = lift.ModelSpec(horizon_days=config["horizon_days"])
    other = by_nuts(campaign, spec, config) if config["nuts"] == "sample" else stored(name, config)
    return {"exact": by_exact(campaign, spec, config), "nuts": other}


def compared(unit: dict[str, Any]) -> pd.DataFrame:
    """Return both means and sds and how far they lie apart; one row per quantity."""
    a = pd.DataFrame.from_dict(unit["exact"]["quantities"], orient="index")
    b = pd.DataFrame.from_dict(unit["nuts"]["quantities"], orient="index").loc[a.index]
    table = a.add_suffix("_exact").join(b.add_suffix("_nuts"))
    table["z"] = (b["mean"] - a["mean"]) / np.hypot(a["mcse_mean"], b["mcse_mean"])
    table["sd_ratio"] = b["sd"] / a["sd"]
    relative = np.hypot(a["mcse_sd"] / a["sd"], b["mcse_sd"] / b["sd"])
    table["sd_ratio_mcse"] = table["sd_ratio"] * relative
    return table.rename_axis("quantity").reset_index()


def costs(unit: dict[str, Any]) -> dict[str, Any]:
    """Return seconds, worst ESS and what else each engine tells of itself."""
    row: dict[str, Any] = {}
    for engine, found in unit.items():
        sizes = {name: entry["ess_bulk"] for name, entry in found["quantities"].items()}
        worst = min(sizes, key=sizes.__getitem__)
        row |= {f"{engine}_{key}": value for key, value in found.items() if key != "quantities"}
        row |= {f"{engine}_worst": worst, f"{engine}_worst_ess": sizes[worst]}
    return row


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return how many quantities lie apart, and the campaigns' effects of both engines."""
    folder = Path(config["results"])
    names = config["use"]
    units = study.units(names, lambda name: one_campaign(name, config), folder / "units", config)
    tables = {name: compared(unit) for name, unit in zip(names, units, strict=True)}
    whole = pd.concat(tables, names=["campaign"]).reset_index(level=0)
    spent = pd.DataFrame([{"campaign": n, **costs(u)} for n, u in zip(names, units, strict=True)])
    for file, table in (("agreement.csv", whole), ("cost.csv", spent)):
        table.to_csv(folder / file, index=False, float_format="%.6g", lineterminator="\n")
    numbers: dict[str, float] = {}
    for name, table in tables.items():
        z = table["z"]
        numbers[f"{name}_quantities"] = len(table)
        numbers[f"{name}_means_apart"] = int((z.abs() > config["max_z"]).sum())
        off = (table["sd_ratio"] - 1).abs()
        numbers[f"{name}_sds_apart"] = int((off > config["max_sd_difference"]).sum())
        # the z of one campaign's quantities hang together: their mean square is rough
        numbers[f"{name}_rms_z"] = float(math.sqrt((z**2).mean()))
        numbers[f"{name}_rms_z_mcse"] = 0.2
        total = table.set_index("quantity").loc["effect[campaign]"]
        for engine in ("exact", "nuts"):
            numbers[f"{name}_effect_{engine}"] = float(total[f"mean_{engine}"])
            numbers[f"{name}_effect_{engine}_mcse"] = float(total[f"mcse_mean_{engine}"])
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
