"""Incremental users from hand-made posteriors: sums written out, and what every row rests on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from small_posteriors import hand_made

from lift.analysis.diagnostics import mcse_share
from lift.analysis.effects import Effects
from lift.analysis.monthly import LOWER_BOUND, MATERIAL, MONTH_DAYS, monthly_active_users
from lift.analysis.retention import Retention, assumed_retention, retention_of
from lift.analysis.survival import Curve
from lift.analysis.users import estimate_users, incremental_users, series_users
from lift.data.cohorts import Cohorts
from lift.errors import InputError
from lift.model.assumption import RetentionAssumption
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

ASSUMED = RetentionAssumption.model_validate(
    {
        "activation": {"mean": 0.8, "n": 1e9},
        "retention": {1: {"mean": 0.3, "n": 1e9}, 30: {"mean": 0.1, "n": 1e9}},
        "quality": {"sd": 0.0},
    }
)


def posterior(n_draws: int = 40, **changes: object) -> Posterior:
    """Return three posts of two people over 90 days, one of which was not observed."""
    downloads = np.full(90, 1000.0)
    downloads[33] = np.nan
    given: dict[str, object] = {
        "impulse": stream(1, "tests", "users").normal(0.7, 0.2, size=(n_draws, 3)),
        "days": [20, 30, 80],
        "downloads": downloads,
        "window_days": 20,
        "horizon_days": 14,
        "text": {"influencer": ["ann", "bob", "ann"]},
        "attrs": {"seed": 3},
    }
    return hand_made(**(given | changes))  # type: ignore[arg-type]


def known(made: Posterior, every: int = 2) -> Retention:
    """Return retention written down, different on every date, of every second draw."""
    n_draws, n_dates = made.draws["impulse"].size // 3, len(made.dates)
    chosen = np.arange(0, n_draws, every)
    rng = stream(2, "tests", "retention")
    return Retention(
        basis="cohort rates",
        chosen=chosen,
        installs=rng.uniform(0.7, 1.0, size=(1, n_dates)),
        shares={7: rng.uniform(0.1, 0.3, size=(len(chosen), n_dates))},
        organic={7: np.full(len(chosen), 0.2)},
        curve=Curve(
            alpha=np.full(len(chosen), 0.5),
            beta=np.full(len(chosen), 0.3),
            shift=np.zeros(len(chosen)),
            days=(7,),
            misfit=0.0,
        ),
        quality=None,
        notes={7: "said"},
    )


def test_users_are_downloads_times_installs_times_retention() -> None:
    made = posterior()
    effects, retention = Effects(made), known(made)
    found = incremental_users(effects, retention, "influencer", (7,))
    assert found.draws.dims == ("chain", "draw", "unit", "day")
    assert found.draws.sizes["draw"] == 10
    for name in ("ann", "bob"):
        (unit,) = (unit for unit in effects.units("influencer") if unit.name == name)
        days, downloads = effects.daily_draws(unit)
        expected = np.zeros(20)
        for column, day in enumerate(days):
            installs = downloads[retention.chosen, column] * retention.installs[0, day]
            expected += installs * retention.shares[7][:, day]
        np.testing.assert_allclose(
            found.draws.sel(unit=name, day=7).to_numpy().ravel(), expected, rtol=1e-12
        )


def test_every_row_says_what_it_rests_on() -> None:
    made = posterior()
    effects = Effects(made, {"p1": "only prior: all of it"})
    table = incremental_users(effects, known(made), "post", (7, 60)).table(0.9)
    assert (table["basis"] == "cohort rates").all()
    assert table["extrapolated"].tolist() == [False, True] * 3
    assert table["outcome"].tolist()[:2] == ["users active on day 7", "users active on day 60"]
    assert table["per_quality"].isna().all()
    notes = table.set_index(["unit", "day"])["note"]
    assert notes["p1", 7] == "only prior: all of it; 1 day(s) not observed; said"
    assert "the data end" in notes["p3", 7]
    assert "day 60 from the retention curve, observed on day 7" in notes["p2", 60]
    row = table.iloc[0]
    draws = incremental_users(effects, known(made), "post", (7,)).draws.sel(unit="p1", day=7)
    assert (table["n_draws"] == draws.size).all()
    chance = float((draws > 0).mean())
    assert row["mcse_prob"] == pytest.approx(mcse_share(draws.to_numpy() > 0))
    assert 0.0 < row["mcse_prob"] < 0.5
    assert row["prob_positive"] == chance
    assert row["mean"] == pytest.approx(float(draws.mean()))
    assert row["lower"] == pytest.approx(float(draws.quantile(0.05)))
    assert row["upper"] == pytest.approx(float(draws.quantile(0.95)))


def test_assumed_users_are_flagged_and_scale_with_quality() -> None:
    made = posterior()
    effects = Effects(made)
    found = incremental_users(effects, assumed_retention(made, ASSUMED), "campaign", (30,))
    downloads = effects.draws("campaign").isel(campaign=0).to_numpy()
    np.testing.assert_allclose(found.draws[..., 0, 0], 0.08 * downloads, rtol=1e-3)
    (row,) = found.table().to_dict("records")
    assert row["basis"].startswith("assumption-driven: activation 0.8, retention D1 0.3, D30 0.1")
    assert "assumption-driven" in row["note"]
    assert row["per_quality"] == pytest.approx(row["mean"], rel=1e-9)


def test_an_effect_that_is_taken_back_gives_negative_users() -> None:
    made = posterior(impulse=np.full((40, 3), -0.5))
    table = incremental_users(Effects(made), known(made), "campaign", (7,)).table()
    assert table["upper"].iloc[0] < 0
    assert table["prob_positive"].iloc[0] == 0


def test_installs_kept_away_are_worth_those_that_came_anyway() -> None:
    made = posterior(impulse=np.tile([0.7, -0.5, 0.0], (40, 1)))
    effects = Effects(made)
    retention = replace(known(made), kept_away={7: np.full((20, 90), 0.5)})
    users = incremental_users(effects, retention, "post", (7,)).draws[..., 0]
    for unit, brought in (("p1", True), ("p2", False)):
        (own,) = (one for one in effects.units("post") if one.name == unit)
        days, downloads = effects.daily_draws(own)
        share = retention.shares[7][:, days] if brought else np.full((20, len(days)), 0.5)
        expected = (downloads[retention.chosen] * retention.installs[:, days] * share).sum(axis=1)
        np.testing.assert_allclose(users.sel(unit=unit).to_numpy().ravel(), expected, rtol=1e-12)


def test_a_series_of_users_needs_no_retention() -> None:
    made = posterior()
    fit = posterior(
        impulse=stream(9, "tests", "series").normal(0.5, 0.1, size=(40, 2)),
        days=[20, 30],
        downloads=np.full(70, 90.0),
        text={"influencer": ["ann", "bob"]},
    )
    effects, fits = Effects(made), {7: Effects(fit, {"p2": "only prior: x"})}

    def never() -> Retention:
        raise AssertionError

    found = estimate_users(effects, never, fits, "post", (7,))
    assert found.bases == ("cohort series",)
    np.testing.assert_array_equal(
        found.draws.sel(unit=["p1", "p2"], day=7).to_numpy(), fits[7].draws("post").to_numpy()
    )
    table = found.table().set_index("unit")
    assert table.loc["p3", ["mean", "lower", "upper", "prob_positive"]].isna().all()
    assert "no estimate: no cohort of its window" in table.loc["p3", "note"]
    assert "only prior" in table.loc["p2", "note"]
    people = series_users(effects, fits, "influencer").table().set_index("unit")
    assert "cohorts of 1 of 2 posts observed" in people.loc["ann", "note"]


def test_days_of_series_and_of_rates_stand_side_by_side() -> None:
    made = posterior()
    effects, retention = Effects(made), known(made)
    fits = {30: Effects(posterior(downloads=np.full(90, 40.0)))}
    found = estimate_users(effects, lambda: retention, fits, "post", (30, 7, 60))
    assert found.draws["day"].to_numpy().tolist() == [7, 30, 60]
    assert found.bases == ("cohort rates", "cohort series", "cohort rates")
    alone = fits[30].draws("post").to_numpy().reshape(-1, 3)[retention.chosen]
    np.testing.assert_array_equal(found.draws.sel(day=30).to_numpy().reshape(-1, 3), alone)
    assert found.table().query("day == 30")["extrapolated"].tolist() == [False] * 3


def test_monthly_active_users_are_the_installs_of_a_month_and_who_is_left_of_the_others() -> None:
    made = posterior()
    effects, retention = Effects(made), known(made, every=1)
    table = monthly_active_users(effects, retention)
    assert table["date"].iloc[0] == made.dates[20]
    (unit,) = effects.units("campaign")
    days, downloads = effects.daily_draws(unit)
    installs = downloads * retention.installs[0, days]
    for row in (5, 40, 69):
        today = 20 + row
        expected = np.zeros(40)
        for column, day in enumerate(days):
            if day > today:
                continue
            older = today - day - (MONTH_DAYS - 1)
            left = 1.0 if older <= 0 else retention.curve.at(np.array([float(older)]))[:, 0]
            expected += installs[:, column] * left
        assert table["mean"].iloc[row] == pytest.approx(expected.mean())
        assert table["upper"].iloc[row] == pytest.approx(np.quantile(expected, 0.975))
    assert (table["basis"] == "cohort rates").all()
    # Day 7 is the last observed: an install 37 days old is beyond it, but the first few are no
    # material part of all.
    share = np.zeros(70)
    for row in range(70):
        ages = 20 + row - days - (MONTH_DAYS - 1)
        left = retention.curve.at(np.maximum(ages, 0.0))
        left[:, ages <= 0] = 1.0
        users = np.abs((installs * left).mean(axis=0)) * (days <= 20 + row)
        share[row] = users[ages > 7].sum() / users.sum()
    assert share[36] == 0.0
    assert 0.0 < share[37] < MATERIAL < share[69]
    assert table["extrapolated"].tolist() == (share >= MATERIAL).tolist()
    assert table["note"].iloc[69].endswith(f"{share[69]:.0%} of them by the curve beyond day 7")
    assert [LOWER_BOUND in note for note in table["note"]] == [row >= 30 for row in range(70)]


def test_what_is_known_goes_before_what_is_assumed() -> None:
    made = posterior()
    with pytest.raises(InputError, match="cohort table or a stated retention, found neither"):
        retention_of(made, ModelSpec())
    spec = ModelSpec.model_validate({"users": {"assumption": ASSUMED.model_dump()}})
    assert retention_of(made, spec).basis.startswith("assumption-driven")
    table = pd.DataFrame(
        {"install_date": made.dates, "installs": 1000.0, "active_d7": np.full(90, 150.0)}
    )
    with_cohorts = made.with_users(Cohorts(table))
    assert retention_of(with_cohorts, spec, n_draws=4).basis == "cohort rates"
    assert retention_of(with_cohorts, spec, ASSUMED).basis.startswith("assumption-driven")


@pytest.mark.parametrize("days", [(), (0,), (7, 7)])
def test_days_that_cannot_be(days: tuple[int, ...]) -> None:
    made = posterior()
    with pytest.raises(InputError, match="1 or more, each once"):
        incremental_users(Effects(made), known(made), days=days)
