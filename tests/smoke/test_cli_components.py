"""``lift components`` on a real fit."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
from bad_inputs import write_good
from typer.testing import CliRunner, Result

import lift
from lift.cli import app
from lift.data.campaign import read_campaign

DRAWS = 400


def run(*words: str | Path | int) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("components")
    write_good(folder / "campaign")
    made = run("fit", folder / "campaign", "--out", folder / "run", "--draws", DRAWS, "--seed", 3)
    assert made.exit_code == 0, made.stderr
    return folder


def test_every_day_is_csv_and_that_of_python(home: Path) -> None:
    result = run("components", home / "run", "--csv", "--draws", 100, "--prob", 0.8)
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(io.StringIO(result.stdout), keep_default_na=False)
    campaign = read_campaign(home / "campaign")
    wanted = lift.load(home / "run").components(100, campaign).table(0.8)
    assert len(table) == len(wanted)
    for name in ("mean", "median", "lower", "upper"):
        assert table[name].tolist() == pytest.approx(wanted[name].tolist(), rel=1e-12)
    assert set(table["n_draws"]) == {100}
    assert {"level", "week", "posts", "sum", "downloads"} <= set(table["component"])


def test_people_read_a_row_for_each_component(home: Path) -> None:
    result = run("components", home / "run")
    assert result.exit_code == 0, result.stderr
    assert "fitted downloads" in result.stdout
    assert "from 400 of 400 draws" in result.stdout
    assert "mean width of its 95% interval" in result.stdout
    assert "autocorrelation at 7 days" in result.stdout


@pytest.mark.slow
def test_the_report_shows_them_and_a_verification_makes_them_again(
    home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home / "campaign", tmp_path / "campaign")
    shutil.copytree(home / "run", tmp_path / "run")
    other = run("components", tmp_path / "run", "--report", "--draws", 100)
    assert other.exit_code == 2
    assert "leave out --draws and --prob" in " ".join(other.stderr.split())
    result = run("components", tmp_path / "run", "--report")
    assert result.exit_code == 0, result.stderr
    assert "What the model is made of" in (tmp_path / "run" / "report.html").read_text("utf-8")
    verified = run("verify", tmp_path / "run")
    assert verified.exit_code == 0, verified.output
    for name in ("components.csv", "figures/components.svg", "report.html"):
        assert f"identical bytes: {name}" in verified.output


def test_a_run_whose_campaign_is_gone_says_so(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "run", tmp_path / "run")
    wrong = run("components", tmp_path / "run", "--campaign", tmp_path / "nosuch")
    assert wrong.exit_code == 2
    assert "nosuch" in wrong.stderr
