"""Coordinates in which the log sds are integrated: near normal a posteriori."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lift.impact.model import ImpactModel

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

FloatArray = NDArray[np.float64]

# Rough posterior sds of the log sds of noise and level.
WIDTHS = (0.2, 0.15)
# The season's coordinate is tabulated up to here, at this many points.
SEASON_REACH = 9.0
SEASON_NODES = 361


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Log sds as functions of coordinates.

    Those of noise and level are shifted and scaled. The season's sd has a nearly flat prior on the
    log scale that ends in cliffs; it is the prior's quantile at ``Phi(z)``, so that data that say
    little about it leave ``z`` about normal.

    Attributes
    ----------
    start : ndarray, shape (2,) or (3,)
        Log sds about which noise and level are scaled.
    season : CubicSpline or None
        Log sd of the season at a coordinate.
    """

    start: FloatArray
    season: CubicSpline | None

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.start)

    def log_sds(self, z: FloatArray) -> FloatArray:
        """Return log sds of points (..., d); a season's beyond the table stays at its end."""
        out = self.start + np.asarray(z)
        out[..., :2] = self.start[:2] + np.array(WIDTHS) * z[..., :2]
        if self.season is not None:
            out[..., 2] = self.season(np.clip(z[..., 2], -SEASON_REACH, SEASON_REACH))
        return out

    def log_jacobian(self, z: FloatArray) -> FloatArray:
        """Return the log derivative at points (n, d), up to a constant; -inf beyond the table."""
        if self.season is None:
            return np.zeros(len(z))
        inside = np.abs(z[:, 2]) < SEASON_REACH
        slope = self.season(np.where(inside, z[:, 2], 0.0), 1)
        # where the prior has reached its limit the table is flat, and may fall by rounding
        out = np.full(len(z), -np.inf)
        np.log(slope, out=out, where=inside & (slope > 0.0))
        return out


def coordinates_of(model: ImpactModel) -> Coordinates:
    """Return coordinates for the log sds of a model."""
    start = model.start
    if len(start) == 2:
        return Coordinates(start, None)
    return Coordinates(
        start, season_quantiles(model.shapes[2], model.rates[2], model.prior.limits[2])
    )


def season_quantiles(shape: float, rate: float, limit: float) -> CubicSpline:
    """Return the season's log sd as a function of ``z``, ``Phi(z)`` being its prior probability.

    Parameters
    ----------
    shape, rate : float
        Of the gamma prior of the precision.
    limit : float
        Largest sd.
    """
    # long imports that a model without a season does not need
    from scipy.interpolate import CubicSpline
    from scipy.special import gammaincc, gammainccinv, ndtr

    z = np.linspace(-SEASON_REACH, SEASON_REACH, SEASON_NODES)
    below_limit = gammaincc(shape, rate / limit**2)
    precision = gammainccinv(shape, ndtr(z) * below_limit) / rate
    return CubicSpline(z, -0.5 * np.log(precision))
