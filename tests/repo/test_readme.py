"""Every block of the README runs, and prints what the README says that it prints.

Run this file as a script to write the printed blocks and the figure anew.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
FIGURE = "tests/golden/demo_curve.svg"
DEMO_CURVE = "runs/demo/figures/curve.svg"

# Numbers are of one seed: the same bytes on one platform, nearly so on others.
TOLERANCE = 0.02
NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")
# Targets that would make an environment or run this test again: they must exist, no more.
ONLY_DRY = {"setup", "test"}


class Block(NamedTuple):
    """A fenced block, the text block that follows it at once, if one does, and where that is."""

    language: str
    code: str
    output: str | None
    span: tuple[int, int] | None


def blocks() -> list[Block]:
    fenced = list(re.finditer(r"^```(\w+)\n(.*?)^```\n", README, re.MULTILINE | re.DOTALL))
    found = []
    for i, match in enumerate(fenced):
        if match[1] == "text":
            continue
        output, span = None, None
        if i + 1 < len(fenced) and fenced[i + 1][1] == "text":
            after = fenced[i + 1]
            if not README[match.end() : after.start()].strip():
                output, span = after[2], after.span(2)
        found.append(Block(match[1], match[2], output, span))
    return found


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_line(line: str, folder: Path) -> str:
    """Run one line of a shell block with this Python, and return what it prints."""
    program, *arguments = shlex.split(line, comments=True)
    if program == "make":
        (target,) = arguments
        recipe = run(["make", "-n", target], ROOT)
        if target in ONLY_DRY:
            return ""
        lines = [x.strip() for x in recipe.splitlines() if x.strip().startswith(".venv/bin/lift ")]
        assert lines, recipe
        return "".join(run_line(x.removeprefix(".venv/bin/"), folder) for x in lines)
    if program == "lift":
        arguments = [str(ROOT / x) if x.startswith("experiments/") else x for x in arguments]
        return run([sys.executable, "-m", "lift", *arguments], folder)
    assert program == "python"
    script = ROOT / arguments[0]
    assert script.is_file()
    return run([sys.executable, str(script), *arguments[1:]], folder)


def value(number: str) -> float:
    return float(number.replace("−", "-").replace(",", ""))


def assert_alike(got: str, wanted: str) -> None:
    """Check that two outputs have the same words, and numbers that differ by little."""
    assert NUMBER.sub("#", got).split() == NUMBER.sub("#", wanted).split()
    got_numbers = [value(x) for x in NUMBER.findall(got)]
    wanted_numbers = [value(x) for x in NUMBER.findall(wanted)]
    assert got_numbers == pytest.approx(wanted_numbers, rel=TOLERANCE, abs=TOLERANCE)


def run_all(folder: Path) -> list[str]:
    """Run all blocks in their order in one folder, and return what each printed."""
    outputs = []
    for block in blocks():
        if block.language == "python":
            outputs.append(run([sys.executable, "-W", "error", "-c", block.code], folder))
        else:
            assert block.language == "sh"
            lines = block.code.replace("\\\n", " ").splitlines()
            outputs.append("".join(run_line(line, folder) for line in lines))
    return outputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def printed(folder: Path) -> list[str]:
    return run_all(folder)


def test_blocks_run_and_print_what_the_readme_says(printed: list[str]) -> None:
    pairs = [(got, block.output) for got, block in zip(printed, blocks(), strict=True)]
    assert sum(wanted is not None for _, wanted in pairs) == 2
    for got, wanted in pairs:
        if wanted is not None:
            assert_alike(got, wanted)


@pytest.mark.usefixtures("printed")
def test_figure_is_that_of_the_demo(folder: Path) -> None:
    def words(file: Path) -> list[str]:
        return re.findall(r"<text[^>]*>([^<]*)</text>", file.read_text("utf-8"))

    assert FIGURE in README
    assert words(ROOT / FIGURE) == words(folder / DEMO_CURVE)


def test_paths_exist() -> None:
    named = re.findall(r"`((?:src|tests|experiments|papers)[\w/.]*)`", README)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("got", "wanted"),
    [("total 1,234 to −5", "total 1,300 to −5"), ("p01 12", "p02 12"), ("a 1", "a 1 2")],
    ids=["number", "name", "count"],
)
def test_other_output_is_seen(got: str, wanted: str) -> None:
    assert_alike(wanted, wanted)
    with pytest.raises((AssertionError, ValueError)):
        assert_alike(got, wanted)


def rewrite() -> None:
    """Write the printed blocks and the figure anew."""
    text = README
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for block, output in reversed(list(zip(blocks(), run_all(folder), strict=True))):
            if block.span is not None:
                lines = [line.rstrip() for line in output.splitlines()]
                start, end = block.span
                text = text[:start] + "\n".join(lines).strip("\n") + "\n" + text[end:]
        shutil.copyfile(folder / DEMO_CURVE, ROOT / FIGURE)
    (ROOT / "README.md").write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    rewrite()
