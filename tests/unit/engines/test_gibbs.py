"""The Gibbs engine: does it sample the distribution that it says it samples."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy.special import gammaincc
from small_campaigns import campaign, daily_downloads, points, rich_campaign

from lift.analysis.diagnostics import measures
from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines._kernels import amplitudes, predictor
from lift.engines._scaled import buffers, prepare
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.engines.gibbs import (
    Chain,
    GibbsModel,
    advance,
    as_jumps,
    fit_gibbs,
    new_chain,
    pack_gibbs,
)
from lift.engines.mixture import Mixture
from lift.errors import EngineError
from lift.model.design import build_design
from lift.model.hyper import coordinates
from lift.model.scales import AMPLITUDE_DF, SHIFT_DF
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]
N_SWEEPS = 12000


def redraw_outcome(model: GibbsModel, chain: Chain, rng: np.random.Generator) -> None:
    """Draw the outcome anew given everything unknown, in place."""
    problem, state = model.problem, chain.state
    work = buffers(problem, len(state.z))
    prepare(state.z, state.scaled, problem, model.prior, work)
    amplitude, linear = np.empty(len(problem.day)), np.empty(len(problem.y))
    p = problem.fixed.shape[1]
    amplitudes(state.gamma, p, problem.member_index, problem.member_value, amplitude)
    predictor(state.gamma, amplitude, problem.fixed, work.kernels, problem.day, linear)
    noise = np.sqrt(work.noise) * rng.standard_normal(len(linear))
    problem.y[:] = np.where(problem.observed, state.level + linear + noise, 0.0)


def joint_draws(spec: dict[str, object]) -> dict[str, FloatArray]:
    """Return draws of what has a known prior, from sweeps in turn with new outcomes.

    Geweke 2004, Getting it right, JASA 99:799, doi:10.1198/016214504000001132: if the sweeps leave
    the posterior unchanged, everything unknown keeps its prior.
    """
    data = campaign(22, (14.4, 17.2), n_controls=1, missing=(18,))
    model = pack_gibbs(build_design(data, ModelSpec.model_validate(spec)))
    design, k = model.design, len(model.prior.kinds)
    rng = stream(1, "tests", "geweke")
    jumps = as_jumps(Mixture(np.ones(1), np.zeros((1, k)), np.eye(k)[None]))
    chain = new_chain(model, rng.standard_normal(k), 0.3 * np.eye(k), rng)
    p = design.fixed.shape[1]
    own = slice(p, p + len(design.posts.ids))
    out: dict[str, list[FloatArray]] = {"z": [], "log_df": [], "noise": [], "level": [], "post": []}
    for _ in range(N_SWEEPS):
        redraw_outcome(model, chain, rng)
        advance(model, chain, jumps, 1)
        scaled, excess = chain.state.scaled, float(np.exp(chain.state.log_df[0]))
        out["z"].append(chain.state.z.copy())
        out["log_df"].append(chain.state.log_df.copy())
        # the distribution function of each scale, uniform under its prior
        for name, values, df in (
            ("noise", scaled.noise[design.observed], excess + 2.0),
            ("level", scaled.level[:-1], SHIFT_DF),
            ("post", scaled.coefficient[own], AMPLITUDE_DF),
        ):
            out[name].append(gammaincc(df / 2, (df - 2) / 2 / values))
    found = {name: np.array(values) for name, values in out.items()}
    if design.noise == "student_t":
        df = 2.0 + np.exp(found["log_df"])
        at = (design.hypers[design.position("noise_df")],)
        found["z"] = np.column_stack([found["z"], coordinates(df, at, np.eye(1))])
    return found


def standard_errors_off(values: FloatArray, mean: float) -> float:
    """Return how far the mean of a chain lies from a known one, in Monte Carlo standard errors."""
    error = array_stats.mcse(values[None], chain_axis=0, draw_axis=1, method="mean")
    ess = array_stats.ess(values[None], chain_axis=0, draw_axis=1, method="mean")
    assert ess > 100
    return float(abs(values.mean() - mean) / error)


@pytest.mark.parametrize(
    "spec",
    [
        {"baseline": {"week": False}},
        {
            "baseline": {"week": False, "noise": "student_t", "level_shifts": True},
            "response": {"heavy_tails": True},
        },
    ],
    ids=["normal", "tails"],
)
def test_the_prior_is_kept_where_outcomes_are_drawn_in_turn(spec: dict[str, object]) -> None:
    found = joint_draws(spec)
    # the largest of some 50 numbers under the null is below 4.4 with probability 0.9995
    for column in found["z"].T:
        assert standard_errors_off(column, 0.0) < 4.4
        assert standard_errors_off(column**2, 1.0) < 4.4
    if "noise" in str(spec):
        for name in ("noise", "level", "post"):
            for column in found[name].T:
                assert standard_errors_off(column, 0.5) < 4.4
            assert standard_errors_off((found[name] > 0.9).mean(axis=1), 0.1) < 4.4


def test_the_plain_model_has_the_posterior_of_the_exact_engine() -> None:
    data = rich_campaign()
    ours = fit_gibbs(data, ModelSpec(), SampleSettings(2000, 4, 3, 2))
    exact = fit_exact(data, ModelSpec(), SampleSettings(4000, 4, 3, 2))
    compared = 0
    for name in exact.draws.data_vars:
        left, right = (np.atleast_3d(fit.draws[name].to_numpy()) for fit in (ours, exact))
        for i in range(left.shape[2]):
            a, b = measures(left[..., i]), measures(right[..., i])
            assert abs(a["mean"] - b["mean"]) < 5 * np.hypot(a["mcse_mean"], b["mcse_mean"]), name
            assert abs(a["sd"] / b["sd"] - 1) < 0.25, name
            compared += 1
    assert compared > 30


def test_the_result_does_not_depend_on_workers() -> None:
    spec = ModelSpec.model_validate({"baseline": {"noise": "student_t"}})
    one, three = (fit_gibbs(campaign(), spec, SampleSettings(200, 2, 7, n)) for n in (1, 3))
    xr.testing.assert_identical(one.draws, three.draws)


def test_a_chain_is_the_same_whatever_it_is_cut_into() -> None:
    model = pack_gibbs(build_design(campaign(), ModelSpec()))
    k = len(model.prior.kinds)
    jumps = as_jumps(Mixture(np.ones(1), np.zeros((1, k)), np.eye(k)[None]))
    z = points(k, 1)[0]
    whole, parts = (new_chain(model, z, np.eye(k), np.random.default_rng(2)) for _ in range(2))
    together = advance(model, whole, jumps, 12, adapt=True)[0]
    apart = np.vstack([advance(model, parts, jumps, n, adapt=True)[0] for n in (5, 7)])
    np.testing.assert_array_equal(together, apart)


def with_odd_day() -> Campaign:
    """Return a campaign whose downloads are ten times as many on one day long before the post."""
    data = campaign(90, (45.4,), impulse=0.5)
    downloads = data.downloads[["date", "downloads"]].copy()
    values = daily_downloads(90, (45.4,), impulse=0.5)
    values[20] *= 10
    downloads["downloads"] = values
    return Campaign(downloads=downloads, posts=data.posts[["post_id", "posted_at"]])


def test_an_odd_day_weighs_less_with_student_noise() -> None:
    data, settings = with_odd_day(), SampleSettings(1000, 2, 1, 2)
    normal = Effects(fit_gibbs(data, ModelSpec(), settings)).table().iloc[0]
    spec = ModelSpec.model_validate({"baseline": {"noise": "student_t"}})
    posterior = fit_gibbs(data, spec, settings)
    tails = Effects(posterior).table().iloc[0]
    assert tails["sd"] < 0.8 * normal["sd"]
    assert float(posterior.draws["noise_df"].median()) < 8


def test_counts_are_refused_with_the_engine_that_does_them() -> None:
    with pytest.raises(EngineError, match=r'counts.*engine = "exact"'):
        fit_gibbs(campaign(60, (30.4,), level=4.0), ModelSpec(), SampleSettings(100, 1))


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"baseline": {"noise": "student_t"}}, "baseline.noise"),
        ({"baseline": {"level_shifts": True}}, "baseline.level_shifts"),
        ({"response": {"heavy_tails": True}}, "response.heavy_tails"),
    ],
    ids=["noise", "level", "amplitudes"],
)
def test_tails_are_refused_by_the_exact_engine(spec: dict[str, object], named: str) -> None:
    with pytest.raises(EngineError, match=f'{named}.*engine = "gibbs"'):
        fit_exact(campaign(60, (30.4,)), ModelSpec.model_validate(spec), SampleSettings(100, 1))


def test_states_are_refused_with_the_engine_that_does_them() -> None:
    spec = ModelSpec.model_validate({"baseline": {"trend": "damped"}})
    with pytest.raises(EngineError, match=r'trend = "damped".*engine = "exact"'):
        fit_gibbs(campaign(60, (30.4,)), spec, SampleSettings(100, 1))


def test_what_no_engine_does_is_said() -> None:
    spec = ModelSpec.model_validate({"baseline": {"noise": "student_t", "trend": "damped"}})
    for level, fit in ((4.0, fit_gibbs), (1000.0, fit_gibbs), (1000.0, fit_exact)):
        with pytest.raises(EngineError, match="no engine does all of this"):
            fit(campaign(60, (30.4,), level=level), spec, SampleSettings(100, 1))
