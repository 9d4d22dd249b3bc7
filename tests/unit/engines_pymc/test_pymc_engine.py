"""The engine returns the exact engine's posterior; few fits, as each compiles its model."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from posteriors_apart import apart

from lift.analysis.diagnostics import findings
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.engines.pymc import _watched, fit_pymc
from lift.engines.pymc_chains import enough
from lift.model.design import build_design
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.rng import stream

NUTS = SampleSettings(draws=1600, chains=2, seed=3, workers=2)


@pytest.fixture(scope="module")
def said() -> list[tuple[float, str]]:
    return []


@pytest.fixture(scope="module")
def lognormal(lognormal_campaign: Campaign, said: list[tuple[float, str]]) -> Posterior:
    return fit_pymc(
        lognormal_campaign, ModelSpec(), NUTS, lambda done, word: said.append((done, word))
    )


def test_lognormal_posteriors_agree(lognormal_campaign: Campaign, lognormal: Posterior) -> None:
    exact = fit_exact(lognormal_campaign, ModelSpec(), SampleSettings(seed=4))
    assert set(lognormal.draws.data_vars) == set(exact.draws.data_vars)
    assert apart(lognormal, exact) == {}


def test_the_chains_are_reported(lognormal: Posterior) -> None:
    stats = lognormal.sample_stats
    assert lognormal.attrs["engine"] == "pymc"
    assert lognormal.draws.sizes["chain"] == NUTS.chains
    assert lognormal.draws.sizes["draw"] == NUTS.draws // NUTS.chains
    assert (stats["sampler"], stats["n_tune"]) == ("nutpie", 1000)
    assert stats["divergences"] == 0
    assert stats["fits"] >= 1
    assert stats["gradients_per_draw"] >= 1
    assert {f.level for f in findings(lognormal) if f.check in ("Divergences", "R-hat")} == {"PASS"}


def test_progress_is_told(lognormal: Posterior, said: list[tuple[float, str]]) -> None:
    assert lognormal.sample_stats["n_tune"] > 0
    assert said[0] == (0.0, "compile")
    assert said[-1] == (1.0, "draws")
    assert all(0.0 <= done <= 1.0 for done, _ in said)


def test_chains_of_too_few_effective_draws_are_run_longer(lognormal_campaign: Campaign) -> None:
    few = SampleSettings(draws=100, chains=2, seed=3, workers=2)
    options = {"tune": 20, "target_accept": (0.8,)}
    short = fit_pymc(lognormal_campaign, ModelSpec(), few, **options, steps_per_draw=(1,))
    longer = fit_pymc(lognormal_campaign, ModelSpec(), few, **options, steps_per_draw=(1, 3))
    assert (short.sample_stats["steps_per_draw"], short.sample_stats["fits"]) == (1, 1)
    assert (longer.sample_stats["steps_per_draw"], longer.sample_stats["fits"]) == (3, 2)
    assert longer.draws.sizes == short.draws.sizes


def test_chains_apart_are_not_enough(lognormal_campaign: Campaign) -> None:
    design = build_design(lognormal_campaign, ModelSpec())
    rng = stream(1, "chains")
    names = {hyper.name for hyper in design.hypers} | {"amplitude"}
    mixed = {name: (("chain", "draw"), rng.normal(size=(4, 1000))) for name in sorted(names)}
    assert enough(_watched(design, xr.Dataset(mixed)))
    apart = rng.normal(size=(4, 1000)) + 0.4 * np.arange(4)[:, None]
    worse = xr.Dataset(mixed | {"noise_sd": (("chain", "draw"), apart)})
    assert not enough(_watched(design, worse))


@pytest.mark.slow
def test_chains_that_diverge_are_sampled_again(lognormal_campaign: Campaign) -> None:
    few = SampleSettings(draws=200, chains=2, seed=3, workers=2)
    rough = fit_pymc(lognormal_campaign, ModelSpec(), few, tune=100, target_accept=(0.3,))
    assert rough.sample_stats["divergences"] > 0
    again = fit_pymc(lognormal_campaign, ModelSpec(), few, tune=300, target_accept=(0.3, 0.99))
    stats = again.sample_stats
    assert (stats["fits"], stats["target_accept"], stats["divergences"]) == (2, 0.99, 0)


@pytest.mark.slow
def test_workers_change_nothing(lognormal_campaign: Campaign) -> None:
    fits = [
        fit_pymc(lognormal_campaign, ModelSpec(), SampleSettings(100, 2, seed, workers), tune=100)
        for seed, workers in ((3, 2), (3, 1), (4, 2))
    ]
    assert fits[0].draws.equals(fits[1].draws)
    assert not fits[0].draws.equals(fits[2].draws)


@pytest.mark.slow
def test_posteriors_of_counts_agree(count_campaign: Campaign) -> None:
    nuts = fit_pymc(count_campaign, ModelSpec(), SampleSettings(4000, 4, 3, 2))
    exact = fit_exact(count_campaign, ModelSpec(), SampleSettings(seed=4))
    assert nuts.attrs["likelihood"] == "negative_binomial"
    assert apart(nuts, exact) == {}


@pytest.mark.slow
def test_pymc_can_sample_too(lognormal_campaign: Campaign) -> None:
    posterior = fit_pymc(
        lognormal_campaign, ModelSpec(), SampleSettings(800, 2, 3, 2), sampler="pymc", tune=500
    )
    exact = fit_exact(lognormal_campaign, ModelSpec(), SampleSettings(seed=4))
    assert posterior.sample_stats["sampler"] == "pymc"
    assert apart(posterior, exact) == {}
