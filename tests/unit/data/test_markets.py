"""Campaigns in several markets."""

from __future__ import annotations

from pathlib import Path

import pytest
from spoiling import column, markets, read, write, write_good

from lift.data.campaign import read_campaign, write_campaign
from lift.errors import LiftError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_good(tmp_path / "good")


def test_several_markets(folder: Path) -> None:
    markets(folder)
    column("posts", "market", lambda i, _row: ("IT", "US", "", "IT")[i])(folder)
    campaign = read_campaign(folder)
    assert campaign.markets == ("IT", "US")
    assert len(campaign.downloads) == 2 * 334
    american = campaign.market("US")
    assert american.markets == ("US",)
    assert american.posts["post_id"].tolist() == ["p2", "p3"]
    assert len(american.downloads) == len(american.dates) == 334
    assert american.controls is not None
    assert set(american.controls["market"]) == {"US"}
    assert campaign.market("IT").posts["post_id"].tolist() == ["p1", "p3", "p4"]
    with pytest.raises(LiftError, match=r"IT, US, found 'it' \(did you mean 'IT'\?\)"):
        campaign.market("it")


def test_shares_of_the_audience_say_which_markets_a_post_reaches(folder: Path) -> None:
    markets(folder)
    column("posts", "market", lambda i, _row: ("", "", "US", "")[i])(folder)
    column("posts", "share_IT", lambda i, _row: ("0.7", "1", "", "")[i])(folder)
    column("posts", "share_US", lambda i, _row: ("0.2", "", "", "")[i])(folder)
    campaign = read_campaign(folder)
    assert campaign.audience_share("IT").tolist() == [0.7, 1.0, 0.0, 1.0]
    assert campaign.audience_share("US").tolist() == [0.2, 0.0, 1.0, 1.0]
    assert campaign.market("US").posts["post_id"].tolist() == ["p1", "p3", "p4"]
    assert campaign.market("US", every_post=True).posts["post_id"].tolist()[1] == "p2"
    again = read_campaign(write_campaign(campaign, folder.parent / "again"))
    assert again.digests == campaign.digests
    without = read(folder, "posts")
    write(folder, "posts", [row[: without[0].index("share_IT")] for row in without])
    assert read_campaign(folder).digests["posts"] != campaign.digests["posts"]


def test_order_of_markets_does_not_matter(folder: Path) -> None:
    markets(folder)
    before = read_campaign(folder).digests
    for table in ("downloads", "controls"):
        own = read(folder, table)
        write(folder, table, [own[0], *sorted(own[1:], key=lambda row: (row[0], row[-1]))])
    assert read_campaign(folder).digests == before


def test_a_market_without_posts_is_said_and_kept(folder: Path) -> None:
    markets(folder)
    column("posts", "market", lambda _i, _row: "IT")(folder)
    campaign = read_campaign(folder)
    assert "posts: no post reaches market 'US'" in campaign.notices
    assert campaign.market("US").posts.empty


def test_controls_without_a_market_are_shared(folder: Path) -> None:
    own = read(folder, "controls")
    markets(folder)
    write(folder, "controls", own)
    campaign = read_campaign(folder)
    assert campaign.controls is not None
    assert len(campaign.controls) == 2 * 334
    assert "controls: no market column, so every market has the same controls" in campaign.notices


def test_write_and_read_several_markets(folder: Path, tmp_path: Path) -> None:
    markets(folder)
    one = read_campaign(folder)
    two = read_campaign(write_campaign(one, tmp_path / "deep" / "copy"))
    assert two.digests == one.digests
    assert two.markets == one.markets
    with pytest.raises(LiftError, match="new folder"):
        write_campaign(one, tmp_path / "deep" / "copy")
