"""Fixtures and rules for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no folder of past failures beside the code.
settings.register_profile("lift", derandomize=True, database=None, deadline=None, max_examples=50)
settings.load_profile("lift")

ROOT = Path(__file__).resolve().parents[1]
DESELECTED = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Return the root folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real series; a test that asks for it carries the marker real_data."""
    folder = Path(os.environ["LIFT_DATA_DIR"])
    if not folder.is_dir():
        pytest.fail(f"LIFT_DATA_DIR must name a folder, found {str(folder)!r}")
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests on real data where LIFT_DATA_DIR does not say where the data are."""
    unmarked = [
        item.nodeid
        for item in items
        if "data_dir" in getattr(item, "fixturenames", ())
        and item.get_closest_marker("real_data") is None
    ]
    if unmarked:
        raise pytest.UsageError(f"these use data_dir without the marker real_data: {unmarked}")
    if os.environ.get("LIFT_DATA_DIR"):
        return
    left_out = [item for item in items if item.get_closest_marker("real_data") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.get_closest_marker("real_data") is None]
        config.stash[DESELECTED] = len(left_out)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say how many tests were left out, and why."""
    if n := config.stash.get(DESELECTED, 0):
        return [f"{n} test(s) on real data left out: LIFT_DATA_DIR is not set"]
    return []
