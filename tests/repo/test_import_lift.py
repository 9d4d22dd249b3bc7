"""`import lift` is cheap; its public names are there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

import lift

HEAVY = {
    "arviz",
    "arviz_base",
    "arviz_stats",
    "causalimpact",
    "dask",
    "distributed",
    "matplotlib",
    "numba",
    "numpy",
    "nutpie",
    "pandas",
    "pymc",
    "pytensor",
    "scipy",
    "statsmodels",
    "xarray",
}
MAX_SECONDS = 0.7


def importtime(statement: str) -> tuple[set[str], dict[str, float]]:
    """Return the top-level packages that a statement loads, and cumulative seconds by module."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = re.findall(r"import time:\s+\d+ \|\s+(\d+) \|\s+(\S+)", done.stderr)
    seconds = {name: int(micro) / 1e6 for micro, name in rows}
    return {name.partition(".")[0] for name in seconds}, seconds


def test_import_lift_is_cheap(record_property: pytest.RecordProperty) -> None:
    runs = [importtime("import lift") for _ in range(3)]
    for loaded, seconds in runs:
        assert "lift" in seconds
        assert not loaded & HEAVY
    best = min(seconds["lift"] for _, seconds in runs)
    record_property("import_lift_seconds", best)
    assert best < MAX_SECONDS


def test_a_heavy_import_is_seen() -> None:
    loaded, _ = importtime("import lift; lift.ModelSpec; import numpy")
    assert "numpy" in loaded
    assert "pydantic" in loaded


@pytest.mark.parametrize("name", lift.__all__, ids=str)
def test_public_name(name: str) -> None:
    value = getattr(lift, name)
    assert name in dir(lift)
    if name not in {"__version__", "datasets"}:
        assert value.__name__ == name


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Campain'"):
        _ = lift.Campain


def test_public_names_are_the_same_in_every_list() -> None:
    with open(lift.__file__, encoding="utf-8") as file:  # noqa: PTH123
        tree = ast.parse(file.read())
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lift")
        for alias in node.names
    }
    assert set(typed) == set(lift._HOME) == set(lift.__all__) - {"__version__"}
    for name, module in typed.items():
        assert lift._HOME[name] in {module, f"{module}.{name}"}
