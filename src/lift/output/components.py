"""Components of the model as people read them: levels in downloads, what is added in percent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lift.output import wording

TITLES = {
    "level": "level",
    "week": "week",
    "year": "year",
    "season": "other seasons",
    "holiday": "holidays",
    "control": "all controls",
    "posts": "all posts",
    "autoregression": "noise that lasts",
    "downloads": "fitted downloads",
}
"""What components are called; ``sum`` is told in downloads."""
ABSOLUTE = ("level", "downloads")
"""Components that are downloads per day by themselves; the others add to them."""


def rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a summary of components as text.

    Parameters
    ----------
    summary : DataFrame
        As :meth:`lift.analysis.components.Components.summary`.

    Returns
    -------
    DataFrame
        Columns component, unit, lowest, highest, interval width. Where the model is on the log
        scale what a component adds is in percent, and so are widths: by how much the upper bound
        of a day is above the lower one.
    """
    shown = []
    for row in summary[summary["component"].isin(TITLES)].to_dict("records"):
        component, control = str(row["component"]), str(row["control"])
        log = str(row["unit"]).startswith("log")
        ends = np.array([row["lowest"], row["highest"]])
        if log and component not in ABSOLUTE:
            unit, texts = "%", [wording.percent(end) for end in np.expm1(ends)]
        else:
            unit = "downloads/day"
            texts = [wording.count(end) for end in (np.exp(ends) if log else ends)]
        width = float(row["interval_width"])
        shown.append(
            {
                "component": control or TITLES[component],
                "unit": unit,
                "lowest": texts[0],
                "highest": texts[1],
                "interval width": wording.percent(np.expm1(width)) if log else wording.count(width),
            }
        )
    return pd.DataFrame(shown)


def check_rows(checks: pd.DataFrame) -> pd.DataFrame:
    """Return checks of prediction errors as text.

    Parameters
    ----------
    checks : DataFrame
        As :func:`lift.analysis.prediction_errors.error_checks`.

    Returns
    -------
    DataFrame
        Columns check, value, expected, p.
    """
    text = {
        name: [wording.small(value) for value in checks[name]] for name in ("value", "expected")
    }
    return checks.assign(**text, p=[wording.probability(p) for p in checks["p"]])
