"""The single-intervention model whose coefficients walk, packed, and its density."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lift.impact._walks import evaluate_walks, smooth_path, smooth_signals
from lift.impact.coordinates import SEASON_REACH, season_quantiles
from lift.impact.prior import WalkPrior

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Points are shared out to threads so many at a time.
POINTS_PER_TASK = 64
# Rough posterior sds of the logits of noise and level, as shares of their limits.
WIDTHS = (0.3, 0.2)
# Where the guess lies at or above the limit: the share of the limit to begin at.
FULL = 0.9
# Beyond this the prior of a walk's sd is not followed: less than 1e-15 of its mass is left.
WALK_REACH = 7.9


@dataclass(frozen=True, eq=False)
class WalkModel:
    """One pre-period packed for the compiled kernels.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
        Less its prior mean; 0 where it was not observed.
    observed : ndarray of bool, shape (n,)
    controls : ndarray, shape (n, p)
        First those whose coefficients walk, then those whose coefficients stand still.
    period, duration : int
        Seasons in a cycle (1: none) and rows in a season.
    prior : WalkPrior
    """

    outcome: FloatArray
    observed: BoolArray
    controls: FloatArray
    period: int
    duration: int
    prior: WalkPrior

    @property
    def base(self) -> int:
        """States of level and season."""
        return max(1, self.period)

    @property
    def n_controls(self) -> int:
        """Controls, walking or not."""
        return int(self.controls.shape[1])

    @property
    def n_sds(self) -> int:
        """Hyperparameters: noise, level, season, walks."""
        return len(self.prior.guesses)

    @property
    def n_walks(self) -> int:
        """Controls whose coefficients walk."""
        return self.n_sds - (3 if self.period > 1 else 2)

    @cached_property
    def start_vars(self) -> FloatArray:
        """Prior variances of the states on the first row, (m,)."""
        return np.append(
            np.full(self.base, self.prior.start_sd**2),
            np.full(self.n_controls, self.prior.coefficient_sd**2),
        )

    @property
    def shapes(self) -> FloatArray:
        """Shapes of the gamma priors of the precisions."""
        return self.prior.degrees / 2.0

    @property
    def rates(self) -> FloatArray:
        """Rates of the gamma priors of the precisions."""
        return self.prior.degrees / 2.0 * self.prior.guesses**2

    @property
    def data(self) -> tuple[FloatArray, BoolArray, FloatArray, int, int]:
        """What every kernel takes first."""
        return self.outcome, self.observed, self.controls, self.base, self.duration


def pack_walks(
    outcome: FloatArray, controls: FloatArray, prior: WalkPrior, *, period: int, duration: int
) -> WalkModel:
    """Return a pre-period ready for sampling.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        Standardised; NaN is not observed.
    controls : ndarray, shape (n, p)
        Standardised.
    prior : WalkPrior
    period, duration : int
        Seasons in a cycle, 1 for none, and rows that a season lasts.

    Returns
    -------
    WalkModel
    """
    observed = np.isfinite(outcome)
    centred = np.where(observed, outcome - prior.start_mean, 0.0)
    return WalkModel(
        centred, observed, np.ascontiguousarray(controls), max(1, period), duration, prior
    )


def evaluate(
    model: WalkModel, log_sds: FloatArray, rng: np.random.Generator | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return log posterior densities with all states integrated out and, given ``rng``, states.

    Parameters
    ----------
    model : WalkModel
    log_sds : ndarray, shape (n, s)
    rng : Generator, optional

    Returns
    -------
    values : ndarray, shape (n,)
        The constants of the priors of the sds are left out.
    states : ndarray, shape (n, m)
        A draw of the state on the row after the pre-period; zeros without ``rng``.
    """
    n, m = len(log_sds), len(model.start_vars)
    values, states = np.empty(n), np.zeros((n, m))
    normals = np.empty((0, 0)) if rng is None else rng.standard_normal((n, m))
    log_sds = np.ascontiguousarray(log_sds)
    limits = np.log(model.prior.limits)

    def run(task: slice) -> None:
        evaluate_walks(
            log_sds[task], normals[task], *model.data, model.start_vars, model.shapes, model.rates,
            limits, values[task], states[task],
        )  # fmt: skip

    # points are independent: the result does not depend on who computes them
    tasks = [slice(i, i + POINTS_PER_TASK) for i in range(0, n, POINTS_PER_TASK)]
    if len(tasks) == 1:
        run(tasks[0])
    else:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(run, tasks))
    return values, states


