"""Bad input in the downloads, and in several tables at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from spoiling import (
    BadInput,
    both,
    cell,
    column,
    every,
    hourly,
    monthly,
    parquet,
    rename,
    rows,
    settings,
    weekly_from_july,
)

DOWNLOADS: list[BadInput] = [
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
