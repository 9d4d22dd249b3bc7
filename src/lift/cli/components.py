"""The command that shows what the model is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lift.cli import printing
from lift.cli.commands import AsCsv, AsJson, Prob, RunPath, app, load_run
from lift.cli.estimands import print_table

DRAWS, PROB = 400, 0.95
"""What the report's components are made of, so that they can be made again."""


@app.command("components")
def _components(
    run: RunPath,
    draws: Annotated[int, typer.Option(min=1, help="Stored draws to take, evenly spaced.")] = DRAWS,
    prob: Prob = PROB,
    campaign: Annotated[
        Path | None,
        typer.Option(metavar="CAMPAIGN", help="The campaign, where it is not where it was fitted."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Show them in the run's report, with a figure.")
    ] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show what level, calendar, controls and posts add by day."""
    from lift import pipeline

    if report and (draws, prob) != (DRAWS, PROB):
        raise typer.BadParameter(
            f"the report has {DRAWS} draws and {PROB:.0%} intervals; leave out --draws and --prob"
        )
    analysis = load_run(run)
    found = analysis.components(draws, pipeline.campaign_of(run, campaign))
    table = found.table(prob)
    if as_json or as_csv:
        print_table(table, (), as_json=as_json, as_csv=as_csv)
    else:
        from lift.output import wording
        from lift.output.components import check_rows, rows

        printing.plain_table(rows(found.summary(prob)))
        printing.line(
            f"Lowest and highest median of a day, and mean width of its {wording.level(prob)} "
            f"interval, over {found.observed.sizes['date']} days, from "
            f"{found.draws.attrs['n_draws']:,} of {found.draws.attrs['n_stored']:,} draws. "
            "--csv has every day, on the scale of the model."
        )
        if found.errors is None:
            printing.line("Prediction errors of counts are not normal: there is no check of them.")
        else:
            from lift.analysis.prediction_errors import error_checks

            printing.line("")
            printing.plain_table(check_rows(error_checks(found.errors.to_numpy())))
            printing.line(
                "Standardised errors of predicting each day from those before it, hyperparameters "
                "and coefficients at their posterior means. p is that of such a value or one "
                "further off if the model is right; it is rough, as both have seen these days."
            )
    if report:
        from lift.output import store

        where = store.rewrite_report(
            run, analysis.effects, analysis.findings, analysis.outcomes, table
        )
        printing.note(f"components.csv and a section of {where}")
