"""The package runs unchanged: what it lacks is there while it runs and gone afterwards."""

from __future__ import annotations

import base64
import hashlib
import importlib
from importlib.metadata import distribution

import numpy as np
import pandas as pd
import pytest
from pandas.core.dtypes import common
from small_campaigns import campaign
from statsmodels.tsa.statespace.mlemodel import MLEResults
from statsmodels.tsa.statespace.structural import UnobservedComponents

from lift.data.campaign import Campaign
from lift.engines import causalimpact as adapter
from lift.engines.base import SampleSettings
from lift.engines.causalimpact import fit_windows, run, what_it_needs
from lift.errors import EngineError
from lift.model.spec import ModelSpec
from lift.rng import stream


@pytest.fixture
def data() -> pd.DataFrame:
    rng = stream(4, "tests", "impact")
    control = rng.normal(100, 5, 100)
    outcome = 1.2 * control + rng.normal(0, 1, 100)
    outcome[70:] += 10.0
    return pd.DataFrame({0: outcome, 1: control})


def test_the_package_is_as_it_was_published() -> None:
    installed = distribution("causalimpact")
    assert installed.version == adapter.TESTED
    files = [f for f in installed.files or [] if f.suffix == ".py" and f.hash is not None]
    assert len(files) == 5
    for file in files:
        digest = hashlib.sha256(file.locate().read_bytes()).digest()
        assert file.hash is not None
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value


def test_what_it_needs_is_there_while_it_runs_only() -> None:
    before = MLEResults.get_forecast
    with what_it_needs():
        assert common.is_datetime_or_timedelta_dtype(pd.Series([pd.Timestamp("2025-01-01")]))
        assert not common.is_datetime_or_timedelta_dtype(pd.Series([1, 2]))
        assert not common.is_datetime_or_timedelta_dtype([0, 1])
        assert MLEResults.get_forecast is not before
    assert MLEResults.get_forecast is before
    assert not hasattr(common, "is_datetime_or_timedelta_dtype")
    with pytest.raises(RuntimeError), what_it_needs():
        raise RuntimeError
    assert MLEResults.get_forecast is before
    assert not hasattr(common, "is_datetime_or_timedelta_dtype")


def test_without_it_the_package_fails(data: pd.DataFrame) -> None:
    """The day this test fails the adapter is no longer needed."""
    package = importlib.import_module("causalimpact")
    with pytest.raises(AttributeError, match="is_datetime_or_timedelta_dtype"):
        package.CausalImpact(data, [0, 69], [70, 99]).run()


def test_numbers_are_those_of_its_model(data: pd.DataFrame) -> None:
    """A local level with regression by maximum likelihood, standardised on the pre-period."""
    found = run(data, [0, 69], [70, 99], 0.05)
    scaled = (data - data[:70].mean()) / data[:70].std(ddof=0)
    model = UnobservedComponents(scaled[0][:70].to_numpy(), "llevel", exog=scaled[[1]][:70])
    forecast = model.fit(disp=False, maxiter=1000).get_forecast(30, exog=scaled[[1]][70:])
    mean = data[0][:70].mean() + data[0][:70].std(ddof=0) * np.asarray(forecast.predicted_mean)
    np.testing.assert_allclose(found["point_pred"][70:], mean, rtol=1e-6)
    assert found["point_effect"][70:].sum() == pytest.approx(300, abs=40)


def test_the_interval_of_the_sum_adds_up_pointwise_limits_in_order() -> None:
    """Its own lower limit of an effect is the upper one: the fault that is told, mended."""
    data = campaign(90, (60.4,), impulse=2.0)
    row = fit_windows(data, ModelSpec(horizon_days=7), SampleSettings()).table.iloc[0]
    assert row["lower"] < row["mean"] < row["upper"]
    assert row["mean"] - row["lower"] == pytest.approx(row["upper"] - row["mean"])


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "version", lambda _: "0.3.0")
    with pytest.raises(EngineError, match=r"made for causalimpact 0\.2\.6, found 0\.3\.0"):
        fit_windows(campaign(), ModelSpec(), SampleSettings())


def test_what_is_still_there_after_the_window_is_told() -> None:
    data = campaign(90, (60.4,), impulse=2.0)
    spec = ModelSpec(horizon_days=7)
    plain = fit_windows(data, spec, SampleSettings()).table.iloc[0]
    assert plain["lasting"] == 0.0
    assert plain["note"] == ""
    stayed = data.downloads[["date", "downloads"]].copy()
    stayed.loc[62:, "downloads"] += 900.0
    moved = Campaign(downloads=stayed, posts=data.posts[["post_id", "posted_at"]])
    row = fit_windows(moved, spec, SampleSettings()).table.iloc[0]
    # six of the eight days of the window have it, and the post's own two as much
    assert row["lasting"] == pytest.approx(8 * 900.0, rel=0.2)
    assert row["mean"] == pytest.approx(plain["mean"] + 6 * 900.0, rel=1e-9)
    assert "the days after the window still have" in row["note"]
    gone = moved.downloads[["date", "downloads"]].assign(
        downloads=stayed["downloads"].where(stayed.index < 70)
    )
    unseen = Campaign(downloads=gone, posts=data.posts[["post_id", "posted_at"]])
    assert fit_windows(unseen, spec, SampleSettings()).table.iloc[0]["lasting"] == 0.0


def test_what_lasts_is_no_more_than_the_effect_of_a_day() -> None:
    window = np.array([[10.0, 9.0, 11.0], [3.0, 2.0, 4.0], [-1.0, -2.0, 0.0], [np.nan] * 3])
    beyond = np.array([[5.0, 4.0, 6.0]] * 3)
    assert adapter._lasting(window, beyond) == (8.0, 5.0)
    assert adapter._lasting(-window, -beyond) == (-8.0, -5.0)
    assert adapter._lasting(window, beyond[:2]) == (0.0, 0.0)
    assert adapter._lasting(window, beyond - [[0.0, 4.5, 4.5]]) == (0.0, 0.0)
