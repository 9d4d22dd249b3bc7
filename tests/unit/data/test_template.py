"""The campaign to fill in."""

from __future__ import annotations

from pathlib import Path

import pytest

from lift.data.campaign import read_campaign
from lift.data.template import FILES, new_campaign
from lift.errors import LiftError


def test_it_validates_as_it_is_written(tmp_path: Path) -> None:
    folder = new_campaign(tmp_path / "deep" / "mine")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    campaign = read_campaign(folder)
    assert len(campaign.posts) == 4
    assert campaign.control_names == ("rival_downloads", "search_interest")
    assert campaign.name == "my campaign"
    assert set(campaign.posts["creator_type"]) == {"human", "virtual"}


def test_its_settings_explain_every_column_of_posts(tmp_path: Path) -> None:
    text = (new_campaign(tmp_path) / "campaign.toml").read_text(encoding="utf-8")
    for column in read_campaign(tmp_path).posts.columns:
        assert column in text


def test_it_never_writes_over_something(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LiftError, match="empty folder"):
        new_campaign(tmp_path)
    with pytest.raises(LiftError, match="new folder"):
        new_campaign(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
