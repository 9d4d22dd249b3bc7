"""Reading a CSV or Parquet file into a raw table, with every fault of the file named."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from lift.data.settings import FILE, DatasetRef
from lift.data.tables import RawTable, checked_header, counted, from_frame, meant, nearest, some
from lift.errors import LiftError, Problem

CSV_KINDS = (".csv",)
PARQUET_KINDS = (".parquet", ".pq")
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
}
DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def read_table(path: Path, where: str, problems: list[Problem]) -> RawTable | None:
    """Return the raw table in a CSV or Parquet file.

    Parameters
    ----------
    path : Path
    where : str
        Name of the table in messages.
    problems : list of Problem
        Faults of the file are appended to it.

    Returns
    -------
    RawTable or None
        None if nothing below the header can be read.
    """
    if not path.exists():
        problems.append(Problem(where, _absent(path)))
        return None
    if path.is_dir():
        problems.append(
            Problem(where, f"must be a file, found the folder '{path.name}'; name the file in it")
        )
        return None
    kind = path.suffix.lower()
    if kind not in (*CSV_KINDS, *PARQUET_KINDS):
        problems.append(
            Problem(
                where,
                f"must be a .csv or .parquet file, found '{path.name}' of an unknown kind; "
                "save it as CSV (UTF-8, comma separated)",
            )
        )
        return None
    try:
        if kind in PARQUET_KINDS:
            return _read_parquet(path, where, problems)
        return _read_csv(path.read_bytes(), path.name, where, problems)
    except OSError as error:
        problems.append(
            Problem(
                where,
                f"'{path.name}' must be readable, found: {error.strerror or error}; "
                "check the file and its permissions",
            )
        )
        return None


def _absent(path: Path) -> str:
    beside = sorted(f.name for f in path.parent.iterdir()) if path.parent.is_dir() else []
    option = nearest(path.name, beside)
    return (
        f"the file '{path.name}' must exist, found none"
        + (f"; did you mean '{option}'?" if option else "")
        + " (paths are taken from the campaign's folder); add the file or correct its path"
    )


def _read_parquet(path: Path, where: str, problems: list[Problem]) -> RawTable | None:
    import pyarrow as pa
    from pyarrow import parquet

    if not path.stat().st_size:
        problems.append(Problem(where, f"must not be empty, found nothing in '{path.name}'"))
        return None
    try:
        table = parquet.read_table(path)
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0]
        problems.append(
            Problem(where, f"'{path.name}' must be a Parquet file, found: {reason}; write it again")
        )
        return None
    columns = {name: frame.iloc[:, i] for i, name in enumerate(table.column_names)}
    rows = tuple(range(len(frame)))
    return checked_header(
        RawTable(where, columns, "row position", rows), table.column_names, problems
    )


def _text(data: bytes, name: str, where: str, problems: list[Problem]) -> str | None:
    """Return the text of a file; a wrong encoding is named, then read all the same."""
    for mark, what in OTHER_FORMATS.items():
        if data.startswith(mark):
            problems.append(
                Problem(where, f"'{name}' must be CSV text, found {what}; save it as CSV (UTF-8)")
            )
            return None
    if data.startswith(UTF16_MARKS) or b"\x00" in data[:200]:
        problems.append(
            Problem(
                where,
                f"'{name}' must be encoded as UTF-8, found UTF-16; save it again as 'CSV UTF-8'",
            )
        )
        if not data.startswith(UTF16_MARKS):
            return None
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(
            Problem(
                where,
                f"'{name}' must be encoded as UTF-8, found byte 0x{data[error.start]:02x} on line "
                f"{line} (Latin-1 or Windows-1252?); save it again as 'CSV UTF-8'",
            )
        )
        return data.decode("cp1252", errors="replace")


def _delimiter(first_line: str) -> str:
    """Return the character that parts the columns of a header, a comma where it has one."""
    if "," in first_line:
        return ","
    return max(DELIMITERS, key=first_line.count) if _has_other(first_line) else ","


def _has_other(first_line: str) -> bool:
    return any(mark in first_line for mark in DELIMITERS)


def _read_csv(data: bytes, name: str, where: str, problems: list[Problem]) -> RawTable | None:
    text = _text(data, name, where, problems)
    if text is None:
        return None
    if not text.strip():
        problems.append(
            Problem(where, f"must not be empty, found nothing in '{name}'; write the table into it")
        )
        return None
    delimiter = _delimiter(text.lstrip("\r\n").splitlines()[0])
    if delimiter != ",":
        problems.append(
            Problem(
                where,
                f"columns must be separated by commas, found {DELIMITERS[delimiter]} in '{name}'; "
                "save it as comma-separated CSV with decimal points",
            )
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for record in reader:
            if record and any(cell.strip() for cell in record):
                records.append(record)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        problems.append(
            Problem(
                where,
                f"'{name}' must be well-formed CSV, found from line {start} on: {error}; "
                "look for a quotation mark that is not closed",
            )
        )
    if not records:
        return None
    return _table(records, lines, where, problems)


def _table(
    records: list[list[str]], lines: list[int], where: str, problems: list[Problem]
) -> RawTable | None:
    header = [cell.strip() for cell in records[0]]
    width = len(header)
    uneven = [i for i in range(1, len(records)) if len(records[i]) != width]
    if uneven:
        found = some(f"line {lines[i]} ({counted(len(records[i]), 'value')})" for i in uneven)
        problems.append(
            Problem(
                where,
                f"every row must have {counted(width, 'value')} as the header has, found {found}; "
                "a decimal comma or a thousands separator splits a number in two: write numbers "
                "like 1234.5, and text that holds a comma in quotation marks",
            )
        )
    columns: dict[str, pd.Series] = {}
    for position, name in enumerate(header):
        if name not in columns:
            cells = [r[position] if position < len(r) else "" for r in records[1:]]
            columns[name] = pd.Series(cells, dtype=object)
    return checked_header(RawTable(where, columns, "line", tuple(lines[1:])), header, problems)


def dataset_table(reference: DatasetRef, problems: list[Problem]) -> RawTable | None:
    """Return the downloads in a series of a data set."""
    from lift.data import datasets

    try:
        series = datasets.fetch(reference.dataset)
    except LiftError as error:
        problems.append(Problem(FILE, f"tables.downloads: {error}"))
        return None
    own = series[series["series_id"] == reference.series]
    if own.empty:
        known = sorted(set(series["series_id"]))
        problems.append(
            Problem(
                FILE,
                f"tables.downloads.series must be a series of '{reference.dataset}', found "
                f"'{reference.series}'{meant(reference.series, known)} (known: {some(known)})",
            )
        )
        return None
    frame = own[["date", "value"]].rename(columns={"value": "downloads"})
    return from_frame(frame.reset_index(drop=True), "downloads", problems)
