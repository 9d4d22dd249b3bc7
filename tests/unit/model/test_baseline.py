from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_campaigns import START, campaign

from lift.data.campaign import Campaign
from lift.model.baseline import Block, baseline_blocks, weekday_contrasts
from lift.model.spec import BaselineSpec


def blocks(data: Campaign, *, log_scale: bool = True, **spec: object) -> dict[str, Block]:
    parts = baseline_blocks(data, BaselineSpec.model_validate(spec), log_scale=log_scale)
    return {part.name: part for part in parts}


def test_contrasts_are_orthonormal_and_sum_to_zero() -> None:
    contrasts = weekday_contrasts()
    assert contrasts.shape == (7, 6)
    np.testing.assert_allclose(contrasts.T @ contrasts, np.eye(6), atol=1e-14)
    np.testing.assert_allclose(contrasts.sum(axis=0), 0.0, atol=1e-14)


def test_weekdays_are_exchangeable_under_the_prior() -> None:
    contrasts = weekday_contrasts()
    np.testing.assert_allclose(contrasts @ contrasts.T, np.eye(7) - 1 / 7, atol=1e-14)


def test_the_week_follows_the_weekday() -> None:
    week = blocks(campaign())["week"]
    days = pd.date_range(START, periods=80).day_of_week
    np.testing.assert_array_equal(week.columns, weekday_contrasts()[days])
    np.testing.assert_array_equal(week.prior_sd, 0.3)
    assert "week" not in blocks(campaign(), week=False)


@pytest.mark.parametrize(("n_days", "n_columns"), [(539, 0), (540, 4)])
def test_the_year_begins_at_540_days(n_days: int, n_columns: int) -> None:
    found = blocks(campaign(n_days))
    assert (found["year"].columns.shape[1] if "year" in found else 0) == n_columns


def test_the_year_repeats_and_is_smoother_by_pair() -> None:
    year = blocks(campaign(800), year_harmonics=3)["year"]
    assert year.labels == ("sin_1", "cos_1", "sin_2", "cos_2", "sin_3", "cos_3")
    np.testing.assert_allclose(year.prior_sd, [0.3, 0.3, 0.15, 0.15, 0.1, 0.1])
    np.testing.assert_allclose(year.columns[365], year.columns[0], atol=1e-12)
    # 1 January is the phase zero; a quarter of a year on, the first sine is at its top
    np.testing.assert_allclose(year.columns[0], [0, 1, 0, 1, 0, 1], atol=1e-12)
    assert year.columns[91, 0] == pytest.approx(1.0, abs=1e-3)


def test_holidays_have_the_day_before_the_day_and_the_day_after() -> None:
    # Italy: 25 April and 1 May 2025, Easter Monday 21 April, Epiphany 6 January
    data = campaign(121, country="IT")
    holiday = blocks(data)["holiday"]
    columns = dict(zip(holiday.labels, holiday.columns.T, strict=True))
    dates = pd.date_range(START, periods=121)
    days = set(data.holidays()["date"])
    assert pd.Timestamp("2025-04-25") in days
    for label, shift in (("day_before", 1), ("day_of", 0), ("day_after", -1)):
        wanted = [date + pd.Timedelta(days=shift) in days for date in dates]
        np.testing.assert_array_equal(columns[label], np.array(wanted, dtype=float))
    # 1 May is a day after the data: only its eve is in them
    assert dates[-1] == pd.Timestamp("2025-05-01")
    named = [label for label in holiday.labels if not label.startswith("day_")]
    np.testing.assert_array_equal(sum(columns[name] for name in named), columns["day_of"])
    np.testing.assert_array_equal(holiday.prior_sd, 0.3)


def test_the_eve_of_a_holiday_outside_the_data_counts() -> None:
    data = campaign(120, country="IT")
    assert data.dates[-1] == pd.Timestamp("2025-04-30")
    holiday = blocks(data)["holiday"]
    columns = dict(zip(holiday.labels, holiday.columns.T, strict=True))
    assert columns["day_before"][-1] == 1.0


