"""The joint likelihood of several markets against one dense normal density of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from dense_markets import MARKETS, POST_MARKETS, TIMES, dense, pair_shares
from small_campaigns import campaign, daily_downloads, points, rich_posts

from lift.data.campaign import Campaign
from lift.engines.limits import require
from lift.engines.markets import market_coefficients, pack_markets
from lift.engines.sampling import EMPTY
from lift.errors import EngineError
from lift.model.design import build_design
from lift.model.hyper import natural
from lift.model.markets import MarketsDesign, build_markets
from lift.model.predictor import common_shares, design_matrix
from lift.model.spec import ModelSpec


def markets_campaign(**post_columns: Any) -> Campaign:
    """Return three markets with controls and holes; posts reach one of them or all."""
    n = 90
    dates = pd.date_range("2025-01-01", periods=n)
    tables, controls = [], []
    for m, name in enumerate(MARKETS):
        values = daily_downloads(n, TIMES, level=500.0 * (m + 1), seed=m + 1)
        values[[5 + m, 43]] = np.nan
        tables.append(pd.DataFrame({"date": dates, "market": name, "downloads": values}))
        walk = np.exp(np.random.default_rng(m).normal(size=n).cumsum() * 0.05)
        controls.append(pd.DataFrame({"date": dates, "market": name, "search": walk}))
    posts = rich_posts(TIMES).assign(**({"market": POST_MARKETS} | post_columns))
    return Campaign(
        downloads=pd.concat(tables), posts=posts, controls=pd.concat(controls), name="three"
    )


SPECS: dict[str, dict[str, Any]] = {
    "log": {},
    "gamma kernel": {"response": {"kernel": "gamma", "kernel_by": "none", "size_exponent": 0.5}},
    "linear scale": {"scale": "linear"},
    "shared level": {"markets": {"shared_level": True}},
    "shared noise": {"markets": {"shared_noise": True}},
    "all": {"markets": {"shared_level": True, "shared_noise": True, "spill_over": True}},
}


@pytest.fixture(params=list(SPECS.values()), ids=list(SPECS))
def design(request: pytest.FixtureRequest) -> MarketsDesign:
    return build_markets(markets_campaign(), ModelSpec.model_validate(request.param))


def test_the_likelihood_is_that_of_all_days_of_all_markets(design: MarketsDesign) -> None:
    z = points(len(design.hypers), 5, seed=21)
    values, _ = pack_markets(design).evaluate(z, EMPTY)
    log_prior = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)
    np.testing.assert_allclose(values - log_prior, dense_log_density(design, z), rtol=1e-8)


def dense_log_density(design: MarketsDesign, z: np.ndarray) -> list[float]:
    """Return the log density of all days of all markets at each point."""
    out = []
    for point in z:
        y, covariance, _ = dense(design, point)
        _, log_det = np.linalg.slogdet(covariance)
        quadratic = y @ np.linalg.solve(covariance, y)
        out.append(-0.5 * (len(y) * np.log(2 * np.pi) + log_det + quadratic))
    return out


def test_amplitudes_have_the_conditional_mean_and_variance(design: MarketsDesign) -> None:
    model = pack_markets(design)
    z = points(len(design.hypers), 1, seed=22)
    q = model.n_normals
    units = np.vstack([np.zeros(q), np.eye(q)])
    _, draws = model.evaluate(np.repeat(z, q + 1, axis=0), units)
    found = []
    for m, part in enumerate(design.designs):
        rows = market_coefficients(design, m, draws, np.repeat(z, q + 1, axis=0))
        p, n = part.fixed.shape[1], len(part.posts.ids)
        means = rows[:, p + n :]
        groups = len(part.posts.groups)
        people = np.equal.outer(part.posts.influencer, np.arange(len(part.posts.influencers)))
        values = natural(z[:, design.places[m]], part.hypers, part.mix)[0]
        share = 1.0 if part.posts.share is None else common_shares(part, values)
        common = means[:, :groups] @ part.posts.membership.T + means[:, groups:] @ people.T
        found.append(rows[:, p : p + n] + share * common)
    amplitudes = np.column_stack(found)
    y, covariance, cross = dense(design, z[0])
    np.testing.assert_allclose(amplitudes[0], cross @ np.linalg.solve(covariance, y), rtol=1e-6)
    root = (amplitudes[1:] - amplitudes[0]).T
    prior = np.diag(root @ root.T)
    # the variance before the data less what they take away
    before = _prior_variance(design, z[0])
    taken = np.einsum("ij,ji->i", cross, np.linalg.solve(covariance, cross.T))
    np.testing.assert_allclose(prior, before - taken, rtol=1e-6)


def _prior_variance(design: MarketsDesign, z: np.ndarray) -> np.ndarray:
    values = natural(z[None], design.hypers, design.mix)[0]
    posts = design.posts
    people = values[design.position("influencer_sd")] ** 2 * (posts.influencer >= 0)
    alone = values[design.position("amplitude_sd")] ** 2 + people
    alone += (posts.membership**2 * posts.group_sd**2).sum(axis=1)
    common = alone[np.concatenate(design.reach)] * pair_shares(design, values) ** 2
    return np.asarray(common + values[design.position("market_sd")] ** 2)


def test_shares_of_the_audience_divide_what_a_post_does() -> None:
    """A market's part of the common amplitude is its share; elsewhere it spills over."""
    shares = {"share_DE": [0.5, 0.0, 1.0], "share_FR": [0.25, 0.0, 0.0], "share_IT": [0.0, 0.9, 0]}
    columns = {name: [*given, np.nan, np.nan, np.nan] for name, given in shares.items()}
    data = markets_campaign(market=None, **columns)
    for spill_over in (False, True):
        spec = ModelSpec.model_validate({"markets": {"spill_over": spill_over}})
        design = build_markets(data, spec)
        everywhere = [1.0, 1.0, 1.0]
        wanted = [[0.5, 0.0, 1.0], [0.25, 0.0, 0.0], [0.0, 0.9, 0.0]]
        z = points(len(design.hypers), 2, seed=25)
        values, _ = pack_markets(design).evaluate(z, EMPTY)
        dense_values = []
        for point in z:
            hyper = natural(point[None], design.hypers, design.mix)[0]
            share = np.array([[*mine, *everywhere] for mine in wanted])
            if spill_over:
                share[share == 0.0] = hyper[design.position("spill_over")]
            kept = np.concatenate(
                [row[mine] for row, mine in zip(share, design.reach, strict=True)]
            )
            y, covariance, _ = dense(design, point, kept)
            _, log_det = np.linalg.slogdet(covariance)
            quadratic = y @ np.linalg.solve(covariance, y)
            dense_values.append(-0.5 * (len(y) * np.log(2 * np.pi) + log_det + quadratic))
        log_prior = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)
        np.testing.assert_allclose(values - log_prior, dense_values, rtol=1e-8)


