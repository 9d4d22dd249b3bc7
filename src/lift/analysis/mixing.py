"""How well chains have mixed: ArviZ's ESS and R-hat of draws, each chain ranked once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

FloatArray = NDArray[np.float64]

TAILS = (0.05, 0.95)
"""Quantiles whose ESS, the lower of the two, is the tail's."""
BLOM = 3 / 8
"""Offset of ranks whose normal quantiles are taken (Blom 1958), as Vehtari et al. 2021 do."""


def mixing(values: FloatArray) -> dict[str, float]:
    """Return sd, bulk and tail ESS and R-hat of draws of shape (chain, draw); as measures.

    The estimators are ArviZ's, and so are the numbers to the last bit; the halves of the chains and
    the scores of their ranks, which both bulk ESS and R-hat take, are made once. Of an odd number
    of draws the middle one is in neither half.
    """
    from arviz_stats.base import array_stats

    spread = float(np.ptp(values))
    if not spread > 0.0:  # all the same, or one is not a number
        return {"sd": spread, **dict.fromkeys(("ess_bulk", "ess_tail", "r_hat"), float("nan"))}
    halves, scores = _scores(values)
    tails = halves <= np.quantile(values, TAILS)[:, None, None]
    bulk, low, high = array_stats.ess(np.stack([scores[0], *tails]), method="mean").tolist()
    return {
        "sd": float(values.std(ddof=1)),
        "ess_bulk": bulk,
        "ess_tail": min(low, high),
        "r_hat": _r_hat(scores),
    }


def r_hat(values: FloatArray) -> float:
    """Return rank-normalised split R-hat of draws of shape (chain, draw), as ``mixing`` does.

    NaN where every draw of every chain is the same, or one is not a number.
    """
    if not np.ptp(values) > 0.0:
        return float("nan")
    return _r_hat(_scores(values)[1])


def _scores(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the halves of the chains; normal scores of them and of distances from the median."""
    half = values.shape[1] // 2
    halves = np.concatenate([values[:, :half], values[:, -half:]], axis=1)
    folded = np.abs(halves - np.median(halves))
    return halves, np.stack([_normal_scores(halves), _normal_scores(folded)])


def _r_hat(scores: FloatArray) -> float:
    from arviz_stats.base import array_stats

    with np.errstate(divide="ignore", invalid="ignore"):  # of chains that never move
        return float(np.fmax(*array_stats.rhat(scores, method="split")))


def _normal_scores(values: FloatArray) -> FloatArray:
    """Return the normal quantiles of the ranks of values; those that are equal have their mean.

    NumPy's own sort is several times as fast as the stable one of ``scipy.stats.rankdata``, and
    equal values have the same rank in any order.
    """
    flat = values.ravel()
    order = np.argsort(flat)
    ordered = flat[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    equal = np.diff(first, append=flat.size)
    out = np.empty(flat.size)
    out[order] = np.repeat(_rank_quantiles(flat.size)[2 * first + equal - 1], equal)
    return out.reshape(values.shape)


@lru_cache(maxsize=4)
def _rank_quantiles(size: int) -> FloatArray:
    """Return the normal quantiles of the ranks 1, 1.5, 2 and so on to ``size``."""
    ranks = np.arange(2, 2 * size + 1) / 2
    return np.asarray(ndtri((ranks - BLOM) / (size - 2 * BLOM + 1)))
