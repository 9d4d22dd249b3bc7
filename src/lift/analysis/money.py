"""Money: what an incremental download or user cost, and what a thousand views brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.effects import Effects, Unit
from lift.analysis.retention import Retention
from lift.analysis.users import unit_users
from lift.errors import InputError, Problem

FloatArray = NDArray[np.float64]

PER_VIEWS = 1000.0
DOWNLOADS = "downloads"


@dataclass(frozen=True)
class Quotient:
    """Interval of cost / effect that stays honest where the effect may be zero or negative.

    Attributes
    ----------
    median, lower, upper : float
        Money per download or user; infinite where no finite cost can be named.
    """

    median: float
    lower: float
    upper: float


def cost_per(effect: FloatArray, cost: float, prob: float = 0.95) -> Quotient:
    """Return the cost of one unit of an effect.

    An effect of zero or less has no finite cost: it counts as infinite, above every finite one.
    So each end is the cost divided by the opposite quantile of the effect, and infinite where that
    quantile is not positive: if ``P(effect <= 0) > (1 - prob) / 2`` the interval has no upper end.
    There is no mean: it need not exist.

    Parameters
    ----------
    effect : ndarray
        Draws.
    cost : float
        Money, positive.
    prob : float
        Probability of the interval, in (0, 1).

    Returns
    -------
    Quotient

    References
    ----------
    Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x: a confidence set of a ratio is bounded
    only if the denominator differs from zero.
    """
    tail = (1 - prob) / 2
    most, median, least = np.quantile(effect, [1 - tail, 0.5, tail])
    if (effect <= 0).mean() > tail:
        least = 0.0
    return Quotient(*(float(cost / q) if q > 0 else np.inf for q in (median, most, least)))


def money(
    effects: Effects,
    retention: Retention | None = None,
    *,
    by: str = "post",
    days: Sequence[int] = (30,),
    prob: float = 0.95,
    target: float | None = None,
    outcome: str = DOWNLOADS,
    basis: str = "",
) -> pd.DataFrame:
    """Return costs per incremental download and user, and both per thousand views.

    Of a group only the posts whose cost (or views) is known count, in the numerator and in the
    denominator: the leave-one-out effect of those posts together.

    Parameters
    ----------
    effects : Effects
    retention : Retention, optional
        Of the same run; adds a row of users for each day.
    by : str
        As in :meth:`lift.analysis.effects.Effects.units`.
    days : sequence of int
        Days after the install on which users are counted.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).
    target : float, optional
        Most that a download or user may cost; ``prob_below_target`` is for it.
    outcome, basis : str
        What the effects are of and what that rests on, where the model was fitted to a series of
        users, such as ``"users active on day 7"`` and ``"cohort series"``.

    Returns
    -------
    DataFrame
        Columns by, unit, outcome, n_posts, cost (money), per_money_mean, per_money_lower,
        per_money_upper (incremental downloads or users per unit of money), cost_median,
        cost_lower, cost_upper (money per incremental download or user; infinite where there is no
        finite end), prob_positive, prob_below_target (NaN without a target), views, per_1000_mean,
        per_1000_lower, per_1000_upper (incremental downloads or users per 1,000 views), prob,
        basis, extrapolated, note. NaN where no post of a unit has a cost, or views; the note says
        so.

    Raises
    ------
    InputError
        If a target is not positive, or no post has a cost or views.
    """
    if target is not None and not target > 0:
        raise InputError([Problem("money", f"the target must be positive, found {target}")])
    posts = effects.posterior.posts
    known = {
        name: posts[name].to_numpy(dtype=np.float64)
        if name in posts
        else np.full(len(posts), np.nan)
        for name in ("cost", "views")
    }
    if not any(np.isfinite(values).any() for values in known.values()):
        what = "a post must have a cost or views, found none; add the column to the posts table"
        raise InputError([Problem("posts", what)])
    outcomes: list[int | None] = [None, *(days if retention is not None else ())]
    rows = []
    for unit in effects.units(by):
        paid, seen = (_part(effects, unit, known[name]) for name in ("cost", "views"))
        for day in outcomes:
            row: dict[str, object] = {
                "by": by,
                "unit": unit.name,
                "outcome": outcome if day is None else f"users active on day {day}",
                "n_posts": len(unit.members),
            }
            notes: list[str] = []
            row |= _costs(effects, retention, paid, known["cost"], day, prob, target, notes)
            row |= _per_views(effects, retention, seen, known["views"], day, prob)
            if paid is None:
                whole = _draws(effects, retention, unit, day)
                row["prob_positive"] = float((whole > 0).mean())
            for part, what in ((paid, "cost"), (seen, "views")):
                if part is None:
                    notes.append(f"no {what} given")
                elif len(part.members) < len(unit.members):
                    notes.append(
                        f"{what} of {len(part.members)} of {len(unit.members)} posts given: "
                        "only these count"
                    )
            row |= {"prob": prob, "basis": basis, "extrapolated": False}
            if day is not None and retention is not None:
                row["basis"] = retention.basis
                row["extrapolated"] = retention.extrapolated(day)
                notes.append(retention.note(day))
            rows.append(row | {"note": "; ".join(filter(None, notes))})
    return pd.DataFrame(rows)


def _part(effects: Effects, unit: Unit, values: FloatArray) -> Unit | None:
    """Return the unit without the posts whose value is not known; None if none is."""
    members = unit.members[np.isfinite(values[unit.members])]
    if len(members) == len(unit.members):
        return unit
    if not len(members):
        return None
    days = effects.posterior.posts["post_day"].to_numpy()[members]
    since = np.arange(len(effects.posterior.dates)) - days[:, None]
    horizon = int(effects.posterior.attrs["horizon_days"])
    return Unit(unit.by, unit.name, members, ((since >= 0) & (since <= horizon)).any(axis=0))


def _draws(
    effects: Effects, retention: Retention | None, unit: Unit, day: int | None
) -> FloatArray:
    if day is None or retention is None:
        return effects.daily_draws(unit)[1].sum(axis=1)
    return unit_users(effects, retention, unit, [day])[0][:, 0]


def _costs(
    effects: Effects,
    retention: Retention | None,
    paid: Unit | None,
    values: FloatArray,
    day: int | None,
    prob: float,
    target: float | None,
    notes: list[str],
) -> dict[str, object]:
    """Return the columns about money of one row; what is to be said is appended to the notes."""
    names = ["cost", "per_money_mean", "per_money_lower", "per_money_upper"]
    names += ["cost_median", "cost_lower", "cost_upper", "prob_positive", "prob_below_target"]
    row: dict[str, object] = dict.fromkeys(names, np.nan)
    if paid is None:
        return row
    cost = float(values[paid.members].sum())
    draws = _draws(effects, retention, paid, day)
    row |= {"cost": cost, "prob_positive": float((draws > 0).mean())}
    if cost <= 0:
        notes.append("cost nothing")
        return row
    tail = (1 - prob) / 2
    lower, upper = np.quantile(draws, [tail, 1 - tail]) / cost
    quotient = cost_per(draws, cost, prob)
    row |= {
        "per_money_mean": float(draws.mean()) / cost,
        "per_money_lower": lower,
        "per_money_upper": upper,
        "cost_median": quotient.median,
        "cost_lower": quotient.lower,
        "cost_upper": quotient.upper,
    }
    if np.isinf(quotient.upper):
        notes.append(f"cost unbounded: the effect may be nil (P > 0 is {(draws > 0).mean():.2f})")
    if target is not None:
        row["prob_below_target"] = float((draws * target > cost).mean())
    return row


def _per_views(
    effects: Effects,
    retention: Retention | None,
    seen: Unit | None,
    values: FloatArray,
    day: int | None,
    prob: float,
) -> dict[str, object]:
    """Return the columns about views of one row."""
    names = ["views", "per_1000_mean", "per_1000_lower", "per_1000_upper"]
    row: dict[str, object] = dict.fromkeys(names, np.nan)
    views = 0.0 if seen is None else float(values[seen.members].sum())
    if seen is None or views <= 0:
        return row
    draws = _draws(effects, retention, seen, day) * (PER_VIEWS / views)
    tail = (1 - prob) / 2
    lower, upper = np.quantile(draws, [tail, 1 - tail])
    row |= {"views": views, "per_1000_mean": float(draws.mean())}
    return row | {"per_1000_lower": lower, "per_1000_upper": upper}
