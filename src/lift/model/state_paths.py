"""Sizes and paths of the states beside the level, at given hyperparameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design

FloatArray = NDArray[np.float64]


def step_positions(design: Design) -> NDArray[np.int64]:
    """Return which hyperparameter is the daily sd of each walking coefficient, shape (r,)."""
    states = design.states
    week = [design.position("week_step_sd")] * (6 * states.week)
    first = design.position("control_step_sd")
    return np.array(week + [first + i for i in range(len(states.controls))], dtype=np.int64)


def step_sds(design: Design, values: FloatArray) -> FloatArray:
    """Return the daily sd of each walking coefficient.

    Parameters
    ----------
    design : Design
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.

    Returns
    -------
    ndarray, shape (r,)
    """
    return np.asarray(values[step_positions(design)])


def autoregression(shocks: FloatArray, phi: float) -> FloatArray:
    """Return ``x_t = phi x_{t-1} + shock_t`` from ``x_0 = shock_0``, shape (n,).

    Parameters
    ----------
    shocks : ndarray, shape (n,)
    phi : float
    """
    out = shocks.copy()
    for t in range(1, len(out)):
        out[t] += phi * out[t - 1]
    return out


def draw_states(design: Design, values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a draw from the prior of what moves beside level and noise, added up.

    Parameters
    ----------
    design : Design
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.
    rng : numpy.random.Generator
        Not used where there is no such state.

    Returns
    -------
    ndarray, shape (n,)
    """
    states = design.states
    n = len(design.dates)
    out = np.zeros(n)
    if states.trend != "none":
        damped = states.trend == "damped"
        slope_sd = float(values[design.position("slope_sd")])
        phi = float(values[design.position("slope_phi")]) if damped else 1.0
        start_sd = slope_sd / np.sqrt(1.0 - phi**2) if damped else states.slope_start_sd
        shocks = np.append(start_sd, np.full(n - 1, slope_sd)) * rng.standard_normal(n)
        out[1:] += np.cumsum(autoregression(shocks, phi))[:-1]
    for column, step in zip(states.columns.T, step_sds(design, values), strict=True):
        steps = step * rng.standard_normal(n)
        steps[0] = 0.0
        out += column * np.cumsum(steps)
    return out
