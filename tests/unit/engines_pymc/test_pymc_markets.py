"""The joint model of markets in PyMC against densities written with numpy and scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from numpy.typing import NDArray
from posteriors_apart import apart
from pymc.model_graph import ModelGraph
from pymc_points import log_densities, point_of
from scipy import stats
from small_campaigns import daily_downloads, post_table, rich_posts

from lift.analysis.diagnostics import findings, measures
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.markets import fit_markets
from lift.engines.pymc_markets import _coefficients, _hyper_values, fit_markets_pymc
from lift.engines.pymc_markets_model import block_columns, build_markets_model
from lift.engines.pymc_shared import walk_waves
from lift.engines.reference import moments
from lift.engines.registry import markets_engine_named
from lift.errors import EngineError, InputError
from lift.joint import analyse_markets
from lift.model.hyper import coordinates
from lift.model.markets import OWN, MarketsDesign, build_markets
from lift.model.predictor import design_matrix
from lift.model.response import kernel_days
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

TIMES = (30.4, 41.9, 41.9, 60.1, 75.5, 87.25)
MARKETS = ("DE", "FR", "IT")
POST_MARKETS = (None, "IT", "DE", None, None, "FR")
COMMON = {"shared_level": True, "shared_noise": True, "free_loadings": True}


def three_markets() -> Campaign:
    """Return three markets with holes and controls; posts reach one or all."""
    n = 90
    dates = pd.date_range("2025-01-01", periods=n)
    tables, controls = [], []
    for m, name in enumerate(MARKETS):
        values = daily_downloads(n, TIMES, level=500.0 * (m + 1), seed=m + 1)
        values[[5 + m, 43]] = np.nan
        tables.append(pd.DataFrame({"date": dates, "market": name, "downloads": values}))
        walk = np.exp(np.random.default_rng(m).normal(size=n).cumsum() * 0.05)
        controls.append(pd.DataFrame({"date": dates, "market": name, "search": walk}))
    posts = rich_posts(TIMES).assign(market=POST_MARKETS)
    return Campaign(pd.concat(tables), posts, pd.concat(controls), name="three")


def spec_of(**markets: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "markets": markets,
            "baseline": {"year_harmonics": 1},
            "response": {"displacement": True, "size_exponent": 0.5},
        }
    )


@pytest.fixture(scope="module")
def design() -> MarketsDesign:
    return build_markets(three_markets(), spec_of(spill_over=True, **COMMON))


@pytest.fixture(scope="module")
def model(design: MarketsDesign) -> pm.Model:
    return build_markets_model(design)


@pytest.fixture(scope="module")
def point(model: pm.Model) -> dict[str, FloatArray]:
    found = point_of(model, 3)
    found["log_loading"] -= found["log_loading"].mean()
    return found


def values_of(design: MarketsDesign, point: dict[str, FloatArray], market: int) -> FloatArray:
    """Return the hyperparameters of a market's design."""
    part = design.designs[market]
    out = []
    for name in dict.fromkeys(hyper.name for hyper in part.hypers):
        value = np.atleast_1d(point[name])
        if name in OWN:
            having = [m for m, other in enumerate(design.designs) if other.position(name) >= 0]
            value = value[[having.index(market)]]
        out.append(value)
    return np.concatenate(out)


