"""The command line: help, exit codes, tables, JSON, and what it leaves behind."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from bad_inputs import CASES, BadInput, write_good
from typer.testing import CliRunner, Result

import lift
from lift import pipeline
from lift.analysis.diagnostics import Finding
from lift.analysis.effects import BY
from lift.cli import app, commands, main
from lift.errors import DiagnosticsError
from lift.output import store

COMMANDS = ("demo", "new", "validate", "fit", "effects", "report", "diagnose")
DRAWS = 800


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def python(*words: str | Path, cwd: Path, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=cwd,
        env={**os.environ, **options},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_good(tmp_path_factory.mktemp("good") / "campaign")


@pytest.fixture(scope="module")
def fitted(campaign: Path) -> tuple[Path, Result]:
    """A run made by the command line, and what it printed."""
    out = campaign.parent / "runs" / "first"
    result = run("fit", campaign / "campaign.toml", "--out", out, "--seed", 3, "--draws", DRAWS)
    assert result.exit_code == 0, result.stderr
    return out, result


@pytest.fixture(scope="module")
def folder(fitted: tuple[Path, Result]) -> Path:
    return fitted[0]


def test_what_was_chosen_is_told(campaign: Path, tmp_path: Path) -> None:
    """The engine that the model needs, and how probable it is that a control is in it."""
    spec = tmp_path / "selected.toml"
    spec.write_text('[baseline]\ncontrol_prior = "spike_slab"\n', encoding="utf-8")
    result = run("fit", campaign, "--out", tmp_path / "run", "--spec", spec, "--draws", DRAWS)
    assert result.exit_code == 0, result.stderr
    said = " ".join(result.stderr.split())
    assert "draws of engine 'gibbs', since the model asks for" in said
    assert "probability that a control is in the model: " in said


@pytest.mark.parametrize("command", ["", *COMMANDS], ids=str)
def test_help(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert "..." not in result.stdout.replace("[ARGS]...", "")
    for name in () if command else COMMANDS:
        assert f"\n  {name} " in result.stdout


def test_version() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"lift {lift.__version__}\n")


def test_the_console_script_is_main(repo_root: Path) -> None:
    project = tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["lift"].partition(":")
    assert getattr(importlib.import_module(module), function) is main


def test_the_groupings_are_those_of_the_effects() -> None:
    assert get_args(commands.By.__value__) == BY


@pytest.mark.parametrize(
    "words",
    [
        "unknown",
        "effects",
        "fit x",
        "fit x --out y --draws 0",
        "fit x --out y --seed -1",
        "fit x --out y --seed one",
        "fit x --out y --workers 0",
        "effects x --by week",
        "effects x --prob 0",
        "effects x --prob 1.5",
        "effects x --json --csv",
        "demo --draw 5",
    ],
    ids=str,
)
def test_bad_options_exit_2(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_input_exits_2_names_every_fault_and_leaves_nothing(
    case: BadInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIFT_DATA_DIR", raising=False)
    campaign = write_good(tmp_path / "campaign")
    case.spoil(campaign)
    for words in (["validate", campaign], ["fit", campaign, "--out", tmp_path / "runs" / "new"]):
        result = run(*words)
        assert result.exit_code == 2
        assert [piece for piece in case.expected if piece not in result.stderr] == []
        assert "Traceback" not in result.output
        assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["campaign"]


def test_faults_of_the_model_are_told_with_those_of_the_campaign(tmp_path: Path) -> None:
    campaign = write_good(tmp_path / "campaign")
    (campaign / "model.toml").write_text("horizon_day = 7\n", encoding="utf-8")
    (campaign / "posts.csv").unlink()
    result = run("validate", campaign, "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert {problem["where"] for problem in found["problems"]} == {"posts", "model.toml"}
    assert all(problem["what"] in result.stderr for problem in found["problems"])
    good = write_good(tmp_path / "good")
    (tmp_path / "own.toml").write_text("horizon_days = -1\n", encoding="utf-8")
    result = run("fit", good, "--out", tmp_path / "run", "--spec", tmp_path / "own.toml")
    assert result.exit_code == 2
    assert "own.toml" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_good_campaign_is_valid(campaign: Path) -> None:
    result = run("validate", campaign)
    assert result.exit_code == 0
    assert result.stdout.endswith("valid\n")
    assert "334 from 2025-01-01 to 2025-11-30" in result.stdout
    found = json.loads(run("validate", campaign / "campaign.toml", "--json").stdout)
    assert found["ok"] is True
    assert (found["n_days"], found["n_posts"]) == (334, 4)
    assert found["controls"] == ["rival", "search"]
    assert set(found["digests"]) == {"downloads", "posts", "controls", "settings"}


def test_new_writes_a_campaign_that_is_valid_and_touches_no_other(tmp_path: Path) -> None:
    result = run("new", tmp_path / "mine")
    assert result.exit_code == 0
    assert run("validate", tmp_path / "mine").exit_code == 0
    before = sorted(path.name for path in (tmp_path / "mine").iterdir())
    again = run("new", tmp_path / "mine")
    assert again.exit_code == 2
    assert "empty folder" in again.stderr
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == before


def test_fit_prints_posts_total_and_report(fitted: tuple[Path, Result]) -> None:
    out, result = fitted
    lines = result.stdout.splitlines()
    for post in ("p1", "p2", "p3", "p4"):
        assert any(line.split()[:1] == [post] for line in lines)
    assert lines[-1] == f"report: {out / 'report.html'}"
    assert (out / "report.html").is_file()
    assert "95% interval" in result.stdout
    assert "do not add up" in result.stdout
    assert "fitting good" in result.stderr
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) < 200
    assert not any(mark in result.stdout for mark in ("\x1b", "…"))
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["seed"], manifest["draws"]) == (3, DRAWS)
    assert manifest["command"].startswith("lift fit ")
    assert [path.name for path in out.parent.iterdir()] == ["first"]


def test_the_same_seed_gives_the_same_effects_with_any_workers(
    campaign: Path, folder: Path, tmp_path: Path
) -> None:
    words = ["fit", campaign, "--seed", 3, "--draws", DRAWS, "--workers", 1]
    result = run(*words, "--out", tmp_path / "second", "--json")
    assert result.exit_code == 0
    first, second = (folder / "effects.csv", tmp_path / "second" / "effects.csv")
    assert first.read_bytes() == second.read_bytes()
    found = json.loads(result.stdout)
    assert found["run"] == str(tmp_path / "second")
    assert [row["unit"] for row in found["posts"]] == ["p1", "p2", "p3", "p4"]
    assert found["campaign"]["unit"] == "campaign"
    assert {finding["level"] for finding in found["findings"]} <= {"PASS", "REVIEW"}


def test_fit_does_not_replace_a_run_unless_told(campaign: Path, folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    result = run("fit", campaign, "--out", folder)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert (folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("words", ["--engine abacus", "--draws 10", "--market IT"], ids=str)
def test_fit_refuses_what_cannot_be_computed(words: str, campaign: Path, tmp_path: Path) -> None:
    result = run("fit", campaign, "--out", tmp_path / "run", *words.split())
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("lift: ")
    assert not (tmp_path / "run").exists()


def test_one_market_must_be_chosen_of_many(tmp_path: Path) -> None:
    campaign = write_good(tmp_path / "campaign")
    for name in ("downloads", "controls"):
        table = pd.read_csv(campaign / f"{name}.csv")
        both = [table.assign(market=market) for market in ("IT", "US")]
        pd.concat(both).to_csv(campaign / f"{name}.csv", index=False)
    result = run("fit", campaign, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "IT, US; choose one with --market" in result.stderr
    chosen = json.loads(run("validate", campaign, "--market", "US", "--json").stdout)
    assert chosen["markets"] == ["US"]


@pytest.mark.parametrize("by", BY, ids=str)
def test_effects_are_the_same_in_every_form(by: str, folder: Path) -> None:
    expected = lift.load(folder).effects.table(by, 0.8)
    shown = run("effects", folder, "--by", by, "--prob", "0.8")
    assert shown.exit_code == 0
    assert "80% interval" in shown.stdout
    exact = json.loads(run("effects", folder, "--by", by, "--prob", "0.8", "--json").stdout)
    assert (exact["by"], exact["prob"]) == (by, 0.8)
    assert [row["unit"] for row in exact["effects"]] == list(expected["unit"])
    assert [row["mean"] for row in exact["effects"]] == list(expected["mean"])
    assert exact["effects"][0]["start"] == str(expected["start"].iloc[0].date())
    text = run("effects", folder, "--by", by, "--prob", "0.8", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    np.testing.assert_array_equal([float(row["lower"]) for row in rows], expected["lower"])
    assert list(rows[0]) == list(expected.columns)


def test_report_is_written_again(folder: Path) -> None:
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    result = run("report", folder)
    assert result.exit_code == 0
    assert Path(result.stdout.strip()) == folder / "report.html"
    assert (folder / "report.html").read_bytes() == before


def test_diagnose(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("diagnose", folder)
    assert result.exit_code == 0
    assert "R-hat" in result.stdout
    told = lift.load(folder).identifiability
    for post, known in zip(told.posts["post"], told.posts["resolution"], strict=True):
        assert re.search(rf"^ *{post} +{known:.0%} ", result.stdout, re.MULTILINE)
    assert f"The data resolve {told.n_resolvable:.1f} of {len(told.posts)} posts" in result.stdout
    found = json.loads(run("diagnose", folder, "--json").stdout)
    assert {"level", "check", "text"} == set(found[0])
    failed = [Finding("FAIL", "R-hat", "1.4 at noise_sd")]
    monkeypatch.setattr("lift.fitted.every_finding", lambda _: failed)
    result = run("diagnose", folder)
    assert result.exit_code == 1
    assert "FAIL" in result.stdout


@pytest.mark.parametrize("command", ["effects", "report", "diagnose"], ids=str)
def test_what_is_not_a_run_exits_2(command: str, tmp_path: Path, campaign: Path) -> None:
    for place in (tmp_path / "absent", tmp_path, campaign):
        result = run(command, place)
        assert result.exit_code == 2
        assert result.stderr.startswith("lift: ")


def test_draws_that_must_not_be_believed_exit_1(
    campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DiagnosticsError("the draws must not be believed: R-hat 1.4")

    monkeypatch.setattr(pipeline, "analyse", fail)
    result = run("fit", campaign, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "R-hat 1.4" in result.stderr
    assert "nothing was written to" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "lift: stopped"),
        (OSError(28, "No space left on device"), 2, "No space left"),
    ],
    ids=["Ctrl-C", "full disk"],
)
def test_a_stop_is_one_line_and_leaves_nothing(
    error: BaseException,
    code: int,
    text: str,
    campaign: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(store, "csv_bytes", fail)
    result = run("fit", campaign, "--out", tmp_path / "run", "--draws", DRAWS)
    assert result.exit_code == code
    assert text in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_demo_shows_truth_and_says_that_it_is_simulated(tmp_path: Path) -> None:
    result = python("lift.cli", "demo", "--draws", str(DRAWS), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "truth" in result.stdout
    assert any("true effects lie within their 95% interval" in line for line in lines)
    assert any("simulated" in line for line in lines)
    assert Path(lines[-1].removeprefix("report: ")) == Path("runs/demo/report.html")
    page = (tmp_path / "runs" / "demo" / "report.html").read_text(encoding="utf-8")
    assert "Simulated data." in page
    shown = run("effects", tmp_path / "runs" / "demo", "--by", "campaign", "--json")
    assert json.loads(shown.stdout)["effects"][0]["truth"] == pytest.approx(
        float(
            lift.load(tmp_path / "runs" / "demo").truth.query("by == 'campaign'")["truth"].iloc[0]
        )
    )


def test_the_demo_replaces_no_run_but_its_own(folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    result = run("demo", "--out", folder)
    assert result.exit_code == 2
    assert "not the demo's" in result.stderr
    assert (folder / "manifest.json").read_bytes() == before


def test_python_m_works_where_letters_are_few(folder: Path, tmp_path: Path) -> None:
    result = python("lift", "effects", folder, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert "p1" in result.stdout
    result = python("lift", "validate", tmp_path / "absent", cwd=tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_interrupt_from_outside_exits_130(campaign: Path, tmp_path: Path) -> None:
    words = ["fit", str(campaign), "--out", "run", "--draws", "40000"]
    with subprocess.Popen(
        [sys.executable, "-m", "lift", *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("fitting" in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == "lift: stopped; nothing was written\n"
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from lift.cli import app; "
        "CliRunner().invoke(app, ['fit', '--help']); "
        "print(sorted({'numpy', 'pandas', 'numba', 'xarray', 'matplotlib', 'arviz_stats'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_long_fit_says_so_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = write_good(tmp_path / "campaign")
    line = "this takes about 94 minutes"
    monkeypatch.setattr("lift.engines.cost.Cost.told", lambda _: line)

    def refused(*_: object, **__: object) -> None:
        raise DiagnosticsError("not fitted")

    monkeypatch.setattr(pipeline, "analyse", refused)
    result = run("fit", campaign, "--out", tmp_path / "run")
    assert line in result.stderr
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "words", ["fit --engine stan", "fit --draws 4001", "markets", "markets --engine gibbs"]
)
def test_what_cannot_be_fitted_is_refused_before_anything_is_said(
    words: str, tmp_path: Path
) -> None:
    folder = write_good(tmp_path / "campaign")
    found = run(*words.split(), folder, "--out", tmp_path / "run")
    assert found.exit_code == 2
    for word in ("note", "fitting"):
        assert word not in found.output


def test_the_runs_of_markets_are_named_where_one_was_meant(tmp_path: Path) -> None:
    for name in ("it", "fr"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}", encoding="utf-8")
    found = run("effects", tmp_path)
    assert found.exit_code == 2
    assert "it holds the runs fr, it: name one of them" in " ".join(found.output.split())
