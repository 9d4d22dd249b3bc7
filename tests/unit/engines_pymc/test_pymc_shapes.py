"""What only the PyMC engine does: amplitudes that are positive only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_campaigns import campaign

from lift.analysis.diagnostics import findings
from lift.analysis.effects import Effects
from lift.data.simulate import SimulationConfig, simulate_campaign
from lift.engines.base import SampleSettings
from lift.engines.pymc import fit_pymc
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

SETTINGS = SampleSettings(2000, 2, 5, 2)


def spec_of(**response: object) -> ModelSpec:
    return ModelSpec.model_validate({"response": response})


def bad(posterior: Posterior) -> list[str]:
    """Return the gates of Markov chains that the draws do not pass."""
    return [f"{f.check}: {f.text}" for f in findings(posterior) if f.level == "FAIL"]


def shares(posterior: Posterior) -> tuple[float, float, float]:
    """Return mean and interval of the campaign's part of all downloads."""
    row = Effects(posterior).table("campaign").loc[0]
    total = float(posterior.downloads.sum())
    return row["mean"] / total, row["lower"] / total, row["upper"] / total


def simulated(seed: int, **settings: Any) -> tuple[Any, Any]:
    return simulate_campaign(SimulationConfig(n_days=365, n_posts=12, **settings), seed=seed)


@pytest.mark.slow
def test_positive_amplitudes_of_posts_without_effect_are_phantoms() -> None:
    """The chains mix where amplitudes are pushed to zero, and every interval is above it."""
    none = {name: 0.0 for name in ("amplitude_mean", "group_sd", "influencer_sd", "post_sd")}
    data, _ = simulated(3, **none)
    posterior = fit_pymc(data, spec_of(positive_only=True), SETTINGS)
    assert bad(posterior) == []
    assert posterior.sample_stats["divergences"] == 0
    mean, lower, _ = shares(posterior)
    assert lower > 0.0
    assert 1e-4 < mean < 0.02
    assert (Effects(posterior).table()["lower"] > 0.0).all()
    said = {finding.check: finding for finding in findings(posterior)}
    assert said["Positive amplitudes"].level == "REVIEW"
    # the same data with signed amplitudes
    signed = fit_pymc(data, ModelSpec(), SETTINGS)
    _, lower, upper = shares(signed)
    assert lower < 0.0 < upper


@pytest.mark.slow
def test_positive_amplitudes_are_recovered_where_effects_are_positive() -> None:
    times = tuple(40.4 + 20.0 * np.arange(6))
    posterior = fit_pymc(campaign(180, times, impulse=0.8), spec_of(positive_only=True), SETTINGS)
    assert bad(posterior) == []
    assert posterior.sample_stats["divergences"] == 0
    draws = posterior.draws["amplitude"].to_numpy().reshape(-1, 6)
    assert (draws > 0.0).all()
    lower, upper = np.quantile(draws, [0.005, 0.995], axis=0)
    assert ((lower < 0.8) & (upper > 0.8)).all()
    assert draws.mean() == pytest.approx(0.8, abs=3.0 * draws.mean(axis=1).std())
    assert draws.mean(axis=1).std() < 0.25
