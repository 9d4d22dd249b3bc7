"""What only the PyMC engine does: positive amplitudes, and responses that saturate in views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_campaigns import campaign, post_table

from lift.analysis.diagnostics import findings
from lift.analysis.effects import Effects
from lift.analysis.identifiability import identifiability, noted_effects
from lift.analysis.next_post import predict_next
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.pymc import fit_pymc
from lift.errors import RunError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

SETTINGS = SampleSettings(2000, 2, 5, 2)
PLAIN: dict[str, Any] = {"group_by": [], "kernel_by": "none", "influencer": False}


def spec_of(**response: object) -> ModelSpec:
    return ModelSpec.model_validate({"response": PLAIN | response})


def with_views(impulses: dict[float, float]) -> Campaign:
    """Return a campaign of two posts for each number of views, of the impulses given."""
    views = np.repeat(list(impulses), 2)
    times = 40.4 + 14.0 * np.arange(len(views))
    data = campaign(int(times[-1]) + 30, (), posts=post_table(times, views=views))
    downloads = data.downloads[["date", "downloads"]].copy()
    for time, count in zip(times, views, strict=True):
        since = np.arange(len(downloads)) - int(time)
        shape = np.where(since >= 0, 0.5 ** (np.maximum(since, 0) + 1.0), 0.0)
        downloads["downloads"] = np.round(
            downloads["downloads"] * np.exp(impulses[float(count)] * shape)
        )
    return Campaign(downloads=downloads, posts=post_table(times, views=views))


@pytest.fixture(scope="module")
def positive() -> Posterior:
    """Of posts without any effect."""
    data = campaign(120, (30.4, 55.4, 80.4), impulse=0.0)
    return fit_pymc(data, spec_of(positive_only=True), SETTINGS)


@pytest.mark.slow
def test_positive_amplitudes_are_warned_of(positive: Posterior) -> None:
    assert (positive.draws["amplitude"] > 0).all()
    table = Effects(positive).table()
    assert (table["lower"] > 0).all()
    said = {finding.check: finding for finding in findings(positive)}
    assert said["Positive amplitudes"].level == "REVIEW"
    assert "by assumption" in said["Positive amplitudes"].text
    assert said["Divergences"].level == "PASS"


@pytest.mark.slow
def test_what_needs_normal_amplitudes_says_so(positive: Posterior) -> None:
    with pytest.raises(RunError, match="positive only"):
        identifiability(positive, spec_of(positive_only=True))
    assert len(noted_effects(positive, spec_of(positive_only=True)).table()) == 3
    asked = pd.DataFrame({"post_id": ["next"], "baseline": [1000.0]})
    found = predict_next(positive, spec_of(positive_only=True), asked, seed=1)
    assert (found.draws > 0).all()


@pytest.mark.slow
def test_a_response_that_saturates_is_recovered() -> None:
    """Twice the views beyond the half are worth little more: 1, 10 and 100 with h = 1."""
    half = 1.0
    views = {1e4: 0.01, 1e5: 0.1, 1e6: 1.0, 1e7: 10.0, 1e8: 100.0}
    curve = {count: 1.2 * v * (1.0 + half) / (v + half) for count, v in views.items()}
    data = with_views(curve)
    posterior = fit_pymc(data, spec_of(views_curve="hill"), SETTINGS)
    draws = posterior.draws["log_half_views"].to_numpy().ravel()
    lower, upper = np.quantile(draws, [0.005, 0.995])
    assert lower < np.log(half) < upper
    assert draws.std() < 0.8
    impulse = posterior.draws["impulse"].mean(("chain", "draw")).to_numpy()
    assert abs(impulse[8:].mean() / impulse[6:8].mean() - 1.0) < 0.25
    next_posts = pd.DataFrame({"views": [1e7, 1e9], "baseline": [1000.0] * 2})
    found = predict_next(posterior, spec_of(views_curve="hill"), next_posts, seed=1)
    assert found.table["mean"][1] < 1.25 * found.table["mean"][0]
