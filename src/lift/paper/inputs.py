"""What a paper may say: numbers, tables and figures, each from a committed result.

``inputs.toml`` names the results once and everything that is taken from them::

    date = 2026-11-24
    text = "paper.typ"
    bibliography = "references.bib"

    [sources]                      # paths from the folder that holds papers/ and experiments/
    hn = "experiments/hacker_news_stars/results/repositories.csv"
    cover = "experiments/coverage_overlapping_posts/expected.toml"

    [numbers]
    covered = { source = "cover", at = "numbers.post_coverage_95.value", show = ".1%" }
    expert = { source = "hn", column = "week_mean", where = { repository = "x" }, show = ".0f" }
    gains = { source = "hn", where = {}, above = { week_lower = 0.0 }, take = "count", show = "d" }
    views = { value = 15, cite = "somebody2025", show = ".0f" }
    missed = { of = ["covered"], by = "complement", show = ".1%" }

    [tables.repositories]
    source = "hn"
    columns = { repository = "", week_mean = ".0f" }

    [tables.coverage]              # a row for each method, a column for each number of days
    source = "horizon"
    index = "method"
    across = "days"
    value = "share"
    show = ".2f"
    head = ".0f"                   # format of the numbers of days; of columns: their heads
    names = { r_default = "R's defaults" }

    [figures.forest]
    sources = ["hn"]
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lift.errors import RunError

INPUTS = "inputs.toml"
MINUS = "−"
Value = float | str
TAKES = ("only", "count", "sum", "mean", "median", "min", "max", "largest")
"""What is taken of the rows; ``"largest"`` is the largest size, whatever the sign."""
DERIVED: Mapping[str, tuple[int, Callable[..., float]]] = {
    "complement": (1, lambda a: 1.0 - a),
    "sum": (2, lambda a, b: a + b),
    "difference": (2, lambda a, b: a - b),
    "product": (2, lambda a, b: a * b),
    "ratio": (2, lambda a, b: a / b),
    "hypot": (2, math.hypot),
}
"""Ways to make a number of one or two others, with how many it takes."""


@dataclass(frozen=True)
class Number:
    """A number of a paper.

    Attributes
    ----------
    value : float or str
        As the result has it.
    shown : str
        As the paper prints it.
    source : str
        Name of the source, or the bibliography's key of who says it.
    of : tuple of str
        The numbers that it is made of.
    """

    value: Value
    shown: str
    source: str
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of a paper, as it prints it.

    Attributes
    ----------
    head : tuple of str
    rows : tuple of tuple of str
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Inputs:
    """All that a paper may print, read from the committed results.

    Attributes
    ----------
    folder : Path
        The paper's.
    date : date
    text, bibliography : Path
    sources : mapping of str to Path
    numbers : mapping of str to Number
    tables : mapping of str to Table
    figures : mapping of str to tuple of str
        Names of the sources that a figure is drawn from.
    """

    folder: Path
    date: date
    text: Path
    bibliography: Path
    sources: Mapping[str, Path]
    numbers: Mapping[str, Number]
    tables: Mapping[str, Table]
    figures: Mapping[str, tuple[str, ...]]

    @property
    def experiments(self) -> tuple[Path, ...]:
        """The folders of the experiments that the paper draws on, each once."""
        found: dict[Path, None] = {}
        for path in self.sources.values():
            for parent in path.parents:
                if (parent / "run.py").is_file():
                    found[parent] = None
        return tuple(found)

    @cached_property
    def contents(self) -> Mapping[str, Any]:
        """What is in each source: a DataFrame of a CSV file, a dict of a TOML file."""
        return {name: read_source(path) for name, path in self.sources.items()}

    def digest(self, source: str) -> str:
        """Return the SHA-256 of a source."""
        return hashlib.sha256(self.sources[source].read_bytes()).hexdigest()


def is_paper(folder: str | Path) -> bool:
    """Return whether a folder holds a paper."""
    return (Path(folder) / INPUTS).is_file()


def read_inputs(folder: str | Path) -> Inputs:
    """Return what a paper may print.

    Parameters
    ----------
    folder : str or Path
        The paper's; ``experiments`` and ``papers`` lie beside each other.

    Returns
    -------
    Inputs

    Raises
    ------
    RunError
        Naming every source, number and table that cannot be had.
    """
    home = Path(folder).resolve()
    file = home / INPUTS
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise RunError(
            f"a paper must have the file {INPUTS}, found none in '{folder}'; name a paper's folder"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{file} must be TOML in UTF-8, found: {error}; correct it") from None
    problems: list[str] = []
    for key, kind in {"date": date, "text": str, "bibliography": str}.items():
        if not isinstance(document.get(key), kind):
            problems.append(f"{key} must be given as a {kind.__name__}")
    root = home.parents[1]
    sources: dict[str, Path] = {}
    contents: dict[str, Any] = {}
    for name, path in document.get("sources", {}).items():
        sources[name] = root / path
        try:
            contents[name] = read_source(sources[name])
        except RunError as error:
            problems.append(f"source {name}: {error}")
    keys: set[str] = set()
    if isinstance(document.get("bibliography"), str):
        bibliography = home / document["bibliography"]
        if bibliography.is_file():
            keys = bibliography_keys(bibliography.read_text(encoding="utf-8"))
        else:
            problems.append(f"the bibliography {bibliography.name} must be there, found none")
    numbers: dict[str, Number] = {}
    for name, entry in document.get("numbers", {}).items():
        try:
            numbers[name] = _number(entry, contents, numbers, keys)
        except (RunError, KeyError, ValueError, TypeError, ZeroDivisionError) as error:
            problems.append(f"number {name}: {_told(error)}")
    tables: dict[str, Table] = {}
    for name, entry in document.get("tables", {}).items():
        try:
            tables[name] = _table(entry, contents)
        except (RunError, KeyError, ValueError, TypeError) as error:
            problems.append(f"table {name}: {_told(error)}")
    figures = {name: tuple(e["sources"]) for name, e in document.get("figures", {}).items()}
    for name, used in figures.items():
        unknown = [source for source in used if source not in sources]
        if unknown or not used:
            problems.append(f"figure {name}: must be of named sources, found {unknown}")
    if problems:
        raise RunError("\n  - ".join([f"{file} cannot be used:", *problems]))
    return Inputs(
        folder=home,
        date=document["date"],
        text=home / document["text"],
        bibliography=home / document["bibliography"],
        sources=sources,
        numbers=numbers,
        tables=tables,
        figures=figures,
    )


def _told(error: Exception) -> str:
    return f"nothing is named {error}" if isinstance(error, KeyError) else str(error)


def read_source(path: Path) -> Any:
    """Return the DataFrame of a CSV file or the dict of a TOML file.

    Raises
    ------
    RunError
        If there is no such file, or it is neither.
    """
    try:
        raw = path.read_bytes()
    except OSError:
        raise RunError(f"'{path}' must be there, found none; run its experiment") from None
    if path.suffix == ".csv":
        return pd.read_csv(io.BytesIO(raw))
    if path.suffix == ".toml":
        try:
            return tomllib.loads(raw.decode("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"'{path}' must be TOML in UTF-8, found: {error}") from None
    raise RunError(f"a source must be a CSV or TOML file, found '{path.name}'")


def bibliography_keys(text: str) -> set[str]:
    """Return the keys of the entries of a BibTeX file."""
    return set(re.findall(r"^\s*@\w+\s*\{\s*([^,\s]+)\s*,", text, re.MULTILINE))


def shown(value: Value, spec: str) -> str:
    """Return a value as a paper prints it, by a format of Python's; a minus is a minus sign."""
    return format(value, spec).replace("-", MINUS) if not isinstance(value, str) else value


