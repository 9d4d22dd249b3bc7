"""Tables as they were given: raw cells, the place of every row, and the names of the columns."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from lift.errors import Problem

SHOWN = 5
"""Number of offenders that a message names before it says how many more there are."""


@dataclass(frozen=True)
class RawTable:
    """A table before its cells are understood.

    Attributes
    ----------
    where : str
        Name of the table in messages: ``"downloads"``, ``"posts"`` or ``"controls"``.
    columns : dict of str to Series
        The cells of each column by position, in the order of the file.
    row_word : str
        What a row's number counts: ``"line"`` of a file or ``"row position"`` of a frame.
    rows : tuple of int
        The number of each row: file lines count from 1 and the header is line 1; positions in a
        frame count from 0, as ``iloc`` does.
    """

    where: str
    columns: dict[str, pd.Series]
    row_word: str
    rows: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of rows below the header."""
        return len(self.rows)

    def at(self, position: int) -> str:
        """Return the words that lead a reader to the row at a position."""
        return f"{self.row_word} {self.rows[position]}"

    def problem(self, what: str) -> Problem:
        """Return a problem of this table."""
        return Problem(self.where, what)


def some(items: Iterable[str], shown: int = SHOWN) -> str:
    """Return the first items joined by commas, and the number of those left out."""
    listed = list(items)
    text = ", ".join(listed[:shown])
    return text if len(listed) <= shown else f"{text} and {len(listed) - shown} more"


def counted(n: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``counted(2, "day")`` is ``"2 days"``.

    Parameters
    ----------
    n : int
    one, many : str
        The noun for one and for several; several get an "s" where ``many`` is empty.

    Returns
    -------
    str
    """
    return f"{n} {one}" if n == 1 else f"{n} {many or one + 's'}"


def nearest(name: str, options: Collection[str]) -> str | None:
    """Return the option that a misspelt name probably meant, or None."""
    by_folded = {option.casefold(): option for option in options}
    folded = name.strip().casefold().replace(" ", "_").replace("-", "_")
    if folded in by_folded:
        return by_folded[folded]
    found = difflib.get_close_matches(folded, list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def meant(name: str, options: Collection[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for a misspelt name, or an empty text."""
    option = nearest(name, options)
    return f" (did you mean '{option}'?)" if option else ""


def from_frame(frame: object, where: str, problems: list[Problem]) -> RawTable | None:
    """Return the raw table of a DataFrame.

    Parameters
    ----------
    frame : DataFrame
        It is not changed, and later changes of it do not reach the result.
    where : str
        Name of the table in messages.
    problems : list of Problem
        Faults are appended to it.

    Returns
    -------
    RawTable or None
        None if the frame has no usable header or no rows.
    """
    if not isinstance(frame, pd.DataFrame):
        problems.append(
            Problem(
                where, f"must be a pandas DataFrame, found {type(frame).__name__}; convert it first"
            )
        )
        return None
    names: list[str] = []
    labels: list[object] = list(frame.columns)
    other = [repr(name) for name in labels if not isinstance(name, str)]
    if other:
        problems.append(
            Problem(where, f"column names must be text, found {some(other)}; rename the columns")
        )
    index = frame.index.name
    if isinstance(index, str) and index in {"date", "post_id"} and index not in frame.columns:
        problems.append(
            Problem(
                where,
                f"'{index}' must be a column, found it as the index; call .reset_index() first",
            )
        )
        frame = frame.reset_index()
    columns: dict[str, pd.Series] = {}
    for position, name in enumerate(list[object](frame.columns)):
        if isinstance(name, str):
            names.append(name)
            if name not in columns:
                columns[name] = frame.iloc[:, position].reset_index(drop=True)
    return checked_header(
        RawTable(where, columns, "row position", tuple(range(len(frame)))), names, problems
    )


def checked_header(
    table: RawTable, names: Sequence[str], problems: list[Problem]
) -> RawTable | None:
    """Return the table if it has rows, without its nameless columns.

    Parameters
    ----------
    table : RawTable
    names : sequence of str
        The names in the header, repeated ones included.
    problems : list of Problem
        Columns given twice or without a name, and a table without rows, are appended to it.

    Returns
    -------
    RawTable or None
        None if there is no row.
    """
    twice = sorted({name for name in names if name.strip() and names.count(name) > 1})
    if twice:
        problems.append(
            table.problem(
                f"every column must have its own name, found {some(map(repr, twice))} more than "
                "once; rename or remove the copies"
            )
        )
    unnamed = [name for name in table.columns if is_unnamed(name)]
    if unnamed:
        problems.append(
            table.problem(
                f"every column must have a name, found {counted(len(unnamed), 'column')} without "
                "one (a saved row index?); remove it, or write with index=False"
            )
        )
    columns = {name: cells for name, cells in table.columns.items() if name not in unnamed}
    if not len(table):
        problems.append(
            table.problem("must have rows, found a header and nothing below it; add the data")
        )
        return None
    return RawTable(table.where, columns, table.row_word, table.rows)


def is_unnamed(name: str) -> bool:
    """Tell whether a column name is empty or was made up by a program for a nameless index."""
    return not name.strip() or name.startswith(("Unnamed: ", "__index_level_"))


def with_names(
    table: RawTable,
    required: Sequence[str],
    optional: Sequence[str],
    problems: list[Problem],
) -> RawTable:
    """Return the table with misspelt columns under the names that were probably meant.

    Parameters
    ----------
    table : RawTable
    required, optional : sequence of str
        The known columns.
    problems : list of Problem
        Absent and unknown columns are appended to it, with the names probably meant.

    Returns
    -------
    RawTable
    """
    known = [*required, *optional]
    free = {name for name in known if name not in table.columns}
    columns: dict[str, pd.Series] = {}
    for name, cells in table.columns.items():
        if name in known:
            columns[name] = cells
            continue
        option = nearest(name, free) or nearest(name, known)
        problems.append(
            table.problem(
                f"column '{name}' is unknown"
                + (f"; did you mean '{option}'? rename or remove it" if option else "; remove it")
                + f" (known: {', '.join(known)})"
            )
        )
        if option in free:
            columns[option] = cells
            free.discard(option)
    absent(table, [name for name in required if name not in columns], problems)
    return RawTable(table.where, columns, table.row_word, table.rows)


def absent(table: RawTable, names: Sequence[str], problems: list[Problem]) -> None:
    """Name required columns that are absent.

    Parameters
    ----------
    table : RawTable
    names : sequence of str
        The absent columns.
    problems : list of Problem
        One problem per column is appended to it.
    """
    for name in names:
        problems.append(
            table.problem(
                f"column '{name}' is required, found {some(map(repr, table.columns), 8)}; "
                "add or rename a column"
            )
        )
