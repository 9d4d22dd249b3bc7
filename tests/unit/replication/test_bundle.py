"""One archive of a run: deterministic, verified, and without the data where they are private."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_campaigns import rich_campaign
from typer.testing import CliRunner

from lift.cli import app
from lift.data.campaign import Campaign, read_campaign, write_campaign
from lift.errors import RunError
from lift.replication.bundle import bundle, opened
from lift.replication.stand_in import stand_in

RUNNER = CliRunner()


def small(**rest: Any) -> Campaign:
    return rich_campaign(70, (30.4, 44.1, 50.2), missing=(3, 20), **rest)


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a campaign, a run of it and both of its archives."""
    folder = tmp_path_factory.mktemp("project")
    write_campaign(small(), folder / "data")
    (folder / "data" / "model.toml").write_text("horizon_days = 14\n")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for words in (
            ("fit", "data", "--out", "run", "--draws", 400),
            ("bundle", "run", "--out", "open.zip"),
            ("bundle", "run", "--out", "private.zip", "--private"),
        ):
            code, _, err = invoke(*words)
            assert code == 0, err
    finally:
        os.chdir(before)
    return folder


def names_in(file: Path) -> set[str]:
    with zipfile.ZipFile(file) as archive:
        return set(archive.namelist())


def test_an_archive_is_enough_to_verify_a_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hosted.zip"
    file.write_bytes((home / "open.zip").read_bytes())
    monkeypatch.chdir(tmp_path)
    code, out, err = invoke("verify", "hosted.zip")
    assert code == 0, err
    assert out.splitlines()[0] == "hosted.zip again, from the inputs in hosted.zip"
    assert out.splitlines()[-1].startswith("confirmed: ")
    assert "identical bytes: report.html" in out
    assert names_in(file) >= {
        "README.txt",
        "bundle.json",
        "inputs/campaign.toml",
        "inputs/downloads.csv",
        "inputs/model.toml",
        "requirements.lock",
        "run/manifest.json",
        "run/posterior.nc",
        "run/report.html",
    }


@pytest.mark.parametrize("private", [False, True], ids=["open", "private"])
def test_the_same_run_gives_the_same_bytes(
    home: Path, tmp_path: Path, private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    again = bundle("run", tmp_path / "again.zip", private=private)
    assert again.read_bytes() == (home / f"{'private' if private else 'open'}.zip").read_bytes()


def test_a_private_archive_holds_no_count_of_the_data(home: Path) -> None:
    file = home / "private.zip"
    names = names_in(file)
    assert {name for name in names if name.startswith("run/")} == {
        "run/effects.csv",
        "run/manifest.json",
        "run/spec.toml",
    }
    with zipfile.ZipFile(file) as archive:
        index = json.loads(archive.read("bundle.json"))
        assert index["private"] is True
        assert index["simulated_stand_in"] is True
        assert "SIMULATED" in archive.read("README.txt").decode()
        told = pd.read_csv(archive.open("run/effects.csv"))
        downloads = pd.read_csv(archive.open("stand_in/inputs/downloads.csv"))
        posts = archive.read("stand_in/inputs/posts.csv").decode()
        manifest = json.loads(archive.read("stand_in/run/manifest.json"))
    assert "observed" not in told
    assert not [name for name in told if name.startswith("relative")]
    real = read_campaign(home / "data").downloads["downloads"]
    assert downloads["downloads"].isna().tolist() == real.isna().tolist()
    assert (downloads["downloads"] != real).all()
    assert not [name for name in ("ann", "tiktok", "beauty") if name in posts]
    assert manifest["simulated"] is True


def test_a_private_archive_is_verified_on_its_stand_in(home: Path) -> None:
    code, out, err = invoke("verify", home / "private.zip")
    assert code == 0
    assert "SIMULATED stand-in" in err
    told = " ".join(out.split()).rpartition("confirmed: ")[2]
    assert told.endswith("checked was a SIMULATED stand-in, not the private data")
    found = json.loads(invoke("verify", home / "private.zip", "--json")[1])
    assert found["simulated"] is True
    assert found["verdict"].endswith("not the private data")


def test_who_has_the_data_verifies_the_private_run(home: Path, tmp_path: Path) -> None:
    file = home / "private.zip"
    code, out, _ = invoke("verify", file, "--campaign", home / "data")
    assert code == 0
    assert "SIMULATED" not in out
    assert out.splitlines()[-1].startswith("confirmed: ")
    assert "identical bytes: posterior.nc" in out
    other = write_campaign(small(seed=2), tmp_path / "other")
    (other / "model.toml").write_text("horizon_days = 14\n")
    code, out, _ = invoke("verify", file, "--campaign", other)
    assert code == 1
    assert "changed input: downloads: sha256" in out


def test_an_archive_that_was_changed_is_refused(home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(home / "open.zip") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    for label, changed in (
        ("run/effects.csv", contents | {"run/effects.csv": b"by,unit\n"}),
        ("added.txt", contents | {"added.txt": b"x"}),
        ("inputs/posts.csv", {k: v for k, v in contents.items() if k != "inputs/posts.csv"}),
        ("../out.txt", contents | {"../out.txt": b"x"}),
    ):
        file = tmp_path / "changed.zip"
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in changed.items():
                archive.writestr(name, data)
        with pytest.raises(RunError, match=label.replace(".", r"\.")), opened(file):
            pass
    assert not (tmp_path / "out.txt").exists()
    code, _, err = invoke("verify", file)
    assert (code, "../out.txt" in err) == (2, True)


def test_what_is_there_is_not_written_over(home: Path) -> None:
    code, _, err = invoke("bundle", home / "run", "--out", home / "open.zip")
    assert (code, "is there already" in err) == (2, True)


def test_other_inputs_are_not_packed(home: Path, tmp_path: Path) -> None:
    other = write_campaign(small(seed=2), tmp_path / "other")
    code, _, err = invoke("bundle", home / "run", "--campaign", other, "--out", tmp_path / "a.zip")
    assert (code, "downloads:" in err) == (2, True)
    assert not (tmp_path / "a.zip").exists()


def test_a_stand_in_has_the_shape_and_nothing_else() -> None:
    real = rich_campaign()
    made = stand_in(real, 1)
    assert isinstance(made, Campaign)
    assert made.dates.equals(real.dates)
    assert made.control_names == real.control_names
    assert made.posts["posted_at"].dt.date.tolist() == real.posts["posted_at"].dt.date.tolist()
    for name in ("influencer", "platform", "content"):
        groups = [side.posts.groupby(name).size().sort_values().tolist() for side in (made, real)]
        assert groups[0] == groups[1]
    assert (made.controls["series_0"] != real.controls["series_0"]).all()
    assert stand_in(real, 1).digests == made.digests
    assert stand_in(real, 2).digests != made.digests
    richer = rich_campaign(level=5e6)
    pd.testing.assert_frame_equal(stand_in(richer, 1).downloads, made.downloads)
