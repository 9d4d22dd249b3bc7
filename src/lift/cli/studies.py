"""The command that runs experiments again and holds their numbers to the expected ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift.cli import printing
from lift.cli.commands import FINDING, INTERRUPTED, AsJson, app

if TYPE_CHECKING:
    from lift.study import Outcome

Folders = Annotated[
    list[Path], typer.Argument(metavar="EXPERIMENT", help="Folders, each with a run.py.")
]
Smoke = Annotated[bool, typer.Option("--smoke", help="At small size, in seconds.")]
Where = Annotated[
    str,
    typer.Option(metavar="WHERE", help="local:N for N processes, or dask://host:port."),
]
Results = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for what it writes; else results in the experiment."),
]


@app.command("reproduce")
def _reproduce(
    experiments: Folders,
    smoke: Smoke = False,
    executor: Where = "local:1",
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Run experiments again; exit 1 where a number differs from the expected one."""
    from lift import study
    from lift.data.datasets import FOLDER_VARIABLE

    if results is not None and len(experiments) > 1:
        raise typer.BadParameter("--results is for one experiment", param_hint="--results")
    left_out = []
    if len(experiments) > 1 and not os.environ.get(FOLDER_VARIABLE):
        left_out = [one for one in experiments if study.read_config(one).get("real_data")]
    outcomes = []
    for folder in experiments:
        if folder in left_out:
            continue
        try:
            with printing.progress(f"running {folder}") as progress:
                outcome = study.reproduce(
                    folder, smoke=smoke, results=results, executor=executor, progress=progress
                )
        except KeyboardInterrupt:
            printing.complain("stopped; the units that were finished are kept, where units last")
            raise typer.Exit(INTERRUPTED) from None
        outcomes.append(outcome)
        if not as_json:
            printing.line(f"{outcome.text()}\n")
    for folder in left_out:
        printing.note(f"left out: {folder} runs on real data, and {FOLDER_VARIABLE} is not set")
    if as_json:
        printing.json_text([_document(outcome) for outcome in outcomes])
    elif len(experiments) > 1:
        failed = [outcome.experiment for outcome in outcomes if not outcome.passed]
        printing.line(
            f"{len(outcomes) - len(failed)} of {len(experiments)} reproduced"
            + (f"; differ: {', '.join(failed)}" if failed else "")
            + (f"; left out: {len(left_out)}" if left_out else "")
        )
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(FINDING)


def _document(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as JSON knows it."""
    return {
        "experiment": outcome.experiment,
        "smoke": outcome.smoke,
        "passed": outcome.passed,
        "changes": list(outcome.changes),
        "numbers": [
            {
                "name": row.name,
                "expected": row.expected,
                "got": row.got,
                "tolerance": row.tolerance,
                "ok": row.ok,
            }
            for row in outcome.compared
        ],
    }
