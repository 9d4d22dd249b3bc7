"""The command that turns the downloads of a stored run into users."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift.cli import printing
from lift.cli.commands import UNITS, AsCsv, AsJson, By, Prob, RunPath, app, load_run
from lift.cli.coupled import CampaignOption, CouplingOption, coupled_run
from lift.cli.estimands import print_table
from lift.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from lift.data.cohorts import Cohorts
    from lift.model.assumption import RetentionAssumption
    from lift.pipeline import Analysis

USER_COLUMNS = (
    "unit",
    "day",
    "mean",
    "lower",
    "upper",
    "prob_positive",
    "mcse_mean",
    "basis",
    "note",
)
MONEY_COLUMNS = (
    "unit",
    "outcome",
    "cost",
    "cost_median",
    "mcse_cost_median",
    "cost_lower",
    "cost_upper",
    "prob_positive",
    "views",
    "per_1000_mean",
    "per_1000_lower",
    "per_1000_upper",
    "note",
)
TARGET_COLUMNS = ("prob_below_target", "note")
DISPLACEMENT_COLUMNS = (
    "unit",
    "gross_mean",
    "gross_lower",
    "gross_upper",
    "net_mean",
    "net_lower",
    "net_upper",
    "tipping",
    "prob_tipped",
    "displaced_mean",
    "note",
)
MONTHLY_COLUMNS = ("unit", "date", "mean", "lower", "upper", "extrapolated")
ASSUMED_COLUMNS = (*USER_COLUMNS[:7], "per_quality", *USER_COLUMNS[7:])

Days = Annotated[
    str, typer.Option(metavar="N,N,...", help="Days after the install on which users count.")
]
RetentionFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="TOML of a stated retention (activation, retention by day, quality), instead of what "
        "the run holds; results are flagged assumption-driven.",
    ),
]
CohortFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Cohort table that came after the fit (CSV or Parquet)."),
]
Rate = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DAY=MEAN,LOWER,UPPER",
        help="Stated share of the installs active on a day with its 95% interval, in place of a "
        "file; repeat for more days.",
    ),
]
Activation = Annotated[
    str | None,
    typer.Option(
        metavar="MEAN,LOWER,UPPER",
        help='With --rate: stated share of downloads that are opened, or "included" where the '
        "rates are per download.",
    ),
]
QualitySd = Annotated[
    float,
    typer.Option(min=0.0, help="With --rate: sd of the log of the quality ratio (median 1)."),
]


@app.command("users")
def _users(
    run: RunPath,
    by: Annotated[By, typer.Option(metavar=UNITS, help="What to take away together.")] = "post",
    days: Days = "1,7,30,90",
    retention: RetentionFile = None,
    cohorts: CohortFile = None,
    rate: Rate = None,
    activation: Activation = None,
    quality_sd: QualitySd = 0.3,
    monthly: Annotated[
        bool, typer.Option("--monthly", help="Monthly active users by day instead.")
    ] = False,
    coupling: CouplingOption = "shared",
    campaign: CampaignOption = None,
    prob: Prob = 0.95,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Estimate the incremental users of a run, days after install."""
    analysis = coupled_run(run, coupling, campaign)
    given = stated(analysis, retention, cohorts, rate, activation, quality_sd)
    table = (
        analysis.monthly_users(by, prob, given)
        if monthly
        else analysis.users(by, day_list(days), given).table(prob)
    )
    assumed = not monthly and bool(table["per_quality"].notna().any())
    columns = MONTHLY_COLUMNS if monthly else ASSUMED_COLUMNS if assumed else USER_COLUMNS
    if as_json or as_csv:
        print_table(table, columns, as_json=as_json, as_csv=as_csv)
        return
    print_table(short_basis(table), columns, as_json=False, as_csv=False)
    say_basis(table)


