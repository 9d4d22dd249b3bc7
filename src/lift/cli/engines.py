"""The command that sets engines side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift.cli import printing
from lift.cli.commands import FINDING, AsJson, RunPath, Workers, app, load_run

if TYPE_CHECKING:
    from lift.analysis.verdicts import Agreement

SHOWN = ("unit", "engine", "mean", "lower", "upper", "z_mean", "seconds", "verdict")
TABLE_FILE, FIGURE_FILE = "engines.csv", "engines.svg"


@app.command("compare")
def _compare(
    run: RunPath,
    engines: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Engines, the reference first; all by default."),
    ] = None,
    campaign: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run's campaign, where it is not found by itself."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of table and figure; RUN-engines by default."),
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Compare a run with other engines; exit 1 if they differ."""
    from lift import compare, pipeline
    from lift.analysis.verdicts import FAILURES
    from lift.engines.registry import ENGINES, WINDOW_ENGINES
    from lift.output.figures import engine_forest, to_svg
    from lift.output.store import csv_bytes

    given = ",".join([*ENGINES, *WINDOW_ENGINES]) if engines is None else engines
    names = [name.strip() for name in given.split(",") if name.strip()]
    compare.check_engines(names)
    analysis = load_run(run)
    data = pipeline.campaign_of(run, campaign)
    manifest = analysis.manifest
    found = compare.compare(
        data,
        analysis.spec,
        names,
        draws=int(manifest["draws"]),
        chains=int(manifest["chains"]),
        seed=int(manifest["seed"]),
        workers=workers,
        fitted=(analysis.posterior, float(manifest["seconds"]["fit"])),
        tell=lambda name: printing.note(f"engine {name} ..."),
    )
    folder = out or run.with_name(f"{run.name}-engines")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TABLE_FILE).write_bytes(csv_bytes(found.table))
    figure = engine_forest(found.table, failed=FAILURES)
    (folder / FIGURE_FILE).write_text(to_svg(figure, "engines"), encoding="utf-8")
    if as_json:
        printing.json_text({"passed": found.passed, "effects": printing.records(found.table)})
    else:
        _print(found)
        printing.line(f"table: {folder / TABLE_FILE}; figure: {folder / FIGURE_FILE}")
    if not found.passed:
        raise typer.Exit(FINDING)


def _print(found: Agreement) -> None:
    """Print the table, what is known to be wrong with each engine, and the outcome."""
    printing.plain_table(found.table[list(SHOWN)])
    for engine in found.engines:
        for fault in engine.faults:
            printing.line(f"{engine.engine}: {fault}")
        if engine.message:
            printing.note(f"{engine.engine}: {engine.message}")
    counted = found.table["verdict"].value_counts()
    printing.line(", ".join(f"{n} {verdict}" for verdict, n in counted.items()))
    if found.passed:
        printing.line("Every difference is explained.")
    else:
        rows = found.failures
        where = ", ".join(f"{u} ({e})" for u, e in zip(rows["unit"], rows["engine"], strict=True))
        printing.line(f"Not explained: {where}.")
