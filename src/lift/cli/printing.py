"""What the command line prints: tables and JSON on standard output, the rest on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from lift.analysis.diagnostics import Finding
    from lift.data.campaign import Campaign
    from lift.pipeline import Analysis

PIPE_WIDTH = 1000
"""Columns of a console that is not a terminal: nothing is cut or folded there."""

STYLES = {"PASS": "green", "REVIEW": "yellow", "FAIL": "bold red"}


def line(text: str) -> None:
    """Print a line of the result."""
    typer.echo(text)


def note(text: str) -> None:
    """Print a line beside the result."""
    typer.echo(f"note: {text}", err=True)


def complain(text: str) -> None:
    """Print an error beside the result, in one piece and as it is."""
    typer.echo(f"lift: {text}", err=True)


def json_text(value: object) -> None:
    """Print a value as JSON; what is not a number is null."""
    from lift.output.manifest import plain

    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def csv_text(table: pd.DataFrame) -> None:
    """Print a table as CSV in full precision."""
    text = table.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    typer.echo(text, nl=False)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table with its dates as text."""
    shown = table.copy()
    for column in shown.columns:
        if shown[column].dtype.kind == "M":
            shown[column] = shown[column].dt.strftime("%Y-%m-%d")
    return [{str(key): value for key, value in row.items()} for row in shown.to_dict("records")]


def with_truth(table: pd.DataFrame, truth: pd.DataFrame | None) -> pd.DataFrame:
    """Return an effect table with the true effects beside it, where they are known."""
    if truth is None:
        return table
    return table.merge(truth, on=["by", "unit"], how="left", validate="one_to_one")


def effects(table: pd.DataFrame, truth: pd.DataFrame | None = None) -> None:
    """Print an effect table, one row per unit, with the truth where it is known."""
    from rich.text import Text

    from lift.output import wording

    joined = with_truth(table, truth)
    by, prob = str(table["by"].iloc[0]), float(table["prob"].iloc[0])
    several = by not in {"post", "campaign"}
    known = "truth" in joined and bool(joined["truth"].notna().any())
    remarks = bool((joined["note"] != "").any())
    shown = _table()
    shown.add_column(by.replace("_", " "), overflow="fold")
    if several:
        shown.add_column("posts", justify="right")
    for heading in (
        "from",
        "to",
        "observed",
        "incremental",
        f"{wording.level(prob)} interval",
        "P(>0)",
        "MC error",
        "relative",
        *(["truth", "inside"] if known else []),
    ):
        shown.add_column(heading, justify="right", overflow="fold")
    if remarks:
        shown.add_column("note", overflow="fold")
    for row in joined.to_dict("records"):
        cells = [wording.name(row["unit"])]
        cells += [str(row["n_posts"])] if several else []
        cells += [
            wording.day(row["start"]),
            wording.day(row["end"]),
            wording.count(row["observed"]),
            wording.count(row["mean"]),
            wording.interval(row["lower"], row["upper"]),
            wording.probability(row["prob_positive"]),
            wording.monte_carlo(row["mcse_mean"]),
            wording.percent(row["relative_mean"]),
        ]
        if known:
            inside = row["lower"] <= row["truth"] <= row["upper"]
            cells += [wording.count(row["truth"]), "yes" if inside else "no"]
        cells += [wording.name(row["note"])] if remarks else []
        shown.add_row(*(Text(cell) for cell in cells))
    _show(shown)


def coverage(table: pd.DataFrame, truth: pd.DataFrame) -> str:
    """Return how many intervals hold the truth, as a sentence."""
    from lift.output import wording

    joined = with_truth(table, truth).dropna(subset="truth")
    inside = ((joined["lower"] <= joined["truth"]) & (joined["truth"] <= joined["upper"])).sum()
    level = wording.level(float(table["prob"].iloc[0]))
    return f"{inside} of {len(joined)} true effects lie within their {level} interval."


def overlap(analysis: Analysis) -> str:
    """Return a sentence that keeps readers from adding up single effects."""
    from lift.analysis.counterfactual import is_linear
    from lift.output import wording

    single = float(analysis.effects.draws("post").sum("post").mean())
    whole = float(analysis.effects.draws("campaign").mean())
    if is_linear(analysis.posterior) and "saturation" not in analysis.posterior.attrs:
        return (
            "On the linear scale effects of posts add up day by day: their sum, each to its own "
            f"horizon, is {wording.count(single)}; the campaign's effect, to the last post's "
            f"horizon, is {wording.count(whole)}."
        )
    index = analysis.effects.interaction_index()
    given = index == index
    shown = f"{index:+.3f}" if given else "not given, as the campaign's interval includes zero"
    return (
        f"Effects of single posts do not add up: their sum is {wording.count(single)}, "
        f"the campaign's effect is {wording.count(whole)} (interaction index {shown})."
    )


