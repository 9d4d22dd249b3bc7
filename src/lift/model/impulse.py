"""Impulses of posts: their amplitudes times their gains by views and size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core.indexing import (
    ExplicitIndexer,
    IndexingSupport,
    LazilyIndexedArray,
    explicit_indexing_adapter,
)

from lift.model.design import Design

FloatArray = NDArray[np.float64]

LARGE = 2**20
"""Draws of all posts above which impulses are made where they are asked for: 8 MB."""


class Impulses(BackendArray):
    """Impulses that are made where they are asked for; only amplitudes are held.

    Parameters
    ----------
    design : Design
    hyper : ndarray, shape (chain, draw, d)
        Hyperparameters on their own scale.
    amplitude : ndarray, shape (chain, draw, post)
    """

    def __init__(self, design: Design, hyper: FloatArray, amplitude: FloatArray) -> None:
        self.amplitude, self.elasticity = amplitude, _elasticity(design, hyper)
        self.log_views, self.log_size = design.posts.log_views, design.posts.log_size
        self.shape, self.dtype = amplitude.shape, amplitude.dtype

    def __getitem__(self, key: ExplicitIndexer) -> FloatArray:
        """Return the impulses of some chains, draws and posts."""
        return np.asarray(
            explicit_indexing_adapter(key, self.shape, IndexingSupport.BASIC, self._made)
        )

    def _made(self, key: tuple[int | slice, int | slice, int | slice]) -> FloatArray:
        *drawn, post = key
        out = _gains(self.elasticity[*drawn], self.log_views[post], self.log_size[post])
        out *= self.amplitude[key]
        return out


def impulses(
    design: Design, hyper: FloatArray, amplitude: FloatArray
) -> FloatArray | LazilyIndexedArray:
    """Return the impulses of posts.

    Parameters
    ----------
    design : Design
    hyper : ndarray, shape (chain, draw, d)
        Hyperparameters on their own scale.
    amplitude : ndarray, shape (chain, draw, post)

    Returns
    -------
    ndarray or LazilyIndexedArray, shape (chain, draw, post), log-lift-days
        Of more than ``LARGE`` numbers each is made where it is asked for.
    """
    made = Impulses(design, hyper, amplitude)
    return LazilyIndexedArray(made) if amplitude.size > LARGE else made.get_duck_array()


def gains(design: Design, hyper: FloatArray) -> FloatArray:
    """Return what views and size multiply a post's amplitude by, shape (..., post).

    Parameters
    ----------
    design : Design
    hyper : ndarray, shape (..., d)
        Hyperparameters on their own scale.

    Returns
    -------
    ndarray, shape (..., post)
    """
    return _gains(_elasticity(design, hyper), design.posts.log_views, design.posts.log_size)


def _elasticity(design: Design, hyper: FloatArray) -> FloatArray:
    position = design.position("views_elasticity")
    return hyper[..., position].copy() if position >= 0 else np.zeros(hyper.shape[:-1])


def _gains(elasticity: FloatArray, log_views: FloatArray, log_size: FloatArray) -> FloatArray:
    out = np.asarray(np.multiply.outer(elasticity, log_views))
    out += log_size
    return np.exp(out, out=out)
