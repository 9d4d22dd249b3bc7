"""Hyperparameters as functions of standard normal coordinates.

Every hyperparameter has a coordinate ``z`` whose prior is N(0, 1). A posterior that the data say
little about then looks like its prior: round, with light tails, which is what importance sampling
needs. A standard deviation with an exponential prior of rate ``r`` is
``F^-1(Phi(z)) = -log(1 - Phi(z)) / r``; a normal one is ``mean + sd z``; a share with a
Beta(1, b) prior is ``1 - (1 - Phi(z))^(1/b)``, one with a Beta(a, b) prior the inverse of the
regularised incomplete beta function at ``Phi(z)``; degrees of freedom are 2 plus a gamma quantile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import (
    betainc,
    betaincc,
    betaincinv,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    log_ndtr,
    ndtr,
    ndtri,
    ndtri_exp,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Hyper:
    """One hyperparameter.

    Attributes
    ----------
    name : str
        Its name in the posterior; the levels of an indexed one share a name.
    kind : "exponential", "normal", "beta" or "degrees"
        Prior family.
    first, second : float
        Rate (and nothing) of an exponential, mean and sd of a normal, shapes ``b`` and ``a`` of a
        Beta(a, b): with the default of ``second`` it is Beta(1, first); shape and rate of the
        gamma of degrees of freedom less 2.
    """

    name: str
    kind: Literal["exponential", "normal", "beta", "degrees"]
    first: float
    second: float = 1.0


def natural(z: FloatArray, hypers: tuple[Hyper, ...], mix: FloatArray) -> FloatArray:
    """Return hyperparameters on their own scale.

    Parameters
    ----------
    z : ndarray, shape (n, d)
        Standard normal coordinates.
    hypers : tuple of Hyper, length d
    mix : ndarray, shape (d, d)
        Lower triangular; ``z @ mix.T`` is used in place of ``z`` (it correlates the kernel groups).

    Returns
    -------
    ndarray, shape (n, d)
        Positive for exponential priors, in (0, 1) for beta priors, above 2 for degrees of freedom.
    """
    out = np.zeros_like(z)
    # not a matrix product: how BLAS rounds a row depends on how many there are
    for i, k in np.argwhere(mix):
        out[:, i] += mix[i, k] * z[:, k]
    for i, hyper in enumerate(hypers):
        column = out[:, i]
        if hyper.kind == "exponential":
            out[:, i] = -log_ndtr(-column) / hyper.first
        elif hyper.kind == "beta" and hyper.second == 1.0:
            out[:, i] = -np.expm1(log_ndtr(-column) / hyper.first)
        elif hyper.kind == "beta":
            out[:, i] = _beta_quantile(column, hyper.second, hyper.first)
        elif hyper.kind == "degrees":
            below = gammaincinv(hyper.first, ndtr(np.minimum(column, 0.0)))
            above = gammainccinv(hyper.first, ndtr(-np.maximum(column, 0.0)))
            out[:, i] = 2.0 + np.where(column < 0.0, below, above) / hyper.second
        else:
            out[:, i] = hyper.first + hyper.second * column
    return out


def coordinates(values: FloatArray, hypers: tuple[Hyper, ...], mix: FloatArray) -> FloatArray:
    """Return the standard normal coordinates of hyperparameters; undoes :func:`natural`.

    Parameters
    ----------
    values : ndarray, shape (n, d)
    hypers : tuple of Hyper, length d
    mix : ndarray, shape (d, d)

    Returns
    -------
    ndarray, shape (n, d)
    """
    out = np.empty_like(values)
    for i, hyper in enumerate(hypers):
        if hyper.kind == "exponential":
            out[:, i] = -ndtri_exp(-hyper.first * values[:, i])
        elif hyper.kind == "beta" and hyper.second == 1.0:
            out[:, i] = -ndtri_exp(hyper.first * np.log1p(-values[:, i]))
        elif hyper.kind == "beta":
            out[:, i] = _beta_coordinate(values[:, i], hyper.second, hyper.first)
        elif hyper.kind == "degrees":
            scaled = hyper.second * (values[:, i] - 2.0)
            lower = gammainc(hyper.first, scaled)
            upper = gammaincc(hyper.first, scaled)
            out[:, i] = np.where(lower < 0.5, ndtri(lower), -ndtri(upper))
        else:
            out[:, i] = (values[:, i] - hyper.first) / hyper.second
    return np.linalg.solve(mix, out.T).T


def _beta_quantile(z: FloatArray, a: float, b: float) -> FloatArray:
    """Return the quantile of Beta(a, b) at ``Phi(z)``, from the nearer tail."""
    lower = betaincinv(a, b, ndtr(np.minimum(z, 0.0)))
    upper = 1.0 - betaincinv(b, a, ndtr(-np.maximum(z, 0.0)))
    return np.asarray(np.where(z < 0.0, lower, upper))


def _beta_coordinate(values: FloatArray, a: float, b: float) -> FloatArray:
    """Return the standard normal coordinate of a value with a Beta(a, b) prior."""
    below = betainc(a, b, values)
    return np.asarray(np.where(below < 0.5, ndtri(below), -ndtri(betaincc(a, b, values))))
