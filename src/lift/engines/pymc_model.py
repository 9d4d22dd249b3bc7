"""The model as a PyMC model, written to be read and to be changed.

It shares with the exact engine the arrays of the design and nothing of its algebra. What becomes of
the level is in :mod:`lift.engines.pymc_level`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from lift.engines.limits import require
from lift.engines.pymc_level import latent_level_counts, marginal_level
from lift.engines.pymc_scale import (
    LEAST_SHARE,
    ExponentialScore,
    ScaledNormal,
    early_days,
    guesses,
    positive,
)
from lift.model.baseline import Block, weekday_contrasts
from lift.model.design import Design, PostDesign
from lift.model.hyper import Hyper
from lift.model.posterior import WEEKDAYS

FloatArray = NDArray[np.float64]
type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""
SMALL_EXPOSURE = 1e-7
"""Parts of the limit below which a second-order expansion has all digits."""


def build_model(design: Design) -> pm.Model:
    """Return the PyMC model of a design.

    Variables that the posterior of lift has too bear the same names and dims. What is sampled of a
    post is the response of its first days, of which impulse and amplitude follow. That,
    influencers, control coefficients and sds have the coordinates of
    :mod:`lift.engines.pymc_scale`.

    Parameters
    ----------
    design : Design

    Returns
    -------
    pymc.Model
        Dims date, observed_date, weekday, contrast, harmonic, holiday, control, post, lag, group,
        influencer, kernel_group and frequency, as far as the design has them. The observed
        variable is ``log_downloads`` (less its median) or, for counts and on the linear scale,
        ``downloads``.

    Raises
    ------
    EngineError
        If the design asks for what this engine does not do, see :mod:`lift.engines.limits`.
    """
    require("pymc", design)
    with pm.Model(coords=_coords(design)) as model:
        noise_sd = prior(design, "noise_sd")
        level_sd = prior(design, "level_sd")
        expected = pt.zeros(len(design.dates))
        for block in design.blocks:
            expected = expected + block.columns @ _coefficients(design, block)
        if design.posts.ids:
            expected = expected + _responses(design)
        if design.likelihood == "negative_binomial":
            latent_level_counts(design, expected, noise_sd, level_sd)
        else:
            marginal_level(design, expected, noise_sd, level_sd)
    return model


def _coords(design: Design) -> dict[str, Sequence[Any]]:
    """Return the labels of all dims."""
    days = [str(day.date()) for day in design.dates]
    posts = design.posts
    coords: dict[str, Sequence[Any]] = {
        "date": days,
        "observed_date": [days[i] for i in np.flatnonzero(design.observed)],
    }
    if design.likelihood == "negative_binomial":
        coords["frequency"] = range(1, len(days))
    for block in design.blocks:
        coords[block_dim(block)] = list(block.labels)
        if block.name == "week":
            coords["weekday"] = WEEKDAYS
    if posts.ids:
        coords |= {
            "post": posts.ids,
            "lag": range(design.window_days),
            "group": posts.groups,
            "kernel_group": posts.kernel_groups,
        }
        if posts.influencers:
            coords["influencer"] = posts.influencers
    return coords


def block_dim(block: Block) -> str:
    """Return the dim of a baseline component's coefficients."""
    return {"week": "contrast", "year": "harmonic"}.get(block.name, block.name)


class Priors(Protocol):
    """What has hyperparameters and posts: the design of one market or of several."""

    @property
    def hypers(self) -> tuple[Hyper, ...]:
        """The hyperparameters."""
        ...

    @property
    def mix(self) -> FloatArray:
        """What correlates their coordinates."""
        ...

    @property
    def posts(self) -> PostDesign:
        """The posts."""
        ...

    def position(self, name: str) -> int:
        """Return where a hyperparameter is, -1 if nowhere."""
        ...


def _hyper(design: Priors, name: str) -> Hyper | None:
    position = design.position(name)
    return design.hypers[position] if position >= 0 else None


