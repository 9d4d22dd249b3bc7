"""pyproject.toml, requirements.lock, environment.yml and the versions agree."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lift

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

# conda-forge's names where they differ from the package index's.
CONDA_NAMES = {"matplotlib-base": "matplotlib", "python-tzdata": "tzdata"}
# Extras that environment.yml leaves out: peers to time, which conda-forge does not have.
NOT_IN_CONDA = {"bench"}


def requirements(lines: list[str]) -> dict[str, str]:
    """Return the version bounds by normalised name."""
    parsed = [Requirement(line) for line in lines]
    found = {canonicalize_name(r.name): str(r.specifier) for r in parsed}
    assert len(found) == len(lines), "a name is given twice"
    return found


def locked() -> dict[str, tuple[str, str]]:
    """Return (version, the text of the entry) by name."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text.split("\n", 2)[2])[1:]
    found = {}
    for entry in entries:
        match = re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry)
        assert match, entry
        found[canonicalize_name(match[1])] = (match[2], entry)
    return found


def test_every_requirement_has_a_bound() -> None:
    lines = PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra]
    assert [name for name, bound in requirements(lines).items() if not bound] == []


def test_every_import_is_a_requirement() -> None:
    """A package of an extra may be imported too, but within a function only."""
    homes = packages_distributions()
    needed = set(requirements(PROJECT["dependencies"]))
    optional = {name for extra in EXTRAS.values() for name in requirements(extra)}
    faults = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for top in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
                found = {canonicalize_name(home) for home in homes.get(top, [])}
                allowed = needed if node in tree.body else needed | optional
                if top != "lift" and not found & allowed:
                    faults.append(f"{path.name}:{node.lineno} imports {top}")
    assert faults == []


def test_lock_holds_every_requirement_within_its_bounds() -> None:
    lock = locked()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    for line in PROJECT["dependencies"] + build + [x for extra in EXTRAS.values() for x in extra]:
        requirement = Requirement(line)
        assert canonicalize_name(requirement.name) in lock, line
        version, _ = lock[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{line}: the lock has {version}"


def test_lock_has_hashes_everywhere_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    for name, (_, entry) in locked().items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), name
    for line in text.splitlines():
        assert re.match(r"#|    --hash=sha256:[0-9a-f]{64}|    # |[a-z0-9.-]+==[^/@]+ \\$", line), (
            line
        )
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links", text)


def test_this_environment_is_the_lock() -> None:
    lock = locked()
    names = requirements(PROJECT["dependencies"] + EXTRAS["test"])
    differ = {
        name: (installed_version(name), lock[name][0])
        for name in names
        if installed_version(name) != lock[name][0]
    }
    assert differ == {}


def test_environment_yml_matches_pyproject() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    conda = [line for line in listed if isinstance(line, str) and line != "pip"]
    (pip,) = (line["pip"] for line in listed if isinstance(line, dict))
    lines = []
    for line in conda:
        name, bound = line.split()
        lines.append(f"{CONDA_NAMES.get(name, name)}{bound}")
    found = requirements(lines + pip)
    assert found.pop("python") == PROJECT["requires-python"]
    wanted = PROJECT["dependencies"] + [
        line for extra, lines in EXTRAS.items() if extra not in NOT_IN_CONDA for line in lines
    ]
    assert found == requirements(wanted)


@pytest.mark.parametrize("file", ["pyproject", "citation", "changelog", "installed"], ids=str)
def test_one_version(file: str) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    versions = {
        "pyproject": PROJECT["version"],
        "citation": citation["version"],
        "changelog": headings[0],
        "installed": installed_version("lift"),
    }
    assert versions[file] == lift.__version__
