"""When to interpolate the moments, on which nodes, and whether that is exact enough."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lift.engines.threads import share_out
from lift.impact._interpolant import (
    Interpolant,
    no_interpolant,
    polynomials_of,
    term_weights,
)
from lift.impact._moments import fill_moments, n_packed
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
    cuts: int = 1,
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
    cuts : int
        Pieces of the box along each axis, each with a series of its own.

    Returns
    -------
    Interpolant
        One without terms where there would be more nodes than ``n_points``, or where it misses
        the moments by more than ``SLACK`` times what it is sized for at random points of its box,
        in shares of their largest.
    """
    floors = floors_of(model)
    low, high = (0.5 * np.log(floors + np.exp(2.0 * ends)) for ends in (low, high))
    sizes = np.maximum(MIN_NODES, _sizes(high - low, digits))
    if sizes.prod() > n_points:
        return no_interpolant(model.n_states)
    axes = [
        lo + (hi - lo) * (1.0 + _nodes(n)) / 2.0 for lo, hi, n in zip(low, high, sizes, strict=True)
    ]
    probes = _log_ratios(low + (high - low) * rng.random((N_PROBES, len(low))), floors)
    moments = moments_at(model, np.concatenate([_log_ratios(_product(axes), floors), probes]))
    moments, truth = moments[:-N_PROBES], moments[-N_PROBES:]
    error = np.exp(-digits) * np.maximum(np.abs(moments).max(axis=0), LEAST_SCALE)
    own_sizes = np.minimum(sizes, _sizes((high - low) / cuts, digits))
    table, degrees = _series(moments, sizes, own_sizes, cuts, LEFT_OUT * error)
    found = Interpolant(table, degrees, floors, low, high, own_sizes, cuts)
    weights = np.empty(len(degrees))
    made = [
        table[term_weights(at, found, polynomials_of(found), weights)].T @ weights for at in probes
    ]
    missed = np.abs(np.stack(made) - truth)
    return found if np.all(missed <= SLACK * error) else no_interpolant(model.n_states)


def _sizes(widths: FloatArray, digits: float) -> NDArray[np.int64]:
    """Return how many Chebyshev terms axes of so many log units take to miss by exp(-digits)."""
    half = widths / np.pi
    rho = half**-1 + np.sqrt(1.0 + half**-2)
    return np.ceil(digits / np.log(rho)).astype(np.int64)


def _series(
    moments: FloatArray,
    sizes: NDArray[np.int64],
    own_sizes: NDArray[np.int64],
    cuts: int,
    least: FloatArray,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the terms of the pieces' Chebyshev series through moments at nodes; their degrees.

    Parameters
    ----------
    moments : ndarray, shape (nodes, entries)
        At the product of the axes' nodes, the last axis running fastest.
    sizes, own_sizes : ndarray of int, shape (axes,)
        Nodes of the box along each axis, and terms of a piece.
    cuts : int
        Pieces along each axis.
    least : ndarray, shape (entries,)
        Terms that add less than this to every entry in every piece are left out: about half of
        them, those of a high degree along both axes.

    Returns
    -------
    terms : ndarray, shape (pieces, terms, entries)
    degrees : ndarray, shape (terms, axes)
    """
    terms = moments.reshape(*sizes, -1)
    for axis, (n, own) in enumerate(zip(sizes, own_sizes, strict=True)):
        terms = np.moveaxis(np.tensordot(_onto(n, own, cuts), terms, axes=(1, axis)), 0, axis)
    dim = len(sizes)
    pieces = terms.reshape(*np.ravel([[cuts, own] for own in own_sizes]), -1)
    order = (*range(0, 2 * dim, 2), *range(1, 2 * dim, 2), 2 * dim)
    table = pieces.transpose(order).reshape(cuts**dim, own_sizes.prod(), -1)
    kept = np.flatnonzero((np.abs(table) > least).any(axis=(0, 2)))
    degrees = np.stack(np.unravel_index(kept, own_sizes), axis=1)
    return np.ascontiguousarray(table[:, kept]), np.ascontiguousarray(degrees)


def _nodes(n: int) -> FloatArray:
    """Return the n Chebyshev nodes between -1 and 1."""
    return np.asarray(np.cos((np.arange(n) + 0.5) * np.pi / n))


def _coefficients(n: int) -> FloatArray:
    """Return the matrix that makes a Chebyshev series of values at the n nodes."""
    out = 2.0 / n * np.cos(np.arange(n)[:, None] * np.arccos(_nodes(n)))
    out[0] /= 2.0
    return np.asarray(out)


@cache
def _onto(n: int, own: int, cuts: int) -> FloatArray:
    """Return the matrix that makes the series of all pieces of an axis of values at its n nodes.

    Shape (cuts * own, n).
    """
    whole = _coefficients(n)
    middles = (2.0 * np.arange(cuts) + 1.0) / cuts - 1.0
    at = middles[:, None] + _nodes(own) / cuts
    values = np.cos(np.arange(n) * np.arccos(at)[..., None]) @ whole
    return np.asarray((_coefficients(own) @ values).reshape(cuts * own, n))


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
    out = np.empty((len(log_ratios), n_packed(width, m)))

    def run(part: slice) -> None:
        fill_moments(log_ratios[part], model.columns, model.observed, model.duration, m, out[part])

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
