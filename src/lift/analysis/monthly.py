"""Incremental monthly active users over time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lift.analysis.counterfactual import interval_tail
from lift.analysis.effects import Effects
from lift.analysis.retention import Retention
from lift.analysis.users import columns_of

MONTH_DAYS = 30
MONTHLY = "monthly active users"
LOWER_BOUND = "a lower bound for installs older than 30 days"


MATERIAL = 0.1
"""Share of a day's users, by the curve beyond the observed retention, that is said."""


def monthly_active_users(
    effects: Effects, retention: Retention, by: str = "campaign", prob: float = 0.95
) -> pd.DataFrame:
    """Return incremental monthly active users day by day.

    A user counts on a day if he was active in the 30 days that end with it: an install of those
    days counts whole, an older one at the share that is active on the first of them,
    ``sum_{t <= s} I_t S(max(s - t - 29, 0))`` with the incremental installs ``I`` and the
    retention curve ``S``. Retention counts people active on a day, so for installs older than the
    month this is a lower bound: who is not active on its first day may be on another.

    Parameters
    ----------
    effects : Effects
    retention : Retention
        Of the same run.
    by : str
        As in :meth:`lift.analysis.effects.Effects.units`.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns by, unit, outcome, date, mean, median, sd, lower, upper (people), prob,
        prob_positive, n_draws, coupling, basis, extrapolated (at least :data:`MATERIAL` of the
        users are of installs older than the last observed day of retention), note (what share
        they are); one row per unit and day of the data from the unit's first post on.

    Raises
    ------
    InputError
        If the kind of unit or the probability cannot be.
    """
    tail = interval_tail(prob)
    dates = effects.posterior.dates
    ages = np.maximum(np.arange(len(dates)) - (MONTH_DAYS - 1), 0)
    alive = retention.alive(ages)
    last_seen = max(retention.shares)
    parts = []
    for unit in effects.units(by):
        positions, downloads = effects.daily_draws(unit)
        installs = downloads[retention.chosen] * columns_of(retention.installs, positions)
        active = np.zeros((len(alive), len(dates)))
        # of the expected users of each day: all, and those by the curve beyond what was observed
        size, far = np.zeros(len(dates)), np.zeros(len(dates))
        for column, day in enumerate(positions):
            left = installs[:, column, None] * alive[:, : len(dates) - day]
            active[:, day:] += left
            expected = np.abs(left.mean(axis=0))
            size[day:] += expected
            far[day:] += np.where(ages[: len(dates) - day] > last_seen, expected, 0.0)
        first = int(np.flatnonzero(unit.window)[0])
        active = active[:, first:]
        lower, median, upper = np.quantile(active, [tail, 0.5, 1 - tail], axis=0)
        beyond = (far / np.where(size > 0, size, 1.0))[first:]
        parts.append(
            pd.DataFrame(
                {
                    "by": by,
                    "unit": unit.name,
                    "outcome": MONTHLY,
                    "date": dates[first:],
                    "mean": active.mean(axis=0),
                    "median": median,
                    "sd": active.std(axis=0, ddof=1),
                    "lower": lower,
                    "upper": upper,
                    "prob": prob,
                    "prob_positive": (active > 0).mean(axis=0),
                    "n_draws": len(active),
                    "coupling": effects.coupling,
                    "basis": retention.basis,
                    "extrapolated": beyond >= MATERIAL,
                    "note": [
                        "; ".join(
                            filter(
                                None,
                                [
                                    effects.note(unit),
                                    LOWER_BOUND if age > 0 else "",
                                    f"{share:.0%} of them by the curve beyond day {last_seen}"
                                    if share >= MATERIAL
                                    else "",
                                ],
                            )
                        )
                        for age, share in zip(ages, beyond, strict=False)
                    ],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
