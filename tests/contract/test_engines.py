"""What every engine must do; an engine that is not in the table below fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_campaigns import campaign, rich_campaign

from lift.analysis.diagnostics import findings
from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.data.simulate import SimulationConfig, simulate_campaign
from lift.engines.base import SampleSettings
from lift.engines.registry import ENGINES, engine_named
from lift.errors import EngineError
from lift.model.posterior import GROUPS, Posterior
from lift.model.spec import ModelSpec

# Draws over all chains that make an engine's Monte Carlo error small enough for these tests.
DRAWS = {"exact": 400, "gibbs": 800}
# What an engine refuses, with the name of the one that does it.
REFUSED = {("gibbs", "counts"): "exact"}
SCALARS = ("noise_sd", "level_sd", "amplitude_sd", "kernel_shape")
VECTORS = {
    "first_day_share": "kernel_group",
    "group_mean": "group",
    "amplitude": "post",
    "impulse": "post",
}
RICH = {
    "influencer_effect": "influencer",
    "control_effect": "control",
    "week": "weekday",
}
POST_COLUMNS = (
    "post_day",
    "post_fraction",
    "kernel_group_index",
    "influencer",
    "platform",
    "creator_type",
    "content",
    "views",
    "cost",
)


def test_every_engine_is_in_the_table() -> None:
    assert set(DRAWS) == set(ENGINES)


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def fit(
    engine: str, data: Campaign, *, seed: int = 1, chains: int = 2, **spec: object
) -> Posterior:
    settings = SampleSettings(DRAWS[engine], chains, seed)
    return engine_named(engine)(data, ModelSpec.model_validate(spec), settings, None)


CAMPAIGNS = {
    "everything": (rich_campaign(), {}),
    "single post": (campaign(60, (30.4,)), {}),
    "no controls": (campaign(80, (30.4, 30.4, 50.1)), {}),
    "one day missing": (campaign(70, (30.4, 40.1), missing=(33,)), {}),
    "counts": (campaign(70, (30.4, 45.2), level=4.0, missing=(12,)), {}),
    "no season": (campaign(60, (30.4,)), {"baseline": {"week": False}}),
    "post on the last day": (campaign(60, (59.5,)), {}),
    "displacement": (campaign(90, (30.4, 40.2)), {"response": {"displacement": True}}),
}


@pytest.mark.parametrize("case", list(CAMPAIGNS))
def test_the_posterior_is_complete(engine: str, case: str) -> None:
    data, spec = CAMPAIGNS[case]
    if other := REFUSED.get((engine, case)):
        with pytest.raises(EngineError, match=f'engine = "{other}"'):
            fit(engine, data, **spec)
        return
    posterior = fit(engine, data, **spec)
    assert set(GROUPS) <= set(posterior.tree.children)
    draws = posterior.draws
    sizes = (2, DRAWS[engine] // 2)
    for name in SCALARS:
        assert draws[name].dims == ("chain", "draw"), name
        assert draws[name].shape == sizes, name
    for name, dim in VECTORS.items():
        assert draws[name].dims == ("chain", "draw", dim), name
    for name in draws.data_vars:
        assert draws[name].dims[:2] == ("chain", "draw"), name
        assert draws[name].dtype == np.float64, name
        assert np.isfinite(draws[name]).all(), name
    for name in ("noise_sd", "level_sd", "amplitude_sd", "kernel_shape", "first_day_share"):
        assert (draws[name] > 0).all(), name
    assert (draws["first_day_share"] < 1).all()
    ids = data.posts["post_id"].tolist()
    assert draws["post"].to_numpy().tolist() == ids
    assert posterior.posts["post"].tolist() == ids
    assert set(POST_COLUMNS) <= set(posterior.posts.columns)
    np.testing.assert_array_equal(posterior.downloads, data.downloads["downloads"])
    assert posterior.downloads.dims == ("date",)
    pd.testing.assert_index_equal(posterior.dates, data.dates, check_names=False, exact=False)
    assert posterior.attrs["engine"] == engine
    assert posterior.attrs["seed"] == 1
    assert posterior.attrs["horizon_days"] == 28
    assert ("displacement" in draws) == ("displacement" in str(spec))
    assert not [f for f in findings(posterior) if f.level == "FAIL"]
    assert np.isfinite(Effects(posterior).table("campaign")["mean"]).all()


def test_what_the_data_have_is_in_the_posterior(engine: str) -> None:
    data = rich_campaign()
    posterior = fit(engine, data)
    draws = posterior.draws
    for name, dim in RICH.items():
        assert draws[name].dims == ("chain", "draw", dim)
    for name in ("control_sd", "influencer_sd", "views_elasticity"):
        assert draws[name].dims == ("chain", "draw")
    assert draws["control"].to_numpy().tolist() == list(data.control_names)
    assert draws["influencer"].to_numpy().tolist() == ["ann", "bob"]
    np.testing.assert_allclose(draws["week"].sum("weekday"), 0.0, atol=1e-12)
    table = posterior.posts
    for name in ("influencer", "platform", "content", "creator_type"):
        assert table[name].tolist() == data.posts[name].tolist()
    np.testing.assert_array_equal(table["views"], data.posts["views"])
    plain = fit(engine, campaign()).draws
    for name in (*RICH, "control_sd", "influencer_sd", "views_elasticity"):
        assert (name in plain) == (name == "week")


def test_amplitude_and_impulse_differ_by_the_power_of_the_views(engine: str) -> None:
    posterior = fit(engine, rich_campaign())
    draws = posterior.draws
    log_views = xr.DataArray(posterior.posts["log_views"].to_numpy(), dims="post")
    gain = np.exp(draws["views_elasticity"] * log_views)
    np.testing.assert_allclose(draws["impulse"], draws["amplitude"] * gain, rtol=1e-12)
    assert np.ptp(log_views.to_numpy()) > 1


def test_draws_and_chains_are_as_asked(engine: str) -> None:
    data = campaign(60, (30.4,))
    for chains in (1, 4):
        sizes = fit(engine, data, chains=chains).draws.sizes
        assert (sizes["chain"], sizes["draw"]) == (chains, DRAWS[engine] // chains)


def test_the_seed_is_respected(engine: str) -> None:
    data = campaign(60, (30.4,))
    first, again, other = (fit(engine, data, seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(first.draws, again.draws)
    assert other.attrs["seed"] == 2
    assert not np.isclose(first.draws["impulse"], other.draws["impulse"]).any()
    chains = first.draws["impulse"].to_numpy()
    assert not np.isclose(chains[0], chains[1]).any()


def test_draws_are_distinct(engine: str) -> None:
    """Even where there are fewer hyperparameter points than draws of the coefficients."""
    settings = SampleSettings(5 * DRAWS[engine], 1, 1)
    posterior = engine_named(engine)(campaign(60, (30.4,)), ModelSpec(), settings, None)
    values = posterior.draws["amplitude"].to_numpy().ravel()
    assert len(np.unique(values)) == len(values)


def test_the_arguments_are_not_changed(engine: str) -> None:
    data = rich_campaign()
    before = data.digests
    downloads, posts = data.downloads.copy(), data.posts.copy()
    fit(engine, data)
    assert data.digests == before
    pd.testing.assert_frame_equal(data.downloads, downloads)
    pd.testing.assert_frame_equal(data.posts, posts)


def test_several_markets_are_refused(engine: str) -> None:
    one = campaign(60, (30.4,))
    table = one.downloads[["date", "downloads"]]
    both = pd.concat([table.assign(market="IT"), table.assign(market="FR")])
    data = Campaign(downloads=both, posts=one.posts[["post_id", "posted_at"]])
    with pytest.raises(EngineError, match="one market"):
        fit(engine, data)


def test_zeros_under_a_lognormal_are_refused(engine: str) -> None:
    with pytest.raises(EngineError, match="above zero"):
        fit(engine, campaign(60, (30.4,), level=2.0), likelihood="lognormal")


def test_known_effects_are_recovered(engine: str) -> None:
    """Intervals of 95 % over 36 posts of 6 simulated campaigns.

    The posts of a campaign share its baseline, so their misses come together: with an intra-class
    correlation of 0.2 the 36 count as 18. Of 18 intervals that each cover with 95 %, fewer than
    14 cover with probability 0.002; 14/18 of 36 is 28. The totals of the campaigns lie within 4
    posterior sds, which one of 6 misses with probability 0.0004.
    """
    config = SimulationConfig(
        n_days=130, n_posts=6, first_post_day=40, n_influencers=3, amplitude_mean=0.6, controls=()
    )
    covered = total = 0
    for seed in range(1, 7):
        data, truth = simulate_campaign(config, seed=seed)
        effects = Effects(fit(engine, data, seed=seed))
        known = truth.set_index(["by", "unit"])["truth"]
        table = effects.table("post").set_index("unit")
        mine = known["post"].loc[table.index]
        covered += int(((table["lower"] <= mine) & (mine <= table["upper"])).sum())
        total += len(table)
        whole = effects.table("campaign").iloc[0]
        assert abs(whole["mean"] - known["campaign", "campaign"]) < 4 * whole["sd"]
    assert total == 36
    assert covered >= 28


def test_an_effect_that_is_large_is_found_and_one_that_is_not_there_is_not(engine: str) -> None:
    strong = Effects(fit(engine, campaign(90, (45.4,), impulse=2.0))).table().iloc[0]
    assert strong["lower"] > 0
    assert strong["prob_positive"] > 0.99
    absent = Effects(fit(engine, campaign(90, (45.4,), impulse=0.0))).table().iloc[0]
    assert absent["lower"] < 0 < absent["upper"]
    assert abs(absent["mean"]) < 0.5 * strong["mean"]
