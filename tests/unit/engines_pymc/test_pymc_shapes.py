"""What only the PyMC engine does: amplitudes that are positive only, responses that saturate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from small_campaigns import campaign, post_table

from lift.analysis.diagnostics import findings
from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.data.simulate import SimulationConfig, simulate_campaign
from lift.engines.base import SampleSettings
from lift.engines.pymc import fit_pymc
from lift.model.design import build_design
from lift.model.hyper import natural
from lift.model.posterior import Posterior
from lift.model.predictor import design_matrix
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

SETTINGS = SampleSettings(2000, 2, 5, 2)
SURE = 0.99
"""Probability of intervals: one set of data is to lie in all of them."""
TIMES = (40.4, 70.3, 100.4, 100.6, 101.2, 130.5, 160.4, 160.5, 160.8, 161.3, 162.1, 190.4)
"""Posts by themselves, three and five at about the same time."""


def spec_of(**response: object) -> ModelSpec:
    return ModelSpec.model_validate({"response": response})


def bad(posterior: Posterior) -> list[str]:
    """Return the gates of Markov chains that the draws do not pass."""
    return [f"{f.check}: {f.text}" for f in findings(posterior) if f.level == "FAIL"]


def shares(posterior: Posterior) -> tuple[float, float, float]:
    """Return mean and 99 % interval of the campaign's part of all downloads."""
    row = Effects(posterior).table("campaign", SURE).loc[0]
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
    assert (Effects(posterior).table(prob=SURE)["lower"] > 0.0).all()
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
    lower, upper = np.quantile(draws, [(1.0 - SURE) / 2.0, (1.0 + SURE) / 2.0], axis=0)
    assert ((lower < 0.8) & (upper > 0.8)).all()
    assert draws.mean() == pytest.approx(0.8, abs=3.0 * draws.mean(axis=1).std())
    assert draws.mean(axis=1).std() < 0.25


def saturating(curve: str, limit: float, amplitude: float, seed: int) -> tuple[Campaign, Any]:
    """Return a campaign whose responses saturate, its specification and the effects of its posts.

    The kernel is that of the prior's middle; amplitudes scatter by 30 %.
    """
    response = {"kernel_by": "none", "group_by": [], "influencer": False, "saturation": curve}
    spec = spec_of(**response)
    plain = campaign(220, TIMES, impulse=0.0, seed=seed)
    design = build_design(plain, spec)
    middle = natural(np.zeros((1, len(design.hypers))), design.hypers, design.mix)[0]
    columns, _ = design_matrix(design, middle)
    own = columns[:, design.fixed.shape[1] :][:, : len(TIMES)]
    rng = stream(seed, "tests", "saturating")
    responses = own * amplitude * (1.0 + 0.3 * rng.normal(size=len(TIMES)))

    def together(x: FloatArray) -> FloatArray:
        size = np.abs(x)
        if curve == "hill":
            return np.asarray(limit * x / (limit + size))
        return np.asarray(np.sign(x) * limit * (1.0 - np.exp(-size / limit)))

    whole = together(responses.sum(axis=1))
    downloads = plain.downloads[["date", "downloads"]].copy()
    downloads["downloads"] = np.round(downloads["downloads"] * np.exp(whole))
    values = downloads["downloads"].to_numpy()
    gone = [
        values * -np.expm1(together(responses.sum(axis=1) - responses[:, j]) - whole)
        for j in range(len(TIMES))
    ]
    day = np.floor(TIMES).astype(int)
    truth = [lost[start : start + 29].sum() for lost, start in zip(gone, day, strict=True)]
    total = float((values * -np.expm1(-whole))[day[0] :].sum())
    data = Campaign(downloads=downloads, posts=post_table(TIMES))
    return data, (spec, np.array(truth), total)


@pytest.mark.slow
@pytest.mark.parametrize(("curve", "seed"), [("exponential", 1), ("hill", 2)])
def test_a_limit_and_effects_under_it_are_recovered(curve: str, seed: int) -> None:
    data, (spec, truth, total) = saturating(curve, 1.0, 2.0, seed)
    posterior = fit_pymc(data, spec, SETTINGS)
    assert bad(posterior) == []
    assert posterior.sample_stats["divergences"] == 0
    limit = posterior.draws["saturation_limit"].to_numpy()
    lower, upper = np.quantile(limit, [(1.0 - SURE) / 2.0, (1.0 + SURE) / 2.0])
    assert lower < 1.0 < upper
    # the prior's sd of the log is 0.7
    assert np.log(limit).std() < 0.3
    effects = Effects(posterior)
    draws = effects.draws().to_numpy().reshape(-1, len(TIMES))
    lower, upper = np.quantile(draws, [(1.0 - SURE) / 2.0, (1.0 + SURE) / 2.0], axis=0)
    assert ((lower < truth) & (truth < upper)).all()
    whole = effects.draws("campaign").to_numpy()
    assert abs(whole.mean() - total) < 3.0 * whole.std()
    assert whole.std() < 0.15 * total


@pytest.mark.slow
def test_without_effects_there_is_nothing_to_saturate() -> None:
    data, (spec, _, _) = saturating("exponential", 1.0, 0.0, 3)
    posterior = fit_pymc(data, spec, SETTINGS)
    assert bad(posterior) == []
    assert posterior.sample_stats["divergences"] == 0
    _, lower, upper = shares(posterior)
    assert lower < 0.0 < upper
    # the data say nothing of the limit: it is as in its prior
    log_limit = np.log(posterior.draws["saturation_limit"].to_numpy())
    assert log_limit.mean() == pytest.approx(0.4, abs=0.3)
    assert log_limit.std() == pytest.approx(0.7, abs=0.2)
