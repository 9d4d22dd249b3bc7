from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small_campaigns import points, rich_campaign

from lift.model.design import build_design
from lift.model.hyper import Hyper, coordinates, natural
from lift.model.spec import ModelSpec

HYPERS = (
    Hyper("noise_sd", "exponential", 6.0),
    Hyper("level_sd", "exponential", 60.0),
    Hyper("views_elasticity", "normal", 0.6, 0.3),
    Hyper("first_day", "normal", -0.84, 0.72),
    Hyper("first_day", "normal", -0.84, 0.72),
    Hyper("displacement", "beta", 4.0),
    Hyper("slope_phi", "beta", 2.0, 18.0),
)
MIX = np.eye(7)
MIX[3:5, 3:5] = np.linalg.cholesky(np.array([[1.0, 0.7], [0.7, 1.0]]))


@given(st.lists(st.floats(-7.0, 7.0), min_size=7, max_size=7))
def test_coordinates_undo_natural(z: list[float]) -> None:
    point = np.array([z])
    values = natural(point, HYPERS, MIX)
    np.testing.assert_allclose(coordinates(values, HYPERS, MIX), point, atol=1e-7)


@given(
    sds=st.lists(st.floats(1e-6, 5.0), min_size=2, max_size=2),
    rest=st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3),
    shares=st.lists(st.floats(1e-4, 0.9999), min_size=2, max_size=2),
)
def test_natural_undoes_coordinates(
    sds: list[float], rest: list[float], shares: list[float]
) -> None:
    values = np.array([[*sds, *rest, *shares]])
    back = natural(coordinates(values, HYPERS, MIX), HYPERS, MIX)
    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-9)


def test_the_default_noise_prior_says_5_percent_above_one_half() -> None:
    z = coordinates(np.array([[0.5]]), (Hyper("noise_sd", "exponential", 6.0),), np.eye(1))
    assert stats.norm.sf(z[0, 0]) == pytest.approx(np.exp(-3.0), rel=1e-9)
    assert stats.norm.sf(z[0, 0]) == pytest.approx(0.05, abs=0.0005)


@pytest.mark.parametrize("rate", [1.5, 6.0, 60.0])
def test_exponential_quantiles_are_those_of_scipy(rate: float) -> None:
    probs = np.array([1e-10, 0.01, 0.5, 0.99, 1 - 1e-10])
    values = natural(stats.norm.ppf(probs)[:, None], (Hyper("s", "exponential", rate),), np.eye(1))
    np.testing.assert_allclose(values[:, 0], stats.expon.ppf(probs, scale=1 / rate), rtol=1e-6)


def test_beta_quantiles_are_those_of_scipy() -> None:
    probs = np.array([1e-10, 0.01, 0.5, 0.99, 1 - 1e-10])
    values = natural(stats.norm.ppf(probs)[:, None], (Hyper("p", "beta", 4.0),), np.eye(1))
    np.testing.assert_allclose(values[:, 0], stats.beta.ppf(probs, 1, 4), rtol=1e-6)


@pytest.mark.parametrize(("a", "b"), [(18.0, 2.0), (2.0, 4.0), (0.5, 0.5)])
def test_beta_quantiles_of_two_shapes_are_those_of_scipy(a: float, b: float) -> None:
    probs = np.array([1e-10, 0.01, 0.5, 0.99, 1 - 1e-10])
    values = natural(stats.norm.ppf(probs)[:, None], (Hyper("p", "beta", b, a),), np.eye(1))
    np.testing.assert_allclose(values[:, 0], stats.beta.ppf(probs, a, b), rtol=1e-6)


def test_degrees_of_freedom_are_two_more_than_a_gamma() -> None:
    hyper = (Hyper("noise_df", "degrees", 2.0, 0.1),)
    probs = np.array([1e-10, 0.01, 0.5, 0.99, 1 - 1e-10])
    z = stats.norm.ppf(probs)[:, None]
    values = natural(z, hyper, np.eye(1))
    np.testing.assert_allclose(values[:, 0] - 2, stats.gamma.ppf(probs, 2, scale=10), rtol=1e-6)
    np.testing.assert_allclose(coordinates(values, hyper, np.eye(1)), z, rtol=1e-6)


def test_a_normal_is_shifted_and_scaled() -> None:
    values = natural(np.array([[-1.0], [0.0], [2.0]]), (Hyper("e", "normal", 0.6, 0.3),), np.eye(1))
    np.testing.assert_allclose(values[:, 0], [0.3, 0.6, 1.2])


@pytest.mark.parametrize("z", [-8.0, 8.0])
def test_tails_are_finite_and_positive(z: float) -> None:
    values = natural(np.full((1, 7), z), HYPERS, MIX)
    assert np.isfinite(values).all()
    assert (values[:, :2] > 0).all()


def test_the_points_are_not_changed() -> None:
    z = points(7, 3)
    before = z.copy()
    natural(z, HYPERS, np.eye(7))
    assert np.array_equal(z, before)


def test_kernel_groups_have_the_prior_covariance_of_the_specification() -> None:
    spec = ModelSpec.model_validate({"response": {"share_sd": 0.6, "share_group_sd": 0.4}})
    design = build_design(rich_campaign(), spec)
    first, n = design.position("first_day"), len(design.posts.kernel_groups)
    assert n == 3
    # natural is linear in these: its matrix is the response to the unit vectors
    origin = natural(np.zeros((1, len(design.hypers))), design.hypers, design.mix)
    units = natural(np.eye(len(design.hypers)), design.hypers, design.mix) - origin
    loading = units[:, first : first + n].T
    wanted = np.full((n, n), 0.6**2) + 0.4**2 * np.eye(n)
    np.testing.assert_allclose(loading @ loading.T, wanted, rtol=1e-12)
    np.testing.assert_allclose(origin[0, first : first + n], spec.response.share_mean)
    others = np.delete(np.arange(len(design.hypers)), np.arange(first, first + n))
    np.testing.assert_array_equal(design.mix[np.ix_(others, others)], np.eye(len(others)))


def test_one_kernel_group_has_the_common_sd() -> None:
    spec = ModelSpec.model_validate({"response": {"kernel_by": "none", "share_sd": 0.6}})
    design = build_design(rich_campaign(), spec)
    assert design.hypers[design.position("first_day")].second == pytest.approx(0.6)
