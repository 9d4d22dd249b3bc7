"""A small made-up paper."""

from __future__ import annotations

from pathlib import Path

import made_paper
import pytest

from lift.paper import expect_paper


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """Return the folder of a paper whose numbers were accepted."""
    folder = made_paper.write(tmp_path)
    expect_paper(folder)
    return folder
