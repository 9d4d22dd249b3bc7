"""The plain reference: the same likelihood as the exact engine, written to be read.

Slow on purpose: it builds the covariance matrix of all days. Tests hold the compiled code to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design
from lift.model.hyper import natural
from lift.model.predictor import design_matrix
from lift.model.scales import Scales, scaled_sds, unit_scales
from lift.model.state_paths import step_sds

FloatArray = NDArray[np.float64]


def moments(
    design: Design, z: FloatArray, scales: Scales | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return covariance of the observed days, their columns and the coefficients' prior sd.

    Parameters
    ----------
    design : Design
        With the lognormal likelihood.
    z : ndarray, shape (d,)
        Standard normal coordinates of the hyperparameters.
    scales : Scales, optional
        Variance multipliers; all one if not given.

    Returns
    -------
    covariance : ndarray, shape (n_observed, n_observed)
        Of level plus noise: ``start_sd^2 + level_sd^2 sum_{r < min(s, t)} omega_r`` and on the
        diagonal ``lambda_t (noise_sd^2 + Poisson part)``; and of what else moves in time.
    columns : ndarray, shape (n_observed, q)
    prior_sd : ndarray, shape (q,)
    """
    values = natural(z[None], design.hypers, design.mix)[0]
    scales = scales or unit_scales(design)
    days = np.arange(len(design.dates))
    shifts = np.append(0.0, np.cumsum(scales.level[:-1]))
    level_sd = values[design.position("level_sd")]
    noise_sd = values[design.position("noise_sd")]
    covariance = design.level_start_sd**2 + level_sd**2 * np.minimum.outer(shifts, shifts)
    covariance += np.diag(scales.noise * design.poisson_variance)
    if design.states.ar1:
        apart = np.abs(np.subtract.outer(days, days))
        covariance += noise_sd**2 * values[design.position("noise_phi")] ** apart
    else:
        covariance += np.diag(noise_sd**2 * scales.noise)
    covariance += trend_covariance(design, values)
    walked = np.minimum.outer(days, days)
    steps = step_sds(design, values)
    for column, step in zip(design.states.columns.T, steps, strict=True):
        covariance += step**2 * walked * np.outer(column, column)
    columns, prior_sd = design_matrix(design, values)
    prior_sd = scaled_sds(design, prior_sd, scales)
    seen = design.observed
    return covariance[np.ix_(seen, seen)], columns[seen], prior_sd


def trend_covariance(design: Design, values: FloatArray) -> FloatArray:
    """Return the covariance over the days of the slopes added up so far.

    Parameters
    ----------
    design : Design
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.

    Returns
    -------
    ndarray, shape (n, n)
    """
    states = design.states
    n = len(design.dates)
    if states.trend == "none":
        return np.zeros((n, n))
    days = np.arange(n)
    slope_sd = values[design.position("slope_sd")]
    if states.trend == "linear":
        slopes = states.slope_start_sd**2 + slope_sd**2 * np.minimum.outer(days, days)
    else:
        phi = values[design.position("slope_phi")]
        slopes = slope_sd**2 / (1 - phi**2) * phi ** np.abs(np.subtract.outer(days, days))
    # the level of a day holds the slopes of all days before it
    before = np.tri(n, k=-1)
    return np.asarray(before @ slopes @ before.T)


def log_likelihood(design: Design, z: FloatArray, scales: Scales | None = None) -> float:
    """Return the log likelihood with level and coefficients integrated out, as one normal density.

    Parameters
    ----------
    design : Design
        With the lognormal likelihood.
    z : ndarray, shape (d,)
        Standard normal coordinates of the hyperparameters.
    scales : Scales, optional
        Variance multipliers; all one if not given.

    Returns
    -------
    float
    """
    covariance, columns, prior_sd = moments(design, z, scales)
    total = covariance + (columns * prior_sd**2) @ columns.T
    y = design.outcome[design.observed]
    _, log_det = np.linalg.slogdet(total)
    return float(-0.5 * (len(y) * np.log(2 * np.pi) + log_det + y @ np.linalg.solve(total, y)))


def coefficient_moments(
    design: Design, z: FloatArray, scales: Scales | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return posterior mean and covariance of the coefficients given the hyperparameters.

    Parameters
    ----------
    design : Design
        With the lognormal likelihood.
    z : ndarray, shape (d,)
    scales : Scales, optional
        Variance multipliers; all one if not given.

    Returns
    -------
    mean : ndarray, shape (q,)
    covariance : ndarray, shape (q, q)
    """
    covariance, columns, prior_sd = moments(design, z, scales)
    whitened = np.linalg.solve(covariance, columns)
    precision = columns.T @ whitened + np.diag(1 / prior_sd**2)
    posterior = np.linalg.inv(precision)
    return posterior @ (whitened.T @ design.outcome[design.observed]), posterior
