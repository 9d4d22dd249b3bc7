"""Where the results of other software lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def anchors_dir() -> Path:
    """Return the folder of R's results; a test that asks for it carries the marker real_data."""
    named = os.environ.get("LIFT_ANCHORS_DIR")
    if not named:
        pytest.fail("LIFT_ANCHORS_DIR must name the folder of reference results, it is not set")
    folder = Path(named) / "r"
    if not folder.is_dir():
        pytest.fail(f"LIFT_ANCHORS_DIR must hold a folder r, found none in {named!r}")
    return folder