@app.command("money")
def _money(
    run: RunPath,
    by: Annotated[By, typer.Option(metavar=UNITS, help="What to take away together.")] = "post",
    days: Days = "30",
    target: Annotated[
        float | None,
        typer.Option(help="Most that a download or user may cost; adds how probable that is."),
    ] = None,
    retention: RetentionFile = None,
    cohorts: CohortFile = None,
    rate: Rate = None,
    activation: Activation = None,
    quality_sd: QualitySd = 0.3,
    coupling: CouplingOption = "shared",
    campaign: CampaignOption = None,
    prob: Prob = 0.95,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print what an incremental download or user cost."""
    analysis = coupled_run(run, coupling, campaign)
    given = stated(analysis, retention, cohorts, rate, activation, quality_sd)
    table = analysis.money(by, day_list(days), prob, target=target, retention=given)
    columns = MONEY_COLUMNS if target is None else (*MONEY_COLUMNS[:9], *TARGET_COLUMNS)
    if as_json or as_csv:
        print_table(table, columns, as_json=as_json, as_csv=as_csv)
        return
    print_table(table, columns, as_json=False, as_csv=False)
    printing.line(
        "A cost without a finite end is unbounded: the effect may be nil. No mean is given, since "
        "it need not exist."
    )
    say_basis(table)


@app.command("displacement")
def _displacement(
    run: RunPath,
    by: Annotated[By, typer.Option(metavar=UNITS, help="What to take away together.")] = "campaign",
    prob: Prob = 0.95,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print effects gross and net of pull-forward."""
    analysis = load_run(run)
    table = analysis.displacement(by, prob)
    print_table(table, DISPLACEMENT_COLUMNS, as_json=as_json, as_csv=as_csv, names=_lags(analysis))
    if not (as_json or as_csv):
        if "displacement" not in analysis.posterior.draws:
            printing.line(
                "This model takes nothing back (no displacement): gross and net differ only by "
                "the days after the posts that they count, as do the effects that lift effects "
                f"prints, over days 0 to {analysis.posterior.attrs['horizon_days']}."
            )
        printing.line(
            "Tipping: share of the response that, taken back later, makes the net interval include "
            "zero. A share that seems small is no proof that nothing was pulled forward."
        )


def _lags(analysis: Analysis) -> dict[str, str]:
    """Return what gross and net are called: over which days after a post."""
    attrs = analysis.posterior.attrs
    ends = {"gross": attrs["displacement_after"], "net": attrs["displacement_until"]}
    names = {name: f"{name}, days 0 to {end}" for name, end in ends.items()}
    return {column: names[name] for name in names for column in (name, f"{name}_mean")}


def day_list(text: str) -> list[int]:
    """Return the days after the install that an option names.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of int

    Raises
    ------
    typer.BadParameter
        If they are not whole numbers parted by commas.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"days must be whole numbers parted by commas, found '{text}'"
        ) from None


def stated(
    analysis: Analysis,
    retention: Path | None,
    cohorts: Path | None,
    rate: list[str] | None,
    activation: str | None,
    quality_sd: float,
) -> RetentionAssumption | Cohorts | None:
    """Return what the options say of retention.

    Parameters
    ----------
    analysis : Analysis
        Of the run: its days and its market.
    retention, cohorts : Path or None
        Files.
    rate : list of str or None
        ``DAY=MEAN,LOWER,UPPER``.
    activation : str or None
    quality_sd : float

    Returns
    -------
    RetentionAssumption, Cohorts or None
        None for what the run holds.

    Raises
    ------
    InputError
        If a file has faults or a rate cannot be.
    typer.BadParameter
        If more than one source is given.
    """
    from lift.data.cohorts import read_cohorts
    from lift.model.assumption import RetentionAssumption

    if sum(source is not None for source in (retention, cohorts, rate)) > 1:
        raise typer.BadParameter("choose one of --retention, --cohorts and --rate")
    if activation is not None and rate is None:
        raise typer.BadParameter("--activation goes with --rate")
    if retention is not None:
        return RetentionAssumption.from_toml(retention)
    if cohorts is not None:
        posterior = analysis.posterior
        found = read_cohorts(cohorts, posterior.dates, str(posterior.attrs["market"]))
        for notice in found.notices:
            printing.note(notice)
        return found
    if rate is None:
        return None
    if activation is None:
        raise typer.BadParameter('--rate needs --activation (a share, or "included")')
    return RetentionAssumption.of(
        {
            "activation": activation
            if activation == "included"
            else _share("--activation", activation),
            "retention": dict(_rate(text) for text in rate),
            "quality": {"sd": quality_sd},
            "source": "stated on the command line",
        },
        "--rate",
    )


def _rate(text: str) -> tuple[str, dict[str, float]]:
    day, found, share = text.partition("=")
    if not found:
        what = f"must be DAY=MEAN,LOWER,UPPER such as 30=0.07,0.04,0.11, found '{text}'; correct it"
        raise InputError([Problem("--rate", what)])
    return day, _share("--rate", share)


def _share(option: str, text: str) -> dict[str, float]:
    """Return a share and its interval as RetentionAssumption reads it."""
    try:
        mean, lower, upper = (float(part) for part in text.split(","))
    except ValueError:
        what = f"must be MEAN,LOWER,UPPER such as 0.07,0.04,0.11, found '{text}'; correct it"
        raise InputError([Problem(option, what)]) from None
    return {"mean": mean, "lower": lower, "upper": upper}


def short_basis(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose basis is its first words, for people.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    DataFrame
    """
    return table.assign(basis=table["basis"].str.partition(":")[0])


def say_basis(table: pd.DataFrame) -> None:
    """Print how many draws the numbers of a table rest on, and what else, each once.

    Parameters
    ----------
    table : DataFrame
    """
    from lift.output import wording

    printing.line(wording.monte_carlo_of_chances(table))
    for basis in dict.fromkeys(table["basis"]):
        printing.line(f"Basis: {basis}.")
    if bool(table["extrapolated"].any()):
        printing.line("Days beyond the observed retention are extrapolated by its curve.")
