"""Draws of the baseline of a fitted model: its components from their coefficients, its level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

VARIABLES = {"week": "week", "year": "year", "free_kernel": ""}
"""What the coefficients of a block are called among the draws, where not ``<block>_effect``."""


def block_effects(posterior: Posterior, design: Design) -> dict[tuple[str, str], FloatArray]:
    """Return draws of what each component of the baseline adds to the outcome.

    Parameters
    ----------
    posterior : Posterior
    design : Design
        Of the campaign and the specification that it was fitted to.

    Returns
    -------
    dict of (component, label) to ndarray, shape (chain * draw, n_dates)
        One for each of week, year, season and holiday, with the label "", and one for each control
        by its name. What a free kernel adds is the posts'.
    """
    draws = posterior.draws
    n_draws = draws.sizes["chain"] * draws.sizes["draw"]
    out: dict[tuple[str, str], FloatArray] = {}
    for block in design.blocks:
        if not (name := VARIABLES.get(block.name, f"{block.name}_effect")):
            continue
        values = draws[name].to_numpy().reshape(n_draws, -1)
        if block.name == "week":
            out["week", ""] = values[:, design.dates.day_of_week]
        elif block.name == "control":
            for label, column, value in zip(block.labels, block.columns.T, values.T, strict=True):
                out["control", label] = np.multiply.outer(value, column)
        else:
            out[block.name, ""] = values @ block.columns.T
    return out


def baseline_effects(posterior: Posterior, design: Design) -> FloatArray:
    """Return draws of what the components of the baseline add to log downloads.

    Parameters
    ----------
    posterior : Posterior
    design : Design

    Returns
    -------
    ndarray, shape (chain * draw, n_dates)
        Without the level.
    """
    draws = posterior.draws
    total = np.zeros((draws.sizes["chain"] * draws.sizes["draw"], len(design.dates)))
    for effect in block_effects(posterior, design).values():
        total += effect
    return total


def draw_level(
    rest: FloatArray,
    noise_var: FloatArray,
    step_var: FloatArray,
    start_var: float,
    observed: NDArray[np.bool_],
    normals: FloatArray,
) -> FloatArray:
    """Return one path of the level for each draw of what is left of the outcome.

    Parameters
    ----------
    rest : ndarray, shape (n_draws, n_dates)
    noise_var : ndarray, shape (n_draws, n_dates)
    step_var : ndarray, shape (n_draws,)
        Variance of a daily step of the level.
    start_var : float
        Prior variance of the first level about 0.
    observed : ndarray of bool, shape (n_dates,)
    normals : ndarray, shape (n_dates, n_draws)
        Standard normal numbers that the paths are made of; zeros for the posterior means.

    Returns
    -------
    ndarray, shape (n_draws, n_dates)
    """
    n_draws, n_dates = rest.shape
    mean, variance = np.empty((n_dates, n_draws)), np.empty((n_dates, n_draws))
    at, spread = np.zeros(n_draws), np.full(n_draws, start_var)
    for day in range(n_dates):
        if observed[day]:
            gain = spread / (spread + noise_var[:, day])
            at = at + gain * (rest[:, day] - at)
            spread = spread * (1.0 - gain)
        mean[day], variance[day] = at, spread
        spread = spread + step_var
    level = np.empty((n_draws, n_dates))
    level[:, -1] = mean[-1] + np.sqrt(variance[-1]) * normals[-1]
    for day in range(n_dates - 2, -1, -1):
        weight = variance[day] / (variance[day] + step_var)
        centre = mean[day] + weight * (level[:, day + 1] - mean[day])
        level[:, day] = centre + np.sqrt(variance[day] * (1.0 - weight)) * normals[day]
    return level
