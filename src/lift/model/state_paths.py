"""Sizes and paths of the states beside the level, at given hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design

FloatArray = NDArray[np.float64]

type StatePart = tuple[str, str]
"""A component of the baseline that moves in time, and which control it is of, or ""."""


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


def state_terms(
    design: Design, values: FloatArray, rng: np.random.Generator
) -> Iterator[tuple[StatePart, FloatArray]]:
    """Draw from the prior of what moves beside level and noise, one term after the other.

    Parameters
    ----------
    design : Design
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.
    rng : numpy.random.Generator
        Not used where there is no such state.

    Yields
    ------
    part : (str, str)
        ``("level", "")`` for the slopes added up so far, then as :func:`walk_parts`.
    path : ndarray, shape (n,)
    """
    states = design.states
    n = len(design.dates)
    if states.trend != "none":
        damped = states.trend == "damped"
        slope_sd = float(values[design.position("slope_sd")])
        phi = float(values[design.position("slope_phi")]) if damped else 1.0
        start_sd = slope_sd / np.sqrt(1.0 - phi**2) if damped else states.slope_start_sd
        shocks = np.append(start_sd, np.full(n - 1, slope_sd)) * rng.standard_normal(n)
        yield ("level", ""), np.append(0.0, np.cumsum(autoregression(shocks, phi))[:-1])
    sds = step_sds(design, values)
    for part, column, step in zip(walk_parts(design), states.columns.T, sds, strict=True):
        steps = step * rng.standard_normal(n)
        steps[0] = 0.0
        yield part, column * np.cumsum(steps)


def walk_parts(design: Design) -> list[StatePart]:
    """Return what each walking coefficient belongs to: the week or one of the controls."""
    weeks: list[StatePart] = [("week", "")] * (6 * design.states.week)
    return weeks + [("control", name) for name in design.states.controls]


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
    out = np.zeros(len(design.dates))
    for _, path in state_terms(design, values, rng):
        out += path
    return out


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


def state_covariances(design: Design, values: FloatArray) -> dict[StatePart, FloatArray]:
    """Return the covariance over the days of everything that moves in time.

    Parameters
    ----------
    design : Design
        With steps of the level that are normal.
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.

    Returns
    -------
    dict of (component, label) to ndarray, shape (n, n)
        ``("level", "")`` with its slopes, ``("autoregression", "")`` for noise that lasts, and the
        walks of ``("week", "")`` and ``("control", name)`` from 0 on the first day.
    """
    states = design.states
    days = np.arange(len(design.dates))
    shared = np.minimum.outer(days, days)
    level_sd = values[design.position("level_sd")]
    level = design.level_start_sd**2 + level_sd**2 * shared + trend_covariance(design, values)
    out = {("level", ""): np.asarray(level)}
    if states.ar1:
        apart = np.abs(np.subtract.outer(days, days))
        noise_sd = values[design.position("noise_sd")]
        phi = values[design.position("noise_phi")]
        out["autoregression", ""] = np.asarray(noise_sd**2 * phi**apart)
    steps = step_sds(design, values)
    for part, column, step in zip(walk_parts(design), states.columns.T, steps, strict=True):
        walked = step**2 * shared * np.outer(column, column)
        out[part] = out[part] + walked if part in out else walked
    return out


def draw_state_parts(
    design: Design, values: FloatArray, rng: np.random.Generator
) -> dict[StatePart, FloatArray]:
    """Return a draw from the prior of everything that moves in time, part by part.

    Parameters
    ----------
    design : Design
        With steps of the level that are normal.
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.
    rng : numpy.random.Generator

    Returns
    -------
    dict of (component, label) to ndarray, shape (n,)
        As :func:`state_covariances` names them.
    """
    n = len(design.dates)
    sds = np.full(n, float(values[design.position("level_sd")]))
    sds[0] = design.level_start_sd
    out = {("level", ""): np.cumsum(sds * rng.standard_normal(n))}
    if design.states.ar1:
        phi = float(values[design.position("noise_phi")])
        sds = np.full(n, np.sqrt(1.0 - phi**2))
        sds[0] = 1.0
        shocks = values[design.position("noise_sd")] * sds * rng.standard_normal(n)
        out["autoregression", ""] = autoregression(shocks, phi)
    for part, path in state_terms(design, values, rng):
        out[part] = out[part] + path if part in out else path
    return out
