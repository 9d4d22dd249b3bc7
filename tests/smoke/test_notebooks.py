"""Every notebook runs from top to bottom, at small size, with the real sampler."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "experiments").glob("*/notebook.py"))


def test_there_are_notebooks() -> None:
    assert {path.parent.name for path in NOTEBOOKS} == {"from_causalimpact"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_cells_are_marked(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# %% [markdown]\n# # ")
    assert text.count("# %%\n") >= 5


@pytest.fixture(scope="module")
def moved() -> dict[str, Any]:
    """What the notebook that comes from CausalImpact leaves behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIFT_NITER", "400")
        return runpy.run_path(str(ROOT / "experiments" / "from_causalimpact" / "notebook.py"))


def test_it_finds_the_effect_that_was_put_in(moved: dict[str, Any]) -> None:
    assert moved["lower"] < 300 < moved["upper"]
    assert moved["effect"] == pytest.approx(300, abs=60)
    assert moved["so_far"].iloc[-1] == pytest.approx(moved["effect"])
    assert moved["p"] < 0.01
    assert moved["impact"].posterior.sizes["chain"] == 4


def test_every_line_did_what_it_says(moved: dict[str, Any]) -> None:
    assert isinstance(moved["figure"], Figure)
    assert "sigma_season" in moved["weekly"].posterior
    assert moved["weekly"].alpha == 0.1
    assert len(moved["late"].notes) == 3
    assert "unknown name 'fit_method'" in moved["refused"]
    assert "'x2' is the outcome itself" in moved["refused"]
    assert moved["logs"].fitted.form == "log"
    assert moved["analysis"].effects.table()["unit"].tolist() == ["first", "second"]
