"""When to interpolate the moments, on which nodes, and whether that is exact enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lift.engines.threads import share_out
from lift.impact._interpolant import (
    Interpolant,
    moments_at_points,
    no_interpolant,
    polynomials_of,
    term_weights,
)
from lift.impact.model import NANOSECONDS, WORTH_THREADS, ImpactModel

FloatArray = NDArray[np.float64]

# exp(-EXACT) is the error that a grid is sized for where draws are made, exp(-ROUGH) where it is
# looked where they are; the nearest singularity of the moments lies half a pi off the real axis.
EXACT = 22.0
ROUGH = 8.0
MIN_NODES = 8
# It may miss by so many times that, in shares of an entry's largest value or of this; terms below
# so many times that are left out.
SLACK = 100.0
LEAST_SCALE = 1e-2
LEFT_OUT = 0.3
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
        One without terms where there would be more nodes than ``n_points``, or where it misses
        the moments by more than ``SLACK`` times what it is sized for at random points of its box,
        in shares of their largest.
    """
    floors = floors_of(model)
    low, high = (0.5 * np.log(floors + np.exp(2.0 * ends)) for ends in (low, high))
    half = (high - low) / np.pi
    rho = half**-1 + np.sqrt(1.0 + half**-2)
    sizes = np.maximum(MIN_NODES, np.ceil(digits / np.log(rho))).astype(np.int64)
    if sizes.prod() > n_points:
        return no_interpolant(model.n_states)
    angles = [(np.arange(n) + 0.5) * np.pi / n for n in sizes]
    axes = [
        lo + (hi - lo) * (1.0 + np.cos(angle)) / 2.0
        for lo, hi, angle in zip(low, high, angles, strict=True)
    ]
    probes = _log_ratios(low + (high - low) * rng.random((N_PROBES, len(low))), floors)
    moments = moments_at(model, np.concatenate([_log_ratios(_product(axes), floors), probes]))
    moments, truth = moments[:-N_PROBES], moments[-N_PROBES:]
    error = np.exp(-digits) * np.maximum(np.abs(moments).max(axis=0), LEAST_SCALE)
    table, degrees = _series(moments, angles, LEFT_OUT * error)
    found = Interpolant(table, degrees, floors, low, high, sizes)
    weights = np.empty((len(probes), len(table)))
    for probe, row in zip(probes, weights, strict=True):
        term_weights(probe, found, polynomials_of(found), row)
    missed = np.abs(weights @ table - truth)
    return found if np.all(missed <= SLACK * error) else no_interpolant(model.n_states)


def _series(
    moments: FloatArray, angles: Sequence[FloatArray], least: FloatArray
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the terms of the Chebyshev series through moments at nodes, and their degrees.

    Parameters
    ----------
    moments : ndarray, shape (nodes, entries)
        At the product of the axes' nodes, the last axis running fastest.
    angles : sequence of ndarray
        Of each axis' nodes, the nodes being their cosines.
    least : ndarray, shape (entries,)
        Terms that add less than this to every entry are left out: about half of them, those of a
        high degree along both axes.

    Returns
    -------
    terms : ndarray, shape (terms, entries)
    degrees : ndarray, shape (terms, axes)
    """
    onto: FloatArray = np.ones((1, 1))
    for angle in angles:
        n = len(angle)
        cosines = 2.0 / n * np.cos(np.arange(n)[:, None] * angle)
        cosines[0] /= 2.0
        onto = np.kron(onto, cosines).astype(np.float64, copy=False)
    terms = onto @ moments
    kept = np.flatnonzero((np.abs(terms) > least).any(axis=1))
    degrees = np.stack(np.unravel_index(kept, [len(angle) for angle in angles]), axis=1)
    return terms[kept], np.ascontiguousarray(degrees)


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
