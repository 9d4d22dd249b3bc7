"""What limits the number of an effect, in the words that tables say beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MIDDLE = 0.95
NOTHING_OBSERVED = (
    "no download was observed in its window, so that none can have been brought: the effect is 0 "
    "by definition, whatever the post did"
)
MEAN_OF_A_FEW = (
    "the mean is outside the middle 95% of its draws, made by a few of them: read the median"
)


def of_window(
    downloads: FloatArray, window: NDArray[np.bool_], horizon_end: int, *, multiplies: bool
) -> list[str]:
    """Return what the observed days say against the effect of a set of posts.

    Parameters
    ----------
    downloads : ndarray, shape (n_dates,), downloads/day
        NaN marks a day that was not observed.
    window : ndarray of bool, shape (n_dates,)
        Of the set.
    horizon_end : int
        How many days there would be up to the end of the last post's horizon.
    multiplies : bool
        Whether the effect is a part of the downloads observed, 0 where there are none.

    Returns
    -------
    list of str
        Empty where nothing does.
    """
    seen = window & np.isfinite(downloads)
    said = []
    if multiplies and seen.any() and not downloads[seen].any():
        said.append(NOTHING_OBSERVED)
    if (missing := horizon_end - len(window)) > 0:
        said.append(f"the data end {missing} day(s) before the horizon")
    if unobserved := int(window.sum() - seen.sum()):
        said.append(f"{unobserved} day(s) not observed")
    return said


def of_mean(draws: FloatArray) -> str:
    """Return a warning of a mean that lies outside the middle 95 % of its draws, else "".

    Such a mean is that of a tail too heavy for it, and another seed has another.

    Parameters
    ----------
    draws : ndarray, any shape

    Returns
    -------
    str
    """
    lower, upper = np.quantile(draws, [(1 - MIDDLE) / 2, (1 + MIDDLE) / 2])
    outside = not lower <= draws.mean() <= upper
    return MEAN_OF_A_FEW if outside and np.ptp(draws) > 0.0 else ""
