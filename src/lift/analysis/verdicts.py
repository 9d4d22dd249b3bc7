"""Do engines agree: the effects of several engines side by side, and a verdict on each difference.

All rules are here. Against the reference (the first engine) each other engine has, for every unit,
three differences: of the mean and of both ends of the interval. Each is measured in its combined
Monte Carlo error, ``z = |a - b| / hypot(mcse_a, mcse_b)``. The rules, in order:

1. ``SAME`` (within Monte Carlo error): all three ``z`` are at most ``MAX_Z``. Five errors: of
   hundreds of comparisons none is expected beyond by chance.
2. Engines that sample the same posterior (no declared fault) have no other excuse: ``UNEXPLAINED``.
3. ``OVERLAP`` (explained by overlap): the engine looks at one post at a time, and the unit shares
   days with other posts, whose effects it is given.
4. ``FAULT`` (explained by known fault): the engine declares what its numbers leave out, and the
   wider of the two intervals holds the other mean. Stretched for the number of units: of estimates
   that are right but unpooled, one in a hundred tables has one beyond (``FAMILY_ERROR``); and give
   or take ``MAX_Z`` Monte Carlo errors. What is declared explains another width, and a mean that
   the width allows, not one that it rules out.
5. ``LASTING`` (explained by a lasting change): the engine looks at one post at a time, by its own
   limits the days after the window are not back at its forecast, and the reference lies between
   two readings of its number: all that lasts is the post's, or the level's. An engine of the days
   before cannot tell which.
6. ``UNEXPLAINED`` (not explained): all else.

An engine that refuses the campaign has no number, and the verdict ``REFUSED``; one whose draws must
not be believed has ``UNBELIEVED``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from lift.analysis.counterfactual import interval_tail
from lift.analysis.diagnostics import mcse
from lift.analysis.effects import Effects
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

MAX_Z = 5.0
FAMILY_ERROR = 0.01
"""Probability that an unpooled estimate without fault lies too far from the pooled one in any unit
of a table (Bonferroni)."""

REFERENCE = "reference"
SAME = "within Monte Carlo error"
OVERLAP = "explained by overlap"
FAULT = "explained by known fault"
LASTING = "explained by a lasting change"
UNEXPLAINED = "not explained"
REFUSED = "refused"
UNBELIEVED = "draws not to be believed"
FAILURES = (UNEXPLAINED, UNBELIEVED)

MEASURES = ("mean", "lower", "upper")
CAMPAIGN = "all posts together"
COLUMNS = (
    "unit",
    "engine",
    "mean",
    "lower",
    "upper",
    "mcse_mean",
    "mcse_lower",
    "mcse_upper",
    "z_mean",
    "z_lower",
    "z_upper",
    "seconds",
    "verdict",
    "note",
)


@dataclass(frozen=True, eq=False)
class EngineEffects:
    """What one engine says of every unit.

    Attributes
    ----------
    engine : str
    table : DataFrame
        Columns unit, mean, lower, upper (downloads), mcse_mean, mcse_lower, mcse_upper (0 where
        nothing is drawn), note. Engines of single posts: overlaps ("" for none) and lasting, as
        :class:`lift.engines.windows.WindowEffects` has them.
    seconds : float
        Of wall time.
    faults : tuple of str
        What is known to be wrong with, or left out of, its numbers.
    single_posts : bool
        Whether it looks at one post at a time.
    outcome : str
        "" for numbers, else ``REFUSED`` or ``UNBELIEVED``; the table is then empty.
    message : str
        Why there are no numbers, or what a reader must know of them.
    """

    engine: str
    table: pd.DataFrame
    seconds: float
    faults: tuple[str, ...] = ()
    single_posts: bool = False
    outcome: str = ""
    message: str = ""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Effects of several engines and a verdict on each difference.

    Attributes
    ----------
    table : DataFrame
        One row per unit and engine, the reference first: ``COLUMNS``. The z's are in Monte Carlo
        errors; NaN where there is no number, or nothing was drawn on either side.
    engines : tuple of EngineEffects
    prob : float
        Probability of the intervals.
    """

    table: pd.DataFrame
    engines: tuple[EngineEffects, ...]
    prob: float

    @property
    def failures(self) -> pd.DataFrame:
        """Rows of the table whose verdict is one of ``FAILURES``."""
        return self.table[self.table["verdict"].isin(FAILURES)]

    @property
    def passed(self) -> bool:
        """Whether every difference is explained."""
        return self.failures.empty


