"""First levels of prior-drawn campaigns: drawn from the prior that is fitted, not held.

The model's prior of a first level is normal about the median log downloads: it depends on the data.
Levels are therefore drawn evenly, and of the campaigns that come about as many are kept as the
density of that prior says. It is too wide for campaigns of few downloads a day, or of any size that
a test is about: of what is drawn only campaigns in a range of sizes are kept. What is true of all
data is true of some of them, as long as the data alone say which.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design

FloatArray = NDArray[np.float64]

EARLY_DAYS = 30
"""Days before any post whose mean downloads are the size of a market."""
BEYOND = 1.5
"""How much farther than the range of sizes first levels are drawn, in logs: no market of a size in
the range has a first level farther out."""


def even_levels(sizes: Sequence[tuple[float, float]], rng: np.random.Generator) -> FloatArray:
    """Return log first levels of markets, drawn evenly around the ranges of their sizes."""
    low, high = np.log(np.array(sizes)).T
    return rng.uniform(low - BEYOND, high + BEYOND)


def in_range(sizes: Sequence[tuple[float, float]], downloads: Sequence[FloatArray]) -> bool:
    """Return whether the mean downloads of the early days of all markets are in their ranges."""
    early = [values[:EARLY_DAYS].mean() for values in downloads]
    return all(low <= mean <= high for mean, (low, high) in zip(early, sizes, strict=True))


def drawn_by_prior(designs: Sequence[Design], levels: FloatArray, rng: np.random.Generator) -> bool:
    """Return whether a campaign at evenly drawn levels is kept: as often as their prior says.

    Parameters
    ----------
    designs : sequence of Design
        Of the campaign that came about, one of each market.
    levels : ndarray, shape (market,)
    rng : Generator
    """
    centres = np.array([design.center for design in designs])
    sds = np.array([design.level_start_sd for design in designs])
    return bool(rng.random() < np.exp(-0.5 * (((levels - centres) / sds) ** 2).sum()))
