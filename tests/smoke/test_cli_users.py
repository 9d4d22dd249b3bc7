"""Users of a stored run at the command line, on real fits of a campaign with cohorts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import lift
from lift.analysis.schema import LONG_COLUMNS
from lift.cli import app
from lift.data.campaign import Campaign, write_campaign
from lift.data.simulate import SimulationConfig, simulate
from lift.data.simulated_cohorts import CohortConfig, with_cohorts
from lift.errors import InputError
from lift.model.spec import ModelSpec

RUNNER = CliRunner()
CONFIG = SimulationConfig(n_days=80, n_posts=3, first_post_day=30, amplitude_mean=0.8)
SPEC = ModelSpec.model_validate({"horizon_days": 14, "users": {"series": [1]}})
ASSUMED = """activation = "included"

[retention]
7 = {mean = 0.2, n = 100}
"""


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    made = simulate(CONFIG, seed=5, horizon_days=14)
    cohorts = CohortConfig(retention={1: 0.4, 7: 0.2})
    found = with_cohorts(made, cohorts, seed=5, horizon_days=14)[0]
    return Campaign(
        found.downloads.drop(columns="market"),
        found.posts.drop(columns="market").assign(cost=[400.0, 250.0, 0.0]),
        None if found.controls is None else found.controls.drop(columns="market"),
        found.timezone,
        found.country,
        found.name,
        None if found.cohorts is None else found.cohorts.drop(columns="market"),
    )


@pytest.fixture(scope="module")
def run(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    analysis = lift.analyse(campaign, SPEC, draws=400, seed=5)
    return analysis.save(tmp_path_factory.mktemp("users") / "run")


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_users_of_a_stored_run_are_those_of_the_analysis(run: Path) -> None:
    code, out, _ = invoke("users", run, "--by", "campaign", "--csv")
    assert code == 0
    table = pd.read_csv(io.StringIO(out))
    assert table["day"].tolist() == [1, 7, 30, 90]
    assert table["basis"].tolist() == ["cohort series", *["cohort rates"] * 3]
    assert table["extrapolated"].tolist() == [False, False, True, True]
    again = lift.load(run).users("campaign").table()
    np.testing.assert_allclose(table["mean"], again["mean"], rtol=1e-12)


def test_the_manifest_knows_the_cohorts(run: Path, campaign: Campaign) -> None:
    recorded = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert recorded["inputs"]["cohorts"] == campaign.digests["cohorts"]


def test_series_are_diagnosed_too(run: Path) -> None:
    code, out, _ = invoke("diagnose", run)
    assert code == 0
    assert "Pareto k, users of day 1" in out


def test_people_read_the_basis(run: Path) -> None:
    code, out, _ = invoke("users", run, "--by", "campaign", "--days", "7,30")
    assert code == 0
    assert "Basis: cohort rates." in out
    assert "extrapolated by its curve" in out
    assert "Monte Carlo: cohort rates 400 draws, error of P(> 0) up to 0.0" in out
    assert "MC error" in out
    code, out, _ = invoke("users", run, "--monthly", "--by", "campaign")
    assert code == 0
    assert "Monte Carlo: cohort rates 400 draws." in out


def test_a_stated_retention_is_flagged(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "stated.toml"
    file.write_text(ASSUMED, encoding="utf-8")
    code, out, _ = invoke("users", run, "--by", "campaign", "--retention", file, "--json")
    assert code == 0
    rows = json.loads(out)
    assert all(row["basis"].startswith("assumption-driven") for row in rows)
    assert all(row["per_quality"] > 0 for row in rows)
    options = ("--rate", "7=0.2,0.13,0.28", "--activation", "included", "--quality-sd", 0)
    code, out, _ = invoke("users", run, "--by", "campaign", *options)
    assert code == 0
    assert "Basis: assumption-driven: activation included, retention D7 0.2" in out
    assert "per quality" in out


def test_cohorts_that_came_later(run: Path, campaign: Campaign, tmp_path: Path) -> None:
    assert campaign.cohorts is not None
    later = campaign.cohorts.drop(columns="market").rename(columns={"active_d7": "active_d14"})
    later.to_csv(tmp_path / "later.csv", index=False)
    later_file = tmp_path / "later.csv"
    code, out, _ = invoke("users", run, "--cohorts", later_file, "--days", "1,14", "--csv")
    assert code == 0
    table = pd.read_csv(io.StringIO(out))
    assert (table["basis"] == "cohort rates").all()
    assert not table["extrapolated"].any()


def test_monthly_users(run: Path) -> None:
    code, out, _ = invoke("users", run, "--by", "campaign", "--monthly", "--csv")
    assert code == 0
    table = pd.read_csv(io.StringIO(out))
    assert table["outcome"].unique().tolist() == ["monthly active users"]
    assert (table["lower"] <= table["upper"]).all()


def test_the_run_stores_users_and_money_in_the_schema_of_effects(run: Path) -> None:
    table = pd.read_csv(run / "effects.csv")
    assert tuple(table.columns) == LONG_COLUMNS
    wanted = {"cumulative", "daily", "users", "monthly_active_users", "cost", "per_1000_views"}
    assert set(table["quantity"]) == wanted
    users = table[(table["quantity"] == "users") & (table["by"] == "campaign")]
    expected = lift.load(run).users("campaign").table()
    np.testing.assert_allclose(users["mean"], expected["mean"], rtol=1e-9)
    page = (run / "report.html").read_text(encoding="utf-8")
    for words in ('id="users"', 'id="money"', "cohort series", "figure-users"):
        assert words in page


def test_money_of_a_stored_run(run: Path) -> None:
    code, out, _ = invoke("money", run, "--days", "1,7", "--target", 5, "--csv")
    assert code == 0
    table = pd.read_csv(io.StringIO(out))
    outcomes = ["downloads", "users active on day 1", "users active on day 7"]
    assert table["outcome"].tolist() == outcomes * 3
    assert table["basis"].tolist()[:3] == ["downloads", "cohort series", "cohort rates"]
    assert table["prob_below_target"].notna().tolist() == [True] * 6 + [False] * 3
    code, out, _ = invoke("money", run, "--days", "7")
    assert code == 0
    assert "cost nothing" in out
    assert "No mean is given" in out
    assert "Monte Carlo: downloads 400 draws, error of P(> 0) up to 0.0" in out
    assert "MC error" in out


def test_couplings_of_a_stored_run(run: Path, campaign: Campaign, tmp_path: Path) -> None:
    folder = write_campaign(campaign, tmp_path / "campaign")
    options = ("--by", "campaign", "--coupling", "independent", "--campaign", folder)
    code, out, err = invoke("effects", run, *options, "--csv")
    assert code == 0, err
    own = pd.read_csv(io.StringIO(out)).iloc[0]
    shared = lift.load(run).effects.table("campaign").iloc[0]
    assert own["coupling"] == "independent"
    assert own["sd"] > shared["sd"]
    assert own["interaction_index"] != shared["interaction_index"]
    again = lift.load(run).coupled("independent", campaign).users("campaign", (7,)).table()
    assert again["coupling"].tolist() == ["independent"]
    code, _, err = invoke("effects", run, "--coupling", "independent")
    assert code == 2
    assert "campaign" in err
    code, _, err = invoke("effects", run, "--coupling", "superposition")
    assert code == 2
    assert "of counts, found a lognormal" in err


def test_campaign_tables_have_the_interaction_index(run: Path) -> None:
    code, out, _ = invoke("effects", run, "--by", "campaign")
    assert code == 0
    assert "interaction index" in out
    assert "Coupling: shared." in out
    code, out, _ = invoke("effects", run, "--by", "campaign", "--csv")
    row = pd.read_csv(io.StringIO(out)).iloc[0]
    single = lift.load(run).effects.draws("post").sum("post").mean()
    assert row["interaction_index"] == pytest.approx(float(single) / row["mean"] - 1)


def test_pull_forward_of_a_stored_run(run: Path) -> None:
    code, out, _ = invoke("displacement", run, "--csv")
    assert code == 0
    row = pd.read_csv(io.StringIO(out)).iloc[0]
    assert row["gross_lower"] < row["gross_mean"] < row["gross_upper"]
    assert np.isnan(row["displaced_mean"])
    code, out, _ = invoke("displacement", run)
    assert "Tipping" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "7=0.2"), "needs --activation"),
        (("--activation", "included"), "goes with --rate"),
        (("--days", "seven"), "parted by commas"),
        (("--days", "0"), "1 or more"),
        (("--rate", "7=0.2", "--activation", "included"), "MEAN,LOWER,UPPER"),
        (("--rate", "0.2", "--activation", "included"), "DAY=MEAN,LOWER,UPPER"),
        (("--rate", "7=0.2,0.3,0.4", "--activation", "included"), "between lower and upper"),
        (("--rate", "x=0.2,0.1,0.4", "--activation", "included"), "--rate"),
        (("--retention", "none.toml"), "none.toml"),
        (("--retention", "a.toml", "--cohorts", "b.csv"), "choose one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_options_are_named(run: Path, options: tuple[str, ...], words: str) -> None:
    code, out, err = invoke("users", run, *options)
    assert code == 2
    assert words in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in err


def test_a_run_without_cohorts_says_what_is_needed(tmp_path: Path) -> None:
    plain = simulate(CONFIG, seed=1).campaign
    run = lift.analyse(plain, draws=400).save(tmp_path / "run")
    code, _, err = invoke("users", run)
    assert code == 2
    assert "cohort table or a stated retention, found neither" in err


def test_series_that_cannot_be_are_named_before_sampling(campaign: Campaign) -> None:
    plain = simulate(CONFIG, seed=5).campaign
    with pytest.raises(InputError, match=r"users\.series needs the campaign's cohorts"):
        lift.analyse(plain, SPEC)
    spec = ModelSpec.model_validate({"users": {"series": [1, 14, 30]}})
    with pytest.raises(InputError) as caught:
        lift.analyse(campaign, spec)
    assert [problem.where for problem in caught.value.problems] == ["cohorts", "cohorts"]
    assert "for the users of day 14" in str(caught.value)
    assert "'active_d30' is needed" in str(caught.value)


def test_users_of_a_stored_run_need_no_engine(run: Path) -> None:
    """Neither PyMC nor a compiler is loaded where only draws are read."""
    code = (
        "import sys; from lift.cli import app\n"
        f"try: app(['users', {str(run)!r}, '--by', 'campaign'])\n"
        "except SystemExit as done: assert not done.code, done.code\n"
        "heavy = {'pymc', 'pytensor', 'numba', 'nutpie', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
