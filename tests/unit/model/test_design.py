from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_campaigns import campaign, daily_downloads, post_table, rich_campaign, rich_posts

from lift.data.campaign import Campaign
from lift.errors import EngineError
from lift.model.design import Design, build_design
from lift.model.spec import ModelSpec


def built(data: Campaign, **spec: object) -> Design:
    return build_design(data, ModelSpec.model_validate(spec))


def of_values(values: np.ndarray, posts: pd.DataFrame | None = None) -> Campaign:
    dates = pd.date_range("2025-01-01", periods=len(values))
    return Campaign(
        downloads=pd.DataFrame({"date": dates, "downloads": values}),
        posts=post_table([30.4]) if posts is None else posts,
    )


@pytest.mark.parametrize(
    ("level", "zero", "likelihood"),
    [(10, False, "lognormal"), (9, False, "negative_binomial"), (50, True, "negative_binomial")],
)
def test_the_likelihood_follows_zeros_and_the_median(
    level: int, zero: bool, likelihood: str
) -> None:
    values = np.full(61, float(level))
    values[::3] += 1.0
    values[1::3] -= 1.0
    values[60] = np.nan
    if zero:
        values[7] = 0.0
    design = built(of_values(values))
    assert design.likelihood == likelihood


def test_a_forced_lognormal_refuses_zeros_and_says_what_to_do() -> None:
    values = np.full(60, 50.0) + np.arange(60)
    values[[4, 9]] = 0.0
    with pytest.raises(EngineError, match=r"found 2 day\(s\).*negative_binomial"):
        built(of_values(values), likelihood="lognormal")


def test_a_likelihood_that_is_asked_for_is_taken() -> None:
    assert built(campaign(), likelihood="negative_binomial").likelihood == "negative_binomial"
    assert built(campaign(level=5.0), likelihood="negative_binomial").outcome.max() < 60


def test_the_outcome_is_centred_log_downloads() -> None:
    data = campaign(missing=(5, 40))
    design = built(data)
    downloads = data.downloads["downloads"].to_numpy()
    seen = np.isfinite(downloads)
    np.testing.assert_array_equal(design.observed, seen)
    np.testing.assert_allclose(
        design.outcome[seen] + design.center, np.log(downloads[seen]), rtol=1e-14
    )
    assert np.median(design.outcome[seen]) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(design.outcome[~seen], 0.0)


def test_counts_are_left_as_they_are() -> None:
    data = campaign(level=5.0, missing=(5,))
    design = built(data)
    downloads = data.downloads["downloads"].to_numpy()
    np.testing.assert_array_equal(design.outcome, np.nan_to_num(downloads))
    np.testing.assert_array_equal(design.poisson_variance, 0.0)


def test_the_linear_scale_is_in_units_of_the_downloads() -> None:
    data = campaign(80, missing=(7,))
    design = built(data, scale="linear")
    downloads = design.downloads
    seen = downloads[np.isfinite(downloads)]
    assert design.likelihood == "normal"
    assert design.unit == pytest.approx(seen.mean())
    assert design.center == pytest.approx(np.median(seen) / seen.mean())
    wanted = downloads / seen.mean() - design.center
    np.testing.assert_allclose(design.outcome[design.observed], wanted[design.observed])
    assert design.outcome[7] == 0.0
    # a Poisson count has the variance of its mean
    smooth = np.nanmean(downloads[17:24])
    assert design.poisson_variance[20] == pytest.approx(smooth / design.unit**2)


def test_a_launch_from_nothing_is_in_units_of_its_spread() -> None:
    values = np.zeros(80)
    values[31:34] = (400.0, 200.0, 100.0)
    table = pd.DataFrame({"date": pd.date_range("2025-01-01", periods=80), "downloads": values})
    design = built(Campaign(downloads=table, posts=post_table((30.4,))), scale="linear")
    assert design.unit == pytest.approx(values.std())
    assert design.unit > values.mean()


def test_controls_enter_the_linear_scale_as_they_are() -> None:
    data = rich_campaign(missing=())
    columns = {
        scale: next(b for b in built(data, scale=scale).blocks if b.name == "control").columns
        for scale in ("log", "linear")
    }
    assert data.controls is not None
    raw = data.controls[["series_0"]].to_numpy(dtype=float)[:, 0]
    np.testing.assert_allclose(columns["linear"][:, 0], (raw - raw.mean()) / raw.std())
    assert not np.allclose(columns["log"], columns["linear"], atol=1e-3)


def test_the_poisson_part_is_one_over_the_weekly_mean() -> None:
    values = daily_downloads(60)
    design = built(of_values(values))
    assert design.poisson_variance[30] == pytest.approx(1 / values[27:34].mean())
    assert design.poisson_variance[0] == pytest.approx(1 / values[:4].mean())
    assert design.poisson_variance[-1] == pytest.approx(1 / values[-4:].mean())


