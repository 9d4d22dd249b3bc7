"""Freezing an analysis before its outcomes are seen, and telling every departure afterwards."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from small_campaigns import campaign
from typer.testing import CliRunner

from lift.cli import app
from lift.data.campaign import Campaign, write_campaign
from lift.data.plan import read_plan
from lift.errors import InputError, RunError
from lift.model.spec import ModelSpec
from lift.pipeline import Analysis, analyse, load
from lift.replication.departures import departures, registered
from lift.replication.preregistration import Computation, Decision, freeze, read_frozen

RUNNER = CliRunner()
N_DAYS, TIMES, SEEN_DAYS = 70, (40.4, 48.8), 35
DRAWS = 400
SPEC = ModelSpec(horizon_days=14)
NOON = datetime(2025, 2, 5, 12, tzinfo=UTC)


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def cut(folder: Path, n_days: int) -> None:
    """Leave the first days of the downloads and the controls."""
    for name in ("downloads.csv", "controls.csv"):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[: n_days + 1]))


@pytest.fixture(scope="module")
def whole() -> Campaign:
    return campaign(N_DAYS, TIMES, n_controls=1)


@pytest.fixture(scope="module")
def analysis(whole: Campaign) -> Analysis:
    return analyse(whole, SPEC, draws=DRAWS, seed=1)


@pytest.fixture
def planned(whole: Campaign, tmp_path: Path) -> Path:
    """Return the folder of the campaign before its posts."""
    folder = write_campaign(whole, tmp_path / "planned")
    cut(folder, SEEN_DAYS)
    return folder


@pytest.fixture
def frozen(planned: Path, tmp_path: Path) -> Path:
    file = tmp_path / "frozen.toml"
    freeze(read_plan(planned), SPEC, file, computation=Computation(draws=DRAWS), moment=NOON)
    return file


def told(file: Path, analysis: Analysis) -> list[str]:
    return [one.what for one in departures(read_frozen(file), analysis)]


def test_posts_to_come_can_be_frozen(frozen: Path) -> None:
    found = read_frozen(frozen)
    assert found["created"] == "2025-02-05T12:00:00Z"
    assert found["campaign"]["last_day"] == "2025-02-04"
    assert [post["post_id"] for post in found["posts"]] == ["p1", "p2"]
    assert not any(post["seen"] for post in found["posts"])
    assert found["estimands"]["horizon_days"] == 14
    assert found["decision"]["sentence"] == (
        "the effect of the campaign is above 0 downloads with probability 0.95 or more"
    )
    assert found["checks"]["pareto_k_below"] == 0.7


def test_what_was_done_as_frozen_has_no_departure(frozen: Path, analysis: Analysis) -> None:
    assert told(frozen, analysis) == []


def test_every_departure_has_its_name(frozen: Path, whole: Campaign) -> None:
    spec = SPEC.model_copy(
        update={"baseline": SPEC.baseline.model_copy(update={"level_rate": 90.0})}
    )
    posts = whole.posts.copy()
    posts.loc[0, "posted_at"] += pd.Timedelta(hours=3)
    posts.loc[1, "post_id"] = "late"
    posts["views"] = [1e5, 2e5]
    downloads = whole.downloads.copy()
    downloads.loc[9, "downloads"] += 1
    other = Campaign(
        downloads=downloads.iloc[:55], posts=posts, timezone="Europe/Rome", name="renamed"
    )
    done = analyse(other, spec, draws=800, seed=2)
    found = {one.what: (one.frozen, one.done) for one in departures(read_frozen(frozen), done)}
    assert list(found) == [
        "name",
        "timezone",
        "controls",
        "downloads up to 2025-02-04",
        "post p2",
        "post late",
        "post p1: time",
        "post p1: views",
        "days of the outcome",
        "specification: baseline.level_rate",
        "draws",
        "seed",
    ]
    assert found["controls"] == ("series_0", "none")
    assert found["post p1: views"] == ("not given", "100000")
    assert found["specification: baseline.level_rate"] == ("60.0", "90.0")
    assert found["draws"] == ("400", "800")
    assert found["days of the outcome"][1].endswith("for late")


def test_other_software_and_other_limits_are_departures(
    frozen: Path, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lift.provenance.code_digest", lambda: "0" * 64)
    monkeypatch.setattr("lift.analysis.diagnostics.BAD_K", 0.9)
    assert told(frozen, analysis) == [
        "threshold of the check pareto_k_below",
        "sources of lift",
    ]
    monkeypatch.setattr("lift.replication.departures.__version__", "9.9")
    assert told(frozen, analysis)[-1] == "version of lift"


@pytest.mark.parametrize("above", [0.0, 1e9], ids=["met", "not-met"])
def test_the_decision_rule_has_an_outcome(
    planned: Path, tmp_path: Path, analysis: Analysis, above: float
) -> None:
    file = tmp_path / "rule.toml"
    rule = Decision("post", "p1", above, 0.6, "renew")
    freeze(read_plan(planned), SPEC, file, decision=rule, computation=Computation(draws=DRAWS))
    decision = registered(analysis, file).manifest["preregistration"]["decision"]
    draws = analysis.effects.draws("post").sel(post="p1")
    assert decision["found"] == float((draws > above).mean())
    assert decision["met"] is (above == 0.0)
    assert decision["sentence"].endswith("with probability 0.6 or more: renew")


def test_a_changed_file_is_refused(frozen: Path, tmp_path: Path) -> None:
    text = frozen.read_text()
    frozen.write_text(text.replace("seed = 1", "seed = 2"))
    with pytest.raises(InputError, match="it was changed; restore it"):
        read_frozen(frozen)
    with pytest.raises(InputError, match="made by lift preregister"):
        read_frozen(tmp_path / "none.toml")
    (tmp_path / "other.toml").write_text("a = 1\n")
    with pytest.raises(InputError, match="of the format"):
        read_frozen(tmp_path / "other.toml")


def test_what_is_frozen_is_not_written_over(frozen: Path, planned: Path) -> None:
    before = frozen.read_bytes()
    with pytest.raises(RunError, match="stays"):
        freeze(read_plan(planned), SPEC, frozen)
    assert frozen.read_bytes() == before


def test_faults_are_told_together(planned: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        freeze(
            read_plan(planned),
            SPEC,
            tmp_path / "a.toml",
            decision=Decision("post", "p9", 0.0, 1.5),
            primary=("campaing",),
        )
    assert [problem.where for problem in caught.value.problems] == [
        "estimands",
        "decision",
        "decision",
    ]
    posts = planned / "posts.csv"
    posts.write_text(posts.read_text().replace("p2", "p1"))
    downloads = planned / "downloads.csv"
    downloads.write_text(downloads.read_text().replace("2025-01-05", "2025-01-06"))
    with pytest.raises(InputError) as caught:
        read_plan(planned)
    assert {problem.where for problem in caught.value.problems} == {"downloads", "posts"}


@pytest.mark.parametrize("by", ["campaign", "post"])
def test_a_rule_is_of_a_unit_that_there_is(planned: Path, tmp_path: Path, by: str) -> None:
    file = tmp_path / "rule.toml"
    code, _, err = invoke("preregister", planned, "--out", file, "--by", by, "--unit", "nosuch")
    assert code == 2
    assert f"its {by} must be one of" in err
    assert "found 'nosuch'" in err
    assert not file.exists()


def test_what_was_seen_already_is_told_at_once(
    whole: Campaign, planned: Path, tmp_path: Path
) -> None:
    done = write_campaign(whole, tmp_path / "done")
    code, _, err = invoke("preregister", done, "--out", tmp_path / "late.toml")
    assert code == 0
    assert "outcomes of 2 of 2 posts were in the data already" in " ".join(err.split())
    code, _, err = invoke("preregister", planned, "--out", tmp_path / "before.toml")
    assert (code, err) == (0, "")


def test_from_the_command_line_to_the_report(
    whole: Campaign, planned: Path, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(planned)], check=True)
    for key, value in (("user.email", "a@b.c"), ("user.name", "a")):
        subprocess.run(["git", "-C", str(planned), "config", key, value], check=True)
    (planned / "model.toml").write_text("horizon_days = 14\n")
    code, out, err = invoke("preregister", planned, "--draws", DRAWS, "--seed", 7, "--commit")
    assert code == 0, err
    file = planned / "preregistration.toml"
    commit = out.partition("commit: ")[2].split()[0]
    done = write_campaign(whole, tmp_path / "done")
    (done / "model.toml").write_text("horizon_days = 14\n")
    # seed, draws and engine are those that were frozen, as the command that it suggests has none
    words = ("fit", done, "--preregistered", file, "--out")
    code, _, err = invoke(*words, tmp_path / "run")
    assert code == 0
    manifest = load(tmp_path / "run").manifest
    assert (manifest["seed"], manifest["draws"]) == (7, DRAWS)
    assert f"--seed 7 --draws {DRAWS} --engine exact" in manifest["command"]
    assert "no departures" in err
    page = (tmp_path / "run" / "report.html").read_text()
    assert "There is no departure from it." in page
    assert load(tmp_path / "run").manifest["preregistration"]["committed"]["commit"] == commit
    (done / "model.toml").write_text("horizon_days = 7\n")
    code, _, err = invoke(*words, tmp_path / "short", "--seed", 8)
    assert code == 0
    assert "departure: seed: 7 frozen, 8 done" in err
    assert "departure: specification: horizon_days: 14 frozen, 7 done" in err
    page = (tmp_path / "short" / "report.html").read_text()
    assert "2 departures from what was frozen." in page
    assert "specification: horizon_days" in page
    code, _, err = invoke("preregister", planned, "--draws", DRAWS)
    assert (code, "stays" in err) == (2, True)
