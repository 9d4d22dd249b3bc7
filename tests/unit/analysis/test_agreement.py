"""Two posteriors side by side: identical, within Monte Carlo error, or different."""

from __future__ import annotations

import numpy as np
import pytest
from small_posteriors import hand_made

from lift.analysis.agreement import (
    DIFFERS,
    IDENTICAL,
    MISSING,
    QUANTITIES,
    WITHIN,
    agreement,
)
from lift.analysis.effects import Effects

N_DRAWS = 2000


def effects(seed: int = 1, *, mean: float = 0.5, posts: int = 2, **rest: object) -> Effects:
    draws = np.random.default_rng(seed).normal(mean, 0.2, size=(N_DRAWS, posts))
    given: dict[str, object] = {"days": [20 + 10 * j for j in range(posts)]}
    return Effects(hand_made(draws, downloads=np.full(100, 1000.0), **(given | rest)))


def test_the_same_draws_are_identical() -> None:
    table = agreement(effects(), effects())
    assert set(table["verdict"]) == {IDENTICAL}
    assert set(table["quantity"]) == set(QUANTITIES)
    assert table.groupby(["by", "unit"]).size().to_dict() == {
        ("post", "p1"): 6,
        ("post", "p2"): 6,
        ("campaign", "campaign"): 6,
    }
    assert (table["distance"] == 0.0).all()


def test_other_draws_of_the_same_posterior_agree() -> None:
    table = agreement(effects(1), effects(2))
    assert set(table["verdict"]) <= {WITHIN, IDENTICAL}
    assert (table.loc[table["quantity"] == "mean", "verdict"] == WITHIN).all()
    one, two = effects(1), effects(2)
    row = table.set_index(["unit", "quantity"]).loc[("p1", "mean")]
    draws = [side.draws("post").sel(post="p1").to_numpy() for side in (one, two)]
    error = np.hypot(*[own.std(ddof=1) / np.sqrt(N_DRAWS) for own in draws])
    assert row["mcse"] == pytest.approx(error, rel=0.15)
    apart = abs(draws[0].mean() - draws[1].mean())
    assert row["distance"] == pytest.approx(apart / row["mcse"])


def test_a_small_shift_of_the_posterior_is_seen() -> None:
    shift = 8 * 0.2 / np.sqrt(N_DRAWS / 2)
    table = agreement(effects(1), effects(2, mean=0.5 + shift))
    means = table[(table["quantity"] == "mean") & (table["by"] == "post")]
    assert (means["verdict"] == DIFFERS).all()
    assert (means["distance"] > 5).all()


def test_a_post_on_one_side_only_is_told() -> None:
    table = agreement(effects(), effects(posts=3))
    own = table[table["unit"] == "p3"]
    assert (own["verdict"] == MISSING).all()
    assert own["recorded"].isna().all()
    assert own["found"].notna().all()
    assert set(agreement(effects(posts=3), effects())["verdict"]) >= {MISSING}


def test_constants_that_differ_differ() -> None:
    sides = [
        Effects(hand_made(np.full((40, 1), value), [20], np.full(60, 1000.0)))
        for value in (0.5, 0.5 + 1e-12)
    ]
    table = agreement(*sides).set_index(["by", "quantity"])
    assert table.loc[("post", "mean"), "verdict"] == DIFFERS
    assert np.isinf(table.loc[("post", "mean"), "distance"])
    assert table.loc[("post", "sd"), "verdict"] == IDENTICAL


def test_resampled_points_have_an_error_of_their_own() -> None:
    plain, resampled = effects(1), effects(1)
    resampled.posterior.tree["sample_stats"].attrs["ess"] = N_DRAWS / 3
    quiet, loud = (agreement(side, effects(2))["mcse"] for side in (plain, resampled))
    assert (loud / quiet).max() == pytest.approx(np.sqrt((4 + 1) / 2), rel=0.15)
