"""The model as a PyMC model, written to be read and to be changed.

It shares with the exact engine the arrays of the design and nothing of its algebra. Lognormal
downloads have the level integrated out by a Kalman filter in PyTensor: their noise has a Poisson
part that differs from day to day, so the sine transform does not decorrelate them. Counts have the
level as a latent random walk by frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.scan.basic import scan

from lift.engines.limits import mixtures
from lift.errors import EngineError
from lift.model.baseline import Block, weekday_contrasts
from lift.model.design import Design, PostDesign
from lift.model.hyper import Hyper
from lift.model.posterior import WEEKDAYS

FloatArray = NDArray[np.float64]
type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""


def build_model(design: Design) -> pm.Model:
    """Return the PyMC model of a design.

    Variables that the posterior of lift has too bear the same names and dims. Small deviations are
    non-centred: ``own_z`` and ``influencer_z`` are standard normal.

    Parameters
    ----------
    design : Design

    Returns
    -------
    pymc.Model
        Dims date, observed_date, weekday, contrast, harmonic, holiday, control, post, lag, group,
        influencer, kernel_group and frequency, as far as the design has them. The observed
        variable is ``log_downloads`` (less its median) or ``downloads``.

    Raises
    ------
    EngineError
        If the design has scale variables, a state beside the level, a kernel that is not Weibull,
        or the linear scale.
    """
    if asked := mixtures(design):
        raise EngineError(
            f"the PyMC model has normal distributions, found {', '.join(asked)}; "
            'use engine = "gibbs", or switch it off'
        )
    others = [design.beyond_level] if design.beyond_level else []
    if design.kernel not in ("weibull", "free"):
        others.append(f'kernel = "{design.kernel}"')
    if design.linear:
        others.append('scale = "linear"')
    if others:
        raise EngineError(
            "the PyMC model has a local level, no other state, a Weibull kernel and the log scale, "
            f'found {", ".join(others)}; use engine = "exact", or switch it off'
        )
    with pm.Model(coords=_coords(design)) as model:
        noise_sd = _prior(design, "noise_sd")
        level_sd = _prior(design, "level_sd")
        expected = pt.zeros(len(design.dates))
        for block in design.blocks:
            expected = expected + block.columns @ _coefficients(design, block)
        if design.posts.ids:
            expected = expected + _responses(design)
        if design.likelihood == "lognormal":
            _lognormal(design, expected, noise_sd, level_sd)
        else:
            _counts(design, expected, noise_sd, level_sd)
    return model


def local_level_logp(
    value: Tensor,
    expected: Tensor,
    noise_variance: Tensor,
    step_variance: Tensor,
) -> Tensor:
    """Return the log density of a random walk plus independent noise, the walk integrated out.

    The Kalman filter of the local level (Durbin & Koopman 2012, ch. 2).

    Parameters
    ----------
    value, expected : tensor, shape (n,)
        The series, and its mean apart from the random walk.
    noise_variance : tensor, shape (n,)
        Variance of the noise of each value.
    step_variance : tensor, shape (n,)
        Variance by which the random walk moved before each value; the first is the variance of
        the first level, whose mean is 0.

    Returns
    -------
    tensor, shape ()
    """

    def one_day(
        residual: Tensor,
        noise: Tensor,
        step: Tensor,
        level: Tensor,
        variance: Tensor,
    ) -> Sequence[Tensor]:
        ahead = variance + step
        total = ahead + noise
        gain = ahead / total
        error = residual - level
        log_density = -0.5 * (pt.log(2 * np.pi * total) + error**2 / total)
        return level + gain * error, (1 - gain) * ahead, log_density

    zero = pt.constant(np.float64(0.0))
    _, _, log_densities = scan(
        one_day,
        sequences=[value - expected, noise_variance, step_variance],
        outputs_info=[zero, zero, None],
        return_updates=False,
    )
    return log_densities.sum()


def _local_level(
    expected: Tensor,
    noise_variance: Tensor,
    step_variance: Tensor,
    size: Tensor,  # noqa: ARG001 - the one series that there is
) -> Tensor:
    """Return a draw of what :func:`local_level_logp` is the density of, for predictive checks."""
    level = pt.cumsum(pm.Normal.dist(0.0, pt.sqrt(step_variance)))
    return pm.Normal.dist(expected + level, pt.sqrt(noise_variance))


def _coords(design: Design) -> dict[str, Sequence[Any]]:
    """Return the labels of all dims."""
    days = [str(day.date()) for day in design.dates]
    posts = design.posts
    coords: dict[str, Sequence[Any]] = {
        "date": days,
        "observed_date": [days[i] for i in np.flatnonzero(design.observed)],
    }
    if design.likelihood != "lognormal":
        coords["frequency"] = range(1, len(days))
    for block in design.blocks:
        coords[_dim(block)] = list(block.labels)
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


def _dim(block: Block) -> str:
    return {"week": "contrast", "year": "harmonic"}.get(block.name, block.name)


def _hyper(design: Design, name: str) -> Hyper | None:
    position = design.position(name)
    return design.hypers[position] if position >= 0 else None


def _prior(design: Design, name: str) -> Tensor | None:
    """Return a scalar hyperparameter with its prior; None if the design has none of that name."""
    hyper = _hyper(design, name)
    if hyper is None:
        return None
    # PyTensor would hold a plain 60.0 in single precision, and its reciprocal too
    first, second = np.float64(hyper.first), np.float64(hyper.second)
    if hyper.kind == "exponential":
        return pm.Exponential(name, first)
    if hyper.kind == "beta":
        return pm.Beta(name, second, first)
    return pm.Normal(name, first, second)


def _coefficients(design: Design, block: Block) -> Tensor:
    """Return the coefficients of one baseline component."""
    dim = _dim(block)
    if block.name == "control":
        return pm.Normal("control_effect", 0.0, _prior(design, "control_sd"), dims=dim)
    if block.name == "week":
        contrast = pm.Normal("week_contrast", 0.0, block.prior_sd, dims=dim)
        pm.Deterministic("week", weekday_contrasts() @ contrast, dims="weekday")
        return contrast
    name = block.name if dim != block.name else f"{block.name}_effect"
    return pm.Normal(name, 0.0, block.prior_sd, dims=dim)


def _responses(design: Design) -> Tensor:
    """Return what all posts together add to log downloads, by day."""
    posts = design.posts
    log_gain = pt.as_tensor(posts.log_size)
    elasticity = _prior(design, "views_elasticity")
    if elasticity is not None:
        log_gain = log_gain + elasticity * posts.log_views
    amplitude = _amplitudes(design, posts)
    impulse = pm.Deterministic("impulse", amplitude * pt.exp(log_gain), dims="post")
    lifts = impulse[:, None] * _kernels(design, posts)
    n = len(design.dates)
    day = posts.day[:, None] + np.arange(design.window_days)
    # what falls after the last day is cut off
    by_day = pt.zeros(n + design.window_days)[day.ravel()].inc(lifts.ravel())
    return by_day[:n]


def _amplitudes(design: Design, posts: PostDesign) -> Tensor:
    """Return the amplitudes: group means, the influencer's deviation and the post's own."""
    group_mean = pm.Normal("group_mean", 0.0, posts.group_sd, dims="group")
    mean = posts.membership @ group_mean
    influencer_sd = _prior(design, "influencer_sd")
    if influencer_sd is not None:
        z = pm.Normal("influencer_z", 0.0, 1.0, dims="influencer")
        effect = pm.Deterministic("influencer_effect", influencer_sd * z, dims="influencer")
        people = np.equal.outer(posts.influencer, np.arange(len(posts.influencers)))
        mean = mean + people.astype(np.float64) @ effect
    own = _prior(design, "amplitude_sd") * pm.Normal("own_z", 0.0, 1.0, dims="post")
    return pm.Deterministic("amplitude", mean + own, dims="post")


def _kernels(design: Design, posts: PostDesign) -> Tensor:
    """Return the share of each post's response on each day since it, shape (post, lag)."""
    first_day = _first_day(design)
    log_shape = _prior(design, "log_shape")
    scale = pt.exp(first_day)
    pm.Deterministic("first_day_share", -pt.expm1(-scale), dims="kernel_group")
    shape = pm.Deterministic("kernel_shape", pt.exp(log_shape))
    # days since the post at the midnights that follow it; survival is 1 before it
    until = np.arange(1.0, design.window_days + 1.0) - posts.fraction[:, None]
    later = pt.exp(-scale[posts.kernel_group][:, None] * pt.exp(shape * np.log(until)))
    survival = pt.concatenate([pt.ones((len(posts.ids), 1)), later], axis=1)
    share = (survival[:, :-1] - survival[:, 1:]) / (1.0 - survival[:, -1:])
    displacement = _prior(design, "displacement")
    if displacement is not None:
        after, end = design.displacement_lags
        lag = np.arange(design.window_days)
        share = share - displacement * ((lag > after) & (lag <= end)) / (end - after)
    return pm.Deterministic("kernel", share, dims=("post", "lag"))


