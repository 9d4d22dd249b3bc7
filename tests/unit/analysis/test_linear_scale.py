"""On the linear scale posts add to downloads, and every attribution is what a post adds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_campaigns import post_table
from small_posteriors import hand_made

from lift.analysis.attribution import ESTIMANDS, attribution
from lift.analysis.counterfactual import curve, log_lift, lost_share
from lift.analysis.displacement import displacement_table
from lift.analysis.effects import Effects
from lift.analysis.identifiability import identifiability
from lift.analysis.next_post import predict_next
from lift.cli.printing import overlap
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.output.facts import gather
from lift.rng import stream

UNIT = 50.0
IMPULSES = np.array([[2.0, 1.0, -0.5], [1.0, 3.0, 0.5], [0.0, 2.0, 0.0], [4.0, 0.5, 1.0]])


def linear(downloads: np.ndarray | None = None) -> Posterior:
    values = np.full(120, 10.0) if downloads is None else downloads
    return hand_made(
        IMPULSES,
        [20, 24, 60],
        values,
        attrs={"scale": "linear", "unit": UNIT},
        text={"platform": ["a", "a", "b"]},
    )


def by_day(posterior: Posterior) -> np.ndarray:
    """Return what each post adds on each day in downloads, shape (draw, day, post)."""
    out = np.zeros((4, 120, 3))
    for post in range(3):
        lift = log_lift(posterior, np.array([post]))
        out[:, lift.first_day : lift.first_day + lift.values.shape[1], post] = UNIT * lift.values
    return out


def test_effects_are_what_posts_add() -> None:
    downloads = np.full(120, 10.0)
    downloads[[22, 61]] = np.nan
    posterior = linear(downloads)
    added = by_day(posterior)
    added[:, [22, 61]] = 0.0
    draws = Effects(posterior).draws("post").to_numpy().reshape(4, 3)
    for post, day in enumerate((20, 24, 60)):
        wanted = added[:, day : day + 29, post].sum(axis=1)
        np.testing.assert_allclose(draws[:, post], wanted, rtol=1e-12, atol=1e-12)
    # both posts of the platform, over the days from the first to the horizon of the second
    both = Effects(posterior).draws("platform").to_numpy().reshape(4, 2)[:, 0]
    np.testing.assert_allclose(both, added[:, 20:53, :2].sum(axis=(1, 2)), rtol=1e-12)


def test_effects_do_not_depend_on_the_downloads() -> None:
    """Not even on days without any, where a multiplying post could have no effect."""
    none = Effects(linear(np.zeros(120))).draws("post")
    many = Effects(linear(np.full(120, 1e6))).draws("post")
    np.testing.assert_array_equal(none, many)
    assert np.abs(none.to_numpy()).max() > 10.0


@pytest.mark.parametrize("by", ["post", "platform", "campaign"])
def test_all_attributions_agree_and_add_up(by: str) -> None:
    posterior = linear()
    shares = attribution(posterior, by)
    for name in ESTIMANDS:
        np.testing.assert_allclose(shares[name], shares["leave_one_out"], rtol=1e-12)
        np.testing.assert_allclose(shares[name].sum(by), shares["total"], rtol=1e-12)
    total = Effects(posterior).draws("campaign").to_numpy()[..., 0]
    np.testing.assert_allclose(shares["total"], total, rtol=1e-12)
    assert shares.attrs["interaction_index"] == pytest.approx(0.0, abs=1e-12)


def test_the_curve_is_lessened_by_what_posts_add() -> None:
    posterior = linear()
    added = by_day(posterior).sum(axis=2)
    table = curve(posterior, prob=0.5)
    np.testing.assert_allclose(table["mean"], 10.0 - added.mean(axis=0), atol=1e-12)
    bounds = np.quantile(10.0 - added, [0.25, 0.75], axis=0)
    np.testing.assert_allclose(table["lower"], bounds[0], atol=1e-12)
    np.testing.assert_allclose(table["upper"], bounds[1], atol=1e-12)


def test_the_share_of_downloads_is_what_was_added_over_them() -> None:
    downloads = np.full(120, 2000.0)
    downloads[30] = 0.0
    downloads[22] = np.nan
    downloads[60] = 20.0
    posterior = linear(downloads)
    lift = log_lift(posterior, np.arange(3))
    share = lost_share(posterior, lift)
    first = lift.first_day
    added = by_day(posterior).sum(axis=2)[:, first : first + share.shape[1]]
    # what posts cost has no bound, what they bring is no more than all
    np.testing.assert_allclose(share[:, 60 - first], np.minimum(added[:, 40] / 20.0, 0.999))
    assert (share[:, 30 - first] == 0.0).all()
    np.testing.assert_allclose(share[:, 22 - first], added[:, 22 - first] / 2000.0)
    np.testing.assert_allclose(share[:, 25 - first], added[:, 25 - first] / 2000.0)


def test_downloads_taken_back_are_those_that_were_added() -> None:
    posterior = hand_made(
        np.full((4, 1), 2.0), [20], np.full(120, 10.0), attrs={"scale": "linear", "unit": UNIT}
    )
    row = displacement_table(Effects(posterior), ModelSpec()).iloc[0]
    added = UNIT * log_lift(posterior, np.array([0])).values[0]
    assert row["gross_mean"] == pytest.approx(added[:15].sum())
    assert row["net_mean"] == pytest.approx(added[:43].sum())
    # the net effect is nothing once as much is taken back as was added within its lags
    assert row["tipping"] == pytest.approx(added[:43].sum() / (2.0 * UNIT), abs=2e-3)


def test_people_are_told_that_effects_add_up() -> None:
    effects = Effects(linear())
    facts = gather(effects, [], {})
    assert facts.linear
    assert not gather(Effects(hand_made(IMPULSES, [20, 24, 60], np.full(120, 10.0))), [], {}).linear
    text = overlap(SimpleNamespace(effects=effects, posterior=effects.posterior))  # type: ignore[arg-type]
    assert "add up day by day" in text
    assert "do not add up" not in text


def additive() -> tuple[Campaign, np.ndarray]:
    """Return a series to which posts add, and what each added in all."""
    rng = stream(2, "tests", "linear")
    times, sizes = (60.3, 100.7, 104.2, 150.5), np.array([900.0, 500.0, 1500.0, 0.0])
    n = 220
    level = 60.0 + 0.3 * rng.normal(size=n).cumsum()
    added = np.zeros(n)
    edges = np.arange(n + 1)
    for time, size in zip(times, sizes, strict=True):
        done = -np.expm1(-0.5 * np.maximum(edges - time, 0.0))
        added += size * np.diff(done)
    values = np.maximum(rng.poisson(level + added) + np.round(4 * rng.normal(size=n)), 0.0)
    table = pd.DataFrame({"date": pd.date_range("2025-01-01", periods=n), "downloads": values})
    return Campaign(downloads=table, posts=post_table(times)), sizes


def test_added_downloads_are_found() -> None:
    data, sizes = additive()
    spec = ModelSpec(scale="linear")
    posterior = fit_exact(data, spec, SampleSettings(draws=1000, chains=2, seed=1))
    assert posterior.sample_stats["pareto_k"] < 0.7
    table = Effects(posterior).table("post")
    miss = (table["mean"] - sizes).abs()
    assert (miss < 4 * table["sd"]).all()
    assert (table["sd"] < 150).all()
    found = identifiability(posterior, spec)
    # three posts stand out, and two of them are close in time but not at one time
    assert found.n_resolvable > 3.0
    assert (found.posts["resolution"] > 0.5).all()
    post = pd.DataFrame({"post_id": ["next"]})
    few, many = (
        predict_next(posterior, spec, post.assign(baseline=baseline), seed=1).draws
        for baseline in (1.0, 1e6)
    )
    np.testing.assert_array_equal(few, many)
    # a next post of the same kind: within what the four posts brought
    assert 0.0 < float(few.mean()) < 1600.0
