"""The scale on which the model is Gaussian, and the way back to the outcome's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.errors import Problem

FloatArray = NDArray[np.float64]

SCALES = ("linear", "log", "counts")
"""Linear as in R; log for outcomes whose effects multiply; square roots for counts, whose variance
is then about the same at every level (Bartlett 1936, doi:10.2307/2983678)."""


def scale_problems(outcome: FloatArray, begin: int, pre_end: int, scale: str) -> list[Problem]:
    """Return what of the pre-period's outcome the scale cannot hold.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        NaN is a row that was not observed.
    begin, pre_end : int
        First row of the pre-period and the row after it.
    scale : str
        One of ``SCALES``.

    Returns
    -------
    list of Problem
    """
    before = outcome[begin:pre_end]
    if scale == "log" and (n := int((before <= 0.0).sum())):
        what = (
            f"on the log scale the outcome must be above 0 in the pre-period, found {n} row(s) at "
            "or below; use scale 'counts' or 'linear'"
        )
        return [Problem("data", what)]
    if scale == "counts" and (n := int((before < 0.0).sum())):
        what = f"counts must be 0 or larger in the pre-period, found {n} row(s) below; use 'linear'"
        return [Problem("data", what)]
    return []


def to_model(outcome: FloatArray, scale: str) -> FloatArray:
    """Return an outcome on the model's scale.

    Parameters
    ----------
    outcome : ndarray
        NaN where not observed.
    scale : str
        One of ``SCALES``.

    Returns
    -------
    ndarray
    """
    if scale == "log":
        return np.log(outcome)
    return np.sqrt(outcome) if scale == "counts" else outcome


def to_outcome(values: FloatArray, scale: str) -> FloatArray:
    """Return draws with noise on the outcome's own scale.

    Parameters
    ----------
    values : ndarray
        On the model's scale; below 0 is 0 on that of counts.
    scale : str
        One of ``SCALES``.

    Returns
    -------
    ndarray
    """
    if scale == "log":
        return np.exp(values)
    return np.square(np.maximum(values, 0.0)) if scale == "counts" else values


def mean_of_outcome(mean: FloatArray, sd: FloatArray, scale: str) -> FloatArray:
    """Return the expected outcome where the model's scale has a mean and a noise sd.

    Parameters
    ----------
    mean, sd : ndarray
        On the model's scale; their shapes go together.
    scale : str
        One of ``SCALES``.

    Returns
    -------
    ndarray
        ``mean``, ``exp(mean + sd^2 / 2)`` or ``mean^2 + sd^2``.
    """
    if scale == "log":
        return np.asarray(np.exp(mean + sd**2 / 2.0))
    return np.asarray(mean**2 + sd**2) if scale == "counts" else mean
