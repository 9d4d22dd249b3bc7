"""`lift reproduce`: numbers beside the expected ones, exit codes, many experiments at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lift import study
from lift.cli import app

RUNNER = CliRunner()
RUN = """
from lift import study

def main(config):
    names = [f"unit_{i}" for i in range(config["n"])]
    compute = lambda name: {"value": config["a"] * len(name)}
    found = study.units(names, compute, config["results"], config)
    if config["n"] == 3:
        raise KeyboardInterrupt
    return {"sum": sum(unit["value"] for unit in found), "sum_mcse": 0.01}
"""


@pytest.fixture
def experiments(tmp_path: Path) -> list[Path]:
    """Return two experiments that agree with what is expected of them."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        (folder / "run.py").write_text(RUN)
        (folder / "config.toml").write_text("seed = 1\na = 2\nn = 4\n[smoke]\nn = 2\n")
        study.expect(folder, study.run(folder))
        study.expect(folder, study.run(folder, smoke=True), smoke=True)
    return folders


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def spoil(folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("a = 2", "a = 2.1"))


def test_numbers_stand_beside_the_expected_ones(experiments: list[Path]) -> None:
    code, out, _ = invoke("reproduce", experiments[0], "--executor", "local:2")
    assert code == 0
    head, row = (line.split() for line in out.splitlines()[:2])
    assert head == ["number", "expected", "got", "tolerance", "ok"]
    assert row == ["sum", "48", "48", "0.0707", "yes"]
    assert "first: all numbers agree" in out


def test_a_difference_ends_with_one(experiments: list[Path]) -> None:
    spoil(experiments[1])
    code, out, _ = invoke("reproduce", "--smoke", *experiments)
    assert code == 1
    assert "first (smoke): all numbers agree" in out
    assert "second (smoke): 1 of 1 differ" in out
    assert out.rstrip().endswith("1 of 2 reproduced; differ: second")


def test_json_holds_every_number(experiments: list[Path]) -> None:
    spoil(experiments[0])
    code, out, _ = invoke("reproduce", "--json", *experiments)
    assert code == 1
    found = json.loads(out)
    assert [one["passed"] for one in found] == [False, True]
    (row,) = found[0]["numbers"]
    assert (row["name"], row["expected"], row["ok"]) == ("sum", 48.0, False)
    assert row["got"] == pytest.approx(50.4)


def test_what_is_no_experiment_is_bad_input(tmp_path: Path, experiments: list[Path]) -> None:
    code, _, err = invoke("reproduce", tmp_path)
    assert (code, "config.toml" in err) == (2, True)
    code, _, err = invoke("reproduce", experiments[0], "--executor", "many")
    assert (code, "local:N" in err) == (2, True)


def test_units_that_fail_end_with_one(experiments: list[Path]) -> None:
    script = experiments[0] / "run.py"
    script.write_text(script.read_text().replace("len(name)}", "len(nane)}"))
    code, _, err = invoke("reproduce", experiments[0])
    assert code == 1
    assert "4 of 4 that failed" in err
    assert "NameError" in err


def test_an_interrupt_says_what_is_kept(experiments: list[Path]) -> None:
    config = experiments[0] / "config.toml"
    config.write_text(config.read_text().replace("n = 4", "n = 3"))
    code, _, err = invoke("reproduce", experiments[0])
    assert code == 130
    assert "finished are kept" in err
    assert len(list((experiments[0] / "results").glob("*.json"))) == 4


def test_real_data_that_is_not_there_is_left_out_aloud(
    experiments: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = experiments[0] / "config.toml"
    config.write_text(f"real_data = true\n{config.read_text()}")
    monkeypatch.delenv("LIFT_DATA_DIR", raising=False)
    code, out, err = invoke("reproduce", *experiments)
    assert code == 0
    assert "1 of 2 reproduced; left out: 1" in out
    assert f"left out: {experiments[0]} runs on real data" in err
    monkeypatch.setenv("LIFT_DATA_DIR", "somewhere")
    assert "2 of 2 reproduced" in invoke("reproduce", *experiments)[1]


def test_verify_compares_numbers_and_result_files(experiments: list[Path]) -> None:
    folder = experiments[0]
    script = folder / "run.py"
    table = '(Path(config["results"]) / "table.csv").write_text(f"{config[\'a\']}\\n")'
    script.write_text(
        script.read_text()
        .replace("def main(config):", f"def main(config):\n    {table}")
        .replace("from lift", "from pathlib import Path\nfrom lift", 1)
        .replace('config["results"], config', 'Path(config["results"]) / "units", config')
    )
    study.expect(folder, study.run(folder))
    for old in (folder / "results").glob("*.json"):
        old.unlink()
    code, out, _ = invoke("verify", folder)
    assert code == 0
    assert out.splitlines() == [
        "identical: sum: 48, 48",
        "identical bytes: table.csv",
        "confirmed: 1 numbers: 1 identical, 0 within their tolerance, 0 differ; "
        "1 of 1 result files identical",
    ]
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("a = 2", "a = 2.0001"))
    code, out, _ = invoke("verify", folder)
    assert code == 0
    assert "within Monte Carlo error: sum: 48, 48.0024" in out
    assert "differs: table.csv" in out
    config.write_text(config.read_text().replace("a = 2.0001", "a = 2.1"))
    code, out, _ = invoke("verify", folder, "--executor", "local:2")
    assert code == 1
    assert "differs: sum: 48, 50.4" in out
    assert "not confirmed" in out