@dataclass(frozen=True, eq=False)
class WalkDensity:
    """The posterior of the hyperparameters over coordinates in which it is near normal.

    Noise and level are logistic in their coordinates, so that their limits lie at infinity. A
    season's sd and a walk's are their priors' quantiles at ``Phi(z)``.

    Attributes
    ----------
    model : WalkModel
    centres : ndarray, shape (2,)
        Logits of the guesses of noise and level over their limits.
    season : CubicSpline or None
    """

    model: WalkModel
    centres: FloatArray
    season: CubicSpline | None

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.model.n_sds

    def log_sds(self, z: FloatArray) -> FloatArray:
        """Return log sds of points (..., d)."""
        from scipy.special import ndtr, ndtri

        out = np.empty(np.shape(z))
        logits = self.centres + np.array(WIDTHS) * z[..., :2]
        out[..., :2] = np.log(self.model.prior.limits[:2]) - np.logaddexp(0.0, -logits)
        first = 2
        if self.season is not None:
            out[..., 2] = self.season(np.clip(z[..., 2], -SEASON_REACH, SEASON_REACH))
            first = 3
        walks = np.clip(z[..., first:], -WALK_REACH, WALK_REACH)
        # with one degree of freedom the sd is the guess over the size of a standard normal
        size = ndtri(0.5 + 0.5 * ndtr(-walks))
        out[..., first:] = np.log(self.model.prior.guesses[first:]) - np.log(size)
        return out

    def scaled(self, log_sds: FloatArray) -> FloatArray:
        """Return the coordinates of noise and level at log sds (s,)."""
        share = np.exp(log_sds[:2]) / self.model.prior.limits[:2]
        return np.asarray((np.log(share) - np.log1p(-share) - self.centres) / np.array(WIDTHS))

    def log(self, z: FloatArray) -> FloatArray:
        """Return log densities at points (n, d); -inf where there is none."""
        return self._with(z, None)[0]

    def draw(self, z: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return log densities at points, and a draw of the state after the rows at each."""
        return self._with(z, rng)

    def _with(
        self, z: FloatArray, rng: np.random.Generator | None
    ) -> tuple[FloatArray, FloatArray]:
        log_sds = self.log_sds(z)
        values, states = evaluate(self.model, log_sds, rng)
        values = values + self.log_jacobian(z)
        return np.where(np.isfinite(values), values, -np.inf), states

    def log_jacobian(self, z: FloatArray) -> FloatArray:
        """Return the log derivative of log sds at points (n, d), up to a constant."""
        from scipy.special import ndtr, ndtri

        logits = self.centres + np.array(WIDTHS) * z[:, :2]
        out = -np.logaddexp(0.0, logits).sum(axis=1)
        first = 2
        if self.season is not None:
            first = 3
            inside = np.abs(z[:, 2]) < SEASON_REACH
            slope = self.season(np.where(inside, z[:, 2], 0.0), 1)
            held = np.full(len(z), -np.inf)
            np.log(slope, out=held, where=inside & (slope > 0.0))
            out += held
        walks = z[:, first:]
        out[(np.abs(walks) > WALK_REACH).any(axis=1)] = -np.inf
        size = ndtri(0.5 + 0.5 * ndtr(-np.clip(walks, -WALK_REACH, WALK_REACH)))
        out += (0.5 * (size**2 - walks**2) - np.log(size)).sum(axis=1)
        return np.asarray(out)


def density_of(model: WalkModel) -> WalkDensity:
    """Return the density of a model's hyperparameters."""
    prior = model.prior
    share = np.minimum(prior.guesses[:2] / prior.limits[:2], FULL)
    season = None
    if model.period > 1:
        season = season_quantiles(model.shapes[2], model.rates[2], prior.limits[2])
    return WalkDensity(model, np.log(share) - np.log1p(-share), season)


def smooth_walks(
    model: WalkModel, log_sds: FloatArray, rng: np.random.Generator, out: FloatArray
) -> None:
    """Fill draws of level, season and regression over the pre-period.

    Parameters
    ----------
    model : WalkModel
    log_sds : ndarray, shape (draw, s)
    rng : Generator
    out : ndarray, shape (draw, n)
        The prior mean of the level is left out.
    """
    starts = rng.standard_normal((len(out), len(model.start_vars)))
    normals = rng.standard_normal((*out.shape, model.n_sds))
    smooth_signals(*model.data, np.exp(log_sds), model.start_vars, starts, normals, out)


def coefficient_paths(
    model: WalkModel, log_sds: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return draws of all coefficients over the pre-period.

    Parameters
    ----------
    model : WalkModel
    log_sds : ndarray, shape (draw, s)
    rng : Generator

    Returns
    -------
    ndarray, shape (draw, n, p)
    """
    n, m = len(model.outcome), len(model.start_vars)
    out = np.empty((len(log_sds), n, model.n_controls))
    path = np.empty((n, m))
    for at, sds in enumerate(np.exp(log_sds)):
        starts, normals = rng.standard_normal(m), rng.standard_normal((n, model.n_sds))
        smooth_path(*model.data, sds, model.start_vars, starts, normals, path)
        out[at] = path[:, model.base :]
    return out
