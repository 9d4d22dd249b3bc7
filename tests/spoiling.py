"""A good campaign folder, and the ways in which the cases of bad input spoil it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from lift.rng import stream

FIRST = date(2025, 1, 1)
N_DAYS = 334
SETTINGS = """name = "good"
timezone = "Europe/Rome"
country = "IT"

[tables]
downloads = "downloads.csv"
posts = "posts.csv"
controls = "controls.csv"
"""
POSTS = """post_id,posted_at,influencer,platform,creator_type,content,sponsored,views,cost
p1,2025-03-03T18:30,@ada,TikTok,human,how-to,true,100000,500
p2,2025-03-20T09:00,@bob,Instagram,virtual,comedy,false,,0
p3,2025-06-01T23:45,@ada,Instagram,human,how-to,yes,25000,
p4,2025-09-10T12:00+02:00,@cyd,TikTok,,,,40000,120.5
"""
Rows = list[list[str]]


def write_good(folder: Path) -> Path:
    """Write the campaign that every case spoils: 334 days, four posts, two controls."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = stream(1, "bad inputs")
    days = [(FIRST + timedelta(days=i)).isoformat() for i in range(N_DAYS)]
    counts = rng.poisson(300, N_DAYS)
    rival = rng.poisson(900, N_DAYS)
    search = rng.normal(50, 5, N_DAYS).round(2)
    downloads = [["date", "downloads"]] + [[d, str(y)] for d, y in zip(days, counts, strict=True)]
    controls = [["date", "rival", "search"]] + [
        [d, str(a), str(b)] for d, a, b in zip(days, rival, search, strict=True)
    ]
    write(folder, "downloads", downloads)
    write(folder, "controls", controls)
    (folder / "posts.csv").write_text(POSTS, encoding="utf-8", newline="")
    (folder / "campaign.toml").write_text(SETTINGS, encoding="utf-8", newline="")
    return folder


def read(folder: Path, table: str) -> Rows:
    """Return the rows of a table as text, the header first."""
    text = (folder / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))


