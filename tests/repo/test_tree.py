"""What may and may not be in the files of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 400

TOP_LEVEL = {
    ".ci",
    ".gitattributes",
    ".gitignore",
    ".python-version",
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "Makefile",
    "README.md",
    "environment.yml",
    "experiments",
    "papers",
    "pyproject.toml",
    "requirements.lock",
    "src",
    "tests",
}

# Written in parts, so that this file passes its own test.
MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/" + r"(?:work|tmp|root|home|Users|opt)/")
REGISTRY_HOST = re.compile(
    r"pypi\." + r"org|pythonhosted\." + r"org|anaconda\." + r"org|registry\.npmjs|deb\.debian\."
)


def tracked() -> list[Path]:
    """Return the files of the repository: tracked or not ignored; all, where it is no clone."""
    if not (ROOT / ".git").exists():
        made = {".venv", "runs", "build", "dist", "__pycache__"}
        files = [path for path in sorted(ROOT.rglob("*")) if path.is_file()]
        return [
            path
            for path in files
            if not any(
                part in made or part.endswith("_cache") for part in path.relative_to(ROOT).parts
            )
        ]
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(done.stdout.split("\0")) - {""})
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """Return the text files by name."""
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(ROOT).as_posix()] = content.decode("utf-8")
    return found


def places(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}: {line.strip()[:100]}"
        for name, text in texts().items()
        for line in text.splitlines()
        if pattern.search(line)
    ]


def test_top_level_names() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_machine_paths() -> None:
    assert places(MACHINE_PATH) == []


def test_no_registry_hosts() -> None:
    assert places(REGISTRY_HOST) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open('/" + "tmp/x')", True),
        ("see /" + "work/main", True),
        ("https://example.com/" + "home/page", False),
        ("../" + "tmp/x", False),
    ],
    ids=str,
)
def test_machine_paths_are_seen(text: str, found: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) is found


def test_modules_are_short() -> None:
    long = {
        name: n
        for name, text in texts().items()
        if name.startswith("src/") and name.endswith(".py") and (n := text.count("\n")) > MAX_LINES
    }
    assert long == {}


def test_nothing_is_left_open() -> None:
    pattern = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|NotImplemented" + r"Error)\b")
    assert [place for place in places(pattern) if place.endswith(".py")] == []
    assert [place for place in places(pattern) if place.startswith("src/")] == []


def test_no_test_is_skipped_or_mocked() -> None:
    pattern = re.compile(r"pytest\.(skip|mark\.skip|importor" + r"skip)|unittest\.mo" + r"ck")
    own = "tests/repo/test_tree.py"
    assert [place for place in places(pattern) if not place.startswith(own)] == []


def test_lines_end_alike() -> None:
    assert [
        name for name, text in texts().items() if "\r" in text and name.startswith("src/")
    ] == []
