"""Every executor: the same results in the same order, errors told, the same bytes of a study."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from study_of_solves import names_of, solved

from lift import study
from lift.errors import ExecutionError, InputError, Problem, StudyError
from lift.execution import Failure, completed, ordered_map

TESTS = Path(__file__).resolve().parents[1]
EXECUTORS = ("local:1", "local:2", "dask")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Return the address of a Dask cluster of two worker processes."""
    with subprocess.Popen(
        [sys.executable, str(TESTS / "dask_cluster.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        address = running.stdout.readline().strip()
        assert address.startswith("dask://")
        yield address
        running.stdin.close()


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> str:
    if request.param == "dask":
        return str(request.getfixturevalue("cluster"))
    return str(request.param)


def test_results_come_in_the_order_of_the_items(executor: str) -> None:
    factor = 3.0
    assert ordered_map(lambda item: (item, factor * item), range(20), executor) == [
        (item, factor * item) for item in range(20)
    ]
    assert ordered_map(str, [], executor) == []


def test_the_first_error_in_the_order_of_the_items_is_raised(executor: str) -> None:
    def refuse(item: int) -> int:
        if item in {3, 5}:
            raise InputError([Problem("posts", f"item {item}"), Problem("downloads", "none")])
        return item

    with pytest.raises(InputError) as caught:
        ordered_map(refuse, range(8), executor)
    assert [problem.what for problem in caught.value.problems] == ["item 3", "none"]
    found = dict(completed(refuse, range(8), executor))
    failed = {index for index, result in found.items() if isinstance(result, Failure)}
    assert failed == {3, 5}
    assert found[7] == 7
    assert "refuse" in found[5].trace


def test_an_error_that_cannot_cross_is_told_in_words(executor: str) -> None:
    class OddError(Exception):
        """An error that pickle writes and cannot read back."""

        def __init__(self, what: str, where: str) -> None:
            super().__init__(f"{what} at {where}")

    def fail(item: int) -> int:
        raise OddError(str(item), "home")

    with pytest.raises(ExecutionError, match="OddError: 7 at home"):
        ordered_map(fail, [7], executor)


def test_one_thread_of_linear_algebra_in_every_task(executor: str) -> None:
    def threads(item: int) -> list[int]:
        del item
        import threadpoolctl

        found = [one["num_threads"] for one in threadpoolctl.threadpool_info()]
        # what a task before this one may have left behind
        threadpoolctl.threadpool_limits(2, user_api="blas")
        return found

    found = ordered_map(threads, range(6), executor)
    assert all(found)
    assert {n for one in found for n in one} == {1}


def test_two_workers_share_the_work(cluster: str) -> None:
    def place(item: int) -> int:
        import time

        time.sleep(0.05 + 0 * item)
        return os.getpid()

    for executor in ("local:2", cluster):
        pids = set(ordered_map(place, range(40), executor))
        assert len(pids) == 2
        assert os.getpid() not in pids


def test_a_study_has_the_same_bytes_on_every_executor(cluster: str, tmp_path: Path) -> None:
    config: dict[str, Any] = {"seed": 5}
    contents = {}
    for label, executor in (("one", "local:1"), ("two", "local:2"), ("cluster", cluster)):
        results = study.units(
            names_of(24), lambda name: solved(name, config), tmp_path / label, config, executor
        )
        assert [unit["name"] for unit in results] == names_of(24)
        files = sorted((tmp_path / label).iterdir())
        contents[label] = {path.name: path.read_bytes() for path in files}
    assert len(contents["one"]) == 24
    assert contents["one"] == contents["two"] == contents["cluster"]


def test_a_unit_that_fails_fails_the_study_at_its_end(executor: str, tmp_path: Path) -> None:
    def compute(name: str) -> dict[str, Any]:
        if name == "b":
            raise ValueError("no such day")
        return {"name": name}

    with pytest.raises(StudyError, match=r"1 of 3 that failed(?s:.*)b: ValueError: no such day"):
        study.units(["a", "b", "c"], compute, tmp_path, {}, executor)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.failed", "c.json"]
    assert "no such day" in (tmp_path / "b.failed").read_text()


@pytest.mark.parametrize("name", ["local:0", "local:x", "threads:2", "dask://here", ""], ids=repr)
def test_an_executor_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ExecutionError, match=r"local:N .* or dask://host:port"):
        ordered_map(str, [1], name)


def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift.execution.CONNECT_SECONDS", 1)
    with pytest.raises(ExecutionError, match=r"answer at dask://127\.0\.0\.1:9"):
        ordered_map(str, [1], "dask://127.0.0.1:9")
