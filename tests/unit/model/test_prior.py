"""Draws of downloads from the prior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from small_campaigns import campaign, rich_campaign

from lift.errors import EngineError
from lift.model.design import build_design
from lift.model.prior import draw_downloads, draw_prior, true_effects
from lift.model.spec import ModelSpec


def test_a_mean_that_no_count_can_have_is_refused() -> None:
    spec = ModelSpec(likelihood="negative_binomial")
    design = build_design(campaign(60, (30.4,), level=4.0), spec)
    drawn = draw_prior(design, 4.0, np.random.default_rng(1))
    counts = draw_downloads(design, drawn, np.random.default_rng(2))
    np.testing.assert_array_equal(counts, np.round(counts))
    peak = np.where(np.arange(60) == 31, 60.0, drawn.log_mean)
    with pytest.raises(EngineError, match=r"at most 9e\+18 .* narrower priors"):
        draw_downloads(design, replace(drawn, log_mean=peak), np.random.default_rng(2))


def test_positive_amplitudes_are_log_normal() -> None:
    response = {"positive_only": True, "typical_amplitude": 0.5, "group_by": ["platform"]}
    design = build_design(rich_campaign(), ModelSpec.model_validate({"response": response}))
    posts, at = design.posts, design.position("amplitude_sd")
    rng = np.random.default_rng(3)
    scores = []
    for _ in range(300):
        drawn = draw_prior(design, 7.0, rng)
        n, n_groups = design.fixed.shape[1], len(posts.groups)
        means = drawn.coefficients[n + len(posts.ids) :]
        middle = posts.membership @ means[:n_groups]
        for j, person in enumerate(posts.influencer):
            middle[j] += means[n_groups + person] if person >= 0 else 0.0
        law = stats.lognorm(s=drawn.values[at], scale=0.5 * np.exp(middle))
        scores.append(law.cdf(drawn.amplitude))
        together = drawn.log_lift.sum(axis=1)
        fixed = design.fixed @ drawn.coefficients[:n]
        level = drawn.log_mean - fixed - together
        assert level[0] == pytest.approx(7.0)
        assert np.abs(np.diff(level)).max() < 7.0 * drawn.values[design.position("level_sd")]
    assert len(posts.influencers) == 2
    assert stats.kstest(np.concatenate(scores), "uniform").pvalue > 0.01


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_true_effects_of_responses_that_saturate(scale: str) -> None:
    response = {"saturation": "hill", "group_by": [], "influencer": False}
    spec = ModelSpec.model_validate({"scale": scale, "response": response})
    design = build_design(rich_campaign(), spec)
    rng = np.random.default_rng(4)
    drawn = draw_prior(design, 7.0, rng)
    limit = np.exp(drawn.values[design.position("log_limit")])
    n = design.fixed.shape[1]
    exposure = drawn.log_lift.sum(axis=1)
    together = limit * exposure / (limit + np.abs(exposure))
    level = drawn.log_mean - design.fixed @ drawn.coefficients[:n] - together
    assert level[0] == pytest.approx(7.0)
    assert np.abs(np.diff(level)).max() < 7.0 * drawn.values[design.position("level_sd")]
    downloads = np.full(len(level), 50.0)
    members = np.array([1, 2])
    rest = exposure - drawn.log_lift[:, members].sum(axis=1)
    gone = together - limit * rest / (limit + np.abs(rest))
    window = slice(41, 41 + 29)
    wanted = design.unit * gone if scale == "linear" else downloads * (1.0 - np.exp(-gone))
    found = true_effects(design, drawn, downloads, members, 28)
    assert found == pytest.approx(wanted[window].sum())
