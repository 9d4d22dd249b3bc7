"""The compiled likelihood against the plain reference, which builds the covariance of all days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_campaigns import campaign, points, post_table, rich_campaign, rich_posts

from lift.data.campaign import Campaign
from lift.engines import reference
from lift.engines.exact import EMPTY, ExactModel, Form, pack
from lift.model.design import Design, build_design
from lift.model.spec import ModelSpec

EVERY_STATE = {
    "trend": "damped",
    "week_evolves": True,
    "noise": "ar1",
    "evolving_controls": ["series_1"],
}


def _one_hour() -> Campaign:
    times = (30.4, 30.4, 30.4, 31.0)
    return campaign(70, times, posts=rich_posts(times))


def _at_the_end() -> Campaign:
    times = (30.4, 78.9, 79.99)
    return campaign(80, times, posts=rich_posts(times))


def _many_posts() -> Campaign:
    times = tuple(20.0 + 3.77 * k for k in range(30))
    return campaign(140, times, posts=rich_posts(times), n_controls=3)


def _crowd() -> Campaign:
    times = tuple(20.0 + 0.19 * k for k in range(90))
    return campaign(40, times, posts=rich_posts(times), missing=(25, 26, 39))


DESIGNS: dict[str, tuple[Campaign, dict[str, object]]] = {
    "everything": (rich_campaign(), {}),
    "one post and nothing else": (campaign(times=(30.4,)), {"baseline": {"week": False}}),
    "no controls, no influencers": (campaign(), {}),
    "posts of one hour": (_one_hour(), {}),
    "posts on the last days": (_at_the_end(), {}),
    "posts over several blocks of days": (_many_posts(), {}),
    "short window": (rich_campaign(), {"response": {"window_days": 3}}),
    "window of a day": (rich_campaign(), {"response": {"window_days": 1}}),
    "size of the app": (rich_campaign(), {"response": {"size_exponent": 0.7}}),
    "year and holidays": (
        rich_campaign(country="IT"),
        {"baseline": {"year_harmonics": 2}},
    ),
    "long gap": (rich_campaign(missing=tuple(range(32, 60))), {}),
    "displacement": (
        rich_campaign(120),
        {"response": {"displacement": True, "displacement_after": 5, "displacement_until": 20}},
    ),
    "more posts than days": (_crowd(), {}),
    "gamma kernel": (rich_campaign(), {"response": {"kernel": "gamma"}}),
    "gamma kernel and displacement": (
        rich_campaign(120),
        {
            "response": {
                "kernel": "gamma",
                "displacement": True,
                "displacement_after": 5,
                "displacement_until": 20,
            }
        },
    ),
    "geometric kernel": (rich_campaign(), {"response": {"kernel": "geometric"}}),
    "free kernel": (rich_campaign(), {"response": {"kernel": "free"}}),
    "free kernel and every state": (
        _many_posts(),
        {"response": {"kernel": "free", "free_days": 9}, "baseline": EVERY_STATE},
    ),
    "seasons": (
        rich_campaign(country="IT"),
        {"baseline": {"seasons": [{"period_days": 30.4375}], "holiday_lead": 3}},
    ),
    "linear scale": (rich_campaign(), {"scale": "linear"}),
    "linear scale, free kernel and every state": (
        rich_campaign(),
        {"scale": "linear", "response": {"kernel": "free"}, "baseline": EVERY_STATE},
    ),
    "damped trend": (rich_campaign(), {"baseline": {"trend": "damped"}}),
    "linear trend": (rich_campaign(), {"baseline": {"trend": "linear"}}),
    "evolving week": (rich_campaign(), {"baseline": {"week_evolves": True}}),
    "autoregressive noise": (rich_campaign(), {"baseline": {"noise": "ar1"}}),
    "walking coefficients": (
        rich_campaign(),
        {"baseline": {"evolving_controls": ["series_1", "series_0"]}},
    ),
    "every state": (_many_posts(), {"baseline": EVERY_STATE}),
    "every state and a long gap": (
        rich_campaign(missing=(0, *range(32, 60), 99)),
        {"baseline": EVERY_STATE | {"trend": "linear"}},
    ),
    "first and last day missing": (rich_campaign(missing=(0, 1, 98, 99)), {}),
}


def _designs() -> dict[str, Design]:
    specs = {}
    for name, (data, spec) in DESIGNS.items():
        likelihood = "auto" if "scale" in spec else "lognormal"
        specs[name] = (data, ModelSpec.model_validate({"likelihood": likelihood} | spec))
    return {name: build_design(data, spec) for name, (data, spec) in specs.items()}


def _cases() -> list[object]:
    """Return every design with every form of the likelihood that it has."""
    forms: tuple[Form, ...] = ("primal", "dual", "states")
    return [
        pytest.param(design, form, id=f"{form}-{name}")
        for name, design in _designs().items()
        for form in forms
        if form == "states" or not design.beyond_level
    ]


@pytest.fixture
def model(design: Design, form: Form) -> ExactModel:
    return replace(pack(design), form=form)


def log_prior(z: np.ndarray) -> np.ndarray:
    return np.asarray(-0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi))


@pytest.mark.parametrize(("design", "form"), _cases())
def test_the_likelihood_is_that_of_the_reference(model: ExactModel) -> None:
    design = model.design
    z = np.vstack([points(len(design.hypers), 6), points(len(design.hypers), 3, spread=2.5)])
    values, _ = model.evaluate(z, EMPTY)
    wanted = np.array([reference.log_likelihood(design, point) for point in z])
    np.testing.assert_allclose(values - log_prior(z), wanted, rtol=1e-8)


@pytest.mark.parametrize(("design", "form"), _cases())
def test_the_draws_have_the_conditional_mean_and_covariance(model: ExactModel) -> None:
    n_normals = model.n_normals
    z = points(len(model.design.hypers), 1, seed=3)
    # a draw is linear in its normal numbers: unit vectors give the factor of the covariance
    units = np.vstack([np.zeros(n_normals), np.eye(n_normals)])
    _, draws = model.evaluate(np.repeat(z, n_normals + 1, axis=0), units)
    root = (draws[1:] - draws[0]).T
    mean, covariance = reference.coefficient_moments(model.design, z[0])
    np.testing.assert_allclose(draws[0], mean, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(root @ root.T, covariance, rtol=1e-6, atol=1e-9)


def test_the_cheaper_form_is_taken() -> None:
    few, many = (build_design(data, ModelSpec()) for data in (rich_campaign(), _crowd()))
    assert pack(few).form == "primal"
    assert pack(many).form == "dual"


@pytest.mark.parametrize(
    "settings",
    [
        {"trend": "damped"},
        {"trend": "linear"},
        {"week_evolves": True},
        {"noise": "ar1"},
        {"evolving_controls": ["series_0"]},
        {"kernel": "free"},
    ],
    ids=str,
)
def test_a_state_beside_the_level_takes_the_filter_of_many_states(
    settings: dict[str, object],
) -> None:
    part = "response" if "kernel" in settings else "baseline"
    spec = ModelSpec.model_validate({part: settings})
    design = build_design(rich_campaign(), spec)
    assert pack(design).form == "states"
    counts = ModelSpec.model_validate({part: settings, "likelihood": "negative_binomial"})
    assert pack(build_design(rich_campaign(), counts)).form == "count_states"


def test_random_draws_have_the_conditional_moments() -> None:
    design = build_design(rich_campaign(), ModelSpec())
    model = pack(design)
    n = 4000
    z = np.repeat(points(len(design.hypers), 1, seed=4, spread=0.5), n, axis=0)
    normals = np.random.default_rng(5).standard_normal((n, model.n_normals))
    _, draws = model.evaluate(z, normals)
    mean, covariance = reference.coefficient_moments(design, z[0])
    sd = np.sqrt(np.diag(covariance))
    # 5 standard errors of a mean and of a variance of n independent draws
    assert np.abs((draws.mean(axis=0) - mean) / sd).max() < 5 / np.sqrt(n)
    assert np.abs(draws.var(axis=0) / sd**2 - 1).max() < 5 * np.sqrt(2 / n)


def test_draws_and_densities_agree_with_and_without_coefficients() -> None:
    design = build_design(rich_campaign(), ModelSpec())
    model = pack(design)
    z = points(len(design.hypers), 70)
    normals = np.random.default_rng(1).standard_normal((70, model.n_normals))
    np.testing.assert_array_equal(model.evaluate(z, EMPTY)[0], model.evaluate(z, normals)[0])


def test_a_point_is_the_same_alone_and_among_others() -> None:
    design = build_design(rich_campaign(), ModelSpec())
    z = points(len(design.hypers), 200)
    together = pack(design, workers=3).evaluate(z, EMPTY)[0]
    alone = np.array([pack(design).evaluate(point[None], EMPTY)[0][0] for point in z[::20]])
    np.testing.assert_array_equal(together[::20], alone)


def test_points_far_out_are_finite_or_nan_and_never_raise() -> None:
    design = build_design(rich_campaign(), ModelSpec())
    dim = len(design.hypers)
    z = 8.0 * np.vstack([np.eye(dim), -np.eye(dim), np.ones(dim), -np.ones(dim)])
    values, _ = pack(design).evaluate(z, EMPTY)
    assert not np.isposinf(values).any()
    assert np.isfinite(values[: 2 * dim]).all()


def test_views_scale_a_response_by_their_power() -> None:
    """Doubling the elasticity's column by hand must move the reference and the kernel alike."""
    posts = post_table([30.4, 45.2], views=[1e4, 1e6])
    design = build_design(campaign(posts=posts), ModelSpec())
    z = np.zeros((2, len(design.hypers)))
    z[1, design.position("views_elasticity")] = 2.0
    values, _ = pack(design).evaluate(z, EMPTY)
    assert abs(values[1] + 2.0 - values[0]) > 0.01
    columns = [
        reference.design_matrix(design, reference.natural(p[None], design.hypers, design.mix)[0])[0]
        for p in z
    ]
    p = design.fixed.shape[1]
    # elasticity 0.6 and 1.2; the views are 10 times less and more than their geometric mean
    gains = [c[:, p : p + 2].sum(axis=0) for c in columns]
    np.testing.assert_allclose(gains[0], [10**-0.6, 10**0.6], rtol=1e-2)
    np.testing.assert_allclose(gains[1], [10**-1.2, 10**1.2], rtol=1e-2)
