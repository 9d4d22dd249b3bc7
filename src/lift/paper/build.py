"""Build a paper to PDF and HTML; the same results give the same bytes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from lift.errors import RunError
from lift.output.figures.style import drawing, to_svg
from lift.paper.inputs import Inputs, read_inputs

FIGURES = "figures.py"
BUILD = "build"
INCOMPLETE = "html export is under active development"
"""A warning that every HTML export of Typst has."""


@dataclass(frozen=True)
class Built:
    """A paper that was built.

    Attributes
    ----------
    pdf, html : Path
    figures : tuple of Path
        The figures as SVG files of their own.
    """

    pdf: Path
    html: Path
    figures: tuple[Path, ...]


def build_paper(folder: str | Path, out: str | Path | None = None) -> Built:
    """Build a paper to PDF and HTML.

    Parameters
    ----------
    folder : str or Path
        The paper's.
    out : str or Path, optional
        Where the files go; ``build`` in the paper's folder by default.

    Returns
    -------
    Built

    Raises
    ------
    RunError
        If a number, table or figure cannot be had, the text names one that is not there, or the
        text cannot be set.
    """
    inputs = read_inputs(folder)
    target = Path(out) if out else inputs.folder / BUILD
    target.mkdir(parents=True, exist_ok=True)
    charts = draw(inputs)
    given = {
        "numbers": json.dumps({name: number.shown for name, number in inputs.numbers.items()}),
        "tables": json.dumps({name: asdict(table) for name, table in inputs.tables.items()}),
        "charts": json.dumps(charts),
    }
    name = inputs.folder.name
    pdf, html = target / f"{name}.pdf", target / f"{name}.html"
    pdf.write_bytes(typeset(inputs, given, "pdf"))
    html.write_bytes(typeset(inputs, given, "html"))
    drawn = []
    for chart, svg in charts.items():
        file = target / f"{chart}.svg"
        file.write_text(svg, encoding="utf-8", newline="\n")
        drawn.append(file)
    return Built(pdf, html, tuple(drawn))


def typeset(inputs: Inputs, given: Mapping[str, str], form: Literal["pdf", "html"]) -> bytes:
    """Return the paper as a file's bytes.

    Parameters
    ----------
    inputs : Inputs
    given : mapping of str to str
        JSON texts that the paper reads: numbers, tables, charts.
    form : "pdf" or "html"

    Returns
    -------
    bytes

    Raises
    ------
    RunError
        If Typst is not installed, or it cannot set the text.
    """
    try:
        import typst
    except ImportError:
        raise RunError(
            "papers are built with the package typst, found none; install lift[papers]"
        ) from None
    try:
        made, warnings = typst.compile_with_warnings(
            inputs.text,
            root=inputs.folder.parent,
            format=form,
            sys_inputs={**given, "form": form},
            ignore_system_fonts=True,
            timestamp=datetime(inputs.date.year, inputs.date.month, inputs.date.day, tzinfo=UTC),
        )
    except typst.TypstError as error:
        hints = "".join(f"; {hint}" for hint in error.hints)
        raise RunError(f"{inputs.text.name} cannot be set: {error.message}{hints}") from None
    faults = [w.message for w in warnings if not (form == "html" and INCOMPLETE in w.message)]
    if faults:
        raise RunError(f"{inputs.text.name} is not set as written: {'; '.join(faults)}")
    return bytes(made)


def draw(inputs: Inputs) -> dict[str, str]:
    """Return every figure of a paper as SVG text, drawn from its own sources alone.

    Parameters
    ----------
    inputs : Inputs

    Returns
    -------
    dict of str to str

    Raises
    ------
    RunError
        If figures.py has no function of a figure's name.
    """
    if not inputs.figures:
        return {}
    module = _module(inputs.folder / FIGURES)
    charts = {}
    for name, sources in inputs.figures.items():
        function: Callable[[dict[str, Any]], Any] | None = getattr(module, name, None)
        if not callable(function):
            raise RunError(f"{FIGURES} must have a function {name}(sources), found none")
        with drawing():
            figure = function({source: inputs.contents[source] for source in sources})
        charts[name] = to_svg(figure, name, outlines=True)
    return charts


def _module(file: Path) -> ModuleType:
    """Return a paper's figures.py, read anew at every call."""
    if not file.is_file():
        raise RunError(f"a paper with figures must have the file {file.name}, found none")
    spec = importlib.util.spec_from_loader(f"lift_paper_{file.parent.name}", loader=None)
    if spec is None:
        raise RunError(f"'{file}' cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(module))
    return module
