"""Compile functions with numba and keep them on disk, one folder for each state of the kernels.

Numba looks for changes only in the file of a function, not in the files of the functions that it
calls. A folder named after all kernel sources keeps a changed kernel from being answered by an old
one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit

PACKAGE = Path(__file__).parent


def kernel_digest(package: Path = PACKAGE) -> str:
    """Return a digest of every compiled module's source: the files whose names begin with ``_``."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("_[a-z]*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


FOLDER = PACKAGE / "__pycache__" / f"kernels-{kernel_digest()}"


def compiled(function: Callable[..., Any]) -> Any:
    """Return a function compiled without the interpreter lock, cached on disk.

    Where the package cannot be written to, numba chooses the folder.
    """
    return _compiled(function, fastmath=False)


def compiled_sums(function: Callable[..., Any]) -> Any:
    """Return a compiled function whose sums run several at a time, in another order.

    Their last digits depend on the processor, as those of BLAS do.
    """
    return _compiled(function, fastmath={"reassoc"})


def _compiled(function: Callable[..., Any], fastmath: bool | set[str]) -> Any:
    before = numba.config.CACHE_DIR
    if os.access(PACKAGE, os.W_OK):
        numba.config.CACHE_DIR = str(FOLDER)
    try:
        return njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(function)
    finally:
        numba.config.CACHE_DIR = before
