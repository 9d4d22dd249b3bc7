"""The PyMC model is held to densities written down a second time, with numpy and scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pymc.model_graph import ModelGraph
from pymc_points import PLAIN, log_densities, log_density, point_of
from scipy import integrate, optimize, stats
from small_campaigns import campaign

from lift.data.campaign import Campaign
from lift.engines.pymc_level import cosine_waves, one_variance, sine_waves
from lift.engines.pymc_model import build_model, saturated
from lift.engines.pymc_scale import ExponentialScore, positive
from lift.engines.reference import moments
from lift.errors import EngineError
from lift.model.design import Design, build_design
from lift.model.hyper import coordinates
from lift.model.predictor import design_matrix
from lift.model.response import kernel_days
from lift.model.spec import BaselineSpec, ModelSpec, ResponseSpec

SPEC = ModelSpec(
    baseline=BaselineSpec(year_harmonics=1),
    response=ResponseSpec(displacement=True, kernel_by="platform", size_exponent=0.5),
)


@pytest.fixture(scope="module")
def lognormal(lognormal_campaign: Campaign) -> Design:
    return build_design(lognormal_campaign, SPEC)


@pytest.fixture(scope="module")
def counts(count_campaign: Campaign) -> Design:
    return build_design(count_campaign, SPEC)


def hyperparameters(design: Design, point: dict[str, np.ndarray]) -> np.ndarray:
    names = dict.fromkeys(hyper.name for hyper in design.hypers)
    return np.concatenate([np.atleast_1d(point[name]) for name in names])


def coefficients(design: Design, point: dict[str, np.ndarray]) -> np.ndarray:
    names = {
        "week": "week_contrast",
        "year": "year",
        "holiday": "holiday_effect",
        "control": "control_effect",
    }
    parts = [point[names[block.name]] for block in design.blocks]
    amplitude = point["early_response"] / early_scale(design, point)
    parts += [amplitude - expected_amplitude(design, point), point["group_mean"]]
    if design.posts.influencers:
        parts.append(point["influencer_effect"])
    return np.concatenate(parts)


def early_scale(design: Design, point: dict[str, np.ndarray]) -> np.ndarray:
    """Return the response to a post of amplitude 1 in its first days, before displacement."""
    posts = design.posts
    gain = np.exp(posts.log_size + point.get("views_elasticity", 0.0) * posts.log_views)
    scale, shape = np.exp(point["first_day"]), np.exp(point["log_shape"])
    kernels = [
        kernel_days(scale[group], shape, fraction, design.window_days)
        for group, fraction in zip(posts.kernel_group, posts.fraction, strict=True)
    ]
    shares = []
    for day, kernel in zip(posts.day, kernels, strict=True):
        seen = design.observed[day : day + 7]
        shares.append(kernel[: len(seen)][seen].sum() if seen.any() else kernel[:7].sum())
    return gain * (0.001 + np.array(shares))


def expected_amplitude(design: Design, point: dict[str, np.ndarray]) -> np.ndarray:
    posts = design.posts
    mean = posts.membership @ point["group_mean"]
    if posts.influencers:
        person = point["influencer_effect"][posts.influencer]
        mean = mean + np.where(posts.influencer >= 0, person, 0.0)
    return mean


def test_the_design_of_the_test_has_every_part(lognormal: Design) -> None:
    assert {block.name for block in lognormal.blocks} == {"week", "year", "holiday", "control"}
    assert {hyper.name for hyper in lognormal.hypers} >= {
        "control_sd",
        "influencer_sd",
        "views_elasticity",
        "displacement",
    }
    assert len(lognormal.posts.kernel_groups) == 2
    assert not lognormal.observed.all()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_likelihood_is_that_of_the_reference(lognormal: Design, seed: int) -> None:
    model = build_model(lognormal)
    point = point_of(model, seed)
    values = hyperparameters(lognormal, point)
    z = coordinates(values[None], lognormal.hypers, lognormal.mix)[0]
    covariance, columns, _ = moments(lognormal, z)
    mean = columns @ coefficients(lognormal, point)
    seen = lognormal.outcome[lognormal.observed]
    expected = stats.multivariate_normal(mean, covariance).logpdf(seen)
    assert log_density(model, "log_downloads", point) == pytest.approx(expected, rel=1e-9)


def test_positive_amplitudes_are_log_normal(lognormal_campaign: Campaign) -> None:
    response = ResponseSpec(positive_only=True, typical_amplitude=0.4, displacement=True)
    design = build_design(lognormal_campaign, ModelSpec(response=response))
    model = build_model(design)
    point = point_of(model, 12)
    amplitude = np.exp(point["log_early_response"]) / early_scale(design, point)
    typical = 0.4 * np.exp(expected_amplitude(design, point))
    law = stats.lognorm(s=point["amplitude_sd"], scale=typical)
    # the density of the log of the amplitude
    expected = (law.logpdf(amplitude) + np.log(amplitude)).sum()
    found = log_densities(model, ["log_early_response", "log_downloads"], point)
    assert found["log_early_response"] == pytest.approx(expected, rel=1e-9)
    z = coordinates(hyperparameters(design, point)[None], design.hypers, design.mix)[0]
    covariance, columns, _ = moments(design, z)
    names = ("week_contrast", "holiday_effect", "control_effect")
    baseline = np.concatenate([point[name] for name in names])
    n, n_posts = len(baseline), len(amplitude)
    assert {block.name for block in design.blocks} == {"week", "holiday", "control"}
    mean = columns[:, :n] @ baseline + columns[:, n : n + n_posts] @ amplitude
    expected = stats.multivariate_normal(mean, covariance).logpdf(design.outcome[design.observed])
    assert found["log_downloads"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("curve", ["exponential", pytest.param("hill", marks=pytest.mark.slow)])
def test_responses_saturate_by_the_day(lognormal_campaign: Campaign, curve: str) -> None:
    response = ResponseSpec.model_validate({"saturation": curve, "displacement": True})
    design = build_design(lognormal_campaign, ModelSpec(response=response))
    model = build_model(design)
    point = point_of(model, 13) | {"log_limit": np.array(-0.4)}
    limit = np.exp(-0.4)
    z = coordinates(hyperparameters(design, point)[None], design.hypers, design.mix)[0]
    covariance, columns, _ = moments(design, z)
    given = coefficients(design, point)
    n = sum(len(block.labels) for block in design.blocks)
    exposure = columns[:, n:] @ given[n:]
    assert np.abs(exposure).max() > 0.2
    size = np.abs(exposure)
    together = {
        "exponential": np.sign(exposure) * limit * (1.0 - np.exp(-size / limit)),
        "hill": limit * exposure / (limit + size),
    }[curve]
    mean = columns[:, :n] @ given[:n] + together
    expected = stats.multivariate_normal(mean, covariance).logpdf(design.outcome[design.observed])
    found = log_densities(model, ["log_downloads", "log_limit"], point)
    assert found["log_downloads"] == pytest.approx(expected, rel=1e-9)
    prior = stats.norm(0.4, 0.7).logpdf(-0.4)
    assert found["log_limit"] == pytest.approx(prior, rel=1e-9)


def test_a_curve_has_the_slope_one_where_nothing_acts(lognormal_campaign: Campaign) -> None:
    response = ResponseSpec(saturation="exponential")
    design = build_design(lognormal_campaign, ModelSpec(response=response))
    given = np.array([-1e-3, -1e-9, 0.0, 1e-9, 1e-3])
    exposure = pt.dvector("exposure")
    with pm.Model() as model:
        curve = saturated(design, exposure)
    slope = pt.grad(curve.sum(), exposure)
    values = {exposure: given, model["log_limit"]: np.array(np.log(2.0))}
    assert curve.eval(values, mode=PLAIN) == pytest.approx(given, rel=1e-3)
    expected = np.exp(-np.abs(given) / 2.0)
    assert slope.eval(values, mode=PLAIN) == pytest.approx(expected, rel=1e-7)


def test_what_an_estimate_says_of_a_log() -> None:
    estimate, error = np.array([-3.0, -0.2, 0.0, 0.4, 5.0]), np.array([1.0, 0.2, 0.5, 0.3, 0.1])
    log_estimate, log_error = positive(estimate, error)
    for mean, sd, at, spread in zip(estimate, error, log_estimate, log_error, strict=True):
        best = optimize.minimize_scalar(
            lambda u, mean=mean, sd=sd: 0.5 * ((np.exp(u) - mean) / sd) ** 2 - u,
            bounds=(-6.0, 3.0),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert at == pytest.approx(best.x, abs=1e-6)
        assert spread == pytest.approx(sd / np.exp(at))
    assert np.exp(log_estimate[-1]) == pytest.approx(5.0, rel=1e-3)


def test_the_first_observed_day_need_not_be_the_first(lognormal_campaign: Campaign) -> None:
    downloads = lognormal_campaign.downloads.copy()
    downloads.loc[:4, "downloads"] = np.nan
    campaign = Campaign(
        downloads,
        lognormal_campaign.posts,
        lognormal_campaign.controls,
        timezone=lognormal_campaign.timezone,
    )
    design = build_design(campaign, ModelSpec())
    model = build_model(design)
    point = point_of(model, 3) | {"level_sd": np.array(3.0)}
    z = coordinates(hyperparameters(design, point)[None], design.hypers, design.mix)[0]
    covariance, columns, _ = moments(design, z)
    mean = columns @ coefficients(design, point)
    expected = stats.multivariate_normal(mean, covariance).logpdf(design.outcome[design.observed])
    assert log_density(model, "log_downloads", point) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", [7, 8])
def test_the_sine_form_is_the_likelihood_of_the_reference(seed: int) -> None:
    """Where the noise of all days has one variance and no day is missing."""
    plain = build_design(campaign(60, (30.4,)), ModelSpec(scale="linear"))
    design = replace(plain, poisson_variance=np.full(60, 0.002))
    assert one_variance(design)
    assert not one_variance(plain)
    assert not one_variance(build_design(campaign(60, (30.4,), missing=(9,)), ModelSpec()))
    model = build_model(design)
    point = point_of(model, seed)
    values = hyperparameters(design, point)
    z = coordinates(values[None], design.hypers, design.mix)[0]
    covariance, columns, _ = moments(design, z)
    mean = columns @ coefficients(design, point)
    expected = stats.multivariate_normal(mean, covariance).logpdf(design.outcome)
    assert log_density(model, "downloads", point) == pytest.approx(expected, rel=1e-9)
    drawn = pm.draw(model["downloads"], draws=2, random_seed=1)
    assert drawn.shape == (2, 60)
    assert np.ptp(drawn) > 0


def test_the_linear_scale_has_the_likelihood_of_the_reference() -> None:
    design = build_design(campaign(60, (30.4,), missing=(9,)), ModelSpec(scale="linear"))
    model = build_model(design)
    point = point_of(model, 9)
    values = hyperparameters(design, point)
    z = coordinates(values[None], design.hypers, design.mix)[0]
    covariance, columns, _ = moments(design, z)
    mean = columns @ coefficients(design, point)
    law = stats.multivariate_normal(mean, covariance)
    expected = law.logpdf(design.outcome[design.observed])
    assert log_density(model, "downloads", point) == pytest.approx(expected, rel=1e-9)


def test_sine_waves_decorrelate_differences() -> None:
    waves, eigenvalues = sine_waves(30)
    steps = np.diff(np.eye(30), axis=0)
    np.testing.assert_allclose(waves @ waves.T, np.eye(29), atol=1e-12)
    second = steps @ steps.T
    np.testing.assert_allclose(waves @ second @ waves.T, np.diag(eigenvalues), atol=1e-12)


def test_priors_are_those_of_the_design(lognormal: Design) -> None:
    model = build_model(lognormal)
    point = point_of(model, 4)
    expected = {}
    for hyper in lognormal.hypers:
        if hyper.name == "first_day":
            continue
        law = {
            "exponential": stats.expon(scale=1.0 / hyper.first),
            "normal": stats.norm(hyper.first, hyper.second),
            "beta": stats.beta(1.0, hyper.first),
        }[hyper.kind]
        expected[hyper.name] = law.logpdf(point[hyper.name])
    sds = {"week_contrast": 0.3, "year": 0.3, "holiday_effect": 0.3}
    sds |= {"influencer_effect": point["influencer_sd"]}
    sds |= {"control_effect": point["control_sd"], "group_mean": lognormal.posts.group_sd}
    for name, sd in sds.items():
        expected[name] = stats.norm(0.0, sd).logpdf(point[name]).sum()
    scale = early_scale(lognormal, point)
    law = stats.norm(scale * expected_amplitude(lognormal, point), scale * point["amplitude_sd"])
    expected["early_response"] = law.logpdf(point["early_response"]).sum()
    found = log_densities(model, list(expected), point)
    assert found == pytest.approx(expected, rel=1e-9)


def test_scales_with_an_exponential_prior_have_standard_normal_coordinates() -> None:
    with pm.Model() as model:
        sd = pm.Exponential("sd", np.float64(3.0), default_transform=ExponentialScore())
    density = model.compile_logp(mode=PLAIN)
    at = ExponentialScore()
    for z in np.array([-6.0, -0.3, 0.0, 1.2, 18.0]):
        assert density({"sd_score__": np.array(z)}) == pytest.approx(stats.norm.logpdf(z))
        value = at.backward(z, *sd.owner.inputs).eval(mode=PLAIN)
        assert value == pytest.approx(stats.expon(scale=1 / 3).isf(stats.norm.sf(z)))
        back = at.forward(value, *sd.owner.inputs).eval(mode=PLAIN)
        assert back == pytest.approx(z, rel=1e-10, abs=1e-10)


def test_first_day_shares_are_correlated_as_in_the_design(lognormal: Design) -> None:
    model = build_model(lognormal)
    point = point_of(model, 5)
    start = lognormal.position("first_day")
    block = slice(start, start + 2)
    hyper, mix = lognormal.hypers[start], lognormal.mix[block, block]
    covariance = hyper.second**2 * mix @ mix.T
    expected = stats.multivariate_normal([hyper.first] * 2, covariance).pdf(point["first_day"])
    correlation = covariance[0, 1] / covariance[0, 0]
    common = stats.norm(hyper.first, hyper.second * np.sqrt(correlation))
    own_sd = hyper.second * np.sqrt(1.0 - correlation)
    at = point["first_day_common"]
    assert log_density(model, "first_day_common", point) == pytest.approx(common.logpdf(at))
    assert log_density(model, "first_day", point) == pytest.approx(
        stats.norm(at, own_sd).logpdf(point["first_day"]).sum()
    )
    joint, _ = integrate.quad(
        lambda c: common.pdf(c) * np.prod(stats.norm(c, own_sd).pdf(point["first_day"])), -9, 9
    )
    assert joint == pytest.approx(expected, rel=1e-6)


def test_the_likelihood_of_counts_is_negative_binomial(counts: Design) -> None:
    model = build_model(counts)
    assert (counts.outcome[counts.observed] == 0).any()
    point = point_of(model, 6) | {"level_mean": np.array(1.5)}
    values = hyperparameters(counts, point)
    columns, _ = design_matrix(counts, values)
    wave = point["level_sd"] * cosine_waves(len(counts.dates)) @ point["level_z"]
    mean = np.exp(1.5 + wave + columns @ coefficients(counts, point))[counts.observed]
    size = point["noise_sd"] ** -2
    law = stats.nbinom(size, size / (size + mean))
    expected = law.logpmf(counts.outcome[counts.observed]).sum()
    assert log_density(model, "downloads", point) == pytest.approx(expected, rel=1e-9)
    first = stats.norm(counts.center, counts.level_start_sd).logpdf(1.5 + wave[0])
    assert log_density(model, "level_mean", point) == pytest.approx(first, rel=1e-9)


def test_waves_add_up_to_a_random_walk() -> None:
    waves = cosine_waves(30)
    assert np.abs(waves.sum(axis=0)).max() < 1e-12
    from_first = waves - waves[0]
    days = np.arange(30)
    walk = np.minimum.outer(days, days)
    np.testing.assert_allclose(from_first @ from_first.T, walk, atol=1e-10)


def test_dims_have_the_names_of_the_posterior(lognormal: Design) -> None:
    model = build_model(lognormal)
    assert set(model.named_vars_to_dims["amplitude"]) == {"post"}
    assert tuple(model.coords["post"]) == lognormal.posts.ids
    assert model.coords["weekday"][:2] == ("Mon", "Tue")
    assert len(model.coords["observed_date"]) == lognormal.observed.sum()


def test_a_state_beside_the_level_is_refused(lognormal_campaign: Campaign) -> None:
    spec = ModelSpec.model_validate({"baseline": {"trend": "damped"}})
    with pytest.raises(EngineError, match=r'does not do trend = "damped"; use engine = "exact"'):
        build_model(build_design(lognormal_campaign, spec))


def test_scale_variables_are_refused(lognormal_campaign: Campaign) -> None:
    spec = ModelSpec.model_validate({"baseline": {"noise": "student_t"}})
    with pytest.raises(EngineError, match=r'baseline.noise = "student_t"; use engine = "gibbs"'):
        build_model(build_design(lognormal_campaign, spec))


def test_the_graph_can_be_drawn(lognormal: Design) -> None:
    plates = ModelGraph(build_model(lognormal)).get_plates()
    drawn = {node.var.name for plate in plates for node in plate.variables}
    assert {"noise_sd", "kernel", "amplitude", "log_downloads"} <= drawn


def test_the_model_can_be_simulated(lognormal: Design) -> None:
    drawn = pm.draw(build_model(lognormal)["log_downloads"], draws=2, random_seed=1)
    assert drawn.shape == (2, lognormal.observed.sum())
    assert np.isfinite(drawn).all()
    assert np.ptp(drawn) > 0


def test_a_design_without_posts_has_a_baseline(lognormal: Design) -> None:
    design = replace(
        lognormal,
        posts=replace(lognormal.posts, ids=()),
        hypers=lognormal.hypers[:3],
        blocks=tuple(b for b in lognormal.blocks if b.name in {"week", "control"}),
    )
    names = set(build_model(design).named_vars)
    baseline = {"noise_sd", "level_sd", "week_contrast", "week", "control_sd"}
    assert names == baseline | {"control_effect", "log_downloads"}
