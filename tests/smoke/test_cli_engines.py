"""lift compare, on a real fit."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import lift
from lift import compare
from lift.analysis import verdicts
from lift.analysis.verdicts import CAMPAIGN, EngineEffects
from lift.cli import app
from lift.data.campaign import write_campaign
from lift.data.simulate import SimulationConfig
from lift.errors import InputError

RUNNER = CliRunner()
CONFIG = SimulationConfig(
    n_days=130, n_posts=6, first_post_day=40, n_influencers=3, amplitude_mean=0.6, controls=()
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign and the run of it, side by side."""
    base = tmp_path_factory.mktemp("compare")
    campaign, _ = lift.simulate_campaign(CONFIG, seed=1)
    write_campaign(campaign, base / "campaign")
    read = lift.read_campaign(base / "campaign")
    lift.analyse(read, draws=1000, seed=5).save(base / "run")
    return base


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_one_table_one_figure_and_a_verdict_on_each_difference(folder: Path) -> None:
    engines = "exact,gibbs,statsmodels,causalimpact"
    out = folder / "engines"
    code, shown, said = invoke(
        "compare", folder / "run", "--engines", engines, "--campaign", folder / "campaign",
        "--out", out,
    )  # fmt: skip
    table = pd.read_csv(out / "engines.csv")
    failed = table["verdict"].isin(verdicts.FAILURES)
    assert code == int(failed.any())
    assert set(table["unit"]) == {*(f"p0{i}" for i in range(1, 7)), CAMPAIGN}
    assert len(table) == 4 * 7
    gibbs = table[table["engine"] == "gibbs"]
    assert (gibbs["verdict"] == verdicts.SAME).all()
    windows = table[(table["engine"] == "causalimpact") & (table["unit"] != CAMPAIGN)]
    assert windows["verdict"].isin([verdicts.OVERLAP, verdicts.REFUSED]).all()
    assert "statsmodels: nothing is pooled" in shown
    assert "causalimpact: its p-value compares the predicted level with zero" in shown
    assert "posts share days with others" in said
    assert "within Monte Carlo error" in shown
    assert (out / "engines.svg").read_text("utf-8").startswith("<?xml")


def test_as_json_and_the_run_is_not_fitted_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[str] = []
    analyse = compare.pipeline.analyse

    def spy(*args: object, **rest: object) -> object:
        fitted.append(str(rest["engine"]))
        return analyse(*args, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(compare.pipeline, "analyse", spy)
    code, shown, _ = invoke(
        "compare", folder / "run", "--engines", "exact,statsmodels", "--json",
        "--campaign", folder / "campaign", "--out", folder / "json",
    )  # fmt: skip
    found = json.loads(shown)
    assert found["passed"] == (code == 0)
    assert fitted == ["statsmodels"]
    effects = lift.load(folder / "run").effects.table("post").set_index("unit")["mean"]
    for row in found["effects"]:
        if row["engine"] == "exact" and row["unit"] != CAMPAIGN:
            assert row["mean"] == pytest.approx(effects[row["unit"]])


def test_what_is_not_explained_exits_1(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def off(name: str, *_: object) -> EngineEffects:
        row = {"unit": "p01", "mean": 0.0, "lower": -1.0, "upper": 1.0, "overlaps": ""}
        table = pd.DataFrame([row | {f"mcse_{w}": 0.1 for w in ("mean", "lower", "upper")}])
        table["mean"] += 100.0 * (name == "gibbs")
        return EngineEffects(name, table, 1.0)

    monkeypatch.setattr(compare, "_of_posterior", off)
    code, shown, _ = invoke(
        "compare", folder / "run", "--engines", "exact,gibbs",
        "--campaign", folder / "campaign", "--out", folder / "off",
    )  # fmt: skip
    assert code == 1
    assert "Not explained: p01 (gibbs)." in shown


@pytest.mark.parametrize(
    ("engines", "message"),
    [
        ("exact", "must be at least two, found 1"),
        ("exact,exact", "must be named once each, found exact again"),
        ("exact,bsts", "must be of exact, gibbs, pymc, statsmodels, causalimpact, found 'bsts'"),
        ("causalimpact,exact", "the first must return a posterior"),
    ],
)
def test_bad_lists_of_engines_exit_2(engines: str, message: str, folder: Path) -> None:
    code, _, said = invoke("compare", folder / "run", "--engines", engines)
    assert code == 2
    assert message in said


def test_a_campaign_that_is_another_is_refused(folder: Path, tmp_path: Path) -> None:
    other, _ = lift.simulate_campaign(CONFIG, seed=2)
    write_campaign(other, tmp_path / "other")
    code, _, said = invoke("compare", folder / "run", "--campaign", tmp_path / "other")
    assert code == 2
    assert "must be what the run was made from" in said


def test_draws_that_must_not_be_believed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, _ = lift.simulate_campaign(CONFIG, seed=1)
    real = compare.pipeline.analyse

    def analyse(*args: object, engine: str, **rest: object) -> object:
        if engine == "gibbs":
            raise lift.DiagnosticsError("the chains disagree")
        return real(*args, engine=engine, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(compare.pipeline, "analyse", analyse)
    found = compare.compare(campaign, None, ["exact", "gibbs"], draws=400)
    assert not found.passed
    rows = found.table[found.table["engine"] == "gibbs"]
    assert (rows["verdict"] == verdicts.UNBELIEVED).all()
    assert (rows["note"] == "the chains disagree").all()
    with pytest.raises(InputError, match="at least two"):
        compare.compare(campaign, None, [])
