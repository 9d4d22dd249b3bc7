"""The command that builds papers, and holds their text to the committed results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lift.cli import printing
from lift.cli.commands import FINDING, app

Papers = Annotated[
    list[Path], typer.Argument(metavar="PAPER", help="Folders, each with an inputs.toml.")
]


@app.command("paper")
def _paper(
    papers: Papers,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for PDF, HTML and figures.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check, build nothing.")] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take the results as what the text has been read with.")
    ] = False,
) -> None:
    """Build papers and check what they say against the results."""
    from lift.paper import build_paper, check_paper, expect_paper

    if out is not None and len(papers) > 1:
        raise typer.BadParameter("--out is for one paper", param_hint="--out")
    passed = True
    for folder in papers:
        if accept:
            expect_paper(folder)
        checked = check_paper(folder)
        passed &= checked.passed
        printing.line(checked.text())
        if not check:
            built = build_paper(folder, out)
            printing.line(f"{built.pdf}\n{built.html}")
    if not passed:
        raise typer.Exit(FINDING)
