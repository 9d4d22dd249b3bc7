"""Imports go down only, heavy packages stay with the modules whose job they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"

# A module belongs to the longest name in this table that it equals or lies under.
LAYERS = {
    "lift": 8,
    "lift.__main__": 8,
    "lift._compile": 0,
    "lift._lanes": 0,
    "lift.exponential": 0,
    "lift.errors": 0,
    "lift.rng": 0,
    "lift.execution": 0,
    "lift.provenance": 0,
    "lift.data": 1,
    "lift.model": 2,
    "lift.engines": 3,
    "lift.impact": 3,
    "lift.impact.tables": 4,
    "lift.impact.text": 5,
    "lift.impact.plot": 5,
    "lift.impact.causal_impact": 6,
    "lift.impact.warm": 7,
    "lift.analysis": 4,
    "lift.output": 5,
    "lift.fitted": 6,
    "lift.compare": 6,
    "lift.joint": 6,
    "lift.pipeline": 6,
    "lift.replication": 6,
    "lift.study": 6,
    "lift.paper": 6,
    "lift.cli": 7,
}

PYMC = (
    "lift.engines.pymc",
    "lift.engines.pymc_chains",
    "lift.engines.pymc_filter",
    "lift.engines.pymc_level",
    "lift.engines.pymc_markets",
    "lift.engines.pymc_markets_model",
    "lift.engines.pymc_model",
    "lift.engines.pymc_scale",
    "lift.engines.pymc_shared",
)

# Heavy packages, and the modules (with all below them) that may import them, at any depth.
HEAVY = {
    "arviz": (),
    "arviz_base": (),
    "arviz_plots": (),
    "arviz_stats": (
        "lift.analysis.diagnostics",
        "lift.analysis.mixing",
        "lift.impact.tables",
        "lift.engines.pymc_chains",
    ),
    "causalimpact": ("lift.engines.causalimpact",),
    "dask": (),
    "distributed": ("lift.execution",),
    "matplotlib": ("lift.output.figures", "lift.impact.plot", "lift.impact.causal_impact"),
    "numba": (
        "lift._compile",
        "lift._lanes",
        "lift.exponential._compiled",
        "lift.engines",
        "lift.impact",
    ),
    "nutpie": ("lift.engines.pymc", "lift.engines.pymc_chains", "lift.engines.pymc_markets"),
    "pymc": PYMC,
    "pytensor": PYMC,
    "typst": ("lift.paper.build",),
    "statsmodels": ("lift.engines.statsmodels", "lift.engines.causalimpact"),
}


class Import(NamedTuple):
    """One imported module, where it is imported, and the name taken from it, if any."""

    target: str
    name: str | None
    line: int


def module_name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(SRC.rglob("*.py"))}


def imports_of(source: str) -> Iterator[Import]:
    """Yield every import of a module, those within functions and type-checking blocks too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (
                    Import(whole, None, node.lineno)
                    if whole in MODULES
                    else Import(node.module, alias.name, node.lineno)
                )
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in {"import_module", "importlib.import_module"}
            and isinstance(node.args[0], ast.Constant)
        ):
            yield Import(str(node.args[0].value), None, node.lineno)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def layer(module: str) -> int:
    homes = [home for home in LAYERS if home != "lift" and within(module, home)]
    if module == "lift":
        return LAYERS["lift"]
    assert homes, f"{module} has no layer: give it one in LAYERS"
    return LAYERS[max(homes, key=len)]


def faults_in(module: str, source: str) -> list[str]:
    """Return what is wrong with the imports of one module, one sentence each."""
    faults = []
    for target, name, line in imports_of(source):
        where = f"{module}:{line}"
        if target == "lift" and name == "__version__":
            continue
        if within(target, "lift"):
            if layer(target) > layer(module):
                faults.append(f"{where} imports {target}, which is above it")
        else:
            top = target.partition(".")[0]
            if top in HEAVY and not any(within(module, home) for home in HEAVY[top]):
                faults.append(f"{where} imports {top}, which is not its job")
    return faults


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_down_and_heavy_packages_stay_at_home(module: str) -> None:
    assert faults_in(module, MODULES[module].read_text("utf-8")) == []


def test_no_cycle() -> None:
    graph = {
        module: {
            found.target
            for found in imports_of(path.read_text("utf-8"))
            if found.target in MODULES and found.target not in {"lift", module}
        }
        for module, path in MODULES.items()
        if module != "lift"
    }
    assert len(tuple(TopologicalSorter(graph).static_order())) == len(MODULES) - 1


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("lift.data.tables", "from lift.model.spec import ModelSpec", "above"),
        ("lift.errors", "def f():\n    from lift.data import campaign", "above"),
        ("lift.model.spec", "import lift", "above"),
        (
            "lift.model.spec",
            "from importlib import import_module\nimport_module('lift.cli')",
            "above",
        ),
        ("lift.model.spec", "import numba", "not its job"),
        ("lift.output.report", "def f():\n    from matplotlib.figure import Figure", "not its job"),
        ("lift.engines.exact", "import pymc as pm", "not its job"),
    ],
    ids=["up", "up-in-function", "root", "by-name", "numba", "in-function", "pymc"],
)
def test_a_wrong_import_is_seen(module: str, source: str, fault: str) -> None:
    (found,) = faults_in(module, source)
    assert fault in found


def test_good_imports_pass() -> None:
    source = "import numba\nfrom lift import __version__\nfrom lift.model.spec import ModelSpec"
    assert faults_in("lift.engines.exact", source) == []