def _number(
    entry: Mapping[str, Any],
    contents: Mapping[str, Any],
    numbers: Mapping[str, Number],
    keys: set[str],
) -> Number:
    """Return one number; the derived ones are made of those before them."""
    known = {"source", "at", "item", "column", "where", "take", "value", "cite", "of", "by"}
    known |= {"scale", "show", "above", "below"}
    if unknown := sorted(set(entry) - known):
        raise RunError(f"unknown {', '.join(unknown)}")
    value: Value
    if "value" in entry:
        if entry.get("cite") not in keys:
            raise RunError("a quoted number must have cite, a key of the bibliography")
        value, source = entry["value"], f"@{entry['cite']}"
    elif "of" in entry:
        n_of, rule = DERIVED[entry["by"]]
        parts = [numbers[name].value for name in entry["of"]]
        if len(parts) != n_of or any(isinstance(part, str) for part in parts):
            raise RunError(f"{entry['by']} must be of {n_of} number(s), found {entry['of']}")
        value, source = rule(*parts), numbers[entry["of"][0]].source
    else:
        source = entry["source"]
        value = _taken(contents[source], entry)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RunError(f"must be a number or a text, found {value!r}")
    if not isinstance(value, str):
        value = float(value) * float(entry.get("scale", 1.0))
        if not math.isfinite(value):
            raise RunError(f"must be finite, found {value}")
    return Number(value, shown(value, entry.get("show", "")), source, tuple(entry.get("of", ())))


