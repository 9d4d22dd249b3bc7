"""Hyperparameters on a grid: where their density is, in cells, and points that fall into them.

With two or three hyperparameters the log density is tabulated on a grid that holds it and
interpolated to the midpoints of smaller cells. Points are spread over the cells by their shares,
uniformly within each, and weighted by the density over what they were drawn from: importance
sampling whose proposal is the density itself, but for its change within a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from lift.engines.importance import Weighted
from lift.engines.pareto import pareto_k
from lift.impact.density import Density
from lift.impact.interpolant import ROUGH
from lift.rng import stream

FloatArray = NDArray[np.float64]

# Points of the grid along each axis of two and of three hyperparameters, and cells for each point.
N_GRID = {2: 16, 3: 12}
N_CUTS = {2: 2, 3: 3}
# Axes are first looked along so far from the mode, in rough sds, at so many points, ...
REACH = 8.0
N_FIRST = 17
# ... then, where the density is, at so many ...
N_ALONG = 33
# ... until the density lies so many logs below the largest; then the grid is stretched until that
# holds of all the outermost points, by fewer logs: about 1e-6 of the mass is left outside.
DEPTH = 18.0
EDGE_DEPTH = 12.0
STRETCH = 0.25
MARGIN = 0.1
MAX_ROUNDS = 12
# A grid of which the density fills less than this share of an axis is shrunk.
MIN_FILLED = 0.5
# Deeper than this the log density is not followed, and from this depth on there are no cells.
FLOOR = 40.0
KEPT_DEPTH = 15.0
# Beside a point of the grid it is held to be at most so many logs lower.
STEEP = 4.0
# The search for the mode starts at the best of these, in coordinates of noise, level and season: a
# wandering outcome may be noise or level, and either is a mode.
STARTS = ((-20.0, -10.0, -4.0, 0.0, 2.0), (-4.0, 0.0, 5.0, 10.0, 20.0), (-1.0, 0.5))
NEWTON_STEPS = 20
DIFFERENCE = 0.05
MAX_STEP = 3.0
NEAR = 0.1
RIDGE = 1e-12
# Points drawn for 100 draws that are asked for; batches until these are reached.
SPARE = 106
MAX_BATCHES = 6
MIN_POINTS = 32
MIN_EFFICIENCY = 0.4


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells and their shares of a density.

    Attributes
    ----------
    edges : ndarray, shape (d, n + 1)
        Of the cells along each axis, in units of ``axes`` from ``centre``.
    shares : ndarray, shape (n, ..., n)
        They sum to one.
    centre : ndarray, shape (d,)
    axes : ndarray, shape (d, d)
        Lower triangular; a unit step along axis i is ``axes[:, i]``.
    """

    edges: FloatArray
    shares: FloatArray
    centre: FloatArray
    axes: FloatArray

    @cached_property
    def _reached(self) -> FloatArray:
        """Shares summed up to each cell, the last axis running fastest."""
        return np.cumsum(self.shares)

    @cached_property
    def _log_shares(self) -> FloatArray:
        with np.errstate(divide="ignore"):  # no point falls into an empty cell
            return np.log(self.shares.ravel())

    def points(self, n: int, rngs: Sequence[np.random.Generator]) -> tuple[FloatArray, FloatArray]:
        """Return ``n`` points of each chain and the logs of the density they were drawn from.

        Systematic over the cells: each receives its share of the points, rounded up or down.

        Parameters
        ----------
        n : int
        rngs : sequence of Generator
            One for each chain.

        Returns
        -------
        points : ndarray, shape (chain, n, d)
        logs : ndarray, shape (chain, n)
        """
        inside = np.empty((len(rngs), n, len(self.edges)))
        at = np.tile(np.arange(n, dtype=np.float64), (len(rngs), 1))
        for rng, own_at, own in zip(rngs, at, inside, strict=True):
            own_at += rng.random()
            rng.random(out=own)
        index = np.minimum(np.searchsorted(self._reached, at / n), self.shares.size - 1)
        logs = self._log_shares.take(index) - np.log(np.diag(self.axes)).sum()
        cells = np.unravel_index(index, self.shares.shape)
        for axis, (edges, cell) in enumerate(zip(self.edges, cells, strict=True)):
            widths = np.diff(edges)
            logs -= np.log(widths).take(cell)
            inside[..., axis] *= widths.take(cell)
            inside[..., axis] += edges.take(cell)
        return self.centre + inside @ self.axes.T, logs


