"""The plain reference: the same likelihood as the exact engine, written to be read.

Slow on purpose: it builds the covariance matrix of all days. Tests hold the compiled code to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from lift.model.design import Design
from lift.model.hyper import natural
from lift.model.predictor import design_matrix
from lift.model.scales import Scales, scaled_sds, unit_scales
from lift.model.state_paths import step_sds, trend_covariance

FloatArray = NDArray[np.float64]

NEWTON_PASSES = 200
NEWTON_TOLERANCE = 1e-10
SMALLEST_STEP = 1e-12
ROUNDING = 1e-12
"""Share of the log density by which its last digits may make it fall at the mode."""


def moments(
    design: Design, z: FloatArray, scales: Scales | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return covariance of the observed days, their columns and the coefficients' prior sd.

    Parameters
    ----------
    design : Design
    z : ndarray, shape (d,)
        Standard normal coordinates of the hyperparameters.
    scales : Scales, optional
        Variance multipliers; all one if not given.

    Returns
    -------
    covariance : ndarray, shape (n_observed, n_observed)
        Of level plus noise: ``start_sd^2 + level_sd^2 sum_{r < min(s, t)} omega_r`` and on the
        diagonal ``lambda_t (noise_sd^2 + Poisson part)``; and of what else moves in time. Of
        counts: of what their log mean has, which is noise only where it is autoregressive.
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
    elif design.likelihood != "negative_binomial":
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


def laplace_log_likelihood(design: Design, z: FloatArray) -> float:
    """Return the Laplace approximation of the log likelihood of counts.

    With ``eta = center + C alpha``, ``C`` the covariance of the log means of all days, Newton's
    method finds the mode, and the value there is ``log p(y | eta) - alpha' C alpha / 2 -
    log |I + W C| / 2`` (Rasmussen & Williams 2006, section 3.4, but for counts), ``W`` the
    information of each day.

    Parameters
    ----------
    design : Design
        With the likelihood of counts.
    z : ndarray, shape (d,)

    Returns
    -------
    float

    Raises
    ------
    FloatingPointError
        If Newton's method finds no mode.
    """
    values = natural(z[None], design.hypers, design.mix)[0]
    covariance, columns, prior_sd = moments(design, z)
    total = covariance + (columns * prior_sd**2) @ columns.T
    y = design.outcome[design.observed]
    noise_sd = 0.0 if design.states.ar1 else float(values[design.position("noise_sd")])

    def objective(alpha: FloatArray) -> float:
        eta = design.center + total @ alpha
        return float(_count_log_masses(y, eta, noise_sd).sum() - 0.5 * alpha @ total @ alpha)

    alpha = np.zeros(len(y))
    eye = np.eye(len(y))
    for _ in range(NEWTON_PASSES):
        expected = np.exp(design.center + total @ alpha)
        crowd = 1.0 + expected * noise_sd**2
        slope = (y - expected) / crowd
        information = (1.0 + y * noise_sd**2) * expected / crowd**2
        step = np.linalg.solve(eye + information[:, None] * total, slope - alpha)
        size, before = 1.0, objective(alpha)
        before -= ROUNDING * abs(before)
        while not objective(alpha + size * step) >= before and size > SMALLEST_STEP:
            size /= 2
        alpha = alpha + size * step
        if np.abs(total @ step).max() < NEWTON_TOLERANCE:
            _, log_det = np.linalg.slogdet(eye + information[:, None] * total)
            return objective(alpha) - 0.5 * float(log_det)
    raise FloatingPointError(f"the mode must be found in {NEWTON_PASSES} steps, found none")


def _count_log_masses(y: FloatArray, eta: FloatArray, noise_sd: float) -> FloatArray:
    """Return the log masses of counts with means ``exp(eta)``, Poisson without noise."""
    if noise_sd == 0.0:
        return np.asarray(y * eta - np.exp(eta) - gammaln(y + 1.0))
    size = noise_sd**-2
    rising = gammaln(y + size) - gammaln(size) - gammaln(y + 1.0)
    crowd = np.log1p(np.exp(eta) / size)
    return np.asarray(rising + y * (eta - np.log(size)) - (y + size) * crowd)
