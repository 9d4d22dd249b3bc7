"""Good campaigns: one content, however it is given."""

from __future__ import annotations

import pickle
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from spoiling import column, content, encoded, parquet, read, write, write_good

from lift.data.campaign import Campaign, read_campaign, write_campaign
from lift.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_good(tmp_path / "good")


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {
        name: pd.read_csv(folder / f"{name}.csv") for name in ("downloads", "posts", "controls")
    }


def frames(folder: Path) -> Campaign:
    return Campaign(**tables(folder), timezone="Europe/Rome", country="IT", name="good")


def test_canonical_tables(folder: Path) -> None:
    campaign = read_campaign(folder)
    assert list(campaign.downloads.columns) == ["date", "market", "downloads"]
    assert campaign.downloads["downloads"].dtype == "float64"
    assert pd.api.types.is_datetime64_dtype(campaign.downloads["date"])
    assert list(campaign.posts.columns) == [
        "post_id",
        "posted_at",
        "influencer",
        "platform",
        "creator_type",
        "content",
        "audience",
        "sponsored",
        "views",
        "cost",
        "market",
    ]
    assert str(campaign.posts["posted_at"].dt.tz) == "Europe/Rome"
    assert campaign.posts["sponsored"].tolist()[:3] == [True, False, True]
    assert campaign.posts["sponsored"].isna().tolist() == [False, False, False, True]
    assert campaign.posts["views"].isna().tolist() == [False, True, False, False]
    assert campaign.posts["audience"].isna().all()
    assert campaign.posts["cost"].tolist()[:2] == [500.0, 0.0]
    assert campaign.markets == ("all",)
    assert campaign.control_names == ("rival", "search")
    assert len(campaign.dates) == 334
    assert campaign.dates[0] == pd.Timestamp("2025-01-01")
    assert "334 days 2025-01-01 to 2025-11-30" in repr(campaign)


def test_csv_parquet_and_frames_are_one_campaign(folder: Path, tmp_path: Path) -> None:
    from_csv = read_campaign(folder)
    for table in ("downloads", "posts", "controls"):
        parquet(table, lambda frame: frame)(folder)
    from_parquet = read_campaign(folder)
    from_frames = frames(folder)
    for other in (from_parquet, from_frames):
        assert other.digests == from_csv.digests
        pd.testing.assert_frame_equal(other.downloads, from_csv.downloads)
        pd.testing.assert_frame_equal(other.posts, from_csv.posts)
        pd.testing.assert_frame_equal(other.controls, from_csv.controls)
        assert other.notices == from_csv.notices
    again = read_campaign(write_campaign(from_csv, tmp_path / "again"))
    assert again.digests == from_csv.digests
    pd.testing.assert_frame_equal(again.posts, from_csv.posts)


def test_digests_do_not_depend_on_the_order_of_posts_or_columns(folder: Path) -> None:
    before = read_campaign(folder).digests
    own = read(folder, "posts")
    write(folder, "posts", [own[0], *own[:0:-1]])
    controls = read(folder, "controls")
    write(folder, "controls", [[row[2], row[0], row[1]] for row in controls])
    assert read_campaign(folder).digests == before


@pytest.mark.parametrize(
    ("table", "line", "name", "value"),
    [
        ("downloads", 40, "downloads", ""),
        ("downloads", 40, "downloads", "0"),
        ("controls", 40, "search", "51.001"),
        ("posts", 2, "posted_at", "2025-03-03T18:31"),
        ("posts", 2, "influencer", "@Ada"),
        ("posts", 3, "views", "1"),
        ("posts", 5, "sponsored", "no"),
        ("posts", 5, "creator_type", "virtual"),
    ],
)
def test_one_cell_changes_the_digest_of_its_table_only(
    folder: Path, table: str, line: int, name: str, value: str
) -> None:
    before = read_campaign(folder).digests
    own = read(folder, table)
    own[line - 1][own[0].index(name)] = value
    write(folder, table, own)
    after = read_campaign(folder).digests
    assert {key for key in before if before[key] != after[key]} == {table}