def test_a_market_without_posts_is_part_of_what_all_have_in_common() -> None:
    data = markets_campaign(market=["DE", "DE", "DE", "IT", "IT", "IT"])
    spec = ModelSpec.model_validate({"markets": {"shared_level": True}})
    design = build_markets(data, spec)
    assert [len(mine) for mine in design.reach] == [3, 0, 3]
    z = points(len(design.hypers), 2, seed=24)
    values, _ = pack_markets(design).evaluate(z, EMPTY)
    log_prior = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)
    np.testing.assert_allclose(values - log_prior, dense_log_density(design, z), rtol=1e-8)


def test_a_market_alone_has_nothing_in_common_with_others() -> None:
    spec = ModelSpec.model_validate({"markets": {"shared_level": True, "spill_over": True}})
    design = build_design(markets_campaign().market("IT"), spec)
    words = r"markets\.shared_level = true, markets\.spill_over = true; fit the markets together"
    for engine in ("exact", "gibbs", "pymc", "statsmodels"):
        with pytest.raises(EngineError, match=words):
            require(engine, design)


def test_hyperparameters_of_markets_and_of_posts_are_told_apart() -> None:
    design = build_markets(markets_campaign(), ModelSpec())
    names = [hyper.name for hyper in design.hypers]
    assert names[:9] == ["noise_sd"] * 3 + ["level_sd"] * 3 + ["control_sd"] * 3
    assert names[9:] == [
        "amplitude_sd", "influencer_sd", "views_elasticity",
        "first_day", "first_day", "first_day", "log_shape", "market_sd",
    ]  # fmt: skip
    assert [list(mine) for mine in design.reach] == [[0, 2, 3, 4], [0, 3, 4, 5], [0, 1, 3, 4]]
    for m, (part, places) in enumerate(zip(design.designs, design.places, strict=True)):
        assert [names[place] for place in places] == [hyper.name for hyper in part.hypers]
        assert places[part.position("level_sd")] == 3 + m
        # groups and reference views are those of all posts
        assert part.posts.groups == design.posts.groups
        np.testing.assert_array_equal(part.posts.log_views, design.posts.log_views[design.reach[m]])
        np.testing.assert_allclose(part.mix, design.mix[np.ix_(places, places)])


def test_the_predictor_of_a_market_is_that_of_its_design() -> None:
    """What one market's posterior is made of is what its own design matrix multiplies."""
    design = build_markets(markets_campaign(), ModelSpec())
    joint = np.random.default_rng(1).normal(size=(1, pack_markets(design).n_coefficients))
    z = points(len(design.hypers), 1, seed=23)
    for m, (part, places) in enumerate(zip(design.designs, design.places, strict=True)):
        values = natural(z[:, places], part.hypers, part.mix)[0]
        columns, _ = design_matrix(part, values)
        assert columns.shape[1] == market_coefficients(design, m, joint).shape[1]


@pytest.mark.parametrize(
    ("data", "spec", "words"),
    [
        pytest.param(campaign(80), {}, "two markets or more, found all", id="one-market"),
        pytest.param(
            markets_campaign(market=["DE", "DE", "DE", "IT", "IT", "IT"]), {},
            "no post reaches FR", id="no-post",
        ),
        pytest.param(
            markets_campaign(), {"baseline": {"trend": "damped"}}, 'trend = "damped"', id="trend"
        ),
        pytest.param(
            markets_campaign(), {"response": {"kernel": "free"}}, 'kernel = "free"', id="free"
        ),
    ],
)  # fmt: skip
def test_what_a_joint_model_does_not_do_is_refused(
    data: Campaign, spec: dict[str, Any], words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        build_markets(data, ModelSpec.model_validate(spec))
