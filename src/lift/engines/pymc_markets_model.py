"""The joint model of several markets as a PyMC model, written to be read and to be changed.

It shares with the exact engine the arrays of the design and nothing of its algebra. Each market's
own level is integrated out (:mod:`lift.engines.pymc_level`); the path that all markets have in
common is latent (:mod:`lift.engines.pymc_shared`), which is what lets a market load on it by more
or less than the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from lift.engines.limits import require_together
from lift.engines.pymc_level import marginal_level
from lift.engines.pymc_markets_scale import MarketGuesses, market_guesses
from lift.engines.pymc_model import (
    block_dim,
    coefficient_name,
    first_days,
    kernel_shares,
    prior,
)
from lift.engines.pymc_scale import (
    LEAST_SHARE,
    ExponentialScore,
    ScaledNormal,
    early_days,
)
from lift.engines.pymc_shared import shared_path
from lift.model.markets import MarketsDesign

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""


def build_markets_model(design: MarketsDesign) -> pm.Model:
    """Return the PyMC model of several markets.

    Parameters
    ----------
    design : MarketsDesign

    Returns
    -------
    pymc.Model
        Dims market, date, post, lag, group, influencer, kernel_group; ``pair`` (a post in a market,
        "IT: p1"), and for each component of the baseline the columns of all markets one after the
        other (``market_contrast`` for the week, ``market_control`` and so on, "IT: search").
        ``log_downloads_IT`` (less its median; on the linear scale ``downloads_IT``) is what was
        observed in market IT. With free loadings ``loading`` (market) is what a unit of the common
        path does in each.

    Raises
    ------
    EngineError
        If a market has counts, scale variables, amplitudes that are positive only, a state beside
        the level or a kernel that is not Weibull.
    """
    require_together("pymc", design)
    guess = market_guesses(design)
    with pm.Model(coords=_coords(design)) as model:
        noise_sd = _own_prior(design, "noise_sd")
        level_sd = _own_prior(design, "level_sd")
        expected = [
            own + posts
            for own, posts in zip(_baselines(design, guess), _responses(design, guess), strict=True)
        ]
        path = shared_path(design, guess)
        if path is not None:
            loading = _loadings(design)
            expected = [mean + loading[m] * path for m, mean in enumerate(expected)]
        for m, (name, part) in enumerate(zip(design.markets, design.designs, strict=True)):
            marginal_level(part, expected[m], noise_sd[m], level_sd[m], of=name)
    return model


def block_columns(design: MarketsDesign, name: str) -> list[slice]:
    """Return where the columns of each market are in a component's vector of all markets.

    Parameters
    ----------
    design : MarketsDesign
    name : str
        Of the component, such as "week".
    """
    sizes = [
        sum(len(block.labels) for block in part.blocks if block.name == name)
        for part in design.designs
    ]
    ends = np.cumsum([0, *sizes])
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def _block_names(design: MarketsDesign) -> list[str]:
    return list(dict.fromkeys(block.name for part in design.designs for block in part.blocks))


def _coords(design: MarketsDesign) -> dict[str, Sequence[Any]]:
    """Return the labels of all dims."""
    posts, first = design.posts, design.designs[0]
    days = [str(day.date()) for day in first.dates]
    coords: dict[str, Sequence[Any]] = {
        "market": design.markets,
        "date": days,
        "post": posts.ids,
        "lag": range(first.window_days),
        "group": posts.groups,
        "kernel_group": posts.kernel_groups,
        "pair": [
            f"{name}: {posts.ids[j]}"
            for name, mine in zip(design.markets, design.reach, strict=True)
            for j in mine
        ],
    }
    if posts.influencers:
        coords["influencer"] = posts.influencers
    for name, part in zip(design.markets, design.designs, strict=True):
        coords[f"observed_date_{name}"] = [days[i] for i in np.flatnonzero(part.observed)]
    for kind in _block_names(design):
        labels, dim = [], ""
        for name, part in zip(design.markets, design.designs, strict=True):
            for block in part.blocks:
                if block.name == kind:
                    dim = f"market_{block_dim(block)}"
                    labels += [f"{name}: {label}" for label in block.labels]
        coords[dim] = labels
    with_controls = [
        name
        for name, part in zip(design.markets, design.designs, strict=True)
        if part.position("control_sd") >= 0
    ]
    if with_controls:
        coords["control_market"] = with_controls
    if design.position("shared_level_sd") >= 0:
        coords["frequency"] = range(1, len(days))
    return coords


def _own_prior(design: MarketsDesign, name: str) -> Tensor:
    """Return a hyperparameter that every market has for itself."""
    own = [hyper for hyper in design.hypers if hyper.name == name]
    dims = "control_market" if name == "control_sd" else "market"
    rates = np.array([hyper.first for hyper in own])
    return pm.Exponential(name, rates, dims=dims, default_transform=ExponentialScore())


def _baselines(design: MarketsDesign, guess: MarketGuesses) -> list[Tensor]:
    """Return what week, year, holidays and controls add, market by market."""
    n = len(design.designs[0].dates)
    out = [pt.zeros(n) for _ in design.designs]
    for kind in _block_names(design):
        where = block_columns(design, kind)
        blocks = [
            next((block for block in part.blocks if block.name == kind), None)
            for part in design.designs
        ]
        some = next(block for block in blocks if block is not None)
        dims = f"market_{block_dim(some)}"
        if kind == "control":
            sd = _own_prior(design, "control_sd")
            sizes = [len(block.labels) for block in blocks if block is not None]
            scaled = ScaledNormal(guess.control, guess.control_error)
            spread = sd[np.repeat(np.arange(len(sizes)), sizes)]
            coefficient = pm.Normal(
                "control_effect", 0.0, spread, dims=dims, default_transform=scaled
            )
        else:
            spread = np.concatenate([block.prior_sd for block in blocks if block is not None])
            coefficient = pm.Normal(coefficient_name(some), 0.0, spread, dims=dims)
        for m, block in enumerate(blocks):
            if block is not None:
                out[m] = out[m] + block.columns @ coefficient[where[m]]
    return out


def _responses(design: MarketsDesign, guess: MarketGuesses) -> list[Tensor]:
    """Return what all posts together add to log downloads by day, market by market."""
    posts, first = design.posts, design.designs[0]
    n, window = len(first.dates), first.window_days
    pair_post = np.concatenate(design.reach)
    log_gain = pt.as_tensor(np.concatenate([part.posts.log_size for part in design.designs]))
    elasticity = prior(design, "views_elasticity")
    if elasticity is not None:
        log_gain = log_gain + elasticity * posts.log_views[pair_post]
    share, kernel = kernel_shares(
        design, first_days(design), posts, window, first.displacement_lags
    )
    pm.Deterministic("kernel", kernel, dims=("post", "lag"))
    early_of_pair = np.concatenate([early_days(part) for part in design.designs])
    early = LEAST_SHARE + (share[pair_post] * early_of_pair).sum(axis=1)
    impulse = _impulses(design, guess, pt.exp(log_gain), early)
    lifts = impulse[:, None] * kernel[pair_post]
    market = np.repeat(np.arange(len(design.markets)), [len(mine) for mine in design.reach])
    day = posts.day[pair_post][:, None] + np.arange(window)
    # what falls after the last day is cut off
    at = market[:, None] * (n + window) + day
    by_day = pt.zeros(len(design.markets) * (n + window))[at.ravel()].inc(lifts.ravel())
    return [by_day[m * (n + window) : m * (n + window) + n] for m in range(len(design.markets))]


def _impulses(design: MarketsDesign, guess: MarketGuesses, gain: Tensor, early: Tensor) -> Tensor:
    """Return the impulses of the posts in each market: gain times amplitude.

    What a post does everywhere is group means, the influencer's deviation and its own; in a market
    it does the share of that which reaches it, and something of its own there. As in a model of one
    market the response of the first days is what is sampled.
    """
    posts = design.posts
    group_mean = pm.Normal("group_mean", 0.0, posts.group_sd, dims="group")
    mean = posts.membership @ group_mean
    if (sd := prior(design, "influencer_sd")) is not None:
        scaled = ScaledNormal(guess.influencer, guess.influencer_error)
        effect = pm.Normal(
            "influencer_effect", 0.0, sd, dims="influencer", default_transform=scaled
        )
        people = np.equal.outer(posts.influencer, np.arange(len(posts.influencers)))
        mean = mean + people.astype(np.float64) @ effect
    scaled = ScaledNormal(guess.common, guess.common_error)
    everywhere = pm.Normal(
        "common_amplitude",
        mean,
        prior(design, "amplitude_sd"),
        dims="post",
        default_transform=scaled,
    )
    scaled = ScaledNormal(guess.early, guess.early_error)
    scale = gain * early
    here = _shares(design) * everywhere[np.concatenate(design.reach)]
    response = pm.Normal(
        "early_response",
        scale * here,
        scale * prior(design, "market_sd"),
        dims="pair",
        default_transform=scaled,
    )
    impulse = pm.Deterministic("impulse", response / early, dims="pair")
    pm.Deterministic("amplitude", impulse / gain, dims="pair")
    return impulse


def _shares(design: MarketsDesign) -> Tensor:
    """Return what part of what a post does everywhere it does in each market, (pair,)."""
    given = given_shares(design)
    spilled = np.isnan(given)
    if not spilled.any():
        return given
    return pt.where(spilled, prior(design, "spill_over"), np.where(spilled, 0.0, given))


def given_shares(design: MarketsDesign) -> FloatArray:
    """Return the shares of all pairs of post and market, NaN where one is a hyperparameter.

    Parameters
    ----------
    design : MarketsDesign
    """
    return np.concatenate(
        [
            np.ones(len(mine)) if part.posts.share is None else part.posts.share
            for part, mine in zip(design.designs, design.reach, strict=True)
        ]
    )


def _loadings(design: MarketsDesign) -> Tensor:
    """Return what a unit of the common path does in each market.

    Free ones are positive, and their logs sum to zero: that fixes sign and scale of the path
    without picking a market.
    """
    if design.loading_sd is None:
        return np.ones(len(design.markets))
    log_loading = pm.ZeroSumNormal("log_loading", np.float64(design.loading_sd), dims="market")
    return pm.Deterministic("loading", pt.exp(log_loading), dims="market")