def prior(design: Priors, name: str) -> Tensor | None:
    """Return a scalar hyperparameter with its prior; None if the design has none of that name.

    Parameters
    ----------
    design : Priors
    name : str
    """
    hyper = _hyper(design, name)
    if hyper is None:
        return None
    # PyTensor would hold a plain 60.0 in single precision, and its reciprocal too
    first, second = np.float64(hyper.first), np.float64(hyper.second)
    if hyper.kind == "exponential":
        return pm.Exponential(name, first, default_transform=ExponentialScore())
    if hyper.kind == "beta":
        return pm.Beta(name, second, first)
    return pm.Normal(name, first, second)


def coefficient_name(block: Block) -> str:
    """Return the name of the free variable that holds a baseline component's coefficients."""
    dim = block_dim(block)
    if block.name == "week":
        return "week_contrast"
    return block.name if dim != block.name else f"{block.name}_effect"


def _coefficients(design: Design, block: Block) -> Tensor:
    """Return the coefficients of one baseline component."""
    dim = block_dim(block)
    if block.name == "control":
        guess = guesses(design)
        scaled = ScaledNormal(guess.control, guess.control_error)
        sd = prior(design, "control_sd")
        return pm.Normal("control_effect", 0.0, sd, dims=dim, default_transform=scaled)
    if block.name == "week":
        contrast = pm.Normal("week_contrast", 0.0, block.prior_sd, dims=dim)
        pm.Deterministic("week", weekday_contrasts() @ contrast, dims="weekday")
        return contrast
    return pm.Normal(coefficient_name(block), 0.0, block.prior_sd, dims=dim)


def _responses(design: Design) -> Tensor:
    """Return what all posts together add to log downloads, by day."""
    posts = design.posts
    log_gain = pt.as_tensor(posts.log_size)
    elasticity = prior(design, "views_elasticity")
    if elasticity is not None:
        log_gain = log_gain + elasticity * posts.log_views
    kernel, early = _kernels(design, posts)
    lifts = _impulses(design, posts, pt.exp(log_gain), early)[:, None] * kernel
    n = len(design.dates)
    day = posts.day[:, None] + np.arange(design.window_days)
    # what falls after the last day is cut off
    by_day = pt.zeros(n + design.window_days)[day.ravel()].inc(lifts.ravel())
    return saturated(design, by_day[:n])


def saturated(design: Design, exposure: Tensor) -> Tensor:
    """Return what posts add together, by the curve of the design.

    Parameters
    ----------
    design : Design
    exposure : tensor, shape (n,)
        Sum of the responses of all posts.

    Returns
    -------
    tensor, shape (n,)
    """
    log_limit = prior(design, "log_limit")
    if log_limit is None:
        return exposure
    limit = pm.Deterministic("saturation_limit", pt.exp(log_limit))
    size = pt.abs(exposure) / limit
    # both are the exposure times what is left of its slope from zero
    if design.saturation == "hill":
        return exposure / (1.0 + size)
    small = size < SMALL_EXPOSURE
    mean_slope = -pt.expm1(-size) / pt.switch(small, 1.0, size)
    return exposure * pt.switch(small, 1.0 - 0.5 * size, mean_slope)


