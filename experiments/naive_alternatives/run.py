"""The joint model, one CausalImpact per post and raw uplifts on the same campaigns."""

from __future__ import annotations

import hashlib
import math
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

import lift
from lift import study
from lift.analysis.effects import Effects
from lift.analysis.moments import flat_draws
from lift.errors import EngineError
from lift.model.design import Design
from lift.model.prior import true_effects
from lift.rng import stream

CAMPAIGNS = "coverage_of_estimands"
PROBS = (0.95, 0.5)
SEASONS = {"causal_impact": 1, "causal_impact_week": 7}
METHODS = ("joint", *SEASONS, "day_before", "week_before")


def coverage_study(config: dict[str, Any]) -> types.ModuleType:
    """Return the run.py of the experiment that the campaigns are of."""
    file = Path(config["folder"]).parent / CAMPAIGNS / "run.py"
    module = types.ModuleType(CAMPAIGNS)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(module))
    return module


def from_draws(draws: np.ndarray) -> dict[str, float]:
    """Return mean, Monte Carlo error of the mean and intervals of independent draws."""
    out = {"mean": float(draws.mean()), "mcse": float(draws.std(ddof=1) / math.sqrt(len(draws)))}
    for prob in PROBS:
        ends = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
        out |= {
            f"{end}_{round(100 * prob)}": float(v)
            for end, v in zip(("lower", "upper"), ends, strict=True)
        }
    return out


def normal(mean: float, sd: float) -> dict[str, float]:
    """Return the intervals of a normal error."""
    out = {"mean": mean, "mcse": 0.0}
    for prob in PROBS:
        half = sd * float(ndtri((1 + prob) / 2))
        label = round(100 * prob)
        out |= {f"lower_{label}": mean - half, f"upper_{label}": mean + half}
    return out


