"""Bad input in the posts, the markets and the controls."""

from __future__ import annotations

from spoiling import (
    BadInput,
    both,
    cell,
    column,
    copied,
    every,
    markets,
    outcome_as_control,
    remove,
    rename,
    root_of_outcome_as_control,
    rows,
    settings,
)

POSTS_AND_CONTROLS: list[BadInput] = [
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
        "share-above-one",
        both(markets, column("posts", "share_IT", lambda i, _row: ("60", "0.4", "", "")[i])),
        ("must be in 0 to 1", "line 2: share_IT = 60"),
    ),
    BadInput(
        "shares-above-one-together",
        both(
            markets,
            column("posts", "share_IT", lambda i, _row: ("0.6", "0.8", "0", "")[i]),
            column("posts", "share_US", lambda i, _row: ("0.4", "0.4", "0", "")[i]),
        ),
        ("must add up to more than 0 and at most 1", "line 3: 1.2", "line 4: 0"),
    ),
    BadInput(
        "share-and-market",
        both(
            markets,
            column("posts", "market", lambda i, _row: "IT" if i == 1 else ""),
            column("posts", "share_US", lambda _i, _row: "0.5"),
        ),
        ("either a market or shares", "line 3"),
    ),
    BadInput(
        "share-of-an-unknown-market",
        both(markets, column("posts", "share_us", lambda _i, _row: "0.5")),
        ("column 'share_us' is unknown; did you mean 'share_US'?",),
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
        ("every day must have a row", "2 absent days: 2025-11-29, 2025-11-30; add their rows with"),
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
        "control-is-root-of-outcome",
        root_of_outcome_as_control,
        ("'interest' must not be the outcome", "a power of them"),
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
        "control-huge",
        both(cell("controls", 3, "rival", "1e300"), cell("downloads", 9, "downloads", "2e16")),
        (
            "'rival' must have values between -1e+100",
            "line 3: 1e+300",
            "at most 9.0072e+15",
            "line 9",
        ),
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
]
