"""The priors that R's CausalImpact 1.3 and bsts put on a model, computed from the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LEVEL_DF = 32.0
SEASON_GUESS = 0.01
SEASON_DF = 0.01
EXPECTED_CONTROLS = 3.0
EXPECTED_R2 = 0.8
NOISE_DF = 50.0
NOISE_DF_ALONE = 0.01
NOISE_LIMIT = 1.2
SLAB_ROWS = 0.01
SLAB_SHRINKAGE = 0.5
# With coefficients that walk: the noise, each coefficient's daily sd and its first value.
WALK_NOISE_DF = 32.0
WALK_NOISE_LIMIT = 0.1
WALK_GUESS = 0.01
WALK_DF = 1.0
WALK_START_SD = 1.0


@dataclass(frozen=True, eq=False)
class ImpactPrior:
    """What is believed before seeing the outcome.

    Attributes
    ----------
    start_mean, start_sd : float
        The level on the first row is normal with these; season states have mean 0, the same sd.
    guesses, degrees, limits : ndarray, shape (2,) or (3,)
        Noise, level and, if there is one, season: 1 / sd^2 is gamma with shape ``degrees / 2`` and
        rate ``degrees / 2 * guess^2``; the sd is at most its limit.
    precision : ndarray, shape (p, p)
        Coefficients in the model are normal with mean 0 and precision
        ``precision[in, in] / noise_sd^2``.
    inclusion : ndarray, shape (p,)
        Prior probability that a control is in the model.
    """

    start_mean: float
    start_sd: float
    guesses: FloatArray
    degrees: FloatArray
    limits: FloatArray
    precision: FloatArray
    inclusion: FloatArray


def prior_from_data(
    outcome: FloatArray,
    controls: FloatArray,
    *,
    level_sd: float,
    level_df: float = LEVEL_DF,
    season: bool,
    n_fixed: int = 0,
) -> ImpactPrior:
    """Return R's priors.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        The pre-period; NaN is not observed. The first entry is observed.
    controls : ndarray, shape (rows, p)
        The rows that the slab may look at: those of the pre-period or all that are modelled. A
        model with controls has an intercept too, a column of ones.
    level_sd : float
        Guess of the level's daily sd in units of the outcome's sd.
    level_df : float
        Weight of that guess, in rows.
    season : bool
    n_fixed : int
        How many of the last columns are always in the model (calendar columns, which R has not).

    Returns
    -------
    ImpactPrior

    Notes
    -----
    The intercept is one of the columns that share the expected model size of three. The slab is
    worth 0.01 rows of the columns' cross-products, moved half-way to their diagonal (Zellner's
    g-prior as in Scott & Varian 2014, doi:10.1504/IJMMNO.2014.059942).
    """
    spread = float(np.nanstd(outcome, ddof=1))
    n_rows, p = controls.shape
    p -= n_fixed
    if p:
        noise = (float(np.sqrt(1.0 - EXPECTED_R2)) * spread, NOISE_DF)
    else:
        noise = (spread, NOISE_DF_ALONE)
    rows = [(*noise, NOISE_LIMIT * spread), (level_sd * spread, level_df, spread)]
    if season:
        rows.append((SEASON_GUESS * spread, SEASON_DF, spread))
    guesses, degrees, limits = np.array(rows).T
    cross = controls.T @ controls / n_rows
    precision = (1.0 - SLAB_SHRINKAGE) * cross + SLAB_SHRINKAGE * np.diag(np.diag(cross))
    return ImpactPrior(
        start_mean=float(outcome[0]),
        start_sd=spread,
        guesses=guesses,
        degrees=degrees,
        limits=limits,
        precision=SLAB_ROWS * precision,
        inclusion=np.append(np.full(p, min(1.0, EXPECTED_CONTROLS / max(p, 1))), np.ones(n_fixed)),
    )


@dataclass(frozen=True, eq=False)
class WalkPrior:
    """What is believed before seeing the outcome where coefficients walk.

    Attributes
    ----------
    start_mean, start_sd : float
        As in :class:`ImpactPrior`, of level and season.
    guesses, degrees, limits : ndarray, shape (s,)
        As in :class:`ImpactPrior`: noise, level, season if there is one, then each coefficient that
        walks, whose sd has no limit.
    coefficient_sd : float
        On the first row every coefficient is normal with mean 0 and this sd.
    """

    start_mean: float
    start_sd: float
    guesses: FloatArray
    degrees: FloatArray
    limits: FloatArray
    coefficient_sd: float = WALK_START_SD


def walk_prior_from_data(
    outcome: FloatArray,
    controls: FloatArray,
    *,
    level_sd: float,
    level_df: float = LEVEL_DF,
    season: bool,
) -> WalkPrior:
    """Return the priors of R's CausalImpact with ``dynamic.regression``.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        The pre-period; NaN is not observed. The first entry is observed.
    controls : ndarray, shape (rows, p)
        Those whose coefficients walk, on the rows that the prior may look at.
    level_sd : float
        Guess of the level's daily sd and of the noise's, in units of the outcome's sd.
    level_df : float
        Weight of the level's guess, in rows.
    season : bool

    Returns
    -------
    WalkPrior

    Notes
    -----
    Read off CausalImpact 1.3 and bsts 0.9.10: the noise has the level's guess, worth 32 rows, and
    is at most a tenth of the outcome's sd; a coefficient's daily sd is guessed at 0.01 sd(y) /
    sd(x), worth one row; coefficients begin at N(0, 1) in units of the columns as the model sees
    them.
    """
    spread = float(np.nanstd(outcome, ddof=1))
    rows = [
        (level_sd * spread, WALK_NOISE_DF, WALK_NOISE_LIMIT * spread),
        (level_sd * spread, level_df, spread),
    ]
    if season:
        rows.append((SEASON_GUESS * spread, SEASON_DF, spread))
    for sd in controls.std(axis=0, ddof=1):
        rows.append((WALK_GUESS * spread / float(sd), WALK_DF, np.inf))
    guesses, degrees, limits = np.array(rows).T
    return WalkPrior(
        start_mean=float(outcome[0]),
        start_sd=spread,
        guesses=guesses,
        degrees=degrees,
        limits=limits,
    )
