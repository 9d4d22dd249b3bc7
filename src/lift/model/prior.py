"""Draws from the prior: parameters, and campaigns as the model believes they come about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lift.errors import EngineError
from lift.model.design import Design
from lift.model.hyper import natural
from lift.model.predictor import design_matrix, post_amplitudes
from lift.model.saturation import Saturation
from lift.model.scales import Scales, draw_scales, scaled_sds
from lift.model.state_paths import autoregression, draw_states

FloatArray = NDArray[np.float64]

MAX_MEAN_COUNT = 9e18
"""Largest mean of a count that can be drawn: counts are 64-bit integers."""


@dataclass(frozen=True)
class PriorDraw:
    """One draw of everything unknown.

    Attributes
    ----------
    values : ndarray, shape (d,)
        Hyperparameters on their own scale, in the order of ``Design.hypers``.
    coefficients : ndarray, shape (q,)
        Baseline columns, posts' own deviations, group means, influencers.
    amplitude : ndarray, shape (J,), log-lift-days at reference views
    log_lift : ndarray, shape (n, J)
        What each post adds to log downloads on each day (linear scale: to downloads over the
        design's unit), before saturation.
    log_mean : ndarray, shape (n,)
        Log of the expected downloads per day (linear scale: these over the unit).
    scales : Scales
        Variance multipliers; ones where the model is normal.
    """

    values: FloatArray
    coefficients: FloatArray
    amplitude: FloatArray
    log_lift: FloatArray
    log_mean: FloatArray
    scales: Scales


def draw_prior(design: Design, first_level: float, rng: np.random.Generator) -> PriorDraw:
    """Return a draw from the prior, given the level of the first day.

    Parameters
    ----------
    design : Design
    first_level : float
        Log downloads of the first day, apart from season, controls and posts (linear scale:
        downloads over the design's unit).
    rng : numpy.random.Generator

    Returns
    -------
    PriorDraw
    """
    z = rng.standard_normal((1, len(design.hypers)))
    values = natural(z, design.hypers, design.mix)[0]
    columns, prior_sd = design_matrix(design, values)
    scales = draw_scales(design, values, rng)
    prior_sd = scaled_sds(design, prior_sd, scales)
    coefficients = prior_sd * rng.standard_normal(len(prior_sd))
    steps = values[design.position("level_sd")] * rng.standard_normal(len(design.dates))
    steps[1:] *= np.sqrt(scales.level[:-1])
    steps[0] = first_level
    moved = draw_states(design, values, rng)
    posts = design.posts
    n_fixed, n_posts = design.fixed.shape[1], len(posts.ids)
    own, means = coefficients[n_fixed : n_fixed + n_posts], coefficients[n_fixed + n_posts :]
    amplitude = post_amplitudes(design, own, means)
    log_lift = columns[:, n_fixed : n_fixed + n_posts] * amplitude
    # by default everything is one product of columns and coefficients
    if design.typical_amplitude is None and design.saturation == "none":
        predicted = columns @ coefficients
    else:
        together = _together(design, values, log_lift.sum(axis=1))
        predicted = columns[:, :n_fixed] @ coefficients[:n_fixed] + together
    return PriorDraw(
        values=values,
        coefficients=coefficients,
        amplitude=amplitude,
        log_lift=log_lift,
        log_mean=np.cumsum(steps) + predicted + moved,
        scales=scales,
    )


def draw_downloads(design: Design, drawn: PriorDraw, rng: np.random.Generator) -> FloatArray:
    """Return downloads per day under a draw from the prior.

    Parameters
    ----------
    design : Design
        Its likelihood says whether the downloads are lognormal, normal or negative binomial.
    drawn : PriorDraw
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n,)
        Not rounded unless they are counts, and without the Poisson part of the noise: it is for
        large counts. On the linear scale they can be below zero.

    Raises
    ------
    EngineError
        If the mean of a count is above 9e18, which cannot be drawn.
    """
    noise_sd = drawn.values[design.position("noise_sd")]
    counts = design.likelihood == "negative_binomial"
    if not counts or design.states.ar1:
        noise = noise_sd * np.sqrt(drawn.scales.noise) * rng.standard_normal(len(drawn.log_mean))
        if design.states.ar1:
            phi = float(drawn.values[design.position("noise_phi")])
            noise[1:] *= np.sqrt(1.0 - phi**2)
            noise = autoregression(noise, phi)
        outcome = drawn.log_mean + noise
        if not counts:
            return np.asarray(design.unit * outcome if design.linear else np.exp(outcome))
        rate = np.exp(outcome)
    else:
        size = noise_sd**-2
        rate = np.exp(drawn.log_mean) * rng.gamma(size, 1.0 / size, len(drawn.log_mean))
    if rate.max() > MAX_MEAN_COUNT:
        raise EngineError(
            f"the mean of a count must be at most {MAX_MEAN_COUNT:g} to be drawn, found "
            f"{rate.max():g}; draw from narrower priors"
        )
    return np.asarray(rng.poisson(rate), dtype=np.float64)


def true_effects(
    design: Design, drawn: PriorDraw, downloads: FloatArray, members: NDArray[np.int64],
    horizon_days: int,
) -> float:  # fmt: skip
    """Return the leave-one-out effect of a set of posts under a draw from the prior.

    Parameters
    ----------
    design : Design
    drawn : PriorDraw
    downloads : ndarray, shape (n,)
    members : ndarray of int
        Positions of the posts.
    horizon_days : int

    Returns
    -------
    float
        ``sum_t Y_t (1 - exp(-F_t))`` over the union of the posts' windows (linear scale:
        ``sum_t F_t``), ``F_t`` being ``sum_{j in S} f_jt`` or what that adds to the other posts
        where responses saturate.
    """
    since = np.arange(len(downloads))[:, None] - design.posts.day[members]
    window = ((since >= 0) & (since <= horizon_days)).any(axis=1)
    together = drawn.log_lift[:, members].sum(axis=1)
    if design.saturation != "none":
        every = drawn.log_lift.sum(axis=1)
        rest = _together(design, drawn.values, every - together)
        together = _together(design, drawn.values, every) - rest
    lost = design.unit * together if design.linear else downloads * -np.expm1(-together)
    return float(lost[window].sum())


def _together(design: Design, values: FloatArray, exposure: FloatArray) -> FloatArray:
    """Return what posts add together where their responses add up to an exposure."""
    if design.saturation == "none":
        return exposure
    limit = np.exp(values[design.position("log_limit")])
    return Saturation(design.saturation, np.asarray(limit)).together(exposure)
