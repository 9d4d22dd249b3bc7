"""What a report says of users, money and pull-forward: rows as text."""

from __future__ import annotations

from math import inf

import pandas as pd

from lift.output import wording
from lift.output.facts import Facts

UNBOUNDED = "unbounded"


def users_rows(facts: Facts) -> list[dict[str, object]]:
    """Return incremental users as text: of the campaign on every day, of posts and people on one.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    list of dict
        Empty where the run has no users.
    """
    table = facts.outcomes.users
    if table is None:
        return []
    days = table["day"].unique().tolist()
    shown = 30 if 30 in days else days[-1]
    whole = table[table["by"] == "campaign"]
    single = table[table["by"].isin(["influencer", "post"]) & (table["day"] == shown)]
    return [
        {
            "unit": wording.name(row["unit"]),
            "by": str(row["by"]).replace("_", " "),
            "day": int(row["day"]),
            "mean": wording.count(row["mean"]),
            "interval": wording.interval(row["lower"], row["upper"]),
            "prob_positive": wording.probability(row["prob_positive"]),
            "per_quality": wording.count(row["per_quality"]),
            "basis": str(row["basis"]).partition(":")[0],
            "extrapolated": bool(row["extrapolated"]),
            "note": str(row["note"]),
        }
        for row in pd.concat([whole, single]).to_dict("records")
    ]


def bases(facts: Facts) -> list[str]:
    """Return what the users of a run rest on, each basis once, in full.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    list of str
    """
    table = facts.outcomes.users
    return [] if table is None else list(dict.fromkeys(table["basis"].astype(str)))


def money_rows(facts: Facts) -> list[dict[str, object]]:
    """Return costs and effects per thousand views as text, of the campaign, people and posts.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    list of dict
        Empty where no post has a cost or views.
    """
    table = facts.outcomes.money
    if table is None:
        return []
    order = {"campaign": 0, "influencer": 1, "post": 2}
    shown = table[table["by"].isin(list(order))]
    shown = shown.sort_values("by", key=lambda by: by.map(order), kind="stable")
    return [
        {
            "unit": wording.name(row["unit"]),
            "by": str(row["by"]),
            "outcome": str(row["outcome"]),
            "cost": wording.count(row["cost"]),
            "median": amount(row["cost_median"]),
            "interval": f"{amount(row['cost_lower'])} to {amount(row['cost_upper'])}"
            if row["cost_median"] == row["cost_median"]
            else wording.ABSENT,
            "prob_positive": wording.probability(row["prob_positive"]),
            "views": wording.count(row["views"]),
            "per_1000": amount(row["per_1000_mean"]),
            "per_1000_interval": f"{amount(row['per_1000_lower'])} to "
            f"{amount(row['per_1000_upper'])}"
            if row["per_1000_mean"] == row["per_1000_mean"]
            else wording.ABSENT,
            "note": str(row["note"]),
        }
        for row in shown.to_dict("records")
    ]


def amount(value: float) -> str:
    """Return money or a rate in three figures; what has no finite value is ``"unbounded"``.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    if value in (inf, -inf):
        return UNBOUNDED
    if value != value:
        return wording.ABSENT
    if abs(value) >= 1000:
        return wording.count(value)
    return f"{value:.3g}".replace("-", wording.MINUS)


def pull_forward_rows(facts: Facts) -> list[dict[str, object]]:
    """Return effects gross and net of pull-forward as text.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    list of dict
        Empty where the model has no displacement.
    """
    if facts.pull_forward is None:
        return []
    return [
        {
            "unit": wording.name(row["unit"]),
            "gross": wording.count(row["gross_mean"]),
            "gross_interval": wording.interval(row["gross_lower"], row["gross_upper"]),
            "net": wording.count(row["net_mean"]),
            "net_interval": wording.interval(row["net_lower"], row["net_upper"]),
            "tipping": "above 100%"
            if row["tipping"] != row["tipping"]
            else wording.percent(row["tipping"]),
            "prob_tipped": wording.probability(row["prob_tipped"]),
            "weaker": wording.count(row["net_mean_weaker"]),
            "stronger": wording.count(row["net_mean_stronger"]),
            "note": str(row["note"]),
        }
        for row in facts.pull_forward.to_dict("records")
    ]
