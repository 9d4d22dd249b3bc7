"""Money: what an incremental download or user cost, and what a thousand views brought."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.counterfactual import interval_tail
from lift.analysis.diagnostics import mcse, mcse_share
from lift.analysis.effects import DOWNLOADS, Effects, Unit
from lift.analysis.retention import Retention
from lift.analysis.users import COHORT_SERIES, check_days, outcome_of, unit_users
from lift.errors import InputError, Problem

FloatArray = NDArray[np.float64]

PER_VIEWS = 1000.0


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


@dataclass(frozen=True, eq=False)
class _Outcome:
    """One thing that is counted, and how it is drawn for a set of posts."""

    name: str
    coupling: str
    basis: str
    extrapolated: bool
    note: str
    known: NDArray[np.bool_]  # by post: whether the outcome of its window was observed
    draws: Callable[[Unit], FloatArray]


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
    tail = interval_tail(prob)
    most, median, least = np.quantile(effect, [1 - tail, 0.5, tail])
    if (effect <= 0).mean() > tail:
        least = 0.0
    return Quotient(*(float(cost / q) if q > 0 else np.inf for q in (median, most, least)))


def money(
    effects: Effects,
    retention: Retention | None = None,
    fits: Mapping[int, Effects] | None = None,
    *,
    by: str = "post",
    days: Sequence[int] = (30,),
    prob: float = 0.95,
    target: float | None = None,
) -> pd.DataFrame:
    """Return costs per incremental download and user, and both per thousand views.

    Of a group only the posts whose cost (or views) is known count, in the numerator and in the
    denominator: the leave-one-out effect of those posts together.

    Parameters
    ----------
    effects : Effects
    retention : Retention, optional
        Of the same run; adds a row of users for each day.
    fits : mapping of int to Effects, optional
        Effects of the model fitted to users, by day after the install; they go before retention.
    by : str
        As in :meth:`lift.analysis.effects.Effects.units`.
    days : sequence of int
        Days after the install on which users are counted.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).
    target : float, optional
        Most that a download or user may cost; ``prob_below_target`` is for it.

    Returns
    -------
    DataFrame
        Columns by, unit, outcome, n_posts, cost (money), per_money_mean, per_money_lower,
        per_money_upper (incremental downloads or users per unit of money), cost_median,
        cost_lower, cost_upper (money per incremental download or user; infinite where there is no
        finite end), prob_positive, prob_below_target (NaN without a target), views, per_1000_mean,
        per_1000_lower, per_1000_upper (incremental downloads or users per 1,000 views), n_draws,
        mcse_cost_median, mcse_per_1000_mean, mcse_prob (Monte Carlo errors of cost_median,
        per_1000_mean and prob_positive), prob, coupling, basis, extrapolated, note. NaN where no
        post of a unit has a cost, or views; the note says so.

    Raises
    ------
    InputError
        If a target is not positive, no post has a cost or views, or a day or probability cannot
        be.
    """
    check_days(days)
    interval_tail(prob)
    if target is not None and not target > 0:
        raise InputError([Problem("money", f"the target must be positive, found {target}")])
    posts = effects.posterior.posts
    known = {name: posts[name].to_numpy(dtype=np.float64) for name in ("cost", "views")}
    if not any(np.isfinite(values).any() for values in known.values()):
        what = "a post must have a cost or views, found none; add the column to the posts table"
        raise InputError([Problem("posts", what)])
    outcomes = [_downloads(effects)]
    outcomes += [
        _users(effects, retention, fits or {}, day) for day in days if _has(day, retention, fits)
    ]
    n_chains = effects.posterior.draws.sizes["chain"]
    rows = []
    for unit in effects.units(by):
        for outcome in outcomes:
            row: dict[str, object] = {
                "by": by,
                "unit": unit.name,
                "outcome": outcome.name,
                "n_posts": len(unit.members),
            }
            notes = [effects.note(unit), outcome.note]
            paid = _part(effects, unit, known["cost"], outcome, "cost", notes)
            seen = _part(effects, unit, known["views"], outcome, "views", notes)
            row |= _costs(outcome, paid, known["cost"], prob, target, notes)
            row |= _per_views(outcome, seen, known["views"], prob)
            whole = _part(effects, unit, np.ones(len(posts)), outcome, "outcome", [])
            if paid is None and whole is not None:
                row["prob_positive"] = float((outcome.draws(whole) > 0).mean())
            row |= _errors(row, outcome, paid or whole, seen, n_chains)
            row |= {"prob": prob, "coupling": outcome.coupling, "basis": outcome.basis}
            row |= {"extrapolated": outcome.extrapolated}
            rows.append(row | {"note": "; ".join(dict.fromkeys(filter(None, notes)))})
    return pd.DataFrame(rows)


def _has(day: int, retention: Retention | None, fits: Mapping[int, Effects] | None) -> bool:
    return retention is not None or day in (fits or {})


def _downloads(effects: Effects) -> _Outcome:
    every = np.ones(len(effects.posterior.posts), dtype=bool)

    def draws(unit: Unit) -> FloatArray:
        return effects.daily_draws(unit)[1].sum(axis=1)

    return _Outcome(DOWNLOADS, effects.coupling, DOWNLOADS, False, "", every, _remembered(draws))


def _remembered(draws: Callable[[Unit], FloatArray]) -> Callable[[Unit], FloatArray]:
    """Return the same draws, made once for each set of posts."""
    made: dict[tuple[str, str, bytes], FloatArray] = {}

    def once(unit: Unit) -> FloatArray:
        key = (unit.by, unit.name, unit.members.tobytes())
        if key not in made:
            made[key] = draws(unit)
        return made[key]

    return once


def _users(
    effects: Effects, retention: Retention | None, fits: Mapping[int, Effects], day: int
) -> _Outcome:
    """Return the users of a day: by its own fit where there is one, else by retention."""
    ids = effects.posterior.posts["post"].astype(str)
    if day in fits:
        fit = fits[day]
        place = {str(post): i for i, post in enumerate(fit.posterior.posts["post"])}

        def of_series(unit: Unit) -> FloatArray:
            members = np.array([place[ids[i]] for i in unit.members])
            own = fit.unit(unit.by, unit.name, members)
            return fit.daily_draws(own)[1].sum(axis=1)

        observed = ids.isin(list(place)).to_numpy()
        return _Outcome(
            outcome_of(day),
            fit.coupling,
            COHORT_SERIES,
            False,
            "",
            observed,
            _remembered(of_series),
        )
    if retention is None:
        what = f"users of day {day} need a retention or a fit of their own, found neither"
        raise InputError([Problem("money", what)])

    def of_rates(unit: Unit) -> FloatArray:
        return unit_users(effects, retention, unit, [day])[0][:, 0]

    return _Outcome(
        outcome_of(day),
        effects.coupling,
        retention.basis,
        retention.extrapolated(day),
        retention.note(day),
        np.ones(len(ids), dtype=bool),
        _remembered(of_rates),
    )


def _part(
    effects: Effects,
    unit: Unit,
    values: FloatArray,
    outcome: _Outcome,
    what: str,
    notes: list[str],
) -> Unit | None:
    """Return the unit's posts whose value and outcome are known; None if there are none."""
    members = unit.members[np.isfinite(values[unit.members]) & outcome.known[unit.members]]
    if not len(members):
        notes.append(
            f"no {what} given" if outcome.known[unit.members].any() else "no cohort observed"
        )
        return None
    if len(members) < len(unit.members):
        notes.append(
            f"{what} of {len(members)} of {len(unit.members)} posts known: only these count"
        )
    return effects.unit(unit.by, unit.name, members)


