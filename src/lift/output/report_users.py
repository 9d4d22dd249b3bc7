"""What a report says of users, money and pull-forward: rows as text."""

from __future__ import annotations

import pandas as pd

from lift.output import wording
from lift.output.facts import Facts


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
            "mcse": wording.monte_carlo(row["mcse_mean"]),
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
            "median": wording.amount(row["cost_median"]),
            "mcse": wording.monte_carlo(row["mcse_cost_median"]),
            "interval": amounts(row["cost_lower"], row["cost_upper"], row["cost_median"]),
            "prob_positive": wording.probability(row["prob_positive"]),
            "views": wording.count(row["views"]),
            "per_1000": wording.amount(row["per_1000_mean"]),
            "per_1000_interval": amounts(
                row["per_1000_lower"], row["per_1000_upper"], row["per_1000_mean"]
            ),
            "note": str(row["note"]),
        }
        for row in shown.to_dict("records")
    ]


def amounts(lower: float, upper: float, middle: float) -> str:
    """Return an interval of money or a rate; none where it has no middle.

    Parameters
    ----------
    lower, upper, middle : float

    Returns
    -------
    str
    """
    if middle != middle:
        return wording.ABSENT
    return f"{wording.amount(lower)} to {wording.amount(upper)}"


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