def coupled(table: pd.DataFrame) -> str:
    """Return which coupling a table of effects has, as a sentence."""
    return f"Coupling: {table['coupling'].iloc[0]}."


def plain_table(
    table: pd.DataFrame, prob: float | None = None, names: Mapping[str, str] | None = None
) -> None:
    """Print any table in the wording of :mod:`lift.output.columns`.

    Parameters
    ----------
    table : DataFrame
    prob : float, optional
        Probability of its intervals, where it has no column that says it.
    names : mapping of str to str, optional
        What columns are called, where they have another name there.
    """
    from rich.text import Text

    from lift.output.columns import columns

    shown = _table()
    read = columns(table, prob, names)
    for column in read:
        justify: Literal["left", "right"] = "right" if column.number else "left"
        shown.add_column(column.heading, justify=justify, overflow="fold")
    for cells in zip(*(column.cells for column in read), strict=True):
        shown.add_row(*map(Text, cells))
    _show(shown)


def findings(found: Sequence[Finding]) -> None:
    """Print findings as a table."""
    from rich.text import Text

    from lift.output import wording

    shown = _table()
    for heading in ("result", "check", "what was found"):
        shown.add_column(heading, overflow="fold")
    for finding in found:
        shown.add_row(
            Text(finding.level, style=STYLES[finding.level]),
            Text(wording.name(finding.check)),
            Text(wording.name(finding.text)),
        )
    _show(shown)


def told_apart(analysis: Analysis) -> None:
    """Print what the data say of each post by itself, where that can be told."""
    from lift.analysis.identifiability import comparable
    from lift.output import compared

    if not comparable(analysis.posterior):
        line("What the data say of each post by itself cannot be told of this model; see effects.")
        return
    found = analysis.identifiability
    plain_table(compared.post_rows(found))
    for text in (compared.meaning(found), *compared.group_lines(found)):
        line(text)


def campaign(read: Campaign) -> None:
    """Print what a campaign holds, and what is worth knowing about it."""
    from rich.text import Text

    from lift.output import wording

    days = f"{len(read.dates):,} from {wording.day(read.dates[0])} to {wording.day(read.dates[-1])}"
    shown = _table(show_header=False)
    shown.add_column()
    shown.add_column(overflow="fold")
    for what, value in (
        ("campaign", read.name),
        ("days", days),
        ("markets", ", ".join(read.markets)),
        ("posts", f"{len(read.posts):,}"),
        ("controls", ", ".join(read.control_names) or "none"),
        ("time zone", str(read.timezone)),
        ("country", str(read.country or "none: no holidays")),
    ):
        shown.add_row(Text(what, style="bold"), Text(wording.name(value)))
    _show(shown)
    for notice in read.notices:
        note(notice)
    line("valid")


def preregistration(record: Mapping[str, Any]) -> None:
    """Print what a run says about its pre-registration, beside the result."""
    departures = record["departures"]
    told = f"{len(departures)} departure(s)" if departures else "no departures"
    lines = [f"frozen {record['created']} ({record['sha256'][:12]}), {told}"]
    lines += [
        f"departure: {one['what']}: {one['frozen']} frozen, {one['done']} done"
        for one in departures
    ]
    decision = record["decision"]
    if decision["met"] is None:
        lines.append(f"decision rule: {decision['sentence']}; there is no such unit")
    else:
        met = "met" if decision["met"] else "not met"
        lines.append(f"decision rule: {decision['sentence']}; {met} ({decision['found']:.3f})")
    for text in lines:
        note(text)


@contextmanager
def progress(what: str) -> Iterator[Callable[[float, str], None]]:
    """Show how far a computation is on standard error; one line where that is no terminal.

    Parameters
    ----------
    what : str
        What is computed.

    Yields
    ------
    callable
        Takes the share done, 0 to 1, and a word for the stage.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        note(f"{what} ...")
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share, stage: bar.update(
            task, completed=min(max(share, 0.0), 1.0), description=f"{what}: {stage}"
        )


def _table(**options: Any) -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False, **options)


def _show(table: Table) -> None:
    """Print a table; folded to a terminal, and else whole, without idle spaces."""
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(highlight=False, width=PIPE_WIDTH)
    with wide.capture() as captured:
        wide.print(table)
    lines = [text.rstrip() for text in captured.get().splitlines()]
    typer.echo("\n".join(lines).strip("\n") + "\n")