def test_settings_have_a_digest(folder: Path) -> None:
    given = tables(folder)
    digests = {
        Campaign(**given, timezone="Europe/Rome", country=country, name=name).digests["settings"]
        for country, name in (("IT", "a"), ("IT", "b"), ("FR", "a"), (None, "a"))
    }
    assert len(digests) == 4


def test_byte_order_mark_carriage_returns_and_blank_lines_are_accepted(folder: Path) -> None:
    before = read_campaign(folder).digests
    for file in ("downloads.csv", "posts.csv", "controls.csv", "campaign.toml"):
        text = (folder / file).read_text(encoding="utf-8").replace("\n", "\r\n") + "\r\n\r\n"
        content(file, text.encode("utf-8-sig"))(folder)
    assert read_campaign(folder).digests == before


def test_accented_text_in_utf_8_is_kept(folder: Path) -> None:
    encoded("posts.csv", "utf-8", "@bob", "@bjørn–日本")(folder)
    assert "@bjørn–日本" in read_campaign(folder).posts["influencer"].tolist()


def test_path_of_the_file_of_settings_is_a_campaign(folder: Path) -> None:
    assert read_campaign(folder / "campaign.toml").digests == read_campaign(str(folder)).digests


@pytest.mark.parametrize("given", ["nowhere", "good/posts.csv"])
def test_other_paths_are_no_campaign(folder: Path, given: str) -> None:
    with pytest.raises(InputError, match=r"campaign\.toml"):
        read_campaign(folder.parent / given)


def test_a_post_late_in_new_york_falls_on_its_local_day() -> None:
    days = pd.date_range("2025-01-01", periods=60)
    downloads = pd.DataFrame({"date": days, "downloads": range(60)})
    posts = pd.DataFrame({"post_id": ["late"], "posted_at": ["2025-03-01T23:30:00-05:00"]})
    local = Campaign(downloads, posts, timezone="America/New_York")
    assert local.posts["posted_at"][0].date() == date(2025, 3, 1)
    assert local.posts["posted_at"][0].hour == 23
    with pytest.raises(InputError, match=r"'late'\): 2025-03-02"):
        Campaign(downloads, posts)  # 04:30 UTC on the day after the last one
    naive = posts.assign(posted_at=["2025-03-01 23:30"])
    same = Campaign(downloads, naive, timezone="America/New_York")
    assert same.digests == local.digests


def test_parts_of_a_second_are_kept(folder: Path) -> None:
    given = tables(folder)
    given["posts"]["posted_at"] = [f"2025-05-0{i}T10:20:30.123456+02:00" for i in range(1, 5)]
    stamp = Campaign(**given, timezone="Europe/Rome").posts["posted_at"][0]
    assert (stamp.second, stamp.microsecond) == (30, 123456)


def test_without_a_zone_days_are_utc(folder: Path) -> None:
    given = tables(folder)
    given["posts"]["posted_at"] = pd.date_range("2025-05-01 22:30", periods=4, tz="Europe/Rome")
    campaign = Campaign(**given)
    assert campaign.timezone == "UTC"
    assert campaign.posts["posted_at"][0] == pd.Timestamp("2025-05-01 20:30", tz="UTC")
    assert str(campaign.posts["posted_at"].dt.tz) == "UTC"
    assert any("UTC day" in notice for notice in campaign.notices)


def test_clock_changes_with_an_offset_are_two_instants(folder: Path) -> None:
    given = tables(folder)
    given["posts"]["posted_at"] = [
        "2025-10-26T02:30+02:00",
        "2025-10-26T02:30+01:00",
        "2025-10-26T00:30Z",
        "2025-10-26 03:30:00 +02:00",
    ]
    posts = Campaign(**given, timezone="Europe/Rome").posts
    utc = dict(zip(posts["post_id"], posts["posted_at"].dt.tz_convert("UTC").dt.hour, strict=True))
    assert utc == {"p1": 0, "p2": 1, "p3": 0, "p4": 1}


def test_a_missing_value_is_not_zero(folder: Path) -> None:
    column("downloads", "downloads", lambda i, row: {5: "", 6: "0"}.get(i, row[1]))(folder)
    campaign = read_campaign(folder)
    assert np.isnan(campaign.downloads["downloads"][5])
    assert campaign.downloads["downloads"][6] == 0.0
    assert "downloads: 1 day not observed: 2025-01-06" in campaign.notices