def raw_uplifts(
    design: Design, horizon: int, week: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return mean and sd of each post's raw uplifts.

    ``day_before``: downloads of the window less as many times those of the day before the post,
    with the Poisson error of both. ``week_before``: less as many times the mean of the week before,
    with the sd of its days as the error of every day.
    """
    downloads, parts = design.downloads, []
    for day in design.posts.day:
        window = downloads[day : day + horizon + 1]
        m, before = len(window), downloads[day - week : day]
        last, mean, sd = before[-1], before.mean(), before.std(ddof=1)
        poisson = math.sqrt(window.sum() + m**2 * last)
        parts.append(
            (
                window.sum() - m * last,
                poisson,
                window.sum() - m * mean,
                sd * math.sqrt(m + m**2 / week),
            )
        )
    columns = np.array(parts).T
    return {"day_before": (columns[0], columns[1]), "week_before": (columns[2], columns[3])}


def impact_draws(
    name: str, campaign: lift.Campaign, design: Design, seasons: int, config: dict[str, Any]
) -> Iterator[np.ndarray | None]:
    """Yield draws of each post's cumulative effect by a CausalImpact of its own; None if refused.

    All days before the post are its pre-period, the days to the horizon its post-period, and the
    controls are the covariates: every option but the season has its default.
    """
    data = campaign.downloads.set_index("date")[["downloads"]]
    if campaign.controls is not None:
        data = data.join(campaign.controls.drop(columns="market").set_index("date"))
    for post, day in zip(design.posts.ids, design.posts.day.tolist(), strict=True):
        end = min(day + config["horizon_days"], len(data) - 1)
        seed = int(stream(config["seed"], name, post, f"{seasons} seasons").integers(2**31))
        try:
            result = lift.CausalImpact(
                data,
                [data.index[0], data.index[day - 1]],
                [data.index[day], data.index[end]],
                {"niter": config["impact_draws"], "nseasons": seasons},
                seed=seed,
            )
        except lift.LiftError:
            yield None
        else:
            yield result.posterior["cumulative_effect"].to_numpy().ravel()


def one_campaign(name: str, config: dict[str, Any], study_of: types.ModuleType) -> dict[str, Any]:
    """Return truths of a campaign's posts and total beside every method's estimates."""
    own = config["coverage"]
    try:
        campaign, spec, design, drawn = study_of.simulated(name, own)
    except EngineError as error:
        return {"refused": str(error)}
    horizon = own["horizon_days"]
    n_posts = len(design.posts.ids)
    truths = [
        true_effects(design, drawn, design.downloads, np.array([j]), horizon)
        for j in range(n_posts)
    ]
    every = np.arange(n_posts)
    total = true_effects(design, drawn, design.downloads, every, horizon)
    effects = Effects(study_of.fit(name, campaign, spec, own))
    posts: dict[str, list[dict[str, float] | None]] = {
        "joint": [from_draws(draws) for draws in flat_draws(effects.draws("post")).T]
    }
    whole = {"joint": from_draws(flat_draws(effects.draws("campaign"))[:, 0])}
    for method, seasons in SEASONS.items():
        found = list(
            impact_draws(name, campaign, design, seasons, {**config, "horizon_days": horizon})
        )
        posts[method] = [None if draws is None else from_draws(draws) for draws in found]
        # the fits are independent of one another, and so their draws add up
        whole[method] = from_draws(np.sum([draws for draws in found if draws is not None], axis=0))
    for method, (mean, sd) in raw_uplifts(design, horizon, config["week_days"]).items():
        posts[method] = [normal(m, s) for m, s in zip(mean.tolist(), sd.tolist(), strict=True)]
        whole[method] = normal(float(mean.sum()), float(np.sqrt((sd**2).sum())))
    window = effects.units("campaign")[0].window
    return {
        "scale": study_of.baseline_scale(drawn),
        "relative": total / (design.downloads[window].sum() - total),
        "posts_close": study_of.posts_close(design),
        "truths": truths,
        "total": total,
        "posts": posts,
        "whole": whole,
    }


def long_table(names: list[str], units: list[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per truth and method, in days of downloads without posts."""
    rows = []
    for name, unit in zip(names, units, strict=True):
        keys = {key: unit[key] for key in ("relative", "posts_close")} | {"campaign": name}
        for method in METHODS:
            pairs = [
                ("post", t, p) for t, p in zip(unit["truths"], unit["posts"][method], strict=True)
            ]
            pairs.append(("campaign", unit["total"], unit["whole"][method]))
            for unit_kind, truth, found in pairs:
                scaled = {key: value / unit["scale"] for key, value in (found or {}).items()}
                rows.append(
                    {**keys, "unit": unit_kind, "method": method, "truth": truth / unit["scale"]}
                    | scaled
                )
    return pd.DataFrame(rows)


def row_of(table: pd.DataFrame) -> dict[str, float]:
    """Return coverage and error of a method; standard errors are over campaigns."""
    seen = table.dropna(subset=["mean"])
    row: dict[str, float] = {
        "campaigns": seen["campaign"].nunique(),
        "truths": len(seen),
        "refused": len(table) - len(seen),
    }
    for prob in PROBS:
        label = round(100 * prob)
        inside = (seen[f"lower_{label}"] <= seen["truth"]) & (
            seen["truth"] <= seen[f"upper_{label}"]
        )
        by = inside.groupby(seen["campaign"]).agg(["sum", "size"])
        share = float(inside.mean())
        rest = by["sum"] - share * by["size"]
        row[f"coverage_{label}"] = share
        row[f"se_{label}"] = math.sqrt(float((rest**2).sum())) / len(seen)
    error = seen["mean"] - seen["truth"]
    row["rmse_days"] = float(np.sqrt((error**2).mean()))
    row["median_abs_error_days"] = float(error.abs().median())
    row["median_width_95_days"] = float((seen["upper_95"] - seen["lower_95"]).median())
    row["mcse"] = float(np.sqrt(((error * seen["mcse"]) ** 2).sum()))
    row["mcse"] /= max(len(seen) * row["rmse_days"], 1e-300)
    row["mcse_abs"] = float(seen["mcse"].median())
    return row


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return coverage and error of every method, by post and for the campaign."""
    folder, home = Path(config["results"]), Path(config["folder"])
    study_of = coverage_study(config)
    code = (home.parent / CAMPAIGNS / "run.py").read_bytes()
    config = {
        **config,
        "coverage": study.read_config(home.parent / CAMPAIGNS),
        "coverage_code": hashlib.sha256(code).hexdigest(),
    }
    first = config["first_campaign"]
    names = [f"campaign_{i:04d}" for i in range(first, first + config["campaigns"])]
    apart = ("campaigns", "first_campaign", "ordinary_effect")
    own = {key: value for key, value in config.items() if key not in apart}
    units = study.units(
        names, lambda name: one_campaign(name, own, study_of), folder / "units", own
    )
    names, units = study_of.fitted_of(names, units)
    table = long_table(names, units)
    parts = {"all": table.index == table.index}
    parts |= {
        f"overlap {label}": table["posts_close"].between(low, high, inclusive="left")
        for label, (low, high) in config["coverage"]["overlap"].items()
    }
    parts["ordinary"] = table["relative"].abs() <= config["ordinary_effect"]
    numbers: dict[str, float] = {"campaigns": len(units)}
    rows = []
    for part, mask in parts.items():
        for (unit, method), mine in table[mask].groupby(["unit", "method"], sort=False):
            row = row_of(mine)
            rows.append({"part": part, "unit": unit, "method": method, **row})
            if part not in ("all", "ordinary"):
                continue
            label = f"{part}_{unit}_{method}"
            # one interval in fifty may change sides in another run of the samplers
            flips = 0.0 if method.endswith("before") else math.sqrt(0.02 / row["truths"])
            numbers[f"{label}_coverage_95"] = row["coverage_95"]
            numbers[f"{label}_coverage_95_mcse"] = flips
            numbers[f"{label}_coverage_50"] = row["coverage_50"]
            numbers[f"{label}_coverage_50_mcse"] = flips
            numbers[f"{label}_rmse_days"] = row["rmse_days"]
            numbers[f"{label}_rmse_days_mcse"] = row["mcse"]
            numbers[f"{label}_median_abs_error_days"] = row["median_abs_error_days"]
            numbers[f"{label}_median_abs_error_days_mcse"] = row["mcse_abs"]
            numbers[f"{label}_refused"] = row["refused"]
    summary = pd.DataFrame(rows).drop(columns=["mcse", "mcse_abs"])
    summary = summary.assign(seed=config["seed"], **study.versions())
    summary.to_csv(folder / "summary.csv", index=False, lineterminator="\n", float_format="%.5g")
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
