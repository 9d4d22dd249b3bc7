"""When to interpolate the moments, on which nodes, and whether that is exact enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lift.engines.threads import share_out
from lift.impact._interpolant import Interpolant, moments_at_points, no_interpolant, node_weights
from lift.impact.model import NANOSECONDS, WORTH_THREADS, ImpactModel

FloatArray = NDArray[np.float64]

# exp(-EXACT) is the error that a grid is sized for where draws are made, exp(-ROUGH) where it is
# looked where they are; the nearest singularity of the moments lies half a pi off the real axis.
EXACT = 20.0
ROUGH = 10.0
MIN_NODES = 8
# It may miss by so many times that.
SLACK = 100.0
N_PROBES = 3
POINTS_PER_TASK = 16


def interpolant_on(
    model: ImpactModel,
    low: FloatArray,
    high: FloatArray,
    rng: np.random.Generator,
    n_points: int,
    digits: float = EXACT,
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
    digits : float
        ``EXACT`` or ``ROUGH``.

    Returns
    -------
    Interpolant
        One without nodes where there would be more of them than ``n_points``, or where it misses
        the moments by more than ``SLACK`` times what it is sized for at random points of its box,
        in shares of their largest.
    """
    floors = floors_of(model)
    low, high = (0.5 * np.log(floors + np.exp(2.0 * ends)) for ends in (low, high))
    half = (high - low) / np.pi
    rho = half**-1 + np.sqrt(1.0 + half**-2)
    n_nodes = np.maximum(MIN_NODES, np.ceil(digits / np.log(rho))).astype(np.int64)
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
    probes = _log_ratios(low + (high - low) * rng.random((N_PROBES, len(low))), floors)
    table = moments_at(model, np.concatenate([_log_ratios(_product(axes), floors), probes]))
    table, truth = table[:-N_PROBES], table[-N_PROBES:]
    found = Interpolant(table, floors, low, high, n_nodes, nodes, slopes)
    weights = np.empty((len(probes), len(table)))
    for probe, row in zip(probes, weights, strict=True):
        node_weights(probe, found, np.empty(n_nodes.max()), row)
    scale = np.abs(table).max(axis=0)
    missed = np.abs(weights @ table - truth)
    allowed = SLACK * np.exp(-digits) * np.maximum(scale, 1e-2)
    return found if np.all(missed <= allowed) else no_interpolant(model.n_states)


def floors_of(model: ImpactModel) -> FloatArray:
    """Return variance ratios of level and season below which the moments hardly change.

    At most the inverse of the largest eigenvalue of the signal's covariance for a ratio of one: the
    singularities of the moments, where minus the ratio is the inverse of an eigenvalue, then lie
    half a pi off the axis at least. Of a random walk of n rows that eigenvalue is
    ``((2 n + 1) / pi)^2``; of the season it is at most four times that of a random walk over its
    cycles, for each row that an effect lasts.
    """
    n = len(model.observed)
    walks = [(2 * n + 1) / np.pi]
    if model.n_states > 1:
        cycles = -(-n // (model.period * model.duration))
        walks.append(2.0 * np.sqrt(model.duration) * (2 * cycles + 1) / np.pi)
    return np.array(walks) ** -2.0


def moments_at(model: ImpactModel, log_ratios: FloatArray) -> FloatArray:
    """Return packed moments at log ratios (n, 1 or 2), one row for each of them."""
    m, width = model.n_states, model.columns.shape[1]
    n_entries = width * (width + 1) // 2 + 1 + m * width + m * (m + 1) // 2
    out = np.empty((len(log_ratios), n_entries))

    def run(part: slice) -> None:
        moments_at_points(
            log_ratios[part], model.columns, model.observed, model.duration, m, out[part]
        )

    work = NANOSECONDS * len(log_ratios) * model.columns.size
    share_out(run, len(log_ratios), POINTS_PER_TASK, worth=work > WORTH_THREADS)
    return out


def _log_ratios(places: FloatArray, floors: FloatArray) -> FloatArray:
    """Return log ratios at places (n, d) on the axes."""
    ratios = np.exp(2.0 * places) - floors
    return np.asarray(0.5 * np.log(np.maximum(ratios, np.finfo(np.float64).tiny)))


def _product(axes: Sequence[FloatArray]) -> FloatArray:
    """Return all combinations of the axes' points, the last axis running fastest."""
    mesh = np.meshgrid(*axes, indexing="ij")
    return np.ascontiguousarray(np.stack([axis.ravel() for axis in mesh], axis=1))
