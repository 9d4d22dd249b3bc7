"""The manifest of a run: what went in, how it was computed, what came out, as one JSON file."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import numpy as np

from lift import __version__, provenance
from lift.provenance import installed

FORMAT = "lift-run/1"
"""The layout of a run directory; a directory with another one is not read."""

FILE = "manifest.json"

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "numba",
    "llvmlite",
    "arviz",
    "holidays",
    "pymc",
    "pytensor",
    "nutpie",
    "statsmodels",
    "causalimpact",
    "matplotlib",
    "pyarrow",
    "h5netcdf",
    "h5py",
)
"""Packages whose versions may change a number or a figure."""

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


def build(
    *,
    name: str,
    market: str,
    inputs: Mapping[str, str],
    spec_toml: str,
    seed: int,
    draws: int,
    chains: int,
    engine: str,
    asked: str | None = None,
    settings: Mapping[str, object] | None = None,
    streams: Collection[str] = (),
    diagnostics: Mapping[str, object] | None = None,
    seconds: Mapping[str, float] | None = None,
    notices: Sequence[str] = (),
    source: str | None = None,
    command: str | None = None,
    simulated: bool = False,
    created: datetime | None = None,
) -> dict[str, Json]:
    """Return the manifest of a run, but for the digests of its outputs.

    Parameters
    ----------
    name, market : str
        The campaign and the market that was analysed.
    inputs : mapping of str to str
        SHA-256 of every input table (``Campaign.digests``).
    spec_toml : str
        The model specification as TOML; its digest is kept beside it.
    seed, draws, chains : int
        What was asked of the engine.
    engine : str
        The one that made the draws.
    asked : str, optional
        The one that was asked for, such as ``"auto"``; default: the same.
    settings, diagnostics : mapping, optional
        The engine's own settings, and what it found out about its draws.
    streams : collection of str
        Names of the random streams of the seed that were drawn from.
    seconds : mapping of stage to float, optional
        Wall time by stage.
    notices : sequence of str
        What was allowed in the input but is worth saying.
    source : str, optional
        Where the campaign was read (``Campaign.source``).
    command : str, optional
        The command line that makes the run again.
    simulated : bool
        The data were simulated.
    created : datetime, optional
        Default: now.

    Returns
    -------
    dict
        Plain JSON values, keys in a fixed order.
    """
    lock = provenance.lock_file()
    moment = (created or datetime.now(UTC)).astimezone(UTC)
    return {
        "format": FORMAT,
        "lift": __version__,
        "created": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "campaign": name,
        "market": market,
        "source": source,
        "simulated": simulated,
        "command": command,
        "seed": seed,
        "streams": list(sorted(streams)),
        "draws": draws,
        "chains": chains,
        "engine": {
            "name": engine,
            "asked": asked or engine,
            "settings": plain(settings or {}),
            "diagnostics": plain(diagnostics or {}),
        },
        "inputs": {key: inputs[key] for key in sorted(inputs)},
        "spec": {"sha256": digest(spec_toml.encode()), "toml": spec_toml},
        "notices": list(notices),
        "seconds": plain({stage: round(s, 3) for stage, s in (seconds or {}).items()}),
        "code": {"sha256": provenance.code_digest(), "git": provenance.git_commit()},
        "lock": None if lock is None else {"file": lock.name, "sha256": digest_file(lock)},
        "versions": {
            "python": platform.python_version(),
            **{package: installed(package) for package in PACKAGES},
        },
        "platform": plain(provenance.machine()),
        "outputs": {},
    }


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_digests(folder: Path) -> dict[str, Json]:
    """Return the SHA-256 of every file in a run directory but the manifest, by relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: digest_file(path) for name, path in names.items() if name != FILE}


def text(manifest: Mapping[str, object]) -> str:
    """Return a manifest as JSON text: keys in their own order, not-a-number as null."""
    return json.dumps(plain(manifest), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: object) -> Json:
    """Return a value as JSON knows it: numpy scalars and arrays, paths and dates become plain.

    A float that is not finite becomes None. Anything else is written as text.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    return str(value)
