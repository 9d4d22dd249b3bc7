"""Experiments: configuration, and comparison with the expected numbers."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lift import study
from lift.errors import ExecutionError, RunError

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


UNITS = """
from __future__ import annotations

from dataclasses import dataclass

from lift import study

@dataclass(frozen=True)
class Size:
    letters: int

def one(name, config, size=Size):
    return {"value": config["a"] + size(len(name)).letters}

def main(config):
    names = ["a", "bb", "ccc"]
    found = study.units(names, lambda name: one(name, config), config["results"], config)
    return {"sum": sum(unit["value"] for unit in found)}
"""


def test_units_of_a_script_run_on_the_executor_that_is_asked_for(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "run.py").write_text(UNITS)
    seen: list[str] = []
    numbers = study.run(
        folder,
        results=tmp_path / "two",
        executor="local:2",
        progress=lambda _, text: seen.append(text),
    )
    assert numbers == {"sum": 9.0}
    assert len(seen) == 3
    assert study.run(folder, results=tmp_path / "one") == numbers
    for name in ("a", "bb", "ccc"):
        files = [tmp_path / where / f"{name}.json" for where in ("one", "two")]
        assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(ExecutionError, match="local:N"):
        study.run(folder, results=tmp_path / "three", executor="two")
