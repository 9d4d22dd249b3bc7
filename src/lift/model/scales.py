"""Scale variables: what makes a normal distribution a Student t, as variance multipliers.

A Student t with ``nu`` degrees of freedom and variance one is a normal with variance
``lambda ~ InvGamma(nu / 2, (nu - 2) / 2)`` (Andrews & Mallows 1974, JRSS-B 36:99).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from lift.model.control_scales import control_columns, draw_control_variances
from lift.model.design import Design

FloatArray = NDArray[np.float64]

SHIFT_DF = 3.0
"""Degrees of freedom of the steps of a level that may jump."""
AMPLITUDE_DF = 4.0
"""Degrees of freedom of posts' own deviations with heavy tails."""


@dataclass(frozen=True)
class Scales:
    """Variance multipliers; ones where the model has a normal distribution.

    Attributes
    ----------
    noise : ndarray, shape (n,)
        Of the noise of each day.
    level : ndarray, shape (n,)
        Of the step of the level from each day to the next; the last is not used.
    amplitude : ndarray, shape (J,)
        Of each post's own deviation.
    control : ndarray, shape (K,)
        Prior variances of the control coefficients themselves; empty for a ridge.
    """

    noise: FloatArray
    level: FloatArray
    amplitude: FloatArray
    control: FloatArray = field(default_factory=lambda: np.empty(0))


def unit_scales(design: Design) -> Scales:
    """Return the scales of a model in which everything is normal."""
    n, n_posts = len(design.dates), len(design.posts.ids)
    return Scales(np.ones(n), np.ones(n), np.ones(n_posts))


def draw_scales(design: Design, values: FloatArray, rng: np.random.Generator) -> Scales:
    """Return scales drawn from their prior; nothing is drawn for what is normal.

    Parameters
    ----------
    design : Design
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.
    rng : numpy.random.Generator

    Returns
    -------
    Scales
    """
    scales = unit_scales(design)
    noise, level, amplitude = scales.noise, scales.level, scales.amplitude
    if design.noise == "student_t":
        noise = _multipliers(float(values[design.position("noise_df")]), len(noise), rng)
    if design.level_shifts:
        level = _multipliers(SHIFT_DF, len(level), rng)
    if design.heavy_tails:
        amplitude = _multipliers(AMPLITUDE_DF, len(amplitude), rng)
    control = scales.control
    if design.selection.prior != "ridge":
        noise_sd = float(values[design.position("noise_sd")])
        control = draw_control_variances(design, noise_sd, rng)
    return Scales(noise, level, amplitude, control)


def scaled_sds(design: Design, prior_sd: FloatArray, scales: Scales) -> FloatArray:
    """Return the prior sds of all coefficients given scales.

    Parameters
    ----------
    design : Design
    prior_sd : ndarray, shape (q,)
        Without the scales.
    scales : Scales

    Returns
    -------
    ndarray, shape (q,)
    """
    out = prior_sd.copy()
    own = slice(design.fixed.shape[1], design.fixed.shape[1] + len(scales.amplitude))
    out[own] *= np.sqrt(scales.amplitude)
    if len(scales.control):
        first, count = control_columns(design)
        out[first : first + count] = np.sqrt(scales.control)
    return out


def _multipliers(df: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Return ``n`` draws of InvGamma(df / 2, (df - 2) / 2), mean one."""
    return np.asarray((df - 2.0) / 2.0 / rng.standard_gamma(df / 2.0, n))


def above_zero(mean: FloatArray, sd: FloatArray | float, z: FloatArray) -> FloatArray:
    """Return draws of a normal distribution that is cut off at zero.

    Parameters
    ----------
    mean, sd : ndarray
        Before it is cut off.
    z : ndarray
        Standard normal numbers; the draw has their probability. Broadcast against the others.

    Returns
    -------
    ndarray
        At least 0.
    """
    # of the distribution above zero: the upper tail, which keeps its digits far out
    log_tail = log_ndtr(mean / sd) + log_ndtr(-z)
    return np.asarray(np.maximum(mean - sd * ndtri_exp(log_tail), 0.0))
