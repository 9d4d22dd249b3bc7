"""The command that runs experiments and papers again and holds them to what is expected."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift.cli import printing
from lift.cli.commands import FINDING, INTERRUPTED, AsJson, app

if TYPE_CHECKING:
    from lift.paper import PaperCheck
    from lift.study import Outcome

Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="FOLDER",
        help="Experiments, each with a run.py, and papers, each with an inputs.toml.",
    ),
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
    folders: Folders,
    smoke: Smoke = False,
    executor: Where = "local:1",
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Run experiments again; exit 1 where something differs.

    A paper's sentences, tables and figures are held to the committed results, too.
    """
    from lift import paper, study
    from lift.data.datasets import FOLDER_VARIABLE

    papers = [folder for folder in folders if paper.is_paper(folder)]
    experiments = _experiments(folders, papers)
    if results is not None and len(experiments) > 1:
        raise typer.BadParameter("--results is for one experiment", param_hint="--results")
    left_out = []
    if (len(experiments) > 1 or papers) and not os.environ.get(FOLDER_VARIABLE):
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
    checks = [paper.check_paper(folder) for folder in papers]
    if as_json:
        printing.json_text([*map(_document, outcomes), *map(_paper_document, checks)])
    elif len(experiments) > 1:
        failed = [outcome.experiment for outcome in outcomes if not outcome.passed]
        printing.line(
            f"{len(outcomes) - len(failed)} of {len(experiments)} reproduced"
            + (f"; differ: {', '.join(failed)}" if failed else "")
            + (f"; left out: {len(left_out)}" if left_out else "")
        )
    if not as_json:
        for check in checks:
            printing.line(check.text())
    good = [one.passed for one in outcomes] + [one.passed for one in checks]
    if not all(good):
        raise typer.Exit(FINDING)


def _experiments(folders: list[Path], papers: list[Path]) -> list[Path]:
    """Return the experiments that are named and those that papers draw on, each once."""
    from lift import paper

    found = {folder.resolve(): folder for folder in folders if folder not in papers}
    for folder in papers:
        for experiment in paper.read_inputs(folder).experiments:
            found.setdefault(experiment, _short(experiment))
    return list(found.values())


def _short(path: Path) -> Path:
    """Return a path from the working directory where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _paper_document(check: PaperCheck) -> dict[str, object]:
    """Return how a paper compares as JSON knows it."""
    return {
        "paper": check.paper,
        "passed": check.passed,
        "checked": check.checked,
        "differences": [
            {
                "kind": one.kind,
                "name": one.name,
                "what": one.what,
                "places": [{"line": spot.line, "sentence": spot.sentence} for spot in one.places],
            }
            for one in check.differences
        ],
        "problems": list(check.problems),
    }


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
