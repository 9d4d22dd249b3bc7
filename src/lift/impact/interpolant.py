"""When to interpolate the moments, on which nodes, and whether that is exact enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lift.impact._interpolant import Interpolant, moments_at_nodes, no_interpolant, node_weights
from lift.impact.model import ImpactModel

FloatArray = NDArray[np.float64]

# exp(-DIGITS) is the error the grid is sized for; the nearest singularity of the moments lies
# half a pi off the real axis of the log ratios.
DIGITS = 23.0
MIN_NODES = 8
ACCURACY = 1e-8
N_PROBES = 3


def interpolant_on(
    model: ImpactModel,
    low: FloatArray,
    high: FloatArray,
    rng: np.random.Generator,
    n_points: int,
) -> Interpolant:
    """Return the moments' interpolant on a box of log ratios.

    Parameters
    ----------
    model : ImpactModel
    low, high : ndarray, shape (1,) or (2,)
        Logs of the level's and the season's sd over that of the noise.
    rng : Generator
        Picks the points at which it is held against the moments.
    n_points : int
        Points at which moments will be asked for.

    Returns
    -------
    Interpolant
        One without nodes where there would be more of them than ``n_points``, or where it misses
        the moments by more than ``ACCURACY`` of their largest at random points of its box.
    """
    half = (high - low) / np.pi
    rho = half**-1 + np.sqrt(1.0 + half**-2)
    n_nodes = np.maximum(MIN_NODES, np.ceil(DIGITS / np.log(rho))).astype(np.int64)
    if n_nodes.prod() > n_points:
        return no_interpolant(model.n_states)
    angles = [(2 * np.arange(n) + 1) * np.pi / (2 * n) for n in n_nodes]
    axes = [
        lo + (hi - lo) * (1.0 + np.cos(angle)) / 2.0
        for lo, hi, angle in zip(low, high, angles, strict=True)
    ]
    nodes, slopes = np.zeros((2, len(low), int(n_nodes.max())))
    for axis, angle in enumerate(angles):
        nodes[axis, : len(angle)] = np.cos(angle)
        slopes[axis, : len(angle)] = np.sin(angle) * (1.0 - 2.0 * (np.arange(len(angle)) % 2))
    found = Interpolant(moments_at(model, _product(axes)), low, high, n_nodes, nodes, slopes)
    probes = low + (high - low) * rng.random((N_PROBES, len(low)))
    truth = moments_at(model, probes)
    weights = np.empty((len(probes), found.table.shape[1]))
    for probe, row in zip(probes, weights, strict=True):
        node_weights(probe, found, np.empty(n_nodes.max()), row)
    scale = np.abs(truth).max(axis=1, keepdims=True)
    missed = np.abs(found.table @ weights.T - truth)
    return (
        found
        if np.all(missed <= ACCURACY * np.maximum(scale, 1e-3))
        else no_interpolant(model.n_states)
    )


def moments_at(model: ImpactModel, log_ratios: FloatArray) -> FloatArray:
    """Return packed moments at log ratios (n, 1 or 2), one column for each of them."""
    m, width = model.n_states, model.columns.shape[1]
    n_entries = width * (width + 1) // 2 + 1 + m * width + m * (m + 1) // 2
    table = np.empty((n_entries, len(log_ratios)))
    moments_at_nodes(log_ratios, model.columns, model.observed, model.duration, m, table)
    return table


def _product(axes: Sequence[FloatArray]) -> FloatArray:
    """Return all combinations of the axes' points, the last axis running fastest."""
    mesh = np.meshgrid(*axes, indexing="ij")
    return np.ascontiguousarray(np.stack([axis.ravel() for axis in mesh], axis=1))