def _impulses(design: Design, posts: PostDesign, gain: Tensor, early: Tensor) -> Tensor:
    """Return the impulses of the posts: gain times amplitude.

    An amplitude is group means, the influencer's deviation and the post's own; where amplitudes
    are positive only these are logs. What is sampled is the response of the first days (or its
    log), since that is what the data tell of: impulse and amplitude that it stands for move with
    the kernel and the elasticity in views.
    """
    group_mean = pm.Normal("group_mean", 0.0, posts.group_sd, dims="group")
    mean = posts.membership @ group_mean
    guess, typical = guesses(design), design.typical_amplitude
    if (sd := prior(design, "influencer_sd")) is not None:
        scaled = ScaledNormal(guess.influencer, guess.influencer_error)
        effect = pm.Normal(
            "influencer_effect", 0.0, sd, dims="influencer", default_transform=scaled
        )
        people = np.equal.outer(posts.influencer, np.arange(len(posts.influencers)))
        mean = mean + people.astype(np.float64) @ effect
    sd = prior(design, "amplitude_sd")
    scale = gain * early
    if typical is not None:
        scaled = ScaledNormal(*positive(guess.early, guess.early_error))
        log_response = pm.Normal(
            "log_early_response",
            pt.log(typical * scale) + mean,
            sd,
            dims="post",
            default_transform=scaled,
        )
        impulse = pm.Deterministic("impulse", pt.exp(log_response) / early, dims="post")
        pm.Deterministic("amplitude", impulse / gain, dims="post")
        return impulse
    scaled = ScaledNormal(guess.early, guess.early_error)
    response = pm.Normal(
        "early_response", scale * mean, scale * sd, dims="post", default_transform=scaled
    )
    impulse = pm.Deterministic("impulse", response / early, dims="post")
    pm.Deterministic("amplitude", impulse / gain, dims="post")
    return impulse


def _kernels(design: Design, posts: PostDesign) -> tuple[Tensor, Tensor]:
    """Return the share of each post's response on each day since it, and on the first days.

    Shapes (post, lag) and (post,); the second is without displacement.
    """
    share, final = kernel_shares(
        design, first_days(design), posts, design.window_days, design.displacement_lags
    )
    early = LEAST_SHARE + (share * early_days(design)).sum(axis=1)
    return pm.Deterministic("kernel", final, dims=("post", "lag")), early


def kernel_shares(
    design: Priors,
    first_day: Tensor,
    posts: PostDesign,
    window_days: int,
    displacement_lags: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Return the share of each post's response on each day since it, before and after displacement.

    Parameters
    ----------
    design : Priors
        Of one market or several.
    first_day : tensor, shape (kernel groups,)
        As of :func:`first_days`.
    posts : PostDesign
    window_days : int
    displacement_lags : tuple of int

    Returns
    -------
    tuple of tensor, each of shape (post, lag)
    """
    log_shape = prior(design, "log_shape")
    scale = pt.exp(first_day)
    pm.Deterministic("first_day_share", -pt.expm1(-scale), dims="kernel_group")
    shape = pm.Deterministic("kernel_shape", pt.exp(log_shape))
    # days since the post at the midnights that follow it; survival is 1 before it
    until = np.arange(1.0, window_days + 1.0) - posts.fraction[:, None]
    later = pt.exp(-scale[posts.kernel_group][:, None] * pt.exp(shape * np.log(until)))
    survival = pt.concatenate([pt.ones((len(posts.ids), 1)), later], axis=1)
    share = (survival[:, :-1] - survival[:, 1:]) / (1.0 - survival[:, -1:])
    displacement = prior(design, "displacement")
    if displacement is None:
        return share, share
    after, end = displacement_lags
    lag = np.arange(window_days)
    return share, share - displacement * ((lag > after) & (lag <= end)) / (end - after)


def first_days(design: Priors) -> Tensor:
    """Return the complementary log-log of each kernel group's share of the first 24 hours.

    Groups deviate from a common value; the design states it as sd and correlation of the groups.
    """
    hyper = _hyper(design, "first_day")
    if hyper is None:
        raise ValueError("a design with posts has a prior of the first day")
    if len(design.posts.kernel_groups) == 1:
        return pm.Normal("first_day", hyper.first, np.float64(hyper.second), dims="kernel_group")
    start = design.position("first_day")
    correlation = float(design.mix[start + 1, start] * design.mix[start, start])
    common = pm.Normal("first_day_common", hyper.first, hyper.second * np.sqrt(correlation))
    sd = hyper.second * np.sqrt(1.0 - correlation)
    return pm.Normal("first_day", common, sd, dims="kernel_group")
