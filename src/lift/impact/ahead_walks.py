"""What the outcome would have been after the pre-period, where coefficients walk on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lift.impact._walks import forward_walks
from lift.impact.scale import mean_of_outcome, to_outcome
from lift.impact.walks import WalkModel
from lift.rng import stream

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Shocks held at a time: draws are simulated in parts of so many numbers.
SHOCKS_AT_A_TIME = 4_000_000


@dataclass(frozen=True, eq=False)
class AheadWalks:
    """Draws of the rows after the pre-period.

    Attributes
    ----------
    model : WalkModel
    log_sds : ndarray, shape (draw, s)
    states : ndarray, shape (draw, m)
        On the first of the rows, on the model's scale.
    controls : ndarray, shape (row, p)
    counted : ndarray of bool, shape (row,)
        Rows of the post-period whose outcome was observed.
    center, scale : float
        ``center + scale * (start_mean + ...)`` is on the scale of the model.
    form : str
        One of :data:`lift.impact.scale.SCALES`.
    seed : int
    """

    model: WalkModel
    log_sds: FloatArray
    states: FloatArray
    controls: FloatArray
    counted: BoolArray
    center: float
    scale: float
    form: str
    seed: int

    @cached_property
    def sums(self) -> tuple[FloatArray, FloatArray]:
        """Expected and predicted sums over the rows that count, without and with noise, (draw,)."""
        expected, predicted = self.rows
        return expected[:, self.counted].sum(axis=1), predicted[:, self.counted].sum(axis=1)

    @cached_property
    def rows(self) -> tuple[FloatArray, FloatArray]:
        """Expected and predicted outcome on every row, (draw, row)."""
        n_draws, n_sds = self.log_sds.shape
        n_rows = len(self.controls)
        sds = np.exp(self.log_sds)
        signal = np.empty((n_draws, n_rows))
        noise = np.empty_like(signal)
        controls = np.ascontiguousarray(self.controls)
        states = np.ascontiguousarray(self.states)
        step = max(1, SHOCKS_AT_A_TIME // (n_rows * n_sds))
        for begin in range(0, n_draws, step):
            part = slice(begin, begin + step)
            rng = stream(self.seed, "impact", "ahead", str(begin))
            shocks = rng.standard_normal((len(sds[part]), n_rows, n_sds))
            forward_walks(
                states[part], sds[part], controls, self.model.base, len(self.model.outcome),
                self.model.duration, shocks, signal[part],
            )  # fmt: skip
            noise[part] = sds[part, :1] * shocks[..., 0]
        mean = self.center + self.scale * (self.model.prior.start_mean + signal)
        expected = mean_of_outcome(mean, self.scale * sds[:, :1], self.form)
        return expected, to_outcome(mean + self.scale * noise, self.form)
