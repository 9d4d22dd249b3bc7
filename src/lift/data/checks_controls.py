"""Checks of the controls: complete series that move, each of its own, on the downloads' days."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.cells import LARGEST, days, numbers
from lift.data.checks_downloads import (
    ALL_MARKETS,
    Downloads,
    check_calendar,
    in_market,
    market_column,
)
from lift.data.copies import copies, disguise, followers, suspects
from lift.data.tables import RawTable, absent, counted, meant, nearest, some
from lift.errors import Problem

RESERVED = ("downloads", "value", "post", "post_id", "posted_at", "chain", "draw", "control")
"""Names that mean something else in lift's tables and results."""


def check_controls(
    table: RawTable,
    downloads: Downloads | None,
    problems: list[Problem],
    notices: list[str],
) -> pd.DataFrame | None:
    """Return the canonical controls, with every fault appended to the problems.

    Parameters
    ----------
    table : RawTable
        Columns date, perhaps market, and one per series.
    downloads : Downloads or None
        None if they could not be understood; controls are then not compared with them.
    problems : list of Problem
        Faults are appended to it.
    notices : list of str
        What is allowed but worth saying is appended to it.

    Returns
    -------
    DataFrame or None
        Columns date, market and one per series; of use only if there was no fault.
    """
    table = _with_calendar_names(table, problems)
    series = [name for name in table.columns if name not in {"date", "market"}]
    _check_series_names(table, series, problems)
    values = {}
    for name in series:
        values[name] = _series(table, name, problems)
    names = market_column(table, problems)
    if "date" not in table.columns:
        return None
    dates, has_times = days(table, "date", problems)
    has_markets = "market" in table.columns
    if downloads is not None:
        check_markets(table, names, downloads, problems)
    if has_times or not series:
        return None
    usable = ~np.isnat(dates) & np.array([name is not None for name in names])
    if not usable.any():
        return None
    n_unread = int((~usable).sum())
    market_of = np.array([name or "" for name in names], dtype=object)
    known = downloads is not None and downloads.daily
    first = downloads.first if known and downloads else dates[usable].min()
    last = downloads.last if known and downloads else dates[usable].max()
    calendar = np.arange(first, last + np.timedelta64(1, "D"))
    blocks: dict[str, NDArray[np.float64]] = {}
    for market in sorted({name for name in names if name is not None}):
        positions = np.flatnonzero(usable & (market_of == market))
        place = in_market(market, has_markets)
        inside = (dates[positions] >= first) & (dates[positions] <= last)
        if not check_calendar(table, dates, positions, first, last, place, n_unread, problems):
            continue
        if not inside.all():
            notices.append(
                f"controls: {counted(int((~inside).sum()), 'row')} outside the days of downloads"
                f"{place}, not used"
            )
        rows = positions[inside]
        block = np.full((len(calendar), len(series)), np.nan)
        at = (dates[rows] - first).astype(np.int64)
        for j, name in enumerate(series):
            block[at, j] = values[name][rows]
        blocks[market] = block
        outcome = _outcome(downloads, market, calendar) if known else None
        _check_movement(table, series, block, outcome, place, problems, notices)
    if not blocks:
        return None
    return _canonical(calendar, series, blocks, has_markets, downloads, notices)


def _with_calendar_names(table: RawTable, problems: list[Problem]) -> RawTable:
    """Return the table with the columns date and market under their names; name misspelt ones."""
    columns: dict[str, pd.Series] = {}
    option = None if "date" in table.columns else nearest("date", table.columns)
    for name, cells in table.columns.items():
        meant_market = (
            "market" not in table.columns
            and nearest(name, ["market"]) == "market"
            and all(isinstance(c, str) and not c.strip()[:1].isdigit() for c in cells)
        )
        if name == option:
            problems.append(
                table.problem(f"column '{name}' is unknown; did you mean 'date'? rename it")
            )
            columns["date"] = cells
        elif meant_market:
            problems.append(
                table.problem(f"column '{name}' holds text; did you mean 'market'? rename it")
            )
            columns["market"] = cells
        else:
            columns[name] = cells
    absent(table, [] if "date" in columns else ["date"], problems)
    return RawTable(table.where, columns, table.row_word, table.rows)


def _check_series_names(table: RawTable, series: list[str], problems: list[Problem]) -> None:
    for name in series:
        if name.casefold() in RESERVED:
            problems.append(
                table.problem(
                    f"'{name}' cannot name a control, as it means something else in lift "
                    f"(reserved: {', '.join(RESERVED)}); rename the column"
                )
            )
    if not series:
        problems.append(
            table.problem(
                "must have one column per control series, found none; add a series, or remove "
                "the controls"
            )
        )


