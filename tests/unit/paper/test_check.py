"""A changed result is found, and the sentence, table or figure that carries it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_paper import change

from lift.errors import RunError
from lift.paper import build_paper, check_paper, expect_paper


def results(paper: Path) -> Path:
    return paper.parents[1] / "experiments" / "question"


def test_an_accepted_paper_passes(paper: Path) -> None:
    checked = check_paper(paper)
    assert checked.passed, checked.text()
    assert checked.checked == 9
    assert checked.text() == "2025-question: all numbers, tables and figures agree (9 checked)"


def test_a_changed_number_names_its_sentence(paper: Path) -> None:
    change(results(paper) / "expected.toml", "value = 1.75", "value = 1.25")
    checked = check_paper(paper)
    assert not checked.passed
    told = checked.text()
    assert "number sum: the paper says 1.8, the results give 1.2" in told
    assert "paper.typ:5: The sum is 1.8, which @somebody2025 would not believe." in told
    assert [one.name for one in checked.differences] == ["sum", "gap"]


def test_a_change_that_rounding_hides_is_found(paper: Path) -> None:
    change(results(paper) / "expected.toml", "value = 1.75", "value = 1.7500001")
    assert "the paper says 1.75, the results give 1.7500001" in check_paper(paper).text()


def test_a_changed_table_names_sentence_table_and_figure(paper: Path) -> None:
    change(results(paper) / "results" / "table.csv", "c,0.25", "c,0.75")
    checked = check_paper(paper)
    told = checked.text()
    assert {(one.kind, one.name) for one in checked.differences} == {
        ("number", "last_unit"), ("table", "values"), ("figure", "bars"),
    }  # fmt: skip
    assert "the last 25%, at a size of 7." in told
    assert "table values: '0.25' is '0.75' (row 3, the last)" in told
    assert "figure bars: its data changed: experiments/question/results/table.csv" in told
    assert "Values of the units" in told


def test_a_digit_typed_by_hand_fails(paper: Path) -> None:
    change(paper / "paper.typ", "The sum is", "In 3 units, the sum is")
    assert "a digit typed by hand, line 5: 3 in" in check_paper(paper).text()


def test_an_unknown_name_fails_check_and_build(paper: Path, tmp_path: Path) -> None:
    change(paper / "paper.typ", '#n("sum")', '#n("total")')
    checked = check_paper(paper)
    assert "paper.typ: line 5: no number is named 'total'" in checked.text()
    assert "number 'sum' is in inputs.toml" not in checked.text()
    with pytest.raises(RunError, match="no number is named 'total'"):
        build_paper(paper, tmp_path / "out")


def test_what_is_printed_nowhere_is_told(paper: Path) -> None:
    change(paper / "paper.typ", ', at a size of #n("size")', "")
    assert "number 'size' is in inputs.toml and nowhere in the text" in check_paper(paper).text()


def test_a_paper_that_was_not_accepted_says_how(paper: Path) -> None:
    (paper / "expected.toml").unlink()
    with pytest.raises(RunError, match="--accept"):
        check_paper(paper)
    expect_paper(paper)
    assert check_paper(paper).passed


def test_a_built_paper_is_the_same_each_time(paper: Path, tmp_path: Path) -> None:
    built = build_paper(paper, tmp_path / "one")
    again = build_paper(paper, tmp_path / "two")
    assert built.pdf.read_bytes() == again.pdf.read_bytes()
    assert built.html.read_bytes() == again.html.read_bytes()
    assert built.pdf.read_bytes().startswith(b"%PDF")
    html = built.html.read_text("utf-8")
    for text in ("The sum is 1.8", "A made-up paper", "the last", "(1)", "data:image/svg+xml"):
        assert text in html
    (figure,) = built.figures
    assert figure.read_text("utf-8").startswith("<?xml")


def test_a_figure_needs_its_function(paper: Path, tmp_path: Path) -> None:
    change(paper / "figures.py", "def bars", "def lines")
    with pytest.raises(RunError, match=r"figures.py must have a function bars"):
        build_paper(paper, tmp_path / "out")


def test_a_text_that_cannot_be_set_is_told(paper: Path, tmp_path: Path) -> None:
    change(paper / "paper.typ", "@somebody2025", "@nobody2025")
    with pytest.raises(RunError, match="nobody2025"):
        build_paper(paper, tmp_path / "out")
