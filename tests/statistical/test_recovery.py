"""Fits of simulated campaigns find the truth as often as their intervals say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

import lift
from lift import study
from lift.data.simulate import Simulation, SimulationConfig, simulate

ROOT = Path(__file__).resolve().parents[2]
ALARM = 1e-3
"""Chance of a false alarm of one test, were everything right."""


def fit(made: Simulation, draws: int = 2000) -> lift.Analysis:
    return lift.analyse(made.campaign, draws=draws, seed=1)


def test_large_effects_are_found_closely() -> None:
    """Quiet downloads and strong posts far apart: narrow intervals about the truth."""
    config = SimulationConfig(
        n_days=300,
        n_posts=4,
        first_post_day=120,
        overlap=0.0,
        daily_downloads=20_000.0,
        level_sd=0.002,
        noise_sd=0.02,
        amplitude_mean=1.5,
        views_sd=0.1,
    )
    made = simulate(config, seed=11)
    table = fit(made).effects.table("post").merge(made.truth, on=["by", "unit"])
    miss = (table["mean"] - table["truth"]).abs()
    assert (table["upper"] - table["lower"] < 1.5 * table["truth"]).all()
    assert (miss < 4 * table["sd"]).all()
    assert (miss < 0.35 * table["truth"]).all()
    assert (table["prob_positive"] > 0.99).all()


def test_missing_days_and_counts_are_fitted() -> None:
    config = SimulationConfig(
        n_days=240,
        n_posts=3,
        first_post_day=100,
        daily_downloads=15.0,
        outcome="negative_binomial",
        missing_share=0.1,
        noise_sd=0.2,
        amplitude_mean=2.0,
        controls=(),
        idle_controls=(),
    )
    made = simulate(config, seed=5)
    analysis = fit(made)
    total = analysis.effects.table("campaign").merge(made.truth, on=["by", "unit"]).iloc[0]
    assert total["lower"] <= total["truth"] <= total["upper"]
    assert total["n_days"] < len(made.campaign.dates)


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["lognormal", "negative_binomial"], ids=str)
def test_no_effect_raises_no_alarm(outcome: str) -> None:
    """Forty campaigns whose posts do nothing: few intervals of the total leave out zero."""
    n, alarms, inside = 40, 0, 0
    for seed in range(n):
        config = SimulationConfig.model_validate(
            {
                "n_days": 240,
                "n_posts": 8,
                "first_post_day": 120,
                "outcome": outcome,
                "daily_downloads": 500.0 if outcome == "lognormal" else 12.0,
                "amplitude_mean": 0.0,
                "group_sd": 0.0,
                "influencer_sd": 0.0,
                "post_sd": 0.0,
            }
        )
        effects = fit(simulate(config, seed=seed)).effects
        total = effects.table("campaign").iloc[0]
        alarms += not total["lower"] <= 0.0 <= total["upper"]
        half = effects.table("campaign", 0.5).iloc[0]
        inside += half["lower"] <= 0.0 <= half["upper"]
    assert alarms <= binom.ppf(1 - ALARM, n, 0.05)
    assert inside >= binom.ppf(ALARM, n, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "coverage_overlapping_posts",
        pytest.param("hacker_news_stars", marks=pytest.mark.real_data),
        pytest.param("immuni_rollouts", marks=pytest.mark.real_data),
    ],
)
def test_the_whole_experiment_gives_the_expected_numbers(name: str, tmp_path: Path) -> None:
    outcome = study.reproduce(ROOT / "experiments" / name, results=tmp_path)
    assert outcome.passed, outcome.text()


@pytest.mark.slow
def test_results_do_not_depend_on_what_was_done_before(tmp_path: Path) -> None:
    """A study that is begun with one campaign and then enlarged equals one made in one go."""
    folder = ROOT / "experiments" / "coverage_overlapping_posts"
    whole = study.run(folder, smoke=True, results=tmp_path / "whole")
    config = study.read_config(folder, smoke=True)
    units = tmp_path / "parts" / "units"
    units.mkdir(parents=True)
    first = sorted((tmp_path / "whole" / "units").glob("*.json"))[0]
    (units / first.name).write_bytes(first.read_bytes())
    again = study.run(folder, smoke=True, results=tmp_path / "parts")
    assert again == whole
    assert config["campaigns"] == len(list(units.glob("*.json")))
    for table in ("effects.csv", "summary.csv", "campaigns.csv"):
        assert (tmp_path / "whole" / table).read_bytes() == (
            tmp_path / "parts" / table
        ).read_bytes()


def test_committed_tables_are_those_of_the_expected_numbers() -> None:
    folder = ROOT / "experiments" / "coverage_overlapping_posts"
    numbers = tomllib.loads((folder / "expected.toml").read_text("utf-8"))["numbers"]
    rows = np.genfromtxt(
        folder / "results" / "summary.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    stored = dict(zip(rows["number"].tolist(), rows["value"].tolist(), strict=True))
    assert stored.keys() == numbers.keys()
    for name, entry in numbers.items():
        assert stored[name] == pytest.approx(entry["value"], rel=1e-5), name
