"""Whatever is in a table or file, the answer is a campaign or an InputError."""

from __future__ import annotations

import math
import tempfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from spoiling import POSTS, write_good

from lift.data.campaign import Campaign, read_campaign
from lift.errors import InputError

ODD = st.sampled_from(
    [
        "",
        " ",
        "NaN",
        "1e400",
        "-0",
        "١٢",
        "1_000",
        "0x10",
        "2025-02-30",
        "0001-01-01",
        "9999-12-31T23:59:59+00:00",
        "2025-01-05T10:00:00.123456789Z",
        "2025-06-01T10:00+99:00",
        "2025-06-01T10:00+23:59",
        "\x00",
        "'",
        '"',
        "a\nb",
        "=1+1",
        None,
        np.nan,
        math.inf,
        pd.NaT,
        pd.NA,
        True,
        3,
        2**70,
        -1.5,
        Decimal("1.1"),
        Decimal("sNaN"),
        1 + 2j,
        b"bytes",
        [1],
        date(2025, 3, 1),
        datetime(2025, 3, 1, 10),
        datetime(1, 1, 1),
        pd.Timestamp("2025-03-01", tz="Asia/Tokyo"),
        np.datetime64("2025-03-01T10"),
        np.datetime64("NaT", "us"),
        pd.Period("2025-03", "M"),
        pd.Timedelta(1, "D"),
        object(),
    ]
)


def base() -> dict[str, pd.DataFrame]:
    days = pd.date_range("2025-01-01", periods=60)
    rng = np.random.default_rng(2)
    return {
        "downloads": pd.DataFrame(
            {"date": days, "downloads": rng.poisson(9, 60), "market": "x"}, dtype=object
        ),
        "posts": pd.DataFrame(
            {
                "post_id": ["a", "b"],
                "posted_at": ["2025-02-01T10:00", "2025-02-09T10:00"],
                "influencer": ["i", "j"],
                "creator_type": ["human", ""],
                "sponsored": [True, ""],
                "views": [10, ""],
                "cost": [1, 0],
                "market": ["x", ""],
            },
            dtype=object,
        ),
        "controls": pd.DataFrame(
            {"date": days, "one": rng.normal(size=60), "market": "x"}, dtype=object
        ),
    }


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["downloads", "posts", "controls"]),
            st.integers(0, 59),
            st.integers(0, 7),
            ODD,
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=100)
def test_odd_cells(changes: list[tuple[str, int, int, object]]) -> None:
    tables = base()
    for table, i, j, value in changes:
        frame = tables[table]
        frame.iat[i % len(frame), j % frame.shape[1]] = value
    try:
        campaign = Campaign(**tables, timezone="Europe/Rome")
    except InputError:
        return
    assert len(campaign.dates) == 60
    assert campaign.digests == Campaign(**tables, timezone="Europe/Rome").digests


@given(st.binary(max_size=200), st.sampled_from(["downloads.csv", "posts.csv", "campaign.toml"]))
def test_odd_files(data: bytes, file: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_good(Path(name))
        (folder / file).write_bytes(data)
        try:
            read_campaign(folder)
        except InputError:
            return


@given(st.integers(0, len(POSTS) - 1), st.text(max_size=4))
def test_odd_text_in_posts(position: int, text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_good(Path(name))
        changed = POSTS[:position] + text + POSTS[position + 1 :]
        (folder / "posts.csv").write_text(
            changed, encoding="utf-8", errors="surrogatepass", newline=""
        )
        try:
            read_campaign(folder)
        except InputError:
            return