def _costs(
    outcome: _Outcome,
    paid: Unit | None,
    values: FloatArray,
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
    draws = outcome.draws(paid)
    row |= {"cost": cost, "prob_positive": float((draws > 0).mean())}
    if cost <= 0:
        notes.append("cost nothing")
        return row
    tail = interval_tail(prob)
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
        chance = (draws > 0).mean()
        notes.append(f"cost unbounded: the effect may be nil (P(> 0) is {chance:.2f})")
    if target is not None:
        row["prob_below_target"] = float((draws * target > cost).mean())
    return row


def _errors(
    row: Mapping[str, object],
    outcome: _Outcome,
    counted: Unit | None,
    seen: Unit | None,
    n_chains: int,
) -> dict[str, object]:
    """Return the number of draws and the Monte Carlo errors of one row.

    The error of a median cost is that of the median effect, times the slope of the cost there.
    """
    names = ["n_draws", "mcse_cost_median", "mcse_per_1000_mean", "mcse_prob"]
    errors: dict[str, object] = dict.fromkeys(names, np.nan)
    median, views = (float(str(row[name])) for name in ("cost_median", "views"))
    if counted is not None:
        draws = outcome.draws(counted).reshape(n_chains, -1)
        errors |= {"n_draws": draws.size, "mcse_prob": mcse_share(draws > 0)}
        if np.isfinite(median):
            error = mcse(draws, "quantile", 0.5)
            errors["mcse_cost_median"] = median * error / float(np.median(draws))
    if seen is not None and np.isfinite(views):
        error = mcse(outcome.draws(seen).reshape(n_chains, -1), "mean")
        errors["mcse_per_1000_mean"] = error * PER_VIEWS / views
    return errors


def _per_views(
    outcome: _Outcome, seen: Unit | None, values: FloatArray, prob: float
) -> dict[str, object]:
    """Return the columns about views of one row."""
    names = ["views", "per_1000_mean", "per_1000_lower", "per_1000_upper"]
    row: dict[str, object] = dict.fromkeys(names, np.nan)
    views = 0.0 if seen is None else float(values[seen.members].sum())
    if seen is None or views <= 0:
        return row
    draws = outcome.draws(seen) * (PER_VIEWS / views)
    tail = interval_tail(prob)
    lower, upper = np.quantile(draws, [tail, 1 - tail])
    row |= {"views": views, "per_1000_mean": float(draws.mean())}
    return row | {"per_1000_lower": lower, "per_1000_upper": upper}
