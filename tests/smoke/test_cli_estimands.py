"""The commands that read further estimands off a run, on a real fit."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import lift
from lift.cli import app
from lift.data.simulate import SimulationConfig
from lift.engines.registry import AUTOMATIC, ENGINES

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    campaign, truth = lift.simulate_campaign(SimulationConfig(n_days=200, n_posts=5), seed=5)
    analysis = lift.analyse(campaign, draws=400, seed=5, truth=truth)
    return analysis.save(tmp_path_factory.mktemp("estimands") / "run")


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_shares_add_up_to_the_campaign(run: Path) -> None:
    code, out, _ = invoke("shares", run, "--csv")
    assert code == 0
    table = pd.read_csv(io.StringIO(out))
    total = float(lift.load(run).effects.draws("campaign").mean())
    for name in ("aumann_shapley_mean", "shapley_mean"):
        assert table[name].sum() == pytest.approx(total, rel=1e-9)
    assert table["share_of_total"].sum() == pytest.approx(1.0, abs=1e-9)


def test_shares_warn_of_adding_up(run: Path) -> None:
    code, out, _ = invoke("shares", run)
    assert code == 0
    assert "Interaction index" in out


def test_contrasts_are_json(run: Path) -> None:
    code, out, _ = invoke("contrasts", run, "--json")
    assert code == 0
    rows = json.loads(out)
    wanted = lift.load(run).contrasts()
    assert [row["attribute"] for row in rows] == wanted["attribute"].tolist()
    np.testing.assert_allclose([row["mean"] for row in rows], wanted["mean"])


def test_contrasts_say_their_direction_unit_and_support(run: Path) -> None:
    code, out, _ = invoke("contrasts", run)
    assert code == 0
    rows = lift.load(run).contrasts()
    for row in rows.to_dict("records"):
        (line,) = [
            text for text in out.splitlines() if f"{row['level']} less {row['other']}" in text
        ]
        assert f"{row['n_posts']} and {row['n_other']}" in line
        assert f"{row['support']:.0%}" in line
    assert "log-lift-days" in out
    assert "not assigned at random" in out
    assert ("rests on the model" in out) == bool((rows["support"] < 0.5).any())


def test_a_next_post_is_predicted(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "next.csv"
    file.write_text("post_id,views,baseline\nbig,1000000,1000\nbig2,1000000,2000\n")
    code, out, _ = invoke("predict", run, "--posts", file, "--csv", "--seed", 2)
    assert code == 0
    table = pd.read_csv(io.StringIO(out))
    assert table["post"].tolist() == ["big", "big2"]
    assert table["baseline"].tolist() == [1000, 2000]
    again = invoke("predict", run, "--posts", file, "--csv", "--seed", 2)
    assert again[1] == out


def test_posts_that_cannot_be_read_are_bad_input(run: Path, tmp_path: Path) -> None:
    code, _, err = invoke("predict", run, "--posts", tmp_path / "none.csv")
    assert code == 2
    assert "none.csv" in err
    assert "Traceback" not in err


def test_displacement_and_shares_say_their_days(run: Path) -> None:
    _, out, _ = invoke("displacement", run)
    assert "gross, days 0 to 14" in out
    assert "net, days 0 to 42" in out
    assert "takes nothing back" in out
    _, out, _ = invoke("shares", run)
    window = lift.load(run).effects.table("campaign").iloc[0]
    assert f"{window['start'].date()} to {window['end'].date()}" in out


def test_what_is_fitted_shows_itself_in_a_line(run: Path) -> None:
    analysis = lift.load(run)
    assert repr(analysis.posterior).endswith("4 chains of 100 draws, 200 days, 5 posts)")
    for one in (analysis, analysis.effects, analysis.posterior, analysis.identifiability):
        assert len(repr(one)) < 250
        assert "\n" not in repr(one)
    assert "<table" in analysis.identifiability._repr_html_()
    assert "amplitude" in analysis.posterior._repr_html_()


def test_help_lists_the_choices() -> None:
    for command in ("effects", "shares", "users", "displacement"):
        _, out, _ = invoke(command, "--help")
        assert "post|influencer|platform" in out
    _, out, _ = invoke("fit", "--help")
    assert "|".join([AUTOMATIC, *ENGINES]) in "".join(out.split())