def _first_day(design: Design) -> Tensor:
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


def _lognormal(design: Design, expected: Tensor, noise_sd: Tensor, level_sd: Tensor) -> None:
    """Add the log downloads of the observed days, the level integrated out."""
    seen = np.flatnonzero(design.observed)
    # days that the level walked since the day before that was observed
    days = np.diff(seen, prepend=0)
    start = np.where(np.arange(len(seen)) == 0, design.level_start_sd**2, 0.0)
    pm.CustomDist(
        "log_downloads",
        expected[seen],
        noise_sd**2 + design.poisson_variance[seen],
        start + level_sd**2 * days,
        dist=_local_level,
        logp=local_level_logp,
        signature="(n),(n),(n)->(n)",
        observed=design.outcome[seen],
        dims="observed_date",
    )


def _counts(design: Design, expected: Tensor, noise_sd: Tensor, level_sd: Tensor) -> None:
    """Add the counts of the observed days around a latent level.

    Steps of a random walk that are independent with equal variance have cosine waves of the walk
    that are independent, with an sd that falls with their frequency. Days tell much about slow
    waves and little about fast ones, so that the waves stay almost independent in the posterior;
    the steps would not.
    """
    waves = cosine_waves(len(design.dates))
    z = pm.Normal("level_z", 0.0, 1.0, dims="frequency")
    wave = level_sd * (waves @ z)
    # the first level is normal about the centre; in terms of the walk's mean that is
    start_sd = np.float64(design.level_start_sd)
    mean = pm.Normal("level_mean", design.center - wave[0], start_sd)
    level = pm.Deterministic("level", mean + wave, dims="date")
    seen = np.flatnonzero(design.observed)
    pm.NegativeBinomial(
        "downloads",
        mu=pt.exp(level + expected)[seen],
        alpha=noise_sd**-2,
        observed=design.outcome[seen].astype(np.int64),
        dims="observed_date",
    )


def cosine_waves(n_days: int) -> FloatArray:
    """Return the waves of a random walk with steps of variance 1.

    Parameters
    ----------
    n_days : int

    Returns
    -------
    ndarray, shape (n_days, n_days - 1)
        Columns sum to zero. Weighted by independent standard normal numbers they add up to a
        random walk less its mean: they are the eigenvectors of the covariance of that (type II
        cosine transform), times the roots of the eigenvalues.
    """
    k = np.arange(1, n_days)
    waves = np.cos(np.pi * k * (np.arange(n_days)[:, None] + 0.5) / n_days) * np.sqrt(2.0 / n_days)
    return np.asarray(waves / (2.0 * np.sin(0.5 * np.pi * k / n_days)))