def write(folder: Path, table: str, rows: Rows) -> None:
    """Write rows of text as a table."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    (folder / f"{table}.csv").write_text(out.getvalue(), encoding="utf-8", newline="")


Spoil = Callable[[Path], None]


@dataclass(frozen=True)
class BadInput:
    """A fault, or several.

    Attributes
    ----------
    id : str
    spoil : callable
        Turns the good campaign in a folder into the bad one.
    expected : tuple of str
        Pieces that the message must hold, one or more for every planted fault.
    """

    id: str
    spoil: Spoil
    expected: tuple[str, ...]


def rows(table: str, change: Callable[[Rows], Rows | None]) -> Spoil:
    """Return a spoiler that changes the rows of a table (index 1 is line 2, the first day)."""

    def spoil(folder: Path) -> None:
        own = read(folder, table)
        write(folder, table, change(own) or own)

    return spoil


def cell(table: str, line: int, column: str, value: str) -> Spoil:
    """Return a spoiler that puts a value into the cell on a file line."""

    def change(own: Rows) -> None:
        own[line - 1][own[0].index(column)] = value

    return rows(table, change)


def column(table: str, name: str, value: Callable[[int, list[str]], str]) -> Spoil:
    """Return a spoiler that sets a column, or adds it, by row number and row."""

    def change(own: Rows) -> None:
        if name not in own[0]:
            own[0].append(name)
        j = own[0].index(name)
        for i, row in enumerate(own[1:]):
            row[j:] = [value(i, row), *row[j + 1 :]]

    return rows(table, change)


def rename(table: str, old: str, new: str) -> Spoil:
    """Return a spoiler that renames a column."""

    def change(own: Rows) -> None:
        own[0][own[0].index(old)] = new

    return rows(table, change)


def content(file: str, data: str | bytes) -> Spoil:
    """Return a spoiler that replaces a file."""

    def spoil(folder: Path) -> None:
        (folder / file).write_bytes(data.encode() if isinstance(data, str) else data)

    return spoil


def settings(old: str, new: str) -> Spoil:
    """Return a spoiler that replaces a piece of campaign.toml."""

    def spoil(folder: Path) -> None:
        path = folder / "campaign.toml"
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{old!r} is not in campaign.toml")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def both(*spoilers: Spoil) -> Spoil:
    """Return a spoiler that does all of them in turn."""

    def spoil(folder: Path) -> None:
        for one in spoilers:
            one(folder)

    return spoil


def encoded(file: str, encoding: str, old: str = "", new: str = "") -> Spoil:
    """Return a spoiler that saves a file in another encoding, after replacing a piece of it."""

    def spoil(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8").replace(old, new, 1)
        (folder / file).write_bytes(text.encode(encoding))

    return spoil


def remove(file: str) -> Spoil:
    """Return a spoiler that removes a file."""
    return lambda folder: (folder / file).unlink()


def rename_file(old: str, new: str) -> Spoil:
    """Return a spoiler that renames a file."""

    def spoil(folder: Path) -> None:
        (folder / old).rename(folder / new)

    return spoil


def folder_in_place_of(file: str) -> Spoil:
    """Return a spoiler that puts a folder where a file should be."""

    def spoil(folder: Path) -> None:
        (folder / file).unlink()
        (folder / file).mkdir()

    return spoil


def every(table: str, days: int) -> Spoil:
    """Return a spoiler that keeps one row in so many days."""
    return rows(table, lambda own: [own[0], *own[1::days]])


def monthly(folder: Path) -> None:
    """Keep the first day of each month."""
    own = read(folder, "downloads")
    write(folder, "downloads", [own[0], *[row for row in own[1:] if row[0].endswith("-01")]])


def hourly(folder: Path) -> None:
    """Turn the downloads into hourly rows."""
    stamps = pd.date_range("2025-01-01", periods=24 * 200, freq="h")
    write(
        folder,
        "downloads",
        [["date", "downloads"], *[[stamp.isoformat(), "12"] for stamp in stamps]],
    )


def weekly_from_july(own: Rows) -> Rows:
    """Keep every day until July, then one in seven."""
    split = next(i for i, row in enumerate(own) if row[0] == "2025-07-01")
    return own[:split] + own[split::7]


def markets(folder: Path) -> None:
    """Give every table a market column with the markets IT and US; posts reach both."""
    for table in ("downloads", "controls"):
        own = read(folder, table)
        split = [[*row, name] for name in ("IT", "US") for row in own[1:]]
        for i, row in enumerate(split):
            row[1] = str(int(row[1]) + i % 5 + (i >= N_DAYS))
        write(folder, table, [[*own[0], "market"], *split])
    column("posts", "market", lambda _i, _row: "")(folder)


def semicolons(folder: Path) -> None:
    """Save the controls as a continental spreadsheet does."""
    path = folder / "controls.csv"
    text = path.read_text(encoding="utf-8").replace(",", ";").replace(".", ",")
    path.write_text(text, encoding="utf-8")


def parquet(table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Spoil:
    """Return a spoiler that turns a table into Parquet after a change."""

    def spoil(folder: Path) -> None:
        frame = pd.read_csv(folder / f"{table}.csv")
        change(frame).to_parquet(folder / f"{table}.parquet", index=False)
        settings(f'"{table}.csv"', f'"{table}.parquet"')(folder)

    return spoil


def copied(name: str, of: Callable[[list[str]], float]) -> Spoil:
    """Return a spoiler that adds a control computed from the row of the controls."""
    return column("controls", name, lambda _i, row: repr(of(row)))


def outcome_as_control(folder: Path) -> None:
    """Add the downloads themselves to the controls."""
    counts = [row[1] for row in read(folder, "downloads")[1:]]
    column("controls", "installs", lambda i, _row: counts[i])(folder)


def root_of_outcome_as_control(folder: Path) -> None:
    """Add the square root of the downloads to the controls."""
    counts = [row[1] for row in read(folder, "downloads")[1:]]
    column("controls", "interest", lambda i, _row: repr(float(counts[i] or 0.0) ** 0.5))(folder)
