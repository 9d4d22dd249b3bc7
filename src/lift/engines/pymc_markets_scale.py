"""Rough estimates that choose a sampler's coordinates in the model of several markets.

They come from regressions of each market by itself (:func:`lift.engines.pymc_scale.guesses`) and
need not be right: the density is the same in any coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lift.engines.pymc_scale import EARLY_DAYS, guesses
from lift.model.design import Design
from lift.model.markets import MarketsDesign
from lift.model.response import kernel_days

FloatArray = NDArray[np.float64]

APART = 0.2
"""Guess of how much a post does otherwise in one market, log-lift-days."""
SPILLED = 0.2
"""Share of the common amplitude that a post is taken to have where it is aimed elsewhere."""
LEAST_SD = 1e-3
"""Smallest noise and daily step of a market that is believed, log units."""


@dataclass(frozen=True, eq=False)
class MarketGuesses:
    """What regressions of single markets say.

    Attributes
    ----------
    control, control_error : ndarray, shape (controls of all markets,)
    early, early_error : ndarray, shape (pairs,)
        Of the response to each post in each market on its first days, log-lift-days.
    common, common_error : ndarray, shape (posts,)
        Of what each post does everywhere, its amplitude.
    influencer, influencer_error : ndarray, shape (influencers,)
    noise, level : ndarray, shape (markets,)
        Sds of a day's noise, the Poisson part included, and of a daily step of the level.
    """

    control: FloatArray
    control_error: FloatArray
    early: FloatArray
    early_error: FloatArray
    common: FloatArray
    common_error: FloatArray
    influencer: FloatArray
    influencer_error: FloatArray
    noise: FloatArray
    level: FloatArray


def market_guesses(design: MarketsDesign) -> MarketGuesses:
    """Return rough estimates of everything whose scale is a hyperparameter, and their errors.

    Parameters
    ----------
    design : MarketsDesign

    Returns
    -------
    MarketGuesses
    """
    # influencers are common to the markets and come after
    found = [
        guesses(replace(part, posts=replace(part.posts, influencers=()))) for part in design.designs
    ]
    early = np.concatenate([guess.early for guess in found])
    error = np.concatenate([guess.early_error for guess in found])
    common, common_error = _common(design, early, error)
    people = [design.posts.influencer == i for i in range(len(design.posts.influencers))]
    spread = np.var(common) + np.array([np.mean(common_error[own] ** 2) for own in people])
    sds = np.array([_sds(part) for part in design.designs])
    return MarketGuesses(
        control=np.concatenate([guess.control for guess in found]),
        control_error=np.concatenate([guess.control_error for guess in found]),
        early=early,
        early_error=error,
        common=common,
        common_error=common_error,
        influencer=np.array([common[own].mean() - common.mean() for own in people]),
        influencer_error=np.sqrt(spread / np.array([own.sum() for own in people])),
        noise=sds[:, 0],
        level=sds[:, 1],
    )


def _common(
    design: MarketsDesign, early: FloatArray, error: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what each post does everywhere, from what it does in each market."""
    posts, first = design.posts, design.designs[0]
    scale, shape = (
        np.exp(design.hypers[design.position(name)].first) for name in ("first_day", "log_shape")
    )
    shares = np.array(
        [
            kernel_days(scale, shape, float(fraction), first.window_days)[:EARLY_DAYS].sum()
            for fraction in posts.fraction
        ]
    )
    elasticity = design.position("views_elasticity")
    mean = design.hypers[elasticity].first if elasticity >= 0 else 0.0
    gain = shares * np.exp(mean * posts.log_views)
    top, bottom = np.zeros((2, len(posts.ids)))
    at = 0
    for part, mine in zip(design.designs, design.reach, strict=True):
        pair = slice(at, at + len(mine))
        at += len(mine)
        size = gain[mine] * np.exp(part.posts.log_size)
        share = np.ones(len(mine)) if part.posts.share is None else part.posts.share
        share = np.where(np.isnan(share), SPILLED, share)
        weight = 1.0 / ((error[pair] / size) ** 2 + APART**2)
        top[mine] += weight * share * early[pair] / size
        bottom[mine] += weight * share**2
    return top / bottom, bottom**-0.5


def _sds(part: Design) -> tuple[float, float]:
    """Return the sds of noise and of a step of the level, from autocovariances of differences.

    Neighbouring differences of a walk plus noise have the covariance minus the noise's variance.
    Medians of products leave posts out.
    """
    values = part.outcome[part.observed]
    change = np.diff(values) - np.median(np.diff(values))
    whole = float(np.median(np.abs(change)) / 0.6745) ** 2
    # of normal pairs the sign agrees with probability 1/2 + arcsin(correlation) / pi
    agree = float(np.mean(np.sign(change[1:]) == np.sign(change[:-1])))
    correlation = np.clip(np.sin(np.pi * (agree - 0.5)), -0.5, 0.0)
    noise = -correlation * whole
    step = whole - 2.0 * noise
    return max(LEAST_SD, np.sqrt(noise)), max(LEAST_SD, np.sqrt(step))
