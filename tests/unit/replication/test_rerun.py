"""Re-running a run: the same bytes; one cell, a prior, a seed, a file, a place told apart."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_campaigns import campaign
from typer.testing import CliRunner

from lift import provenance
from lift.analysis.agreement import DIFFERS, IDENTICAL, WITHIN
from lift.cli import app
from lift.data.campaign import read_campaign, write_campaign
from lift.output.inputs import manifest_of
from lift.replication import rerun
from lift.replication.changes import Change, input_changes
from lift.replication.rerun import Verification

RUNNER = CliRunner()
MODEL = "horizon_days = 14\n[baseline]\nlevel_rate = 60.0\n"


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a campaign, data, and a run of it."""
    home = tmp_path_factory.mktemp("project")
    before = Path.cwd()
    os.chdir(home)
    try:
        write_campaign(campaign(70, (30.4, 44.8), n_controls=1), home / "data")
        (home / "data" / "model.toml").write_text(MODEL)
        code, _, err = invoke("fit", "data", "--out", "run", "--draws", 400, "--seed", 3)
        assert code == 0, err
    finally:
        os.chdir(before)
    return home


@pytest.fixture
def here(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the project, which is the working directory."""
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    monkeypatch.chdir(copy)
    return copy


def edited(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} is in {file.name} {text.count(old)} times"
    file.write_text(text.replace(old, new))


def changes(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("changed ")]


def test_a_run_gives_the_same_bytes(here: Path) -> None:
    assert (here / "run").is_dir()
    code, out, _ = invoke("verify", "run", "--workers", 2)
    assert code == 0
    verdict = out.splitlines()[-1]
    assert verdict.startswith("confirmed: 18 numbers: 18 identical")
    assert "identical bytes: posterior.nc" in out
    assert "identical bytes: report.html" in out
    assert not changes(out)


def test_one_cell_names_the_table_and_the_day(here: Path) -> None:
    row = next(
        line for line in (here / "data/downloads.csv").read_text().splitlines() if "01-20" in line
    )
    day, value = row.split(",")
    edited(here / "data/downloads.csv", row, f"{day},{int(value) * 3}")
    code, out, _ = invoke("verify", "run")
    assert code == 1
    (line,) = changes(out)
    assert line.startswith(
        f"changed input: downloads (2025-01-20: {value} to {int(value) * 3}): sha256 "
    )
    assert out.splitlines()[-1].startswith("not confirmed, changed input: ")


def test_a_changed_prior_names_the_key(here: Path) -> None:
    edited(here / "data/model.toml", "level_rate = 60.0", "level_rate = 600.0")
    code, out, _ = invoke("verify", "run")
    assert code == 1
    assert changes(out) == [
        "changed prior: baseline.level_rate: 60.0 in the run, 600.0 found",
    ]
    assert out.splitlines()[-1].startswith("not confirmed, changed prior: ")


def test_a_changed_seed_is_told(here: Path) -> None:
    edited(here / "run/manifest.json", '"seed": 3,', '"seed": 4,')
    code, out, _ = invoke("verify", "run")
    assert code == 1
    assert changes(out) == [
        "changed seed: seed: 3 (posterior.nc) in the run, 4 (manifest.json) found",
    ]
    assert out.splitlines()[-1].startswith("not confirmed, changed seed: ")


def test_another_seed_that_is_asked_for_agrees_within_error(here: Path) -> None:
    assert here.is_dir()
    code, out, _ = invoke("verify", "run", "--seed", 9, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["asked"] == "seed 9"
    verdicts = {row["verdict"] for row in found["numbers"]}
    assert verdicts <= {IDENTICAL, WITHIN}
    assert WITHIN in verdicts
    assert found["files"]["posterior.nc"] == "differs"
    _, out, _ = invoke("verify", "run", "--seed", 9)
    lines = out.splitlines()
    assert "asked for: seed 9" in lines
    assert "inputs, prior, code, versions and platform are those of the run" in lines


def test_an_output_that_was_touched_is_named(here: Path) -> None:
    file = here / "run/effects.csv"
    file.write_bytes(file.read_bytes() + b"\n")
    code, out, _ = invoke("verify", "run")
    assert code == 1
    (line,) = changes(out)
    assert line.startswith("changed file: effects.csv: ")


def test_a_run_of_another_place_agrees_within_error(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another processor rounds otherwise, which another seed stands for."""
    assert here.is_dir()
    real = rerun.analyse
    monkeypatch.setattr(
        rerun, "analyse", lambda *words, **options: real(*words, **(options | {"seed": 5}))
    )
    code, out, _ = invoke("verify", "run")
    assert code == 1
    assert out.splitlines()[-1].endswith("every byte should be the same")
    machine = provenance.machine() | {"cpu": "z80"}
    monkeypatch.setattr(provenance, "machine", lambda: machine)
    code, out, _ = invoke("verify", "run")
    assert code == 0
    (line,) = changes(out)
    assert line.startswith("changed platform: cpu: ")
    assert line.endswith("z80 found")
    assert out.splitlines()[-1].startswith("confirmed within Monte Carlo error")


def test_what_cannot_be_verified_is_bad_input(here: Path) -> None:
    code, _, err = invoke("verify", "data")
    assert (code, "must be a run directory" in err) == (2, True)
    shutil.rmtree(here / "data")
    code, _, err = invoke("verify", "run")
    assert (code, "'data', found none" in err) == (2, True)


NUMBERS = pd.DataFrame({"verdict": [IDENTICAL, IDENTICAL]})
SAME = Verification("run", "data", NUMBERS, {"a": "identical bytes"}, ())
CPU = Change("platform", "cpu", "a", "b")
PRIOR = Change("prior", "horizon_days", "14", "28")


@pytest.mark.parametrize(
    ("changed", "passed"),
    [
        ({}, True),
        ({"files": {"a": "differs"}}, False),
        ({"files": {"a": "differs"}, "changes": (CPU,)}, True),
        ({"numbers": NUMBERS.assign(verdict=[IDENTICAL, WITHIN])}, False),
        ({"numbers": NUMBERS.assign(verdict=[IDENTICAL, WITHIN]), "changes": (CPU,)}, True),
        ({"numbers": NUMBERS.assign(verdict=[IDENTICAL, WITHIN]), "asked": "seed 2"}, True),
        ({"numbers": NUMBERS.assign(verdict=[WITHIN, DIFFERS]), "changes": (CPU,)}, False),
        ({"changes": (PRIOR,)}, False),
        ({"changes": (CPU, PRIOR)}, False),
        ({"refused": "Pareto k"}, False),
        ({"numbers": NUMBERS.head(0), "changes": (CPU,)}, False),
    ],
    ids=[
        "identical",
        "file",
        "file-elsewhere",
        "within",
        "within-elsewhere",
        "within-asked",
        "differs-elsewhere",
        "prior",
        "prior-elsewhere",
        "refused",
        "no-numbers",
    ],
)
def test_what_confirms_a_run(changed: dict[str, object], passed: bool) -> None:
    found = replace(SAME, **changed)  # type: ignore[arg-type]
    assert found.passed is passed
    assert found.verdict().startswith("confirmed" if passed else "not confirmed")


def test_a_run_with_cohorts_is_made_again(tmp_path: Path) -> None:
    """What users are estimated from, cohorts and a model of active users, is made again too."""
    plain = campaign(70, (30.4, 44.8))
    installs = plain.downloads["downloads"].to_numpy()
    cohorts = pd.DataFrame(
        {
            "install_date": plain.dates,
            "installs": installs,
            "active_d1": np.round(0.4 * installs),
            "active_d7": np.round(0.2 * installs),
        }
    )
    write_campaign(campaign(70, (30.4, 44.8), cohorts=cohorts), tmp_path / "data")
    (tmp_path / "data" / "model.toml").write_text("[users]\nseries = [7]\n", encoding="utf-8")
    run = tmp_path / "run"
    code, _, said = invoke(
        "fit", tmp_path / "data", "--out", run, "--draws", 400, "--engine", "exact"
    )
    assert code == 0, said
    code, out, said = invoke("verify", run)
    assert code == 0, out + said
    assert "files have identical bytes" in out
    file = tmp_path / "data" / "cohorts.csv"
    table = pd.read_csv(file)
    table.loc[40, "active_d7"] -= 1
    table.to_csv(file, index=False)
    changed = input_changes(manifest_of(run), read_campaign(tmp_path / "data"), None)
    assert [change.name for change in changed] == ["cohorts"]
