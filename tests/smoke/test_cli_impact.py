"""lift impact, on a small file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lift.cli import app
from lift.impact.causal_impact import CausalImpact

RUNNER = CliRunner()
PRE, POST = "2025-01-01:2025-02-14", "2025-02-15:2025-03-01"
FEW = ("--niter", "400")


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    control = 50 + np.cumsum(rng.normal(0, 1, 60))
    outcome = 1.2 * control + rng.normal(0, 1, 60)
    outcome[45:] += 5.0
    return pd.DataFrame(
        {"date": pd.date_range("2025-01-01", periods=60), "y": outcome, "x1": control}
    )


@pytest.fixture
def file(frame: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    frame.to_csv(path, index=False)
    return path


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_summary_is_that_of_the_function(file: Path, frame: pd.DataFrame) -> None:
    code, shown, _ = invoke("impact", file, "--pre", PRE, "--post", POST, *FEW)
    assert code == 0
    data = pd.read_csv(file, index_col="date", parse_dates=True)
    found = CausalImpact(data, PRE.split(":"), POST.split(":"), {"niter": 400})
    assert shown.strip() == found.summary().strip()
    assert len(frame) == len(data)


def test_report_figure_series_and_json(file: Path, tmp_path: Path) -> None:
    figure, series = tmp_path / "f.svg", tmp_path / "s.csv"
    code, shown, _ = invoke(
        "impact", file, "--pre", PRE, "--post", POST, "--report", "--figure", figure,
        "--series", series, "--alpha", "0.5", *FEW,
    )  # fmt: skip
    assert code == 0
    assert "raised y" in shown
    assert "50% interval" in shown
    assert figure.read_text("utf-8").startswith("<?xml")
    assert len(pd.read_csv(series)) == 60
    code, shown, _ = invoke("impact", file, "--pre", PRE, "--post", POST, "--json", *FEW)
    found = json.loads(shown)
    assert found["summary"]["Cumulative"]["AbsEffect"] == pytest.approx(75, abs=25)
    assert found["p"] < 0.01


def test_rows_are_numbered_where_there_are_no_dates(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    frame.drop(columns="date").to_csv(path, index=False)
    code, shown, _ = invoke("impact", path, "--pre", "0:44", "--post", "45:59", *FEW)
    assert code == 0
    assert "effect" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pre", "2025-01-01", "--post", POST), "must be two labels with a colon"),
        (("--pre", PRE, "--post", ":"), "must be two labels with a colon"),
        (("--pre", "0:44", "--post", POST), "must hold dates, found '0'"),
        (("--pre", PRE, "--post", "2025-02-15:2025-09-01"), "must lie within the data"),
        (("--pre", PRE, "--post", POST, "--niter", "5"), "niter must be at least 100"),
        (("--pre", PRE, "--post", POST, "--scale", "cube"), "scale must be of linear"),
        (("--pre", PRE, "--post", POST, "--alpha", "2"), "must lie between 0 and 1"),
    ],
    ids=str,
)
def test_bad_words_exit_2(words: tuple[str, ...], message: str, file: Path) -> None:
    code, _, said = invoke("impact", file, *words)
    assert code == 2
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "must be a readable CSV file"),
        ("", "must be a readable CSV file"),
        ("date,y\nthen,1\nnow,2\n", "column 'date' must hold ISO dates or whole numbers"),
        ("y,x\n1,a\n2,b\n3,c\n4,d\n", "column 'x' must hold numbers"),
    ],
    ids=["absent", "empty", "words for dates", "words for numbers"],
)
def test_bad_files_exit_2(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_text(text)
    code, _, said = invoke("impact", path, "--pre", "0:2", "--post", "3:3")
    assert code == 2
    assert message in said


def test_coefficients_can_walk(file: Path) -> None:
    code, out, err = invoke(
        "impact", file, "--pre", PRE, "--post", POST, *FEW, "--dynamic-regression", "--json"
    )
    assert code == 0, err
    parameters = [row["parameter"] for row in json.loads(out)["convergence"]]
    assert "sigma_coefficient[x1]" in parameters
