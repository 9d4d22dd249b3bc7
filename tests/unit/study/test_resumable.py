"""Units of a study: stored at once, computed once, lost by nothing that stops the study."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from study_of_solves import names_of

from lift import study
from lift.errors import ExecutionError, RunError, StudyError
from lift.provenance import code_digest
from lift.study import resumable
from lift.study.resumable import duration, unit_digest, write_durably

SCRIPT = Path(__file__).resolve().parents[2] / "study_of_solves.py"
N_UNITS = 200
SECONDS = 0.01
PATIENCE = 60.0


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
    first = study.units(["a", "b"], compute, tmp_path, {"seed": 1})
    again = study.units(["b", "c", "a"], compute, tmp_path, {"seed": 1})
    assert compute.calls == ["a", "b", "c"]
    assert [unit["name"] for unit in again] == ["b", "c", "a"]
    assert again[2] == first[0] == {"name": "a", "third": 1 / 3}


def test_another_configuration_computes_again(tmp_path: Path) -> None:
    compute = Counting()
    study.units(["a"], compute, tmp_path, {"seed": 1, "results": "here", "executor": "local:1"})
    study.units(["a"], compute, tmp_path, {"seed": 1, "results": "there"})
    assert compute.calls == ["a"]
    study.units(["a"], compute, tmp_path, {"seed": 2})
    assert compute.calls == ["a", "a"]


def test_a_unit_of_other_code_is_computed_again(tmp_path: Path) -> None:
    compute = Counting()
    study.units(["a"], compute, tmp_path, {})
    stored = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps({**stored, "made_from": "0"}))
    study.units(["a"], compute, tmp_path, {})
    assert compute.calls == ["a", "a"]


def test_a_file_that_was_cut_short_is_computed_again(tmp_path: Path) -> None:
    compute = Counting()
    study.units(["a"], compute, tmp_path, {})
    whole = (tmp_path / "a.json").read_bytes()
    (tmp_path / "a.json").write_bytes(whole[:20])
    study.units(["a"], compute, tmp_path, {})
    assert (tmp_path / "a.json").read_bytes() == whole
    assert compute.calls == ["a", "a"]


def test_the_script_and_its_neighbours_count(tmp_path: Path) -> None:
    def digest() -> str:
        return unit_digest({"seed": 1, "folder": str(tmp_path)}, len)

    (tmp_path / "run.py").write_text("a = 1\n")
    first = digest()
    assert digest() == first
    (tmp_path / "beside.py").write_text("b = 1\n")
    second = digest()
    (tmp_path / "run.py").write_text("a = 2\n")
    third = digest()
    (tmp_path / "notes.md").write_text("words\n")
    assert len({first, second, third}) == 3
    assert digest() == third


def test_a_failed_unit_is_recorded_and_the_others_run(tmp_path: Path) -> None:
    compute = Counting()
    compute.fail = "b"
    with pytest.raises(StudyError, match=r"1 of 3 that failed(?s:.*)b: RunError: b"):
        study.units(["a", "b", "c"], compute, tmp_path, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.failed", "c.json"]
    compute.fail = ""
    study.units(["a", "b", "c"], compute, tmp_path, {})
    assert compute.calls == ["a", "b", "c", "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json", "c.json"]


def test_a_result_that_is_not_json_fails_its_unit(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="not JSON serializable"):
        study.units(["a"], lambda name: {"name": Path(name)}, tmp_path, {})


@pytest.mark.parametrize("names", [["a", "a"], ["../a"], [""], ["a/b"]], ids=repr)
def test_names_must_be_file_names_each_its_own(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="each its own"):
        study.units(names, Counting(), tmp_path, {})


def test_progress_tells_the_share_and_the_time_left(tmp_path: Path) -> None:
    seen: list[tuple[float, str]] = []
    study.units(["a"], Counting(), tmp_path, {})
    study.units(
        ["a", "b", "c", "d"], Counting(), tmp_path, {}, progress=lambda *told: seen.append(told)
    )
    assert [share for share, _ in seen] == [0.5, 0.75, 1.0]
    assert seen[0][1].startswith("2 of 4 units, ")
    assert seen[-1][1] == "4 of 4 units, 0 s left"


def test_a_worker_with_other_code_is_refused() -> None:
    task = partial(resumable._unit, lambda name: {"name": name})
    same = (code_digest(), study.versions())
    assert json.loads(task(same, "a")) == {"name": "a"}
    with pytest.raises(ExecutionError, match="other sources of lift"):
        task(("0" * 64, study.versions()), "a")
    with pytest.raises(ExecutionError, match="'numpy'"):
        task((code_digest(), study.versions() | {"numpy": "1.0"}), "a")


def test_times_are_short() -> None:
    assert [duration(seconds) for seconds in (0, 89, 600, 9000)] == [
        "0 s",
        "89 s",
        "10 min",
        "2.5 h",
    ]


def test_what_stops_a_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    write_durably(file, b"before")

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_durably(file, b"after")
    assert file.read_bytes() == b"before"


def begun(folder: Path, pids: Path) -> subprocess.Popen[str]:
    """Start the study of solves in a process group of its own, on two workers."""
    pids.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), "local:2", str(N_UNITS), str(SECONDS), pids],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(what: Callable[[], bool]) -> None:
    """Wait for something that must become so."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def stored(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of the study of 200 units that nothing stopped, from one process."""
    home = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(home / "units"), "local:1", str(N_UNITS), "0", ""],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    files = stored(home / "units")
    assert [f"{name}.json" for name in names_of(N_UNITS)] == list(files)
    return files


def test_a_killed_parent_loses_nothing_finished(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    folder, pids = tmp_path / "units", tmp_path / "pids"
    with begun(folder, pids) as running:
        until(lambda: len(stored(folder)) >= 60)
        running.kill()
    workers = [int(path.name) for path in pids.iterdir()]
    assert len(workers) == 2
    until(lambda: not any(map(alive, workers)))
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert 60 <= len(finished) < N_UNITS
    with begun(folder, pids) as running:
        assert running.wait() == 0
    assert stored(folder) == undisturbed
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert not list(folder.glob("*.part"))


def test_a_killed_worker_is_replaced(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    folder, pids = tmp_path / "units", tmp_path / "pids"
    with begun(folder, pids) as running:
        until(lambda: len(stored(folder)) >= 60)
        os.kill(int(next(pids.iterdir()).name), signal.SIGKILL)
        assert running.wait() == 0
    assert len(list(pids.iterdir())) > 2
    assert stored(folder) == undisturbed


def test_an_interrupt_keeps_what_was_finished(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    folder, pids = tmp_path / "units", tmp_path / "pids"
    with begun(folder, pids) as running:
        until(lambda: len(stored(folder)) >= 60)
        os.killpg(running.pid, signal.SIGINT)
        _, complaint = running.communicate(timeout=PATIENCE)
        assert running.returncode != 0
    assert complaint.count("Traceback") == 1, complaint
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    workers = [int(path.name) for path in pids.iterdir()]
    until(lambda: not any(map(alive, workers)))
    finished = stored(folder)
    assert 60 <= len(finished) < N_UNITS
    assert finished.items() <= undisturbed.items()


def test_a_unit_that_ends_its_worker_is_told_and_the_others_run(tmp_path: Path) -> None:
    def compute(name: str) -> dict[str, Any]:
        if name == "unit_003":
            os._exit(9)
        return {"name": name}

    with pytest.raises(StudyError, match=r"1 of 8 that failed(?s:.*)unit_003: WorkerDied"):
        study.units(names_of(8), compute, tmp_path, {}, "local:2")
    assert len(stored(tmp_path)) == 7
