"""Draws from the prior of several markets at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lift.model.hyper import natural
from lift.model.markets import MarketsDesign
from lift.model.predictor import common_shares, design_matrix
from lift.model.prior import PriorDraw
from lift.model.scales import unit_scales

FloatArray = NDArray[np.float64]


def draw_markets_prior(
    design: MarketsDesign, first_levels: Sequence[float], rng: np.random.Generator
) -> tuple[PriorDraw, ...]:
    """Return a draw from the prior of all markets, given the levels of the first day.

    Parameters
    ----------
    design : MarketsDesign
    first_levels : sequence of float, one per market
        Log downloads of the first day, apart from season, controls, posts and shared shocks
        (linear scale: downloads over the design's unit).
    rng : numpy.random.Generator

    Returns
    -------
    tuple of PriorDraw, one per market
        As of a model of the market alone; what markets have in common is in ``log_mean``.
    """
    z = rng.standard_normal((1, len(design.hypers)))
    values = natural(z, design.hypers, design.mix)[0]
    posts = design.posts
    n, n_posts = len(design.designs[0].dates), len(posts.ids)
    own = values[design.position("amplitude_sd")] * rng.standard_normal(n_posts)
    groups = posts.group_sd * rng.standard_normal(len(posts.groups))
    common = own + posts.membership @ groups
    people = np.empty(0)
    if posts.influencers:
        sd = values[design.position("influencer_sd")]
        people = sd * rng.standard_normal(len(posts.influencers))
        has = posts.influencer >= 0
        common[has] += people[posts.influencer[has]]
    path = _path(design, values, n, rng)
    out = []
    for m, part in enumerate(design.designs):
        mine = values[design.places[m]]
        columns, prior_sd = design_matrix(part, mine)
        p, reach = part.fixed.shape[1], design.reach[m]
        fixed = prior_sd[:p] * rng.standard_normal(p)
        share = np.ones(len(reach)) if part.posts.share is None else common_shares(part, mine)
        apart = values[design.position("market_sd")] * rng.standard_normal(len(reach))
        amplitude = apart + share * common[reach]
        log_lift = columns[:, p : p + len(reach)] * amplitude
        steps = mine[part.position("level_sd")] * rng.standard_normal(n)
        steps[0] = first_levels[m]
        out.append(
            PriorDraw(
                values=mine,
                coefficients=np.concatenate([fixed, apart + share * own[reach], groups, people]),
                amplitude=amplitude,
                log_lift=log_lift,
                log_mean=np.cumsum(steps) + path + columns[:, :p] @ fixed + log_lift.sum(axis=1),
                scales=unit_scales(part),
            )
        )
    return tuple(out)


def _path(
    design: MarketsDesign, values: FloatArray, n: int, rng: np.random.Generator
) -> FloatArray:
    """Return what all markets have in common on each day, shape (n,)."""
    out = np.zeros(n)
    if (level := design.position("shared_level_sd")) >= 0:
        out[1:] += np.cumsum(values[level] * rng.standard_normal(n - 1))
    if (noise := design.position("shared_noise_sd")) >= 0:
        out += values[noise] * rng.standard_normal(n)
    return out