def _series(table: RawTable, name: str, problems: list[Problem]) -> NDArray[np.float64]:
    """Return a series; name its infinite and its empty cells."""
    values, bad = numbers(table, name, problems)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        found = some(f"{table.at(int(i))}: {values[i]:g}" for i in infinite)
        problems.append(
            table.problem(f"control '{name}' must be finite, found {found}; correct the value")
        )
    huge = np.flatnonzero(np.isfinite(values) & (np.abs(values) > LARGEST))
    if len(huge):
        found = some(f"{table.at(int(i))}: {values[i]:g}" for i in huge)
        problems.append(
            table.problem(
                f"control '{name}' must have values between {-LARGEST:g} and {LARGEST:g}, found "
                f"{found}; correct the value, or change the unit of the series"
            )
        )
        values = np.where(np.abs(values) > LARGEST, np.inf, values)
    empty = np.flatnonzero(np.isnan(values) & ~bad)
    if len(empty) == len(values):
        problems.append(
            table.problem(f"control '{name}' must have values, found none; remove the column")
        )
    elif len(empty):
        found = some(table.at(int(i)) for i in empty)
        problems.append(
            table.problem(
                f"control '{name}' must have a value on every day, found "
                f"{counted(len(empty), 'gap')} ({found}); fill the gaps or remove the series"
            )
        )
    return values


def check_markets(
    table: RawTable, names: list[str | None], downloads: Downloads, problems: list[Problem]
) -> None:
    """Name markets of a table that downloads do not have, and the other way round.

    Parameters
    ----------
    table : RawTable
    names : list of str or None
        The market of every row.
    downloads : Downloads
    problems : list of Problem
        Faults are appended to it.
    """
    if "market" not in table.columns:
        return
    if not downloads.has_markets:
        problems.append(
            table.problem(
                "markets must match those of downloads, found a market column here and none "
                "there; add it to downloads, or remove it here"
            )
        )
        return
    own = {name for name in names if name is not None}
    extra = sorted(own - set(downloads.markets))
    without = sorted(set(downloads.markets) - own)
    if extra:
        found = some(f"'{name}'{meant(name, downloads.markets)}" for name in extra)
        problems.append(
            table.problem(
                f"markets must match those of downloads, found {found} which "
                f"{'is' if len(extra) == 1 else 'are'} not there; correct or remove the rows"
            )
        )
    if without:
        problems.append(
            table.problem(
                f"every market of downloads must have {table.where}, found none for "
                f"{some(map(repr, without))}; add the rows"
            )
        )


def _outcome(
    downloads: Downloads | None, market: str, calendar: NDArray[np.datetime64]
) -> NDArray[np.float64] | None:
    """Return the downloads of a market on the calendar, None if it has none of that name."""
    if downloads is None:
        return None
    if not downloads.has_markets or (market == ALL_MARKETS and len(downloads.markets) == 1):
        market = downloads.markets[0]
    if market not in downloads.markets:
        return None
    own = downloads.frame.loc[downloads.frame["market"] == market, "downloads"].to_numpy()
    return own if len(own) == len(calendar) else None


def _check_movement(
    table: RawTable,
    series: list[str],
    block: NDArray[np.float64],
    outcome: NDArray[np.float64] | None,
    place: str,
    problems: list[Problem],
    notices: list[str],
) -> None:
    """Name series that are constant, or copies of the outcome or of each other, or nearly so."""
    finite = np.isfinite(block)
    moving = []
    for j, name in enumerate(series):
        own = block[finite[:, j], j]
        if len(own) and own.max() - own.min() < 1.0 / LARGEST:
            problems.append(
                table.problem(
                    f"control '{name}' must vary, found the constant {own[0]:g}{place}; "
                    "remove the series"
                )
            )
        elif len(own):
            moving.append(j)
    if outcome is not None:
        likely, near = suspects(block, outcome), followers(block, outcome)
        for j in [j for j in moving if likely[j] or near[j]]:
            how = disguise(block[:, j], outcome)
            if how is not None:
                problems.append(
                    table.problem(
                        f"control '{series[j]}' must not be the outcome, found the downloads "
                        f"themselves{place} ({how}); remove the series"
                    )
                )
            elif near[j]:
                notices.append(
                    f"controls: '{series[j]}' moves with the downloads day by day{place}, almost "
                    "exactly: if posts can move it, it hides what they bring; leave it out unless "
                    "it is counted apart from the downloads"
                )
    for j, same in zip(moving, copies(block[:, moving]), strict=True):
        if same.any():
            others = [series[moving[k]] for k in np.flatnonzero(same)]
            problems.append(
                table.problem(
                    f"controls must differ from each other, found '{series[j]}' and "
                    f"{some(map(repr, others))} equal up to scale and shift{place}; keep one"
                )
            )


def _canonical(
    calendar: NDArray[np.datetime64],
    series: list[str],
    blocks: dict[str, NDArray[np.float64]],
    has_markets: bool,
    downloads: Downloads | None,
    notices: list[str],
) -> pd.DataFrame:
    if not has_markets and downloads is not None:
        shared = blocks[ALL_MARKETS]
        if len(downloads.markets) > 1:
            notices.append("controls: no market column, so every market has the same controls")
        blocks = dict.fromkeys(downloads.markets, shared)
    parts = []
    for market, block in blocks.items():
        part = pd.DataFrame(block, columns=series)
        part.insert(0, "date", calendar.astype("datetime64[us]"))
        part.insert(1, "market", pd.Series([market] * len(calendar), dtype="str"))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
