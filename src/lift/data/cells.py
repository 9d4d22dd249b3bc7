"""Cells understood: numbers, days, instants, text and yes/no, with every bad cell named."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Real
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.tables import RawTable, counted, some
from lift.errors import Problem

LARGEST = 1e100
"""Size of a value, and inverse of the least range, beyond which sums of squares overflow."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}([,.'’ \u00a0\u202f]\d{3})+([.,]\d+)?")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
DAY_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)")
INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)? ?(Z|[+-]\d{2}(:?\d{2})?)?)?"
)
MISSING_WORDS = {"na", "n/a", "nan", "null", "none", "nil", "-", "."}
FIRST_YEAR, LAST_YEAR = 1970, 2200
WORDS_TRUE = {"true", "yes", "1"}
WORDS_FALSE = {"false", "no", "0"}


def is_missing(cell: object) -> bool:
    """Tell whether a cell is empty: blank text, None, NaN, NaT or NA."""
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return True
    if isinstance(cell, str):
        return not cell.strip()
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return isinstance(cell, float | np.floating) and bool(np.isnan(cell))


def numbers(
    table: RawTable, column: str, problems: list[Problem]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a column as numbers, and a mask of the cells that are not numbers.

    Parameters
    ----------
    table : RawTable
    column : str
    problems : list of Problem
        Text in place of numbers is appended to it, with its rows and values.

    Returns
    -------
    values : ndarray of float64
        NaN where the cell is empty or not a number; infinities are kept.
    bad : ndarray of bool
        True where the cell holds something that is not a number.
    """
    cells = table.columns[column]
    bad = np.zeros(len(cells), dtype=bool)
    kind = cells.dtype
    if pd.api.types.is_numeric_dtype(kind) and not (
        pd.api.types.is_bool_dtype(kind) or pd.api.types.is_complex_dtype(kind)
    ):
        return cells.to_numpy(dtype=np.float64, na_value=np.nan, copy=True), bad
    values = np.full(len(cells), np.nan)
    faults: dict[str, list[str]] = {}
    for i, cell in enumerate(cells.tolist()):
        if is_missing(cell):
            continue
        number, fault = _number(cell)
        values[i] = number
        if fault:
            bad[i] = True
            shown = repr(cell.strip()) if isinstance(cell, str) else repr(cell)
            faults.setdefault(fault, []).append(f"{table.at(i)}: {shown}")
    for fault, found in faults.items():
        problems.append(
            table.problem(f"column '{column}' must hold numbers, found {some(found)}; {fault}")
        )
    return values, bad


def _number(cell: object) -> tuple[float, str]:
    """Return a cell's number and an empty text, or NaN and what to do about it."""
    if isinstance(cell, str):
        text = cell.strip()
        if NUMBER.fullmatch(text):
            return float(text), ""
        if INFINITE.fullmatch(text):
            return float(text), ""
        if text.casefold() in MISSING_WORDS:
            return np.nan, "leave the cell empty where there is no value"
        if GROUPED_NUMBER.fullmatch(text):
            return np.nan, "remove the thousands separator"
        if COMMA_NUMBER.fullmatch(text):
            return np.nan, "write a decimal point in place of the decimal comma"
        return np.nan, "correct the text, or leave the cell empty"
    if isinstance(cell, bool | np.bool_):
        return np.nan, "give a number, or leave the cell empty"
    if isinstance(cell, Real):
        try:
            return float(cell), ""
        except OverflowError:
            return np.inf, ""
    if isinstance(cell, Decimal):
        return (np.nan if cell.is_nan() else float(cell)), ""
    return np.nan, "give a number, or leave the cell empty"


def days(
    table: RawTable, column: str, problems: list[Problem]
) -> tuple[NDArray[np.datetime64], bool]:
    """Return a column as days, and whether it holds times of day.

    Parameters
    ----------
    table : RawTable
    column : str
    problems : list of Problem
        Empty cells, cells that are no ISO dates and times of day are appended to it.

    Returns
    -------
    values : ndarray of datetime64[D]
        NaT where the cell is not a day.
    has_times : bool
        Whether a cell has a time of day other than midnight.
    """
    cells = table.columns[column]
    n = len(cells)
    if isinstance(cells.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(cells.dtype):
        wall = cells.dt.tz_localize(None) if cells.dt.tz is not None else cells
        stamps = wall.to_numpy(dtype="datetime64[us]")
    else:
        stamps = np.full(n, "NaT", dtype="datetime64[us]")
        faults: list[str] = []
        for i, cell in enumerate(cells.tolist()):
            if is_missing(cell):
                continue
            stamp = _day(cell)
            if stamp is None:
                faults.append(f"{table.at(i)}: {cell!r}")
            else:
                stamps[i] = stamp
        if faults:
            problems.append(
                table.problem(
                    f"column '{column}' must hold ISO dates like 2024-03-31, found "
                    f"{some(faults)}; write year-month-day"
                )
            )
    empty = [table.at(i) for i, cell in enumerate(cells.tolist()) if is_missing(cell)]
    if empty:
        problems.append(
            table.problem(
                f"column '{column}' must have a date in every row, found none at {some(empty)}; "
                "fill it in or remove the row"
            )
        )
    values = stamps.astype("datetime64[D]")
    timed = np.flatnonzero(~np.isnat(stamps) & (values != stamps))
    if len(timed):
        found = some(f"{table.at(int(i))}: {str(stamps[i])[:16].replace('T', ' ')}" for i in timed)
        problems.append(
            table.problem(
                f"there must be one row per day, found {counted(len(timed), 'row')} with a time of "
                f"day ({found}): hourly data? sum them up to days"
            )
        )
    years = values.astype("datetime64[Y]").astype(np.int64) + 1970
    far = np.flatnonzero(~np.isnat(values) & ((years < FIRST_YEAR) | (years > LAST_YEAR)))
    if len(far):
        found = some(f"{table.at(int(i))}: {values[i]}" for i in far)
        problems.append(
            table.problem(
                f"dates must lie between {FIRST_YEAR} and {LAST_YEAR}, found {found}; "
                "correct the year"
            )
        )
        values[far] = np.datetime64("NaT", "D")
    return values, bool(len(timed))


def _day(cell: object) -> np.datetime64 | None:
    """Return the wall-clock time of a cell, or None if it is no ISO date."""
    if isinstance(cell, pd.Period):
        cell = cell.start_time
    if isinstance(cell, str):
        text = cell.strip()
        if not DAY.fullmatch(text) and not DAY_TIME.fullmatch(text):
            return None
        try:
            cell = datetime.fromisoformat(text)
        except ValueError:
            return None
    if isinstance(cell, datetime):
        return np.datetime64(cell.replace(tzinfo=None), "us")
    if isinstance(cell, date | np.datetime64):
        return np.datetime64(cell, "us")
    return None


def instants(
    table: RawTable, column: str, zone: ZoneInfo | None, zone_given: bool, problems: list[Problem]
) -> list[datetime | None]:
    """Return a column as instants in UTC.

    Parameters
    ----------
    table : RawTable
    column : str
    zone : ZoneInfo or None
        Zone of the timestamps that carry none.
    zone_given : bool
        Whether the campaign names a zone, be it a known one or not; if so, a timestamp without a
        zone is no fault of this table.
    problems : list of Problem
        Empty cells, text that is no timestamp, missing zones and local times that do not exist or
        exist twice are appended to it.

    Returns
    -------
    list of datetime or None
        None where there is no instant.
    """
    found: list[datetime | None] = []
    faults: dict[str, list[str]] = {}

    def fault(kind: str, i: int, shown: object) -> None:
        faults.setdefault(kind, []).append(f"{table.at(i)}: {shown}")
        found.append(None)

    for i, cell in enumerate(table.columns[column].tolist()):
        if is_missing(cell):
            faults.setdefault("empty", []).append(table.at(i))
            found.append(None)
            continue
        stamp = _instant(cell)
        if stamp is None or not FIRST_YEAR <= stamp.year <= LAST_YEAR:
            fault("text", i, repr(cell))
        elif stamp.tzinfo is not None:
            found.append(stamp.astimezone(UTC))
        elif zone is None:
            if zone_given:
                found.append(stamp.replace(tzinfo=UTC))
            else:
                fault("zone", i, stamp.isoformat(" "))
        else:
            early = stamp.replace(tzinfo=zone, fold=0).utcoffset()
            late = stamp.replace(tzinfo=zone, fold=1).utcoffset()
            if early is None or late is None or early == late:
                found.append(stamp.replace(tzinfo=zone).astimezone(UTC))
            else:
                fault("twice" if early > late else "never", i, stamp.isoformat(" "))
    where = f"column '{column}'"
    sentences: dict[str, Callable[[str], str]] = {
        "empty": lambda rows: (
            f"{where} must have a timestamp in every row, found none at {rows}; "
            "give the date and time of each post"
        ),
        "text": lambda rows: (
            f"{where} must hold ISO timestamps like 2024-03-31T18:30, found "
            f"{rows}; write year-month-day and hours:minutes"
        ),
        "zone": lambda rows: (
            f"{where} must have a time zone, found none at {rows}; give timezone "
            'in campaign.toml (such as "Europe/Rome"), or write the offset (…+02:00)'
        ),
        "twice": lambda rows: (
            f"{where} must name one instant, found local times that happen twice "
            f"when the clocks in {zone} go back: {rows}; write the offset (…+01:00)"
        ),
        "never": lambda rows: (
            f"{where} must hold local times that exist, found some that the "
            f"clocks in {zone} skip when they go forward: {rows}; correct the time, or write the "
            "offset"
        ),
    }
    for kind, sentence in sentences.items():
        if kind in faults:
            problems.append(table.problem(sentence(some(faults[kind]))))
    return found


def _instant(cell: object) -> datetime | None:
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime(warn=False)
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, np.datetime64):
        return pd.Timestamp(cell).to_pydatetime(warn=False)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    if isinstance(cell, str) and INSTANT.fullmatch(cell.strip()):
        text = cell.strip()
        text = text[:10] + text[10:].replace(" ", "T", 1) if len(text) > 10 else text
        try:
            return datetime.fromisoformat(text.replace(" ", ""))
        except ValueError:
            return None
    return None


def texts(table: RawTable, column: str) -> list[str | None]:
    """Return a column as text without surrounding blanks; None where it is empty."""
    found: list[str | None] = []
    for cell in table.columns[column].tolist():
        if is_missing(cell):
            found.append(None)
        elif isinstance(cell, float) and cell.is_integer():
            found.append(str(int(cell)))
        else:
            found.append(str(cell).strip())
    return found


def yes_or_no(table: RawTable, column: str, problems: list[Problem]) -> list[bool | None]:
    """Return a column as true or false.

    Parameters
    ----------
    table : RawTable
    column : str
    problems : list of Problem
        Cells that are neither are appended to it.

    Returns
    -------
    list of bool or None
        None where the cell is empty or neither.
    """
    found: list[bool | None] = []
    faults: list[str] = []
    for i, text in enumerate(texts(table, column)):
        word = None if text is None else text.casefold()
        known = word in WORDS_TRUE or word in WORDS_FALSE
        found.append(word in WORDS_TRUE if known else None)
        if word is not None and not known:
            faults.append(f"{table.at(i)}: {text!r}")
    if faults:
        problems.append(
            table.problem(f"column '{column}' must be true or false, found {some(faults)}")
        )
    return found
