"""What people see of tables: numbers on the terminal, engines in a figure."""

from __future__ import annotations

import pandas as pd
import pytest

from lift.cli import printing
from lift.output.figures.agreement import engine_forest


def test_whole_numbers_have_no_decimals(capsys: pytest.CaptureFixture[str]) -> None:
    """A count of 3 is 3, and a mean of 3 keeps its decimals."""
    printing.plain_table(pd.DataFrame({"unit": ["a"], "n_posts": [3], "mean": [3.0]}))
    assert capsys.readouterr().out.splitlines()[-2].split() == ["a", "3", "3.000"]


def test_probabilities_are_never_a_bare_one(capsys: pytest.CaptureFixture[str]) -> None:
    printing.plain_table(pd.DataFrame({"unit": ["a", "b"], "prob_positive": [1.0, 0.25]}))
    rows = capsys.readouterr().out.splitlines()[-3:-1]
    assert [row.split()[-1] for row in rows] == [">0.999", "0.250"]


def test_an_engine_without_estimates_is_not_in_the_figure() -> None:
    """The legend has the engines that have a mark."""
    table = pd.DataFrame(
        {
            "engine": ["exact", "statsmodels"],
            "unit": ["a", "a"],
            "mean": [1.0, float("nan")],
            "lower": [0.5, float("nan")],
            "upper": [1.5, float("nan")],
            "verdict": ["reference", "refused"],
        }
    )
    legend = engine_forest(table).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["exact"]
