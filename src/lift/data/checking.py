"""The check of a whole campaign: its settings, each table, and the tables against each other."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lift.data.calendar import check_country
from lift.data.checks_cohorts import check_cohorts
from lift.data.checks_controls import check_controls
from lift.data.checks_downloads import check_downloads
from lift.data.checks_posts import check_posts
from lift.data.settings import FILE, TABLES, find_zone
from lift.data.tables import RawTable
from lift.errors import InputError, Problem

ARGUMENTS = "campaign"
"""Place of the settings in messages where they are arguments and not in a file."""


@dataclass(frozen=True)
class CheckedTables:
    """A campaign without a fault.

    Attributes
    ----------
    downloads, posts : DataFrame
        Canonical, as described at :class:`lift.data.campaign.Campaign`.
    controls, cohorts : DataFrame or None
    timezone, country : str or None
    name : str
    notices : tuple of str
        What is allowed but worth saying.
    """

    downloads: pd.DataFrame
    posts: pd.DataFrame
    controls: pd.DataFrame | None
    cohorts: pd.DataFrame | None
    timezone: str | None
    country: str | None
    name: str
    notices: tuple[str, ...]


def check_tables(
    downloads: RawTable | None,
    posts: RawTable | None,
    controls: RawTable | None,
    cohorts: RawTable | None,
    timezone: str | None,
    country: str | None,
    name: str,
    where: str,
    problems: list[Problem],
) -> CheckedTables:
    """Return the canonical tables of a campaign.

    Parameters
    ----------
    downloads, posts, controls, cohorts : RawTable or None
        None for a table that was not given or cannot be read.
    timezone, country : str or None
    name : str
    where : str
        Place of the settings in messages.
    problems : list of Problem
        The faults found so far, among them those of the tables that are None.

    Returns
    -------
    CheckedTables

    Raises
    ------
    InputError
        With the faults found so far and all of those found here.
    """
    found = list(problems)
    notices: list[str] = []
    zone = find_zone(timezone, where, found) if timezone is not None else None
    if country is not None:
        check_country(country, where, found)
    counts = None if downloads is None else check_downloads(downloads, found, notices)
    post_frame = None
    if posts is not None:
        # A fault in the settings may be the reason why no zone was understood.
        zone_given = timezone is not None or any(p.where == FILE for p in problems)
        post_frame = check_posts(posts, zone, zone_given, counts, found, notices)
    control_frame = None
    if controls is not None:
        control_frame = check_controls(controls, counts, found, notices)
    cohort_frame = None
    if cohorts is not None:
        cohort_frame = check_cohorts(cohorts, counts, found, notices)
    if found or counts is None or post_frame is None:
        order = {FILE: 0, ARGUMENTS: 0, **{name: k for k, name in enumerate(TABLES, start=1)}}
        raise InputError(sorted(found, key=lambda problem: order.get(problem.where, len(order))))
    if timezone is None:
        notices.insert(0, "campaign: no timezone given; a day of downloads is taken as a UTC day")
    return CheckedTables(
        downloads=counts.frame,
        posts=post_frame,
        controls=control_frame,
        cohorts=cohort_frame,
        timezone=timezone or "UTC",
        country=country,
        name=name,
        notices=tuple(notices),
    )
