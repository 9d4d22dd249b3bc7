"""Campaign folders with faults: how a good one is spoiled and what the message must say.

The data tests read each of them; the tests of the command line run the same cases.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
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


CASES: list[BadInput] = [
    # The file of settings.
    BadInput("no-settings", remove("campaign.toml"), ("campaign.toml", "lift new")),
    BadInput(
        "settings-syntax",
        settings('name = "good"', "name = good"),
        ("must be valid TOML", "line 1"),
    ),
    BadInput(
        "settings-latin-1",
        encoded("campaign.toml", "latin-1", '"good"', '"così"'),
        ("must be encoded as UTF-8", "0xec", "line 1"),
    ),
    BadInput("settings-empty", content("campaign.toml", ""), ("[tables] must be given",)),
    BadInput(
        "settings-unknown-key",
        settings("timezone", "time_zone"),
        ("key 'time_zone' is unknown", "did you mean 'timezone'"),
    ),
    BadInput(
        "settings-unknown-table",
        settings("downloads =", "download ="),
        (
            "key 'tables.download' is unknown",
            "did you mean 'downloads'",
            "key 'tables.downloads' must be given",
        ),
    ),
    BadInput(
        "settings-table-outside-tables",
        settings('country = "IT"', 'country = "IT"\nposts = "posts.csv"'),
        ("key 'posts' is unknown", "below [tables]"),
    ),
    BadInput(
        "settings-wrong-types",
        both(
            settings('"good"', "7"),
            settings('"Europe/Rome"', "true"),
            settings('"posts.csv"', '["posts.csv"]'),
            cell("downloads", 5, "downloads", "-3"),
        ),
        (
            "'name' must be text",
            "7 (int)",
            "'timezone' must be text",
            "True (bool)",
            "'tables.posts' must be text",
            "not be negative",
            "line 5: -3",
        ),
    ),
    BadInput(
        "settings-path-outside",
        settings('"posts.csv"', '"../posts.csv"'),
        ("tables.posts", "'../posts.csv'", "outside it"),
    ),
    BadInput(
        "settings-path-absolute",
        settings('"posts.csv"', '"/data/posts.csv"'),
        ("tables.posts", "'/data/posts.csv'", "outside it"),
    ),
    BadInput(
        "settings-one-file-twice",
        settings('"controls.csv"', '"downloads.csv"'),
        ("every table must have its own file", "downloads.csv"),
    ),
    BadInput(
        "timezone-unknown",
        settings("Europe/Rome", "Europe/Roma"),
        ("IANA name", "'Europe/Roma'", "did you mean 'Europe/Rome'"),
    ),
    BadInput(
        "timezone-city", settings("Europe/Rome", "Rome"), ("'Rome'", "did you mean 'Europe/Rome'")
    ),
    BadInput(
        "country-name", settings('"IT"', '"Italy"'), ("'Italy'", "two-letter", "did you mean 'IT'")
    ),
    BadInput("country-unknown", settings('"IT"', '"QX"'), ("'QX'", "two-letter")),
    BadInput(
        "country-subdivision",
        settings('"IT"', '"US-CAL"'),
        ("'US-CAL'", "subdivision", "did you mean 'US-CA'"),
    ),
    BadInput(
        "dataset-unknown",
        settings('"downloads.csv"', '{dataset = "app_imuni", series = "app:immuni_ios"}'),
        ("'app_imuni'", "did you mean 'app_immuni'"),
    ),
    BadInput(
        "dataset-wrong-keys",
        settings('"downloads.csv"', '{dataset = "app_immuni", serie = "x"}'),
        ("'tables.downloads.serie' is unknown", "'tables.downloads.series' must be given"),
    ),
    # Files.
    BadInput(
        "file-absent",
        rename_file("downloads.csv", "download.csv"),
        ("'downloads.csv' must exist", "did you mean 'download.csv'"),
    ),
    BadInput(
        "all-files-absent",
        both(remove("downloads.csv"), remove("posts.csv"), remove("controls.csv")),
        ("'downloads.csv' must exist", "'posts.csv' must exist", "'controls.csv' must exist"),
    ),
    BadInput(
        "file-is-folder", folder_in_place_of("posts.csv"), ("must be a file", "folder 'posts.csv'")
    ),
    BadInput(
        "file-unknown-kind",
        both(rename_file("posts.csv", "posts.xlsx"), settings("posts.csv", "posts.xlsx")),
        ("'posts.xlsx'", "unknown kind", ".csv or .parquet"),
    ),
    BadInput("file-empty", content("downloads.csv", ""), ("must not be empty", "downloads.csv")),
    BadInput(
        "files-header-only",
        both(
            content("downloads.csv", "date,downloads\n"),
            content("posts.csv", "post_id,posted_at\n"),
            content("controls.csv", "date,rival\n"),
        ),
        ("downloads:", "posts:", "controls:", "a header and nothing below it"),
    ),
    BadInput(
        "file-utf-16", encoded("downloads.csv", "utf-16"), ("must be encoded as UTF-8", "UTF-16")
    ),
    BadInput(
        "file-latin-1",
        both(encoded("posts.csv", "latin-1", "@ada", "@adélaïde")),
        ("must be encoded as UTF-8", "0xe9", "line 2"),
    ),
    BadInput(
        "file-excel-renamed",
        content("posts.csv", b"PK\x03\x04rest of a workbook"),
        ("must be CSV text", "Excel"),
    ),
    BadInput(
        "file-not-parquet",
        both(rename_file("posts.csv", "posts.parquet"), settings("posts.csv", "posts.parquet")),
        ("'posts.parquet' must be a Parquet file",),
    ),
    BadInput(
        "semicolons-and-decimal-commas",
        semicolons,
        ("separated by commas", "semicolons", "decimal comma", "column 'search'"),
    ),
    BadInput(
        "unquoted-comma",
        rows("downloads", lambda own: [*own[:2], ["2025-01-02", "1", "250"], *own[3:]]),
        ("every row must have 2 values", "line 3 (3 values)", "thousands separator"),
    ),
    BadInput(
        "open-quote",
        content("posts.csv", POSTS.replace("@bob", '"@bob')),
        ("well-formed CSV", "line 3", "quotation mark"),
    ),
    BadInput(
        "index-column",
        rows("downloads", lambda own: [[str(i - 1) if i else "", *r] for i, r in enumerate(own)]),
        ("every column must have a name", "index=False"),
    ),
    BadInput(
        "column-twice",
        rows("controls", lambda own: [[*row, row[1]] for row in own]),
        ("its own name", "'rival'", "more than once"),
    ),
    # Downloads.
    BadInput(
        "column-misspelt",
        both(
            rename("downloads", "downloads", "donwloads"),
            rename("posts", "influencer", "influenser"),
            rename("controls", "date", "dat"),
        ),
        (
            "'donwloads' is unknown; did you mean 'downloads'",
            "'influenser' is unknown; did you mean 'influencer'",
            "'dat' is unknown; did you mean 'date'",
        ),
    ),
    BadInput(
        "column-unknown",
        column("downloads", "revenue", lambda _i, _row: "1"),
        ("column 'revenue' is unknown", "known: date, downloads, market"),
    ),
    BadInput(
        "column-absent",
        both(
            rename("downloads", "date", "x"),
            rename("posts", "posted_at", "y"),
        ),
        (
            "downloads:",
            "column 'x' is unknown",
            "column 'date' is required",
            "posts:",
            "column 'y' is unknown",
            "column 'posted_at' is required",
        ),
    ),
    BadInput(
        "days-absent",
        rows("downloads", lambda own: own[:10] + own[12:]),
        ("every day must have a row", "2 absent days", "2025-01-10, 2025-01-11", "empty value"),
    ),
    BadInput(
        "day-twice",
        rows("downloads", lambda own: own[:11] + own[10:]),
        ("each day must be given once", "2025-01-10", "line 11, line 12"),
    ),
    BadInput(
        "days-unsorted",
        rows("downloads", lambda own: [own[0], own[2], own[1], *own[3:]]),
        ("date order", "2025-01-01 (line 3) after 2025-01-02", "sort"),
    ),
    BadInput(
        "days-newest-first",
        rows("downloads", lambda own: [own[0], *own[:0:-1]]),
        ("date order", "newest first"),
    ),
    BadInput("days-weekly", every("downloads", 7), ("one row per day", "weekly rows")),
    BadInput("days-monthly", monthly, ("one row per day", "monthly rows")),
    BadInput("days-hourly", hourly, ("one row per day", "time of day", "01:00", "hourly")),
    BadInput(
        "days-mixed",
        rows("downloads", weekly_from_july),
        ("mixed frequency", "from 2025-07-01 on", "weekly rows"),
    ),
    BadInput(
        "date-formats",
        both(
            cell("downloads", 4, "date", "03/01/2025"),
            cell("downloads", 6, "date", ""),
            cell("downloads", 8, "date", "2025-02-30"),
        ),
        ("ISO dates", "line 4: '03/01/2025'", "line 8: '2025-02-30'", "none at line 6"),
    ),
    BadInput(
        "date-year",
        cell("downloads", 335, "date", "20255-11-30".replace("20255", "2925")),
        ("between 1970 and 2200", "line 335: 2925-11-30"),
    ),
    BadInput(
        "counts-negative-infinite-text",
        both(
            cell("downloads", 9, "downloads", "-12"),
            cell("downloads", 20, "downloads", "inf"),
            cell("downloads", 30, "downloads", "many"),
            cell("downloads", 31, "downloads", "NA"),
        ),
        (
            "not be negative",
            "line 9: -12",
            "be finite",
            "line 20: inf",
            "must hold numbers",
            "line 30: 'many'",
            "line 31: 'NA'",
        ),
    ),
    BadInput(
        "counts-thousands",
        cell("downloads", 9, "downloads", "1,250"),
        ("must hold numbers", "line 9: '1,250'", "thousands separator"),
    ),
    BadInput(
        "counts-decimal-comma",
        cell("downloads", 9, "downloads", "12,5"),
        ("line 9: '12,5'", "decimal comma"),
    ),
    BadInput(
        "counts-all-empty",
        column("downloads", "downloads", lambda _i, _row: ""),
        ("at least one day must be observed", "every row"),
    ),
    BadInput(
        "many-offenders",
        column("downloads", "downloads", lambda i, row: "-1" if i < 9 else row[1]),
        ("9 values", "line 2: -1", "line 6: -1 and 4 more"),
    ),
    # Posts.
    BadInput(
        "post-id-twice",
        cell("posts", 4, "post_id", "p1"),
        ("every post_id must be given once", "'p1' (line 2, line 4)"),
    ),
    BadInput(
        "post-id-empty",
        cell("posts", 3, "post_id", " "),
        ("every post must have a post_id", "line 3"),
    ),
    BadInput(
        "post-time-text",
        both(
            cell("posts", 2, "posted_at", "3 March 2025"),
            cell("posts", 3, "posted_at", ""),
            cell("posts", 4, "posted_at", "2025-06-01T25:00"),
        ),
        ("ISO timestamps", "line 2: '3 March 2025'", "line 4: '2025-06-01T25:00'", "at line 3"),
    ),
    BadInput(
        "post-zone-absent",
        settings('timezone = "Europe/Rome"\n', ""),
        ("must have a time zone", "line 2: 2025-03-03 18:30:00", "Europe/Rome"),
    ),
    BadInput(
        "post-time-skipped",
        cell("posts", 3, "posted_at", "2025-03-30T02:30"),
        ("local times that exist", "line 3: 2025-03-30 02:30:00", "Europe/Rome"),
    ),
    BadInput(
        "post-time-twice",
        cell("posts", 5, "posted_at", "2025-10-26 02:30"),
        ("happen twice", "line 5: 2025-10-26 02:30:00", "offset"),
    ),
    BadInput(
        "posts-outside",
        both(
            cell("posts", 2, "posted_at", "2024-12-31T23:00"),
            cell("posts", 5, "posted_at", "2025-12-25T10:00"),
        ),
        ("within the days of downloads", "'p1'): 2024-12-31", "'p4'): 2025-12-25"),
    ),
    BadInput(
        "post-nothing-after",
        column("downloads", "downloads", lambda i, row: "" if i > 250 else row[1]),
        ("at least one day on or after a post", "'p4', 2025-09-10"),
    ),
    BadInput(
        "pre-period-short",
        cell("posts", 2, "posted_at", "2025-01-10T18:30"),
        ("at least 14 days", "9 before post 'p1' on 2025-01-10"),
    ),
    BadInput(
        "pre-period-empty",
        column("downloads", "downloads", lambda i, row: "" if i < 55 else row[1]),
        ("at least 14 days", "6 before post 'p1' on 2025-03-03"),
    ),
    BadInput(
        "post-values",
        both(
            cell("posts", 2, "creator_type", "Human"),
            cell("posts", 3, "creator_type", "robot"),
            cell("posts", 4, "views", "0"),
            cell("posts", 5, "cost", "-5"),
            cell("posts", 2, "sponsored", "maybe"),
            cell("posts", 5, "views", "40k"),
        ),
        (
            "human or virtual",
            "line 2: 'Human' (did you mean 'human'?)",
            "line 3: 'robot'",
            "views must be larger than 0",
            "(post 'p3'): 0",
            "cost must not be negative",
            "(post 'p4'): -5",
            "true or false",
            "'maybe'",
            "line 5: '40k'",
        ),
    ),
    BadInput(
        "post-market-without-markets",
        column("posts", "market", lambda i, _row: "IT" if i == 1 else ""),
        ("a post's market", "no market column", "line 3 (post 'p2'): 'IT'"),
    ),
    # Markets.
    BadInput(
        "post-market-unknown",
        both(markets, column("posts", "market", lambda i, _row: ("IT", "UK", "us", "")[i])),
        ("IT, US", "'UK'", "'us' (did you mean 'US'?)"),
    ),
    BadInput(
        "market-incomplete",
        both(markets, rows("downloads", lambda own: own[:-3])),
        ("every day must have a row in market 'US'", "3 absent days"),
    ),
    BadInput(
        "market-empty-cell",
        both(markets, cell("downloads", 7, "market", "")),
        ("'market' must be given in every row", "line 7"),
    ),
    BadInput(
        "market-all-among-several",
        both(
            markets,
            column("downloads", "market", lambda _i, row: row[2].replace("US", "all")),
            remove("controls.csv"),
            settings('controls = "controls.csv"\n', ""),
        ),
        ("'all' cannot be one market among several",),
    ),
    BadInput(
        "controls-market-mismatch",
        both(markets, column("controls", "market", lambda _i, row: row[3].replace("US", "USA"))),
        ("markets must match", "'USA' (did you mean 'US'?)", "found none for 'US'"),
    ),
    BadInput(
        "controls-market-alone",
        column("controls", "market", lambda _i, _row: "IT"),
        ("markets must match", "a market column here and none there"),
    ),
    # Controls.
    BadInput(
        "control-gap",
        both(cell("controls", 12, "rival", ""), cell("controls", 40, "search", "")),
        ("'rival' must have a value on every day", "line 12", "'search' must have", "line 40"),
    ),
    BadInput(
        "control-days-absent",
        rows("controls", lambda own: own[:-2]),
        ("every day must have a row", "2 absent days: 2025-11-29, 2025-11-30"),
    ),
    BadInput(
        "control-weekly",
        every("controls", 7),
        ("one row per day", "weekly rows"),
    ),
    BadInput(
        "control-constant",
        column("controls", "search", lambda _i, _row: "5"),
        ("'search' must vary", "constant 5"),
    ),
    BadInput(
        "control-is-outcome",
        outcome_as_control,
        ("'installs' must not be the outcome",),
    ),
    BadInput(
        "controls-equal",
        both(copied("rival2", lambda r: float(r[1])), copied("third", lambda r: float(r[2]) / 3)),
        ("'rival' and 'rival2' equal", "'search' and 'third' equal", "keep one"),
    ),
    BadInput(
        "control-reserved-name",
        rename("controls", "rival", "posted_at"),
        ("'posted_at' cannot name a control",),
    ),
    BadInput(
        "control-text-infinite",
        both(cell("controls", 3, "rival", "n/a"), cell("controls", 4, "search", "-inf")),
        ("line 3: 'n/a'", "leave the cell empty", "'search' must be finite", "line 4: -inf"),
    ),
    BadInput(
        "control-none",
        rows("controls", lambda own: [row[:1] for row in own]),
        ("one column per control series", "found none"),
    ),
    BadInput(
        "control-market-misspelt",
        both(markets, rename("controls", "market", "markets")),
        ("'markets' holds text; did you mean 'market'",),
    ),
    # Parquet.
    BadInput(
        "parquet-text-and-repeated-day",
        parquet(
            "downloads",
            lambda f: pd.concat([f.iloc[:3], f.iloc[2:]]).assign(
                downloads=lambda g: (
                    g["downloads"]
                    .astype(str)
                    .replace("0", "x")
                    .mask(np.arange(len(g)) == 7, "seven")
                )
            ),
        ),
        (
            "row position 7: 'seven'",
            "each day must be given once",
            "row position 2, row position 3",
        ),
    ),
    BadInput(
        "parquet-timestamps-without-zone",
        both(
            parquet("posts", lambda f: f.assign(posted_at=pd.Timestamp("2025-05-01 10:00"))),
            settings('timezone = "Europe/Rome"\n', ""),
        ),
        ("must have a time zone", "row position 0: 2025-05-01 10:00:00"),
    ),
    # Faults in every table at once.
    BadInput(
        "everything",
        both(
            settings("Europe/Rome", "Mars/Olympus"),
            settings('country = "IT"', 'contry = "IT"'),
            cell("downloads", 100, "downloads", "-1"),
            rows("downloads", lambda own: own[:50] + own[51:]),
            cell("posts", 3, "post_id", "p1"),
            rename("posts", "platform", "plattform"),
            cell("controls", 60, "rival", ""),
            column("controls", "flat", lambda _i, _row: "1"),
        ),
        (
            "'Mars/Olympus'",
            "did you mean 'country'",
            "line 99: -1",
            "2025-02-19",
            "'p1' (line 2, line 3)",
            "did you mean 'platform'",
            "line 60",
            "'flat' must vary",
        ),
    ),
]
