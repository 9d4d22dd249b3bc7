"""The cohort table: how many of each day's installs were still active some days later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.data.checks_cohorts import WHERE, check_cohorts
from lift.data.checks_downloads import ALL_MARKETS
from lift.data.digests import table_digest
from lift.data.reading import read_table
from lift.data.tables import counted, from_frame, some
from lift.errors import InputError, LiftError, Problem

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cohorts:
    """One market's installs by day and how many of them were active again, counted in people.

    Attributes
    ----------
    table : DataFrame
        install_date (datetime64, midnight, no zone), installs and one column ``active_dN`` per
        day N after the install (float64), in the order of N; sorted by date, one row per date.
        NaN where the cohort is too young, or the day was not observed.
    notices : tuple of str
        What is allowed but worth saying.
    """

    table: pd.DataFrame
    notices: tuple[str, ...] = ()

    @property
    def days(self) -> tuple[int, ...]:
        """The days after the install on which activity was counted, ascending."""
        return tuple(int(str(name).removeprefix("active_d")) for name in self.table.columns[2:])

    @property
    def digest(self) -> str:
        """The sha256 of the table, equal for equal content."""
        return table_digest(self.table)

    def on(self, dates: pd.DatetimeIndex, day: int) -> tuple[FloatArray, FloatArray]:
        """Return installs and active users of the cohorts of some dates.

        Parameters
        ----------
        dates : DatetimeIndex
        day : int
            One of :attr:`days`.

        Returns
        -------
        installs, active : ndarray, shape (n_dates,), people
            NaN where the table has no row or no value.

        Raises
        ------
        InputError
            If activity was not counted on that day.
        """
        if day not in self.days:
            what = (
                f"column 'active_d{day}' is needed, found {some(map(str, self.table.columns), 8)}; "
                f"add the column, or choose a day of {some(map(str, self.days), 8)}"
            )
            raise InputError([Problem(WHERE, what)])
        own = self.table.set_index("install_date").reindex(dates)
        return (
            own["installs"].to_numpy(dtype=np.float64),
            own[f"active_d{day}"].to_numpy(dtype=np.float64),
        )


def cohorts_of(table: pd.DataFrame, market: str) -> Cohorts:
    """Return the cohorts of one market of a canonical table.

    Parameters
    ----------
    table : DataFrame
        As ``Campaign.cohorts``.
    market : str

    Returns
    -------
    Cohorts
    """
    own = table[table["market"] == market]
    return Cohorts(own.drop(columns="market").reset_index(drop=True))


def read_cohorts(
    source: str | Path | pd.DataFrame,
    dates: pd.DatetimeIndex | None = None,
    market: str = ALL_MARKETS,
) -> Cohorts:
    """Return the checked cohort table of a CSV or Parquet file or a DataFrame.

    For a table that came after the fit; one of the campaign is read with it.

    Parameters
    ----------
    source : str, Path or DataFrame
        Columns install_date, installs and any of active_d1, active_d7, active_d30, ...
        (``active_dN``: installs of that day that were active N days later); counts of people. An
        empty value is a cohort that is too young, or a day not observed; 0 is nobody.
    dates : DatetimeIndex, optional
        The days of the run; rows of other days are left out, and said in the notices.
    market : str
        The market that is wanted, where the table has a column for it.

    Returns
    -------
    Cohorts

    Raises
    ------
    InputError
        With every fault of the table.
    """
    problems: list[Problem] = []
    notices: list[str] = []
    raw = (
        read_table(Path(source), WHERE, problems)
        if isinstance(source, str | Path)
        else from_frame(source, WHERE, problems)
    )
    frame = None if raw is None else check_cohorts(raw, None, problems, notices)
    if frame is not None and raw is not None and "market" in raw.columns:
        known = sorted(set(frame["market"]))
        if market not in known:
            what = f"there must be rows of the market '{market}', found {some(known)}; add them"
            problems.append(Problem(WHERE, what))
        frame = frame[frame["market"] == market]
    if frame is not None and dates is not None:
        inside = frame["install_date"].between(dates[0], dates[-1])
        if not inside.any():
            what = (
                f"install dates must lie within the run's days, {dates[0].date()} to "
                f"{dates[-1].date()}, found none; give cohorts of these days"
            )
            problems.append(Problem(WHERE, what))
        elif left := int((~inside).sum()):
            notices.append(f"{WHERE}: {counted(left, 'row')} outside the days of the run, not used")
        frame = frame[inside]
    if problems or frame is None:
        raise InputError(problems)
    return Cohorts(frame.drop(columns="market").reset_index(drop=True), tuple(notices))


def users_campaign(campaign: Campaign, day: int, horizon_days: int) -> Campaign:
    """Return the campaign whose outcome is the users active on a day after their install.

    The same causal model fitted to it gives incremental users directly, with no assumption about
    how users of posts are retained: the first of the three data situations (a cohort series).

    Parameters
    ----------
    campaign : Campaign
        One market, with cohorts.
    day : int
        One of the days of its cohorts.
    horizon_days : int
        Days after a post that count in its effect.

    Returns
    -------
    Campaign
        Its downloads are users by install date; a date without a value is not observed. Posts of
        whose horizon no cohort was observed are left out. The name says what is counted.

    Raises
    ------
    InputError
        If there are no cohorts, or not of that day, or the series cannot carry the model.
    LiftError
        If the campaign has several markets.
    """
    if len(campaign.markets) > 1:
        raise LiftError(
            f"cohorts are of one market, found {len(campaign.markets)} in the campaign; choose one "
            "with campaign.market(name)"
        )
    if campaign.cohorts is None:
        what = "a series of users needs a cohort table, found none; add it to the campaign"
        raise InputError([Problem(WHERE, what)])
    dates = campaign.dates
    _, active = cohorts_of(campaign.cohorts, campaign.markets[0]).on(dates, day)
    seen = np.isfinite(active)
    end = int(np.flatnonzero(seen)[-1]) + 1
    local = campaign.posts["posted_at"].dt.tz_localize(None).dt.normalize()
    since = dates.to_numpy() - local.to_numpy()[:, None]
    inside = (since >= np.timedelta64(0, "D")) & (since <= np.timedelta64(horizon_days, "D"))
    controls = campaign.controls
    if controls is not None:
        controls = controls[controls["date"] <= dates[end - 1]].drop(columns="market")
    return Campaign(
        downloads=pd.DataFrame({"date": dates[:end], "downloads": active[:end]}),
        posts=campaign.posts[(inside & seen).any(axis=1)].drop(columns="market"),
        controls=controls,
        timezone=campaign.timezone,
        country=campaign.country,
        name=f"{campaign.name}: users active on day {day}",
    )