def early_of(design: MarketsDesign, point: dict[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return gain, and share of the response in the first days, of all pairs."""
    gains, shares = [], []
    scale, shape = np.exp(point["first_day"]), np.exp(point["log_shape"])
    for part in design.designs:
        posts = part.posts
        gains.append(np.exp(posts.log_size + point["views_elasticity"] * posts.log_views))
        for day, group, fraction in zip(posts.day, posts.kernel_group, posts.fraction, strict=True):
            kernel = kernel_days(scale[group], shape, fraction, part.window_days)
            seen = part.observed[day : day + 7]
            shares.append(0.001 + kernel[: len(seen)][seen].sum())
    return np.concatenate(gains), np.array(shares)


def test_what_is_observed_has_the_dense_density(
    design: MarketsDesign, model: pm.Model, point: dict[str, FloatArray]
) -> None:
    n = len(design.designs[0].dates)
    days = np.arange(n)
    # the common path from its waves, written out; and what each market takes of it
    k = np.arange(1, n)
    waves = np.sin(np.pi * np.outer(days, 2 * k - 1) / (2 * n - 1)) * 2 / np.sqrt(2 * n - 1)
    path = waves @ point["shared_wave"] + point["shared_noise"]
    loading = np.exp(point["log_loading"])
    assert np.prod(loading) == pytest.approx(1.0)
    gain, early = early_of(design, point)
    amplitude = point["early_response"] / (gain * early)
    pair_post = np.concatenate(design.reach)
    posts = design.posts
    expected_common = posts.membership @ point["group_mean"]
    has = posts.influencer >= 0
    expected_common[has] += point["influencer_effect"][posts.influencer[has]]
    expected, at = {}, 0
    for m, (name, part) in enumerate(zip(design.markets, design.designs, strict=True)):
        values = values_of(design, point, m)
        z = coordinates(values[None], part.hypers, part.mix)[0]
        covariance, columns, _ = moments(part, z)
        mine = design.reach[m]
        pair = slice(at, at + len(mine))
        at += len(mine)
        fixed = [
            point[variable][block_columns(design, block.name)[m]]
            for block in part.blocks
            for variable in [{"week": "week_contrast", "year": "year"}.get(block.name)]
            if variable is not None
        ]
        if part.position("control_sd") >= 0:
            fixed.append(point["control_effect"][block_columns(design, "control")[m]])
        p = part.fixed.shape[1]
        mean = columns[:, :p] @ np.concatenate(fixed)
        mean += columns[:, p : p + len(mine)] @ amplitude[pair]
        mean += loading[m] * path[part.observed]
        law = stats.multivariate_normal(mean, covariance)
        expected[f"log_downloads_{name}"] = law.logpdf(part.outcome[part.observed])
    share = np.concatenate([part.posts.share for part in design.designs])
    share = np.where(np.isnan(share), point["spill_over"], share)
    common = point["common_amplitude"]
    law = stats.norm(expected_common, point["amplitude_sd"])
    expected["common_amplitude"] = law.logpdf(common).sum()
    here, scale = share * common[pair_post], gain * early
    law = stats.norm(scale * here, scale * point["market_sd"])
    expected["early_response"] = law.logpdf(point["early_response"]).sum()
    # steps of the walk in place of waves: the same density, its columns being orthonormal
    walk = (waves @ point["shared_wave"])[1:]
    cov = point["shared_level_sd"] ** 2 * np.minimum.outer(days[1:], days[1:])
    expected["shared_wave"] = stats.multivariate_normal(np.zeros(n - 1), cov).logpdf(walk)
    law = stats.norm(0.0, point["shared_noise_sd"])
    expected["shared_noise"] = law.logpdf(point["shared_noise"]).sum()
    # two free logs of three loadings, less their mean, on orthonormal axes
    basis = np.linalg.svd(np.eye(3) - 1.0 / 3.0)[0][:, :2]
    expected["log_loading"] = stats.norm(0.0, 0.5).logpdf(basis.T @ point["log_loading"]).sum()
    for name in ("noise_sd", "level_sd", "control_sd"):
        rates = [hyper.first for hyper in design.hypers if hyper.name == name]
        law = stats.expon(scale=1.0 / np.array(rates))
        expected[name] = law.logpdf(point[name]).sum()
    found = log_densities(model, list(expected), point)
    assert found == pytest.approx(expected, rel=1e-8)


def test_a_posterior_has_what_the_model_was_told(
    design: MarketsDesign, point: dict[str, FloatArray]
) -> None:
    """Hyperparameters and coefficients of each market give its predictor back."""
    import xarray as xr

    gain, early = early_of(design, point)
    amplitude = point["early_response"] / (gain * early)
    named = point | {"amplitude": amplitude}
    draws = xr.Dataset(
        {
            name: (
                ("chain", "draw", *(f"{name}_{i}" for i in range(value.ndim))),
                value[None, None],
            )
            for name, value in ((key, np.asarray(value)) for key, value in named.items())
        }
    )
    at = 0
    for m, part in enumerate(design.designs):
        z = _hyper_values(design, draws, m)
        values = values_of(design, point, m)
        assert z[0, 0] == pytest.approx(coordinates(values[None], part.hypers, part.mix)[0])
        coefficients = _coefficients(design, draws, m, z)[0, 0]
        columns, _ = design_matrix(part, values)
        p, mine = part.fixed.shape[1], len(design.reach[m])
        lifts = columns[:, p : p + mine] @ amplitude[at : at + mine]
        at += mine
        assert columns[:, p:] @ coefficients[p:] == pytest.approx(lifts, abs=1e-10)


def test_dims_and_graph_are_named(design: MarketsDesign, model: pm.Model) -> None:
    dims = {name: tuple(found) for name, found in model.named_vars_to_dims.items()}
    assert dims["loading"] == dims["noise_sd"] == ("market",)
    assert dims["amplitude"] == ("pair",)
    assert dims["common_amplitude"] == ("post",)
    assert dims["control_effect"] == ("market_control",)
    assert tuple(model.coords["market"]) == MARKETS
    assert tuple(model.coords["control_market"]) == MARKETS
    assert model.coords["market_control"] == ("DE: search", "FR: search", "IT: search")
    assert len(model.coords["pair"]) == sum(len(mine) for mine in design.reach)
    plates = ModelGraph(model).get_plates()
    drawn = {node.var.name for plate in plates for node in plate.variables}
    assert {"loading", "shared_level", "log_downloads_IT"} <= drawn


def test_waves_are_those_of_a_walk_from_zero() -> None:
    waves, sizes = walk_waves(30)
    days = np.arange(30)
    np.testing.assert_allclose(
        (waves * sizes**2) @ waves.T, np.minimum.outer(days, days), atol=1e-9
    )
    np.testing.assert_allclose(waves.T @ waves, np.eye(29), atol=1e-12)


def test_without_anything_in_common_there_is_no_path() -> None:
    plain = build_markets_model(build_markets(three_markets(), ModelSpec()))
    assert not {"loading", "shared_level", "shared_noise"} & set(plain.named_vars)
    fixed = build_markets_model(build_markets(three_markets(), spec_of(shared_level=True)))
    assert "shared_level" in fixed.named_vars
    assert "loading" not in fixed.named_vars


def test_the_exact_engine_names_the_one_that_has_free_loadings() -> None:
    spec = spec_of(**COMMON)
    with pytest.raises(EngineError, match=r'markets.free_loadings = true; use engine = "pymc"'):
        analyse_markets(three_markets(), spec)


def test_loadings_need_something_in_common() -> None:
    with pytest.raises(InputError, match="free_loadings needs a path that markets have in common"):
        ModelSpec.from_text("[markets]\nfree_loadings = true\n")


def test_what_the_model_does_not_do_is_refused() -> None:
    spec = ModelSpec.model_validate({"response": {"kernel": "gamma"}})
    with pytest.raises(EngineError, match='does not do kernel = "gamma"'):
        build_markets_model(build_markets(three_markets(), spec))
    with pytest.raises(EngineError, match="must be one of exact, pymc, found 'gibbs'"):
        markets_engine_named("gibbs")


LOADS = {"AT": 0.5, "CH": 1.0, "DE": 2.0}
TARGETS = (None, None, None, "AT", "CH")


def alike(loads: dict[str, float]) -> Campaign:
    """Return markets that follow one walk by ``loads``; posts reach all of them or one."""
    n = 120
    rng = stream(8, "tests", "loadings")
    times = np.array([40.2, 55.7, 70.4, 85.9, 100.3])
    strength = np.array([0.7, 0.9, 0.6, 0.8, 0.75])
    dates, days = pd.date_range("2025-01-01", periods=n), np.arange(n + 1)
    common = np.append(0.0, np.cumsum(0.04 * rng.normal(size=n - 1)))
    sizes = {"AT": 4000.0, "CH": 2000.0, "DE": 8000.0}
    tables = []
    for name, load in loads.items():
        lift = np.zeros(n)
        for time, target, size in zip(times, TARGETS, strength, strict=True):
            if target in (None, name):
                lift += size * np.diff(-np.expm1(-0.6 * np.maximum(days - time, 0.0)))
        own = 0.01 * rng.normal(size=n).cumsum() + 0.03 * rng.normal(size=n)
        values = rng.poisson(sizes[name] * np.exp(load * common + lift + own)).astype(float)
        tables.append(pd.DataFrame({"date": dates, "market": name, "downloads": values}))
    posts = post_table(tuple(times)).assign(market=TARGETS)
    return Campaign(downloads=pd.concat(tables), posts=posts, name="alike")


@pytest.mark.slow
def test_without_free_loadings_it_is_the_exact_posterior() -> None:
    data = alike({"AT": 1.0, "CH": 1.0, "DE": 1.0})
    spec = ModelSpec.model_validate({"markets": {"shared_level": True}})
    exact = fit_markets(data, spec, SampleSettings(seed=4))
    chains = fit_markets_pymc(data, spec, SampleSettings(1200, 2, 3, 2))
    assert list(exact) == list(chains)
    for name, posterior in chains.items():
        assert set(posterior.draws.data_vars) == set(exact[name].draws.data_vars)
        assert apart(posterior, exact[name]) == {}
        assert not [f for f in findings(posterior) if f.level == "FAIL"]


@pytest.mark.slow
def test_planted_loadings_are_found() -> None:
    """A noise sd has fewer effective draws of 2,000 than a run asks for; loadings have enough."""
    spec = ModelSpec.model_validate({"markets": {"shared_level": True, "free_loadings": True}})
    found = fit_markets_pymc(alike(LOADS), spec, SampleSettings(2000, 4, 3, 2))
    product = 1.0
    for name, load in LOADS.items():
        posterior = found[name]
        draws = posterior.draws["loading"].to_numpy()
        assert measures(draws)["r_hat"] < 1.01
        product = product * draws
        assert abs(np.log(draws).mean() - np.log(load)) < 3.0 * np.log(draws).std()
        assert np.log(draws).std() < 0.25
        assert posterior.attrs["engine"] == "markets_pymc"
    assert product == pytest.approx(np.ones_like(product))
