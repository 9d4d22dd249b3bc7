"""The path that all markets have in common, as waves of a random walk and shocks of single days.

A random walk from 0 on the first day has waves that are independent, with an sd that falls with
their frequency (its Karhunen-Loeve expansion): ``sin(pi (2 k - 1) t / (2 n - 1))`` on the days
t = 0 .. n - 1. Data of several days tell much about slow waves and little about fast
ones, so that the waves stay nearly independent in the posterior, where steps or levels would not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from lift.engines.pymc_markets_scale import MarketGuesses
from lift.engines.pymc_model import prior
from lift.engines.pymc_scale import ScaledNormal
from lift.model.markets import MarketsDesign

FloatArray = NDArray[np.float64]
type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""


def shared_path(design: MarketsDesign, guess: MarketGuesses) -> Tensor | None:
    """Return what all markets have in common on each day; None where it is nothing.

    Parameters
    ----------
    design : MarketsDesign
    guess : MarketGuesses

    Returns
    -------
    tensor, shape (n,), or None
    """
    n = len(design.designs[0].dates)
    parts = []
    if (sd := prior(design, "shared_level_sd")) is not None:
        waves, sizes = walk_waves(n)
        # what the markets tell of a wave, their own levels and noise in the way
        told = 1.0 / ((guess.level[:, None] * sizes) ** 2 + guess.noise[:, None] ** 2)
        error = told.sum(axis=0) ** -0.5
        wave = pm.Normal(
            "shared_wave",
            0.0,
            sd * sizes,
            dims="frequency",
            default_transform=ScaledNormal(np.zeros(n - 1), error),
        )
        parts.append(pm.Deterministic("shared_level", waves @ wave, dims="date"))
    if (sd := prior(design, "shared_noise_sd")) is not None:
        error = np.full(n, (guess.noise**-2.0).sum() ** -0.5)
        parts.append(
            pm.Normal(
                "shared_noise",
                0.0,
                sd,
                dims="date",
                default_transform=ScaledNormal(np.zeros(n), error),
            )
        )
    return sum(parts[1:], parts[0]) if parts else None


def walk_waves(n_days: int) -> tuple[FloatArray, FloatArray]:
    """Return the waves of a random walk that is 0 on the first day.

    Parameters
    ----------
    n_days : int

    Returns
    -------
    waves : ndarray, shape (n_days, n_days - 1)
        Orthonormal columns, 0 on the first day: the eigenvectors of ``min(s, t)``.
    sizes : ndarray, shape (n_days - 1,)
        Their sds for steps of variance 1: the roots of the eigenvalues, falling.
    """
    angle = np.pi * (2.0 * np.arange(1, n_days) - 1.0) / (2.0 * n_days - 1.0)
    days = np.arange(n_days)
    waves = np.sin(np.outer(days, angle)) * (2.0 / np.sqrt(2.0 * n_days - 1.0))
    return waves, 0.5 / np.sin(0.5 * angle)
