"""Ask a peer: its script as a process of its own, in its environment."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[2] / ".peers"

MAIN = ("bsts_causalimpact", "pymc_nutpie")
"""Peers that live in the environment of lift."""
OWN = ("causalimpact", "pycausalimpact", "tfp_causalimpact", "causalpy")
"""Peers with an environment of their own, made by ``make bench-peers``."""


class AbsentPeerError(RuntimeError):
    """The environment of a peer is not there."""


def python_of(peer: str) -> Path:
    """Return the interpreter that has a peer.

    Raises
    ------
    AbsentPeerError
        If the peer is not installed.
    """
    if peer in MAIN:
        return Path(sys.executable)
    for name in ("bin/python", "Scripts/python.exe"):
        file = ENVIRONMENTS / peer / name
        if file.is_file() and (ENVIRONMENTS / peer / "installed").is_file():
            return file
    raise AbsentPeerError(
        f"{peer} must be installed in {ENVIRONMENTS.name}/{peer}, found none; "
        "make it with `make bench-peers`"
    )


def ask(peer: str, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a peer's answer to cases, as ``protocol.py`` describes both.

    Raises
    ------
    AbsentPeerError
        If the peer is not installed.
    RuntimeError
        If its process fails, with the end of what it printed.
    """
    python = python_of(peer)
    with tempfile.TemporaryDirectory() as folder:
        job, target = Path(folder) / "job.json", Path(folder) / "answer.json"
        job.write_text(json.dumps(list(cases)), encoding="utf-8")
        done = subprocess.run(
            [str(python), str(HERE / f"run_{peer}.py"), str(job), str(target)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not target.is_file():
            raise RuntimeError(f"{peer} failed: {done.stderr[-2000:]}")
        answer: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return answer
