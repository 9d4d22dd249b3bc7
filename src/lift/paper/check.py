"""Hold a paper to the results that it was written with; name the sentence that is off."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from lift.errors import RunError
from lift.paper.inputs import Inputs, read_inputs
from lift.paper.text import Place, named, place, swallowed, typed_digits

EXPECTED = "expected.toml"


@dataclass(frozen=True)
class Difference:
    """Something that a paper prints and that the results no longer give.

    Attributes
    ----------
    kind : "number", "table" or "figure"
    name : str
    what : str
        What was written and what the results give.
    places : tuple of Place
        Where the paper prints it.
    """

    kind: str
    name: str
    what: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class PaperCheck:
    """A paper held to its results.

    Attributes
    ----------
    paper : str
        Name of the folder.
    text_file : str
    checked : int
        Numbers, tables and figures that were compared.
    differences : tuple of Difference
    problems : tuple of str
        Faults of the text: digits typed by hand, names that nothing has, things named nowhere.
    """

    paper: str
    text_file: str
    checked: int
    differences: tuple[Difference, ...]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the paper says what the results give."""
        return not self.differences and not self.problems

    def text(self) -> str:
        """Return what differs, with the sentences and figures that carry it."""
        lines = []
        for difference in self.differences:
            lines.append(f"{difference.kind} {difference.name}: {difference.what}")
            lines += [
                f"    {self.text_file}:{spot.line}: {spot.sentence}" for spot in difference.places
            ]
        lines += [f"{self.text_file}: {problem}" for problem in self.problems]
        wrong = len(self.differences) + len(self.problems)
        verdict = f"{wrong} of {self.checked} differ or are at fault" if wrong else "agree"
        things = "all numbers, tables and figures" if not wrong else "numbers, tables and figures"
        return "\n".join([*lines, f"{self.paper}: {things} {verdict} ({self.checked} checked)"])


def check_paper(folder: str | Path) -> PaperCheck:
    """Return how a paper compares with the committed results.

    Parameters
    ----------
    folder : str or Path
        It holds inputs.toml, expected.toml and the text.

    Returns
    -------
    PaperCheck

    Raises
    ------
    RunError
        If it is no paper, or something that it is to print cannot be had.
    """
    inputs = read_inputs(folder)
    file = inputs.folder / EXPECTED
    try:
        expected = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise RunError(
            f"a paper must have the file {EXPECTED}, found none in '{folder}'; write it with "
            f"lift paper {folder} --accept"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{file} must be TOML in UTF-8, found: {error}") from None
    source = inputs.text.read_text(encoding="utf-8")
    spots = named(source)
    old = expected.get("number", {})
    printed = {name: entry["shown"] for name, entry in old.items()}
    printed = {name: number.shown for name, number in inputs.numbers.items()} | printed
    found = document(inputs)
    differences = []
    for kind in ("number", "table", "figure"):
        before, after = expected.get(kind, {}), found[kind]
        for name in dict.fromkeys([*after, *before]):
            what = _difference(kind, before.get(name), after.get(name))
            if what:
                places = tuple(place(source, at, printed) for at in spots.get((kind, name), []))
                differences.append(Difference(kind, name, what, places))
    problems = [f"a digit typed by hand, {where}" for where in typed_digits(source)]
    problems += [f"a semicolon that is not printed, {where}" for where in swallowed(source)]
    for (kind, name), positions in spots.items():
        if name not in found[kind]:
            line = source.count("\n", 0, positions[0]) + 1
            problems.append(f"line {line}: no {kind} is named '{name}'")
    parts = {part for number in inputs.numbers.values() for part in number.of}
    for kind, things in found.items():
        problems += [
            f"{kind} '{name}' is in inputs.toml and nowhere in the text"
            for name in things
            if (kind, name) not in spots and not (kind == "number" and name in parts)
        ]
    n = sum(len(things) for things in found.values())
    return PaperCheck(inputs.folder.name, inputs.text.name, n, tuple(differences), tuple(problems))


def _difference(kind: str, before: Any, after: Any) -> str:
    """Return how two entries differ, nothing where they do not."""
    if before == after:
        return ""
    if before is None:
        return "the paper was not accepted with it"
    if after is None:
        return "inputs.toml does not have it"
    if kind == "number":
        says, gives = before["shown"], after["shown"]
        if says == gives:
            says, gives = repr(before["value"]), repr(after["value"])
        return f"the paper says {says}, the results give {gives}"
    if kind == "table":
        if len(before) != len(after):
            return f"the paper has {len(before) - 1} rows, the results give {len(after) - 1}"
        cells = [
            f"'{cell}' is '{new}' (row {i}, {row[0]})"
            for i, (row, fresh) in enumerate(zip(before, after, strict=True))
            for cell, new in zip(row, fresh, strict=False)
            if cell != new
        ]
        return "; ".join(cells) or "other columns"
    changed = {path for path, _ in set(before.items()) ^ set(after.items())}
    return f"its data changed: {', '.join(sorted(changed))}"


def document(inputs: Inputs) -> dict[str, dict[str, Any]]:
    """Return what a paper prints, by kind and name, as expected.toml holds it."""
    root = inputs.folder.parents[1]
    return {
        "number": {
            name: {"value": number.value, "shown": number.shown}
            for name, number in inputs.numbers.items()
        },
        "table": {
            name: [list(row) for row in (table.head, *table.rows)]
            for name, table in inputs.tables.items()
        },
        "figure": {
            name: {
                inputs.sources[source].relative_to(root).as_posix(): inputs.digest(source)
                for source in sources
            }
            for name, sources in inputs.figures.items()
        },
    }


def expect_paper(folder: str | Path) -> Path:
    """Write down what a paper prints, once its sentences have been read against it.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Path
        The file.
    """
    inputs = read_inputs(folder)
    file = inputs.folder / EXPECTED
    file.write_text(tomli_w.dumps(document(inputs)), encoding="utf-8", newline="\n")
    return file
