"""Tables of results as people read them: headings, intervals and numbers in one wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import pandas as pd

from lift.output import wording

HEADINGS = {
    "n_posts": "posts",
    "mean": "incremental",
    "prob_positive": "P(>0)",
    "prob_below_target": "P(below target)",
    "prob_tipped": "P(tipped)",
    "loo_mean": "leave-one-out",
    "add_one_in_mean": "add-one-in",
    "aumann_shapley_mean": "Aumann-Shapley",
    "aumann_shapley": "Aumann-Shapley",
    "shapley_mean": "Shapley",
    "gross_mean": "gross",
    "net_mean": "net",
    "tipping": "tipping share",
    "displaced_mean": "displaced share",
    "mcse_mean": "MC error",
    "mcse_cost_median": "MC error",
    "per_1000_mean": "per 1,000 views",
    "per_1000": "per 1,000 views",
    "z_mean": "z of the mean",
}
"""What columns are called; all others by their name, with spaces."""

SHARES = ("share_of_total", "tipping", "displaced_mean", "support")
"""Columns of shares that read as percentages."""

RATES = ("cost", "per_")
"""How columns of money and rates begin, which read in three figures whatever their size."""

PARTS = ("mean", "median", "lower", "upper")
"""What columns of one quantity hold of it: they have the same decimals."""

DECIMAL = 10.0
"""A column without a number of this size or more has three decimals."""


@dataclass(frozen=True)
class Column:
    """A column as people read it.

    Attributes
    ----------
    heading : str
    number : bool
        It holds numbers, which stand on the right.
    cells : tuple of str
    """

    heading: str
    number: bool
    cells: tuple[str, ...]


def columns(
    table: pd.DataFrame, prob: float | None = None, names: Mapping[str, str] | None = None
) -> list[Column]:
    """Return the columns of a table as people read them, bounds of an interval as one.

    Parameters
    ----------
    table : DataFrame
        ``<name>_lower`` and ``<name>_upper`` are the bounds of an interval. Numbers that belong
        together (``<name>_mean``, ``<name>_lower``, ...) have the same decimals.
    prob : float, optional
        Probability of the intervals, for their heading; theirs that the table states by default.
    names : mapping of str to str, optional
        What columns are called here, in place of :data:`HEADINGS`.

    Returns
    -------
    list of Column
    """
    if prob is None and "prob" in table and len(table):
        prob = float(table["prob"].iloc[0])
    level = "" if prob is None else f"{wording.level(prob)} "
    called = {**HEADINGS, **(names or {})}
    shown = []
    for name in map(str, table.columns):
        family, part = _parted(name)
        if part == "upper" and f"{family}lower" in table:
            continue
        if part == "lower" and f"{family}upper" in table:
            of = _called(family.rstrip("_"), called) if family else ""
            ends = zip(_numbers(table, name), _numbers(table, f"{family}upper"), strict=True)
            cells = tuple(
                wording.ABSENT if wording.ABSENT in pair else " to ".join(pair) for pair in ends
            )
            shown.append(Column(f"{of} {level}interval".strip(), True, cells))
        elif table[name].dtype.kind in "iuf":
            shown.append(Column(_called(name, called), True, tuple(_numbers(table, name))))
        else:
            shown.append(Column(_called(name, called), False, tuple(map(_text, table[name]))))
    return shown


def _called(name: str, called: Mapping[str, str]) -> str:
    return called.get(name, name.replace("_", " "))


def _parted(name: str) -> tuple[str, str]:
    """Return the family of a column, with its underscore, and what it holds of it."""
    family, line, part = name.rpartition("_")
    return (family + line, part) if part in PARTS else (name, "")


def _numbers(table: pd.DataFrame, name: str) -> list[str]:
    """Return the numbers of a column as text, in the decimals of its family."""
    values: Sequence[float] = table[name].tolist()
    if name.startswith("prob_"):
        return [wording.probability(value) for value in values]
    if name.startswith("mcse_"):
        return [wording.monte_carlo(value) for value in values]
    if name in SHARES:
        return [wording.percent(value) for value in values]
    if table[name].dtype.kind in "iu":
        return [wording.count(value) for value in values]
    if name.startswith(RATES):
        return [wording.amount(value) for value in values]
    family, _ = _parted(name)
    kin = [column for column in table.columns if _parted(str(column))[0] == family]
    sizes = [
        abs(value)
        for column in kin
        if table[column].dtype.kind == "f" and not str(column).startswith("prob")
        for value in table[column]
        if isfinite(value)
    ]
    large = max(sizes, default=0.0) >= DECIMAL
    return [_number(value, large=large) for value in values]


def _number(value: float, *, large: bool) -> str:
    if value in (inf, -inf):
        return wording.UNBOUNDED
    return wording.count(value) if large or value == 0 else wording.small(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return wording.day(value)
    return wording.name(value)