def test_the_poisson_part_passes_over_missing_days() -> None:
    values = daily_downloads(80)
    values[29] = np.nan
    values[50:60] = np.nan
    design = built(of_values(values))
    assert design.poisson_variance[30] == pytest.approx(1 / np.nanmean(values[27:34]))
    # ten days without data: between the means on either side
    assert np.isfinite(design.poisson_variance).all()
    ends = 1 / design.poisson_variance[[52, 57]]
    inside = 1 / design.poisson_variance[53:57]
    assert (inside >= ends.min()).all()
    assert (inside <= ends.max()).all()


def test_the_poisson_part_reaches_the_ends_of_the_data() -> None:
    values = daily_downloads(80)
    values[:9] = np.nan
    values[70:] = np.nan
    design = built(of_values(values))
    np.testing.assert_allclose(design.poisson_variance[:5], design.poisson_variance[6])
    np.testing.assert_allclose(design.poisson_variance[73:], design.poisson_variance[72])


def test_the_day_of_a_post_is_cut_in_the_zone_of_the_campaign() -> None:
    # 23:30 UTC of 30 January is 00:30 of the 31st in Rome
    posts = post_table([29 + 23.5 / 24])
    utc = built(campaign(posts=posts))
    rome = built(campaign(posts=posts, timezone="Europe/Rome"))
    assert (utc.posts.day[0], rome.posts.day[0]) == (29, 30)
    assert utc.posts.fraction[0] == pytest.approx(23.5 / 24)
    assert rome.posts.fraction[0] == pytest.approx(0.5 / 24)


def test_the_fraction_is_of_the_clock_on_the_day_the_clock_changes() -> None:
    posts = pd.DataFrame({"post_id": ["a"], "posted_at": ["2025-03-30 12:00"]})
    design = built(campaign(120, posts=posts, timezone="Europe/Rome"))
    assert design.posts.day[0] == 88
    assert design.posts.fraction[0] == pytest.approx(0.5)


def test_views_are_relative_to_their_geometric_mean() -> None:
    posts = post_table([30.1, 35.2, 40.3], views=[1e4, np.nan, 1e6])
    design = built(campaign(posts=posts))
    np.testing.assert_allclose(design.posts.log_views, [-np.log(10), 0.0, np.log(10)], atol=1e-12)
    assert design.position("views_elasticity") >= 0


@pytest.mark.parametrize(
    ("views", "spec"),
    [
        pytest.param([np.nan, np.nan], {}, id="none-given"),
        pytest.param([1e5, 1e5], {}, id="all-equal"),
        pytest.param([1e5, np.nan], {}, id="one-given"),
        pytest.param([1e4, 1e5], {"views": False}, id="not-wanted"),
    ],
)
def test_without_views_that_differ_there_is_no_elasticity(
    views: list[float], spec: dict[str, object]
) -> None:
    posts = post_table([30.1, 35.2], views=views)
    design = built(campaign(posts=posts), response=spec)
    np.testing.assert_array_equal(design.posts.log_views, 0.0)
    assert design.position("views_elasticity") == -1


def test_posts_without_attributes_share_one_mean() -> None:
    design = built(campaign())
    assert design.posts.kernel_groups == ("not given",)
    assert design.posts.groups == ("all",)
    assert design.posts.influencers == ()
    np.testing.assert_array_equal(design.posts.influencer, -1)
    assert design.position("influencer_sd") == -1
    assert design.position("control_sd") == -1


def test_attributes_make_groups_and_a_missing_one_belongs_to_none() -> None:
    posts = post_table(
        [30.1, 35.2, 40.3],
        platform=["tiktok", None, "instagram"],
        content=["beauty", "beauty", "beauty"],
        sponsored=[True, False, None],
    )
    design = built(campaign(posts=posts))
    assert design.posts.groups == (
        "all",
        "platform=instagram",
        "platform=tiktok",
        "sponsored=False",
        "sponsored=True",
    )
    np.testing.assert_array_equal(
        design.posts.membership,
        [[1, 0, 1, 0, 1], [1, 0, 0, 1, 0], [1, 1, 0, 0, 0]],
    )
    np.testing.assert_array_equal(design.posts.group_sd, [1.0, 0.5, 0.5, 0.5, 0.5])
    assert design.posts.kernel_groups == ("instagram", "not given", "tiktok")
    np.testing.assert_array_equal(design.posts.kernel_group, [2, 1, 0])


def test_there_are_at_most_four_kernel_groups() -> None:
    names = ["a", "b", "b", "c", "c", "d", "d", "d", "e"]
    posts = post_table(list(30.5 + np.arange(9)), platform=names)
    design = built(campaign(posts=posts))
    assert design.posts.kernel_groups == ("b", "c", "d", "other")
    own = [design.posts.kernel_groups[k] for k in design.posts.kernel_group]
    assert own == ["other", "b", "b", "c", "c", "d", "d", "d", "other"]
    # group means know every platform all the same
    assert "platform=a" in design.posts.groups


def test_four_platforms_keep_their_names() -> None:
    posts = post_table(list(30.5 + np.arange(5)), platform=["a", "b", "c", "d", "a"])
    assert built(campaign(posts=posts)).posts.kernel_groups == ("a", "b", "c", "d")


