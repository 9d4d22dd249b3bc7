"""What was done otherwise than frozen, each departure told by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lift import __version__, provenance
from lift.data.digests import table_digest
from lift.errors import RunError
from lift.pipeline import Analysis
from lift.replication.changes import prior_changes
from lift.replication.preregistration import (
    ATTRIBUTES,
    SEAL,
    attributes_of,
    committed,
    read_frozen,
    thresholds,
)


@dataclass(frozen=True)
class Departure:
    """One thing that was done otherwise than frozen.

    Attributes
    ----------
    what, frozen, done : str
    """

    what: str
    frozen: str
    done: str


def registered(analysis: Analysis, file: str | Path) -> Analysis:
    """Return an analysis whose manifest and report tell every departure from what was frozen.

    Parameters
    ----------
    analysis : Analysis
        With its campaign.
    file : str or Path
        Made by :func:`freeze`.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        As :func:`read_frozen`.
    """
    frozen = read_frozen(file)
    posts = frozen.get("posts", [])
    record = {
        "file": Path(file).name,
        SEAL: frozen[SEAL],
        "created": frozen["created"],
        "committed": committed(Path(file)),
        "n_posts": len(posts),
        "n_posts_seen": sum(bool(post["seen"]) for post in posts),
        "n_posts_past": sum(
            pd.Timestamp(post["posted_at"]) < pd.Timestamp(frozen["created"]) for post in posts
        ),
        "primary": frozen["estimands"]["primary"],
        "decision": _outcome(frozen["decision"], analysis),
        "departures": [asdict(one) for one in departures(frozen, analysis)],
    }
    return replace(analysis, manifest={**analysis.manifest, "preregistration": record})


def departures(frozen: Mapping[str, Any], analysis: Analysis) -> list[Departure]:
    """Return everything that was done otherwise than frozen.

    Parameters
    ----------
    frozen : mapping
        As :func:`read_frozen` returns it.
    analysis : Analysis
        With its campaign.

    Returns
    -------
    list of Departure
        Campaign, downloads so far, controls, posts, prior, computation, checks and software, in
        that order.

    Raises
    ------
    RunError
        If the analysis was loaded from a run, which does not hold the campaign.
    """
    campaign, manifest = analysis.campaign, analysis.manifest
    if campaign is None:
        raise RunError("departures need the campaign, and a stored run does not hold it")
    told = frozen["campaign"]
    now = {
        "name": campaign.name,
        "market": campaign.markets[0],
        "timezone": str(campaign.timezone),
        "country": campaign.country or "",
        "controls": list(campaign.control_names),
    }
    out = [
        Departure(key, _words(told[key]), _words(value))
        for key, value in now.items()
        if told[key] != value
    ]
    last = pd.Timestamp(told["last_day"])
    before = campaign.downloads[campaign.downloads["date"] <= last].reset_index(drop=True)
    if table_digest(before) != told["downloads_sha256"]:
        found = f"sha256 {table_digest(before)[:12]}"
        out.append(
            Departure(
                f"downloads up to {last.date()}", f"sha256 {told['downloads_sha256'][:12]}", found
            )
        )
    out += _post_departures(frozen.get("posts", []), campaign.posts)
    out += _unfinished(analysis)
    out += [
        Departure(f"specification: {change.name}", change.recorded, change.found)
        for change in prior_changes(frozen["spec"]["toml"], analysis.spec)
    ]
    done = {
        "engine": manifest["engine"]["name"],
        **{key: manifest[key] for key in ("draws", "chains", "seed")},
    }
    out += [
        Departure(key, str(frozen["computation"][key]), str(value))
        for key, value in done.items()
        if frozen["computation"][key] not in (value, "auto")
    ]
    out += [
        Departure(f"threshold of the check {name}", str(was), str(thresholds().get(name)))
        for name, was in frozen["checks"].items()
        if thresholds().get(name) != was
    ]
    if frozen["lift"] != __version__:
        out.append(Departure("version of lift", frozen["lift"], __version__))
    elif frozen["code_sha256"] != provenance.code_digest():
        was, found = (
            f"sha256 {one[:12]}" for one in (frozen["code_sha256"], provenance.code_digest())
        )
        out.append(Departure("sources of lift", was, found))
    return out


def _post_departures(frozen: Sequence[Mapping[str, Any]], posts: pd.DataFrame) -> list[Departure]:
    was = {post["post_id"]: post for post in frozen}
    now = {str(row["post_id"]): row for _, row in posts.iterrows()}
    out = [
        Departure(f"post {name}", "planned", "not in the campaign")
        for name in was
        if name not in now
    ]
    out += [
        Departure(f"post {name}", "not planned", "in the campaign")
        for name in now
        if name not in was
    ]
    for name, row in now.items():
        if name not in was:
            continue
        planned = pd.Timestamp(was[name]["posted_at"])
        if planned != row["posted_at"]:
            out.append(
                Departure(f"post {name}: time", planned.isoformat(), row["posted_at"].isoformat())
            )
        found = attributes_of(row)
        out += [
            Departure(
                f"post {name}: {key}",
                _words(was[name].get(key, "not given")),
                _words(found.get(key, "not given")),
            )
            for key in ATTRIBUTES
            if was[name].get(key) != found.get(key)
        ]
    return out


def _unfinished(analysis: Analysis) -> list[Departure]:
    """Return a departure where the data end before the horizon of a post."""
    table = analysis.effects.table("post")
    short = [str(row["unit"]) for _, row in table.iterrows() if "before the horizon" in row["note"]]
    if not short:
        return []
    return [
        Departure(
            "days of the outcome",
            f"{analysis.spec.horizon_days} days after each post",
            f"the data end before, for {', '.join(short)}",
        )
    ]


def _outcome(frozen: Mapping[str, Any], analysis: Analysis) -> dict[str, Any]:
    """Return the decision rule and what came of it."""
    known = analysis.effects.available()
    units = (
        [unit.name for unit in analysis.effects.units(frozen["by"])]
        if frozen["by"] in known
        else []
    )
    if frozen["unit"] not in units:
        return {**frozen, "found": None, "met": None}
    draws = analysis.effects.draws(frozen["by"]).sel({frozen["by"]: frozen["unit"]})
    found = float((draws > frozen["above"]).mean())
    return {**frozen, "found": found, "met": found >= frozen["prob"]}


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"
