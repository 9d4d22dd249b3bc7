"""The inputs of a run are found again, and refused where they are not those of the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_campaigns import campaign

from lift.data import example
from lift.data.campaign import Campaign, read_campaign, write_campaign
from lift.errors import InputError, RunError
from lift.output import manifest
from lift.pipeline import campaign_of


def run_of(read: Campaign, folder: Path) -> Path:
    """Write the manifest of a run of a campaign; nothing else of a run is read here."""
    folder.mkdir(parents=True)
    built = manifest.build(
        name=read.name,
        market=read.markets[0],
        inputs=read.digests,
        spec_toml="",
        seed=1,
        draws=400,
        chains=4,
        engine="exact",
        source=read.source,
    )
    (folder / manifest.FILE).write_text(manifest.text(built), encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a campaign and a run of it, which is the working directory."""
    home = tmp_path / "project"
    monkeypatch.chdir(tmp_path)
    write_campaign(campaign(n_controls=1), home / "data" / "spring")
    monkeypatch.chdir(home)
    run_of(read_campaign("data/spring"), home / "runs" / "first")
    return home


def test_the_campaign_is_found_from_the_working_directory(project: Path) -> None:
    recorded = json.loads((project / "runs/first" / manifest.FILE).read_text())
    assert recorded["source"] == "data/spring"
    assert campaign_of("runs/first").digests == read_campaign("data/spring").digests


def test_the_campaign_is_found_from_anywhere_and_after_a_move(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(project, tmp_path / "clone")
    monkeypatch.chdir(tmp_path)
    assert campaign_of(Path("clone/runs/first")).name == "campaign"


def test_an_absolute_path_is_not_written_down(project: Path) -> None:
    assert read_campaign(project / "data" / "spring").source == "data/spring"
    assert read_campaign(project / "data" / "spring" / "campaign.toml").source == (
        "data/spring/campaign.toml"
    )


def test_the_campaign_can_be_given(project: Path, tmp_path: Path) -> None:
    shutil.move(project / "data" / "spring", tmp_path / "moved")
    with pytest.raises(RunError, match="'data/spring', found none"):
        campaign_of(project / "runs" / "first")
    assert campaign_of(project / "runs" / "first", tmp_path / "moved").source == "../moved"


def test_every_input_that_differs_is_named(project: Path) -> None:
    folder = project / "data" / "spring"
    for name, old, new in (
        ("downloads.csv", "\n2025-01-05,", "\n2025-01-05,9"),
        ("controls.csv", "\n2025-01-05,", "\n2025-01-05,9"),
        ("campaign.toml", 'name = "campaign"', 'name = "another"'),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    with pytest.raises(InputError) as caught:
        campaign_of(project / "runs" / "first")
    assert [problem.where for problem in caught.value.problems] == [
        "downloads",
        "controls",
        "settings",
    ]


def test_one_cell_names_one_table(project: Path) -> None:
    file = project / "data" / "spring" / "posts.csv"
    text = file.read_text()
    file.write_text(text.replace("p2", "p3"))
    with pytest.raises(InputError) as caught:
        campaign_of(project / "runs" / "first")
    assert [problem.where for problem in caught.value.problems] == ["posts"]


def test_the_market_of_the_run_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = campaign()
    downloads = one.downloads.drop(columns="market")
    both = Campaign(
        downloads=pd.concat([downloads.assign(market="IT"), downloads.assign(market="FR")]),
        posts=one.posts[["post_id", "posted_at"]],
    )
    write_campaign(both, tmp_path / "both")
    run_of(read_campaign("both").market("IT"), tmp_path / "run")
    assert campaign_of("run").markets == ("IT",)


def test_the_bundled_campaign_goes_by_its_name(tmp_path: Path) -> None:
    read, _ = example.load()
    folder = run_of(read, tmp_path / "run")
    assert json.loads((folder / manifest.FILE).read_text())["source"] == example.SOURCE
    assert campaign_of(folder).digests == read.digests


def test_tables_made_in_python_must_be_given(tmp_path: Path) -> None:
    made = campaign()
    folder = run_of(made, tmp_path / "run")
    with pytest.raises(RunError, match="made from tables in Python"):
        campaign_of(folder)
    given = write_campaign(made, tmp_path / "given")
    assert campaign_of(folder, given).digests == made.digests


def test_what_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="must be a run directory"):
        campaign_of(tmp_path)
