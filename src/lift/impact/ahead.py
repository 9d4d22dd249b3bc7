"""What the outcome would have been after the pre-period: its sum first, its rows if asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lift.impact._paths import forward, sum_loads
from lift.impact.scale import mean_of_outcome, to_outcome
from lift.rng import stream

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Where no shock reaches the sum there is nothing to share out.
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Ahead:
    """Draws of the rows after the pre-period.

    On the linear scale the sum over the rows that count is normal given hyperparameters,
    coefficients and last state, so that it is drawn by itself; the rows are then drawn given their
    sum.

    Attributes
    ----------
    log_sds : ndarray, shape (draw, 2 or 3)
    states : ndarray, shape (draw, m)
        Level and season on the first of the rows, on the model's scale.
    known : ndarray, shape (draw, p)
        Coefficients of the controls.
    controls : ndarray, shape (row, p)
    counted : ndarray of bool, shape (row,)
        Rows of the post-period whose outcome was observed.
    first, duration : int
        Rows of the pre-period, and rows in a season.
    start_mean, center, scale : float
        ``center + scale * (start_mean + ...)`` is on the scale of the model.
    form : str
        One of :data:`lift.impact.scale.SCALES`.
    seed : int
    """

    log_sds: FloatArray
    states: FloatArray
    known: FloatArray
    controls: FloatArray
    counted: BoolArray
    first: int
    duration: int
    start_mean: float
    center: float
    scale: float
    form: str
    seed: int

    @cached_property
    def sums(self) -> tuple[FloatArray, FloatArray]:
        """Expected and predicted sums over the rows that count, without and with noise, (draw,)."""
        if self.form != "linear":
            expected, predicted = self.rows
            return expected[:, self.counted].sum(axis=1), predicted[:, self.counted].sum(axis=1)
        expected, noise = self._model_sums
        base = self.counted.sum() * (self.center + self.scale * self.start_mean)
        expected = base + self.scale * expected
        return expected, expected + self.scale * noise

    @cached_property
    def rows(self) -> tuple[FloatArray, FloatArray]:
        """Expected and predicted outcome on every row, (draw, row)."""
        n_draws, n_rows = len(self.log_sds), len(self.controls)
        sds = np.exp(self.log_sds)
        rng = stream(self.seed, "impact", "ahead")
        signal = np.empty((n_draws, n_rows))
        shocks = rng.standard_normal((n_draws, n_rows, sds.shape[1] - 1))
        forward(self.states, sds[:, 1:], self.first, self.duration, shocks, signal)
        signal += self.known @ self.controls.T
        noise = rng.standard_normal((n_draws, n_rows)) * sds[:, :1]
        if self.form == "linear":
            wanted, wanted_noise = self._model_sums
            weights = self.counted.astype(np.float64)
            covs = np.square(sds[:, 1:]) @ self._covs
            signal += covs * ((wanted - signal @ weights) / (covs @ weights + TINY))[:, None]
            noise += weights * ((wanted_noise - noise @ weights) / weights.sum())[:, None]
        mean = self.center + self.scale * (self.start_mean + signal)
        expected = mean_of_outcome(mean, self.scale * sds[:, :1], self.form)
        return expected, to_outcome(mean + self.scale * noise, self.form)

    @cached_property
    def _loads(self) -> tuple[FloatArray, FloatArray]:
        """What the sum of the signal takes of the states (m,) and of later shocks (kind, row)."""
        of_states = np.zeros(self.states.shape[1])
        of_shocks = np.zeros((self.log_sds.shape[1] - 1, len(self.controls)))
        weights = self.counted.astype(np.float64)
        sum_loads(weights, self.first, self.duration, of_states, of_shocks)
        return of_states, of_shocks

    @cached_property
    def _covs(self) -> FloatArray:
        """Covariances of rows of the signal with its sum, for shocks of sd one, (kind, row)."""
        _, of_shocks = self._loads
        kinds = len(of_shocks)
        shocks = np.stack([np.diag(of_row) for of_row in of_shocks.T], axis=1)
        out = np.empty((kinds, len(self.controls)))
        still = np.zeros((kinds, self.states.shape[1]))
        forward(still, np.ones((kinds, kinds)), self.first, self.duration, shocks, out)
        return out

    @cached_property
    def _model_sums(self) -> tuple[FloatArray, FloatArray]:
        """Draws of the signal's sum, ``start_mean`` left out, and of the noise's, (draw,)."""
        of_states, of_shocks = self._loads
        variances = np.exp(2.0 * self.log_sds)
        normals = stream(self.seed, "impact", "sums").standard_normal((2, len(variances)))
        signal = self.states @ of_states + self.known @ (self.counted @ self.controls)
        signal += np.sqrt(variances[:, 1:] @ np.square(of_shocks).sum(axis=1)) * normals[0]
        return signal, np.sqrt(self.counted.sum() * variances[:, 0]) * normals[1]
