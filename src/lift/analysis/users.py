"""From incremental downloads to incremental users: active some days later, and in a month.

Three situations, named in every table under ``basis``: a series of the users of each install day
(``"cohort series"``, the model fitted to users themselves), retention rates of the same install
days (``"cohort rates"``), or downloads alone and a stated assumption (``"assumption: ..."``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.effects import Effects, Unit
from lift.analysis.retention import Retention
from lift.errors import InputError, Problem

FloatArray = NDArray[np.float64]

DAYS = (1, 7, 30, 90)
MONTH_DAYS = 30
COHORT_SERIES = "cohort series"


@dataclass(frozen=True, eq=False)
class Users:
    """Draws of incremental users, by unit and day after the install.

    Attributes
    ----------
    by : str
        Kind of unit, as in :class:`lift.analysis.effects.Effects`.
    draws : DataArray, dims (chain, draw, unit, day), people
        Users active on that day after their install that there would not have been without the
        unit's posts (leave-one-out), from installs within the unit's window.
    per_quality : DataArray, dims (unit, day), people
        Mean derivative of the users in the assumed quality ratio; NaN where none is assumed.
    basis : str
    extrapolated : tuple of bool
        By day: whether it lies beyond the observed ones.
    notes : dict of (str, int) to str
        By unit and day.
    """

    by: str
    draws: xr.DataArray
    per_quality: xr.DataArray
    basis: str
    extrapolated: tuple[bool, ...]
    notes: Mapping[tuple[str, int], str]

    def table(self, prob: float = 0.95) -> pd.DataFrame:
        """Return incremental users, one row per unit and day.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        DataFrame
            Columns by, unit, day, mean, median, sd, lower, upper (people), prob, prob_positive,
            per_quality (change of the mean per unit of the quality ratio; NaN where none is
            assumed), basis, extrapolated, note.
        """
        tail = (1 - prob) / 2
        rows = []
        for i, unit in enumerate(self.draws["unit"].to_numpy().tolist()):
            for k, day in enumerate(self.draws["day"].to_numpy().tolist()):
                mine = self.draws.to_numpy()[..., i, k]
                lower, median, upper = np.quantile(mine, [tail, 0.5, 1 - tail])
                rows.append(
                    {
                        "by": self.by,
                        "unit": unit,
                        "day": day,
                        "mean": mine.mean(),
                        "median": median,
                        "sd": mine.std(ddof=1),
                        "lower": lower,
                        "upper": upper,
                        "prob": prob,
                        "prob_positive": (mine > 0).mean(),
                        "per_quality": self.per_quality.to_numpy()[i, k],
                        "basis": self.basis,
                        "extrapolated": self.extrapolated[k],
                        "note": self.notes[unit, day],
                    }
                )
        return pd.DataFrame(rows)


def incremental_users(
    effects: Effects, retention: Retention, by: str = "post", days: Sequence[int] = DAYS
) -> Users:
    """Return incremental users on some days after their install, by unit.

    ``sum_t Y_t (1 - exp(-f_St)) a_t R_t(day)`` over the observed days of the unit's window: the
    unit's incremental downloads, installs per download, and retention of post-driven installs.
    Users of all posts are retained alike.

    Parameters
    ----------
    effects : Effects
    retention : Retention
        Of the same run.
    by : str
        As in :meth:`lift.analysis.effects.Effects.units`.
    days : sequence of int
        Days after the install, 1 or more.

    Returns
    -------
    Users

    Raises
    ------
    InputError
        If the kind of unit or a day cannot be.
    """
    if not days or min(days) < 1:
        what = f"days after the install must be 1 or more, found {list(days)}"
        raise InputError([Problem("users", what)])
    units = effects.units(by)
    drawn = [unit_users(effects, retention, unit, days) for unit in units]
    base = effects.table(by)["note"].tolist()
    return Users(
        by=by,
        draws=_labelled(effects, np.stack([users for users, _ in drawn], axis=1), units, days),
        per_quality=xr.DataArray(
            np.stack([slope for _, slope in drawn]),
            dims=("unit", "day"),
            coords={"unit": [unit.name for unit in units], "day": list(days)},
        ),
        basis=retention.basis,
        extrapolated=tuple(retention.extrapolated(day) for day in days),
        notes={
            (unit.name, day): "; ".join(filter(None, [note, retention.note(day)]))
            for unit, note in zip(units, base, strict=True)
            for day in days
        },
    )


def unit_users(
    effects: Effects, retention: Retention, unit: Unit, days: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Return a unit's incremental users and the mean of their derivative in the quality ratio.

    Parameters
    ----------
    effects : Effects
    retention : Retention
    unit : Unit
    days : sequence of int

    Returns
    -------
    users : ndarray, shape (n_draws, n_days)
    per_quality : ndarray, shape (n_days,)
    """
    positions, downloads = effects.daily_draws(unit)
    installs = downloads[retention.chosen] * _columns(retention.installs, positions)
    users = [(installs * _columns(retention.share(day), positions)).sum(axis=1) for day in days]
    slopes = [
        (installs * _columns(retention.per_quality(day), positions)).sum(axis=1).mean()
        for day in days
    ]
    return np.column_stack(users), np.array(slopes)


