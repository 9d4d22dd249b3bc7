from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats.qmc import Sobol

from lift.engines.mixture import DEGREES, MAX_COMPONENTS, Mixture, fit_mixture, log_sum_exp
from lift.errors import EngineError

TWO = Mixture(
    np.array([3.0, 1.0]),
    np.array([[-1.0], [2.5]]),
    np.array([[[0.7]], [[1.5]]]),
)
PLANE = Mixture(
    np.array([0.6, 0.4]),
    np.array([[-2.0, 0.0], [2.0, 1.0]]),
    np.array([[[1.0, 0.0], [0.5, 0.8]], [[0.5, 0.0], [-0.3, 1.2]]]),
)


def uniform(n: int, dim: int) -> np.ndarray:
    return Sobol(dim + 2, scramble=True, rng=np.random.default_rng(4)).random(n)


def test_the_density_integrates_to_one() -> None:
    total, _ = quad(lambda x: np.exp(TWO.log_density(np.array([[x]])))[0], -np.inf, np.inf)
    assert total == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("shape", [(1, 4), (5, 100), (300,)])
def test_the_sum_of_exponentials_is_that_of_scipy_to_the_last_bit(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    for scale in (0.1, 5.0, 300.0):
        logs = np.round(scale * rng.normal(size=shape), 2)  # some are equal
        logs[1:][rng.random(logs[1:].shape) < 0.2] = -np.inf
        np.testing.assert_array_equal(log_sum_exp(logs), logsumexp(logs, axis=0))


@pytest.mark.parametrize("density", [-np.inf, np.nan])
def test_points_without_density_are_refused_with_what_to_do(density: float) -> None:
    points = uniform(16, 1)[:, :1]
    with pytest.raises(EngineError, match=r"found none: .* choose priors nearer to their defaults"):
        fit_mixture(points, np.full(16, density))


def test_the_density_is_that_of_scipy() -> None:
    x = np.random.default_rng(1).normal(size=(20, 2)) * 3
    parts = [
        share * stats.multivariate_t(mean, factor @ factor.T, df=DEGREES).pdf(x)
        for share, mean, factor in zip(PLANE.shares, PLANE.means, PLANE.factors, strict=True)
    ]
    np.testing.assert_allclose(PLANE.log_density(x), np.log(sum(parts)), rtol=1e-10)


def test_points_follow_the_density_in_one_dimension() -> None:
    n = 4096
    sample = TWO.points(uniform(n, 1))[:, 0]

    def cdf(x: np.ndarray) -> np.ndarray:
        left = stats.t.cdf((x + 1.0) / 0.7, DEGREES)
        right = stats.t.cdf((x - 2.5) / 1.5, DEGREES)
        return np.asarray(0.75 * left + 0.25 * right)

    # independent points would stay below 1.95/sqrt(n) in 999 of 1000 samples
    assert stats.kstest(sample, cdf).statistic < 1.95 / np.sqrt(n)


def test_points_have_the_moments_of_the_mixture() -> None:
    n = 8192
    sample = PLANE.points(uniform(n, 2))
    shares = PLANE.shares
    mean = shares @ PLANE.means
    spread = DEGREES / (DEGREES - 2)
    cov = sum(
        share * (spread * factor @ factor.T + np.outer(centre - mean, centre - mean))
        for share, centre, factor in zip(shares, PLANE.means, PLANE.factors, strict=True)
    )
    sd = np.sqrt(np.diag(cov))
    assert (np.abs(sample.mean(axis=0) - mean) < 5 * sd / np.sqrt(n)).all()
    np.testing.assert_allclose(np.cov(sample.T), cov, atol=0.1)


def test_importance_weights_of_a_mixture_against_another_average_to_one() -> None:
    sample = PLANE.points(uniform(8192, 2))
    other = PLANE.inflated(0.9)
    ratio = np.exp(other.log_density(sample) - PLANE.log_density(sample))
    assert ratio.mean() == pytest.approx(1.0, abs=5 * ratio.std() / np.sqrt(8192))


def test_inflated_components_are_wider_and_stay_in_place() -> None:
    wide = TWO.inflated(2.0)
    np.testing.assert_array_equal(wide.means, TWO.means)
    np.testing.assert_array_equal(wide.factors, 2 * TWO.factors)


def test_a_fit_recovers_the_mean_and_spread_of_one_component() -> None:
    one = Mixture(np.ones(1), np.array([[1.0, -2.0]]), np.array([[[0.5, 0.0], [0.4, 0.3]]]))
    sample = one.points(uniform(4096, 2))
    fitted = fit_mixture(sample, np.zeros(len(sample)))
    weights = fitted.shares / fitted.shares.sum()
    np.testing.assert_allclose(weights @ fitted.means, [1.0, -2.0], atol=0.05)
    grid = one.points(uniform(512, 2)[::-1])
    gap = fitted.log_density(grid) - one.log_density(grid)
    assert np.abs(gap).mean() < 0.1


def test_a_fit_recovers_two_known_components() -> None:
    sample = PLANE.points(uniform(8192, 2))
    fitted = fit_mixture(sample, np.zeros(len(sample)))
    # relative entropy of the truth to the fit, by points of the truth: 1.3 for a fit that loses a
    # component; 0.1 of it is the part of the overall spread that every component leans on
    gap = (PLANE.log_density(sample) - fitted.log_density(sample)).mean()
    assert 0 <= gap < 0.2
    weights = fitted.shares / fitted.shares.sum()
    np.testing.assert_allclose(weights @ fitted.means, sample.mean(axis=0), atol=0.1)
    right = fitted.means[:, 0] > 0
    assert weights[right].sum() == pytest.approx(0.4, abs=0.05)


def test_weights_steer_the_fit() -> None:
    wide = Mixture(np.ones(1), np.zeros((1, 1)), np.array([[[2.0]]]))
    sample = wide.points(uniform(4096, 1))
    log_weights = stats.norm.logpdf(sample[:, 0], 1.0, 0.5) - wide.log_density(sample)
    fitted = fit_mixture(sample, log_weights)
    near = fitted.points(uniform(4096, 1))[:, 0]
    assert near.mean() == pytest.approx(1.0, abs=0.05)
    assert near.std() == pytest.approx(0.5, rel=0.25)


def test_weights_need_no_scale_and_may_be_zero() -> None:
    sample = PLANE.points(uniform(2048, 2))
    right = sample[:, 0] > 0
    fitted = fit_mixture(sample, np.where(right, -1e5, -np.inf))
    wanted = fit_mixture(sample[right], np.zeros(int(right.sum())))
    gap = wanted.log_density(sample[right]) - fitted.log_density(sample[right])
    # the same points, perhaps thinned otherwise
    assert abs(gap.mean()) < 0.02


def test_the_number_of_components_is_limited() -> None:
    sample = PLANE.points(uniform(8192, 2))
    assert len(fit_mixture(sample, np.zeros(8192)).shares) == MAX_COMPONENTS
    assert len(fit_mixture(sample[:100], np.zeros(100)).shares) == 1


def test_equal_points_do_not_collapse_a_component() -> None:
    fitted = fit_mixture(np.zeros((50, 3)), np.zeros(50))
    assert np.isfinite(fitted.factors).all()
    assert (np.diagonal(fitted.factors, axis1=1, axis2=2) > 0).all()
