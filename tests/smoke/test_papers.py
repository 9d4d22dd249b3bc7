"""The papers hold what the committed results give, and build."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import made_paper
import pytest
from typer.testing import CliRunner

from lift.cli import app
from lift.paper import build_paper, check_paper, expect_paper, read_inputs
from lift.paper.text import named

ROOT = Path(__file__).resolve().parents[2]
PAPERS = sorted(path.parent for path in (ROOT / "papers").glob("*/inputs.toml"))


def test_both_papers_are_there() -> None:
    assert {folder.name for folder in PAPERS} >= {"2026-incremental-users", "brodersen-2015"}


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_a_paper_holds_what_the_results_give(folder: Path) -> None:
    checked = check_paper(folder)
    assert checked.passed, checked.text()


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_a_paper_has_its_parts(folder: Path) -> None:
    inputs = read_inputs(folder)
    assert inputs.experiments
    assert (folder / "REPRODUCE.md").is_file()
    entries = re.split(r"^@", inputs.bibliography.read_text("utf-8"), flags=re.MULTILINE)[1:]
    bare = [entry.split(",")[0] for entry in entries if not re.search(r"\b(doi|url|isbn) =", entry)]
    assert bare == []


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_a_paper_builds(folder: Path, tmp_path: Path) -> None:
    built = build_paper(folder, tmp_path)
    assert built.pdf.read_bytes().startswith(b"%PDF")
    html = built.html.read_text("utf-8")
    inputs = read_inputs(folder)
    printed = [name for kind, name in named(inputs.text.read_text("utf-8")) if kind == "number"]
    assert printed
    assert [name for name in printed if inputs.numbers[name].shown not in html] == []
    assert html.count("data:image/svg+xml") == len(inputs.figures)


def test_one_changed_result_names_the_sentence(tmp_path: Path) -> None:
    """A copy of the real papers and experiments, with one cell changed."""
    for part in ("papers", "experiments"):
        shutil.copytree(
            ROOT / part,
            tmp_path / part,
            ignore=shutil.ignore_patterns("units", "build", "__pycache__"),
        )
    folder = tmp_path / "papers" / "brodersen-2015"
    table = tmp_path / "experiments" / "brodersen_simulation" / "results" / "power.csv"
    lines = table.read_text("utf-8").splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("r_default,0,"))
    cells = lines[row].split(",")
    cells[2] = "0.015625"
    lines[row] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n", "utf-8")
    told = check_paper(folder).text()
    assert "number default_false: the paper says" in told
    assert "the results give 1.6%" in told
    assert re.search(r"paper\.typ:\d+: R's defaults declare an effect in", told)
    assert "figure power: its data changed" in told


def test_reproduce_runs_what_is_behind_a_paper(tmp_path: Path) -> None:
    folder = made_paper.write(tmp_path)
    expect_paper(folder)
    done = CliRunner().invoke(app, ["reproduce", "--smoke", str(folder)])
    assert done.exit_code == 0, done.output
    assert "question (smoke): all numbers agree" in done.output
    assert "2025-question: all numbers, tables and figures agree" in done.output
    made_paper.change(tmp_path / "experiments/question/results/table.csv", "a,-0.5", "a,-0.25")
    done = CliRunner().invoke(app, ["reproduce", "--smoke", str(folder)])
    assert done.exit_code == 1
    assert "number first_unit: the paper says −0.50, the results give −0.25" in done.output
    done = CliRunner().invoke(app, ["reproduce", "--smoke", "--json", str(folder)])
    assert done.exit_code == 1
    assert json.loads(done.stdout)[1]["differences"][0]["name"] == "first_unit"


def test_the_command_builds_checks_and_accepts(tmp_path: Path) -> None:
    folder = made_paper.write(tmp_path)
    done = CliRunner().invoke(app, ["paper", str(folder), "--accept", "--out", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    assert sorted(path.suffix for path in (tmp_path / "o").iterdir()) == [".html", ".pdf", ".svg"]
    made_paper.change(folder / "paper.typ", "The sum is", "Of 9, the sum is")
    done = CliRunner().invoke(app, ["paper", str(folder), "--check"])
    assert done.exit_code == 1
    assert "a digit typed by hand" in done.output


def numbers_of(experiment: str) -> dict[str, float]:
    file = ROOT / "experiments" / experiment / "expected.toml"
    table = tomllib.loads(file.read_text("utf-8"))["numbers"]
    return {key: entry["value"] for key, entry in table.items()}


def test_notes_of_the_simulation_hold_its_numbers() -> None:
    n = numbers_of("brodersen_simulation")
    notes = (ROOT / "experiments" / "brodersen_simulation" / "notes.md").read_text("utf-8")
    for label, name in {
        "R's defaults": "r_default",
        "wide level": "wide_level",
        "free level": "free_level",
        "R's dynamic": "r_dynamic",
        "R's dynamic, wide level": "r_dynamic_wide",
        "dynamic": "dynamic",
        "PyPI causalimpact": "package",
    }.items():
        covered = [f"{n[f'{name}_plain_{days}_covered']:.2f}"[1:] for days in (7, 30, 90, 181)]
        line = f"| {label} | {n[f'{name}_detected_0']:.1%} | {' / '.join(covered)} |"
        assert line in notes


def test_notes_of_the_copilot_case_hold_its_numbers() -> None:
    n = numbers_of("simulated_copilot")
    notes = (ROOT / "experiments" / "simulated_copilot" / "notes.md").read_text("utf-8")
    for text in (
        f"| all posts at once | {n['post_inside']:.0f} of {n['post_n']:.0f} |",
        f"| one post at a time | {n['alone_inside']:.0f} of 20 | {n['alone_sum']:,.0f} |",
        f"| before and after | no interval | {n['before_after_sum']:,.0f} |",
        f"The campaign: {n['campaign_campaign_mean']:,.0f} downloads "
        f"[{n['campaign_campaign_lower']:,.0f}, {n['campaign_campaign_upper']:,.0f}]",
        f"The data resolve {n['resolvable_posts']:.1f} of the 20",
        f"{n['alone_overstates']:.1f} times the",
    ):
        assert " ".join(text.split()) in " ".join(notes.split())


def test_the_paper_s_model_is_calibrated_in_its_simulation_and_the_defaults_are_not() -> None:
    """Within three binomial standard errors of the promise, over the committed replications."""
    n = numbers_of("brodersen_simulation")
    error = (0.05 * 0.95 / n["replications"]) ** 0.5
    assert abs(n["dynamic_detected_0"] - 0.05) < 3 * error
    assert abs(n["dynamic_plain_181_covered"] - 0.95) < 3 * error
    assert abs(n["r_dynamic_detected_0"] - 0.05) < 3 * error
    assert abs(n["r_dynamic_plain_181_covered"] - 0.95) < 3 * error
    assert n["r_default_detected_0"] > 0.05 + 5 * error
    assert n["r_default_plain_181_covered"] < 0.95 - 5 * error