def test_a_run_of_zeros_and_broken_counts_are_said(folder: Path) -> None:
    column("downloads", "downloads", lambda i, row: "0" if 100 <= i < 108 else row[1])(folder)
    column("downloads", "downloads", lambda i, row: "12.5" if i == 9 else row[1])(folder)
    notices = "\n".join(read_campaign(folder).notices)
    assert "8 days of zero in a row from 2025-04-11" in notices
    assert "1 value not whole (line 11: 12.5)" in notices


def test_other_notices(folder: Path) -> None:
    given = tables(folder)
    posts = given["posts"]
    posts["platform"] = ["TikTok", "tiktok", "Instagram", "Instagram"]
    posts["posted_at"] = ["2025-01-20", "2025-03-01T10:00", "2025-03-02T10:00", "2025-03-03T10:00"]
    notices = "\n".join(Campaign(**given, timezone="Europe/Rome").notices)
    assert "'TikTok' and 'tiktok'" in notices
    assert "1 post at exactly 00:00 (p1)" in notices
    assert "only 19 observed days before the first post 'p1'" in notices
    assert "1 post without views (p2)" in notices


def test_a_control_that_is_the_downloads_but_for_a_day_is_noticed(folder: Path) -> None:
    given = tables(folder)
    rank = 1e6 / given["downloads"]["downloads"].clip(lower=1.0)
    given["controls"]["rank"] = rank.where(rank.index != 9, 1.02 * rank).interpolate()
    notices = Campaign(**given, timezone="Europe/Rome").notices
    (found,) = [notice for notice in notices if notice.startswith("controls: ")]
    assert found.startswith("controls: 'rank' moves with the downloads day by day, almost exactly")


def test_kinds_of_columns_that_frames_have(folder: Path) -> None:
    given = tables(folder)
    plain = frames(folder)
    downloads, posts = given["downloads"], given["posts"]
    days = pd.to_datetime(downloads["date"])
    kinds = [
        downloads.assign(date=days),
        downloads.assign(date=days.dt.tz_localize("Europe/Rome")),
        downloads.assign(date=days.dt.date),
        downloads.assign(date=days.dt.to_period("D")),
        downloads.assign(date=downloads["date"] + " 00:00:00"),
        downloads.assign(downloads=downloads["downloads"].astype(float)),
        downloads.assign(downloads=downloads["downloads"].astype("Int64")),
        downloads.assign(downloads=downloads["downloads"].astype(str)),
        downloads.assign(downloads=[Decimal(int(y)) for y in downloads["downloads"]]),
        downloads.convert_dtypes(dtype_backend="pyarrow"),
        downloads.set_index(pd.RangeIndex(5, 5 + len(downloads))),
    ]
    for frame in kinds:
        digests = Campaign(frame, posts, timezone="Europe/Rome").digests
        assert digests["downloads"] == plain.digests["downloads"]
    stamps = pd.to_datetime(posts["posted_at"].str.slice(0, 16)).dt.tz_localize("Europe/Rome")
    for kind in (
        posts.assign(posted_at=stamps),
        posts.assign(posted_at=stamps.dt.tz_convert("Asia/Tokyo")),
        posts.assign(posted_at=[stamp.to_pydatetime() for stamp in stamps]),
        posts.astype({"platform": "category"}),
        posts.sample(frac=1, random_state=3),
    ):
        digests = Campaign(downloads, kind, timezone="Europe/Rome").digests
        assert digests["posts"] == plain.digests["posts"]


def test_numeric_ids_are_text(folder: Path) -> None:
    given = tables(folder)
    given["posts"]["post_id"] = [10, 20, 30, 40]
    assert frames_of(given).posts["post_id"].tolist() == ["10", "20", "30", "40"]
    given["posts"]["post_id"] = [10.0, 20.0, 30.0, 40.0]
    assert frames_of(given).posts["post_id"].tolist() == ["10", "20", "30", "40"]


def frames_of(given: dict[str, pd.DataFrame]) -> Campaign:
    return Campaign(**given, timezone="Europe/Rome")


