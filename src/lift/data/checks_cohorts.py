"""Checks of the cohort table: install dates in order, counts of people that can be."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.cells import days, numbers
from lift.data.checks_controls import check_markets
from lift.data.checks_downloads import Downloads, in_market, market_column
from lift.data.tables import RawTable, counted, nearest, some, with_names
from lift.errors import Problem

WHERE = "cohorts"
"""Name of the table in messages."""

ACTIVE = re.compile(r"active_d([1-9][0-9]{0,3})")
USUAL = ("active_d1", "active_d7", "active_d30")
IMPOSSIBLE_ZERO = 20.0
"""Expected active users from which on a last run of zeros cannot be chance (probability e^-20)."""

FloatArray = NDArray[np.float64]


def check_cohorts(
    raw: RawTable,
    downloads: Downloads | None,
    problems: list[Problem],
    notices: list[str],
) -> pd.DataFrame | None:
    """Return the canonical cohort table, with every fault appended to the problems.

    Parameters
    ----------
    raw : RawTable
        Columns install_date, installs, any of active_dN and perhaps market.
    downloads : Downloads or None
        None if they are not known; days and markets are then not compared with them.
    problems : list of Problem
        Faults are appended to it.
    notices : list of str
        What is allowed but worth saying is appended to it.

    Returns
    -------
    DataFrame or None
        Columns install_date, market, installs and one ``active_dN`` per day, in the order of N;
        sorted by market and date. None if there is a fault.
    """
    n_before = len(problems)
    table, active = _with_days(raw, problems)
    counts = {
        name: _counts(table, name, problems)
        for name in ("installs", *active)
        if name in table.columns
    }
    if "installs" in counts:
        for name in active:
            _check_parts(table, counts["installs"], counts[name], name, problems)
    names = market_column(table, problems)
    if downloads is not None:
        check_markets(table, names, downloads, problems)
    if "install_date" not in table.columns:
        return None
    values, _ = days(table, "install_date", problems)
    if downloads is not None and downloads.daily:
        _check_span(table, values, downloads.first, downloads.last, problems)
    has_markets = "market" in table.columns
    market_of = np.array([name or "" for name in names], dtype=object)
    markets = sorted({name for name in names if name is not None})
    for market in markets:
        positions = np.flatnonzero(~np.isnat(values) & (market_of == market))
        _check_dates(table, values, positions, in_market(market, has_markets), problems, notices)
    if len(problems) > n_before:
        return None
    frame = pd.DataFrame(
        {
            "install_date": values.astype("datetime64[us]"),
            "market": pd.array(names, dtype="str"),
            **counts,
        }
    )
    parts = []
    for market in markets:
        place = in_market(market, has_markets)
        positions = np.flatnonzero(market_of == market)
        part = frame.iloc[positions]
        _check_trailing_zeros(table, part, positions, active, place, problems)
        _notice(part, active, place, notices)
        parts.append(part)
    if len(problems) > n_before:
        return None
    if not has_markets and downloads is not None and len(downloads.markets) > 1:
        problems.append(
            table.problem(
                f"cohorts must say their market where downloads have {len(downloads.markets)}, "
                "found no column 'market'; add it"
            )
        )
        return None
    if not has_markets and downloads is not None:
        parts = [part.assign(market=downloads.markets[0]) for part in parts]
    return pd.concat(parts, ignore_index=True).astype({"market": "str"})


def _with_days(raw: RawTable, problems: list[Problem]) -> tuple[RawTable, list[str]]:
    """Return the table with columns under their names, and the names active_dN in order."""
    numbered = {f"active_d{int(n)}" for name in raw.columns for n in re.findall(r"(\d+)$", name)}
    near = {name for name in numbered if ACTIVE.fullmatch(name)}
    given = {name for name in raw.columns if ACTIVE.fullmatch(name)}
    likely = {nearest(name, near) for name in raw.columns if name not in given} - {None}
    names = sorted({*given, *(str(name) for name in likely)} or USUAL, key=_day_of)
    table = with_names(raw, ["install_date", "installs"], [*names, "market"], problems)
    active = [name for name in names if name in table.columns]
    if not active:
        problems.append(
            table.problem(
                "there must be a column active_dN such as 'active_d7', found none; add the number "
                "of each day's installs that were active N days later"
            )
        )
    return table, active


def _day_of(name: str) -> int:
    return int(name.removeprefix("active_d"))


def _counts(table: RawTable, name: str, problems: list[Problem]) -> FloatArray:
    """Return a column of counts, NaN for empty and faulty cells."""
    values, _ = numbers(table, name, problems)
    finite = np.isfinite(values)
    for mask, must, do in (
        (np.isinf(values), "be finite", "correct the value, or leave it empty"),
        (finite & (values < 0), "not be negative", "correct the value"),
    ):
        if mask.any():
            found = some(f"{table.at(int(i))}: {values[i]:g}" for i in np.flatnonzero(mask))
            what = f"column '{name}' must {must}, found {found}; {do}"
            problems.append(table.problem(what))
    broken = finite & (values >= 0) & (values != np.floor(values))
    if broken.any():
        rates = name != "installs" and bool(np.all(values[finite] <= 1.0))
        found = some(f"{table.at(int(i))}: {values[i]:g}" for i in np.flatnonzero(broken))
        do = "give counts, not rates" if rates else "give whole numbers"
        problems.append(table.problem(f"column '{name}' must count people, found {found}; {do}"))
    values[~finite | (values < 0) | broken] = np.nan
    return values


def _check_parts(
    table: RawTable, installs: FloatArray, active: FloatArray, name: str, problems: list[Problem]
) -> None:
    many = np.flatnonzero(active > installs)
    if len(many):
        found = some(f"{table.at(int(i))}: {active[i]:.0f} of {installs[i]:.0f}" for i in many)
        problems.append(
            table.problem(
                f"column '{name}' must not exceed the installs of its row, found {found}; each row "
                "counts one install day's people, each once"
            )
        )
    alone = np.flatnonzero(np.isfinite(active) & np.isnan(installs))
    if len(alone) and not any(p.what.startswith("column 'installs' must") for p in problems):
        problems.append(
            table.problem(
                f"column 'installs' must be given where '{name}' is, found none at "
                f"{some(table.at(int(i)) for i in alone)}; fill it in"
            )
        )
    if not np.isfinite(active).any():
        problems.append(
            table.problem(
                f"column '{name}' must have a value in some row, found none; remove the column"
            )
        )


def _check_span(
    table: RawTable,
    values: NDArray[np.datetime64],
    first: np.datetime64,
    last: np.datetime64,
    problems: list[Problem],
) -> None:
    outside = np.flatnonzero(~np.isnat(values) & ((values < first) | (values > last)))
    if len(outside):
        found = [f"{values[i]} ({table.at(int(i))})" for i in outside]
        problems.append(
            table.problem(
                f"install dates must lie within the days of downloads, {first} to {last}, found "
                f"{counted(len(found), 'other date')}: {some(found)}; remove the rows, or add the "
                "downloads of these days"
            )
        )


def _check_dates(
    table: RawTable,
    values: NDArray[np.datetime64],
    positions: NDArray[np.intp],
    place: str,
    problems: list[Problem],
    notices: list[str],
) -> None:
    """Check the order and the gaps of one market's install dates."""
    own = values[positions]
    if not len(own):
        return
    backward = np.flatnonzero(np.diff(own) < np.timedelta64(0, "D"))
    if len(backward):
        j = int(backward[0])
        problems.append(
            table.problem(
                f"rows must be in date order{place}, found {own[j + 1]} "
                f"({table.at(int(positions[j + 1]))}) after {own[j]}; sort the rows by date"
            )
        )
    unique, repeats = np.unique(own, return_counts=True)
    if np.any(repeats > 1):
        found = [
            f"{day} ({some([table.at(int(p)) for p in positions[own == day]], 3)})"
            for day in unique[repeats > 1]
        ]
        problems.append(
            table.problem(
                f"each install date must be given once{place}, found "
                f"{counted(len(found), 'duplicate date')}: {some(found)}; keep one row per date"
            )
        )
    gaps = np.diff(unique).astype(np.int64)
    if len(gaps) and np.median(gaps) >= 2:
        problems.append(
            table.problem(
                f"there must be one row per install day{place}, found rows "
                f"{np.median(gaps):g} days apart (from {unique[0]} to {unique[-1]}); give days"
            )
        )
    elif absent := int(gaps.sum() - len(gaps)):
        notices.append(
            f"{WHERE}: {counted(absent, 'install date')} absent{place} between {unique[0]} and "
            f"{unique[-1]}; taken as not observed"
        )


