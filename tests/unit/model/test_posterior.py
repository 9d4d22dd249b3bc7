"""How an engine's draws are named: coefficients in, labelled variables out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from small_campaigns import campaign, points, rich_campaign

from lift.data.campaign import Campaign
from lift.model.baseline import weekday_contrasts
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.posterior import Posterior, assemble
from lift.model.predictor import design_matrix
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]
N_DRAWS = 3


def assembled(data: Campaign, **spec: object) -> tuple[Posterior, Design, FloatArray, FloatArray]:
    """Return the posterior of coefficients that are all different."""
    model = ModelSpec.model_validate(spec)
    design = build_design(data, model)
    z = points(len(design.hypers), 2 * N_DRAWS)
    q = design_matrix(design, natural(z, design.hypers, design.mix)[0])[0].shape[1]
    coefficients = np.random.default_rng(3).normal(size=(2 * N_DRAWS, q))
    posterior = assemble(
        data,
        model,
        design,
        coordinates=z.reshape(2, N_DRAWS, -1),
        coefficients=coefficients.reshape(2, N_DRAWS, q),
        attrs={"engine": "none", "seed": 5},
        stats={"ess": 7.0},
    )
    return posterior, design, z, coefficients


def flat(array: xr.DataArray) -> FloatArray:
    return np.asarray(array.to_numpy().reshape(2 * N_DRAWS, *array.shape[2:]))


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"response": {"size_exponent": 0.6}}, id="size-of-the-app"),
        pytest.param({"response": {"influencer": False}}, id="no-influencer"),
        pytest.param({"baseline": {"week": False, "controls": False}}, id="no-baseline"),
    ],
)
def test_impulses_say_what_the_linear_predictor_says(spec: dict[str, object]) -> None:
    """The posts' part of the design matrix times the coefficients is impulse times kernel."""
    posterior, design, z, coefficients = assembled(rich_campaign(), **spec)
    values = natural(z, design.hypers, design.mix)
    p, n_posts = design.fixed.shape[1], len(design.posts.ids)
    impulse = flat(posterior.draws["impulse"])
    for i in range(2 * N_DRAWS):
        columns, _ = design_matrix(design, values[i])
        wanted = columns[:, p:] @ coefficients[i, p:]
        own = columns[:, p : p + n_posts]
        plain = values[i].copy()
        if design.position("views_elasticity") >= 0:
            plain[design.position("views_elasticity")] = 0.0
        bare = design_matrix(design, plain)[0][:, p : p + n_posts]
        bare = bare / np.exp(design.posts.log_size)
        assert own.shape == bare.shape
        np.testing.assert_allclose(bare @ impulse[i], wanted, atol=1e-12)


def test_an_amplitude_is_own_plus_group_means_plus_the_influencers() -> None:
    posterior, design, _, coefficients = assembled(rich_campaign())
    p, posts = design.fixed.shape[1], design.posts
    n_posts, n_groups = len(posts.ids), len(posts.groups)
    amplitude = flat(posterior.draws["amplitude"])
    for j in range(n_posts):
        wanted = coefficients[:, p + j].copy()
        for g in np.flatnonzero(posts.membership[j]):
            wanted += coefficients[:, p + n_posts + g]
        if posts.influencer[j] >= 0:
            wanted += coefficients[:, p + n_posts + n_groups + posts.influencer[j]]
        np.testing.assert_allclose(amplitude[:, j], wanted, atol=1e-12)
    assert (posts.influencer >= 0).any()
    assert (posts.influencer < 0).any()


def test_coefficients_are_found_under_their_names() -> None:
    posterior, design, z, coefficients = assembled(
        rich_campaign(country="IT"), baseline={"year_harmonics": 1}
    )
    draws = posterior.draws
    assert [block.name for block in design.blocks] == ["week", "year", "holiday", "control"]
    names = {"year": "harmonic", "holiday": "holiday", "control": "control"}
    start = 6
    np.testing.assert_allclose(
        flat(draws["week"]), coefficients[:, :6] @ weekday_contrasts().T, atol=1e-12
    )
    for block in design.blocks[1:]:
        part = coefficients[:, start : start + len(block.labels)]
        start += len(block.labels)
        name = "year" if block.name == "year" else f"{block.name}_effect"
        np.testing.assert_array_equal(flat(draws[name]), part)
        assert draws[names[block.name]].to_numpy().tolist() == list(block.labels)
    values = natural(z, design.hypers, design.mix)
    for name in ("noise_sd", "level_sd", "control_sd", "amplitude_sd", "views_elasticity"):
        np.testing.assert_array_equal(flat(draws[name]), values[:, design.position(name)])
    shares = flat(draws["first_day_share"])
    first = design.position("first_day")
    np.testing.assert_allclose(
        shares, 1 - np.exp(-np.exp(values[:, first : first + shares.shape[1]])), rtol=1e-12
    )
    np.testing.assert_allclose(
        flat(draws["kernel_shape"]), np.exp(values[:, design.position("log_shape")])
    )


def test_hyperparameters_of_the_states_are_found_under_their_names() -> None:
    states = {
        "trend": "damped",
        "week_evolves": True,
        "noise": "ar1",
        "evolving_controls": ["series_1"],
    }
    posterior, design, z, _ = assembled(rich_campaign(), baseline=states)
    values = natural(z, design.hypers, design.mix)
    for name in ("slope_sd", "slope_phi", "week_step_sd", "noise_phi", "noise_sd"):
        np.testing.assert_array_equal(flat(posterior.draws[name]), values[:, design.position(name)])
    steps = posterior.draws["control_step_sd"]
    assert list(steps["evolving"].to_numpy()) == ["series_1"]
    np.testing.assert_array_equal(flat(steps)[:, 0], values[:, design.position("control_step_sd")])


def test_what_was_fitted_is_in_the_attributes() -> None:
    data = campaign(timezone="Europe/Rome", name="spring")
    posterior, *_ = assembled(data, horizon_days=9, response={"window_days": 50})
    attrs = posterior.attrs
    wanted = {
        "campaign": "spring",
        "market": "all",
        "timezone": "Europe/Rome",
        "engine": "none",
        "seed": 5,
        "horizon_days": 9,
        "window_days": 50,
        "likelihood": "lognormal",
    }
    assert {name: attrs[name] for name in wanted} == wanted
    assert posterior.sample_stats == {"ess": 7.0}


def test_what_is_not_given_is_empty() -> None:
    posterior, *_ = assembled(campaign())
    table = posterior.posts
    assert table["post"].tolist() == ["p1", "p2"]
    for name in ("influencer", "platform", "creator_type", "content"):
        assert table[name].tolist() == ["", ""]
    assert table[["views", "cost"]].isna().all().all()
