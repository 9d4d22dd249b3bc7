"""Numbers, dates and names as people read them; never used where a machine reads."""

from __future__ import annotations

import unicodedata
from math import floor, inf, isfinite, log10

import pandas as pd

ABSENT = "\N{EN DASH}"
"""What stands for a number that does not exist."""

MINUS = "\N{MINUS SIGN}"

UNBOUNDED = "unbounded"
"""What stands for a number without a finite end."""

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_STEPS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))


def count(value: float) -> str:
    """Return a count with thousands separators: ``12,345``; small ones keep a decimal.

    Parameters
    ----------
    value : float
        NaN and infinities have no text but :data:`ABSENT`.
    """
    if not isfinite(value):
        return ABSENT
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 1
    text = f"{abs(value):,.{digits}f}"
    return (MINUS if value < 0 and text.strip("0.") else "") + text


def small(value: float) -> str:
    """Return a number in three decimals: ``0.084``."""
    if not isfinite(value):
        return ABSENT
    text = f"{abs(value):,.3f}"
    return (MINUS if value < 0 and text.strip("0.") else "") + text


def amount(value: float) -> str:
    """Return money or a rate in three figures; without a finite value it is unbounded."""
    if value in (inf, -inf):
        return UNBOUNDED
    if value != value:
        return ABSENT
    if abs(value) >= 1000:
        return count(value)
    return f"{value:.3g}".replace("-", MINUS)


def short(value: float) -> str:
    """Return a count in three figures: ``1.23M``, ``45.6k``, ``789``."""
    if not isfinite(value):
        return ABSENT
    size = abs(value)
    step, letter = next((s for s in _STEPS if size >= 0.9995 * s[0]), (1.0, ""))
    text = f"{size / step:.3g}" if size < 999.5 * step else f"{size / step:.0f}"
    return (MINUS if value < 0 and text.strip("0.") else "") + text + letter


def percent(value: float) -> str:
    """Return a share as a percentage with one decimal: ``12.3%``."""
    if not isfinite(value):
        return ABSENT
    text = f"{abs(value):,.1%}"
    return (MINUS if value < 0 and text.strip("0.%") else "") + text


def share(value: float) -> str:
    """Return a share as a whole percentage: ``12%``."""
    return f"{value:.0%}" if isfinite(value) else ABSENT


def interval(lower: float, upper: float) -> str:
    """Return an interval of counts: ``1,200 to 3,400``."""
    if not (isfinite(lower) and isfinite(upper)):
        return ABSENT
    return f"{count(lower)} to {count(upper)}"


def percent_interval(lower: float, upper: float) -> str:
    """Return an interval of shares: ``1.2% to 3.4%``."""
    if not (isfinite(lower) and isfinite(upper)):
        return ABSENT
    return f"{percent(lower)} to {percent(upper)}"


def probability(value: float) -> str:
    """Return a probability in three decimals, never as a bare 0 or 1."""
    if not isfinite(value):
        return ABSENT
    if value >= 0.9995:
        return ">0.999"
    return f"{value:.3f}" if value >= 0.0005 else "<0.001"


def monte_carlo(value: float) -> str:
    """Return a Monte Carlo error in two significant figures."""
    if not isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    decimals = max(0, 1 - floor(log10(abs(value))))
    return f"{value:,.{decimals}f}" if decimals else count(value)


def monte_carlo_of_chances(table: pd.DataFrame) -> str:
    """Return how many draws the rows of a table rest on, and what that makes of P(> 0).

    Parameters
    ----------
    table : DataFrame
        Columns basis, n_draws (NaN where a row has none), and mcse_prob if known.

    Returns
    -------
    str
        A sentence, with the largest error of every basis and number of draws.
    """
    parts = []
    for (basis, _), rows in table.groupby(["basis", "n_draws"], sort=False):
        part = f"{str(basis).partition(':')[0]} {count(float(rows['n_draws'].iloc[0]))} draws"
        if "mcse_prob" in rows:
            part += f", error of P(> 0) up to {monte_carlo(float(rows['mcse_prob'].max()))}"
        parts.append(part)
    return f"Monte Carlo: {'; '.join(parts)}."


def level(prob: float) -> str:
    """Return the probability of an interval as a percentage without idle zeros: ``95%``."""
    return f"{100 * prob:.6g}%"


def day(value: object) -> str:
    """Return a date as ``2026-03-01``, or :data:`ABSENT`."""
    stamp = pd.Timestamp(value)  # type: ignore[arg-type]
    return ABSENT if pd.isna(stamp) else str(stamp.date())


def long_day(value: object) -> str:
    """Return a date as ``1 March 2026``, or :data:`ABSENT`; the same in every locale."""
    stamp = pd.Timestamp(value)  # type: ignore[arg-type]
    return ABSENT if pd.isna(stamp) else f"{stamp.day} {_MONTHS[stamp.month - 1]} {stamp.year}"


def words(value: float) -> str:
    """Return a count for a sentence, in three figures: ``1.23 million``, ``45,600``."""
    if not isfinite(value):
        return ABSENT
    size = abs(value)
    sign = MINUS if value < 0 else ""
    if size >= 999_500:
        large = size >= 999_500_000
        return f"{sign}{size / (1e9 if large else 1e6):.3g} {'billion' if large else 'million'}"
    if size < 1:
        return "0" if round(size, 1) == 0 else f"{sign}{size:.1f}"
    places = max(0, floor(log10(size)) - 2)
    return count(float(round(value / 10**places) * 10**places))


def name(value: object) -> str:
    """Return a name in one line, with control characters made visible.

    What a table calls itself may hold anything; a terminal must not obey it, and XML cannot
    hold it.
    """
    text = " ".join(str(value).split())
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(letter) in {"Cc", "Cs", "Cn", "Zl", "Zp"}
        else letter
        for letter in text
    )
