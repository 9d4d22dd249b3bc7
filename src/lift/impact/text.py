"""What a fitted intervention says, in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

LABELS = {"Average": "per row", "Cumulative": "in total"}


def number(value: float, digits: int) -> str:
    """Return a number with thousands set apart."""
    return f"{value:,.{digits}f}"


def percent(share: float, digits: int) -> str:
    """Return a signed share in percent."""
    return f"{100.0 * share:+.{digits}f} %"


def tail(p: float, n_draws: int) -> str:
    """Return a tail probability; where no draw lies in the tail, below which it is."""
    return f"p < 1/{n_draws:,}" if p * (n_draws + 1) < 1.5 else f"p = {p:.3g}"


def summary_text(table: pd.DataFrame, remarks: Sequence[str], digits: int, n_draws: int) -> str:
    """Return the summary as a table of fixed width.

    Parameters
    ----------
    table : DataFrame
        As ``summary_table`` makes it.
    remarks : sequence of str
    digits : int
        Digits after the point.
    n_draws : int
        Draws that the tail probability counts.

    Returns
    -------
    str
    """
    level = f"{100.0 * (1.0 - float(table['alpha'].iloc[0])):g}%"
    lines = [("", *(LABELS[str(row)] for row in table.index))]

    def add(label: str, what: str, show: str) -> None:
        entries = []
        for _, row in table.iterrows():
            entries.append(
                percent(row[what], digits) if show == "percent" else number(row[what], digits)
            )
        lines.append((label, *entries))

    def interval(what: str, show: str) -> None:
        entries = []
        for _, row in table.iterrows():
            ends = [row[f"{what}.lower"], row[f"{what}.upper"]]
            shown = [percent(e, digits) if show == "percent" else number(e, digits) for e in ends]
            entries.append(f"[{shown[0]}, {shown[1]}]")
        lines.append((f"  {level} interval", *entries))

    add("actual", "Actual", "number")
    add("predicted without it", "Pred", "number")
    interval("Pred", "number")
    add("effect", "AbsEffect", "number")
    interval("AbsEffect", "number")
    add("relative effect", "RelEffect", "percent")
    interval("RelEffect", "percent")
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    rows = [
        "  ".join(
            entry.ljust(width) if i == 0 else entry.rjust(width)
            for i, (entry, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rows += ["", f"tail probability of no effect: {tail(float(table['p'].iloc[0]), n_draws)}"]
    rows += [f"note: {remark}" for remark in remarks]
    return "\n".join(rows)


def report_text(
    table: pd.DataFrame, outcome: str, remarks: Sequence[str], digits: int, n_draws: int
) -> str:
    """Return the summary in sentences.

    Parameters
    ----------
    table : DataFrame
        As ``summary_table`` makes it.
    outcome : str
        Name of the outcome.
    remarks : sequence of str
    digits, n_draws : int
        As for ``summary_text``.

    Returns
    -------
    str
    """
    average, total = (
        {str(name): float(value) for name, value in row.items()} for _, row in table.iterrows()
    )
    level = f"{100.0 * (1.0 - average['alpha']):g}%"
    lower, upper = total["AbsEffect.lower"], total["AbsEffect.upper"]
    p = tail(total["p"], n_draws)

    def with_interval(row: dict[str, float], what: str) -> str:
        show = percent if what == "RelEffect" else number
        ends = f"{show(row[f'{what}.lower'], digits)} to {show(row[f'{what}.upper'], digits)}"
        return f"{show(row[what], digits)} ({level} interval {ends})"

    if lower <= 0.0 <= upper:
        verdict = (
            f"The {level} interval of the effect contains zero (tail probability {p}): "
            "these data do not settle whether there was an effect, nor its direction. That is not "
            "evidence of no effect: the interval says which effects remain possible."
        )
    else:
        verb = "raised" if lower > 0.0 else "lowered"
        verdict = (
            f"The {level} interval of the effect lies on one side of zero (tail probability "
            f"{p}): if the assumptions below hold, the intervention {verb} {outcome}."
        )
    parts = [
        f"After the intervention {outcome} was {number(average['Actual'], digits)} per row on "
        f"average. Without it, {with_interval(average, 'Pred')} would have been expected: an "
        f"effect of {with_interval(average, 'AbsEffect')} per row.",
        f"Summed over the post-period, {outcome} came to {number(total['Actual'], digits)}, "
        f"against {with_interval(total, 'Pred')} without the intervention: an effect of "
        f"{with_interval(total, 'AbsEffect')}. A sum has a meaning only where {outcome} is a flow, "
        "such as downloads per day.",
        f"In relative terms the effect is {with_interval(total, 'RelEffect')}.",
        verdict,
        "This rests on three assumptions that the data cannot prove: the controls were not moved "
        "by the intervention, their relation to the outcome stayed as it was before, and nothing "
        "else that moved the outcome began at the same time.",
    ]
    parts += [f"Note: {remark}." for remark in remarks]
    return "\n\n".join(parts)
