from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from lift.errors import (
    DiagnosticsError,
    EngineError,
    InputError,
    LiftError,
    Problem,
    RunError,
)

PROBLEMS = (
    Problem("posts", "first"),
    Problem("downloads", "second"),
    Problem("posts", "third"),
)


@pytest.mark.parametrize("kind", [EngineError, DiagnosticsError, RunError, LiftError])
def test_errors_survive_pickling(kind: type[LiftError]) -> None:
    back = pickle.loads(pickle.dumps(kind("what went wrong")))
    assert type(back) is kind
    assert str(back) == "what went wrong"
    assert isinstance(back, LiftError)


def test_an_input_error_survives_pickling_with_its_problems() -> None:
    error = InputError(PROBLEMS)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is InputError
    assert back.problems == PROBLEMS
    assert str(back) == str(error)


def test_an_input_error_comes_back_whole_from_a_worker() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        error = pool.submit(InputError, PROBLEMS).result()
    assert error.problems == PROBLEMS


def test_problems_are_listed_once_each_under_their_table() -> None:
    assert str(InputError(PROBLEMS)).splitlines() == [
        "3 problems in the input; nothing was computed",
        "  posts:",
        "    - first",
        "    - third",
        "  downloads:",
        "    - second",
    ]


def test_one_problem_is_singular() -> None:
    assert str(InputError(PROBLEMS[:1])).startswith("1 problem in the input")


def test_the_problems_are_kept_when_the_list_changes() -> None:
    given = list(PROBLEMS)
    error = InputError(given)
    given.clear()
    assert error.problems == PROBLEMS