def find_cells(density: Density, n_points: int, seed: int) -> tuple[Cells, Density] | None:
    """Return the cells that hold a density, and the density in the form to use in them.

    Parameters
    ----------
    density : Density
        Of two or three hyperparameters.
    n_points : int
        Points at which the density will be asked for.
    seed : int
        Root seed.

    Returns
    -------
    tuple of Cells and Density, or None
        None where no grid of reasonable size holds the density.
    """
    dim = density.dim
    centre, axes = _mode(density)
    low, high = np.full(dim, -REACH), np.full(dim, REACH)
    rng = stream(seed, "impact", "probes")
    n_grid = N_GRID[dim] ** dim
    rough, closed = density, False
    for i in range(MAX_ROUNDS):
        z, at, logs = _along(rough, centre, axes, low, high, N_ALONG if i else N_FIRST)
        if i == 0 and density.costly:
            rough = density.focused(_near(z, logs.ravel(), DEPTH), rng, n_grid, ROUGH)
        low, high, closed = _ends(logs, at)
        if closed:
            break
    if not closed:
        return None
    # beside the axes the density may reach further than along them
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    if not density.costly:
        near = _near(z, logs.ravel(), DEPTH)
        rough = density = density.focused(near, rng, n_points + n_grid)
    for _ in range(MAX_ROUNDS):
        _, at, logs = _along(rough, centre, axes, low, high, N_ALONG)
        edges, middles = _divided(at, logs, N_GRID[dim], N_CUTS[dim])
        mesh = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1)
        z = centre + mesh.reshape(-1, dim) @ axes.T
        logs = rough.log(z).reshape(mesh.shape[:-1])
        others = [tuple(k for k in range(dim) if k != axis) for axis in range(dim)]
        profiles = np.stack([logs.max(axis=own) for own in others])
        open_low, open_high = (profiles[:, [0, -1]] > logs.max() - EDGE_DEPTH).T
        if not (open_low | open_high).any():
            cells = _cut(density, logs - logs.max(), edges, centre, axes)
            if density.costly:
                near = _near(z, logs.ravel(), EDGE_DEPTH)
                density = density.focused(near, rng, n_points)
            return cells, density
        stretch = STRETCH * (high - low)
        low, high = low - stretch * open_low, high + stretch * open_high
    return None


def _near(z: FloatArray, logs: FloatArray, depth: float) -> FloatArray:
    """Return the points whose log density is less than ``depth`` below the largest."""
    return z[logs > logs.max() - depth]


