"""The posterior density of the hyperparameters, on coordinates in which it is near normal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lift.impact._interpolant import Interpolant, no_interpolant
from lift.impact.coordinates import Coordinates, coordinates_of
from lift.impact.interpolant import EXACT, interpolant_on
from lift.impact.model import NANOSECONDS, ImpactModel, evaluate

FloatArray = NDArray[np.float64]

# A rough interpolant reaches so far beyond its points, in shares of their range.
BEYOND = 0.4
# Nanoseconds of a filter from which it pays to interpolate a few hundred points.
COSTLY = 2000.0
# Pieces of the interpolant's box along each axis.
CUTS = 3


@dataclass(frozen=True, eq=False)
class Density:
    """A model as a density over two or three coordinates, coefficients and states out.

    Attributes
    ----------
    model : ImpactModel
    scale : Coordinates
        Log sds at coordinates.
    grid : Interpolant
        Where the moments come from.
    """

    model: ImpactModel
    scale: Coordinates
    grid: Interpolant

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.scale.dim

    @property
    def costly(self) -> bool:
        """Whether one evaluation costs more than interpolating and checking where it is."""
        return NANOSECONDS * self.model.columns.size > COSTLY

    def log(self, z: FloatArray) -> FloatArray:
        """Return log densities at points (n, d); -inf where there is none."""
        values = evaluate(self.model, self.scale.log_sds(z), grid=self.grid)[0]
        values += self.scale.log_jacobian(z)
        return np.where(np.isfinite(values), values, -np.inf)

    def reachable(self, z: FloatArray) -> NDArray[np.bool_]:
        """Return which points (n, d) have no sd above its limit."""
        limits = np.log(self.model.prior.limits)
        return np.asarray((self.scale.log_sds(z) <= limits).all(axis=1))

    def draw(self, z: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return log densities at points; their log sds and a draw of coefficients and last states.

        The latter side by side, one row for each point.
        """
        log_sds = self.scale.log_sds(z)
        values, coefficients, states = evaluate(self.model, log_sds, rng, self.grid)
        extras = np.concatenate([log_sds, coefficients, states], axis=1)
        return values + self.scale.log_jacobian(z), extras

    def focused(
        self, z: FloatArray, rng: np.random.Generator, n_points: int, digits: float = EXACT
    ) -> Density:
        """Return the density with moments interpolated around points ``z``, if that is cheaper.

        Parameters
        ----------
        z : ndarray, shape (n, d)
        rng : Generator
            Picks the points at which the interpolant is held against the moments.
        n_points : int
            Points at which the density will be asked for.
        digits : float
            ``EXACT``, or ``ROUGH`` to look where the density is, somewhat beyond the points too.
        """
        log_sds = self.scale.log_sds(z)
        at = log_sds[:, 1:] - log_sds[:, :1]
        low, high = at.min(axis=0), at.max(axis=0)
        beyond = BEYOND * (high - low) if digits < EXACT else 0.0
        grid = interpolant_on(self.model, low - beyond, high + beyond, rng, n_points, digits, CUTS)
        return replace(self, grid=grid)


def density_of(model: ImpactModel) -> Density:
    """Return the density of a model's hyperparameters."""
    return Density(model, coordinates_of(model), no_interpolant(model.n_states))
