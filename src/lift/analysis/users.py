"""From incremental downloads to incremental users: active some days later, and in a month.

Three situations, named in every table under ``basis``: a series of the users of each install day
(``"cohort series"``, the model fitted to users themselves), retention rates of the same install
days (``"cohort rates"``), or downloads alone and a stated assumption (``"assumption-driven:
..."``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.counterfactual import interval_tail
from lift.analysis.diagnostics import mcse_mean, mcse_share
from lift.analysis.effects import Effects, Unit
from lift.analysis.retention import Retention
from lift.errors import InputError, Problem

FloatArray = NDArray[np.float64]

DAYS = (1, 7, 30, 90)
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
        unit's posts (leave-one-out), from installs within the unit's window. NaN for a unit of
        whose posts no cohort was observed, where the day rests on a series of users.
    per_quality : DataArray, dims (unit, day), people
        Mean derivative of the users in the assumed quality ratio; NaN where none is assumed.
    bases : tuple of str
        By day: what the numbers rest on.
    extrapolated : tuple of bool
        By day: whether it lies beyond the observed ones.
    notes : mapping of (str, int) to str
        By unit and day.
    couplings : tuple of str
        By day: as in :class:`lift.analysis.effects.Effects`.
    """

    by: str
    draws: xr.DataArray
    per_quality: xr.DataArray
    bases: tuple[str, ...]
    extrapolated: tuple[bool, ...]
    notes: Mapping[tuple[str, int], str]
    couplings: tuple[str, ...]

    def table(self, prob: float = 0.95) -> pd.DataFrame:
        """Return incremental users, one row per unit and day.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        DataFrame
            Columns by, unit, outcome ("users active on day N"), day, mean, median, sd, lower,
            upper (people), prob, prob_positive, n_draws, mcse_mean, mcse_prob (Monte Carlo
            errors of mean and prob_positive), per_quality (change of the mean per unit of the
            quality ratio; NaN where none is assumed), coupling, basis, extrapolated, note.

        Raises
        ------
        InputError
            If the probability cannot be.
        """
        tail = interval_tail(prob)
        rows = []
        for i, unit in enumerate(self.draws["unit"].to_numpy().tolist()):
            for k, day in enumerate(self.draws["day"].to_numpy().tolist()):
                mine = self.draws.to_numpy()[..., i, k]
                known = bool(np.isfinite(mine).all())
                lower, median, upper = np.quantile(mine, [tail, 0.5, 1 - tail])
                rows.append(
                    {
                        "by": self.by,
                        "unit": unit,
                        "outcome": outcome_of(day),
                        "day": day,
                        "mean": mine.mean(),
                        "median": median,
                        "sd": mine.std(ddof=1),
                        "lower": lower,
                        "upper": upper,
                        "prob": prob,
                        "prob_positive": (mine > 0).mean() if known else np.nan,
                        "n_draws": mine.size,
                        "mcse_mean": mcse_mean(mine) if known else np.nan,
                        "mcse_prob": mcse_share(mine > 0) if known else np.nan,
                        "per_quality": self.per_quality.to_numpy()[i, k],
                        "coupling": self.couplings[k],
                        "basis": self.bases[k],
                        "extrapolated": self.extrapolated[k],
                        "note": self.notes[unit, day],
                    }
                )
        return pd.DataFrame(rows)


def outcome_of(day: int) -> str:
    """Return what the users of a day after the install are called in every table."""
    return f"users active on day {day}"


def check_days(days: Sequence[int]) -> None:
    """Check days after the install.

    Parameters
    ----------
    days : sequence of int

    Raises
    ------
    InputError
        If there is none, one twice, or one below 1.
    """
    if not days or min(days) < 1 or len(set(days)) < len(days):
        what = f"days after the install must be 1 or more, each once, found {list(days)}"
        raise InputError([Problem("users", what)])


