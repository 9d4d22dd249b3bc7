"""The real series in the folder that LIFT_DATA_DIR names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from spoiling import POSTS, content, write_good

from lift.data import datasets
from lift.data.campaign import Campaign, read_campaign
from lift.data.dataset_registry import DATASETS
from lift.errors import InputError, LiftError

pytestmark = pytest.mark.real_data

LOCAL = sorted(name for name, dataset in DATASETS.items() if dataset.file)


@pytest.mark.parametrize("name", LOCAL)
def test_every_data_set_has_its_layout(data_dir: Path, name: str) -> None:
    frame = datasets.fetch(name)
    assert list(frame.columns) == ["series_id", "date", "value"]
    assert frame["value"].dtype == "float64"
    assert not frame.duplicated(["series_id", "date"]).any()
    listed = pd.read_csv(data_dir / "series.csv")
    listed = listed[listed["file"] == DATASETS[name].file].set_index("series_id")
    assert len(listed) > 0
    observed = frame.dropna().groupby("series_id")["value"].agg(["count", "median"])
    pd.testing.assert_series_equal(
        observed["count"], listed["n_observed"].sort_index(), check_names=False
    )
    pd.testing.assert_series_equal(
        observed["median"], listed["median"].sort_index(), check_names=False, atol=1e-3
    )


def test_every_file_of_the_layout_is_registered(data_dir: Path) -> None:
    files = {
        path.relative_to(data_dir).as_posix()
        for path in data_dir.rglob("*.csv")
        if path.read_text(encoding="utf-8").startswith("series_id,date,value\n")
    }
    assert files == {DATASETS[name].file for name in LOCAL}


def test_immuni_is_a_campaign_with_its_events_as_posts(data_dir: Path) -> None:
    series = datasets.fetch("app_immuni")
    own = series[series["series_id"] == "app:immuni_ios_android"]
    events = datasets.events("app:immuni_ios_android")
    assert events["kind"].tolist() == ["launch", "rollout", "rollout"]
    posts = pd.DataFrame(
        {"post_id": ["certificate"], "posted_at": [events["date"].iloc[2] + pd.Timedelta("10h")]}
    )
    downloads = own[["date", "value"]].rename(columns={"value": "downloads"})
    campaign = Campaign(downloads, posts, timezone="Europe/Rome", country="IT")
    assert len(campaign.dates) == 729
    assert campaign.downloads["downloads"].iloc[0] == 309652
    assert "Festa della Repubblica" in set(campaign.holidays()["holiday"])
    assert data_dir.is_dir()


def test_downloads_of_a_campaign_may_be_a_series(data_dir: Path, tmp_path: Path) -> None:
    folder = write_good(tmp_path)
    content(
        "campaign.toml",
        'timezone = "Europe/Rome"\n[tables]\nposts = "posts.csv"\n'
        '[tables.downloads]\ndataset = "app_immuni"\nseries = "app:immuni_ios"\n',
    )(folder)
    content("posts.csv", POSTS.replace("2025-", "2021-"))(folder)
    campaign = read_campaign(folder)
    assert len(campaign.dates) == 729
    assert data_dir.is_dir()
    wrong = (folder / "campaign.toml").read_text(encoding="utf-8").replace("_ios", "_io")
    content("campaign.toml", wrong)(folder)
    with pytest.raises(InputError, match=r"'app:immuni_io' \(did you mean 'app:immuni_ios'\?\)"):
        read_campaign(folder)


def test_a_changed_file_is_refused(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "app_immuni.csv"
    shutil.copyfile(data_dir / "app_immuni.csv", copy)
    monkeypatch.setenv("LIFT_DATA_DIR", str(tmp_path))
    assert len(datasets.fetch("app_immuni")) == 3 * 729
    copy.write_bytes(copy.read_bytes().replace(b"172357", b"172358"))
    with pytest.raises(LiftError, match="must have the sha256 cb0723fb"):
        datasets.fetch("app_immuni")


def test_events_of_a_prefix_stand_for_its_series(data_dir: Path) -> None:
    everything = datasets.events()
    assert len(everything) > 100
    stars = [f"{name}:" for name in ("hnstar",)]
    posts = everything[everything["series_id"].str.startswith(tuple(stars))]
    assert len(posts) == 10
    one = datasets.events("hnstar:tiny-tpu-v2/tiny-tpu")
    assert one["date"].tolist() == [pd.Timestamp("2025-08-18")]
    starred = everything[everything["series_id"].str.endswith("*")]["series_id"].iloc[0]
    assert starred in set(datasets.events(starred[:-1] + "anything")["series_id"])
    assert data_dir.is_dir()