def _check_trailing_zeros(
    table: RawTable,
    frame: pd.DataFrame,
    positions: NDArray[np.intp],
    active: list[str],
    place: str,
    problems: list[Problem],
) -> None:
    """Name zeros that stand for cohorts too young to have been counted."""
    installs = frame["installs"].to_numpy()
    for name in active:
        values = frame[name].to_numpy()
        known = np.flatnonzero(np.isfinite(values))
        positive = known[values[known] > 0]
        if not len(positive):
            continue
        tail = known[known > positive[-1]]
        before = known[known <= positive[-1]]
        rate = values[before].sum() / installs[before].sum()
        if rate * installs[tail].sum() > IMPOSSIBLE_ZERO:
            problems.append(
                table.problem(
                    f"column '{name}' must be empty where a cohort is too young, found 0 in the "
                    f"last {counted(len(tail), 'row')}{place} (from "
                    f"{table.at(int(positions[tail[0]]))}) where about "
                    f"{rate * installs[tail].sum():.0f} users were to be expected; leave the "
                    "values empty"
                )
            )


def _notice(frame: pd.DataFrame, active: list[str], place: str, notices: list[str]) -> None:
    for early, late in pairwise(active):
        more = frame[frame[late] > frame[early]]
        if len(more):
            notices.append(
                f"{WHERE}: more people active on day {_day_of(late)} than on day {_day_of(early)} "
                f"on {counted(len(more), 'install date')}{place} (first "
                f"{more['install_date'].iloc[0]:%Y-%m-%d}); allowed, since people come back"
            )
    for name in active:
        empty = int(frame[name].isna().sum())
        if empty:
            notices.append(
                f"{WHERE}: {name} not observed for {counted(empty, 'install date')}{place}"
            )
