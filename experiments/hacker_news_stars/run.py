"""Stars that posts on Hacker News brought to ten repositories, and their mean."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.analysis.diagnostics import mcse_mean
from lift.rng import stream

ENDS = {"lower": 0.025, "upper": 0.975}


def posted_at(note: str) -> pd.Timestamp:
    """Return the time of a post from the note of its event, which is in UTC."""
    found = re.search(r"posted (\d{4}-\d\d-\d\d \d\d:\d\d)$", note)
    if found is None:
        raise lift.LiftError(f"the note of an event must end in the time of the post, found {note}")
    return pd.Timestamp(found[1], tz="UTC")


def campaigns(config: dict[str, Any]) -> dict[str, lift.Campaign]:
    """Return one campaign for each repository."""
    series = lift.datasets.fetch(config["dataset"])
    events = lift.datasets.events()
    events = events[events["kind"] == config["event_kind"]].set_index("series_id")
    out = {}
    for repository in config["repositories"] or sorted(events.index):
        at = posted_at(str(events.loc[repository, "note"]))
        first = at.tz_localize(None).normalize() - pd.Timedelta(days=config["history_days"])
        own = series[(series["series_id"] == repository) & (series["date"] >= first)]
        out[repository] = lift.Campaign(
            downloads=own[["date", "value"]].rename(columns={"value": "downloads"}),
            posts=pd.DataFrame(
                {"post_id": ["hacker_news"], "posted_at": [at], "platform": ["hacker_news"]}
            ),
            timezone="UTC",
            name=repository.removeprefix("hnstar:"),
        )
    return out


def gained(analysis: lift.Analysis, horizon: int) -> np.ndarray:
    """Return draws (chain, draw) of the stars gained from the day of the post to a horizon."""
    unit = analysis.effects.units("post")[0]
    days, daily = analysis.effects.daily_draws(unit)
    inside = days - days[0] <= horizon
    sizes = analysis.posterior.draws.sizes
    return daily[:, inside].sum(axis=1).reshape(sizes["chain"], sizes["draw"])


def quantile(draws: np.ndarray, prob: float) -> tuple[float, float]:
    """Return a quantile of draws and its Monte Carlo error."""
    half = math.sqrt(prob * (1 - prob) / draws.size)
    low, mid, high = np.quantile(draws, [max(prob - half, 0.0), prob, min(prob + half, 1.0)])
    return float(mid), float(high - low) / 2


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return stars gained by repository and their mean, beside the raw sums."""
    spec = lift.ModelSpec.model_validate(config["model"])
    labels = {1: "two_days", 7: "week"}
    rows: list[dict[str, Any]] = []
    numbers: dict[str, float] = {"refused": 0.0}
    pooled: dict[int, list[np.ndarray]] = {horizon: [] for horizon in config["horizons"]}
    for repository, campaign in campaigns(config).items():
        seed = int(stream(config["seed"], repository).integers(2**31))
        at = campaign.posts["posted_at"].iloc[0]
        day = at.tz_localize(None).normalize()
        row: dict[str, Any] = {
            "repository": campaign.name,
            "posted_at": at.isoformat(),
            "days_before": int((campaign.dates < day).sum()),
        }
        stars = campaign.downloads.set_index("date")["downloads"]
        for horizon in config["horizons"]:
            seen = stars[day : day + pd.Timedelta(days=horizon)].dropna()
            row[f"{labels[horizon]}_days"] = len(seen)
            row[f"{labels[horizon]}_raw"] = float(seen.sum())
        try:
            analysis = lift.analyse(
                campaign, spec, draws=config["draws"], chains=config["chains"], seed=seed
            )
        except lift.DiagnosticsError as error:
            numbers["refused"] += 1
            rows.append({**row, "note": f"refused: {error}"})
            continue
        row["pareto_k"] = float(analysis.posterior.sample_stats["pareto_k"])
        slug = re.sub(r"[^a-z0-9]+", "_", campaign.name)
        for horizon in config["horizons"]:
            label = labels[horizon]
            draws = gained(analysis, horizon)
            pooled[horizon].append(draws)
            name = f"{label}_{slug}"
            numbers[name], numbers[f"{name}_mcse"] = float(draws.mean()), mcse_mean(draws)
            row |= {
                f"{label}_mean": float(draws.mean()),
                f"{label}_sd": float(draws.std(ddof=1)),
            }
            row |= {f"{label}_{end}": quantile(draws, prob)[0] for end, prob in ENDS.items()}
        row["note"] = "; ".join(n for n in analysis.effects.table("post")["note"] if n)
        rows.append(row)
    numbers["posts"] = float(len(rows))
    table = pd.DataFrame(rows)
    for horizon, parts in pooled.items():
        label = labels[horizon]
        # The posteriors are independent: draw i of one goes with draw i of the others.
        mean = np.mean(parts, axis=0)
        name = f"{label}_mean"
        numbers[name], numbers[f"{name}_mcse"] = float(mean.mean()), mcse_mean(mean)
        for end, prob in ENDS.items():
            name = f"{label}_{end}"
            numbers[name], numbers[f"{name}_mcse"] = quantile(mean, prob)
        fitted = table["pareto_k"].notna()
        numbers[f"{label}_raw"] = float(table.loc[fitted, f"{label}_raw"].mean())
        numbers[f"{label}_raw_all"] = float(table[f"{label}_raw"].mean())
        numbers[f"{label}_published"] = config["published"][label]
    numbers["day_published"] = config["published"]["day"]
    numbers["full_weeks"] = float((table["week_days"] == max(config["horizons"]) + 1).sum())
    table["seed"] = config["seed"]
    table["lift"] = study.versions()["lift"]
    table.to_csv(
        Path(config["results"]) / "repositories.csv",
        index=False,
        lineterminator="\n",
        float_format="%.6g",
    )
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
