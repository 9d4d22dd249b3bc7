"""Levels, contrasts and views against draws whose answers are known, and a small fit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from small_campaigns import rich_posts
from small_posteriors import hand_made

from lift.analysis.hierarchy import (
    DESCRIPTIVE,
    attributes,
    contrast,
    contrast_table,
    level_draws,
    level_table,
    reference_views,
    views_elasticity,
)
from lift.data.simulate import SimulationConfig, simulate
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.errors import InputError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

LABELS = ["all", "platform=a", "platform=b", "creator_type=human", "creator_type=virtual"]
TEXT = {"platform": ["a", "a", "b", "b"], "creator_type": ["human", "virtual", "human", "human"]}
VIEWS = [1e4, 1e5, 1e6, 1e5]


def group_means() -> FloatArray:
    middle = [0.5, 0.3, -0.1, 0.2, -0.4]
    return np.array(middle) + 0.1 * stream(1, "tests", "groups").normal(size=(400, 5))


def posterior(**changes: object) -> Posterior:
    given: dict[str, object] = {
        "impulse": np.ones((400, 4)),
        "days": [20, 30, 40, 50],
        "downloads": np.full(100, 1000.0),
        "text": TEXT,
        "views": VIEWS,
        "draws": {
            "group_mean": ("group", group_means()),
            "views_elasticity": (None, np.linspace(0.3, 1.1, 400)),
        },
        "coords": {"group": LABELS},
    }
    return hand_made(**(given | changes))  # type: ignore[arg-type]


def test_levels_of_positive_amplitudes_are_medians() -> None:
    logs = level_draws(posterior(), "platform").to_numpy()
    found = level_draws(posterior(attrs={"typical_amplitude": 0.4}), "platform").to_numpy()
    np.testing.assert_allclose(found, 0.4 * np.exp(logs))


def test_attributes_and_reference_views() -> None:
    assert attributes(posterior()) == {"platform": ["a", "b"], "creator_type": ["human", "virtual"]}
    assert reference_views(posterior()) == pytest.approx(1e5)
    assert np.isnan(reference_views(posterior(views=None)))


def test_levels_are_compared_at_the_same_mix_of_the_rest() -> None:
    means = group_means()
    found = level_draws(posterior(), "platform").to_numpy().reshape(-1, 2)
    # three of the four posts are human, on whichever platform they were
    rest = means[:, 0] + 0.75 * means[:, 3] + 0.25 * means[:, 4]
    np.testing.assert_allclose(found, rest[:, None] + means[:, 1:3])


def test_the_table_of_levels() -> None:
    table = level_table(posterior(), 0.5).set_index(["attribute", "level"])
    row = table.loc[("creator_type", "human")]
    draws = level_draws(posterior(), "creator_type").to_numpy().reshape(-1, 2)[:, 0]
    assert row["n_posts"] == 3
    assert row["mean"] == pytest.approx(draws.mean())
    assert [row["lower"], row["upper"]] == pytest.approx(np.quantile(draws, [0.25, 0.75]))
    assert row["mean_per_100k_views"] == pytest.approx(draws.mean())
    assert len(table) == 4


def test_contrast_is_the_difference_draw_by_draw() -> None:
    (row,) = contrast(posterior(), "creator_type", "human", "virtual").to_dict("records")
    difference = group_means()[:, 3] - group_means()[:, 4]
    assert row["mean"] == pytest.approx(difference.mean())
    assert row["sd"] == pytest.approx(difference.std(ddof=1))
    assert row["lower"] == pytest.approx(np.quantile(difference, 0.025))
    assert row["prob_positive"] == pytest.approx((difference > 0).mean())
    assert (row["n_posts"], row["n_other"]) == (3, 1)
    (back,) = contrast(posterior(), "creator_type", "virtual", "human").to_dict("records")
    assert back["mean"] == pytest.approx(-row["mean"])
    assert back["lower"] == pytest.approx(-row["upper"])


def test_support_says_whether_views_overlap() -> None:
    (row,) = contrast(posterior(), "creator_type", "human", "virtual").to_dict("records")
    # the virtual post has 1e5 views: it and the human post of 1e5 are in the common range
    assert row["support"] == pytest.approx(0.5)
    assert row["note"] == DESCRIPTIVE
    apart = posterior(views=[1e4, 1e5, 2e4, 3e4])
    (far,) = contrast(apart, "creator_type", "human", "virtual").to_dict("records")
    assert far["support"] == 0.0
    assert "rests on the model" in far["note"]
    (none,) = contrast(posterior(views=None), "creator_type", "human", "virtual").to_dict("records")
    assert np.isnan(none["support"])
    assert none["note"] == DESCRIPTIVE


def test_every_pair_is_in_the_table_as_a_level_less_one_before_it() -> None:
    table = contrast_table(posterior())
    assert table[["attribute", "level", "other"]].to_numpy().tolist() == [
        ["platform", "b", "a"],
        ["creator_type", "virtual", "human"],
    ]


def test_contrasts_in_downloads_are_of_a_day_of_median_downloads() -> None:
    downloads = np.full(100, 1000.0)
    downloads[:30] = 5000.0
    downloads[31] = np.nan
    (row,) = contrast(posterior(downloads=downloads), "platform", "b", "a").to_dict("records")
    assert row["daily_downloads"] == 1000.0
    for end in ("mean", "lower", "upper"):
        assert row[f"downloads_{end}"] == pytest.approx(1000.0 * row[end])
    linear = posterior(attrs={"scale": "linear", "unit": 40.0})
    (row,) = contrast(linear, "platform", "b", "a").to_dict("records")
    assert row["downloads_mean"] == pytest.approx(40.0 * row["mean"])


@pytest.mark.parametrize(
    ("attribute", "level", "other", "what"),
    [
        ("content", "x", "y", "two levels or more"),
        ("platform", "a", "c", "two different levels"),
        ("platform", "a", "a", "two different levels"),
    ],
    ids=["attribute", "unknown", "same"],
)
def test_an_impossible_contrast(attribute: str, level: str, other: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        contrast(posterior(), attribute, level, other)


def test_without_levels_the_tables_are_empty() -> None:
    bare = posterior(
        draws={"group_mean": ("group", group_means()[:, :1])}, coords={"group": ["all"]}
    )
    assert level_table(bare).empty
    assert contrast_table(bare).empty
    assert views_elasticity(bare).empty
    assert "support" in contrast_table(bare)
    with pytest.raises(InputError, match="between 0 and 1"):
        level_table(bare, 0.0)


def test_views_elasticity() -> None:
    (row,) = views_elasticity(posterior(), 0.5).to_dict("records")
    assert row["mean"] == pytest.approx(0.7)
    assert [row["lower"], row["upper"]] == pytest.approx([0.5, 0.9])
    assert row["prob_below_one"] == pytest.approx(0.875, abs=0.005)
    assert row["reference_views"] == pytest.approx(1e5)


def test_a_fit_finds_which_platform_brings_more() -> None:
    """Posts on one platform are worth half a day more; the sign and the size come back."""
    times = [40.3 + 17.2 * i for i in range(14)]
    posts = rich_posts(times).assign(content="x", creator_type="human", sponsored=True, views=1e5)
    posts["platform"] = ["tiktok", "instagram"] * 7
    config = SimulationConfig(
        n_days=310, controls=(), idle_controls=(), noise_sd=0.03, level_sd=0.003, post_sd=0.0,
        amplitude_mean=0.5, views_sd=0.0, influencer_sd=0.0, group_sd=0.0, contents=("x",),
        virtual_share=0.0,
    )  # fmt: skip
    simulation = simulate(config, seed=4, posts=posts)
    lifted = simulation.log_lift[:, ::2].sum(axis=1)  # once more for the posts on tiktok
    campaign = simulation.campaign
    table = campaign.downloads.assign(
        downloads=np.rint(campaign.downloads["downloads"].to_numpy() * np.exp(lifted))
    )
    more = type(campaign)(downloads=table, posts=posts, timezone="UTC")
    fitted = fit_exact(more, ModelSpec(), SampleSettings(draws=400))
    (row,) = contrast(fitted, "platform", "tiktok", "instagram").to_dict("records")
    assert row["lower"] < 0.5 < row["upper"]
    assert row["prob_positive"] > 0.95
