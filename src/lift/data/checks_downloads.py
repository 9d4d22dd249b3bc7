"""Checks of the downloads: one row per day and market, in order, each a count or empty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.cells import days, numbers, texts
from lift.data.tables import RawTable, counted, some, with_names
from lift.errors import Problem

ALL_MARKETS = "all"
"""Name of the market of a table that has no market column."""

ZERO_RUN_DAYS = 7
"""Consecutive days with a count of zero from which on a notice asks whether they were observed."""

Days = NDArray[np.datetime64]


@dataclass(frozen=True)
class Downloads:
    """The downloads as far as they could be understood.

    Attributes
    ----------
    frame : DataFrame
        Canonical: date, market, downloads; every day of the calendar in every market.
    first, last : datetime64[D]
        The calendar of all markets.
    markets : tuple of str
        In alphabetical order.
    has_markets : bool
        Whether the table has a market column.
    observed : dict of str to ndarray of datetime64[D]
        The observed days of each market.
    daily : bool
        False where the rows are not days, so that days cannot be compared with other tables.
    """

    frame: pd.DataFrame
    first: np.datetime64
    last: np.datetime64
    markets: tuple[str, ...]
    has_markets: bool
    observed: dict[str, Days]
    daily: bool


def in_market(market: str, has_markets: bool) -> str:
    """Return ``" in market 'x'"`` where there are markets to tell apart."""
    return f" in market '{market}'" if has_markets else ""


def market_column(table: RawTable, problems: list[Problem]) -> list[str | None]:
    """Return the market of every row; a table without the column has one market, "all"."""
    if "market" not in table.columns:
        return [ALL_MARKETS] * len(table)
    found = texts(table, "market")
    empty = [table.at(i) for i, name in enumerate(found) if name is None]
    if empty:
        problems.append(
            table.problem(
                f"column 'market' must be given in every row, found none at {some(empty)}; fill it "
                "in, or remove the column if there is one market only"
            )
        )
    return found


EMPTY = "add a row with an empty value for a day that was not observed"
ABSENT = {"controls": "add their rows with values, as a control must have one on every day"}
"""What to do about absent days, by table."""


def check_calendar(
    table: RawTable,
    values: Days,
    positions: NDArray[np.intp],
    first: np.datetime64,
    last: np.datetime64,
    place: str,
    n_unread: int,
    problems: list[Problem],
) -> bool:
    """Name unsorted, duplicate and absent days of one market; return whether its rows are days.

    Parameters
    ----------
    table : RawTable
    values : ndarray of datetime64[D]
        The day of every row of the table.
    positions : ndarray of int
        The rows of the market that have a day.
    first, last : datetime64[D]
        The calendar that must be covered, both included.
    place : str
        Words that name the market, or an empty text.
    n_unread : int
        Rows of the table whose day or market is not known; they may hold as many absent days.
    problems : list of Problem
        Faults are appended to it.

    Returns
    -------
    bool
        False where the rows are weeks or months, so that absent days are not looked for.
    """
    own = values[positions]
    backward = np.flatnonzero(np.diff(own) < np.timedelta64(0, "D"))
    if len(backward):
        j = int(backward[0])
        newest_first = len(backward) == len(own) - 1
        problems.append(
            table.problem(
                f"rows must be in date order{place}, found {own[j + 1]} "
                f"({table.at(int(positions[j + 1]))}) after {own[j]}"
                + (" and all the rest newest first" if newest_first else "")
                + "; sort the rows by date"
            )
        )
    unique, counts = np.unique(own, return_counts=True)
    if np.any(counts > 1):
        found = []
        for day in unique[counts > 1]:
            rows = [table.at(int(p)) for p in positions[own == day]]
            found.append(f"{day} ({some(rows, 3)})")
        problems.append(
            table.problem(
                f"each day must be given once{place}, found "
                f"{counted(len(found), 'duplicate day')}: {some(found)}; keep one row per day"
            )
        )
    gaps = np.diff(unique).astype(np.int64)
    if len(gaps) and np.median(gaps) >= 2:
        problems.append(
            table.problem(
                f"there must be one row per day{place}, found {_frequency(gaps)} "
                f"(from {unique[0]} to {unique[-1]}); give daily values"
            )
        )
        return False
    calendar = np.arange(first, last + np.timedelta64(1, "D"))
    absent = np.setdiff1d(calendar, unique)
    if len(absent) > n_unread:
        coarse = [int(gap) for gap in gaps if gap > 1]
        often = max(set(coarse), key=coarse.count) if coarse else 0
        mixed = ""
        if coarse.count(often) >= 3:
            start = unique[int(np.flatnonzero(gaps == often)[0])]
            mixed = (
                f"; mixed frequency: daily rows and, from {start} on, "
                f"{_frequency(np.array([often]))}"
            )
        problems.append(
            table.problem(
                f"every day must have a row{place}, found {counted(len(absent), 'absent day')}: "
                f"{some(map(str, absent))}{mixed}; {ABSENT.get(table.where, EMPTY)}"
            )
        )
    return True


def _frequency(gaps: NDArray[np.int64]) -> str:
    typical = float(np.median(gaps))
    if typical == 7:
        return "weekly rows"
    if 28 <= typical <= 31:
        return "monthly rows"
    if 89 <= typical <= 93:
        return "quarterly rows"
    if 365 <= typical <= 366:
        return "yearly rows"
    return f"a row every {typical:g} days"


def check_downloads(
    table: RawTable, problems: list[Problem], notices: list[str]
) -> Downloads | None:
    """Return the canonical downloads, with every fault appended to the problems.

    Parameters
    ----------
    table : RawTable
        Columns date, downloads and perhaps market.
    problems : list of Problem
        Faults are appended to it.
    notices : list of str
        What is allowed but worth saying is appended to it.

    Returns
    -------
    Downloads or None
        What could be understood, be there faults or not; None if no row has a day and a count.
    """
    table = with_names(table, ["date", "downloads"], ["market"], problems)
    counts, bad = (
        _counts(table, problems, notices)
        if "downloads" in table.columns
        else (np.full(len(table), np.nan), np.ones(len(table), dtype=bool))
    )
    names = market_column(table, problems)
    if "date" not in table.columns:
        return None
    values, has_times = days(table, "date", problems)
    usable = ~np.isnat(values) & np.array([name is not None for name in names])
    if not usable.any():
        return None
    n_unread = int((~usable).sum())
    first, last = values[usable].min(), values[usable].max()
    has_markets = "market" in table.columns
    markets = tuple(sorted({name for name in names if name is not None}))
    if ALL_MARKETS in markets and len(markets) > 1:
        problems.append(
            table.problem(
                f"'{ALL_MARKETS}' cannot be one market among several, found it beside "
                f"{some(repr(m) for m in markets if m != ALL_MARKETS)}; rename it, or remove a "
                "total over markets"
            )
        )
    market_of = np.array([name or "" for name in names], dtype=object)
    daily = not has_times
    parts = []
    observed: dict[str, Days] = {}
    calendar = np.arange(first, last + np.timedelta64(1, "D"))
    for market in markets:
        positions = np.flatnonzero(usable & (market_of == market))
        place = in_market(market, has_markets)
        if not has_times:
            daily &= check_calendar(
                table, values, positions, first, last, place, n_unread, problems
            )
        column = np.full(len(calendar), np.nan)
        column[(values[positions] - first).astype(np.int64)] = counts[positions]
        seen = ~np.isnan(column)
        observed[market] = calendar[seen]
        if not seen.any() and not bad[positions].any():
            problems.append(
                table.problem(
                    f"at least one day must be observed{place}, found an empty value in every row; "
                    "fill in the counts"
                )
            )
        _notice_days(calendar, column, place, notices)
        parts.append(
            pd.DataFrame(
                {
                    "date": calendar.astype("datetime64[us]"),
                    "market": pd.array([market] * len(calendar), dtype="str"),
                    "downloads": column,
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    return Downloads(frame, first, last, markets, has_markets, observed, daily)


LARGEST_COUNT = 2.0**53
"""Downloads of a day above which not every whole number has its own."""


def _counts(
    table: RawTable, problems: list[Problem], notices: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, bad = numbers(table, "downloads", problems)
    for mask, must, do in (
        (np.isinf(values), "be finite", "correct the value, or leave it empty"),
        (
            np.isfinite(values) & (values < 0),
            "not be negative",
            "leave the value empty where a counter was corrected downwards",
        ),
        (
            np.isfinite(values) & (values > LARGEST_COUNT),
            f"be at most {LARGEST_COUNT:g}",
            "correct the value, or change the unit",
        ),
    ):
        if mask.any():
            found = some(f"{table.at(int(i))}: {values[i]:g}" for i in np.flatnonzero(mask))
            problems.append(
                table.problem(
                    f"counts must {must}, found {counted(int(mask.sum()), 'value')}: {found}; {do}"
                )
            )
            values[mask] = np.nan
            bad |= mask
    broken = np.flatnonzero(np.isfinite(values) & (values != np.floor(values)))
    if len(broken):
        notices.append(
            f"downloads: {counted(len(broken), 'value')} not whole "
            f"({some(f'{table.at(int(i))}: {values[i]:g}' for i in broken[:6])}); "
            "taken as scaled or smoothed counts"
        )
    return values, bad


def _notice_days(
    calendar: Days, column: NDArray[np.float64], place: str, notices: list[str]
) -> None:
    empty = calendar[np.isnan(column)]
    if 0 < len(empty) < len(calendar):
        notices.append(
            f"downloads: {counted(len(empty), 'day')} not observed{place}: {some(map(str, empty))}"
        )
    edges = np.flatnonzero(np.diff(np.concatenate([[False], column == 0, [False]])))
    runs = edges.reshape(-1, 2)
    for start, end in runs[(runs[:, 1] - runs[:, 0]) >= ZERO_RUN_DAYS]:
        notices.append(
            f"downloads: {end - start} days of zero in a row{place} from {calendar[start]}; "
            "leave the values empty if they were not observed"
        )
