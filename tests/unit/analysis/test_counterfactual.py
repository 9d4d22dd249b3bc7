from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_posteriors import hand_made

from lift.analysis.counterfactual import curve, log_lift, post_positions
from lift.analysis.effects import Effects
from lift.errors import InputError
from lift.model.posterior import Posterior

N_DAYS = 90
COLUMNS = ["date", "observed", "mean", "lower", "upper"]


def made(**rest: object) -> Posterior:
    rng = np.random.default_rng(6)
    values = 500.0 + 5.0 * np.arange(N_DAYS)
    values[[26, 50]] = np.nan
    given = {
        "impulse": rng.normal(0.6, 0.2, size=(100, 3)),
        "days": [20, 25, 80],
        "downloads": values,
    }
    return hand_made(**(given | rest))  # type: ignore[arg-type]


def test_without_no_post_the_curve_is_what_was_observed() -> None:
    table = curve(made(), [])
    assert list(table.columns) == COLUMNS
    for name in ("mean", "lower", "upper"):
        np.testing.assert_array_equal(table[name], table["observed"])


def test_without_all_posts_is_without_the_campaign() -> None:
    posterior = made()
    pd.testing.assert_frame_equal(curve(posterior), curve(posterior, ["p1", "p2", "p3"]))
    pd.testing.assert_frame_equal(curve(posterior), curve(posterior, ["p3", "p1", "p2"]))


def test_the_curve_is_observed_less_the_daily_effect() -> None:
    posterior = made()
    table = curve(posterior, ["p1"]).set_index("date")
    daily = Effects(posterior).daily("post")
    daily = daily[daily["unit"] == "p1"].set_index("date")
    gone = table["observed"] - table["mean"]
    np.testing.assert_allclose(gone.loc[daily.index], daily["mean"], rtol=1e-9)
    upper = table["observed"] - table["lower"]
    np.testing.assert_allclose(upper.loc[daily.index], daily["upper"], rtol=1e-9)


def test_days_before_a_post_are_as_observed() -> None:
    table = curve(made(), ["p2"])
    np.testing.assert_array_equal(table["mean"][:25], table["observed"][:25])
    assert (table["mean"][27:50] < table["observed"][27:50]).all()


def test_a_day_that_was_not_observed_stays_so() -> None:
    table = curve(made())
    for name in ("observed", "mean", "lower", "upper"):
        assert np.flatnonzero(table[name].isna()).tolist() == [26, 50]
    assert len(table) == N_DAYS


def test_the_interval_holds_the_mean_and_follows_its_probability() -> None:
    narrow, wide = curve(made(), None, 0.5), curve(made(), None, 0.99)
    seen = narrow["observed"].notna() & (narrow.index > 20)
    assert (wide["lower"] < narrow["lower"])[seen].all()
    assert (wide["upper"] > narrow["upper"])[seen].all()
    assert (narrow["lower"] < narrow["mean"])[seen].all()


def test_every_unknown_post_is_named() -> None:
    with pytest.raises(InputError) as caught:
        curve(made(), ["p1", "q7", "p2", "q9"])
    whats = [problem.what for problem in caught.value.problems]
    assert len(whats) == 2
    assert "'q7'" in whats[0]
    assert "'q9'" in whats[1]
    assert "p1, p2, p3" in whats[0]


def test_a_long_list_of_posts_is_cut_short() -> None:
    posterior = made(impulse=np.ones((4, 12)), days=list(range(20, 32)))
    with pytest.raises(InputError, match=r"p8, \.\.\."):
        post_positions(posterior, ["none"])


@pytest.mark.parametrize("prob", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_a_probability_lies_between_0_and_1(prob: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        curve(made(), None, prob)


def test_a_post_that_is_named_twice_is_taken_away_once() -> None:
    posterior = made()
    pd.testing.assert_frame_equal(curve(posterior, ["p1", "p1"]), curve(posterior, ["p1"]))


def test_log_lift_begins_with_the_first_post_and_ends_with_the_data() -> None:
    posterior = made(window_days=7)
    lift = log_lift(posterior, np.array([0, 1]))
    assert lift.first_day == 20
    assert lift.values.shape == (100, 5 + 7)
    impulse = posterior.draws["impulse"].to_numpy().reshape(100, 3)
    # a window of seven days holds the whole of each response
    np.testing.assert_allclose(lift.values.sum(axis=1), impulse[:, :2].sum(axis=1), rtol=1e-12)
    end = log_lift(made(days=[20, 25, 88]), np.array([2]))
    assert end.values.shape == (100, 2)


def test_the_posterior_is_not_changed() -> None:
    posterior = made()
    before = posterior.downloads.to_numpy().copy()
    curve(posterior)
    np.testing.assert_array_equal(posterior.downloads.to_numpy(), before)
