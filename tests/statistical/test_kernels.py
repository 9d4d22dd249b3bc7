"""Responses that are drawn without the model's code are found by the kernels made for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from small_campaigns import post_table

from lift.analysis.counterfactual import log_lift
from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

N_DAYS = 320
TIMES = (60.0, 85.5, 112.25, 140.75, 168.0, 199.4, 230.1, 262.6)
HOURS = 24


def made(by_hour: FloatArray, amplitudes: FloatArray) -> tuple[Campaign, FloatArray]:
    """Return a campaign whose posts act hour by hour, and their log-lift by day, (day, post)."""
    rng = stream(3, "tests", "kernels")
    lift = np.zeros((N_DAYS, len(TIMES)))
    for j, (time, amplitude) in enumerate(zip(TIMES, amplitudes, strict=True)):
        since = np.floor(time + (np.arange(len(by_hour)) + 0.5) / HOURS).astype(int)
        inside = since < N_DAYS
        np.add.at(lift[:, j], since[inside], amplitude * by_hour[inside])
    level = 9.0 + 0.004 * rng.normal(size=N_DAYS).cumsum()
    downloads = np.exp(level + lift.sum(axis=1) + 0.02 * rng.normal(size=N_DAYS))
    dates = pd.date_range("2025-01-01", periods=N_DAYS)
    table = pd.DataFrame({"date": dates, "downloads": np.round(downloads)})
    return Campaign(downloads=table, posts=post_table(TIMES)), lift


def fitted(data: Campaign, kernel: str, **response: object) -> Posterior:
    spec = ModelSpec.model_validate({"response": {"kernel": kernel, **response}})
    return fit_exact(data, spec, SampleSettings(draws=1000, chains=2, seed=2))


def total(data: Campaign, lift: FloatArray) -> float:
    """Return the true effect of all posts within 28 days of each."""
    downloads = data.downloads["downloads"].to_numpy(dtype=np.float64)
    since = np.arange(N_DAYS)[:, None] - np.floor(TIMES)
    window = ((since >= 0) & (since <= 28)).any(axis=1)
    return float((downloads * -np.expm1(-lift.sum(axis=1)))[window].sum())


def tail_probability(draws: FloatArray, truth: float) -> float:
    return float(min((draws <= truth).mean(), (draws >= truth).mean()))


AMPLITUDES = np.array([0.9, 1.3, 0.7, 1.1, 0.8, 1.2, 1.0, 0.6])


def test_a_delayed_peak_is_found_by_the_gamma_kernel() -> None:
    shape, rate = 2.5, 0.9
    edges = np.arange(60 * HOURS + 1) / HOURS
    by_hour = np.diff(stats.gamma.cdf(edges, shape, scale=1 / rate))
    data, lift = made(by_hour, AMPLITUDES)
    posterior = fitted(data, "gamma", shape_sd=0.8)
    assert posterior.sample_stats["pareto_k"] < 0.7
    shapes = posterior.draws["kernel_shape"].to_numpy().ravel()
    shares = posterior.draws["first_day_share"].to_numpy().ravel()
    assert tail_probability(shapes, shape) > 0.0005
    assert np.median(shapes) == pytest.approx(shape, rel=0.35)
    assert tail_probability(shares, stats.gamma.cdf(1.0, shape, scale=1 / rate)) > 0.0005
    draws = Effects(posterior).draws("campaign").to_numpy().ravel()
    assert tail_probability(draws, total(data, lift)) > 0.0005
    weibull = fitted(data, "weibull", shape_sd=0.8)
    # the evidence knows which family the response came from
    assert posterior.sample_stats["log_evidence"] > weibull.sample_stats["log_evidence"]


def test_a_decay_by_the_hour_is_found_by_the_geometric_kernel() -> None:
    kept = 0.55
    edges = np.arange(60 * HOURS + 1) / HOURS
    data, lift = made(-np.diff(kept**edges), AMPLITUDES)
    posterior = fitted(data, "geometric")
    assert "kernel_shape" not in posterior.draws
    shares = posterior.draws["first_day_share"].to_numpy().ravel()
    assert tail_probability(shares, 1 - kept) > 0.0005
    assert np.std(shares) < 0.05
    draws = Effects(posterior).draws("campaign").to_numpy().ravel()
    assert tail_probability(draws, total(data, lift)) > 0.0005


def test_a_second_wave_is_found_by_the_free_kernel() -> None:
    """Half of the response decays from the post on, half comes as a wave on days 7 to 9."""
    edges = np.arange(60 * HOURS + 1) / HOURS
    first = -np.diff(np.exp(-0.8 * edges))
    second = np.diff(stats.triang.cdf(edges, 0.5, loc=7.0, scale=3.0))
    data, lift = made(0.5 * first + 0.5 * second, AMPLITUDES)
    free = fitted(data, "free", free_rate=0.3)
    weibull = fitted(data, "weibull")
    assert free.sample_stats["pareto_k"] < 0.7
    assert free.sample_stats["log_evidence"] > weibull.sample_stats["log_evidence"] + 10
    # the mean response by day since the first post, whose day began with it
    lags = log_lift(free, np.array([0])).values[:, :14]
    truth = lift[60:74, 0]
    sd = lags.std(axis=0)
    assert (np.abs(lags.mean(axis=0) - truth) < 4 * sd + 0.02).all()
    assert (lags[:, 8] > lags[:, 5] + 0.03).mean() > 0.99
    straight = log_lift(weibull, np.array([0])).values[:, :14]
    assert (straight[:, 8] > straight[:, 5]).mean() < 0.01
    draws = Effects(free).draws("campaign").to_numpy().ravel()
    assert tail_probability(draws, total(data, lift)) > 0.0005
