"""The Gibbs engine: does it sample the distribution that it says it samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy.special import gammaincc
from small_campaigns import campaign, daily_downloads, points, post_table, rich_campaign

from lift.analysis.diagnostics import mcse_mean, measures
from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines._kernels import NOISE, amplitudes, predictor
from lift.engines._scaled import buffers, hyperparameters, prepare
from lift.engines._selection import SPIKE_SLAB
from lift.engines.base import SampleSettings
from lift.engines.chains import Chain, GibbsModel, advance, as_jumps, new_chain, pack_gibbs
from lift.engines.exact import fit_exact
from lift.engines.gibbs import fit_gibbs
from lift.engines.mixture import Mixture
from lift.errors import EngineError
from lift.model.design import build_design
from lift.model.hyper import coordinates
from lift.model.posterior import Posterior
from lift.model.scales import AMPLITUDE_DF, SHIFT_DF
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]
N_SWEEPS = 12000
SMALL = {"week": False}


def redraw_outcome(model: GibbsModel, chain: Chain, rng: np.random.Generator) -> None:
    """Draw the outcome anew given everything unknown, in place."""
    problem, state = model.problem, chain.state
    work = buffers(problem, len(state.z))
    prepare(state.z, state.scaled, problem, model.prior, work)
    amplitude, linear = np.empty(len(problem.day)), np.empty(len(problem.y))
    p = problem.fixed.shape[1]
    amplitudes(state.gamma, p, problem.member_index, problem.member_value, amplitude)
    predictor(state.gamma, amplitude, problem.fixed, work.kernels, problem.day, linear)
    if chain.counts is not None:
        size = work.theta[problem.layout[NOISE]] ** -2
        rate = np.exp(chain.counts.eta) * rng.gamma(size, 1 / size, len(linear))
        problem.y[:] = np.where(problem.observed, rng.poisson(rate), 0.0)
        return
    noise = np.sqrt(work.noise) * rng.standard_normal(len(linear))
    problem.y[:] = np.where(problem.observed, state.level + linear + noise, 0.0)


def hyperparameter(model: GibbsModel, chain: Chain, name: str) -> float:
    out = np.empty(len(chain.state.z))
    hyperparameters(chain.state.z, model.prior, out)
    return float(out[model.design.position(name)])


def joint_draws(spec: dict[str, object]) -> dict[str, FloatArray]:
    """Return draws of what has a known prior, from sweeps in turn with new outcomes.

    Geweke 2004, Getting it right, JASA 99:799, doi:10.1198/016214504000001132: if the sweeps leave
    the posterior unchanged, everything unknown keeps its prior.
    """
    # of few downloads, so that outcome and states move apart where states have the noise
    size = {"level": 15.0, "impulse": 0.1} if "likelihood" in spec else {}
    data = campaign(22, (14.4, 17.2), n_controls=3, missing=(18,), **size)
    model = pack_gibbs(build_design(data, ModelSpec.model_validate(spec)))
    design, k = model.design, len(model.prior.kinds)
    rng = stream(1, "tests", "geweke")
    jumps = as_jumps(Mixture(np.ones(1), np.zeros((1, k)), np.eye(k)[None]))
    chain = new_chain(model, rng.standard_normal(k), 0.3 * np.eye(k), rng)
    p = design.fixed.shape[1]
    own = slice(p, p + len(design.posts.ids))
    names = ("z", "log_df", "noise", "level", "post", "local", "global", "inside")
    out: dict[str, list[FloatArray]] = {name: [] for name in names}
    controls = model.flags.controls
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
        local, (log_tau, log_slab) = chain.state.controls.log_local, chain.state.controls.log_global
        tau = np.exp(log_tau) / (controls.ratio * hyperparameter(model, chain, "noise_sd"))
        slab = gammaincc(2.0, controls.slab / np.exp(np.append(local, log_slab)))
        half_cauchy = 2 / np.pi * np.arctan(np.exp(local))
        out["local"].append(slab[:-1] if controls.kind == SPIKE_SLAB else half_cauchy)
        out["global"].append(np.array([2 / np.pi * np.arctan(tau), slab[-1]]))
        out["inside"].append(chain.state.controls.inside.copy())
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
        {"baseline": SMALL},
        *(
            {
                "baseline": {
                    "noise": "student_t",
                    "control_prior": prior,
                    "slab_sd": 0.05,
                    "week": False,
                }
            }
            for prior in ("horseshoe", "spike_slab")
        ),
        {
            "baseline": {"week": False, "noise": "student_t", "level_shifts": True},
            "response": {"heavy_tails": True},
        },
        pytest.param(
            {
                "likelihood": "lognormal",
                "baseline": {
                    "noise": "student_t",
                    "level_shifts": True,
                    "trend": "damped",
                    "slope_rate": 20.0,
                    "slope_phi_shapes": (2.0, 2.0),
                    "week": False,
                },
            },
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {
                "likelihood": "lognormal",
                "baseline": {
                    "noise": "ar1",
                    "control_prior": "spike_slab",
                    "slab_sd": 0.05,
                    "week": False,
                },
            },
            marks=pytest.mark.slow,
        ),
        {
            "likelihood": "negative_binomial",
            "baseline": {
                "level_start_sd": 0.5,
                "level_shifts": True,
                "trend": "damped",
                "slope_rate": 20.0,
                "week": False,
            },
            "response": {"heavy_tails": True},
        },
        *(
            pytest.param(
                {
                    "likelihood": "negative_binomial",
                    "baseline": {
                        "level_start_sd": 0.5,
                        "control_prior": prior,
                        "slab_sd": 0.2,
                        "week": False,
                    },
                },
                marks=pytest.mark.slow,
            )
            for prior in ("horseshoe", "spike_slab")
        ),
    ],
    ids=[
        "normal",
        "horseshoe",
        "spike and slab",
        "tails",
        "tails and a trend",
        "noise that lasts",
        "counts",
        "counts, horseshoe",
        "counts, spike and slab",
    ],
)
def test_the_prior_is_kept_where_outcomes_are_drawn_in_turn(spec: dict[str, object]) -> None:
    found = joint_draws(spec)
    # the largest of some 50 numbers under the null is below 4.4 with probability 0.9995
    for column in found["z"].T:
        assert standard_errors_off(column, 0.0) < 4.4
        assert standard_errors_off(column**2, 1.0) < 4.4
    for name in checked(spec):
        for column in found[name].T:
            assert standard_errors_off(column, 0.5) < 4.4, name
        assert standard_errors_off((found[name] > 0.9).mean(axis=1), 0.1) < 4.4, name
    if "spike_slab" in str(spec):
        # half of the controls are expected in, at most
        assert standard_errors_off(found["inside"].mean(axis=1), 0.5) < 4.4


def checked(spec: dict[str, object]) -> list[str]:
    """Return which uniform numbers a model moves."""
    wanted = {
        "noise": "student_t",
        "level": "level_shifts",
        "post": "heavy_tails",
        "local": "control_prior",
        "global": "horseshoe",
    }
    return [name for name, word in wanted.items() if word in str(spec)]


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


@pytest.mark.parametrize(
    "spec",
    [{}, {"likelihood": "negative_binomial", "baseline": {"control_prior": "spike_slab"}}],
    ids=str,
)
def test_a_chain_is_the_same_whatever_it_is_cut_into(spec: dict[str, object]) -> None:
    model = pack_gibbs(build_design(campaign(n_controls=3), ModelSpec.model_validate(spec)))
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


def test_counts_have_the_posterior_of_the_exact_engine() -> None:
    data = campaign(90, (35.4, 50.7), level=3.0, impulse=0.8, missing=(40,))
    assert (data.downloads["downloads"] == 0).sum() == 3
    spec = ModelSpec.model_validate({"baseline": {"trend": "damped"}})
    exact = fit_exact(data, spec, SampleSettings(2000, 2, 1, 2))
    gibbs = fit_gibbs(data, spec, SampleSettings(2000, 4, 1, 2))
    same_posterior(exact, gibbs, "noise_sd", "level_sd", "slope_sd", "slope_phi", "amplitude_sd")


def same_posterior(exact: Posterior, gibbs: Posterior, *names: str) -> None:
    """Check means of hyperparameters and effect within 5 Monte Carlo errors, and its sd."""
    for name in names:
        a, b = exact.draws[name].to_numpy(), gibbs.draws[name].to_numpy()
        slack = 5 * np.hypot(mcse_mean(a), mcse_mean(b))
        assert abs(a.mean() - b.mean()) < slack, name
    a, b = (Effects(fitted).draws("campaign").to_numpy()[..., 0] for fitted in (exact, gibbs))
    assert abs(a.mean() - b.mean()) < 5 * np.hypot(mcse_mean(a), mcse_mean(b))
    assert b.std() / a.std() == pytest.approx(1.0, abs=0.1)


def test_student_noise_of_counts_is_refused_with_the_reason() -> None:
    spec = ModelSpec.model_validate({"baseline": {"noise": "student_t"}})
    with pytest.raises(EngineError, match=r"of counts \(a negative .* heavy tail .*; no engine"):
        fit_gibbs(campaign(60, (30.4,), level=4.0), spec, SampleSettings(100, 1))


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"baseline": {"noise": "student_t"}}, "baseline.noise"),
        ({"baseline": {"level_shifts": True}}, "baseline.level_shifts"),
        ({"response": {"heavy_tails": True}}, "response.heavy_tails"),
        ({"baseline": {"control_prior": "horseshoe"}}, "baseline.control_prior"),
    ],
    ids=["noise", "level", "amplitudes", "controls"],
)
def test_tails_are_refused_by_the_exact_engine(spec: dict[str, object], named: str) -> None:
    with pytest.raises(EngineError, match=f'{named}.*engine = "gibbs"'):
        fit_exact(rich_campaign(n_controls=1), ModelSpec.model_validate(spec), SampleSettings(100))


def test_states_have_the_posterior_of_the_exact_engine() -> None:
    """Without scale variables both engines have the same model."""
    data = rich_campaign(n_controls=1)
    spec = ModelSpec.model_validate({"baseline": {"trend": "damped", "week_evolves": True}})
    exact = fit_exact(data, spec, SampleSettings(2000, 2, 1, 2))
    gibbs = fit_gibbs(data, spec, SampleSettings(4000, 4, 1, 2))
    names = ("noise_sd", "level_sd", "slope_sd", "slope_phi", "week_step_sd", "amplitude_sd")
    same_posterior(exact, gibbs, *names)


def test_what_no_engine_does_is_said() -> None:
    spec = ModelSpec.model_validate({"baseline": {"noise": "student_t", "trend": "damped"}})
    for fit in (fit_gibbs, fit_exact):
        with pytest.raises(EngineError, match="no engine does all of this"):
            fit(campaign(60, (30.4,), level=4.0), spec, SampleSettings(100, 1))


def test_controls_that_matter_are_found_among_many() -> None:
    rng = stream(2, "tests", "selection")
    n, n_controls = 150, 30
    dates = pd.date_range("2025-01-01", periods=n)
    values = rng.normal(size=(n, n_controls))
    controls = pd.DataFrame(values, columns=[f"series_{k:02d}" for k in range(n_controls)])
    controls.insert(0, "date", dates)
    log_mean = 9.0 + 0.3 * values[:, 4] - 0.2 * values[:, 17] + 0.1 * rng.normal(size=n)
    data = Campaign(
        downloads=pd.DataFrame({"date": dates, "downloads": np.exp(log_mean).round()}),
        posts=post_table((40.4,)),
        controls=controls,
    )
    fits = {
        prior: fit_gibbs(
            data,
            ModelSpec.model_validate(
                {"baseline": {"control_prior": prior, "control_transform": "none"}}
            ),
            SampleSettings(1000, 2, 1, 2),
        ).draws
        for prior in ("spike_slab", "horseshoe")
    }
    inclusion = fits["spike_slab"]["inclusion"]
    assert inclusion.dims == ("chain", "draw", "control")
    assert set(np.unique(inclusion)) == {0.0, 1.0}
    means = inclusion.mean(("chain", "draw")).to_numpy()
    assert means[[4, 17]].min() > 0.99
    assert np.delete(means, [4, 17]).max() < 0.5
    out = fits["spike_slab"]["control_effect"].to_numpy()[inclusion.to_numpy() == 0.0]
    np.testing.assert_array_equal(out, 0.0)
    sds = values.std(axis=0)
    for draws in fits.values():
        effect = draws["control_effect"].mean(("chain", "draw")).to_numpy()
        assert effect[4] == pytest.approx(0.3 * sds[4], abs=0.04)
        assert effect[17] == pytest.approx(-0.2 * sds[17], abs=0.04)
        assert np.abs(np.delete(effect, [4, 17])).max() < 0.02
    assert "control_sd" not in fits["horseshoe"]
    assert (fits["horseshoe"]["control_tau"] > 0).all()
