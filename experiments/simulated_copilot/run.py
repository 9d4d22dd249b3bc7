"""The bundled Copilot-like campaign: effects beside the truth, and one post at a time."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.data import example

KINDS = ("post", "influencer", "platform", "content", "creator_type", "campaign")
ENDS = {"lower": 0.025, "upper": 0.975}


def end_error(draws: np.ndarray, prob: float) -> float:
    """Return the Monte Carlo error of a quantile of draws."""
    half = math.sqrt(prob * (1 - prob) / draws.size)
    low, high = np.quantile(draws, [max(prob - half, 0.0), min(prob + half, 1.0)])
    return float(high - low) / 2


def one_post(
    campaign: lift.Campaign, day: pd.Timestamp, horizon: int, config: dict[str, Any], seed: int
) -> dict[str, float]:
    """Return the effect of what happened on a day, as R's single-intervention model sees it."""
    settings = config["one_at_a_time"]
    columns = campaign.downloads.set_index("date")[["downloads"]]
    rows = columns.join(campaign.controls.drop(columns="market").set_index("date"))
    first = day - pd.Timedelta(days=settings["days_before"])
    last = min(day + pd.Timedelta(days=horizon), rows.index[-1])
    before = day - pd.Timedelta(days=1)
    result = lift.CausalImpact(
        rows.loc[first:last],
        (str(first.date()), str(before.date())),
        (str(day.date()), str(last.date())),
        {"niter": settings["draws"], "nseasons": settings["nseasons"]},
        alpha=1 - config["prob"],
        seed=seed,
    )
    row = result.summary_data.loc["Cumulative"]
    days = (last - day).days + 1
    raw = rows["downloads"].loc[day:last].sum()
    earlier = rows["downloads"].loc[day - pd.Timedelta(days=days) : before].sum()
    return {
        "mean": float(row["AbsEffect"]),
        "lower": float(row["AbsEffect.lower"]),
        "upper": float(row["AbsEffect.upper"]),
        "before_after": float(raw - earlier),
    }


def running_total(analysis: lift.Analysis, prob: float) -> pd.DataFrame:
    """Return downloads with and without the campaign day by day, and their difference so far."""
    curve = analysis.counterfactual(prob=prob)
    first = curve["date"].searchsorted(curve.loc[curve["mean"] != curve["observed"], "date"].min())
    (unit,) = analysis.effects.units("campaign")
    days, draws = analysis.effects.daily_draws(unit)
    so_far = np.cumsum(draws, axis=1)
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    total = pd.DataFrame(
        {
            "date": analysis.posterior.dates[days],
            "so_far": so_far.mean(axis=0),
            **dict(
                zip(("so_far_lower", "so_far_upper"), np.quantile(so_far, tails, 0), strict=True)
            ),
        }
    )
    return curve.iloc[max(first - 30, 0) :].merge(total, on="date", how="left")


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return effects with their intervals, coverage of the truth, and the peers' sums."""
    campaign, truth = example.load()
    spec = lift.ModelSpec()
    analysis = lift.analyse(
        campaign, spec, draws=config["draws"], chains=config["chains"], seed=config["seed"]
    )
    folder = Path(config["results"])
    style: dict[str, Any] = {"index": False, "lineterminator": "\n", "float_format": "%.6g"}
    prob = config["prob"]
    tables, numbers = [], {}
    for by in KINDS:
        table = analysis.effects.table(by, prob).merge(truth, on=["by", "unit"])
        table["inside"] = table["truth"].between(table["lower"], table["upper"])
        tables.append(table)
        draws = analysis.effects.draws(by).to_numpy()
        for i, row in enumerate(table.to_dict(orient="records")):
            name = f"{by}_{row['unit']}"
            numbers[f"{name}_mean"] = row["mean"]
            numbers[f"{name}_mean_mcse"] = row["mcse_mean"]
            for end, tail in ENDS.items():
                numbers[f"{name}_{end}"] = row[end]
                numbers[f"{name}_{end}_mcse"] = end_error(draws[..., i], tail)
        numbers[f"{by}_inside"] = float(table["inside"].sum())
        numbers[f"{by}_n"] = len(table)
    effects = pd.concat(tables, ignore_index=True)
    effects.to_csv(folder / "effects.csv", **style)
    shares = analysis.attribution("post", prob)
    shares.to_csv(folder / "attribution.csv", **style)
    numbers["interaction_index"] = float(shares["interaction_index"].iloc[0])
    numbers["interaction_index_mcse"] = 0.02
    found = analysis.identifiability
    numbers["resolvable_posts"], numbers["resolvable_posts_mcse"] = found.n_resolvable, 0.05
    numbers["collision_groups"] = len(found.groups)
    found.posts.to_csv(folder / "identifiability.csv", **style)
    running_total(analysis, prob).to_csv(folder / "curve.csv", **style)
    stats = analysis.posterior.sample_stats
    numbers["pareto_k"], numbers["pareto_k_mcse"] = float(stats["pareto_k"]), 0.1
    numbers["ess"], numbers["ess_mcse"] = float(stats["ess"]), 500.0
    numbers |= alone(campaign, truth, spec, config, folder / "one_at_a_time.csv", style)
    (folder / "model.toml").write_text(spec.to_toml(), encoding="utf-8", newline="\n")
    return numbers


def alone(
    campaign: lift.Campaign,
    truth: pd.DataFrame,
    spec: lift.ModelSpec,
    config: dict[str, Any],
    file: Path,
    style: dict[str, Any],
) -> dict[str, float]:
    """Return how one post at a time fares, and write its table."""
    true = truth[truth["by"] == "post"].set_index("unit")["truth"]
    rows = []
    for i, post in enumerate(campaign.posts.itertuples()):
        local = pd.Timestamp(post.posted_at).tz_convert(campaign.timezone)
        day = local.tz_localize(None).normalize()
        found = one_post(campaign, day, spec.horizon_days, config, config["seed"] + i)
        rows.append({"unit": post.post_id, "truth": float(true[post.post_id]), **found})
    table = pd.DataFrame(rows)
    table["inside"] = table["truth"].between(table["lower"], table["upper"])
    table.to_csv(file, **style)
    error = ((table["upper"] - table["lower"]) / math.sqrt(config["one_at_a_time"]["draws"])).sum()
    return {
        "alone_inside": float(table["inside"].sum()),
        "alone_inside_mcse": 0.2,
        "alone_sum": float(table["mean"].sum()),
        "alone_sum_mcse": float(error),
        "alone_overstates": float(table["mean"].sum() / true.sum()),
        "alone_overstates_mcse": float(error / true.sum()),
        "before_after_sum": float(table["before_after"].sum()),
        "true_sum": float(true.sum()),
    }


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
