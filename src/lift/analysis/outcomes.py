"""Users and money of a run beside its downloads: what a report shows and a run stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lift.analysis.effects import Effects
from lift.analysis.money import money
from lift.analysis.monthly import monthly_active_users
from lift.analysis.retention import Retention
from lift.analysis.schema import in_schema
from lift.analysis.users import DAYS, estimate_users

COST, PER_1000_VIEWS = "cost", "per_1000_views"
MONEY_DAY = 30


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Tables of users and money; None where a run has nothing to make them from.

    Attributes
    ----------
    users : DataFrame or None
        As :meth:`lift.analysis.users.Users.table`, of every kind of unit.
    monthly : DataFrame or None
        As :func:`lift.analysis.monthly.monthly_active_users`, of the campaign.
    retention : DataFrame or None
        As :meth:`lift.analysis.retention.Retention.table`.
    money : DataFrame or None
        As :func:`lift.analysis.money.money`, of every kind of unit.
    """

    users: pd.DataFrame | None = None
    monthly: pd.DataFrame | None = None
    retention: pd.DataFrame | None = None
    money: pd.DataFrame | None = None


def outcomes(
    effects: Effects,
    retention: Retention | None,
    fits: Mapping[int, Effects],
    prob: float = 0.95,
) -> Outcomes:
    """Return the tables of users and money that a run allows.

    Parameters
    ----------
    effects : Effects
    retention : Retention or None
        None where nothing is known or assumed of it.
    fits : mapping of int to Effects
        Effects of the model fitted to users, by day after the install.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    Outcomes
        Users of days 1, 7, 30 and 90, or of the days that have fits where no retention is known;
        money for downloads and the users of day 30, or else of the last day.
    """
    kinds = effects.available()
    users = monthly = rates = None
    days = DAYS if retention is not None else tuple(sorted(fits))
    if days:
        known = retention

        def found() -> Retention:
            if known is None:
                raise LookupError
            return known

        users = pd.concat(
            [estimate_users(effects, found, fits, by, days).table(prob) for by in kinds],
            ignore_index=True,
        )
    if retention is not None:
        monthly = monthly_active_users(effects, retention, "campaign", prob)
        rates = retention.table(DAYS, prob)
    posts = effects.posterior.posts
    spent = None
    if any(np.isfinite(posts[name].to_numpy(dtype=np.float64)).any() for name in ("cost", "views")):
        day = MONEY_DAY if MONEY_DAY in days or not days else days[-1]
        spent = pd.concat(
            [money(effects, retention, fits, by=by, days=(day,), prob=prob) for by in kinds],
            ignore_index=True,
        )
    return Outcomes(users, monthly, rates, spent)


def long_table(effects: Effects, found: Outcomes, prob: float = 0.95) -> pd.DataFrame:
    """Return every effect of a run in the one schema: what it stores as effects.csv.

    Parameters
    ----------
    effects : Effects
    found : Outcomes
    prob : float
        Probability of the intervals of the effects on downloads, in (0, 1).

    Returns
    -------
    DataFrame
        As :meth:`lift.analysis.effects.Effects.long`, and after that the quantities ``"users"``
        (active on a day after the install), ``"monthly_active_users"`` (with ``date``), ``"cost"``
        (money per incremental download or user: ``median``, ``lower``, ``upper``, no mean) and
        ``"per_1000_views"``.
    """
    parts = [effects.long(prob)]
    if found.users is not None:
        parts.append(in_schema(found.users.assign(quantity="users")))
    if found.monthly is not None:
        parts.append(in_schema(found.monthly.assign(quantity="monthly_active_users")))
    if found.money is not None:
        table = found.money
        cost = table.drop(columns=["cost"]).rename(
            columns={"cost_median": "median", "cost_lower": "lower", "cost_upper": "upper"}
        )
        cost = cost[cost["median"].notna()]
        views = table.rename(
            columns={
                "per_1000_mean": "mean",
                "per_1000_lower": "lower",
                "per_1000_upper": "upper",
                "mcse_per_1000_mean": "mcse_mean",
            }
        )
        views = views[views["mean"].notna()]
        parts += [
            in_schema(part.assign(quantity=name))
            for part, name in ((cost, COST), (views, PER_1000_VIEWS))
            if len(part)
        ]
    return pd.concat(parts, ignore_index=True)
