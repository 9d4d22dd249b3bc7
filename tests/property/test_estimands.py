"""What must not change the estimands, whatever the draws: order, names, units, idle posts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from small_posteriors import hand_made

from lift.analysis.attribution import ESTIMANDS, attribution
from lift.analysis.effects import Effects
from lift.analysis.shares import day_shares
from lift.data.simulate import SimulationConfig, simulate
from lift.model.posterior import Posterior
from lift.rng import stream

FloatArray = NDArray[np.float64]

LIFTS = st.integers(1, 12).flatmap(
    lambda n: arrays(np.float64, (n, 3), elements=st.floats(-3, 3, allow_subnormal=False))
)


@dataclass(frozen=True)
class Case:
    """Numbers of a hand-made campaign."""

    impulse: FloatArray
    days: list[int]
    people: list[str]
    seed: int

    def posterior(self, order: list[int] | None = None, **changes: object) -> Posterior:
        order = list(range(len(self.days))) if order is None else order
        downloads = 1000 + 200 * stream(self.seed, "tests", "property").normal(size=70)
        downloads[[15, 33]] = np.nan
        given: dict[str, object] = {
            "impulse": self.impulse[:, order],
            "days": [self.days[j] for j in order],
            "downloads": downloads,
            "ids": [f"p{j}" for j in order],
            "text": {"influencer": [self.people[j] for j in order]},
            "fractions": [0.1 * (j % 10) for j in order],
            "window_days": 20,
            "horizon_days": 10,
        }
        return hand_made(**(given | changes))  # type: ignore[arg-type]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(2, 6))
    seed = draw(st.integers(0, 1000))
    return Case(
        impulse=stream(seed, "tests", "impulse").normal(0.4, 0.8, size=(6, n)),
        days=draw(st.lists(st.integers(5, 65), min_size=n, max_size=n)),
        people=draw(st.lists(st.sampled_from(["ann", "bob", "cia"]), min_size=n, max_size=n)),
        seed=seed,
    )


def close(found: xr.DataArray, expected: xr.DataArray) -> None:
    """Check that values agree to 1e-9 of the largest one, names and order included."""
    xr.testing.assert_allclose(
        found.drop_vars(["n_posts"], errors="ignore"),
        expected.drop_vars(["n_posts"], errors="ignore"),
        rtol=1e-9,
        atol=1e-9 * max(1.0, float(abs(expected).max())),
    )


@given(LIFTS)
def test_shares_of_a_day_add_up(lifts: FloatArray) -> None:
    shares = day_shares(lifts)
    scale = np.abs(shares.shapley).sum(axis=0) + np.abs(shares.aumann_shapley).sum(axis=0) + 1e-300
    for values in (shares.aumann_shapley, shares.shapley):
        assert (np.abs(values.sum(axis=0) - shares.total) <= 1e-9 * scale).all()


@given(LIFTS)
def test_posts_that_do_the_same_get_the_same_and_idle_ones_nothing(lifts: FloatArray) -> None:
    twice = day_shares(np.vstack([lifts, lifts[:1], np.zeros((1, 3))]))
    for name in ESTIMANDS:
        values = getattr(twice, name)
        np.testing.assert_allclose(values[0], values[-2], rtol=1e-9, atol=1e-300)
        assert (values[-1] == 0).all()


@given(arrays(np.float64, (6, 3), elements=st.floats(0.01, 3)))
def test_posts_that_all_help_lie_between_first_and_last_in(lifts: FloatArray) -> None:
    """Contributions fall from last in (add-one-in is the smallest) for a game that is supermodular.

    ``exp(sum f)`` is: joining more posts adds more, so alone <= Shapley <= leave-one-out.
    """
    shares = day_shares(lifts)
    assert (shares.add_one_in <= shares.shapley * (1 + 1e-9)).all()
    assert (shares.shapley <= shares.leave_one_out * (1 + 1e-9)).all()
    assert (shares.leave_one_out.sum(axis=0) >= shares.total * (1 - 1e-9)).all()


@given(cases())
def test_shares_of_groups_add_up_in_every_draw(case: Case) -> None:
    made = case.posterior()
    total = Effects(made).draws("campaign").isel(campaign=0, drop=True)
    for by in ("post", "influencer"):
        shares = attribution(made, by)
        scale = float(abs(shares["shapley"]).sum(by).max())
        for name in ("aumann_shapley", "shapley"):
            assert float(abs(shares[name].sum(by) - total).max()) <= 1e-9 * scale


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_and_the_names_of_posts(case: Case, random: object) -> None:
    order = list(range(len(case.days)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, other = attribution(case.posterior()), attribution(case.posterior(order))
    renamed = attribution(case.posterior(ids=[f"x{j}" for j in range(len(order))]))
    for name in ESTIMANDS:
        close(other[name].sel(post=first["post"]), first[name])
        np.testing.assert_array_equal(renamed[name], first[name])
    close(other["total"], first["total"])


@given(cases(), st.floats(0.001, 1000))
def test_downloads_in_another_unit(case: Case, factor: float) -> None:
    first = case.posterior()
    other = case.posterior(downloads=first.downloads.to_numpy() * factor)
    a, b = attribution(first), attribution(other)
    for name in (*ESTIMANDS, "total"):
        np.testing.assert_allclose(b[name], factor * a[name], rtol=1e-9)
    scale = float(abs(a["leave_one_out"]).sum("post").max()) / float(abs(a["total"]).min())
    np.testing.assert_allclose(
        b["interaction_index"], a["interaction_index"], rtol=1e-6, atol=1e-9 * max(1.0, scale)
    )


@given(cases())
def test_other_dates_change_nothing(case: Case) -> None:
    first, other = attribution(case.posterior()), attribution(case.posterior(start="2031-07-09"))
    assert other.equals(first)


@given(cases(), st.integers(5, 50))
def test_a_post_without_effect_within_the_window(case: Case, later: int) -> None:
    """It gets nothing, and leaves the others what they have, if it adds no day to the window."""
    day = case.days[0]
    added = Case(
        np.hstack([case.impulse, np.zeros((6, 1))]), [*case.days, day], [*case.people, "zoe"],
        case.seed,
    )  # fmt: skip
    first, more = attribution(case.posterior()), attribution(added.posterior())
    n = len(case.days)
    for name in ESTIMANDS:
        close(more[name].isel(post=slice(n)), first[name])
        assert (more[name].isel(post=n) == 0).all()
    close(more["total"], first["total"])
    # and effects by post do not change wherever it is
    elsewhere = Case(added.impulse, [*case.days, later], added.people, case.seed)
    close(
        Effects(elsewhere.posterior()).draws().isel(post=slice(n)),
        Effects(case.posterior()).draws(),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_noise_leave_one_out_is_the_truth(seed: int) -> None:
    """With the true responses as draws, effects are those that the simulator writes down."""
    config = SimulationConfig(n_days=250, noise_sd=0.0, overlap=1.0, n_posts=9)
    made = simulate(config, seed=seed)
    posts = made.campaign.posts
    local = posts["posted_at"].dt.tz_convert(config.timezone).dt.tz_localize(None)
    midnight = local.dt.normalize()
    columns = ("influencer", "platform", "creator_type", "content")
    posterior = hand_made(
        np.tile(made.impulses, (2, 1)),
        list((midnight - made.campaign.dates[0]).dt.days),
        made.campaign.downloads["downloads"].to_numpy(),
        fractions=list((local - midnight).dt.total_seconds() / 86400),
        ids=list(posts["post_id"]),
        text={name: list(posts[name]) for name in columns},
    )
    effects = Effects(posterior)
    for by in ("post", *columns, "campaign"):
        truth = made.truth[made.truth["by"] == by].set_index("unit")["truth"]
        found = effects.table(by).set_index("unit")["mean"]
        np.testing.assert_allclose(found[truth.index], truth, rtol=1e-9)
    total = attribution(posterior)
    truth = made.truth.loc[made.truth["by"] == "campaign", "truth"].item()
    np.testing.assert_allclose(total["shapley"].sum("post"), truth, rtol=1e-9)
