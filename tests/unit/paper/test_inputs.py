"""Numbers, tables and figures of a paper, read from the results."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_paper import change

from lift.errors import RunError
from lift.paper.inputs import is_paper, read_inputs, shown


def test_every_way_to_name_a_number(paper: Path) -> None:
    inputs = read_inputs(paper)
    assert {name: number.shown for name, number in inputs.numbers.items()} == {
        "sum": "1.8",
        "first_unit": "−0.50",
        "last_unit": "25%",
        "units": "3",
        "size": "7",
        "views": "15",
        "gap": "2.2",
    }
    assert inputs.numbers["sum"].value == 1.75
    assert inputs.numbers["gap"].of == ("sum", "first_unit")
    assert inputs.numbers["views"].source == "@somebody2025"


def test_a_table_is_as_it_is_printed(paper: Path) -> None:
    table = read_inputs(paper).tables["values"]
    assert table.head == ("unit", "value")
    assert table.rows == (("a", "−0.50"), ("b", "2.00"), ("the last", "0.25"))


def test_a_column_is_spread_out(paper: Path) -> None:
    (paper.parents[1] / "experiments/question/results/long.csv").write_text(
        "method,days,truth,share\nm,7,x,0.5\nm,30,x,\nk,7,x,1\nk,30,x,0.25\nk,7,y,0\n"
    )
    change(
        paper / "inputs.toml", "[numbers]", 'l = "experiments/question/results/long.csv"\n[numbers]'
    )
    file = paper / "inputs.toml"
    file.write_text(
        file.read_text("utf-8")
        + '[tables.l]\nsource = "l"\nwhere = { truth = "x" }\nindex = "method"\nacross = "days"\n'
        'value = "share"\nshow = ".2f"\nhead = ".0f"\nnames = { m = "first" }\n',
        "utf-8",
    )
    table = read_inputs(paper).tables["l"]
    assert table.head == ("", "7", "30")
    assert table.rows == (("first", "0.50", ""), ("k", "1.00", "0.25"))


def test_the_experiments_behind_a_paper(paper: Path) -> None:
    assert read_inputs(paper).experiments == (paper.parents[1] / "experiments/question",)
    assert is_paper(paper)
    assert not is_paper(paper.parent)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('at = "numbers.sum.value"', 'at = "numbers.tot.value"', "sum: nothing is named 'tot'"),
        ('where = { unit = "a" }', 'where = { unit = "z" }', "must be one row, found 0"),
        ('cite = "somebody2025"', 'cite = "nobody"', "views: a quoted number must have cite"),
        ('by = "difference"', 'by = "quotient"', "number gap: nothing is named 'quotient'"),
        ('["sum", "first_unit"]', '["gap", "first_unit"]', "number gap: nothing is named 'gap'"),
        ('take = "count"', 'take = "some"', "take must be of only, count"),
        ("results/table.csv", "results/tables.csv", "must be there, found none; run"),
        ('sources = ["table"]', 'sources = ["tables"]', "figure bars: must be of named sources"),
        ('value = ".2f" }\nnames', 'price = ".2f" }\nnames', "values: nothing is named 'price'"),
        ("date = 2026-01-31", 'date = "today"', "date must be given as a date"),
        ('"references.bib"', '"other.bib"', "the bibliography other.bib must be there"),
        ('show = ".0%"', 'shown = ".0%"', "number last_unit: unknown shown"),
    ],
    ids=[
        "entry", "row", "citation", "rule", "later", "take", "file", "figure", "column", "date",
        "bibliography", "key",
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_named(paper: Path, old: str, new: str, fault: str) -> None:
    change(paper / "inputs.toml", old, new)
    with pytest.raises(RunError, match="cannot be used") as caught:
        read_inputs(paper)
    assert fault in str(caught.value)


def test_all_faults_are_told_at_once(paper: Path) -> None:
    change(paper / "inputs.toml", 'cite = "somebody2025"', 'cite = "nobody"')
    change(paper / "inputs.toml", 'take = "count"', 'take = "some"')
    with pytest.raises(RunError) as caught:
        read_inputs(paper)
    assert "number views" in str(caught.value)
    assert "number units" in str(caught.value)


def test_a_folder_without_inputs_is_no_paper(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="found none in"):
        read_inputs(tmp_path)


def test_minus_is_a_minus_sign() -> None:
    assert shown(-1234.5, ",.0f") == "−1,234"
    assert shown("as-is", "") == "as-is"


def test_rows_are_picked_by_bounds_and_sizes(paper: Path) -> None:
    change(
        paper / "inputs.toml",
        "[tables.values]",
        'gains = { source = "table", above = { value = 0.0 }, take = "count", show = ".0f" }\n'
        'losses = { source = "table", below = { value = 0.0 }, take = "count", show = ".0f" }\n'
        'size_of_loss = { source = "table", column = "value", below = { value = 1.0 }, '
        'take = "largest", show = ".2f" }\n'
        'both = { of = ["gains", "losses"], by = "hypot", show = ".3f" }\n\n[tables.values]',
    )
    numbers = read_inputs(paper).numbers
    assert [numbers[name].shown for name in ("gains", "losses", "size_of_loss", "both")] == [
        "2", "1", "0.50", "2.236",
    ]  # fmt: skip