def test_arguments_are_not_changed_nor_kept(folder: Path) -> None:
    given = tables(folder)
    copies = {name: frame.copy() for name, frame in given.items()}
    campaign = frames_of(given)
    digests = campaign.digests
    for name, frame in given.items():
        pd.testing.assert_frame_equal(frame, copies[name])
        frame.iloc[:, 1] = frame.iloc[0, 1]
    assert campaign.digests == digests


def test_faults_of_arguments_are_named_together(folder: Path) -> None:
    given = tables(folder)
    with pytest.raises(InputError) as caught:
        Campaign(
            given["downloads"].set_index("date"),
            given["posts"].drop(columns="posted_at"),
            controls=given["controls"].rename(columns={"rival": 7}),
            timezone="Rome",
            country="Italy",
            name="",
        )
    message = str(caught.value)
    for piece in (
        "call .reset_index()",
        "column 'posted_at' is required",
        "column names must be text, found 7",
        "'Rome' (did you mean 'Europe/Rome'?)",
        "'Italy'",
        "name must be text",
    ):
        assert piece in message
    assert {problem.where for problem in caught.value.problems} == {
        "campaign",
        "downloads",
        "posts",
        "controls",
    }
    with pytest.raises(InputError, match="must be a pandas DataFrame, found str"):
        Campaign("downloads.csv", given["posts"])


def test_truth_values_are_no_counts(folder: Path) -> None:
    given = tables(folder)
    given["downloads"]["downloads"] = True
    with pytest.raises(InputError, match="row position 0: True"):
        frames_of(given)


def test_controls_may_reach_further_than_downloads(folder: Path) -> None:
    own = read(folder, "downloads")
    write(folder, "downloads", [own[0], *own[11:]])
    campaign = read_campaign(folder)
    assert campaign.controls is not None
    assert campaign.controls["date"].min() == pd.Timestamp("2025-01-11")
    assert any("10 rows outside the days of downloads" in notice for notice in campaign.notices)


def test_a_campaign_of_canonical_tables_is_the_same(folder: Path) -> None:
    one = read_campaign(folder)
    two = Campaign(
        one.downloads, one.posts, one.controls, one.timezone, country=one.country, name=one.name
    )
    assert two.digests == one.digests
    three = pickle.loads(pickle.dumps(one))
    assert three.digests == one.digests


def test_write_without_controls_country_and_with_unobserved_days(tmp_path: Path) -> None:
    downloads = pd.DataFrame(
        {
            "date": pd.date_range("2024-02-01", periods=40),
            "downloads": [np.nan, 1.5, *range(38)],
        }
    )
    posts = pd.DataFrame({"post_id": ["a,b"], "posted_at": ["2024-03-01T10:00:00+05:45"]})
    one = Campaign(downloads, posts)
    two = read_campaign(write_campaign(one, tmp_path / "copy"))
    assert two.digests == one.digests
    assert two.country is None
    assert two.controls is None
    assert not (tmp_path / "copy" / "controls.csv").exists()


def test_posts_without_an_observed_day_in_the_horizon(folder: Path) -> None:
    column("downloads", "downloads", lambda i, row: "" if 252 <= i < 270 else row[1])(folder)
    campaign = read_campaign(folder)  # p4 goes out on day 252, 2025-09-10
    assert campaign.unobserved_posts(17) == ("p4",)
    assert campaign.unobserved_posts(18) == ()


def test_checking_two_years_takes_less_than_a_tenth_of_a_second() -> None:
    rng = np.random.default_rng(5)
    days = pd.date_range("2023-01-01", periods=730)
    downloads = pd.DataFrame({"date": days.astype(str), "downloads": rng.poisson(100, 730)})
    stamps = pd.date_range("2023-03-01 10:30", periods=40, freq="13D").astype(str)
    posts = pd.DataFrame({"post_id": [f"p{i}" for i in range(40)], "posted_at": stamps})
    controls = pd.DataFrame(rng.normal(size=(730, 5)), columns=list("abcde"))
    controls.insert(0, "date", days)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        Campaign(downloads, posts, controls, timezone="Europe/Rome", country="IT")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1
