"""The same posts by five engines: the bundled campaign, and real posts on Hacker News."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.analysis import verdicts
from lift.compare import compare
from lift.data import example
from lift.rng import stream

Z_SPREAD = 0.5
SLUGS = {
    verdicts.SAME: "same",
    verdicts.OVERLAP: "overlap",
    verdicts.FAULT: "known_fault",
    verdicts.LASTING: "lasting",
    verdicts.UNEXPLAINED: "unexplained",
    verdicts.REFUSED: "refused",
    verdicts.UNBELIEVED: "unbelieved",
}


def hacker_news(config: dict[str, Any]) -> dict[str, lift.Campaign]:
    """Return one campaign of one post for each repository, as experiments/hacker_news_stars."""
    series = lift.datasets.fetch(config["dataset"])
    events = lift.datasets.events()
    events = events[events["kind"] == config["event_kind"]].set_index("series_id")
    out = {}
    for repository in config["repositories"] or sorted(events.index):
        note = str(events.loc[repository, "note"])
        found = re.search(r"posted (\d{4}-\d\d-\d\d \d\d:\d\d)$", note)
        if found is None:
            raise lift.LiftError(f"the note of an event must end in its time, found {note}")
        at = pd.Timestamp(found[1], tz="UTC")
        first = at.tz_localize(None).normalize() - pd.Timedelta(days=config["history_days"])
        own = series[(series["series_id"] == repository) & (series["date"] >= first)]
        name = repository.removeprefix("hnstar:")
        out[name] = lift.Campaign(
            downloads=own[["date", "value"]].rename(columns={"value": "downloads"}),
            posts=pd.DataFrame({"post_id": [name], "posted_at": [at]}),
            timezone="UTC",
            name=name,
        )
    return out


def side_by_side(
    campaign: lift.Campaign,
    spec: lift.ModelSpec,
    config: dict[str, Any],
    name: str,
) -> pd.DataFrame:
    """Return the effects of one campaign by engine; the total only where it is another number."""
    seed = int(stream(config["seed"], name).integers(2**31))
    found = compare(
        campaign,
        spec,
        config["engines"],
        draws=config["draws"],
        chains=config["chains"],
        seed=seed,
        workers=1,
    )
    table = found.table
    if len(campaign.posts) == 1:
        table = table[table["unit"] != verdicts.CAMPAIGN]
    return table.assign(seed=seed)


def numbers_of(table: pd.DataFrame, label: str) -> dict[str, float]:
    """Return how many verdicts of each kind each engine got, and the furthest of the z's."""
    out: dict[str, float] = {}
    for engine, rows in table[table["verdict"] != verdicts.REFERENCE].groupby("engine"):
        for verdict, slug in SLUGS.items():
            out[f"{label}_{engine}_{slug}"] = float((rows["verdict"] == verdict).sum())
    return out


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return counts of verdicts by engine, on both sets of posts."""
    tables = {}
    if config["bundled"]:
        tables["bundled"] = side_by_side(example.load()[0], lift.ModelSpec(), config, "bundled")
    spec = lift.ModelSpec.model_validate(config["model"])
    parts = []
    for name, campaign in hacker_news(config).items():
        try:
            parts.append(side_by_side(campaign, spec, config, name))
        except lift.DiagnosticsError as error:
            # the reference itself must not be believed: there is nothing to compare with
            gone = {"unit": name, "engine": config["engines"][0], "note": str(error)}
            parts.append(pd.DataFrame([{**gone, "verdict": verdicts.UNBELIEVED}]))
    tables["hacker_news"] = pd.concat(parts, ignore_index=True)
    numbers: dict[str, float] = {}
    for label, table in tables.items():
        numbers |= numbers_of(table, label)
        same = table[table["engine"].isin(config["same_posterior"])]
        z = same[["z_mean", "z_lower", "z_upper"]].to_numpy(dtype=np.float64)
        if np.isfinite(z).any():
            numbers[f"{label}_largest_z"] = float(np.nanmax(z))
            # the largest of some sixty z has about this spread
            numbers[f"{label}_largest_z_mcse"] = Z_SPREAD
        table.to_csv(
            Path(config["results"]) / f"{label}.csv",
            index=False,
            lineterminator="\n",
            float_format="%.6g",
        )
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
