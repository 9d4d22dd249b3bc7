"""Effects of hand-made posteriors against numbers worked out by other code."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_posteriors import hand_made

from lift.analysis import acting
from lift.analysis.caveats import NOTHING_OBSERVED
from lift.analysis.effects import BY, Effects
from lift.errors import InputError, RunError
from lift.model.posterior import Posterior
from lift.model.response import kernel_days

N_DAYS = 100
SHARE, SHAPE, FRACTION = 0.35, 0.9, 0.25
TEXT = {
    "influencer": ["ann", "bob", "ann"],
    "platform": ["tiktok", "", "tiktok"],
    "creator_type": ["human", "virtual", "human"],
    "content": ["beauty", "beauty", "travel"],
}


def downloads() -> np.ndarray:
    return 1000.0 + 10.0 * np.arange(N_DAYS)


def lift_of(impulse: float, day: int, window: int = 60) -> np.ndarray:
    """Return the log-lift of a post on every day, for the constant draws of these tests."""
    scale = -np.log1p(-SHARE)
    shares = kernel_days(np.array(scale), np.array(SHAPE), FRACTION, window)
    out = np.zeros(N_DAYS + window)
    out[day : day + window] = impulse * shares
    return out[:N_DAYS]


def constant(impulses: list[float], days: list[int], **rest: object) -> Posterior:
    """Return a posterior all of whose draws are the same."""
    given = {
        "impulse": np.tile(impulses, (20, 1)),
        "days": days,
        "downloads": downloads(),
        "fractions": [FRACTION] * len(days),
        "shares": SHARE,
        "shape": SHAPE,
    }
    return hand_made(**(given | rest))  # type: ignore[arg-type]


def varied(**rest: object) -> Posterior:
    rng = np.random.default_rng(5)
    given = {
        "impulse": rng.normal(0.5, 0.3, size=(200, 3)),
        "days": [20, 35, 90],
        "downloads": downloads(),
        "fractions": [FRACTION] * 3,
        "shares": rng.uniform(0.2, 0.6, size=(200, 1)),
        "shape": rng.uniform(0.7, 1.1, size=200),
        "text": TEXT,
    }
    return hand_made(**(given | rest))  # type: ignore[arg-type]


def test_the_campaign_has_the_same_bits_beside_its_posts_and_alone() -> None:
    alone, beside = Effects(varied()), Effects(varied())
    posts = beside.draws("post")
    np.testing.assert_array_equal(beside.draws("campaign"), alone.draws("campaign"))
    one_by_one = alone.losses.sums(alone.units("post"))
    np.testing.assert_array_equal(posts.to_numpy().reshape(one_by_one.shape), one_by_one)


def test_the_effect_of_a_post_is_observed_less_without() -> None:
    row = Effects(constant([0.8], [30])).table("post").iloc[0]
    window = slice(30, 30 + 28 + 1)
    gain = (downloads() * (1 - np.exp(-lift_of(0.8, 30))))[window].sum()
    for name in ("mean", "median", "lower", "upper"):
        assert row[name] == pytest.approx(gain, rel=1e-12), name
    assert row["sd"] == pytest.approx(0.0, abs=1e-9)
    assert row["mcse_mean"] == 0.0
    assert row["prob_positive"] == 1.0
    observed = downloads()[window].sum()
    assert row["observed"] == observed
    for name in ("relative_mean", "relative_lower", "relative_upper"):
        assert row[name] == pytest.approx(gain / (observed - gain), rel=1e-12), name
    assert (row["unit"], row["n_posts"], row["n_days"], row["note"]) == ("p1", 1, 29, "")
    assert row["start"] == pd.Timestamp("2025-01-31")
    assert row["end"] == pd.Timestamp("2025-02-28")


def test_a_negative_effect_is_not_cut_off() -> None:
    row = Effects(constant([-0.4], [30])).table().iloc[0]
    gain = (downloads() * (1 - np.exp(-lift_of(-0.4, 30))))[30:59].sum()
    assert gain < 0
    assert row["mean"] == pytest.approx(gain)
    assert row["prob_positive"] == 0.0


@pytest.mark.parametrize("horizon", [0, 1, 28, 90])
def test_the_day_of_the_horizon_belongs_to_the_window(horizon: int) -> None:
    row = Effects(constant([0.8], [5], horizon_days=horizon)).table().iloc[0]
    gain = (downloads() * (1 - np.exp(-lift_of(0.8, 5))))[5 : 5 + horizon + 1].sum()
    assert row["mean"] == pytest.approx(gain, rel=1e-12)
    assert row["n_days"] == horizon + 1


def test_an_effect_ends_with_the_response() -> None:
    short = constant([0.8], [30], window_days=7)
    effects = Effects(short)
    daily = effects.daily("post")
    assert len(daily) == 29
    np.testing.assert_array_equal(daily["mean"].to_numpy()[7:], 0.0)
    assert (daily["mean"].to_numpy()[:7] > 0).all()
    gain = (downloads() * (1 - np.exp(-lift_of(0.8, 30, 7))))[30:59].sum()
    assert effects.table().iloc[0]["mean"] == pytest.approx(gain, rel=1e-12)


def test_a_set_has_the_union_of_its_windows_and_the_sum_of_its_responses() -> None:
    effects = Effects(constant([0.8, 0.5, -0.2], [10, 14, 70]))
    row = effects.table("campaign").iloc[0]
    window = np.zeros(N_DAYS, dtype=bool)
    for day in (10, 14, 70):
        window[day : day + 29] = True
    lift = lift_of(0.8, 10) + lift_of(0.5, 14) + lift_of(-0.2, 70)
    gain = (downloads() * (1 - np.exp(-lift)))[window].sum()
    assert row["mean"] == pytest.approx(gain, rel=1e-12)
    assert row["n_days"] == window.sum() == 33 + 29
    assert row["n_posts"] == 3
    assert row["observed"] == downloads()[window].sum()


def test_effects_of_posts_that_overlap_do_not_add_up() -> None:
    effects = Effects(constant([0.8, 0.8], [10, 10]))
    assert effects.table("post")["mean"].sum() != pytest.approx(
        effects.table("campaign")["mean"].iloc[0], rel=1e-3
    )
    apart = Effects(constant([0.8, 0.8], [5, 50], window_days=20))
    assert apart.table("post")["mean"].sum() == pytest.approx(
        apart.table("campaign")["mean"].iloc[0], rel=1e-12
    )


def test_a_day_that_was_not_observed_is_left_out() -> None:
    values = downloads()
    values[[31, 40]] = np.nan
    effects = Effects(constant([0.8], [30], downloads=values))
    row = effects.table().iloc[0]
    gains = (values * (1 - np.exp(-lift_of(0.8, 30))))[30:59]
    assert row["mean"] == pytest.approx(np.nansum(gains), rel=1e-12)
    assert row["n_days"] == 27
    assert row["note"] == "2 day(s) not observed"
    assert pd.Timestamp("2025-02-01") not in set(effects.daily()["date"])


def test_a_horizon_beyond_the_data_is_told() -> None:
    row = Effects(constant([0.8], [90])).table().iloc[0]
    # days 90 to 118, of which the data have up to 99
    assert row["note"] == "the data end 19 day(s) before the horizon"
    assert row["n_days"] == 10
    last = Effects(constant([0.8], [71])).table().iloc[0]
    assert last["note"] == ""


def test_daily_draws_add_up_to_the_total() -> None:
    effects = Effects(varied())
    for by in BY:
        totals = effects.draws(by)
        for unit in effects.units(by):
            _, daily = effects.daily_draws(unit)
            whole = totals.sel({by: unit.name}).to_numpy().ravel()
            np.testing.assert_allclose(daily.sum(axis=1), whole, rtol=1e-12)
        means = effects.daily(by).groupby("unit")["mean"].sum()
        np.testing.assert_allclose(
            means[effects.table(by)["unit"]], effects.table(by)["mean"], rtol=1e-12
        )


def test_a_table_is_the_summary_of_its_draws() -> None:
    effects = Effects(varied())
    draws = effects.draws("post").sel(post="p2").to_numpy().ravel()
    row = effects.table("post", prob=0.8).set_index("unit").loc["p2"]
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["median"] == pytest.approx(np.median(draws))
    assert row["sd"] == pytest.approx(draws.std(ddof=1))
    assert [row["lower"], row["upper"]] == pytest.approx(list(np.quantile(draws, [0.1, 0.9])))
    assert row["prob"] == 0.8
    assert row["prob_positive"] == (draws > 0).mean()
    # independent draws: the error of the mean is about sd/sqrt(200)
    assert row["mcse_mean"] == pytest.approx(draws.std() / np.sqrt(200), rel=0.5)


def test_a_wider_interval_holds_a_narrower_one() -> None:
    effects = Effects(varied())
    narrow, wide = effects.table(prob=0.5), effects.table(prob=0.99)
    assert (wide["lower"] < narrow["lower"]).all()
    assert (wide["upper"] > narrow["upper"]).all()


def test_units_are_in_order_and_keep_their_members() -> None:
    effects = Effects(varied(ids=["z", "a", "m"]))
    assert [unit.name for unit in effects.units("post")] == ["z", "a", "m"]
    people = {unit.name: unit.members.tolist() for unit in effects.units("influencer")}
    assert people == {"ann": [0, 2], "bob": [1]}
    assert list(people) == ["ann", "bob"]
    assert effects.table("influencer")["n_posts"].tolist() == [2, 1]


def test_posts_without_an_attribute_are_a_unit_of_their_own() -> None:
    table = Effects(varied()).table("platform").set_index("unit")
    assert sorted(table.index) == ["(not given)", "tiktok"]
    own = Effects(varied()).table("post").set_index("unit")
    assert table.loc["(not given)", "mean"] == pytest.approx(own.loc["p2", "mean"])


def test_an_attribute_that_no_post_has_is_refused() -> None:
    effects = Effects(varied(text={"influencer": TEXT["influencer"]}))
    with pytest.raises(InputError, match="no post of the run has a platform; add the column"):
        effects.table("platform")
    assert effects.available() == ("post", "influencer", "campaign")
    assert set(effects.long()["by"]) == {"post", "influencer", "campaign"}


@pytest.mark.parametrize("method", ["table", "daily", "draws"])
def test_an_unknown_kind_is_refused_with_those_there_are(method: str) -> None:
    with pytest.raises(InputError, match=r"one of post, influencer.*found 'posts'"):
        getattr(Effects(varied()), method)("posts")


@pytest.mark.parametrize("prob", [0.0, 1.0, -0.1, 95.0, float("nan")])
@pytest.mark.parametrize("method", ["table", "daily", "long"])
def test_a_probability_lies_between_0_and_1(method: str, prob: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        getattr(Effects(varied()), method)(prob=prob)


def test_long_has_every_kind_cumulative_and_daily() -> None:
    effects = Effects(varied())
    table = effects.long(0.9)
    assert set(zip(table["quantity"], table["by"], strict=True)) == {
        (quantity, by) for quantity in ("cumulative", "daily") for by in BY
    }
    assert (table["prob"] == 0.9).all()
    cumulative = table[table["quantity"] == "cumulative"]
    daily = table[table["quantity"] == "daily"]
    assert cumulative["date"].isna().all()
    assert daily["date"].notna().all()
    assert daily["n_posts"].isna().all()
    for by in BY:
        mine = cumulative[cumulative["by"] == by]
        np.testing.assert_array_equal(mine["mean"], effects.table(by, 0.9)["mean"])
        assert (daily["by"] == by).sum() == len(effects.daily(by))


def test_draws_are_labelled() -> None:
    posterior = varied()
    draws = Effects(posterior).draws("influencer")
    assert draws.dims == ("chain", "draw", "influencer")
    assert draws.shape == (2, 100, 2)
    assert draws["influencer"].to_numpy().tolist() == ["ann", "bob"]


def test_a_kernel_group_has_its_own_response() -> None:
    posterior = constant(
        [0.8, 0.8],
        [30, 30],
        kernel_groups=["fast", "slow"],
        kernel_group=[0, 1],
        shares=np.tile([0.8, 0.1], (20, 1)),
        horizon_days=1,
    )
    fast, slow = Effects(posterior).table()["mean"]
    assert fast > 2 * slow


def test_displaced_downloads_count_against_the_effect() -> None:
    posterior = constant(
        [0.8], [30], draws={"displacement": (None, 0.5)}, horizon_days=50, window_days=60
    )
    row = Effects(posterior).table().iloc[0]
    lift = lift_of(0.8, 30)
    # half of the response is taken back over lags 15 to 42
    lift[30 + 15 : 30 + 43] -= 0.8 * 0.5 / 28
    gain = (downloads() * (1 - np.exp(-lift)))[30:81].sum()
    assert row["mean"] == pytest.approx(gain, rel=1e-12)


def test_a_response_that_is_all_on_the_first_day_has_finite_effects() -> None:
    """A share of 1 - exp(-40) is 1 in double precision."""
    row = Effects(constant([0.8], [30], shares=1.0)).table().iloc[0]
    assert row["mean"] == pytest.approx(downloads()[30] * (1 - np.exp(-0.8)), rel=1e-9)


def test_a_posterior_survives_its_file_to_the_bit(tmp_path: Path) -> None:
    values = downloads()
    values[7] = np.nan
    posterior = varied(downloads=values)
    file = tmp_path / "posterior.nc"
    posterior.to_netcdf(file)
    back = Posterior.from_netcdf(file)
    for group in ("posterior", "observed_data", "constant_data"):
        wanted = posterior.tree[group].to_dataset()
        found = back.tree[group].to_dataset()
        assert set(found.variables) == set(wanted.variables)
        for name in wanted.variables:
            assert found[name].dims == wanted[name].dims
            np.testing.assert_array_equal(found[name].to_numpy(), wanted[name].to_numpy())
    assert back.attrs == posterior.attrs
    pd.testing.assert_frame_equal(Effects(back).long(), Effects(posterior).long())
    with xr.open_datatree(file, engine="h5netcdf") as tree:
        assert set(tree.children) >= {"posterior", "sample_stats", "observed_data"}


def test_a_file_that_is_no_posterior_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="found none"):
        Posterior.from_netcdf(tmp_path / "none.nc")
    text = tmp_path / "text.nc"
    text.write_text("not a posterior", encoding="utf-8")
    with pytest.raises(RunError, match=r"text\.nc must be a netCDF-4 file"):
        Posterior.from_netcdf(text)
    other = tmp_path / "other.nc"
    xr.Dataset({"x": ("a", [1.0])}).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(RunError, match="it has no posterior, sample_stats"):
        Posterior.from_netcdf(other)


def test_effects_of_draws_in_parts_are_those_of_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    posterior = varied()
    whole = Effects(posterior)
    monkeypatch.setattr(acting, "MAX_DRAWS", 7)
    assert len(acting.parts_of(200, 1)) == 29
    for by in ("post", "campaign"):
        parts = Effects(posterior).draws(by).to_numpy().reshape(200, -1)
        sums = [whole.daily_draws(each)[1].sum(axis=1) for each in whole.units(by)]
        assert np.array_equal(parts, np.column_stack(sums))


def test_effects_of_many_draws_do_not_take_an_array_of_them_by_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    n_draws, n_days = 20_000, 300
    posterior = hand_made(
        impulse=np.random.default_rng(1).normal(0.5, 0.3, size=(n_draws, 2)),
        days=[5, 230],
        downloads=np.full(n_days, 1000.0),
        fractions=[FRACTION] * 2,
        shares=SHARE,
        shape=SHAPE,
    )
    effects = Effects(posterior)
    tracemalloc.start()
    try:
        effects.draws("campaign")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * n_draws * n_days


@pytest.mark.parametrize(
    ("attrs", "said"),
    [({}, True), ({"scale": "linear", "unit": 100.0}, False)],
    ids=["multiplied", "added"],
)
def test_where_nothing_was_observed_nothing_can_have_been_brought(
    attrs: dict[str, object], said: bool
) -> None:
    downloads = np.full(60, 100.0)
    downloads[30:] = 0.0
    downloads[35] = np.nan
    impulse = np.random.default_rng(3).normal(0.5, 0.1, size=(40, 2))
    table = Effects(hand_made(impulse, [0, 30], downloads, attrs=attrs)).table().set_index("unit")
    assert NOTHING_OBSERVED not in table.loc["p1", "note"]
    assert (NOTHING_OBSERVED in table.loc["p2", "note"]) is said
    assert "1 day(s) not observed" in table.loc["p2", "note"]
