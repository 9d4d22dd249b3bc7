"""The single-intervention model of one pre-period, packed for the compiled kernels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lift._lanes import LANES
from lift.engines.threads import share_out
from lift.impact._interpolant import Interpolant, no_interpolant
from lift.impact._points import BLOCK, evaluate_points
from lift.impact.prior import ImpactPrior

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# The season's sd has a nearly flat prior on the log scale: a search starts above its guess.
SEASON_START = 0.5
# Points are shared out to threads at least so many at a time and in about so many tasks, where they
# take long enough: nanoseconds of an entry of the columns in a filter or of an interpolant's table,
# of a set of controls, of a point otherwise, and of all together from which threads pay.
POINTS_PER_TASK = 128
TASKS = 8
NANOSECONDS = 1.7
PER_ENTRY = 0.04
PER_SET = 15.0
PER_POINT = 300.0
WORTH_THREADS = 1e6


@dataclass(frozen=True, eq=False)
class ImpactModel:
    """One pre-period packed for the compiled kernels.

    Attributes
    ----------
    columns : ndarray, shape (n, 1 + m + p)
        Outcome less its prior mean, zeros for the m initial states, the p controls.
    observed : ndarray of bool, shape (n,)
    period, duration : int
        Seasons in a cycle (1: none) and rows in a season.
    prior : ImpactPrior
    """

    columns: FloatArray
    observed: BoolArray
    period: int
    duration: int
    prior: ImpactPrior

    @property
    def n_states(self) -> int:
        """States of level and season."""
        return max(1, self.period)

    @property
    def n_controls(self) -> int:
        """Controls, in the model or not."""
        return int(self.columns.shape[1]) - 1 - self.n_states

    @property
    def always(self) -> BoolArray:
        """Controls that cannot be left out."""
        return self.prior.inclusion >= 1.0

    @property
    def log_odds(self) -> FloatArray:
        """Prior log odds of inclusion, 0 for controls that cannot be left out."""
        share = np.where(self.always, 0.5, self.prior.inclusion)
        return np.log(share) - np.log1p(-share)

    @property
    def shapes(self) -> FloatArray:
        """Shapes of the gamma priors of the precisions."""
        return self.prior.degrees / 2.0

    @property
    def rates(self) -> FloatArray:
        """Rates of the gamma priors of the precisions."""
        return self.prior.degrees / 2.0 * self.prior.guesses**2

    @cached_property
    def arguments(self) -> tuple[object, ...]:
        """What the compiled kernel takes of a model, in its order."""
        return (
            self.columns,
            self.observed,
            self.duration,
            self.prior.start_sd**2,
            self.prior.precision,
            self.log_odds,
            np.flatnonzero(self.always),
            np.flatnonzero(~self.always),
            self.shapes,
            self.rates,
            np.log(self.prior.limits),
        )

    @property
    def start(self) -> FloatArray:
        """Log sds at which a search may start."""
        start = np.log(self.prior.guesses)
        if len(start) == 3:
            start[2] += SEASON_START
        return start


def pack_model(
    outcome: FloatArray, controls: FloatArray, prior: ImpactPrior, *, period: int, duration: int
) -> ImpactModel:
    """Return a pre-period ready for sampling.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        Standardised; NaN is not observed.
    controls : ndarray, shape (n, p)
        Standardised.
    prior : ImpactPrior
    period : int
        Seasons in a cycle, 1 for none.
    duration : int
        Rows that a season lasts.

    Returns
    -------
    ImpactModel
    """
    observed = np.isfinite(outcome)
    centred = np.where(observed, outcome - prior.start_mean, 0.0)
    columns = np.ascontiguousarray(
        np.column_stack([centred, np.zeros((len(outcome), max(1, period))), controls])
    )
    return ImpactModel(columns, observed, period, duration, prior)


def evaluate(
    model: ImpactModel,
    log_sds: FloatArray,
    rng: np.random.Generator | None = None,
    grid: Interpolant | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log posterior densities with all sets of controls summed and, given ``rng``, draws.

    Parameters
    ----------
    model : ImpactModel
    log_sds : ndarray, shape (n, 2 or 3)
    rng : Generator, optional
    grid : Interpolant, optional
        Where moments come from; computed at every point where it is left out.

    Returns
    -------
    values : ndarray, shape (n,)
        The constants of the priors of the sds and of the sets are left out.
    coefficients : ndarray, shape (n, p)
    states : ndarray, shape (n, m)
    """
    n, m, p = len(log_sds), model.n_states, model.n_controls
    values = np.empty(n)
    coefficients = np.zeros((n, p))
    states = np.zeros((n, m))
    normals = np.empty((0, 0)) if rng is None else rng.standard_normal((n, p + 2 * m))
    uniforms = np.empty(0) if rng is None else rng.random(n)
    grid = no_interpolant(model.n_states) if grid is None else grid
    log_sds = np.ascontiguousarray(log_sds)

    def run(task: slice) -> None:
        evaluate_points(
            log_sds[task], normals[task], uniforms[task], grid, *model.arguments, values[task],
            coefficients[task], states[task],
        )  # fmt: skip

    # points are independent and tasks end where blocks of points end: the result does not depend
    # on who computes them
    each = max(POINTS_PER_TASK, -(-n // (TASKS * BLOCK)) * BLOCK)
    if not grid.table.size:
        each = max(LANES, min(each, -(-n // (TASKS * LANES)) * LANES))
    filters = NANOSECONDS * model.columns.size
    if grid.table.size:
        filters = PER_ENTRY * grid.table[0].size
    sets = PER_SET * 2.0 ** int((~model.always).sum())
    share_out(run, n, each, worth=n * (filters + sets + PER_POINT) > WORTH_THREADS)
    return values, coefficients, states
