"""What is modelled of the downloads: their log, counts, or the downloads themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.errors import EngineError
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

MIN_LOGNORMAL_MEDIAN = 10.0
OFFSET_WINDOW_DAYS = 7


@dataclass(frozen=True, eq=False)
class Outcome:
    """Downloads on the scale of a model.

    Attributes
    ----------
    likelihood : "lognormal", "negative_binomial" or "normal"
    values : ndarray, shape (n,)
        Log downloads less ``center``, counts, or downloads over ``unit`` less ``center``; 0 where
        not observed.
    center : float
        Median of log downloads, or of downloads over ``unit``: the prior mean of the first level.
    poisson_variance : ndarray, shape (n,)
        Poisson part of the variance of ``values``; 0 for counts.
    unit : float
        Downloads/day that 1 stands for on the linear scale, 1 on the log scale.
    """

    likelihood: str
    values: FloatArray
    center: float
    poisson_variance: FloatArray
    unit: float = 1.0


def build_outcome(downloads: FloatArray, spec: ModelSpec) -> Outcome:
    """Return downloads on the scale of a model.

    Parameters
    ----------
    downloads : ndarray, shape (n,), downloads/day
        NaN marks a day that was not observed.
    spec : ModelSpec

    Returns
    -------
    Outcome

    Raises
    ------
    EngineError
        If a lognormal likelihood is asked for while some day has no download.
    """
    observed = np.isfinite(downloads)
    smooth = np.maximum(_moving_mean(downloads), 0.5)
    if spec.scale == "linear":
        seen = downloads[observed]
        unit = max(float(seen.mean()), float(seen.std())) or 1.0
        center = float(np.median(seen)) / unit
        values = np.where(observed, downloads / unit - center, 0.0)
        return Outcome("normal", values, center, smooth / unit**2, unit)
    likelihood = _likelihood(downloads, spec)
    log_downloads = np.log(np.where(observed, np.maximum(downloads, 0.5), 1.0))
    center = float(np.median(log_downloads[observed]))
    if likelihood == "lognormal":
        values = np.where(observed, log_downloads - center, 0.0)
        return Outcome(likelihood, values, center, 1.0 / smooth)
    counts = np.where(observed, downloads, 0.0)
    return Outcome(likelihood, counts, center, np.zeros(len(downloads)))


def _likelihood(downloads: FloatArray, spec: ModelSpec) -> str:
    zeros = int((downloads == 0).sum())
    if spec.likelihood == "auto":
        enough = zeros == 0 and np.nanmedian(downloads) >= MIN_LOGNORMAL_MEDIAN
        return "lognormal" if enough else "negative_binomial"
    if spec.likelihood == "lognormal" and zeros:
        raise EngineError(
            f"the lognormal likelihood needs downloads above zero, found {zeros} day(s) with none; "
            'use likelihood = "negative_binomial" (or "auto")'
        )
    return spec.likelihood


def _moving_mean(downloads: FloatArray) -> FloatArray:
    series = pd.Series(downloads)
    mean = series.rolling(OFFSET_WINDOW_DAYS, center=True, min_periods=1).mean()
    return mean.interpolate(limit_direction="both").to_numpy(dtype=np.float64)