def series_users(fits: Mapping[int, Effects], by: str = "post") -> Users:
    """Return incremental users where the model was fitted to the users of each install day.

    Parameters
    ----------
    fits : mapping of int to Effects
        By day after the install: the effects of :func:`lift.data.cohorts.users_campaign` fitted.
    by : str
        As in :meth:`lift.analysis.effects.Effects.units`.

    Returns
    -------
    Users
        Of the units that every fit has; a post after the last observed cohort is in none.

    Raises
    ------
    InputError
        If there is no fit.
    """
    if not fits:
        raise InputError([Problem("users", "there must be a fit of at least one day, found none")])
    days = sorted(fits)
    tables = {day: fits[day].table(by).set_index("unit") for day in days}
    names = [
        name for name in tables[days[0]].index if all(name in tables[day].index for day in days)
    ]
    draws = xr.concat(
        [fits[day].draws(by).sel({by: names}).rename({by: "unit"}) for day in days],
        dim=pd.Index(days, name="day"),
        join="exact",
    )
    notes = {(name, day): str(tables[day].loc[name, "note"]) for name in names for day in days}
    return Users(
        by=by,
        draws=draws.transpose("chain", "draw", "unit", "day").rename("incremental_users"),
        per_quality=xr.full_like(draws.isel(chain=0, draw=0, drop=True), np.nan).transpose(
            "unit", "day"
        ),
        basis=COHORT_SERIES,
        extrapolated=(False,) * len(days),
        notes=notes,
    )


def monthly_active_users(
    effects: Effects, retention: Retention, by: str = "campaign", prob: float = 0.95
) -> pd.DataFrame:
    """Return incremental monthly active users day by day.

    A user counts on a day if he was alive at some time in the 30 days that end with it: an
    install of those days counts whole, an older one if he was still a user when they began,
    ``sum_{t <= s} I_t S(max(s - t - 29, 0))`` with the incremental installs ``I`` and the
    retention curve ``S``.

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
        Columns by, unit, date, mean, median, lower, upper (people), prob, basis, extrapolated (an
        install is older than the last observed day of retention), one row per unit and day of the
        data from the unit's first post on.
    """
    tail = (1 - prob) / 2
    dates = effects.posterior.dates
    ages = np.maximum(np.arange(len(dates)) - (MONTH_DAYS - 1), 0)
    alive = retention.alive(ages)
    parts = []
    for unit in effects.units(by):
        positions, downloads = effects.daily_draws(unit)
        installs = downloads[retention.chosen] * _columns(retention.installs, positions)
        active = np.zeros((len(alive), len(dates)))
        for column, day in enumerate(positions):
            active[:, day:] += installs[:, column, None] * alive[:, : len(dates) - day]
        first = int(np.flatnonzero(unit.window)[0])
        active = active[:, first:]
        lower, median, upper = np.quantile(active, [tail, 0.5, 1 - tail], axis=0)
        parts.append(
            pd.DataFrame(
                {
                    "by": by,
                    "unit": unit.name,
                    "date": dates[first:],
                    "mean": active.mean(axis=0),
                    "median": median,
                    "lower": lower,
                    "upper": upper,
                    "prob": prob,
                    "basis": retention.basis,
                    "extrapolated": ages[: len(dates) - first] > max(retention.shares),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _columns(values: FloatArray, positions: NDArray[np.int64]) -> FloatArray:
    """Return the columns of some dates; one column stands for all."""
    return values if values.shape[1] == 1 else values[:, positions]


def _labelled(
    effects: Effects, draws: FloatArray, units: Sequence[Unit], days: Sequence[int]
) -> xr.DataArray:
    n_chains = effects.posterior.draws.sizes["chain"]
    return xr.DataArray(
        draws.reshape(n_chains, -1, len(units), len(days)),
        dims=("chain", "draw", "unit", "day"),
        coords={
            "chain": effects.posterior.draws["chain"].to_numpy(),
            "draw": np.arange(len(draws) // n_chains),
            "unit": [unit.name for unit in units],
            "day": list(days),
        },
        name="incremental_users",
    )
