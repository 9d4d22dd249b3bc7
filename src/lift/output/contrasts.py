"""Contrasts of levels as people read them: direction, unit, and what they rest on."""

from __future__ import annotations

import pandas as pd

from lift.analysis.counterfactual import is_linear
from lift.analysis.hierarchy import DESCRIPTIVE, reference_views
from lift.model.posterior import Posterior
from lift.output import wording


def rows(table: pd.DataFrame, *, linear: bool = False) -> pd.DataFrame:
    """Return contrasts as text, one row each.

    Parameters
    ----------
    table : DataFrame
        As :func:`lift.analysis.hierarchy.contrast_table`, with a row at least.
    linear : bool
        Posts add to downloads, rather than multiply them.

    Returns
    -------
    DataFrame of str
        Columns contrast, posts, downloads per post, <level> interval, P(>0), log-lift-days (with
        their interval), support, and a note where there is one.
    """
    level = wording.level(float(table["prob"].iloc[0]))
    amount = "units" if linear else "log-lift-days"
    shown = []
    for row in table.to_dict("records"):
        shown.append(
            {
                "contrast": wording.name(f"{row['level']} less {row['other']}"),
                "posts": f"{row['n_posts']} and {row['n_other']}",
                "downloads per post": wording.count(row["downloads_mean"]),
                f"{level} interval": wording.interval(
                    row["downloads_lower"], row["downloads_upper"]
                ),
                "P(>0)": wording.probability(row["prob_positive"]),
                amount: f"{wording.small(row['mean'])} ({wording.small(row['lower'])} to "
                f"{wording.small(row['upper'])})",
                "support": wording.share(row["support"]),
                "note": row["note"].removeprefix(DESCRIPTIVE).removeprefix("; "),
            }
        )
    made = pd.DataFrame(shown)
    return made if (made["note"] != "").any() else made.drop(columns="note")


def meaning(table: pd.DataFrame, posterior: Posterior) -> str:
    """Return what the numbers of the table are, in sentences.

    Parameters
    ----------
    table : DataFrame
        As :func:`lift.analysis.hierarchy.contrast_table`, with a row at least.
    posterior : Posterior

    Returns
    -------
    str
    """
    views, daily = reference_views(posterior), float(table["daily_downloads"].iloc[0])
    at = f" at {wording.count(round(views))} views" if views == views else ""
    scale = (
        f"the second number in units of {posterior.attrs['unit']:,.0f} downloads"
        if is_linear(posterior)
        else f"where downloads are {wording.count(daily)} a day (the median), of which a "
        "log-lift-day is about one day"
    )
    return (
        f"What a post of the first level brings{at} over all its days, less one of the second, as "
        f"if they did not differ in their other attributes; {scale}. Support: share of the posts "
        "in the range of views that both levels have. Descriptive: the posts were not assigned at "
        "random."
    )
