"""Predictions of next posts against sums written out, and the spread that theory gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from small_campaigns import rich_campaign
from small_posteriors import hand_made

from lift.analysis.next_post import NO_MEAN, predict_next
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.errors import InputError
from lift.model.posterior import Posterior
from lift.model.response import kernel_days
from lift.model.spec import ModelSpec, ResponseSpec

FloatArray = NDArray[np.float64]

N = 4000
SPEC = ModelSpec()
LABELS = ["all", "platform=a", "platform=b"]
TEXT = {
    "platform": ["a", "b", "a", "b"],
    "influencer": ["ann", "bob", "ann", "cia"],
    "content": ["x", "x", "x", "x"],
}
SHARES = np.array([0.4, 0.6])


def posterior(own_sd: float = 0.0, people_sd: float = 0.0, **changes: object) -> Posterior:
    draws: dict[str, tuple[str | None, object]] = {
        "group_mean": ("group", [0.3, 0.1, -0.1]),
        "amplitude_sd": (None, own_sd),
        "influencer_sd": (None, people_sd),
        "influencer_effect": ("influencer", [0.2, -0.2]),
        "views_elasticity": (None, 0.5),
    }
    downloads = np.full(120, 500.0)
    downloads[-31:] = 1000.0
    downloads[-3:] = np.nan
    given: dict[str, object] = {
        "impulse": np.ones((N, 4)),
        "days": [30, 40, 50, 60],
        "downloads": downloads,
        "text": TEXT,
        "views": [1e5, 1e5, 1e4, 1e6],
        "kernel_groups": ["a", "b"],
        "kernel_group": [0, 1, 0, 1],
        "shares": SHARES,
        "draws": draws | dict(changes.pop("draws", {})),  # type: ignore[call-overload]
        "coords": {"group": LABELS, "influencer": ["ann", "bob"]},
    }
    return hand_made(**(given | changes))  # type: ignore[arg-type]


def written_out(impulse: FloatArray | float, share: FloatArray | float, base: float) -> FloatArray:
    """Return ``sum_t B (exp(f_t) - 1)`` over the 29 days from a post at noon on."""
    scale = np.broadcast_to(-np.log1p(-np.asarray(share)), np.shape(impulse) or (1,))
    kernel = kernel_days(scale, np.full(len(scale), 0.9), 0.5, 60)[:, :29]
    return np.asarray(base * np.expm1(np.reshape(impulse, (-1, 1)) * kernel).sum(axis=1))


def test_a_post_that_holds_no_surprise() -> None:
    """Without spread over posts it is the sum over the days, at the baseline of the last month."""
    posts = pd.DataFrame(
        {"post_id": ["n1", "n2"], "influencer": ["ann", "bob"], "platform": ["a", "b"],
         "views": [4e5, 1e5], "baseline": [np.nan, 300.0]}
    )  # fmt: skip
    found = predict_next(posterior(), SPEC, posts, seed=1)
    first = written_out((0.3 + 0.1 + 0.2) * 2.0, 0.4, 1000.0)[0]
    second = written_out(0.3 - 0.1 - 0.2, 0.6, 300.0)[0]
    table = found.table
    assert table["baseline"].tolist() == [1000.0, 300.0]
    for name in ("mean", "median", "lower", "upper"):
        assert table[name].tolist() == pytest.approx([first, second], abs=1e-6)
    assert table["prob_positive"][0] == 1.0
    assert table["relative_mean"][0] == pytest.approx(first / 29_000)
    assert (table["note"] == "").all()
    assert found.draws.dims == ("chain", "draw", "post")
    assert found.draws["post"].to_numpy().tolist() == ["n1", "n2"]


def test_a_new_post_scatters_like_the_posts_of_the_model() -> None:
    posts = pd.DataFrame({"influencer": ["ann"], "platform": ["a"], "views": [1e5]})
    draws = predict_next(posterior(own_sd=0.4), SPEC, posts, seed=1).draws.to_numpy().ravel()
    low, middle, high = written_out(0.6 + 0.4 * np.array([-1.0, 0.0, 1.0]), 0.4, 1000.0)
    # standard error of a share of 4,000 draws: 0.8 %
    assert (draws < middle).mean() == pytest.approx(0.5, abs=0.04)
    assert ((draws > low) & (draws < high)).mean() == pytest.approx(0.6827, abs=0.04)


def test_positive_amplitudes_are_multiples_of_the_typical_one() -> None:
    spec = SPEC.model_copy(update={"response": ResponseSpec(positive_only=True)})
    posts = pd.DataFrame(
        {"influencer": ["ann", "bob"], "platform": ["a", "b"], "views": [4e5, 1e5]}
    )
    found = predict_next(posterior(), spec, posts, seed=1).table
    assert found["note"].str.contains("no mean exists").all()
    assert found[["mean", "sd", "relative_mean"]].isna().all(axis=None)
    first = written_out(0.3 * np.exp(0.3 + 0.1 + 0.2) * 2.0, 0.4, 1000.0)[0]
    second = written_out(0.3 * np.exp(0.3 - 0.1 - 0.2), 0.6, 1000.0)[0]
    assert found["median"].tolist() == pytest.approx([first, second], abs=1e-6)
    draws = predict_next(posterior(own_sd=3.0), spec, posts, seed=1).draws
    assert (draws > 0.0).all()


def test_views_of_uncertain_elasticity_leave_no_mean() -> None:
    """At 10 and 1e15 times the reference views: the median is that of the written out sum."""
    elasticity = np.linspace(0.0, 1.0, N)
    uncertain = posterior(own_sd=0.4, draws={"views_elasticity": (None, elasticity)})
    posts = pd.DataFrame({"influencer": ["ann"] * 3, "platform": ["a"] * 3,
                          "views": [np.nan, 1e6, 1e20]})  # fmt: skip
    found = predict_next(uncertain, SPEC, posts, seed=1).table
    assert np.isfinite(found.loc[0, ["mean", "sd", "relative_mean"]].to_numpy(float)).all()
    assert found.loc[1:, ["mean", "sd", "relative_mean"]].isna().all(axis=None)
    for wanted in ("elasticity", "no mean exists", "read the median"):
        assert found["note"].str.contains(wanted).tolist() == [False, True, True]
    beyond = "100,000,000,000,000,000,000 views are beyond the observed 10,000 to 1,000,000"
    assert found["note"].str.contains(beyond).tolist() == [False, False, True]
    assert not found[["lower", "median", "upper"]].isna().any(axis=None)
    assert found["upper"][2] == np.inf
    certain = posterior(draws={"views_elasticity": (None, elasticity)})
    median = predict_next(certain, SPEC, posts, seed=1).table["median"]
    assert median[1] == pytest.approx(written_out(0.6 * np.sqrt(10.0), 0.4, 1000.0)[0], rel=1e-3)
    linear = posterior(draws={"views_elasticity": (None, elasticity)},
                       attrs={"scale": "linear", "unit": 10.0})  # fmt: skip
    assert np.isfinite(predict_next(linear, SPEC, posts[:2], seed=1).table["mean"]).all()


def test_heavy_tails_make_a_viral_post_less_rare() -> None:
    posts = pd.DataFrame({"influencer": ["ann"], "platform": ["a"], "views": [1e5]})
    spec = SPEC.model_copy(update={"response": ResponseSpec(heavy_tails=True)})
    cuts = written_out(0.6 + 0.4 * np.array([-1.0, 1.0, 2.8]), 0.4, 1000.0)
    drawn = predict_next(posterior(own_sd=0.4), spec, posts, seed=1).draws.to_numpy().ravel()
    told = predict_next(posterior(own_sd=0.4), spec, posts, seed=1).table
    assert np.isnan(told["mean"][0])
    assert "heavy tails on the log scale: no mean" in told["note"][0]
    t = stats.t(4, scale=np.sqrt(0.5))
    # five standard errors of a share of 4,000 draws
    for low, high, wanted in (
        (cuts[0], cuts[1], t.cdf(1) - t.cdf(-1)),
        (cuts[2], np.inf, t.sf(2.8)),
    ):
        share = ((drawn > low) & (drawn < high)).mean()
        assert share == pytest.approx(wanted, abs=5 * np.sqrt(wanted * (1 - wanted) / N))
    # a normal would be there with probability 0.0026, a third of it
    assert (drawn > cuts[2]).mean() > 0.0045


@pytest.mark.parametrize(
    ("name", "sd", "note"),
    [
        ("ann", 0.0, ""),
        ("cia", 0.7, "posted once"),
        ("zoe", 0.7, "is new"),
        (None, 0.7, "not given"),
    ],
    ids=["known", "once", "new", "none"],
)
def test_influencers(name: str | None, sd: float, note: str) -> None:
    posts = pd.DataFrame({"influencer": [name], "platform": ["a"], "views": [1e5]})
    found = predict_next(posterior(people_sd=0.7), SPEC, posts, seed=1)
    assert note in found.table["note"][0]
    draws = found.draws.to_numpy().ravel()
    low, high = written_out(0.4 + sd * np.array([-1.0, 1.0]), 0.4, 1000.0)
    if sd:
        inside = ((draws > low) & (draws < high)).mean()
        assert inside == pytest.approx(0.6827, abs=0.04)
    else:
        assert np.ptp(draws) == pytest.approx(0.0, abs=1e-6)


def test_posts_of_one_new_influencer_share_her_deviation() -> None:
    posts = pd.DataFrame({"influencer": ["zoe", "zoe", "yan"], "platform": "a", "views": 1e5})
    draws = predict_next(posterior(people_sd=0.7), SPEC, posts, seed=1).draws.to_numpy()
    flat = draws.reshape(-1, 3)
    np.testing.assert_array_equal(flat[:, 0], flat[:, 1])
    assert abs(np.corrcoef(flat[:, 0], flat[:, 2])[0, 1]) < 0.1


def test_an_unseen_level_is_drawn_from_its_prior() -> None:
    spec = ModelSpec(
        response=ResponseSpec(
            group_sd=0.5,
            share_group_sd=1e-6,
            share_sd=1e-6,
            share_mean=float(np.log(-np.log1p(-0.4))),
        )
    )
    posts = pd.DataFrame({"influencer": ["ann"], "platform": ["new"], "views": [1e5]})
    found = predict_next(posterior(), spec, posts, seed=1)
    low, high = written_out(0.5 + 0.5 * np.array([-1.0, 1.0]), 0.4, 1000.0)
    draws = found.draws.to_numpy().ravel()
    assert ((draws > low) & (draws < high)).mean() == pytest.approx(0.6827, abs=0.04)
    note = found.table["note"][0]
    assert "platform 'new' is new" in note
    assert "response in time" in note


def test_the_kernel_of_an_unseen_platform_scatters_about_the_common_one() -> None:
    """Groups at the same value with no scatter of their own: the new one has theirs."""
    impulse = 1.0
    tight = ModelSpec(response=ResponseSpec(group_sd=1e-9, share_group_sd=1e-4))
    wide = ModelSpec(response=ResponseSpec(group_sd=1e-9, share_group_sd=0.8))
    made = posterior(shares=[0.5, 0.5], draws={"group_mean": ("group", [impulse - 0.2, 0, 0])})
    posts = pd.DataFrame({"influencer": ["ann"], "platform": ["new"], "views": [1e5]})
    expected = written_out(impulse, 0.5, 1000.0)[0]
    near = predict_next(made, tight, posts, seed=1).table
    assert near["mean"][0] == pytest.approx(expected, rel=1e-3)
    far = predict_next(made, wide, posts, seed=1).table
    assert far["sd"][0] > 100 * near["sd"][0]


@pytest.mark.parametrize(
    ("groups", "sd"),
    [(["a"], 0.5), (["a", "b"], float(np.sqrt(0.5**2 + 1 / (1 / 0.6**2 + 2 / 0.5**2))))],
    ids=["one", "two"],
)
def test_how_far_the_kernel_of_a_new_platform_scatters(groups: list[str], sd: float) -> None:
    """One group stands at the common value itself; of two that agree, it is known less well."""
    middle = float(np.log(-np.log1p(-0.4)))
    spec = ModelSpec(
        response=ResponseSpec(group_sd=1e-9, share_group_sd=0.5, share_sd=0.6, share_mean=middle)
    )
    made = posterior(shares=0.4, kernel_groups=groups, kernel_group=[0] * 4)
    posts = pd.DataFrame({"influencer": ["ann"], "platform": ["new"], "views": [1e5]})
    draws = predict_next(made, spec, posts, seed=1).draws.to_numpy().ravel()
    scale = np.exp(middle + sd * np.array([-1.0, 1.0]))
    low, high = sorted(written_out(np.array([0.5, 0.5]), -np.expm1(-scale), 1000.0))
    assert ((draws > low) & (draws < high)).mean() == pytest.approx(0.6827, abs=0.03)


def test_what_is_not_given_adds_no_deviation() -> None:
    posts = pd.DataFrame({"influencer": ["ann"], "views": [np.nan]})
    spec = ModelSpec(response=ResponseSpec(kernel_by="none"))
    made = posterior(kernel_groups=["all"], kernel_group=[0] * 4, shares=0.4)
    found = predict_next(made, spec, posts, seed=1).table
    assert found["mean"][0] == pytest.approx(written_out(0.5, 0.4, 1000.0)[0])
    assert found["note"][0] == (
        "platform not given: no deviation for it; views not given: as 100,000"
    )


def test_an_attribute_with_one_level_in_the_run() -> None:
    posts = pd.DataFrame(
        {"influencer": "ann", "platform": "a", "views": 1e5, "content": ["x", "y"]}
    )
    table = predict_next(posterior(), SPEC, posts, seed=1).table
    assert table["sd"][0] == pytest.approx(0.0, abs=1e-6)
    assert table["sd"][1] > 100
    assert "content 'y' is new" in table["note"][1]


def test_size_exponent_scales_by_the_baseline() -> None:
    """With ``rho = 1`` an app of twice the size gets half the log-lift."""
    spec = ModelSpec(response=ResponseSpec(size_exponent=1.0))
    posts = pd.DataFrame(
        {"influencer": "ann", "platform": "a", "views": 1e5, "baseline": [500.0, 1000.0]}
    )
    table = predict_next(posterior(), spec, posts, seed=1).table
    assert table["mean"][0] == pytest.approx(written_out(0.6, 0.4, 500.0)[0])
    assert table["mean"][1] == pytest.approx(written_out(0.3, 0.4, 1000.0)[0])


def test_displacement_takes_back() -> None:
    posts = pd.DataFrame({"influencer": ["ann"], "platform": ["a"], "views": [1e5]})
    plain = predict_next(posterior(), SPEC, posts, seed=1).table["mean"][0]
    made = posterior(draws={"displacement": (None, 0.5)})
    assert predict_next(made, SPEC, posts, seed=1).table["mean"][0] < 0.9 * plain


def test_the_seed_and_the_order_of_posts() -> None:
    posts = pd.DataFrame(
        {"post_id": ["n1", "n2"], "influencer": ["ann", "zoe"], "platform": "a", "views": 1e5}
    )
    made = posterior(own_sd=0.4, people_sd=0.3)
    found = predict_next(made, SPEC, posts, seed=1).table
    pd.testing.assert_frame_equal(found, predict_next(made, SPEC, posts, seed=1).table)
    turned = predict_next(made, SPEC, posts.iloc[::-1], seed=1).table
    pd.testing.assert_frame_equal(found, turned.iloc[::-1].reset_index(drop=True))
    assert predict_next(made, SPEC, posts, seed=2).table["mean"][0] != found["mean"][0]


def test_everything_wrong_is_named() -> None:
    posts = pd.DataFrame(
        {"post_id": ["n1", "n1"], "views": [-5, "many"], "sponsored": ["yes", None], "likes": 3}
    )
    with pytest.raises(InputError) as caught:
        predict_next(posterior(), SPEC, posts, seed=1)
    text = str(caught.value)
    for part in ("likes", "n1 twice", "-5", "'many'", "true or false, found Yes"):
        assert part in text
    with pytest.raises(InputError, match="at least one post"):
        predict_next(posterior(), SPEC, pd.DataFrame({"views": []}), seed=1)


def test_a_small_fit() -> None:
    spec = ModelSpec()
    fitted = fit_exact(rich_campaign(), spec, SampleSettings(draws=400))
    posts = pd.DataFrame(
        {"influencer": ["ann", "new"], "platform": ["tiktok", "twitch"], "content": "beauty",
         "creator_type": "human", "sponsored": [True, False], "views": [2e5, 3e5]}
    )  # fmt: skip
    table = predict_next(fitted, spec, posts, seed=1).table
    assert (table["lower"] < table["upper"]).all()
    assert table["note"][0] == NO_MEAN.format(why="views of uncertain elasticity")
    assert "influencer 'new' is new" in table["note"][1]
    assert "platform 'twitch' is new" in table["note"][1]
    assert "sponsored" not in table["note"][1]
