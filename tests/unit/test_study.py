"""Studies: configuration, comparison with expected numbers, and units that last."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lift import study
from lift.errors import RunError

RUN = '''
"""An experiment for the tests."""

from pathlib import Path


def main(config):
    """Return two numbers."""
    (Path(config["results"]) / "table.csv").write_text("written")
    return {"sum": config["a"] + config["b"]["c"], "sum_mcse": 0.1, "n": 2}
'''

CONFIG = """
seed = 1
a = 1.0
[b]
c = 2.0
d = 5.0
[smoke]
a = 10.0
[smoke.b]
c = 20.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "question"
    home.mkdir()
    (home / "run.py").write_text(RUN)
    (home / "config.toml").write_text(CONFIG)
    return home


def test_smoke_keys_replace_those_they_name(folder: Path) -> None:
    assert study.read_config(folder) == {"seed": 1, "a": 1.0, "b": {"c": 2.0, "d": 5.0}}
    small = study.read_config(folder, smoke=True)
    assert small == {"seed": 1, "a": 10.0, "b": {"c": 20.0, "d": 5.0}}


def test_a_smoke_key_must_exist(folder: Path) -> None:
    (folder / "config.toml").write_text(CONFIG.replace("a = 10.0", "aa = 10.0"))
    with pytest.raises(RunError, match=r"found \['aa'\]"):
        study.read_config(folder, smoke=True)


def test_expected_numbers_are_written_and_met(folder: Path) -> None:
    study.expect(folder, study.run(folder))
    study.expect(folder, study.run(folder, smoke=True), smoke=True)
    for smoke in (False, True):
        outcome = study.reproduce(folder, smoke=smoke)
        assert outcome.passed
        assert {row.name: row.got for row in outcome.compared} == {
            "sum": 30.0 if smoke else 3.0,
            "n": 2.0,
        }
        assert "all numbers agree" in outcome.text()
        assert not outcome.changes
    tolerances = tomllib.loads((folder / "expected.toml").read_text())["numbers"]
    assert tolerances["sum"]["tolerance"] == pytest.approx(5 * 2**0.5 * 0.1)
    assert tolerances["n"]["tolerance"] == 0.0


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('["a"]', '["a"] + 0.8', ["sum"]),
        ('["a"]', '["a"] + 0.6', []),
        ('"n": 2', '"n": 3', ["n"]),
        ('"n": 2', '"m": 2', ["m", "n"]),
        ('"n": 2', '"n": float("nan")', ["n"]),
    ],
    ids=["beyond", "within", "exact", "other-name", "nan"],
)
def test_a_difference_is_told(folder: Path, old: str, new: str, wrong: list[str]) -> None:
    study.expect(folder, study.run(folder))
    (folder / "run.py").write_text(RUN.replace(old, new))
    outcome = study.reproduce(folder)
    assert [row.name for row in outcome.compared if not row.ok] == wrong
    assert outcome.passed is not bool(wrong)
    assert ("differ" in outcome.text()) is bool(wrong)


def test_results_of_a_smoke_run_do_not_stay(folder: Path, tmp_path: Path) -> None:
    study.run(folder, smoke=True)
    assert not (folder / "results").exists()
    study.run(folder)
    assert (folder / "results" / "table.csv").is_file()
    study.run(folder, smoke=True, results=tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "table.csv").is_file()


def test_another_version_is_told_but_fails_nothing(folder: Path) -> None:
    file = study.expect(folder, study.run(folder))
    version = study.versions()["numpy"]
    file.write_text(file.read_text().replace(f'numpy = "{version}"', 'numpy = "1.0"'))
    outcome = study.reproduce(folder)
    assert outcome.passed
    assert outcome.changes == (f"numpy {version}, expected numbers are from 1.0",)


@pytest.mark.parametrize("part", ["run.py", "config.toml", "expected.toml"], ids=str)
def test_a_missing_part_is_named(folder: Path, part: str) -> None:
    study.expect(folder, study.run(folder))
    (folder / part).unlink()
    with pytest.raises(RunError, match=part):
        study.reproduce(folder)


def test_text_that_is_no_toml_is_named(folder: Path) -> None:
    (folder / "config.toml").write_text("seed =")
    with pytest.raises(RunError, match=r"config\.toml must be TOML"):
        study.run(folder)


def test_run_py_must_have_main(folder: Path) -> None:
    (folder / "run.py").write_text("x = 1")
    with pytest.raises(RunError, match=r"function main\(config\)"):
        study.run(folder)


class Counting:
    """Computes a unit, and counts how often; fails on one of them while told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail = ""

    def __call__(self, name: str) -> Mapping[str, Any]:
        self.calls.append(name)
        if name == self.fail:
            raise RunError(name)
        return {"name": name, "third": 1 / 3}


def test_finished_units_are_not_computed_again(tmp_path: Path) -> None:
    compute = Counting()
    first = study.durable(["a", "b"], compute, tmp_path, {"seed": 1})
    again = study.durable(["b", "c", "a"], compute, tmp_path, {"seed": 1})
    assert compute.calls == ["a", "b", "c"]
    assert [unit["name"] for unit in again] == ["b", "c", "a"]
    assert again[2] == first[0] == {"name": "a", "third": 1 / 3}


def test_another_configuration_computes_again(tmp_path: Path) -> None:
    compute = Counting()
    study.durable(["a"], compute, tmp_path, {"seed": 1, "results": "here"})
    study.durable(["a"], compute, tmp_path, {"seed": 1, "results": "there"})
    assert compute.calls == ["a"]
    study.durable(["a"], compute, tmp_path, {"seed": 2})
    assert compute.calls == ["a", "a"]


def test_what_was_finished_before_a_failure_stays(tmp_path: Path) -> None:
    compute = Counting()
    compute.fail = "b"
    with pytest.raises(RunError):
        study.durable(["a", "b", "c"], compute, tmp_path, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json"]
    compute.fail = ""
    study.durable(["a", "b", "c"], compute, tmp_path, {})
    assert compute.calls == ["a", "b", "b", "c"]


def test_a_unit_of_other_code_is_computed_again(tmp_path: Path) -> None:
    compute = Counting()
    study.durable(["a"], compute, tmp_path, {})
    stored = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps({**stored, "made_from": "0"}))
    study.durable(["a"], compute, tmp_path, {})
    assert compute.calls == ["a", "a"]