def test_who_posted_more_than_once_has_an_effect_of_their_own() -> None:
    posts = post_table(
        list(30.5 + np.arange(6)), influencer=["bob", "ann", "cia", "ann", None, "bob"]
    )
    design = built(campaign(posts=posts))
    assert design.posts.influencers == ("ann", "bob")
    np.testing.assert_array_equal(design.posts.influencer, [1, 0, -1, 0, -1, 1])
    assert design.position("influencer_sd") >= 0
    without = built(campaign(posts=posts), response={"influencer": False})
    assert without.posts.influencers == ()


def test_one_influencer_alone_is_not_told_from_the_mean() -> None:
    posts = post_table([30.1, 35.2], influencer=["ann", "ann"])
    assert built(campaign(posts=posts)).posts.influencers == ()


def test_the_size_of_the_app_is_that_of_the_28_days_before_the_post() -> None:
    data = campaign(90, posts=post_table([40.1, 70.2]))
    design = built(data, response={"size_exponent": 0.5})
    logs = np.log(data.downloads["downloads"].to_numpy())
    sizes = np.array([logs[12:40].mean(), logs[42:70].mean()])
    np.testing.assert_allclose(design.posts.log_size, 0.5 * (sizes.mean() - sizes), rtol=1e-12)
    np.testing.assert_array_equal(built(data).posts.log_size, 0.0)


def test_the_size_of_the_app_stays_finite_after_a_month_without_data() -> None:
    data = campaign(90, posts=post_table([20.1, 70.2]), missing=tuple(range(40, 70)))
    design = built(data, response={"size_exponent": 1.0})
    assert np.isfinite(design.posts.log_size).all()


def test_several_markets_are_refused_with_what_to_do() -> None:
    one = campaign()
    table = one.downloads[["date", "downloads"]]
    both = pd.concat([table.assign(market="IT"), table.assign(market="FR")])
    data = Campaign(downloads=both, posts=one.posts[["post_id", "posted_at"]])
    with pytest.raises(EngineError, match=r"2 \(FR, IT\).*--market"):
        built(data)
    assert built(data.market("IT")).likelihood == "lognormal"


def test_hyperparameters_come_as_the_data_call_for_them() -> None:
    names = [hyper.name for hyper in built(rich_campaign()).hypers]
    assert names == [
        "noise_sd",
        "level_sd",
        "control_sd",
        "amplitude_sd",
        "influencer_sd",
        "views_elasticity",
        "first_day",
        "first_day",
        "first_day",
        "log_shape",
    ]
    plain = [hyper.name for hyper in built(campaign()).hypers]
    assert plain == ["noise_sd", "level_sd", "amplitude_sd", "first_day", "log_shape"]


def test_displacement_is_a_hyperparameter_where_it_is_asked_for() -> None:
    design = built(campaign(), response={"displacement": True})
    assert [hyper.name for hyper in design.hypers][-1] == "displacement"
    assert design.displacement_lags == (14, 42)


def test_states_have_the_hyperparameters_that_they_call_for() -> None:
    states = {
        "trend": "damped",
        "week_evolves": True,
        "noise": "ar1",
        "evolving_controls": ["series_1", "series_0"],
    }
    design = built(rich_campaign(), baseline=states)
    assert [(hyper.name, hyper.kind, hyper.first) for hyper in design.hypers][-6:] == [
        ("slope_sd", "exponential", 3000.0),
        ("slope_phi", "beta", 2.0),
        ("week_step_sd", "exponential", 300.0),
        ("control_step_sd", "exponential", 150.0),
        ("control_step_sd", "exponential", 150.0),
        ("noise_phi", "beta", 4.0),
    ]
    (control,) = (block for block in design.blocks if block.name == "control")
    np.testing.assert_array_equal(design.states.columns[:, 6:], control.columns[:, ::-1])
    plain = built(rich_campaign(), baseline={"trend": "linear"})
    assert [hyper.name for hyper in plain.hypers][-1] == "slope_sd"


def test_a_control_that_is_to_walk_must_be_there() -> None:
    with pytest.raises(EngineError, match=r"found oil; it has series_0, series_1"):
        built(rich_campaign(), baseline={"evolving_controls": ["series_1", "oil"]})
    with pytest.raises(EngineError, match=r"found oil; it has none"):
        built(campaign(), baseline={"evolving_controls": ["oil"]})


def test_columns_and_their_sds_belong_together() -> None:
    design = built(rich_campaign())
    assert design.fixed.shape == (100, 8)
    np.testing.assert_array_equal(np.isnan(design.fixed_sd), [False] * 6 + [True] * 2)
    bare = built(campaign(), baseline={"week": False})
    assert bare.fixed.shape == (80, 0)
    assert bare.fixed_sd.shape == (0,)


def test_posts_at_the_same_time_are_both_kept() -> None:
    times = (30.4, 30.4, 30.4)
    design = built(campaign(times=times, posts=rich_posts(times)))
    np.testing.assert_array_equal(design.posts.day, 30)
    assert design.posts.ids == ("p1", "p2", "p3")
