from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from lift.model.response import displaced, hill_log_gain, kernel_days


def kernel(scale: float, shape: float, fraction: float, days: int) -> np.ndarray:
    return kernel_days(np.array(scale), np.array(shape), fraction, days)


@given(
    scale=st.floats(0.01, 20.0),
    shape=st.floats(0.2, 3.0),
    fraction=st.floats(0.0, 0.999),
    days=st.integers(1, 90),
)
def test_shares_are_a_distribution_over_days(
    scale: float, shape: float, fraction: float, days: int
) -> None:
    shares = kernel(scale, shape, fraction, days)
    assert shares.shape == (days,)
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("shape", [0.5, 0.9, 1.0, 1.7])
@pytest.mark.parametrize("fraction", [0.0, 0.35, 0.875])
def test_shares_are_integrals_of_the_weibull_density(shape: float, fraction: float) -> None:
    scale, days = 0.43, 12

    def rest(u: float) -> float:
        return scale * shape * math.exp(-scale * u**shape)

    def density(u: float) -> float:
        return rest(u) * u ** (shape - 1)

    # the first bin begins where the density has an algebraic singularity
    first = quad(rest, 0.0, 1.0 - fraction, weight="alg", wvar=(shape - 1, 0))[0]
    others = [quad(density, k - fraction, k + 1 - fraction)[0] for k in range(1, days)]
    mass = np.array([first, *others])
    np.testing.assert_allclose(kernel(scale, shape, fraction, days), mass / mass.sum(), rtol=1e-7)


@pytest.mark.parametrize("shape", [0.5, 1.0, 1.7, 3.0])
@pytest.mark.parametrize("fraction", [0.0, 0.35, 0.875])
def test_gamma_shares_are_integrals_of_the_gamma_density(shape: float, fraction: float) -> None:
    scale, days = 0.43, 12
    # the rate at which the share within a day is that of the Weibull
    rate = brentq(lambda r: stats.gamma.sf(1.0, shape, scale=1 / r) - math.exp(-scale), 1e-3, 50)

    def rest(u: float) -> float:
        return math.exp(-rate * u)

    def density(u: float) -> float:
        return rest(u) * u ** (shape - 1)

    first = quad(rest, 0.0, 1.0 - fraction, weight="alg", wvar=(shape - 1, 0))[0]
    others = [quad(density, k - fraction, k + 1 - fraction)[0] for k in range(1, days)]
    mass = np.array([first, *others])
    found = kernel_days(np.array(scale), np.array(shape), fraction, days, "gamma")
    np.testing.assert_allclose(found, mass / mass.sum(), rtol=1e-7)


def test_a_gamma_kernel_of_shape_one_is_geometric() -> None:
    scale, shape = np.array([0.2, 0.9]), np.ones(2)
    gamma = kernel_days(scale, shape, 0.4, 30, "gamma")
    np.testing.assert_allclose(gamma, kernel_days(scale, shape, 0.4, 30, "geometric"), rtol=1e-9)
    np.testing.assert_allclose(
        gamma[:, 2:] / gamma[:, 1:-1], np.exp(-scale)[:, None] + 0 * gamma[:, 2:], rtol=1e-8
    )


def test_shape_one_decays_geometrically() -> None:
    shares = kernel(0.3, 1.0, 0.0, 30)
    np.testing.assert_allclose(shares[1:] / shares[:-1], math.exp(-0.3), rtol=1e-9)


def test_later_in_the_day_leaves_less_of_the_first_day() -> None:
    first = [kernel(0.43, 0.9, fraction, 60)[0] for fraction in np.linspace(0, 0.99, 12)]
    assert (np.diff(first) < 0).all()


def test_a_post_just_before_midnight_is_a_post_of_the_next_day() -> None:
    late = kernel(0.43, 0.9, 1 - 1e-9, 21)
    assert late[0] < 1e-6
    np.testing.assert_allclose(late[1:], kernel(0.43, 0.9, 0.0, 20), atol=1e-6)


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.9])
def test_the_share_until_midnight_is_that_of_the_hours_left(fraction: float) -> None:
    shares = kernel(0.43, 1.0, fraction, 400)
    assert shares[0] == pytest.approx(-math.expm1(-0.43 * (1 - fraction)), rel=1e-9)


def test_the_share_of_the_first_day_is_its_parameter() -> None:
    share = 0.35
    scale = -math.log1p(-share)
    assert kernel(scale, 0.9, 0.0, 365)[0] == pytest.approx(share, rel=1e-3)


def test_many_points_at_once_are_as_each_alone() -> None:
    scales, shapes = np.array([[0.1, 0.5], [1.0, 2.0]]), np.array([[0.5, 1.0], [1.5, 0.8]])
    together = kernel_days(scales, shapes, 0.4, 9)
    assert together.shape == (2, 2, 9)
    for i in np.ndindex(2, 2):
        np.testing.assert_array_equal(together[i], kernel(scales[i], shapes[i], 0.4, 9))


def test_displaced_downloads_are_taken_back_evenly() -> None:
    before = kernel(0.43, 0.9, 0.4, 30)
    kept = before.copy()
    after = displaced(before, 0.3, 10, 20)
    np.testing.assert_array_equal(before, kept)
    lost = before - after
    np.testing.assert_allclose(lost[11:21], 0.03)
    np.testing.assert_array_equal(np.delete(lost, np.arange(11, 21)), 0.0)
    assert after.sum() == pytest.approx(0.7)


def test_a_hill_curve_is_one_at_the_reference_and_saturates() -> None:
    for half in (0.2, 1.0, 5.0):
        views = np.array([1e-6, half, 1.0, 1e9])
        gain = np.exp(hill_log_gain(np.log(views), np.log(half)))
        most = 1.0 + half
        np.testing.assert_allclose(gain, [1e-6 * most / half, most / 2, 1.0, most], rtol=1e-5)
