"""The units of a study: each stored as soon as it is finished, a restart does the rest."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from lift.errors import ExecutionError, RunError, StudyError
from lift.execution import SERIAL, Failure, completed
from lift.provenance import code_digest, versions

LOG = logging.getLogger(__name__)

PACKAGES = ("numpy", "numba", "scipy", "pandas")
"""Packages whose versions may change a number."""
PASSING = frozenset({"folder", "results", "executor"})
"""Keys of a configuration on which no result depends."""
FILE_NAME = re.compile(r"[\w][\w.+=@-]*")
SHOWN = 3
"""Failed units whose errors are told in full."""

type Progress = Callable[[float, str], None]

PROGRESS: ContextVar[Progress | None] = ContextVar("progress", default=None)
"""Told of every unit of the studies that run inside: the share done, and a sentence."""


def units(
    names: Sequence[str],
    compute: Callable[[str], Mapping[str, Any]],
    folder: str | Path,
    config: Mapping[str, Any],
    executor: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return the result of every unit of a study, computing only those that are not there.

    A finished unit is one JSON file, written whole and on disk before the next is told of: what
    interrupts the study, a lost worker or the end of this process loses nothing finished. A file
    made with another configuration, other code or other versions is computed again.

    Parameters
    ----------
    names : sequence of str
        The units, each a file name.
    compute : callable
        Takes a name and returns what can be written as JSON; it may be a lambda.
    folder : str or Path
        Where the files are; it is made where it does not exist.
    config : mapping
        All that the results depend on but the code.
    executor : str, optional
        As for :func:`lift.execution.ordered_map`; ``config["executor"]`` by default, else this
        process. Results do not depend on it.
    progress : callable, optional
        Called with the share done and a sentence that tells the time left.

    Returns
    -------
    list of dict
        In the order of the names.

    Raises
    ------
    RunError
        If a name is no file name, or comes twice.
    StudyError
        After all others have run, if units failed; what each died of is beside the results, in
        ``NAME.failed``. A restart tries them again.
    """
    _check_names(names)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    made_from = unit_digest(config, compute)
    stored = {name: _read(target / f"{name}.json", made_from) for name in names}
    left = [name for name in names if stored[name] is None]
    failures: dict[str, Failure] = {}
    told = _teller(len(names), len(left), progress or PROGRESS.get())
    here = executor or str(config.get("executor", SERIAL))
    task = functools.partial(_unit, compute, (code_digest(), versions(PACKAGES)))
    for index, got in completed(task, left, here):
        name = left[index]
        record = target / f"{name}.failed"
        if isinstance(got, Failure):
            failures[name] = got
            write_durably(record, (got.trace or got.message).encode())
        else:
            document = {"made_from": made_from, "result": json.loads(got)}
            write_durably(target / f"{name}.json", json.dumps(document, indent=1).encode())
            record.unlink(missing_ok=True)
            stored[name] = document["result"]
        told(name, len(failures))
    if failures:
        raise StudyError(_told(failures, len(names), target))
    return [result for name in names if (result := stored[name]) is not None]


def unit_digest(config: Mapping[str, Any], compute: Callable[[str], Any]) -> str:
    """Return the SHA-256 of all that a unit's result depends on but its name.

    Parameters
    ----------
    config : mapping
        Where results go and who computes them does not count.
    compute : callable
        The Python files beside run.py of ``config["folder"]`` count, and the file that the
        function was written in.

    Returns
    -------
    str
        Hexadecimal.
    """
    own = {key: value for key, value in config.items() if key not in PASSING}
    files = set(_sources(compute))
    if "folder" in config:
        files |= set(Path(config["folder"]).glob("*.py"))
    scripts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    parts = [own, scripts, versions(PACKAGES), code_digest()]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def write_durably(file: Path, content: bytes) -> None:
    """Write a file whole or not at all; when this returns, it outlives a loss of power."""
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    part.replace(file)
    if os.name == "posix":
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unit(
    compute: Callable[[str], Mapping[str, Any]], made_with: tuple[str, dict[str, str]], name: str
) -> str:
    """Return a unit's result as JSON text; this runs in the worker."""
    here = (code_digest(), versions(PACKAGES))
    if here != made_with:
        other = {key: value for key, value in here[1].items() if made_with[1].get(key) != value}
        raise ExecutionError(
            "a worker must have the code and the versions of the process that began the study, "
            f"found {other or 'other sources of lift'}; install the same there"
        )
    return json.dumps(dict(compute(name)))


def _read(file: Path, made_from: str) -> dict[str, Any] | None:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    known = isinstance(stored, dict) and stored.get("made_from") == made_from
    return stored["result"] if known else None


def _check_names(names: Sequence[str]) -> None:
    strange = [name for name in names if not FILE_NAME.fullmatch(name)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if strange or twice:
        raise RunError(
            "the units of a study must have names that can be file names, each its own, found "
            f"{(strange or twice)[:SHOWN]}; rename them"
        )


def _sources(compute: Callable[..., Any]) -> list[Path]:
    """Return the file in which a function was written, where there is one."""
    while isinstance(compute, functools.partial):
        compute = compute.func
    function = inspect.unwrap(compute)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    return [file] if file is not None and file.is_file() else []


def _teller(total: int, left: int, progress: Progress | None) -> Callable[[str, int], None]:
    """Return what tells how far a study is, called once for every unit that ends."""
    begun = time.monotonic()
    ended = 0

    def tell(name: str, n_failed: int) -> None:
        nonlocal ended
        ended += 1
        seconds = (time.monotonic() - begun) / ended * (left - ended)
        failed = f", {n_failed} failed" if n_failed else ""
        text = f"{total - left + ended} of {total} units{failed}, {duration(seconds)} left"
        LOG.info("%s: %s", name, text)
        if progress is not None:
            progress((total - left + ended) / total, text)

    return tell


def duration(seconds: float) -> str:
    """Return a time as a person says it: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _told(failures: Mapping[str, Failure], total: int, folder: Path) -> str:
    lines = [
        f"every unit of a study must be computed, found {len(failures)} of {total} that failed; "
        f"the others are stored, tracebacks are in '{folder}'; mend the cause and run it again"
    ]
    shown = list(failures.items())[:SHOWN]
    lines += [f"  {name}: {failure.kind}: {failure.message}" for name, failure in shown]
    if len(failures) > SHOWN:
        lines.append(f"  and {len(failures) - SHOWN} more")
    return "\n".join(lines)
