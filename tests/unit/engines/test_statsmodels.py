"""Maximum likelihood: the profile likelihood against dense matrices, and what draws are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_campaigns import campaign
from statsmodels.regression.linear_model import GLS

from lift.analysis.effects import Effects
from lift.engines.base import SampleSettings
from lift.engines.regression import columns_at, independent, unpooled
from lift.engines.statsmodels import (
    FAULTS,
    _draws,
    _estimate,
    _maximum,
    _objective,
    _slopes,
    _spread,
    fit_statsmodels,
)
from lift.errors import EngineError
from lift.model.baseline import Block
from lift.model.design import Design, build_design
from lift.model.spec import ModelSpec

POINT = np.array([np.log(0.08), np.log(0.02), -0.5, -0.2])


@pytest.fixture(scope="module")
def design() -> Design:
    data = campaign(80, (30.4, 55.8), missing=(3, 33), n_controls=1)
    return unpooled(build_design(data, ModelSpec()))


def dense(design: Design, point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return profile likelihood, coefficients and their covariance by dense matrices."""
    seen = design.observed
    days = np.arange(len(design.dates))
    noise, level = np.exp(2 * point[:2])
    covariance = 1e6 + level * np.minimum.outer(days, days)
    covariance += np.diag(noise + design.poisson_variance)
    outcome, columns = design.outcome[seen], columns_at(design, point)[seen]
    covariance = covariance[np.ix_(seen, seen)]
    fitted = GLS(outcome, columns, covariance).fit()
    rest = outcome - columns @ fitted.params
    log_det = np.linalg.slogdet(covariance)[1]
    log_density = -0.5 * (log_det + rest @ np.linalg.solve(covariance, rest))
    return float(log_density), fitted.params, np.asarray(fitted.normalized_cov_params)


def test_the_profile_likelihood_is_that_of_least_squares(design: Design) -> None:
    moved = POINT + np.array([0.3, -0.4, 0.5, 0.2])
    gaps = []
    for point in (POINT, moved):
        log_likelihood, coefficients, covariance = dense(design, point)
        found = _estimate(design, point)
        np.testing.assert_allclose(found.coefficients, coefficients, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.covariance, covariance, rtol=1e-3, atol=1e-7)
        gaps.append(found.log_likelihood - log_likelihood)
    # up to a constant
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-3)


def test_the_maximum_has_no_slope(design: Design) -> None:
    point, n_evaluations = _maximum(design, lambda *_: None)
    best = _objective(design, point)
    assert n_evaluations > 3
    for step in 0.05 * np.eye(len(point)):
        assert _objective(design, point + step) > best - 1e-4
        assert _objective(design, point - step) > best - 1e-4


def test_draws_have_the_moments_of_the_asymptotic_normal(design: Design) -> None:
    """Variances and kernel by the inverse information, coefficients by the delta method."""
    point, _ = _maximum(design, lambda *_: None)
    free = np.arange(len(point))
    spread, slopes = _spread(design, point, free), _slopes(design, point, free)
    at = _estimate(design, point)
    settings = SampleSettings(draws=40_000, chains=2)
    _, coefficients = _draws(design, point, free, spread, slopes, at, settings)
    flat = coefficients.reshape(-1, coefficients.shape[2])
    expected = at.covariance + slopes.T @ spread @ spread.T @ slopes
    sd = np.sqrt(np.diag(expected))
    assert np.abs(flat.mean(axis=0) - at.coefficients).max() < (5 * sd / np.sqrt(40_000)).max()
    # a correlation of n draws has a standard error of at most 1 / sqrt(n)
    away = (np.cov(flat.T) - expected) / np.outer(sd, sd)
    assert np.abs(away).max() < 5 * np.sqrt(2 / 40_000)


def test_the_result_says_what_it_is() -> None:
    posterior = fit_statsmodels(campaign(60, (30.4,)), ModelSpec(), SampleSettings(100, 2))
    attrs = posterior.attrs
    assert (attrs["interval"], attrs["pooling"]) == ("confidence", "none")
    assert attrs["draws_are"].startswith("asymptotic normal distribution of maximum likelihood")
    assert attrs["faults"] == "; ".join(FAULTS)


def test_columns_that_others_add_up_to_are_left_out(design: Design) -> None:
    week = design.blocks[0]
    both = Block("holiday", ("all", "one", "other"), np.eye(80)[:, :3], np.ones(3))
    both.columns[:, 0] = both.columns[:, 1:].sum(axis=1)
    found, left_out = independent(replace(design, blocks=(week, both)))
    assert left_out == ["holiday other"]
    assert found.blocks[1].labels == ("all", "one")
    np.testing.assert_array_equal(found.blocks[0].columns, week.columns)
    whole, nothing = independent(design)
    assert nothing == []
    np.testing.assert_array_equal(whole.fixed, design.fixed)


def test_an_effect_of_a_post_that_had_none_is_about_zero() -> None:
    table = Effects(
        fit_statsmodels(campaign(90, (45.4,), impulse=0.0), ModelSpec(), SampleSettings(400, 2))
    ).table()
    assert table.loc[0, "lower"] < 0 < table.loc[0, "upper"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"baseline": {"trend": "linear"}}, 'does not do trend = "linear"; use engine = "exact"'),
        ({"response": {"kernel": "gamma"}}, 'does not do kernel = "gamma"; use engine = "exact"'),
    ],
)
def test_what_it_does_not_do_is_refused(spec: dict[str, object], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        fit_statsmodels(campaign(), ModelSpec.model_validate(spec), SampleSettings())
