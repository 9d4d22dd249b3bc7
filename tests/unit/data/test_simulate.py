"""Simulated campaigns: reproducible, of the asked shape, and with a truth that is the estimand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import lift
from lift.data import example
from lift.data.campaign import Campaign
from lift.data.example import make
from lift.data.simulate import Simulation, SimulationConfig, simulate, simulate_campaign
from lift.data.simulated_posts import clock, daily_shares, draw_impulses, draw_posts
from lift.data.truth import true_effects
from lift.errors import InputError
from lift.model.response import kernel_days

SMALL = SimulationConfig(n_days=200, first_post_day=60, n_posts=8, n_influencers=4)


def table(campaign: Campaign, name: str) -> pd.DataFrame:
    frame = getattr(campaign, name)
    assert isinstance(frame, pd.DataFrame)
    return frame


def test_same_seed_same_campaign() -> None:
    one, other = simulate_campaign(SMALL, seed=4), simulate_campaign(SMALL, seed=4)
    assert one[0].digests == other[0].digests
    pd.testing.assert_frame_equal(one[1], other[1])


def test_other_seed_other_tables() -> None:
    one, other = simulate_campaign(SMALL, seed=4)[0], simulate_campaign(SMALL, seed=5)[0]
    same = {
        name
        for name in ("downloads", "posts", "controls")
        if one.digests[name] == other.digests[name]
    }
    assert same == set()


def test_public_name_and_default_config() -> None:
    campaign, truth = lift.simulate_campaign(seed=1)
    assert len(campaign.posts) == SimulationConfig().n_posts
    assert list(truth.columns) == ["by", "unit", "truth"]


def test_a_stream_does_not_depend_on_the_others() -> None:
    more = SMALL.model_copy(update={"noise_sd": 0.2, "post_sd": 0.5, "idle_controls": ()})
    one, other = simulate(SMALL, seed=2), simulate(more, seed=2)
    pd.testing.assert_frame_equal(one.campaign.posts, other.campaign.posts)
    np.testing.assert_array_equal(one.baseline, other.baseline)
    assert not np.array_equal(one.impulses, other.impulses)


def test_shape_follows_the_config() -> None:
    config = SimulationConfig(
        start=date(2024, 2, 20),
        n_days=120,
        first_post_day=30,
        last_post_day=60,
        n_posts=30,
        n_influencers=7,
        virtual_share=0.3,
        platforms=("a", "b", "c"),
        contents=("x",),
        first_day_share=(0.2, 0.4, 0.6),
        controls=("c1",),
        idle_controls=("c2", "c3"),
        missing_share=0.1,
        timezone="Europe/Rome",
        name="shape",
    )
    campaign, _ = simulate_campaign(config, seed=9)
    posts = table(campaign, "posts")
    assert campaign.dates[0] == pd.Timestamp("2024-02-20")
    assert len(campaign.dates) == 120
    assert campaign.name == "shape"
    assert campaign.timezone == "Europe/Rome"
    assert campaign.control_names == ("c1", "c2", "c3")
    assert campaign.downloads["downloads"].isna().sum() == 12
    assert len(posts) == 30
    assert posts["influencer"].nunique() == 7
    assert posts.loc[posts["creator_type"] == "virtual", "influencer"].nunique() == 2
    assert set(posts["platform"]) == {"a", "b", "c"}
    days, fractions = clock(config, posts)
    assert (days >= 30).all()
    assert (days <= 60).all()
    assert (fractions >= 8 / 24).all()


def test_without_controls_and_views() -> None:
    config = SMALL.model_copy(update={"controls": (), "idle_controls": (), "views_given": False})
    campaign, _ = simulate_campaign(config, seed=1)
    assert campaign.controls is None
    assert campaign.posts["views"].isna().all()


def gaps(overlap: float) -> float:
    """Return the median time between a post and the next, over campaigns."""
    found = []
    for seed in range(20):
        config = SimulationConfig(overlap=overlap, burst_days=1.0, n_posts=16)
        days, fractions = clock(config, simulate(config, seed=seed).campaign.posts)
        found.append(np.median(np.diff(days + fractions)))
    return float(np.mean(found))


def test_overlap_brings_posts_together() -> None:
    assert gaps(1.0) < 0.5 * gaps(0.0)


@pytest.mark.parametrize("outcome", ["poisson_lognormal", "negative_binomial"], ids=str)
def test_small_counts_are_whole_and_can_be_zero(outcome: str) -> None:
    config = SimulationConfig.model_validate(
        {**SMALL.model_dump(), "outcome": outcome, "daily_downloads": 3.0}
    )
    downloads = simulate(config, seed=1).campaign.downloads["downloads"].to_numpy()
    assert (downloads == np.floor(downloads)).all()
    assert (downloads == 0).any()


def test_noise_has_its_size() -> None:
    config = SimulationConfig(n_days=4000, n_posts=1, noise_sd=0.1, daily_downloads=1e6)
    made = simulate(config, seed=1)
    expected = made.baseline + made.log_lift.sum(axis=1)
    noise = np.log(made.campaign.downloads["downloads"].to_numpy()) - expected
    assert abs(noise.std() - 0.1) < 5 * 0.1 / np.sqrt(2 * 4000)
    assert abs(noise.mean()) < 5 * 0.1 / np.sqrt(4000)


@pytest.mark.parametrize("family", ["normal", "student_t", "skewed"], ids=str)
def test_amplitudes_have_their_mean_and_sd(family: str) -> None:
    n = 10_000
    config = SimulationConfig.model_validate(
        {
            "n_posts": n,
            "amplitude_family": family,
            "amplitude_mean": 0.4,
            "post_sd": 0.2,
            "group_sd": 0.0,
            "influencer_sd": 0.0,
            "views_elasticity": 0.0,
            "response_days": 5,
            "n_days": 300,
        }
    )
    impulses = draw_impulses(config, draw_posts(config, 1), 1)
    assert abs(impulses.mean() - 0.4) < 5 * 0.2 / np.sqrt(n)
    # The t with 4 degrees of freedom has no fourth moment: its sd settles slowly.
    assert abs(impulses.std() - 0.2) < 0.02


def test_views_raise_the_response() -> None:
    config = SimulationConfig(
        n_posts=50, group_sd=0.0, influencer_sd=0.0, post_sd=0.0, views_elasticity=0.7
    )
    made = simulate(config, seed=3)
    views = np.log(made.campaign.posts["views"].to_numpy(dtype=np.float64))
    slope = np.polyfit(views, np.log(made.impulses), 1)[0]
    assert slope == pytest.approx(0.7, abs=1e-9)


@pytest.mark.parametrize(
    ("share", "shape", "fraction"),
    [(0.35, 0.9, 0.0), (0.12, 0.5, 0.875), (0.75, 1.63, 0.5), (0.35, 1.0, 0.999)],
    ids=str,
)
def test_kernel_is_that_of_the_model(share: float, shape: float, fraction: float) -> None:
    """The two are written apart, from the same definition in METHOD."""
    scale = np.array(-np.log1p(-share))
    theirs = kernel_days(scale, np.array(shape), fraction, 60)
    ours = daily_shares(share, shape, fraction, 60)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
    assert ours.sum() == pytest.approx(1.0, abs=1e-12)


def test_first_day_has_its_share() -> None:
    shares = daily_shares(0.4, 0.8, 0.0, 365)
    assert shares[0] == pytest.approx(0.4 / (1 - 0.6 ** (365**0.8)))


def by_hand(made: Simulation, members: list[int], horizon_days: int) -> float:
    """Return the effect of some posts, one day at a time."""
    downloads = made.campaign.downloads["downloads"].to_numpy()
    days, _ = clock(made.config, made.campaign.posts)
    total = 0.0
    for t, observed in enumerate(downloads):
        in_window = any(0 <= t - days[j] <= horizon_days for j in members)
        if in_window and np.isfinite(observed):
            total += observed - observed * np.exp(-sum(made.log_lift[t, j] for j in members))
    return total


@pytest.mark.parametrize("horizon_days", [0, 7, 28, 365], ids=str)
def test_truth_is_the_estimand(horizon_days: int) -> None:
    config = SMALL.model_copy(update={"missing_share": 0.1})
    made = simulate(config, seed=6, horizon_days=horizon_days)
    posts = made.campaign.posts
    truth = made.truth.set_index(["by", "unit"])["truth"]
    for by, column in (("post", "post_id"), ("influencer", "influencer"), ("content", "content")):
        for unit in sorted(set(posts[column])):
            members = list(np.flatnonzero(posts[column] == unit))
            assert truth[by, unit] == pytest.approx(by_hand(made, members, horizon_days))
    assert truth["campaign", "campaign"] == pytest.approx(
        by_hand(made, list(range(len(posts))), horizon_days)
    )


def test_truth_of_a_case_done_on_paper() -> None:
    """Two posts on days 1 and 2, log-lifts log 2 and log 4 there, log 2 each on day 3."""
    posts = pd.DataFrame(
        {
            "post_id": ["a", "b"],
            "influencer": ["i", "i"],
            "platform": ["x", "y"],
            "creator_type": ["human", "human"],
            "content": ["c", "c"],
        }
    )
    lift_by_day = np.log([[1.0, 1.0], [2.0, 1.0], [1.0, 4.0], [2.0, 2.0], [1.0, 1.0]])
    downloads = np.array([100.0, 100.0, 100.0, 100.0, np.nan])
    found = true_effects(downloads, posts, np.array([1, 2]), lift_by_day, 2)
    effects = found.set_index(["by", "unit"])["truth"]
    # a acts on days 1 to 3: 50 + 0 + 50; b on 2 and 3: 75 + 50; both: 50 + 75 + 75.
    assert effects["post", "a"] == pytest.approx(100.0)
    assert effects["post", "b"] == pytest.approx(125.0)
    assert effects["platform", "y"] == pytest.approx(125.0)
    assert effects["influencer", "i"] == pytest.approx(200.0)
    assert effects["campaign", "campaign"] == pytest.approx(200.0)


def test_truth_has_the_units_of_the_effects() -> None:
    made = simulate(SMALL, seed=8)
    posts = made.campaign.posts
    for by in ("influencer", "platform", "creator_type", "content"):
        units = made.truth.loc[made.truth["by"] == by, "unit"].tolist()
        assert units == sorted(set(posts[by]))
    assert made.truth.loc[made.truth["by"] == "post", "unit"].tolist() == posts["post_id"].tolist()


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"first_post_day": 400}, "posts must lie within the data"),
        ({"last_post_day": 100, "first_post_day": 120}, "found days 120 to 100"),
        ({"first_post_day": 5}, "'first_post_day' must be at least 14, found 5"),
        ({"first_day_share": (0.2, 0.3, 0.4)}, "1 value or 2"),
        ({"kernel_shape": ()}, "at least 1"),
        ({"idle_controls": ("rival_a",)}, "its own name"),
        ({"noise_sd": -0.1}, "must be at least 0, found -0.1"),
        ({"nois_sd": 0.1}, "did you mean 'noise_sd'"),
    ],
    ids=["outside", "turned", "early", "shares", "no-shape", "names", "negative", "unknown"],
)
def test_a_wrong_config_is_refused(wrong: dict[str, object], found: str) -> None:
    with pytest.raises(InputError, match=found):
        SimulationConfig.model_validate(wrong)


def test_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SMALL.n_days = 10


def test_example_files_are_what_make_writes(tmp_path: Path) -> None:
    folder = make.write(tmp_path / "example")
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    stored = {
        path.name: path.read_bytes()
        for path in example.FOLDER.iterdir()
        if path.is_file() and path.suffix != ".py"
    }
    assert sorted(made) == sorted(stored)
    assert [name for name in made if made[name] != stored[name]] == []


def test_example_follows_the_published_figures() -> None:
    campaign, truth = example.load()
    posts = campaign.posts
    assert campaign.downloads["downloads"].sum() == pytest.approx(99e6, rel=0.005)
    controls = table(campaign, "controls")
    assert controls["rival_chat_downloads"].sum() == pytest.approx(1.4e9, rel=1e-6)
    assert (posts["views"] > 15e6).sum() == 1
    assert set(posts["platform"]) == {"tiktok", "instagram"}
    assert posts["content"].nunique() == 4
    assert set(posts["creator_type"]) == {"human", "virtual"}
    assert (posts["posted_at"].dt.strftime("%Y-%m") == "2025-11").mean() > 0.6
    assert "simulated" in campaign.name
    effects = truth.set_index(["by", "unit"])["truth"]
    since = campaign.downloads["date"] >= posts["posted_at"].iloc[0].tz_localize(None).normalize()
    total = campaign.downloads.loc[since, "downloads"].sum()
    assert 0.02 < effects["campaign", "campaign"] / total < 0.05
    assert effects["post"].idxmax() == posts.loc[posts["views"].idxmax(), "post_id"]
    assert (effects["post"] < 0).any()
