"""Do two posteriors say the same: every number of their effects, in units of Monte Carlo error."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.counterfactual import interval_tail
from lift.analysis.diagnostics import mcse
from lift.analysis.effects import Effects

FloatArray = NDArray[np.float64]

IDENTICAL, WITHIN, DIFFERS, MISSING = (
    "identical",
    "within Monte Carlo error",
    "differs",
    "on one side only",
)
MAX_DISTANCE = 5.0
"""Standard errors of their difference that two numbers of the same posterior may lie apart."""

QUANTITIES = ("mean", "median", "sd", "lower", "upper", "prob_positive")
COLUMNS = ("by", "unit", "quantity", "recorded", "found", "mcse", "distance", "verdict")


def agreement(recorded: Effects, found: Effects, prob: float = 0.95) -> pd.DataFrame:
    """Return every number of the effects of two posteriors side by side.

    Parameters
    ----------
    recorded, found : Effects
    prob : float
        Probability of the intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns by, unit, quantity (one of ``QUANTITIES``), recorded, found (downloads;
        prob_positive is a probability), mcse (Monte Carlo standard error of their difference),
        distance (their difference over mcse; infinite where two constants differ) and verdict:
        ``"identical"`` to the last bit, ``"within Monte Carlo error"``, ``"differs"`` or
        ``"on one side only"`` (the other side is NaN then).
    """
    return _compared(_numbers(recorded, prob), _numbers(found, prob))


def agreement_with_table(recorded: pd.DataFrame, found: Effects, digits: int) -> pd.DataFrame:
    """Return the effects in a table beside those of a posterior.

    Parameters
    ----------
    recorded : DataFrame
        Columns by, unit, prob (the same in all rows) and ``QUANTITIES``.
    found : Effects
    digits : int
        Significant digits of the table; numbers that agree in them are identical.

    Returns
    -------
    DataFrame
        As :func:`agreement`; a number of the table has the Monte Carlo error of the one that was
        found.
    """
    prob = float(recorded["prob"].iloc[0])
    two = {
        key: (float(f"{value:.{digits}g}"), error)
        for key, (value, error) in _numbers(found, prob).items()
    }
    one = {}
    for _, row in recorded.iterrows():
        for quantity in QUANTITIES:
            key = (str(row["by"]), str(row["unit"]), quantity)
            one[key] = (float(row[quantity]), two.get(key, (0.0, 0.0))[1])
    return _compared(one, two)


def _compared(
    one: dict[tuple[str, str, str], tuple[float, float]],
    two: dict[tuple[str, str, str], tuple[float, float]],
) -> pd.DataFrame:
    rows = []
    for key in dict.fromkeys([*one, *two]):
        value, error = one.get(key, (math.nan, 0.0))
        other, other_error = two.get(key, (math.nan, 0.0))
        apart, scale = abs(value - other), math.hypot(error, other_error)
        distance = 0.0 if apart == 0.0 else apart / scale if scale > 0.0 else math.inf
        if key not in one or key not in two:
            verdict, distance = MISSING, math.nan
        elif value == other:
            verdict = IDENTICAL
        else:
            verdict = WITHIN if distance <= MAX_DISTANCE else DIFFERS
        rows.append((*key, value, other, scale, distance, verdict))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _numbers(effects: Effects, prob: float) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return value and Monte Carlo error of every number, by kind of unit, unit and quantity."""
    inflation = _inflation(effects)
    out = {}
    for by in effects.available():
        draws = effects.draws(by)
        for i, unit in enumerate(draws[by].to_numpy()):
            for quantity, (value, error) in _of(draws.to_numpy()[..., i], prob).items():
                out[(by, str(unit), quantity)] = (value, inflation * error)
    return out


def _inflation(effects: Effects) -> float:
    """Return by how much the error of resampled draws exceeds that of independent ones.

    Draws that are resampled from weighted points have the error of the points too: with ``ess``
    effective points and ``n`` draws the variance of a mean is ``sd^2 (1 / ess + 1 / n)``.
    """
    sizes = effects.posterior.draws.sizes
    n_draws = sizes["chain"] * sizes["draw"]
    ess = effects.posterior.sample_stats.get("ess")
    return 1.0 if ess is None else math.sqrt(1.0 + n_draws / float(ess))


def _of(draws: FloatArray, prob: float) -> dict[str, tuple[float, float]]:
    """Return the numbers of one effect, each with its Monte Carlo error; shape (chain, draw)."""
    tail = interval_tail(prob)
    lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail])
    positive = (draws > 0).astype(np.float64)
    return {
        "mean": (float(draws.mean()), mcse(draws, "mean")),
        "median": (float(median), mcse(draws, "quantile", 0.5)),
        "sd": (float(draws.std(ddof=1)), mcse(draws, "sd")),
        "lower": (float(lower), mcse(draws, "quantile", tail)),
        "upper": (float(upper), mcse(draws, "quantile", 1 - tail)),
        "prob_positive": (float(positive.mean()), max(mcse(positive, "mean"), 1.0 / draws.size)),
    }