def _taken(content: Any, entry: Mapping[str, Any]) -> Any:
    """Return what an entry points to in its source."""
    if isinstance(content, pd.DataFrame):
        rows = _selected(content, entry)
        take = entry.get("take", "only")
        if take not in TAKES:
            raise RunError(f"take must be of {', '.join(TAKES)}, found {take!r}")
        if take == "count":
            return len(rows)
        column = rows[entry["column"]]
        if take == "largest":
            return float(column.abs().max())
        if take != "only":
            return float(getattr(column, take)())
        if len(column) != 1:
            raise RunError(f"must be one row, found {len(column)} where {entry.get('where', {})}")
        found = column.iloc[0]
        return found.item() if hasattr(found, "item") else found
    at = entry["at"]
    found = content
    for key in at.split(".") if isinstance(at, str) else at:
        found = found[key]
    return found[entry["item"]] if "item" in entry else found


def _selected(frame: pd.DataFrame, entry: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows whose columns have one of the values, and lie above or below others."""
    keep = pd.Series(data=True, index=frame.index)
    for column, value in entry.get("where", {}).items():
        keep &= frame[column].isin(value if isinstance(value, list) else [value])
    for column, bound in entry.get("above", {}).items():
        keep &= frame[column] > bound
    for column, bound in entry.get("below", {}).items():
        keep &= frame[column] < bound
    return frame[keep]


def _table(entry: Mapping[str, Any], contents: Mapping[str, Any]) -> Table:
    """Return the cells of a table: columns of a CSV file, or one column spread out."""
    known = {"source", "where", "columns", "names", "index", "across", "value", "show", "head"}
    known |= {"above", "below"}
    if unknown := sorted(set(entry) - known):
        raise RunError(f"unknown {', '.join(unknown)}")
    frame = contents[entry["source"]]
    if not isinstance(frame, pd.DataFrame):
        raise RunError("a table must be of a CSV file")
    rows = _selected(frame, entry)
    if rows.empty:
        raise RunError(f"must have rows, found none where {entry.get('where', {})}")
    if "across" in entry:
        index, across, value = entry["index"], entry["across"], entry["value"]
        order = list(dict.fromkeys(rows[index])), list(dict.fromkeys(rows[across]))
        rows = rows.pivot(index=index, columns=across, values=value).loc[order[0], order[1]]
        rows = rows.reset_index()
        columns = {index: "", **dict.fromkeys(order[1], entry["show"])}
        head = ("", *(shown(label, entry.get("head", "")) for label in order[1]))
    else:
        columns = entry["columns"]
        head = tuple(entry.get("head", columns))
    names = entry.get("names", {})
    cells = (
        tuple(_cell(row[column], spec, names) for column, spec in columns.items())
        for _, row in rows.iterrows()
    )
    return Table(head, tuple(cells))


def _cell(value: Any, spec: str, names: Mapping[str, str]) -> str:
    """Return a cell as the paper prints it; an empty format is for text, NaN is an empty cell."""
    if isinstance(value, str):
        return names.get(value, value)
    return shown(value, spec) if math.isfinite(value) else ""
