"""Scale variables drawn from their prior make Student t distributions of the sd that is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats
from small_campaigns import campaign, rich_campaign

from lift.model.design import Design, build_design
from lift.model.prior import draw_downloads, draw_prior
from lift.model.scales import above_zero, draw_scales, unit_scales
from lift.model.spec import ModelSpec

TAILS = {
    "baseline": {"noise": "student_t", "level_shifts": True},
    "response": {"heavy_tails": True},
}


def long_design() -> Design:
    """Return a design with so many days that quantiles of their scales are known well."""
    design = build_design(campaign(60, (30.4,)), ModelSpec.model_validate(TAILS))
    return replace(design, dates=design.dates.repeat(500))


def test_a_scaled_normal_is_a_student_t_of_variance_one() -> None:
    design = long_design()
    values = np.full(len(design.hypers), np.nan)
    values[design.position("noise_df")] = 5.0
    rng = np.random.default_rng(1)
    scales = draw_scales(design, values, rng)
    for df, drawn in ((5.0, scales.noise), (3.0, scales.level)):
        values = np.sqrt(drawn) * rng.standard_normal(len(drawn))
        wanted = stats.t(df, scale=np.sqrt((df - 2) / df))
        # the 5 % point of Kolmogorov's statistic is 1.36 / sqrt(n)
        assert stats.kstest(values, wanted.cdf).statistic < 1.8 / np.sqrt(len(drawn))
    assert scales.amplitude.shape == (1,)


def test_nothing_is_drawn_for_what_is_normal() -> None:
    design = build_design(rich_campaign(), ModelSpec())
    rng = np.random.default_rng(1)
    scales, ones = draw_scales(design, np.empty(0), rng), unit_scales(design)
    for name in ("noise", "level", "amplitude"):
        np.testing.assert_array_equal(getattr(scales, name), getattr(ones, name))
    assert rng.random() == np.random.default_rng(1).random()


def test_prior_downloads_have_the_scales_of_the_draw() -> None:
    """The same numbers behind them, so that the noise of both differs by the scales alone."""
    design = build_design(rich_campaign(), ModelSpec.model_validate(TAILS))
    drawn = draw_prior(design, 20.0, np.random.default_rng(2))
    plain = replace(drawn, scales=unit_scales(design))
    noise, without = (
        np.log(draw_downloads(design, d, np.random.default_rng(3))) - d.log_mean
        for d in (drawn, plain)
    )
    np.testing.assert_allclose(noise, np.sqrt(drawn.scales.noise) * without, rtol=1e-6)
    assert np.ptp(drawn.scales.noise) > 0.5
    own = drawn.coefficients[design.fixed.shape[1] :][: len(design.posts.ids)]
    assert np.isfinite(own).all()
    assert np.ptp(drawn.scales.amplitude) > 0.1


def test_above_zero_is_a_normal_that_is_cut_off_there() -> None:
    z = np.array([-3.0, -0.5, 0.0, 1.0, 4.0])
    for mean in (-20.0, -1.0, 0.0, 0.3, 6.0):
        law = stats.truncnorm(-mean / 0.5, np.inf, loc=mean, scale=0.5)
        np.testing.assert_allclose(above_zero(mean, 0.5, z), law.isf(stats.norm.sf(z)), rtol=1e-6)


def test_positive_amplitudes_of_the_prior_are_above_zero() -> None:
    spec = ModelSpec.model_validate({"response": {"positive_only": True, "influencer": False}})
    design = build_design(rich_campaign(), spec)
    rng = np.random.default_rng(3)
    below = 0
    for _ in range(200):
        drawn = draw_prior(design, 7.0, rng)
        assert (drawn.amplitude > 0).all()
        n = design.fixed.shape[1]
        own, means = drawn.coefficients[n : n + 6], drawn.coefficients[n + 6 :]
        mean = design.posts.membership @ means
        np.testing.assert_allclose(own + mean, drawn.amplitude)
        # the cumulative probability of each is uniform
        sd = drawn.values[design.position("amplitude_sd")]
        below += (stats.truncnorm(-mean / sd, np.inf, mean, sd).cdf(drawn.amplitude) < 0.3).sum()
    assert abs(below - 0.3 * 1200) < 4 * np.sqrt(0.21 * 1200)