def _along(
    density: Density,
    centre: FloatArray,
    axes: FloatArray,
    low: FloatArray,
    high: FloatArray,
    count: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return points along each axis, their places (axis, point) on it, and their log densities."""
    dim = density.dim
    at = np.linspace(low, high, count, axis=1)
    places = np.zeros((dim, count, dim))
    for axis in range(dim):
        places[axis, :, axis] = at[axis]
    z = centre + places.reshape(-1, dim) @ axes.T
    return z, at, density.log(z).reshape(dim, count)


def _ends(logs: FloatArray, at: FloatArray) -> tuple[FloatArray, FloatArray, bool]:
    """Return where profiles (axis, point) of a density end, and whether they end well inside.

    Where they do not the ends lie further out.
    """
    n = at.shape[1]
    matters = logs > logs.max() - DEPTH
    first, last = matters.argmax(axis=1), n - 1 - matters[:, ::-1].argmax(axis=1)
    rows = np.arange(len(at))
    stretch = STRETCH * (at[:, -1] - at[:, 0])
    low = np.where(first > 0, at[rows, np.maximum(first - 1, 0)], at[:, 0] - stretch)
    high = np.where(last < n - 1, at[rows, np.minimum(last + 1, n - 1)], at[:, -1] + stretch)
    closed = (first > 0).all() and (last < n - 1).all() and (last - first > MIN_FILLED * n).all()
    return low, high, bool(closed)


def _divided(
    at: FloatArray, logs: FloatArray, count: int, cuts: int
) -> tuple[FloatArray, FloatArray]:
    """Return edges of cells along each axis and the middles of groups of ``cuts`` cells.

    Half of the cells have one size; the others lie where a density changes most within a cell: the
    variance of the weights is least where sizes go with ``(density slope^2)^(-1/3)``.

    Parameters
    ----------
    at, logs : ndarray, shape (axis, point)
        Places along each axis and the log density there.
    count, cuts : int

    Returns
    -------
    edges : ndarray, shape (axis, count * cuts + 1)
    middles : ndarray, shape (axis, count)
    """
    edges, middles = [], []
    for own, values in zip(at, logs - logs.max(), strict=True):
        step = own[1] - own[0]
        held = np.maximum(values, -FLOOR)
        density = np.exp(held)
        mean = (density @ own) / density.sum()
        curvature = density.sum() / (density @ (own - mean) ** 2 + RIDGE)
        rate = np.cbrt(density * (np.gradient(held, step) ** 2 + curvature))
        rate = rate / rate.sum() + 1.0 / len(own)
        place = np.append(0.0, np.cumsum((rate[1:] + rate[:-1]) / 2.0))
        place /= place[-1]
        edges.append(np.interp(np.linspace(0.0, 1.0, count * cuts + 1), place, own))
        middles.append(np.interp((np.arange(count) + 0.5) / count, place, own))
    return np.stack(edges), np.stack(middles)


def _cut(
    density: Density, logs: FloatArray, edges: FloatArray, centre: FloatArray, axes: FloatArray
) -> Cells:
    """Return cells smaller than those of a grid, their log density interpolated."""
    dim, count = logs.ndim, logs.shape[0]
    cuts = (edges.shape[1] - 1) // count
    around = maximum_filter(logs, size=3, mode="nearest")
    # beyond a limit there is nothing, up to it there may be much: carried on for interpolation
    fine = np.where(np.isfinite(logs), logs, maximum_filter(around, size=3, mode="nearest"))
    fine = np.maximum(fine, -FLOOR)
    onto = _cubic(count, cuts)
    for axis in range(dim):
        fine = np.moveaxis(np.tensordot(onto, fine, axes=(1, axis)), 0, axis)
        around = np.repeat(around, cuts, axis)
    # a grid does not see how steep a slope is between its points
    fine = np.maximum(fine, around - STEEP)
    shares = np.where(fine > -KEPT_DEPTH, np.exp(fine), 0.0)
    for axis, widths in enumerate(np.diff(edges)):
        shares *= widths.reshape([-1 if k == axis else 1 for k in range(dim)])
    far = np.maximum(edges[:, :1] * axes.T, edges[:, -1:] * axes.T).sum(axis=0)
    if not density.reachable(centre + far[None]).all():
        ends = np.stack(np.meshgrid(*edges[:, :-1], indexing="ij"), axis=-1)
        others = np.stack(np.meshgrid(*edges[:, 1:], indexing="ij"), axis=-1)
        lowest = np.minimum(ends[..., None] * axes.T, others[..., None] * axes.T).sum(axis=-2)
        inside = density.reachable(centre + lowest.reshape(-1, dim))
        shares *= inside.reshape(shares.shape)
    return Cells(edges, shares / shares.sum(), centre, axes)


@cache
def _cubic(count: int, cuts: int) -> FloatArray:
    """Return the matrix of cubic interpolation from the middles of cells to those of their parts.

    Shape (count * cuts, count); through the four nearest middles.
    """
    at = (np.arange(count * cuts) + 0.5) / cuts - 0.5
    first = np.clip(np.floor(at).astype(int) - 1, 0, count - 4)
    out = np.zeros((len(at), count))
    for i in range(4):
        weight = np.ones(len(at))
        for k in range(4):
            if k != i:
                weight *= (at - first - k) / (i - k)
        out[np.arange(len(at)), first + i] = weight
    return out


def weighted_points(
    cells: Cells, density: Density, *, n_draws: int, n_chains: int, seed: int
) -> Weighted | None:
    """Return points of the cells, weighted by the density.

    Parameters
    ----------
    cells : Cells
    density : Density
    n_draws : int
        Effective sample size to reach, over all chains.
    n_chains : int
    seed : int
        Root seed.

    Returns
    -------
    Weighted or None
        None where the points are worth too little: the cells do not resolve the density.
    """
    dim = density.dim
    points, logs, extras = [], [], []
    size = -(-SPARE * n_draws // (100 * n_chains))
    for batch in range(MAX_BATCHES):
        rngs = [
            stream(seed, "impact", "cells", f"chain {chain}", f"batch {batch}")
            for chain in range(n_chains)
        ]
        fresh, own_logs = cells.points(size, rngs)
        rng = stream(seed, "impact", "coefficients", f"batch {batch}")
        values, more = density.draw(fresh.reshape(-1, dim), rng)
        values = np.where(np.isfinite(values), values, -np.inf).reshape(n_chains, size)
        points.append(fresh)
        logs.append(values - own_logs)
        extras.append(more.reshape(n_chains, size, -1))
        pooled = np.concatenate(logs, axis=1)
        if not np.isfinite(pooled.max()):
            return None
        weights = np.exp(pooled - pooled.max()).ravel()
        ess = float(weights.sum() ** 2 / (weights @ weights))
        if ess < MIN_EFFICIENCY * pooled.size:
            return None
        if ess >= n_draws:
            break
        size = int((n_draws - ess) / ess * pooled.size * SPARE / 100 / n_chains) + MIN_POINTS
    return Weighted(
        points=np.concatenate(points, axis=1),
        log_weights=pooled,
        batches=tuple(extras),
        ess=ess,
        k=pareto_k(pooled.ravel()),
        n_evaluations=pooled.size,
        net_used=False,
    )


def _mode(density: Density) -> tuple[FloatArray, FloatArray]:
    """Return about the mode and a lower Cholesky factor of about the covariance there.

    Newton's method on finite differences; a grid is laid around it, so that neither need be exact.
    """
    dim = density.dim
    eye = DIFFERENCE * np.eye(dim)
    rows, columns = np.tril_indices(dim, -1)
    pairs = eye[rows] + eye[columns]
    stencil = np.concatenate([np.zeros((1, dim)), eye, -eye, pairs, -pairs])
    starts = np.stack(np.meshgrid(*STARTS[:dim], indexing="ij"), axis=-1).reshape(-1, dim)
    z, variances, vectors = starts[density.log(starts).argmax()], np.ones(dim), np.eye(dim)
    for _ in range(NEWTON_STEPS):
        values = density.log(z + stencil)
        if not np.isfinite(values).all():
            break
        middle, plus, minus = values[0], values[1 : dim + 1], values[dim + 1 : 2 * dim + 1]
        both = values[2 * dim + 1 :].reshape(2, -1).sum(axis=0)
        curvature = np.diag(plus + minus - 2.0 * middle)
        alone = (plus + minus)[rows] + (plus + minus)[columns]
        curvature[rows, columns] = curvature[columns, rows] = (both - alone + 2.0 * middle) / 2.0
        eigenvalues, vectors = np.linalg.eigh(-curvature / DIFFERENCE**2)
        # where the density is hardly curved a step is a long one, not one without end
        variances = 1.0 / np.maximum(eigenvalues, 0.05)
        step = vectors @ (variances * (vectors.T @ (plus - minus))) / (2.0 * DIFFERENCE)
        step *= min(1.0, MAX_STEP / max(float(np.abs(step).max()), 1e-300))
        if np.abs((vectors.T @ step) / np.sqrt(variances)).max() < NEAR:
            break
        z = _improved(density, z, step, float(middle))
    return z, np.linalg.cholesky((vectors * variances) @ vectors.T)


def _improved(density: Density, z: FloatArray, step: FloatArray, value: float) -> FloatArray:
    """Return the best of some points along a step; ``z`` where none is better."""
    tried = z + step * np.array([1.0, 0.5, 0.2, 0.04])[:, None]
    values = density.log(tried)
    best = int(values.argmax())
    return np.asarray(tried[best]) if values[best] > value else z
