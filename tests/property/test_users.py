"""What must not change users and money, whatever the draws; and posts split over two runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_posteriors import hand_made

from lift.analysis.effects import Effects
from lift.analysis.money import money
from lift.analysis.monthly import monthly_active_users
from lift.analysis.retention import Retention
from lift.analysis.survival import Curve
from lift.analysis.users import incremental_users
from lift.model.posterior import Posterior
from lift.rng import stream

FloatArray = NDArray[np.float64]

N_DAYS, N_DRAWS = 70, 8
FEW = settings(max_examples=10)
"""Each example builds whole posteriors."""
MONEY = ("cost_median", "cost_lower", "cost_upper")
PER_MONEY = ("per_money_mean", "per_money_lower", "per_money_upper")
PER_VIEWS = ("per_1000_mean", "per_1000_lower", "per_1000_upper")


@dataclass(frozen=True)
class Case:
    """Posts of a hand-made campaign, one entry each."""

    impulse: FloatArray
    days: list[int]
    people: list[str]
    seed: int

    def effects(self, members: list[int] | None = None, **changes: object) -> Effects:
        """Return the effects of some posts, in the order given; all by default."""
        kept = list(range(len(self.days))) if members is None else members
        downloads = 1000 + 200 * stream(self.seed, "tests", "users property").normal(size=N_DAYS)
        downloads[[15, 33]] = np.nan
        given: dict[str, object] = {
            "impulse": self.impulse[:, kept],
            "days": [self.days[j] for j in kept],
            "downloads": downloads,
            "ids": [f"p{j}" for j in kept],
            "text": {"influencer": [self.people[j] for j in kept]},
            "views": [1000.0 * (1 + j) for j in kept],
            "window_days": 20,
            "horizon_days": 10,
        }
        cost = changes.pop("cost", [10.0 * (1 + j) for j in kept])
        made = hand_made(**(given | changes))  # type: ignore[arg-type]
        groups = dict(made.tree.children.items())
        constant = made.tree["constant_data"].to_dataset().assign(cost=("post", cost))
        groups["constant_data"] = xr.DataTree(constant)
        return Effects(Posterior(xr.DataTree(made.tree.to_dataset(), children=groups)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(2, 5))
    seed = draw(st.integers(0, 1000))
    return Case(
        impulse=stream(seed, "tests", "impulse").normal(0.4, 0.8, size=(N_DRAWS, n)),
        days=draw(st.lists(st.integers(5, 60), min_size=n, max_size=n)),
        people=draw(st.lists(st.sampled_from(["ann", "bob", "cia"]), min_size=n, max_size=n)),
        seed=seed,
    )


def retention(seed: int) -> Retention:
    rng = stream(seed, "tests", "retained")
    return Retention(
        basis="cohort rates",
        chosen=np.arange(N_DRAWS),
        installs=rng.uniform(0.7, 1.0, size=(1, N_DAYS)),
        shares={7: rng.uniform(0.1, 0.3, size=(N_DRAWS, N_DAYS))},
        organic={7: np.full(N_DRAWS, 0.2)},
        curve=Curve(np.full(N_DRAWS, 0.5), np.full(N_DRAWS, 0.3), np.zeros(N_DRAWS), (7,), 0.0),
        quality=None,
        notes={},
        kept_away={7: rng.uniform(0.1, 0.3, size=(N_DRAWS, N_DAYS))},
    )


def user_draws(case: Case, effects: Effects, by: str = "post") -> xr.DataArray:
    return incremental_users(effects, retention(case.seed), by, (7, 30)).draws


def close(found: xr.DataArray, expected: xr.DataArray) -> None:
    xr.testing.assert_allclose(
        found, expected, rtol=1e-9, atol=1e-9 * max(1.0, float(abs(expected).max()))
    )


@FEW
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_and_the_names_of_posts(case: Case, random: object) -> None:
    order = list(range(len(case.days)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, other = case.effects(), case.effects(order)
    a, b = user_draws(case, first), user_draws(case, other)
    close(b.sel(unit=a["unit"]), a)
    close(user_draws(case, other, "campaign"), user_draws(case, first, "campaign"))
    renamed = case.effects(ids=[f"x{j}" for j in range(len(order))])
    np.testing.assert_array_equal(user_draws(case, renamed), a)
    table, turned = (money(made).set_index("unit") for made in (first, other))
    for name in (*MONEY, *PER_MONEY, *PER_VIEWS):
        np.testing.assert_allclose(turned.loc[table.index, name], table[name], rtol=1e-9)


@FEW
@given(cases(), st.floats(0.01, 100))
def test_units_of_downloads_money_and_views(case: Case, factor: float) -> None:
    first = case.effects()
    downloads = first.posterior.downloads.to_numpy()
    close(
        user_draws(case, case.effects(downloads=downloads * factor)),
        factor * user_draws(case, first),
    )
    n = len(case.days)
    plain = money(first)
    dearer = money(case.effects(cost=[factor * 10.0 * (1 + j) for j in range(n)]))
    seen = money(case.effects(views=[factor * 1000.0 * (1 + j) for j in range(n)]))
    for name in MONEY:
        np.testing.assert_allclose(dearer[name], factor * plain[name], rtol=1e-9)
        np.testing.assert_allclose(seen[name], plain[name], rtol=1e-9)
    for name in PER_MONEY:
        np.testing.assert_allclose(dearer[name], plain[name] / factor, rtol=1e-9)
    for name in PER_VIEWS:
        np.testing.assert_allclose(seen[name], plain[name] / factor, rtol=1e-9)
        np.testing.assert_allclose(dearer[name], plain[name], rtol=1e-9)
    assert (dearer["prob_positive"] == plain["prob_positive"]).all()


@FEW
@given(cases())
def test_other_dates_and_another_zone(case: Case) -> None:
    first = case.effects()
    other = case.effects(start="2031-07-09", attrs={"timezone": "Asia/Tokyo"})
    assert user_draws(case, other).equals(user_draws(case, first))
    a, b = (monthly_active_users(made, retention(case.seed)) for made in (first, other))
    np.testing.assert_array_equal(b["mean"], a["mean"])
    assert money(other).equals(money(first))


@FEW
@given(cases(), st.integers(5, 60))
def test_a_post_without_effect(case: Case, day: int) -> None:
    """It brings no users, and leaves those of the others what they are."""
    n = len(case.days)
    added = replace(
        case,
        impulse=np.hstack([case.impulse, np.zeros((N_DRAWS, 1))]),
        days=[*case.days, day],
        people=[*case.people, "zoe"],
    )
    first, more = case.effects(), added.effects()
    a, b = user_draws(case, first), user_draws(added, more)
    close(b.isel(unit=slice(n)), a)
    assert (b.isel(unit=n) == 0).all()
    table = money(more)
    np.testing.assert_allclose(table["cost_median"][:n], money(first)["cost_median"], rtol=1e-9)
    assert np.isinf(table["cost_upper"].iloc[n])
    assert table["prob_positive"].iloc[n] == 0.0
    people = user_draws(added, more, "influencer")
    close(people.sel(unit=sorted(set(case.people))), user_draws(case, first, "influencer"))


@FEW
@given(cases(), st.data())
def test_posts_split_in_two_runs_of_one_posterior(case: Case, data: st.DataObject) -> None:
    """Each run has the effects that its posts have in the whole; taken away in turn, all go."""
    n = len(case.days)
    cut = data.draw(st.integers(1, n - 1))
    order = data.draw(st.permutations(range(n)))
    halves = [sorted(order[:cut]), sorted(order[cut:])]
    whole = case.effects()
    for half in halves:
        part = case.effects(half)
        names = [f"p{j}" for j in half]
        close(part.draws("post"), whole.draws("post").sel(post=names))
        close(user_draws(case, part), user_draws(case, whole).sel(unit=names))
        table, own = money(whole).set_index("unit"), money(part).set_index("unit")
        np.testing.assert_allclose(own["cost_median"], table.loc[names, "cost_median"], rtol=1e-9)
    # What is left of a day without one half is what the other half is taken from.
    kept = np.ones((N_DRAWS, N_DAYS))
    for half in halves:
        kept *= remaining(case.effects(half))
    np.testing.assert_allclose(kept, remaining(whole), rtol=1e-9)


def remaining(effects: Effects) -> FloatArray:
    """Return what is left of each day's downloads without all posts, as a share; 1 if unseen."""
    far = Effects(effects.posterior)
    unit = far.unit("campaign", "campaign", np.arange(len(effects.posterior.posts)))
    always = replace(unit, window=np.ones(N_DAYS, dtype=bool))
    days, draws = far.daily_draws(always)
    kept = np.ones((N_DRAWS, N_DAYS))
    kept[:, days] -= draws / effects.posterior.downloads.to_numpy()[days]
    return kept
