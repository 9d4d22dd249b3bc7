"""The data of one intervention: which rows are before, which after, can they be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.errors import InputError, Problem
from lift.impact.checks import control_problems, control_remarks, outcome_problems, outcome_remarks
from lift.impact.scale import scale_problems

FloatArray = NDArray[np.float64]
Period = Sequence[object]

MIN_PRE_ROWS = 3


@dataclass(frozen=True, eq=False)
class Intervention:
    """Rows of one intervention, checked.

    Attributes
    ----------
    index : Index
        Labels of all rows of the data.
    outcome : ndarray, shape (n,)
        NaN where not observed.
    controls : ndarray, shape (n, p)
    outcome_name : str
    control_names : tuple of str
    first : int
        Row on which the pre-period begins (its first observed one).
    pre_end, post_start, post_end : int
        Rows past the pre-period's last, of the post-period's first, past the post-period's last.
    remarks : tuple of str
        What is allowed but worth saying.
    """

    index: pd.Index
    outcome: FloatArray
    controls: FloatArray
    outcome_name: str
    control_names: tuple[str, ...]
    first: int
    pre_end: int
    post_start: int
    post_end: int
    remarks: tuple[str, ...]


def as_frame(data: object) -> pd.DataFrame:
    """Return data as a frame whose first column is the outcome.

    Parameters
    ----------
    data : DataFrame, Series or array of one or two dimensions
        Unnamed columns become ``y, x1, x2, ...``.

    Raises
    ------
    InputError
        If it is none of these, or has no row or column.
    """
    fault = None
    if isinstance(data, pd.DataFrame):
        frame = data.copy(deep=False)
    elif isinstance(data, pd.Series):
        frame = data.to_frame("y" if data.name is None else data.name)
    elif isinstance(data, np.ndarray | list | tuple):
        try:
            array = np.asarray(data)
        except ValueError:
            array = np.empty(0)
        if array.ndim not in (1, 2) or array.size == 0:
            fault = f"an array must have one or two dimensions and entries, found {array.shape}"
            frame = pd.DataFrame()
        else:
            array = array.reshape(len(array), -1)
            names = ["y", *(f"x{i}" for i in range(1, array.shape[1]))]
            frame = pd.DataFrame(array, columns=pd.Index(names, dtype=object))
    else:
        fault = f"must be a DataFrame, a Series or an array, found {type(data).__name__}"
        frame = pd.DataFrame()
    if fault is None and not frame.size:
        fault = "must have at least one row and one column, found none"
    if fault is not None:
        raise InputError([Problem("data", fault)])
    return frame


def read_intervention(
    data: object,
    pre_period: Period,
    post_period: Period,
    *,
    nseasons: int,
    scale: str = "linear",
    seasons: bool = False,
    holidays: bool = False,
) -> Intervention:
    """Return the checked rows of one intervention.

    Parameters
    ----------
    data : DataFrame, Series or array
        First column the outcome, the others controls; the index holds dates or whole numbers.
    pre_period, post_period : pair
        First and last label, both included: dates where the index holds dates, else whole numbers
        (rows of an array are counted from 0).
    nseasons : int
        With more than one season the rows must be evenly spaced.
    scale : str
        The outcome must be one that this scale can hold.
    seasons : bool
        Whether there are further seasons: the rows must be evenly spaced then too.
    holidays : bool
        Whether there are holidays: the rows must be days then.

    Raises
    ------
    InputError
        Naming every fault that was found.
    """
    frame = as_frame(data)
    problems = _index_problems(frame.index, even=nseasons > 1 or seasons)
    if holidays and not isinstance(frame.index, pd.DatetimeIndex):
        problems.append(Problem("data", "holidays need an index of dates, found whole numbers"))
    values, faults = _numbers(frame)
    problems += faults
    rows: list[tuple[int, int]] = []
    if not any(problem.what.startswith("the index") for problem in problems):
        for name, period in (("pre_period", pre_period), ("post_period", post_period)):
            found = _rows(frame.index, name, period)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                rows.append(found)
    if len(rows) == 2 and rows[1][0] < rows[0][1]:
        text = f"must begin after the pre-period's end {_show(frame.index[rows[0][1] - 1])}"
        problems.append(
            Problem("post_period", f"{text}, found {_show(frame.index[rows[1][0]])}; they overlap")
        )
        rows = []
    if len(rows) < 2 or values is None:
        raise InputError(problems)
    (begin, pre_end), (post_start, post_end) = rows
    outcome, controls = values[:, 0], values[:, 1:]
    names = [str(column) for column in frame.columns]
    problems += outcome_problems(outcome, begin, pre_end, post_start, post_end, MIN_PRE_ROWS)
    problems += scale_problems(outcome, begin, pre_end, scale)
    problems += control_problems(
        outcome, controls, names[1:], begin, pre_end, post_end, frame.index
    )
    if problems:
        raise InputError(problems)
    seen = np.flatnonzero(np.isfinite(outcome[begin:pre_end]))
    first = begin + int(seen[0])
    remarks = outcome_remarks(outcome, begin, first, pre_end, post_start, post_end)
    remarks += control_remarks(outcome, controls, names[1:], first, pre_end, post_end)
    return Intervention(
        index=frame.index,
        outcome=outcome,
        controls=np.ascontiguousarray(controls),
        outcome_name=names[0],
        control_names=tuple(names[1:]),
        first=first,
        pre_end=pre_end,
        post_start=post_start,
        post_end=post_end,
        remarks=tuple(remarks),
    )


def _show(label: object) -> str:
    """Return a label as people write it."""
    if isinstance(label, pd.Timestamp):
        return str(label.date()) if label == label.normalize() else str(label)
    return str(label)


def _index_problems(index: pd.Index, *, even: bool) -> list[Problem]:
    """Return what is wrong with the labels of the rows."""
    dates = isinstance(index, pd.DatetimeIndex)
    if not dates and not pd.api.types.is_integer_dtype(index.dtype):
        return [
            Problem(
                "data",
                f"the index must hold dates or whole numbers, found {index.dtype}; set the date "
                "column as the index (frame.set_index)",
            )
        ]
    problems = []
    if index.hasnans:
        return [Problem("data", "the index must not have missing labels")]
    if index.has_duplicates:
        label = _show(index[index.duplicated()][0])
        problems.append(Problem("data", f"the index must not repeat labels, {label} is repeated"))
    elif not index.is_monotonic_increasing:
        problems.append(Problem("data", "the index must increase; sort the rows (sort_index)"))
    elif even and len(index) > 2:
        steps = np.diff(
            np.asarray(index, dtype="datetime64[s]" if dates else None).astype(np.int64)
        )
        usual = int(np.median(steps))
        if len(wide := np.flatnonzero(steps != usual)):
            before, after = _show(index[int(wide[0])]), _show(index[int(wide[0]) + 1])
            problems.append(
                Problem(
                    "data",
                    f"with a season rows must be evenly spaced, found {len(wide)} other step(s), "
                    f"the first from {before} to {after}; add absent rows with an empty outcome",
                )
            )
    return problems


def _numbers(frame: pd.DataFrame) -> tuple[FloatArray | None, list[Problem]]:
    """Return the values as floats and what stands in the way."""
    problems = []
    names = [str(column) for column in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        problems.append(
            Problem("data", f"column names must differ, repeated: {', '.join(repeated)}")
        )
    if not problems and all(kind == np.float64 for kind in frame.dtypes):
        return frame.to_numpy(), problems
    columns = []
    for position, name in enumerate(names):
        column = frame.iloc[:, position]
        kind = column.dtype
        if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
            columns.append(column.to_numpy(dtype=np.float64, na_value=np.nan))
        elif (
            pd.api.types.is_object_dtype(kind)
            and column.map(lambda v: v is None or np.isreal(v)).all()
        ):
            columns.append(pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan))
        else:
            problems.append(Problem("data", f"column {name!r} must hold numbers, found {kind}"))
    if len(columns) < len(names):
        return None, problems
    return np.column_stack(columns), problems


def _rows(index: pd.Index, name: str, period: object) -> tuple[int, int] | Problem:
    """Return the first row of a period and the row past its last."""
    if not isinstance(period, list | tuple | np.ndarray | pd.Index) or len(period) != 2:
        return Problem(name, f"must be a pair of first and last label, found {period!r}")
    dates = isinstance(index, pd.DatetimeIndex)
    ends: list[Any] = []
    for label in period:
        whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
        if dates == whole or isinstance(label, bool | float) or label is None:
            wanted = "dates, as the index does" if dates else "whole numbers, as the index does"
            return Problem(name, f"must hold {wanted}, found {label!r}")
        if dates:
            try:
                stamp = pd.Timestamp(label)
            except (ValueError, TypeError):
                return Problem(name, f"must hold dates, found {label!r}")
            if pd.isna(stamp) or (stamp.tz is None) != (getattr(index, "tz", None) is None):
                return Problem(name, f"must hold dates in the index's time zone, found {label!r}")
            ends.append(stamp)
        elif whole:
            ends.append(int(label))
        else:
            return Problem(name, f"must hold whole numbers, as the index does, found {label!r}")
    start, end = ends
    if start > end:
        return Problem(name, f"must not end before it begins, found {_show(start)} to {_show(end)}")
    low, high = index[0], index[-1]
    if start < low or end > high:
        return Problem(
            name,
            f"must lie within the data, {_show(low)} to {_show(high)}, found "
            f"{_show(start)} to {_show(end)}",
        )
    begin = int(index.searchsorted(start, side="left"))
    past = int(index.searchsorted(end, side="right"))
    if begin >= past:
        return Problem(name, f"has no row of the data from {_show(start)} to {_show(end)}")
    return begin, past
