"""Changes of the input that say the same thing change nothing, or only labels and units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from small_campaigns import post_table, rich_campaign, rich_posts

from lift.analysis.attribution import attribution
from lift.analysis.diagnostics import mcse_mean
from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.data.simulate import SimulationConfig, simulate
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

TIMES = (30.4, 41.9, 52.25, 60.1, 75.5, 97.25)


def fitted(data: Campaign, **spec: object) -> Posterior:
    return fit_exact(data, ModelSpec.model_validate(spec), SampleSettings(600, 2, 1, 1))


def rebuilt(data: Campaign, **changed: pd.DataFrame) -> Campaign:
    """Return the campaign with some of its tables replaced."""
    tables = {"downloads": data.downloads, "posts": data.posts, "controls": data.controls} | changed
    dropped = {
        name: table.drop(columns=[c for c in ("market",) if c in table])
        for name, table in tables.items()
        if table is not None
    }
    return Campaign(**dropped)


BASE = rich_campaign(times=TIMES)


@pytest.fixture(scope="module")
def base() -> Posterior:
    return fitted(BASE)


def same_bits(a: Posterior, b: Posterior) -> None:
    assert set(a.draws.data_vars) == set(b.draws.data_vars)
    for name in a.draws.data_vars:
        np.testing.assert_array_equal(a.draws[name].to_numpy(), b.draws[name].to_numpy())


def same_answer(a: Posterior, b: Posterior) -> None:
    """Compare relative effects within 5 Monte Carlo standard errors of their difference."""
    first, second = relative_draws(a), relative_draws(b)
    for j in range(first.shape[-1]):
        error = np.hypot(mcse_mean(first[..., j]), mcse_mean(second[..., j]))
        assert abs(first[..., j].mean() - second[..., j].mean()) <= 5 * error
        assert second[..., j].std() == pytest.approx(first[..., j].std(), rel=0.2)


def relative_draws(posterior: Posterior) -> NDArray[np.float64]:
    effects = Effects(posterior)
    draws = effects.draws("post").to_numpy()
    observed = effects.table("post")["observed"].to_numpy()
    return np.asarray(draws / (observed - draws))


def test_the_order_of_the_posts_does_not_matter(base: Posterior) -> None:
    same_bits(base, fitted(rebuilt(BASE, posts=BASE.posts.iloc[[4, 0, 5, 2, 1, 3]])))


def test_ids_are_labels_only(base: Posterior) -> None:
    named = BASE.posts.assign(post_id=["zeta", "Ä1", "m", "0", "b b", "a"])
    other = fitted(rebuilt(BASE, posts=named))
    same_bits(base, other)
    assert other.draws["post"].to_numpy().tolist() == named["post_id"].tolist()
    table = Effects(other).table("post").set_index("unit").loc[named["post_id"]]
    wanted = Effects(base).table("post")
    np.testing.assert_array_equal(table["mean"], wanted["mean"])


def test_ids_of_posts_at_the_same_minute_are_labels_only() -> None:
    times = (30.4, 30.4, 50.2)
    first = rich_campaign(times=times, n_controls=0)
    swapped = rebuilt(first, posts=first.posts.assign(post_id=["z", "a", "p3"]))
    a = Effects(fitted(first)).draws("post")
    b = Effects(fitted(swapped)).draws("post")
    for old, new in (("p1", "z"), ("p2", "a"), ("p3", "p3")):
        x, y = a.sel(post=old).to_numpy(), b.sel(post=new).to_numpy()
        assert abs(x.mean() - y.mean()) <= 5 * np.hypot(mcse_mean(x), mcse_mean(y))


def test_the_zone_in_which_an_instant_is_written_does_not_matter(base: Posterior) -> None:
    elsewhere = BASE.posts.assign(posted_at=BASE.posts["posted_at"].dt.tz_convert("Asia/Tokyo"))
    same_bits(base, fitted(rebuilt(BASE, posts=elsewhere)))


@pytest.mark.parametrize("weeks", [1, 53])
def test_whole_weeks_do_not_matter(base: Posterior, weeks: int) -> None:
    start = pd.Timestamp("2025-01-01") + pd.Timedelta(weeks=weeks)
    same_bits(base, fitted(rich_campaign(times=TIMES, start=str(start.date()))))


def test_a_day_does_matter(base: Posterior) -> None:
    other = fitted(rich_campaign(times=TIMES, start="2025-01-02"))
    assert not np.array_equal(other.draws["impulse"], base.draws["impulse"])


def test_the_unit_of_a_control_does_not_matter(base: Posterior) -> None:
    controls = BASE.controls
    assert controls is not None
    scaled = controls.assign(series_1=1000.0 * controls["series_1"])
    same_answer(base, fitted(rebuilt(BASE, controls=scaled)))


def test_the_unit_of_views_does_not_matter(base: Posterior) -> None:
    posts = BASE.posts.assign(views=BASE.posts["views"] / 1000.0)
    same_answer(base, fitted(rebuilt(BASE, posts=posts)))


def test_the_size_of_the_app_does_not_matter_where_counts_are_large() -> None:
    downloads = BASE.downloads.assign(downloads=1e4 * BASE.downloads["downloads"])
    larger = downloads.assign(downloads=10.0 * downloads["downloads"])
    a = fitted(rebuilt(BASE, downloads=downloads))
    b = fitted(rebuilt(BASE, downloads=larger))
    same_answer(a, b)
    ratio = Effects(b).table("campaign")["mean"] / Effects(a).table("campaign")["mean"]
    assert ratio.iloc[0] == pytest.approx(10.0, rel=0.2)


def test_the_order_of_the_controls_does_not_matter(base: Posterior) -> None:
    controls = BASE.controls
    assert controls is not None
    turned = controls[["date", "series_1", "series_0"]]
    same_answer(base, fitted(rebuilt(BASE, controls=turned)))


def test_an_attribute_that_is_the_same_for_all_posts_changes_nothing() -> None:
    posts = post_table(TIMES)
    plain = rebuilt(BASE, posts=posts)
    marked = rebuilt(
        BASE, posts=posts.assign(content="beauty", sponsored=True, creator_type="human")
    )
    same_bits(fitted(plain), fitted(marked))


def test_costs_and_audience_do_not_enter_the_model(base: Posterior) -> None:
    posts = rich_posts(TIMES).assign(cost=100.0, audience="18-24")
    same_bits(base, fitted(rebuilt(BASE, posts=posts)))


def test_the_zone_of_the_whole_campaign_does_not_matter() -> None:
    """The same clock times, cut into days by the same clock, in two places without summer time."""
    posts = BASE.posts.drop(columns="market")
    local = posts.assign(posted_at=posts["posted_at"].dt.tz_localize(None))
    tables = {
        "downloads": BASE.downloads.drop(columns="market"),
        "posts": local,
        "controls": None if BASE.controls is None else BASE.controls.drop(columns="market"),
    }
    here, there = (Campaign(**tables, timezone=zone) for zone in ("UTC", "Asia/Tokyo"))
    same_bits(fitted(here), fitted(there))


def test_a_post_without_effect_leaves_the_others_what_they_are() -> None:
    """It joins the group and so moves its mean: less than a fifth of the sd of any effect."""
    config = SimulationConfig(
        n_days=240,
        controls=(),
        idle_controls=(),
        noise_sd=0.04,
        level_sd=0.004,
        amplitude_mean=0.5,
        post_sd=0.8,
        views_given=False,
    )
    times = [60.5, 85.2, 110.8, 136.3, 161.6, 190.4]
    alike = {
        "influencer": "ann",
        "platform": "tiktok",
        "content": "beauty",
        "creator_type": "human",
        "sponsored": True,
        "views": np.nan,
    }
    made = simulate(config, seed=3, posts=post_table(times, **alike)).campaign
    posts = made.posts.drop(columns="market")
    idle = post_table([174.5], **alike).assign(post_id="idle")
    more = pd.concat([posts, idle], ignore_index=True).sort_values("posted_at")
    first, second = Effects(fitted(made)), Effects(fitted(rebuilt(made, posts=more)))
    wanted = first.draws("post")
    found = second.draws("post").sel(post=wanted["post"])
    moved = abs(found.mean(("chain", "draw")) - wanted.mean(("chain", "draw")))
    assert float((moved / wanted.std(("chain", "draw"))).max()) < 0.2
    own = second.table().set_index("unit").loc["idle"]
    assert own["lower"] < 0 < own["upper"]
    a, b = (made.table("campaign").iloc[0] for made in (first, second))
    assert abs(b["mean"] - a["mean"]) < 0.5 * a["sd"]


def test_effects_of_a_part_of_the_posts_need_the_part_of_the_posterior_only(
    base: Posterior,
) -> None:
    """Two runs that share one posterior: what is taken away in one is not in the other."""
    effects = Effects(base)
    (whole,) = effects.units("campaign")
    days, both = effects.daily_draws(whole)
    at = base.downloads.to_numpy()[days]
    kept = np.ones_like(both)
    for members in (np.array([0, 2, 4]), np.array([1, 3, 5])):
        part = replace(effects.unit("campaign", "part", members), window=whole.window)
        kept *= 1 - effects.daily_draws(part)[1] / at
    np.testing.assert_allclose(at * (1 - kept), both, rtol=1e-9, atol=1e-9 * at.max())


def test_shapley_shares_of_a_fit_add_up_in_every_draw(base: Posterior) -> None:
    total = Effects(base).draws("campaign").isel(campaign=0, drop=True)
    shares = attribution(base)
    for name in ("shapley", "aumann_shapley"):
        gap = abs(shares[name].sum("post") - total) / abs(shares[name]).sum("post")
        assert float(gap.max()) <= 1e-9
