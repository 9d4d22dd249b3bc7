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
DESELECTED = pytest.StashKey[tuple[int, list[str]]]()
# Tests with these markers need the folder that the variable names.
FOLDER_OF = {"real_data": "LIFT_DATA_DIR", "anchors": "LIFT_ANCHORS_DIR"}


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
    """Leave out tests on data whose folder no environment variable names."""
    unmarked = [
        item.nodeid
        for item in items
        if "data_dir" in getattr(item, "fixturenames", ())
        and item.get_closest_marker("real_data") is None
    ]
    if unmarked:
        raise pytest.UsageError(f"these use data_dir without the marker real_data: {unmarked}")
    absent = {
        marker: variable for marker, variable in FOLDER_OF.items() if not os.environ.get(variable)
    }
    left_out = [item for item in items if any(map(item.get_closest_marker, absent))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
        config.stash[DESELECTED] = (len(left_out), sorted(absent.values()))


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say how many tests were left out, and why."""
    if DESELECTED not in config.stash:
        return []
    n, variables = config.stash[DESELECTED]
    return [f"{n} test(s) left out, not set: {', '.join(variables)}"]
