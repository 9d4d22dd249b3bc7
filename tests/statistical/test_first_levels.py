"""What a first level that is held does to ranks of truths, and that drawn ones do not do it.

Poisson counts of a constant level, and after some days of a level that is a lift higher: the
posterior is computed on a grid, so that nothing but the draws of truths can be wrong.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from first_levels import EARLY_DAYS, drawn_by_prior, even_levels, in_range
from numpy.typing import NDArray

from lift.rng import stream

N_CAMPAIGNS, N_AFTER = 2500, 7
SIZE = (1.0, 4.0)
LEVEL_SD, LIFT_SD = 0.4, 0.7
"""Prior sds; that of the level is narrow, so that it matters that it is drawn."""
LEVELS = np.linspace(-2.5, 4.0, 66)
LIFTS = LIFT_SD * np.linspace(-4.5, 4.5, 41)


def centre(counts: NDArray[np.float64]) -> float:
    return float(np.median(np.log(np.maximum(counts, 0.5))))


def ranks(level: float, lift: float, counts: NDArray[np.float64]) -> tuple[float, float]:
    """Return the posterior probability below the true level and below the true lift."""
    before, after = counts[:EARLY_DAYS].sum(), counts[EARLY_DAYS:].sum()
    days = EARLY_DAYS + N_AFTER * np.exp(LIFTS)
    log_density = (
        (before + after) * LEVELS[:, None]
        + after * LIFTS
        - np.exp(LEVELS)[:, None] * days
        - 0.5 * ((LEVELS[:, None] - centre(counts)) / LEVEL_SD) ** 2
        - 0.5 * (LIFTS / LIFT_SD) ** 2
    )
    density = np.exp(log_density - log_density.max())
    out = []
    for axis, grid, truth in ((1, LEVELS, level), (0, LIFTS, lift)):
        own = density.sum(axis=axis)
        below = (np.cumsum(own) - 0.5 * own) / own.sum()
        out.append(float(np.interp(truth, grid, below)))
    return out[0], out[1]


@pytest.mark.parametrize("held", [False, True], ids=["drawn", "held"])
def test_ranks_are_even_only_at_drawn_levels(held: bool) -> None:
    rng = stream(1, "tests", "first levels")
    found = []
    while len(found) < N_CAMPAIGNS:
        level = 0.3 if held else float(even_levels([SIZE], rng)[0])
        lift = LIFT_SD * rng.standard_normal()
        means = np.exp(level + lift * (np.arange(EARLY_DAYS + N_AFTER) >= EARLY_DAYS))
        counts = rng.poisson(means).astype(float)
        made = [SimpleNamespace(center=centre(counts), level_start_sd=LEVEL_SD)]
        if held or (in_range([SIZE], [counts]) and drawn_by_prior(made, np.array([level]), rng)):
            found.append(ranks(level, lift, counts))
    # standard errors of a mean of even ranks, whose variance is 1 / 12
    z = (np.mean(found, axis=0) - 0.5) * np.sqrt(12 * N_CAMPAIGNS)
    if held:
        # the level looks too low, and with it what the posts did too large
        assert z[0] > 3.5
        assert z[1] < -3.5
    else:
        assert np.abs(z).max() < 3.5
