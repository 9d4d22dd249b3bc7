"""What a number was made with: code, packages, lock, processor and linear algebra."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lift import __version__

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parents[1]
"""The folder of the repository, where the package lies in a clone of it."""
LOCK = "requirements.lock"
GIT_SECONDS = 10


def sources_digest(files: Sequence[Path], root: Path) -> str:
    """Return the SHA-256 of the names, relative to a folder, and the contents of files."""
    total = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        total.update(f"{path.relative_to(root).as_posix()}:{len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return the SHA-256 of the Python sources of lift."""
    return sources_digest(list(PACKAGE.rglob("*.py")), PACKAGE)


@lru_cache(maxsize=1)
def git_commit() -> dict[str, Any] | None:
    """Return the commit that lift's sources are of, and whether they have been changed since.

    Returns
    -------
    dict or None
        Keys commit (hexadecimal) and changed (bool); None where the sources are in no clone of
        their own, or git does not answer.
    """
    if not (CHECKOUT / ".git").exists():
        return None
    answers = []
    for question in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", str(PACKAGE))):
        try:
            done = subprocess.run(
                ["git", "-C", str(CHECKOUT), *question],
                capture_output=True,
                text=True,
                timeout=GIT_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        answers.append(done.stdout.strip())
    return {"commit": answers[0], "changed": bool(answers[1])}


def lock_file() -> Path | None:
    """Return the lock of the packages that lift is tested with, None where it is not at hand."""
    for file in (PACKAGE / LOCK, CHECKOUT / LOCK):
        if file.is_file():
            return file
    return None


@cache
def installed(package: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of lift, Python and packages that may change a number.

    Parameters
    ----------
    packages : sequence of str
        Names of distributions.

    Returns
    -------
    dict of str to str
        ``"not installed"`` for a package that is not.
    """
    found = {"lift": __version__, "python": platform.python_version()}
    return found | {package: installed(package) or "not installed" for package in packages}


def machine() -> dict[str, Any]:
    """Return the system, the processor and the linear algebra libraries that are loaded.

    Returns
    -------
    dict
        Keys system, machine, implementation, cpu (what code is compiled for), cpus and blas; the
        last a list with library, version, architecture and threads of each, in a fixed order.
    """
    import llvmlite.binding
    import numpy  # noqa: F401  the libraries must be loaded to be found
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    libraries = [
        {
            "library": found["internal_api"],
            "version": found.get("version"),
            "architecture": found.get("architecture"),
            "threads": found["num_threads"],
        }
        for found in threadpool_info()
        if found["user_api"] == "blas"
    ]
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "implementation": sys.implementation.name,
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "cpus": os.cpu_count(),
        "blas": sorted(libraries, key=lambda library: sorted(map(str, library.items()))),
    }
