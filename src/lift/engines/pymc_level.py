"""The level of the PyMC model: integrated out under Gaussian noise, a latent walk for counts.

Three forms of one level. Where the noise of all days has one variance and no day is missing, the
sine transform of the first differences makes them independent whatever the variances, so that no
filter is needed. Downloads have a Poisson part in their variance that differs from day to day,
which no fixed transform decorrelates: there the level is integrated out by a Kalman filter
(:mod:`lift.engines.pymc_filter`). Counts have the level as a latent random walk by frequency.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from lift.engines.pymc_filter import local_level_logp
from lift.model.design import Design

FloatArray = NDArray[np.float64]
type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""


def marginal_level(
    design: Design, expected: Tensor, noise_sd: Tensor, level_sd: Tensor, of: str = ""
) -> None:
    """Add the outcome of the observed days, the level integrated out.

    Parameters
    ----------
    design : Design
        With the lognormal or the normal likelihood.
    expected : tensor, shape (n,)
        What baseline and posts add to the level.
    noise_sd, level_sd : tensor, shape ()
    of : str
        The market, of a model of several: part of the names of variable and dim.
    """
    seen = np.flatnonzero(design.observed)
    start = np.float64(design.level_start_sd**2)
    market = f"_{of}" if of else ""
    name = f"{'downloads' if design.linear else 'log_downloads'}{market}"
    if one_variance(design):
        pm.CustomDist(
            name,
            expected,
            noise_sd**2 + np.float64(design.poisson_variance[0]),
            level_sd**2,
            start,
            dist=_even_level,
            logp=even_level_logp,
            signature="(n),(),(),()->(n)",
            observed=design.outcome,
            dims=f"observed_date{market}",
        )
        return
    # days that the level walked since the day before that was observed
    days = np.diff(seen, prepend=0)
    first = np.where(np.arange(len(seen)) == 0, start, 0.0)
    pm.CustomDist(
        name,
        expected[seen],
        noise_sd**2 + design.poisson_variance[seen],
        first + level_sd**2 * days,
        dist=_local_level,
        logp=local_level_logp,
        signature="(n),(n),(n)->(n)",
        observed=design.outcome[seen],
        dims=f"observed_date{market}",
    )


def one_variance(design: Design) -> bool:
    """Return whether the noise of all days has one variance and every day was observed."""
    return bool(design.observed.all() and np.ptp(design.poisson_variance) == 0.0)


def _local_level(
    expected: Tensor,
    noise_variance: Tensor,
    step_variance: Tensor,
    size: Tensor,  # noqa: ARG001 - the one series that there is
) -> Tensor:
    """Return a draw of what :func:`local_level_logp` is the density of, for predictive checks."""
    level = pt.cumsum(pm.Normal.dist(0.0, pt.sqrt(step_variance)))
    return pm.Normal.dist(expected + level, pt.sqrt(noise_variance))


def even_level_logp(
    value: Tensor,
    expected: Tensor,
    noise_variance: Tensor,
    step_variance: Tensor,
    start_variance: Tensor,
) -> Tensor:
    """Return the log density of a random walk plus noise of one variance, without a filter.

    First differences have the covariance ``step I + noise T`` with the second-difference matrix
    ``T``, whose eigenvectors are sine waves whatever the variances (type I sine transform) and
    whose eigenvalues are ``2 - 2 cos(pi k / n)``. Given the differences the first value is normal.

    Parameters
    ----------
    value, expected : tensor, shape (n,)
        The series, and its mean apart from the random walk.
    noise_variance, step_variance, start_variance : tensor, shape ()
        Of the noise of a day, of a step of the walk and of its start, whose mean is 0.

    Returns
    -------
    tensor, shape ()
    """
    waves, eigenvalues = sine_waves(value.type.shape[0])
    residual = value - expected
    variance = step_variance + noise_variance * eigenvalues
    wave = waves @ (residual[1:] - residual[:-1])
    # the noise of the first day is in the first value and, with a minus, in the first difference
    shared = -noise_variance * waves[:, 0] / variance
    rest = start_variance + noise_variance * (1.0 + (shared * waves[:, 0]).sum())
    error = residual[0] - (shared * wave).sum()
    return -0.5 * (
        (pt.log(2 * np.pi * variance) + wave**2 / variance).sum()
        + pt.log(2 * np.pi * rest)
        + error**2 / rest
    )


def sine_waves(n_days: int) -> tuple[FloatArray, FloatArray]:
    """Return what decorrelates the first differences of a random walk plus noise.

    Parameters
    ----------
    n_days : int
        Days of the series; one less differences.

    Returns
    -------
    waves : ndarray, shape (n_days - 1, n_days - 1)
        Orthonormal and symmetric; rows are the waves.
    eigenvalues : ndarray, shape (n_days - 1,)
        Of the second-difference matrix.
    """
    k = np.arange(1, n_days)
    waves = np.sqrt(2.0 / n_days) * np.sin(np.pi * np.outer(k, k) / n_days)
    return waves, 2.0 - 2.0 * np.cos(np.pi * k / n_days)


def _even_level(
    expected: Tensor,
    noise_variance: Tensor,
    step_variance: Tensor,
    start_variance: Tensor,
    size: Tensor,
) -> Tensor:
    """Return a draw of what :func:`even_level_logp` is the density of, for predictive checks."""
    step = pt.full_like(expected, step_variance)
    steps = pt.set_subtensor(step[0], start_variance)
    return _local_level(expected, pt.full_like(expected, noise_variance), steps, size)


def latent_level_counts(
    design: Design, expected: Tensor, noise_sd: Tensor, level_sd: Tensor
) -> None:
    """Add the counts of the observed days around a latent level.

    Steps of a random walk that are independent with equal variance have cosine waves of the walk
    that are independent, with an sd that falls with their frequency. Days tell much about slow
    waves and little about fast ones, so that the waves stay almost independent in the posterior;
    the steps would not.

    Parameters
    ----------
    design : Design
        With the likelihood of counts.
    expected : tensor, shape (n,)
        What baseline and posts add to the level.
    noise_sd, level_sd : tensor, shape ()
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
