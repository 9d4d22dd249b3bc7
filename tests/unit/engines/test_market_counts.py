"""Counts in a joint model of markets: against dense matrices of all days, and one market alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from dense_markets import MARKETS, POST_MARKETS, TIMES, dense
from numpy.typing import NDArray
from scipy.special import gammaln
from small_campaigns import daily_downloads, points, rich_posts

from lift.data.campaign import Campaign
from lift.engines.exact import EMPTY, pack
from lift.engines.markets import market_coefficients, pack_markets
from lift.model.design import build_design
from lift.model.hyper import natural
from lift.model.markets import MarketsDesign, build_markets
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

FEW = (0.8, 4.0, 6.0)
MIXED = (0.8, 4.0, 4000.0)


def small_markets(
    levels: tuple[float, ...] = FEW, targets: tuple[str | None, ...] = POST_MARKETS, n: int = 90
) -> Campaign:
    """Return three markets of few downloads, with holes; posts reach one of them or all."""
    dates = pd.date_range("2025-01-01", periods=n)
    tables = []
    for m, (name, level) in enumerate(zip(MARKETS, levels, strict=True)):
        values = daily_downloads(n, TIMES, level=level, seed=m + 1)
        values[[5 + m, 43]] = np.nan
        tables.append(pd.DataFrame({"date": dates, "market": name, "downloads": values}))
    posts = rich_posts(TIMES).assign(market=targets)
    return Campaign(downloads=pd.concat(tables), posts=posts, name="three")


def log_prior(z: FloatArray) -> FloatArray:
    return np.asarray(-0.5 * (z**2).sum(axis=-1) - 0.5 * z.shape[-1] * np.log(2 * np.pi))


def log_normal(y: FloatArray, covariance: FloatArray) -> float:
    _, log_det = np.linalg.slogdet(covariance)
    quadratic = y @ np.linalg.solve(covariance, y)
    return float(-0.5 * (len(y) * np.log(2 * np.pi) + log_det + quadratic))


class Dense:
    """All days of all markets at one point: log means of counts given the other markets."""

    def __init__(self, design: MarketsDesign, z: FloatArray) -> None:
        y, covariance, _ = dense(design, z)
        values = natural(z[None], design.hypers, design.mix)[0]
        counts, size, centre = [], [], []
        for part, places in zip(design.designs, design.places, strict=True):
            n = part.observed.sum()
            counts.append(np.full(n, part.likelihood == "negative_binomial"))
            size.append(np.full(n, values[places[part.position("noise_sd")]] ** -2))
            centre.append(np.full(n, part.center))
        is_count = np.concatenate(counts)
        self.y, self.size = y[is_count], np.concatenate(size)[is_count]
        self.known, self.prior = 0.0, covariance[np.ix_(is_count, is_count)]
        self.mean = np.concatenate(centre)[is_count]
        if not is_count.all():
            rest = covariance[np.ix_(~is_count, ~is_count)]
            cross = covariance[np.ix_(is_count, ~is_count)]
            self.known = log_normal(y[~is_count], rest)
            self.mean = self.mean + cross @ np.linalg.solve(rest, y[~is_count])
            self.prior = self.prior - cross @ np.linalg.solve(rest, cross.T)

    def log_mass(self, eta: FloatArray) -> FloatArray:
        y, size = self.y, self.size
        mass = gammaln(y + size) - gammaln(size) - gammaln(y + 1) + y * (eta - np.log(size))
        return np.asarray((mass - (y + size) * np.log1p(np.exp(eta) / size)).sum(axis=-1))

    def mode(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the mode, its distance from the mean in units of the prior, and information."""
        alpha = np.zeros(len(self.y))
        for _ in range(200):
            expected = np.exp(self.mean + self.prior @ alpha)
            crowd = 1.0 + expected / self.size
            slope = (self.y - expected) / crowd
            information = (1.0 + self.y / self.size) * expected / crowd**2
            matrix = np.eye(len(alpha)) + information[:, None] * self.prior
            step = np.linalg.solve(matrix, slope - alpha)
            far = np.abs(self.prior @ step).max()
            alpha = alpha + min(1.0, 2.0 / far) * step
            if far < 1e-11:
                break
        assert far < 1e-9
        return self.mean + self.prior @ alpha, alpha, information

    def laplace(self) -> float:
        eta, alpha, information = self.mode()
        _, log_det = np.linalg.slogdet(np.eye(len(eta)) + information[:, None] * self.prior)
        quadratic = alpha @ self.prior @ alpha
        return float(self.known + self.log_mass(eta) - 0.5 * quadratic - 0.5 * log_det)

    def log_estimates(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return the logs of unbiased estimates of the likelihood, from draws about the mode."""
        eta, _, information = self.mode()
        inverse = np.linalg.inv(self.prior)
        law = np.linalg.cholesky(np.linalg.inv(inverse + np.diag(information)))
        z = rng.standard_normal((n, len(eta)))
        draws = eta + z @ law.T
        off = draws - self.mean
        quadratic = ((off @ inverse) * off).sum(axis=1)
        log_dets = np.linalg.slogdet(self.prior)[1] - 2 * np.log(np.diag(law)).sum()
        prior_less_law = -0.5 * (quadratic - (z**2).sum(axis=1) + log_dets)
        return np.asarray(self.known + self.log_mass(draws) + prior_less_law)


SPECS: dict[str, tuple[tuple[float, ...], dict[str, Any]]] = {
    "nothing shared": (FEW, {}),
    "shared level": (FEW, {"shared_level": True}),
    "all": (FEW, {"shared_level": True, "shared_noise": True, "spill_over": True}),
    "two of three are counts": (MIXED, {}),
    "two of three, all": (MIXED, {"shared_level": True, "shared_noise": True, "spill_over": True}),
}


@pytest.mark.parametrize(("levels", "markets"), list(SPECS.values()), ids=list(SPECS))
def test_the_laplace_approximation_is_that_of_all_days_of_all_markets(
    levels: tuple[float, ...], markets: dict[str, bool]
) -> None:
    data = small_markets(levels)
    design = build_markets(data, ModelSpec.model_validate({"markets": markets}))
    kinds = [part.likelihood for part in design.designs]
    assert kinds.count("negative_binomial") == (3 if levels == FEW else 2)
    assert (data.downloads["downloads"] == 0).sum() > 20
    z = points(len(design.hypers), 3, seed=31, spread=0.8)
    values = pack_markets(design).evaluate(z, EMPTY)[0] - log_prior(z)
    np.testing.assert_allclose(values, [Dense(design, point).laplace() for point in z], rtol=1e-8)


@pytest.mark.parametrize(
    ("levels", "markets"),
    [
        pytest.param(*SPECS["all"], id="counts", marks=pytest.mark.slow),
        pytest.param(*SPECS["two of three, all"], id="mixed"),
    ],
)
def test_estimates_from_draws_are_those_of_dense_draws(
    levels: tuple[float, ...], markets: dict[str, bool]
) -> None:
    """Both are unbiased for the likelihood."""
    design = build_markets(small_markets(levels), ModelSpec.model_validate({"markets": markets}))
    model, n = pack_markets(design), 2000
    z = points(len(design.hypers), 1, seed=32, spread=0.3)[0]
    # little that is far from normal, so that few draws say enough
    for part, places in zip(design.designs, design.places, strict=True):
        z[places[part.position("level_sd")]] = -0.5
    assert model.weighs_draws
    normals = np.random.default_rng(3).standard_normal((n, model.n_normals))
    ours = model.evaluate(np.repeat(z[None], n, axis=0), normals)[0] - log_prior(z)
    theirs = Dense(design, z).log_estimates(n, np.random.default_rng(4))
    ratios = [np.exp(logs - theirs.max()) for logs in (ours, theirs)]
    means = [ratio.mean() for ratio in ratios]
    errors = [ratio.std() / np.sqrt(n) / means[1] for ratio in ratios]
    assert max(errors) < 0.05
    assert abs(means[0] / means[1] - 1) < 4.4 * np.hypot(*errors)
    # the spread of the weights is that of the same Gaussian
    assert ours.std() == pytest.approx(theirs.std(), rel=0.1)


def test_one_market_in_a_joint_model_is_that_market() -> None:
    """With no room for what differs between markets."""
    data, spec = small_markets(targets=(None,) * len(TIMES)), ModelSpec()
    joint = build_markets(data, spec)
    at = MARKETS.index("DE")
    alone = build_design(data.market("DE"), spec)
    part = joint.designs[at]
    design = MarketsDesign(
        markets=("DE",),
        designs=(part,),
        posts=joint.posts,
        reach=(np.arange(len(alone.posts.ids)),),
        hypers=part.hypers,
        mix=part.mix,
        places=(np.arange(len(part.hypers)),),
    )
    assert alone.likelihood == "negative_binomial"
    assert [hyper.name for hyper in part.hypers[len(alone.hypers) :]] == ["market_sd"]
    z = points(len(alone.hypers), 4, seed=33)
    wider = np.column_stack([z, np.full(len(z), -9.0)])
    ours, theirs = pack_markets(design), pack(alone)
    for zero in (False, True):
        made_of = [np.zeros((4, m.n_normals)) if zero else EMPTY for m in (ours, theirs)]
        joint_values, joint_gammas = ours.evaluate(wider, made_of[0])
        values, gammas = theirs.evaluate(z, made_of[1])
        np.testing.assert_allclose(
            joint_values - log_prior(wider), values - log_prior(z), rtol=1e-8
        )
        if zero:
            mine = market_coefficients(design, 0, joint_gammas)
            np.testing.assert_allclose(mine, gammas, rtol=1e-6, atol=1e-8)
