"""What every engine must do; an engine that is not in the table below fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_campaigns import campaign, rich_campaign

from lift.analysis.diagnostics import findings
from lift.analysis.effects import Effects
from lift.analysis.hierarchy import contrast_table
from lift.analysis.identifiability import identifiability
from lift.data.campaign import Campaign
from lift.data.simulate import SimulationConfig, simulate_campaign
from lift.engines.base import SampleSettings
from lift.engines.registry import ENGINES, WINDOW_ENGINES, engine_named, window_engine_named
from lift.engines.windows import WINDOW_COLUMNS, WindowEffects
from lift.errors import EngineError, RunError
from lift.model.posterior import GROUPS, Posterior
from lift.model.spec import ModelSpec


@dataclass(frozen=True)
class Subject:
    """An engine under test.

    draws : over all chains; enough that the Monte Carlo error is small enough for these tests.
    options : what the tests ask of the engine beside its settings.
    slow : whether it compiles or samples for so long that most cases are marked slow.
    pooled : whether its posterior has what posts share.
    seeds : simulated campaigns of which it must find the truth.
    refuses : cases that it refuses, and what it says.
    """

    draws: int
    options: Mapping[str, Any] = field(default_factory=dict)
    slow: bool = False
    pooled: bool = True
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    refuses: Mapping[str, str] = field(default_factory=dict)


SUBJECTS = {
    "exact": Subject(400),
    "gibbs": Subject(800),
    "pymc": Subject(600, {"tune": 400}, slow=True),
    "statsmodels": Subject(
        400,
        pooled=False,
        # the third has two posts at the same time
        seeds=(1, 2, 4, 5, 6, 7),
        refuses={
            "rich": "cannot tell apart post p2, post p3",
            "no controls": "cannot tell apart post p1, post p2",
            "counts": 'counts .likelihood = "negative_binomial".; use engine = "exact"',
            "displacement": 'does not do response.displacement = true; use engine = "exact"',
        },
    ),
}
# Cases that slow engines do by default, all on one campaign, since each compiles a model.
QUICK = {"single post", "single post again"}


def each_engine(*cases: str, pooled: bool = False) -> pytest.MarkDecorator:
    """Give a test every engine (that pools) and case; what is slow is marked so."""
    return pytest.mark.parametrize(
        ("engine", "case"),
        [
            pytest.param(
                engine,
                case,
                id=f"{engine}-{case}",
                marks=[pytest.mark.slow] if subject.slow and case not in QUICK else [],
            )
            for engine, subject in sorted(SUBJECTS.items())
            for case in cases
            if subject.pooled or not pooled
        ],
    )


SCALARS = ("noise_sd", "level_sd", "kernel_shape")
VECTORS = {"first_day_share": "kernel_group", "amplitude": "post", "impulse": "post"}
POOLED_SCALARS = ("amplitude_sd",)
POOLED_VECTORS = {"group_mean": "group"}
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
    assert set(SUBJECTS) == set(ENGINES)


def fit(
    engine: str,
    data: Campaign,
    *,
    seed: int = 1,
    chains: int = 2,
    draws: int | None = None,
    **spec: object,
) -> Posterior:
    subject = SUBJECTS[engine]
    settings = SampleSettings(draws or subject.draws, chains, seed)
    sample: Any = engine_named(engine)
    return sample(data, ModelSpec.model_validate(spec), settings, None, **subject.options)


@cache
def fitted(engine: str, case: str) -> Posterior:
    data, spec = CAMPAIGNS[case]
    return fit(engine, data, **spec)


CAMPAIGNS = {
    "rich": (rich_campaign(), {}),
    "groups and influencers": (rich_campaign(times=(30.4, 41.9, 50.2, 60.1, 75.5, 97.25)), {}),
    "single post": (campaign(60, (30.4,)), {}),
    "no controls": (campaign(80, (30.4, 30.4, 50.1)), {}),
    "one day missing": (campaign(70, (30.4, 40.1), missing=(33,)), {}),
    "counts": (campaign(70, (30.4, 45.2), level=4.0, missing=(12,)), {}),
    "no season": (campaign(60, (30.4,)), {"baseline": {"week": False}}),
    "post on the last day": (campaign(60, (59.5,)), {}),
    "linear scale": (campaign(70, (30.4, 50.2)), {"scale": "linear"}),
    "displacement": (campaign(90, (30.4, 40.2)), {"response": {"displacement": True}}),
}


@each_engine(*CAMPAIGNS)
def test_the_posterior_is_complete(engine: str, case: str) -> None:
    data, spec = CAMPAIGNS[case]
    if case in SUBJECTS[engine].refuses:
        with pytest.raises(EngineError, match=SUBJECTS[engine].refuses[case]):
            fit(engine, data, **spec)
        return
    posterior = fitted(engine, case)
    assert set(GROUPS) <= set(posterior.tree.children)
    draws = posterior.draws
    sizes = (2, SUBJECTS[engine].draws // 2)
    pooled = SUBJECTS[engine].pooled
    for name in SCALARS + POOLED_SCALARS * pooled:
        assert draws[name].dims == ("chain", "draw"), name
        assert draws[name].shape == sizes, name
    for name, dim in (VECTORS | (POOLED_VECTORS if pooled else {})).items():
        assert draws[name].dims == ("chain", "draw", dim), name
    for name in draws.data_vars:
        assert draws[name].dims[:2] == ("chain", "draw"), name
        assert draws[name].dtype == np.float64, name
        assert np.isfinite(draws[name]).all(), name
    for name in (*SCALARS, *POOLED_SCALARS * pooled, "first_day_share"):
        assert (draws[name] > 0).all(), name
    assert (posterior.attrs.get("pooling") == "none") == (not pooled)
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
    # so few draws of a Markov chain need not meet the gates of convergence
    unmet = {"R-hat", "Bulk ESS", "Tail ESS"} if SUBJECTS[engine].slow else set()
    assert not [f for f in findings(posterior) if f.level == "FAIL" and f.check not in unmet]
    assert np.isfinite(Effects(posterior).table("campaign")["mean"]).all()


@each_engine("rich", pooled=True)
def test_what_the_data_have_is_in_the_posterior(engine: str, case: str) -> None:
    data, _ = CAMPAIGNS[case]
    posterior = fitted(engine, case)
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
    plain = fitted(engine, "single post").draws
    for name in (*RICH, "control_sd", "influencer_sd", "views_elasticity"):
        assert (name in plain) == (name == "week")


@each_engine("rich", pooled=True)
def test_amplitude_and_impulse_differ_by_the_power_of_the_views(engine: str, case: str) -> None:
    posterior = fitted(engine, case)
    draws = posterior.draws
    log_views = xr.DataArray(posterior.posts["log_views"].to_numpy(), dims="post")
    gain = np.exp(draws["views_elasticity"] * log_views)
    np.testing.assert_allclose(draws["impulse"], draws["amplitude"] * gain, rtol=1e-12)
    assert np.ptp(log_views.to_numpy()) > 1


@each_engine("single post again")
def test_draws_and_chains_are_as_asked(engine: str, case: str) -> None:
    data, _ = CAMPAIGNS[case.removesuffix(" again")]
    for chains in (1, 4):
        sizes = fit(engine, data, chains=chains, draws=100).draws.sizes
        assert (sizes["chain"], sizes["draw"]) == (chains, 100 // chains)


@each_engine("single post again")
def test_the_seed_is_respected(engine: str, case: str) -> None:
    data, _ = CAMPAIGNS[case.removesuffix(" again")]
    first, again, other = (fit(engine, data, seed=seed, draws=100) for seed in (1, 1, 2))
    xr.testing.assert_identical(first.draws, again.draws)
    assert other.attrs["seed"] == 2
    assert not np.isclose(first.draws["impulse"], other.draws["impulse"]).any()
    chains = first.draws["impulse"].to_numpy()
    assert not np.isclose(chains[0], chains[1]).any()


@each_engine("single post, many draws")
def test_draws_are_distinct(engine: str, case: str) -> None:
    """Even where there are fewer hyperparameter points than draws of the coefficients."""
    data, _ = CAMPAIGNS[case.partition(",")[0]]
    posterior = fit(engine, data, chains=1, draws=5 * SUBJECTS[engine].draws)
    values = posterior.draws["amplitude"].to_numpy().ravel()
    assert len(np.unique(values)) == len(values)


@each_engine("single post again")
def test_the_arguments_are_not_changed(engine: str, case: str) -> None:
    data, _ = CAMPAIGNS[case.removesuffix(" again")]
    before = data.digests
    downloads, posts = data.downloads.copy(), data.posts.copy()
    fit(engine, data, draws=100)
    assert data.digests == before
    pd.testing.assert_frame_equal(data.downloads, downloads)
    pd.testing.assert_frame_equal(data.posts, posts)


@pytest.mark.parametrize("engine", sorted(SUBJECTS))
def test_several_markets_are_refused(engine: str) -> None:
    one = campaign(60, (30.4,))
    table = one.downloads[["date", "downloads"]]
    both = pd.concat([table.assign(market="IT"), table.assign(market="FR")])
    data = Campaign(downloads=both, posts=one.posts[["post_id", "posted_at"]])
    with pytest.raises(EngineError, match="one market"):
        fit(engine, data)


@pytest.mark.parametrize("engine", sorted(SUBJECTS))
def test_zeros_under_a_lognormal_are_refused(engine: str) -> None:
    with pytest.raises(EngineError, match="above zero"):
        fit(engine, campaign(60, (30.4,), level=2.0), likelihood="lognormal")


@each_engine("36 posts")
def test_known_effects_are_recovered(engine: str, case: str) -> None:
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
    for seed in SUBJECTS[engine].seeds:
        data, truth = simulate_campaign(config, seed=seed)
        effects = Effects(fit(engine, data, seed=seed))
        known = truth.set_index(["by", "unit"])["truth"]
        table = effects.table("post").set_index("unit")
        mine = known["post"].loc[table.index]
        covered += int(((table["lower"] <= mine) & (mine <= table["upper"])).sum())
        total += len(table)
        whole = effects.table("campaign").iloc[0]
        assert abs(whole["mean"] - known["campaign", "campaign"]) < 4 * whole["sd"]
    assert total == int(case.split()[0])
    assert covered >= 28


@each_engine("two campaigns")
def test_an_effect_that_is_large_is_found_and_one_that_is_not_there_is_not(
    engine: str,
    case: str,  # noqa: ARG001 - what makes it slow
) -> None:
    strong = Effects(fit(engine, campaign(90, (45.4,), impulse=2.0))).table().iloc[0]
    assert strong["lower"] > 0
    assert strong["prob_positive"] > 0.99
    absent = Effects(fit(engine, campaign(90, (45.4,), impulse=0.0))).table().iloc[0]
    assert absent["lower"] < 0 < absent["upper"]
    assert abs(absent["mean"]) < 0.5 * strong["mean"]


@pytest.mark.parametrize("engine", [name for name in SUBJECTS if not SUBJECTS[name].pooled])
def test_what_needs_pooling_says_so(engine: str) -> None:
    posterior = fitted(engine, "single post")
    assert posterior.attrs["interval"] == "confidence"
    with pytest.raises(RunError, match=f"the engine '{engine}' does not pool them"):
        identifiability(posterior, ModelSpec())
    with pytest.raises(RunError, match="does not pool them"):
        contrast_table(posterior)


# Engines of single posts, and what they say of a campaign that they refuse.
WINDOWS = {"causalimpact": "neither controls nor a week"}


def test_every_engine_of_single_posts_is_in_the_table() -> None:
    assert set(WINDOWS) == set(WINDOW_ENGINES)


def windows(engine: str, data: Campaign, **spec: object) -> WindowEffects:
    sample = window_engine_named(engine)
    return sample(data, ModelSpec.model_validate(spec), SampleSettings(), None)


@pytest.mark.parametrize("engine", sorted(WINDOWS))
def test_engines_of_single_posts_return_a_row_per_post(engine: str) -> None:
    data = campaign(120, (50.4, 60.1, 100.5), missing=(3, 55))
    found = windows(engine, data, horizon_days=14)
    table = found.table
    assert tuple(table.columns) == WINDOW_COLUMNS
    assert table["post"].tolist() == ["p1", "p2", "p3"]
    assert (table["lower"] < table["mean"]).all()
    assert (table["mean"] < table["upper"]).all()
    assert table["days_before"].tolist() == [49, 58, 89]
    assert table["days_after"].tolist() == [14, 15, 15]
    assert table["overlaps"].tolist() == ["p2", "p1", "p1, p2"]
    assert found.attrs["engine"] == engine
    assert "3 of 3 posts share days" in found.warnings[0]
    assert len(found.faults) > 3


@pytest.mark.parametrize("engine", sorted(WINDOWS))
def test_engines_of_single_posts_find_a_large_effect(engine: str) -> None:
    row = windows(engine, campaign(90, (60.4,), impulse=2.0), horizon_days=7).table.iloc[0]
    assert row["lower"] > 0
    assert row["overlaps"] == ""
    assert row["note"] == ""


@pytest.mark.parametrize("engine", sorted(WINDOWS))
def test_engines_of_single_posts_say_where_they_have_no_number(engine: str) -> None:
    found = windows(engine, campaign(90, (15.4, 80.1)), horizon_days=7)
    assert np.isnan(found.table.loc[0, "mean"])
    assert "15 observed days before the post" in found.table.loc[0, "note"]
    assert np.isfinite(found.table.loc[1, "mean"])
    assert found.warnings[-1] == "no number for p1: see their notes"


@pytest.mark.parametrize("engine", sorted(WINDOWS))
def test_engines_of_single_posts_refuse_by_name(engine: str) -> None:
    with pytest.raises(EngineError, match=WINDOWS[engine]):
        windows(engine, campaign(60, (30.4,)), baseline={"week": False})
    with pytest.raises(EngineError, match="looks at one post at a time"):
        engine_named(engine)
    with pytest.raises(EngineError, match="engine of single posts must be one of"):
        window_engine_named("exact")