def test_without_country_or_holidays_there_is_no_holiday() -> None:
    assert "holiday" not in blocks(campaign(120))
    assert "holiday" not in blocks(campaign(120, country="IT"), holidays=False)


def with_controls(**columns: np.ndarray) -> Campaign:
    data = campaign(80)
    table = pd.DataFrame({"date": data.dates, **columns})
    return Campaign(
        downloads=data.downloads.drop(columns="market"),
        posts=data.posts[["post_id", "posted_at"]],
        controls=table,
    )


def wave() -> np.ndarray:
    return 5.0 + np.sin(np.arange(80) / 3.0)


@pytest.mark.parametrize(
    ("transform", "log_scale", "takes_log"),
    [("auto", True, True), ("auto", False, False), ("log", False, True), ("none", True, False)],
)
def test_controls_are_standardised_on_their_scale(
    transform: str, log_scale: bool, takes_log: bool
) -> None:
    signed = np.cos(np.arange(80) / 5.0)
    data = with_controls(positive=wave(), signed=signed)
    control = blocks(data, control_transform=transform, log_scale=log_scale)["control"]
    assert control.labels == ("positive", "signed")
    assert np.isnan(control.prior_sd).all()
    first = np.log(wave()) if takes_log else wave()
    # a series that is not positive throughout never has its log taken
    wanted = np.column_stack([first, signed])
    wanted = (wanted - wanted.mean(axis=0)) / wanted.std(axis=0)
    np.testing.assert_allclose(control.columns, wanted, atol=1e-12)


def test_controls_can_be_left_out() -> None:
    assert "control" not in blocks(with_controls(positive=wave()), controls=False)


def test_blocks_come_in_their_order() -> None:
    data = campaign(600, n_controls=1, country="IT")
    assert list(blocks(data)) == ["week", "year", "holiday", "control"]


def test_lead_and_lag_of_holidays_can_be_set() -> None:
    data = campaign(120, country="IT")
    holiday = blocks(data, holiday_lead=2, holiday_lag=3)["holiday"]
    wanted = ["2_days_before", "day_before", "day_of", "day_after", "2_days_after", "3_days_after"]
    assert list(holiday.labels[:6]) == wanted
    columns = dict(zip(holiday.labels, holiday.columns.T, strict=True))
    days = set(data.holidays()["date"])
    for label, lag in (("2_days_before", 2), ("3_days_after", -3)):
        expected = [date + pd.Timedelta(days=lag) in days for date in data.dates]
        np.testing.assert_array_equal(columns[label], expected)
        assert columns[label].any()
    alone = blocks(data, holiday_lead=0, holiday_lag=0)["holiday"]
    assert "day_of" in alone.labels
    assert not {"day_before", "day_after"} & set(alone.labels)


def test_further_seasons_are_harmonics_of_their_periods() -> None:
    seasons = [{"period_days": 30.0, "pairs": 2}, {"period_days": 91.3, "pairs": 1, "sd": 0.1}]
    season = blocks(campaign(120), seasons=seasons)["season"]
    assert season.labels == (
        "30d_sin_1", "30d_cos_1", "30d_sin_2", "30d_cos_2", "91.3d_sin_1", "91.3d_cos_1",
    )  # fmt: skip
    np.testing.assert_allclose(season.prior_sd, [0.3, 0.3, 0.15, 0.15, 0.1, 0.1])
    monthly = season.columns[:, :4]
    np.testing.assert_allclose(monthly[30:60], monthly[:30], atol=1e-9)
    # a wave of k turns per period changes sign half a turn later
    np.testing.assert_allclose(monthly[15:45, :2], -monthly[:30, :2], atol=1e-9)
    np.testing.assert_allclose(season.columns[:, ::2] ** 2 + season.columns[:, 1::2] ** 2, 1.0)
    # more data do not turn the waves
    later = blocks(campaign(110, start="2025-01-11"), seasons=seasons)["season"]
    np.testing.assert_allclose(later.columns, season.columns[10:], atol=1e-9)
