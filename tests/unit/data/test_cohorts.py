"""The cohort table: what is accepted, what is named, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_campaigns import campaign

from lift.data.campaign import Campaign, read_campaign, write_campaign
from lift.data.cohorts import cohorts_of, read_cohorts, users_campaign
from lift.errors import InputError, LiftError

START = "2025-01-01"


def table(n: int = 40) -> pd.DataFrame:
    """Return cohorts of 1,000 installs; the last are too young for day 7."""
    active_d7 = np.full(n, 150.0)
    active_d7[-7:] = np.nan
    return pd.DataFrame(
        {
            "install_date": pd.date_range(START, periods=n).strftime("%Y-%m-%d"),
            "installs": np.full(n, 1000),
            "active_d1": np.full(n, 300),
            "active_d7": active_d7,
        }
    )


def changed(column: str, row: int, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        cells = frame[column].astype(object)
        cells.iloc[row] = value
        return frame.assign(**{column: cells})

    return change


def test_canonical_table() -> None:
    found = read_cohorts(table())
    assert found.days == (1, 7)
    assert list(found.table.columns) == ["install_date", "installs", "active_d1", "active_d7"]
    assert found.table["active_d7"].isna().sum() == 7
    assert found.table.dtypes.iloc[1:].unique().tolist() == [np.dtype("float64")]
    assert found.notices == ("cohorts: active_d7 not observed for 7 install dates",)


def test_files_and_frames_are_alike(tmp_path: Path) -> None:
    frame = table()
    frame.to_csv(tmp_path / "cohorts.csv", index=False)
    frame.to_parquet(tmp_path / "cohorts.parquet")
    digests = {
        read_cohorts(source).digest
        for source in (frame, tmp_path / "cohorts.csv", str(tmp_path / "cohorts.parquet"))
    }
    assert len(digests) == 1
    assert read_cohorts(changed("active_d1", 3, 299)(frame)).digest not in digests


def test_days_are_ordered_whatever_the_columns() -> None:
    frame = table().rename(columns={"active_d7": "active_d30"}).assign(active_d14=100)
    assert read_cohorts(frame[frame.columns[::-1]]).days == (1, 14, 30)


def test_days_on_dates() -> None:
    dates = pd.date_range("2024-12-30", periods=5)
    installs, active = read_cohorts(table()).on(dates, 7)
    np.testing.assert_array_equal(installs, [np.nan, np.nan, 1000, 1000, 1000])
    np.testing.assert_array_equal(active, [np.nan, np.nan, 150, 150, 150])
    with pytest.raises(InputError, match="'active_d30' is needed"):
        read_cohorts(table()).on(dates, 30)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (changed("active_d1", 4, 1001), ("not exceed", "row position 4: 1001 of 1000")),
        (changed("installs", 2, -5), ("'installs' must not be negative", "row position 2: -5")),
        (changed("active_d1", 4, "many"), ("must hold numbers", "row position 4: 'many'")),
        (changed("active_d1", 4, 1.5), ("must count people", "row position 4: 1.5")),
        (
            lambda f: f.assign(active_d1=0.3),
            ("'active_d1' must count people", "give counts, not rates"),
        ),
        (changed("installs", 4, None), ("'installs' must be given where 'active_d1' is",)),
        (changed("install_date", 4, "05/01/2025"), ("ISO dates", "row position 4")),
        (lambda f: f.iloc[::-1], ("date order", "2025-02-08 (row position 1) after 2025-02-09")),
        (
            lambda f: pd.concat([f.iloc[:5], f.iloc[4:]]),
            ("once", "2025-01-05 (row position 4, row position 5)"),
        ),
        (lambda f: f.iloc[::7], ("one row per install day", "7 days apart")),
        (lambda f: f.rename(columns={"installs": "instals"}), ("mean 'installs'",)),
        (lambda f: f.rename(columns={"install_date": "day"}), ("'install_date' is required",)),
        (lambda f: f[["install_date", "installs"]], ("must be a column active_dN",)),
        (lambda f: f.assign(active_d7=np.nan), ("'active_d7' must have a value",)),
        (lambda f: f.assign(active_d7=f["active_d7"].fillna(0)), ("too young", "about 1050 users")),
        (lambda f: f.iloc[:0], ("must have rows",)),
        (lambda f: f.to_numpy(), ("must be a pandas DataFrame",)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_faults_are_named(spoil: Callable[[pd.DataFrame], object], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        read_cohorts(spoil(table()))  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)
    assert {problem.where for problem in caught.value.problems} == {"cohorts"}


@pytest.mark.parametrize("name", ["activ_d7", "active_d07", "Active D7", "active_day7"])
def test_misspelt_days_are_understood(name: str) -> None:
    with pytest.raises(
        InputError, match=f"'{name}' is unknown; did you mean 'active_d7'"
    ) as caught:
        read_cohorts(table().rename(columns={"active_d7": name}))
    assert len(caught.value.problems) == 1


def test_all_faults_at_once() -> None:
    frame = changed("installs", 1, -1)(changed("active_d1", 4, 1001)(table()))
    frame = pd.concat([frame, frame.iloc[-1:]]).rename(columns={"active_d7": "activ_d7"})
    with pytest.raises(InputError) as caught:
        read_cohorts(frame)
    text = str(caught.value)
    for words in ("-1", "1001 of 1000", "once", "mean 'active_d7'"):
        assert words in text


def test_a_table_that_came_after_the_fit_may_have_other_days() -> None:
    assert len(read_cohorts(table(), pd.date_range(START, periods=60)).table) == 40
    part = read_cohorts(table(), pd.date_range("2025-01-03", "2025-02-08"))
    assert len(part.table) == 37
    assert "cohorts: 3 rows outside the days of the run, not used" in part.notices
    with pytest.raises(InputError, match="2026-01-01 to 2026-01-09, found none"):
        read_cohorts(table(), pd.date_range("2026-01-01", periods=9))


def test_the_market_of_a_table_is_chosen() -> None:
    both = pd.concat([table().assign(market="DE"), table().assign(market="IT", installs=500)])
    assert (read_cohorts(both, market="IT").table["installs"] == 500).all()
    with pytest.raises(InputError, match="rows of the market 'all', found DE, IT"):
        read_cohorts(both)


def test_notices() -> None:
    frame = changed("active_d7", 3, 400)(table()).drop(index=[10, 11])
    found = read_cohorts(frame).notices
    assert any("2 install dates absent" in notice for notice in found)
    assert any("day 7 than on day 1 on 1 install date (first 2025-01-04)" in n for n in found)


def test_few_zeros_are_zeros() -> None:
    frame = table().assign(installs=3, active_d1=1, active_d7=0)
    assert (read_cohorts(frame).table["active_d7"] == 0).all()


def with_cohorts(n: int, young: int, given: Campaign, **columns: object) -> Campaign:
    """Return a campaign with cohorts on its first days; 0, 1, 2, ... are active on day 7."""
    active = [float(i) for i in range(n - young)] + [np.nan] * young
    return Campaign(
        given.downloads.drop(columns="market"),
        given.posts.drop(columns="market"),
        None if given.controls is None else given.controls.drop(columns="market"),
        given.timezone,
        given.country,
        given.name,
        table(n).assign(active_d7=active, **columns),
    )


def test_a_campaign_holds_its_cohorts(tmp_path: Path) -> None:
    made = with_cohorts(70, 7, campaign(80))
    assert made.cohorts is not None
    assert list(made.cohorts.columns) == [
        "install_date",
        "market",
        "installs",
        "active_d1",
        "active_d7",
    ]
    assert "cohorts: active_d7 not observed for 7 install dates" in made.notices
    assert set(made.digests) - set(campaign(80).digests) == {"cohorts"}
    folder = write_campaign(made, tmp_path / "campaign")
    assert "market" not in (folder / "cohorts.csv").read_text().splitlines()[0]
    again = read_campaign(folder)
    assert again.digests == made.digests
    assert cohorts_of(again.cohorts, "all").days == (1, 7)  # type: ignore[arg-type]


def test_each_market_has_its_cohorts() -> None:
    one = campaign(60)
    downloads = pd.concat([one.downloads.assign(market=name) for name in ("de", "it")])
    posts = one.posts.drop(columns="market")
    cohorts = pd.concat([table().assign(market="de"), table().assign(market="it", active_d1=1)])
    made = Campaign(downloads, posts, cohorts=cohorts)
    found = made.market("it").cohorts
    assert found is not None
    assert (found["active_d1"] == 1).all()
    with pytest.raises(InputError, match="cohorts must say their market"):
        Campaign(downloads, posts, cohorts=table())
    with pytest.raises(InputError, match=r"every market of downloads must have cohorts.*'it'"):
        Campaign(downloads, posts, cohorts=table().assign(market="de"))
    with pytest.raises(InputError, match="a market column here and none there"):
        Campaign(one.downloads.drop(columns="market"), posts, cohorts=cohorts)


def test_faults_of_cohorts_are_named_with_the_others() -> None:
    one = campaign(60)
    downloads = one.downloads.drop(columns="market").assign(downloads=-1.0)
    with pytest.raises(InputError) as caught:
        Campaign(
            downloads,
            one.posts.drop(columns="market"),
            cohorts=changed("installs", 2, -5)(table(61)),
        )
    assert {problem.where for problem in caught.value.problems} == {"downloads", "cohorts"}
    text = str(caught.value)
    assert "'installs' must not be negative" in text
    assert "days of downloads, 2025-01-01 to 2025-03-01, found 1 other date: 2025-03-02" in text


def test_users_campaign() -> None:
    given = campaign(80, (30.4, 48.8, 77.5), n_controls=1, missing=(4,))
    made = users_campaign(with_cohorts(80, 7, given), 7, 28)
    assert made.name == "campaign: users active on day 7"
    assert len(made.dates) == 73
    np.testing.assert_array_equal(made.downloads["downloads"], np.arange(73.0))
    assert made.posts["post_id"].tolist() == ["p1", "p2"]
    assert made.timezone == given.timezone
    assert made.controls is not None
    assert made.controls["date"].max() == made.dates[-1]


def test_users_campaign_leaves_out_posts_of_which_no_cohort_was_seen() -> None:
    given = with_cohorts(80, 0, campaign(80, (30.4, 48.8)), active_d1=300)
    assert given.cohorts is not None
    cohorts = given.cohorts.assign(active_d7=np.where(abs(np.arange(80) - 36) < 9, np.nan, 20.0))
    assert users_campaign(
        Campaign(
            given.downloads.drop(columns="market"),
            given.posts.drop(columns="market"),
            cohorts=cohorts.drop(columns="market"),
        ),
        7,
        10,
    ).posts["post_id"].tolist() == ["p2"]


def test_users_campaign_keeps_what_is_known() -> None:
    given = campaign(80, (30.4, 48.8))
    posts = given.posts.assign(cost=[10.0, 20.0], sponsored=[True, False]).drop(columns="market")
    rich = campaign(80, posts=posts, country="IT")
    made = users_campaign(with_cohorts(60, 7, rich), 7, 28)
    assert made.country == "IT"
    assert made.posts["cost"].tolist() == [10.0, 20.0]
    assert made.posts["sponsored"].tolist() == [True, False]


def test_users_campaign_needs_one_market_and_the_day() -> None:
    one = campaign(80)
    two = pd.concat([one.downloads.assign(market=name) for name in ("de", "it")])
    both = campaign(80).__class__(two, one.posts.drop(columns="market"))
    with pytest.raises(LiftError, match="found 2 in the campaign"):
        users_campaign(both, 7, 28)
    with pytest.raises(InputError, match="'active_d30' is needed"):
        users_campaign(with_cohorts(80, 7, one), 30, 28)
    with pytest.raises(InputError, match="needs a cohort table"):
        users_campaign(one, 7, 28)
