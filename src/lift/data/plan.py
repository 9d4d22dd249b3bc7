"""A campaign whose posts are planned: the downloads so far, and posts that may be still to come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lift.data.calendar import check_country
from lift.data.checks_controls import check_controls
from lift.data.checks_downloads import check_downloads
from lift.data.checks_posts import check_posts
from lift.data.reading import dataset_table, read_table
from lift.data.settings import FILE, DatasetRef, file_in, find_zone, read_settings
from lift.data.tables import RawTable, meant, some
from lift.errors import InputError, LiftError, Problem


@dataclass(frozen=True, eq=False)
class Plan:
    """What is known of a campaign before it is over.

    Attributes
    ----------
    downloads : DataFrame
        As of a campaign: date, market, downloads; up to the last day that is there.
    posts : DataFrame
        As of a campaign, on any day.
    controls : DataFrame or None
        As of a campaign.
    timezone : str
    country : str or None
    name : str
    """

    downloads: pd.DataFrame
    posts: pd.DataFrame
    controls: pd.DataFrame | None
    timezone: str
    country: str | None
    name: str

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets in alphabetical order."""
        return tuple(dict.fromkeys(self.downloads["market"].tolist()))

    def market(self, name: str) -> Plan:
        """Return the plan of one market, with the posts that reach it.

        Raises
        ------
        LiftError
            If there is no such market.
        """
        if name not in self.markets:
            raise LiftError(
                f"the market must be one of {some(self.markets)}, found '{name}'"
                f"{meant(name, self.markets)}"
            )
        reach = self.posts["market"].isna() | (self.posts["market"] == name)
        own = [
            None if table is None else table[table["market"] == name].reset_index(drop=True)
            for table in (self.downloads, self.controls)
        ]
        assert own[0] is not None
        posts = self.posts[reach].reset_index(drop=True)
        return Plan(own[0], posts, own[1], self.timezone, self.country, self.name)


def read_plan(path: str | Path) -> Plan:
    """Return the plan in a campaign folder.

    Parameters
    ----------
    path : str or Path
        The folder, or its campaign.toml. Posts may lie after the last day of the downloads; the
        rest must be as for :func:`lift.data.campaign.read_campaign`.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        With every fault of campaign.toml and of every table.
    """
    given = Path(path)
    file = given / FILE if given.is_dir() else given
    if not file.is_file():
        what = f"must be the folder of a campaign or its {FILE}, found none at '{path}'"
        raise InputError([Problem(FILE, what)])
    problems: list[Problem] = []
    settings = read_settings(file, problems)
    raw: dict[str, RawTable | None] = {}
    for where in ("downloads", "posts", "controls"):
        named = settings.get(where)
        if isinstance(named, DatasetRef):
            raw[where] = dataset_table(named, problems)
        elif named is not None:
            table = file_in(file.parent, named, where, problems)
            raw[where] = None if table is None else read_table(table, where, problems)
    zone_name, country = settings.get("timezone"), settings.get("country")
    zone = None if zone_name is None else find_zone(zone_name, FILE, problems)
    if country is not None:
        check_country(country, FILE, problems)
    counts = posts = controls = None
    downloads = raw.get("downloads")
    if downloads is not None:
        counts = check_downloads(downloads, problems, [])
    if (planned := raw.get("posts")) is not None:
        posts = check_posts(planned, zone, zone_name is not None, None, problems, [])
    if (series := raw.get("controls")) is not None:
        controls = check_controls(series, counts, problems, [])
    if posts is not None and counts is not None:
        unknown = sorted(set(posts["market"].dropna()) - set(counts.markets))
        if unknown:
            what = f"a post's market must be one of the downloads, found {some(unknown)}"
            problems.append(Problem("posts", what))
    if problems or counts is None or posts is None:
        raise InputError(problems)
    return Plan(
        counts.frame,
        posts,
        controls,
        zone_name or "UTC",
        country,
        settings.get("name", "campaign"),
    )