def incremental_users(
    effects: Effects, retention: Retention, by: str = "post", days: Sequence[int] = DAYS
) -> Users:
    """Return incremental users on some days after their install, by unit.

    ``sum_t Y_t (1 - exp(-f_St)) a_t R_t(day)`` over the observed days of the unit's window: the
    unit's incremental downloads, installs per download, and retention of post-driven installs:
    the users expected of the installs that the posts brought. Users of all posts are retained
    alike; installs that posts kept away (``f_St < 0``) count with the retention of those that came
    anyway.

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
    check_days(days)
    units = effects.units(by)
    drawn = [unit_users(effects, retention, unit, days) for unit in units]
    names = [unit.name for unit in units]
    return Users(
        by=by,
        draws=_labelled(effects, np.stack([users for users, _ in drawn], axis=1), names, days),
        per_quality=_slopes(np.stack([slope for _, slope in drawn]), names, days),
        bases=(retention.basis,) * len(days),
        extrapolated=tuple(retention.extrapolated(day) for day in days),
        notes={
            (unit.name, day): "; ".join(filter(None, [effects.note(unit), retention.note(day)]))
            for unit in units
            for day in days
        },
        couplings=(effects.coupling,) * len(days),
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
    installs = downloads[retention.chosen] * columns_of(retention.installs, positions)
    lost = installs < 0
    users = []
    for day in days:
        brought = columns_of(retention.share(day), positions)
        kept_away = columns_of(retention.share_kept_away(day), positions)
        users.append((installs * np.where(lost, kept_away, brought)).sum(axis=1))
    slopes = [
        (installs * columns_of(retention.per_quality(day), positions)).sum(axis=1).mean()
        for day in days
    ]
    return np.column_stack(users), np.array(slopes)


def series_users(
    effects: Effects,
    fits: Mapping[int, Effects],
    by: str = "post",
    chosen: NDArray[np.int64] | None = None,
) -> Users:
    """Return incremental users where the model was fitted to the users of each install day.

    Parameters
    ----------
    effects : Effects
        Of the downloads: the units that are wanted.
    fits : mapping of int to Effects
        By day after the install: the effects of :func:`lift.data.cohorts.users_campaign` fitted.
    by : str
        As in :meth:`lift.analysis.effects.Effects.units`.
    chosen : ndarray of int, optional
        Positions of the draws that are used, chains flattened, as many of each; all by default.

    Returns
    -------
    Users
        NaN for a unit none of whose posts is in a fit, which the note says.

    Raises
    ------
    InputError
        If the kind of unit or a day cannot be.
    """
    days = sorted(fits)
    check_days(days)
    units = effects.units(by)
    names = [unit.name for unit in units]
    notes: dict[tuple[str, int], str] = {}
    columns = []
    for day in days:
        fit = fits[day]
        own = {unit.name: unit for unit in fit.units(by)}
        every = fit.draws(by).to_numpy()
        flat = every.reshape(-1, every.shape[-1])
        flat = flat if chosen is None else flat[chosen]
        users = np.full((len(flat), len(units)), np.nan)
        for i, unit in enumerate(units):
            if unit.name not in own:
                notes[unit.name, day] = "no estimate: no cohort of its window was observed"
                continue
            found = own[unit.name]
            users[:, i] = flat[:, list(own).index(unit.name)]
            said = [fit.note(found)]
            if len(found.members) < len(unit.members):
                said.append(
                    f"cohorts of {len(found.members)} of {len(unit.members)} posts observed: only "
                    "these count"
                )
            notes[unit.name, day] = "; ".join(filter(None, said))
        columns.append(users)
    draws = np.stack(columns, axis=-1)
    return Users(
        by=by,
        draws=_labelled(effects, draws, names, days),
        per_quality=_slopes(np.full((len(units), len(days)), np.nan), names, days),
        bases=(COHORT_SERIES,) * len(days),
        extrapolated=(False,) * len(days),
        notes=notes,
        couplings=tuple(fits[day].coupling for day in days),
    )


def estimate_users(
    effects: Effects,
    retention: Callable[[], Retention],
    fits: Mapping[int, Effects],
    by: str = "post",
    days: Sequence[int] = DAYS,
) -> Users:
    """Return incremental users, each day from the best that is known.

    Parameters
    ----------
    effects : Effects
    retention : callable
        Returns the retention of the run; called only if a day has no fit of its own.
    fits : mapping of int to Effects
        Effects of the model fitted to users, by day after the install.
    by : str
        As in :meth:`lift.analysis.effects.Effects.units`.
    days : sequence of int
        Days after the install, 1 or more.

    Returns
    -------
    Users
        Of a day with a fit from that (``"cohort series"``), of others by the retention.

    Raises
    ------
    InputError
        If the kind of unit or a day cannot be, or nothing is known of retention.
    """
    check_days(days)
    own = {day: fits[day] for day in days if day in fits}
    others = [day for day in days if day not in fits]
    if not others:
        return series_users(effects, own, by)
    known = retention()
    parts = [incremental_users(effects, known, by, others)]
    if own:
        parts.append(series_users(effects, own, by, known.chosen))
    return joined(parts)


def joined(parts: Sequence[Users]) -> Users:
    """Return the users of several days as one, ordered by day.

    Parameters
    ----------
    parts : sequence of Users
        Of the same units and as many draws, each of its own days.

    Returns
    -------
    Users
    """
    if len(parts) == 1:
        return parts[0]
    draws = xr.concat([part.draws for part in parts], dim="day", join="exact")
    order = np.argsort(draws["day"].to_numpy())
    slopes = xr.concat([part.per_quality for part in parts], dim="day", join="exact")
    bases = [basis for part in parts for basis in part.bases]
    extrapolated = [beyond for part in parts for beyond in part.extrapolated]
    couplings = [coupling for part in parts for coupling in part.couplings]
    return Users(
        by=parts[0].by,
        draws=draws.isel(day=order),
        per_quality=slopes.isel(day=order),
        bases=tuple(bases[k] for k in order),
        extrapolated=tuple(extrapolated[k] for k in order),
        notes={key: note for part in parts for key, note in part.notes.items()},
        couplings=tuple(couplings[k] for k in order),
    )


def columns_of(values: FloatArray, positions: NDArray[np.int64]) -> FloatArray:
    """Return the columns of some dates; one column stands for all.

    Parameters
    ----------
    values : ndarray, shape (n_draws, n_dates or 1)
    positions : ndarray of int

    Returns
    -------
    ndarray
    """
    return values if values.shape[1] == 1 else values[:, positions]


def _labelled(
    effects: Effects, draws: FloatArray, names: Sequence[str], days: Sequence[int]
) -> xr.DataArray:
    """Return draws (chains flattened, unit, day) with their labels."""
    n_chains = effects.posterior.draws.sizes["chain"]
    return xr.DataArray(
        draws.reshape(n_chains, -1, len(names), len(days)),
        dims=("chain", "draw", "unit", "day"),
        coords={
            "chain": effects.posterior.draws["chain"].to_numpy(),
            "draw": np.arange(len(draws) // n_chains),
            "unit": list(names),
            "day": list(days),
        },
        name="incremental_users",
    )


def _slopes(values: FloatArray, names: Sequence[str], days: Sequence[int]) -> xr.DataArray:
    return xr.DataArray(
        values, dims=("unit", "day"), coords={"unit": list(names), "day": list(days)}
    )
