"""Pull-forward: effects gross and net of downloads that would have come later anyway."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq

from lift.analysis.counterfactual import Lift, interval_tail, log_lift, lost_downloads
from lift.analysis.effects import Effects, Unit
from lift.errors import InputError, Problem
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

GROSS_DAYS = 14
NET_DAYS = 42


def tipping_displacement(
    effects: Effects, by: str = "campaign", prob: float = 0.95
) -> pd.DataFrame:
    """Return how much pull-forward it would take to undo an effect.

    Gross is the effect over lags 0 to 14, net that over lags 0 to 42. For an assumed share
    ``psi`` of the response that is taken back evenly over lags 15 to 42 (nothing is fitted again)
    the net effect shrinks; the tipping displacement is the smallest ``psi`` at which its interval
    includes zero.

    Parameters
    ----------
    effects : Effects
        Of a fit without displacement in the model.
    by : str
        As in :meth:`Effects.units`.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns by, unit, gross_mean, gross_lower, gross_upper, net_mean, net_lower, net_upper
        (downloads), tipping (share; 0 where the net interval includes zero already, NaN where
        even taking back everything leaves it above zero).

    Raises
    ------
    InputError
        If the model has displacement, or a response that ends before lag 42, or the probability
        cannot be.
    """
    tail = interval_tail(prob)
    posterior = effects.posterior
    problems = []
    if "displacement" in posterior.draws:
        problems.append("the model must not have displacement, found its draws; fit without it")
    window = int(posterior.attrs["window_days"])
    if window <= NET_DAYS:
        problems.append(
            f"window_days must be more than {NET_DAYS} for a net effect, found {window}; "
            "fit with a longer window"
        )
    if problems:
        raise InputError([Problem("model.toml", problem) for problem in problems])
    rows = []
    for unit in effects.units(by):
        lift = log_lift(posterior, unit.members)
        gross = _totals(posterior, unit, lift, GROSS_DAYS, 0.0)
        net = _totals(posterior, unit, lift, NET_DAYS, 0.0)
        row: dict[str, object] = {"by": by, "unit": unit.name}
        for name, draws in (("gross", gross), ("net", net)):
            row[f"{name}_mean"] = float(draws.mean())
            row[f"{name}_lower"], row[f"{name}_upper"] = np.quantile(draws, [tail, 1 - tail])
        row["tipping"] = _tipping(posterior, unit, lift, tail)
        rows.append(row)
    return pd.DataFrame(rows)


def _tipping(posterior: Posterior, unit: Unit, lift: Lift, tail: float) -> float:
    def lower(psi: float) -> float:
        return float(np.quantile(_totals(posterior, unit, lift, NET_DAYS, psi), tail))

    if lower(0.0) <= 0.0:
        return 0.0
    if lower(1.0) > 0.0:
        return float("nan")
    return float(brentq(lower, 0.0, 1.0, xtol=1e-3))


def _totals(posterior: Posterior, unit: Unit, lift: Lift, lags: int, psi: float) -> FloatArray:
    """Return draws of the effect within some lags of the unit's posts, a share taken back."""
    downloads = posterior.downloads.to_numpy()
    first = posterior.posts["post_day"].to_numpy()[unit.members]
    days = lift.first_day + np.arange(lift.values.shape[1])
    since = days - first[:, None]
    seen = ((since >= 0) & (since <= lags)).any(axis=0) & np.isfinite(downloads[days])
    values = lift.values
    if psi > 0.0:
        impulse = posterior.draws["impulse"].to_numpy().reshape(len(values), -1)
        back = (since > GROSS_DAYS) & (since <= NET_DAYS)
        share = psi / (NET_DAYS - GROSS_DAYS)
        values = values - share * impulse[:, unit.members] @ back.astype(np.float64)
    lost = lost_downloads(posterior, downloads[days[seen]], values[:, seen])
    return np.asarray(lost.sum(axis=1))