def effects_of(posterior: Posterior, prob: float = 0.95) -> pd.DataFrame:
    """Return the leave-one-out effects of a posterior with the Monte Carlo errors of their numbers.

    Parameters
    ----------
    posterior : Posterior
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        As ``EngineEffects.table``, one row per post and one for ``CAMPAIGN``. Weighted draws carry
        the error of their weights too: their errors are those of the draws times
        ``sqrt(1 + draws / effective draws)``.
    """
    tail = interval_tail(prob)
    effects = Effects(posterior)
    stats, sizes = posterior.sample_stats, posterior.draws.sizes
    weights = 1.0
    if "ess" in stats:
        weights = float(np.sqrt(1.0 + sizes["chain"] * sizes["draw"] / float(stats["ess"])))
    rows = []
    for by in ("post", "campaign"):
        draws = effects.draws(by)
        for i, unit in enumerate(effects.units(by)):
            values = draws.isel({by: i}).to_numpy()
            ends = np.quantile(values, [tail, 1 - tail])
            rows.append(
                {
                    "unit": CAMPAIGN if by == "campaign" else unit.name,
                    "mean": float(values.mean()),
                    "lower": float(ends[0]),
                    "upper": float(ends[1]),
                    "mcse_mean": weights * mcse(values, "mean"),
                    "mcse_lower": weights * mcse(values, "quantile", tail),
                    "mcse_upper": weights * mcse(values, "quantile", 1 - tail),
                    "overlaps": "",
                    "note": "",
                }
            )
    return pd.DataFrame(rows)


def agreement(engines: Sequence[EngineEffects], prob: float = 0.95) -> Agreement:
    """Return the effects side by side, with a verdict on each difference from the first engine.

    Parameters
    ----------
    engines : sequence of EngineEffects
        The reference first; it must have numbers.
    prob : float
        Probability of the intervals, in (0, 1).

    Returns
    -------
    Agreement
    """
    reference = engines[0].table.set_index("unit")
    stretch = norm.isf(FAMILY_ERROR / 2 / len(reference)) / norm.isf(interval_tail(prob))
    rows = []
    for unit in reference.index:
        mine = reference.loc[unit].to_dict()
        for other in engines:
            row = {"unit": unit, "engine": other.engine, "seconds": other.seconds, "note": ""}
            if other is engines[0]:
                row |= mine | {"verdict": REFERENCE}
            elif other.outcome:
                row |= {"verdict": other.outcome, "note": other.message}
            elif unit not in set(other.table["unit"]):
                row |= {"verdict": REFUSED, "note": "it has no number for this unit"}
            else:
                theirs = other.table.set_index("unit").loc[unit].to_dict()
                row |= theirs | judged(mine, theirs, other, float(stretch))
            rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    return Agreement(table, tuple(engines), prob)


def judged(
    mine: Mapping[str, float], theirs: Mapping[str, float], other: EngineEffects, stretch: float
) -> dict[str, object]:
    """Return the z's and the verdict on one unit, by the rules of this module.

    Parameters
    ----------
    mine, theirs : mapping
        Rows of ``EngineEffects.table`` of the reference and of the other engine.
    other : EngineEffects
    stretch : float
        What the distance from a mean to the end of its interval is multiplied by in rule 4.

    Returns
    -------
    dict
        z_mean, z_lower, z_upper, verdict.
    """
    if not np.isfinite(theirs["mean"]):
        return {"verdict": REFUSED}
    found: dict[str, object] = {}
    same = True
    for what in MEASURES:
        error = float(np.hypot(mine[f"mcse_{what}"], theirs[f"mcse_{what}"]))
        gap = abs(float(mine[what]) - float(theirs[what]))
        found[f"z_{what}"] = gap / error if error > 0.0 else np.nan
        same &= gap <= MAX_Z * error
    if same:
        return {**found, "verdict": SAME}
    if other.single_posts and theirs["overlaps"]:
        return {**found, "verdict": OVERLAP}
    if other.faults and _wider_holds_the_mean(mine, theirs, stretch):
        return {**found, "verdict": FAULT}
    if other.single_posts and _between_the_readings(mine, theirs):
        return {**found, "verdict": LASTING}
    return {**found, "verdict": UNEXPLAINED}


def _wider_holds_the_mean(
    one: Mapping[str, float], other: Mapping[str, float], stretch: float
) -> bool:
    """Return whether the wider of two intervals, stretched, holds the other mean."""
    wide, narrow = sorted([one, other], key=lambda row: row["lower"] - row["upper"])
    gap = narrow["mean"] - wide["mean"]
    end = "upper" if gap > 0 else "lower"
    reach = stretch * abs(wide[end] - wide["mean"])
    return bool(abs(gap) <= reach + MAX_Z * np.hypot(wide[f"mcse_{end}"], narrow["mcse_mean"]))


def _between_the_readings(mine: Mapping[str, float], theirs: Mapping[str, float]) -> bool:
    """Return whether a mean lies in an interval with, or without, what lasts, or in between."""
    lasting = theirs["lasting"]
    low = theirs["lower"] - max(lasting, 0.0)
    high = theirs["upper"] - min(lasting, 0.0)
    reach = MAX_Z * mine["mcse_mean"]
    return bool(lasting != 0.0 and low - reach <= mine["mean"] <= high + reach)
