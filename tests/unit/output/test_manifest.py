"""The manifest: plain JSON, a fixed order, no number that JSON does not know."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from lift.output import manifest

BARE: dict[str, Any] = {
    "name": "a",
    "market": "all",
    "inputs": {},
    "spec_toml": "",
    "seed": 1,
    "draws": 1,
    "chains": 1,
    "engine": "exact",
}


def test_manifest_says_what_made_the_run(run_manifest: dict[str, object]) -> None:
    again = json.loads(manifest.text(run_manifest))
    assert list(again) == list(run_manifest)
    assert again["format"] == manifest.FORMAT
    assert again["created"] == "2026-05-01T12:00:00Z"
    assert list(again["inputs"]) == ["downloads", "posts"]
    assert again["spec"]["sha256"] == hashlib.sha256(b"horizon_days = 28\n").hexdigest()
    assert again["engine"]["diagnostics"] == {"pareto_k": 0.31, "ess": None}
    assert again["seconds"] == {"fit": 1.235, "effects": 0.5}
    assert again["versions"]["numpy"] == np.__version__
    assert again["versions"]["python"].startswith("3.")
    assert (again["seed"], again["draws"], again["chains"]) == (7, 4000, 4)
    assert again["streams"] == ["hyper/chain 0", "order"]
    assert len(again["code"]["sha256"]) == 64
    assert again["platform"]["blas"]
    assert all(one["architecture"] for one in again["platform"]["blas"])


def test_manifest_names_lock_and_commit_of_a_clone(repo_root: Path) -> None:
    built = json.loads(manifest.text(manifest.build(**BARE)))
    lock = hashlib.sha256((repo_root / "requirements.lock").read_bytes()).hexdigest()
    assert built["lock"] == {"file": "requirements.lock", "sha256": lock}
    git = built["code"]["git"]
    assert (git is not None) == (repo_root / ".git").exists()
    if git is not None:
        assert len(git["commit"]) == 40


def test_text_is_the_same_each_time_and_ends_in_a_line_feed(
    run_manifest: dict[str, object],
) -> None:
    assert manifest.text(run_manifest) == manifest.text(dict(run_manifest))
    assert manifest.text(run_manifest).endswith("}\n")


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 5, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    built = manifest.build(**BARE, created=moment)
    assert built["created"] == "2026-05-01T12:00:00Z"


def test_plain_knows_numpy_and_refuses_nothing() -> None:
    value = {
        1: np.int64(3),
        "a": np.array([1.5, math.inf]),
        "b": (True, None),
        "c": {"y", "x"},
        "d": Path("x/y"),
        "e": np.bool_(True),
    }
    assert manifest.plain(value) == {
        "1": 3,
        "a": [1.5, None],
        "b": [True, None],
        "c": ["x", "y"],
        "d": "x/y",
        "e": True,
    }


def test_output_digests_cover_every_file_but_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.svg").write_bytes(b"a")
    (tmp_path / "effects.csv").write_bytes(b"b")
    (tmp_path / manifest.FILE).write_bytes(b"c")
    assert manifest.output_digests(tmp_path) == {
        "effects.csv": hashlib.sha256(b"b").hexdigest(),
        "figures/a.svg": hashlib.sha256(b"a").hexdigest(),
    }


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert manifest.installed("a-package-that-nobody-wrote") is None
