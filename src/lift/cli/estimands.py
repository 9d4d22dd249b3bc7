"""The commands that read further estimands off a stored run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift.cli import printing
from lift.cli.commands import UNITS, AsCsv, AsJson, By, Prob, RunPath, Seed, app, load_run
from lift.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

SHARE_COLUMNS = (
    "unit",
    "loo_mean",
    "add_one_in_mean",
    "aumann_shapley_mean",
    "aumann_shapley_lower",
    "aumann_shapley_upper",
    "shapley_mean",
    "share_of_total",
)
NEXT_COLUMNS = ("post", "baseline", "median", "lower", "upper", "prob_positive", "note")


@app.command("shares")
def _shares(
    run: RunPath,
    by: Annotated[By, typer.Option(metavar=UNITS, help="Whose shares.")] = "post",
    prob: Prob = 0.95,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Split the campaign's effect: four attributions side by side."""
    analysis = load_run(run)
    table = analysis.attribution(by, prob)
    print_table(table, SHARE_COLUMNS, as_json=as_json, as_csv=as_csv)
    if not (as_json or as_csv):
        index = float(table["interaction_index"].iloc[0])
        printing.line(
            f"Interaction index {index:+.3f}: the leave-one-out column, added up, differs from the "
            "campaign's effect by that share of it. Aumann-Shapley and Shapley shares add up."
        )
        whole = analysis.effects.table("campaign", prob).iloc[0]
        printing.line(
            f"Shares count all days of the campaign's window, {whole['start'].date()} to "
            f"{whole['end'].date()}; lift effects counts for each post its own days 0 to "
            f"{analysis.posterior.attrs['horizon_days']}, so that its numbers differ a little from "
            "the leave-one-out column."
        )


@app.command("contrasts")
def _contrasts(
    run: RunPath, prob: Prob = 0.95, as_json: AsJson = False, as_csv: AsCsv = False
) -> None:
    """Compare platforms, creator types and contents."""
    from lift.analysis.counterfactual import is_linear
    from lift.output import contrasts

    analysis = load_run(run)
    table = analysis.contrasts(prob)
    if as_json or as_csv:
        print_table(table, (), as_json=as_json, as_csv=as_csv)
    elif table.empty:
        printing.line("No attribute of the posts has two levels to compare.")
    else:
        linear = is_linear(analysis.posterior)
        printing.plain_table(contrasts.rows(table, linear=linear))
        printing.line(contrasts.meaning(table, analysis.posterior))


@app.command("predict")
def _predict(
    run: RunPath,
    posts: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="CSV of next posts: post_id, influencer, platform, creator_type, content, "
            "sponsored, views, baseline; every column is optional.",
        ),
    ],
    seed: Seed = 1,
    prob: Prob = 0.95,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Predict what next posts would bring."""
    analysis = load_run(run)
    table = analysis.predict(_read_posts(posts), seed=seed, prob=prob).table
    print_table(table, NEXT_COLUMNS, as_json=as_json, as_csv=as_csv)


def _read_posts(file: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(file)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        what = f"must be a readable CSV file in UTF-8; {error}; check the path"
        raise InputError([Problem(file.name, what)]) from None


def print_table(
    table: pd.DataFrame,
    columns: tuple[str, ...],
    *,
    as_json: bool,
    as_csv: bool,
    names: Mapping[str, str] | None = None,
) -> None:
    """Print the whole table as JSON or CSV, or its main columns for people.

    Parameters
    ----------
    table : DataFrame
    columns : tuple of str
        The main columns; those that the table lacks are left out.
    as_json, as_csv : bool
        Not both.
    names : mapping of str to str, optional
        What columns are called for people, where :mod:`lift.output.columns` has another name.
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    if as_json:
        printing.json_text(printing.records(table))
    elif as_csv:
        printing.csv_text(table)
    else:
        prob = float(table["prob"].iloc[0]) if "prob" in table and len(table) else None
        printing.plain_table(table[[column for column in columns if column in table]], prob, names)
