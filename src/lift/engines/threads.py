"""Threads: one for each linear solve, all of them for points that do not depend on each other.

More than one for a solve are slower at these sizes and change the last digits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import scipy.linalg  # noqa: F401  its BLAS must be loaded before the libraries are looked up
from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    """Return the BLAS libraries of NumPy and SciPy; looking them up takes milliseconds."""
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which NumPy's and SciPy's linear algebra uses one thread."""
    limits: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limits


def mapped(workers: int) -> Callable[..., Iterator[Any]]:
    """Return a ``map`` whose calls begin at once, on threads that stay.

    Parameters
    ----------
    workers : int
        For one the built-in ``map``, whose calls begin as their results are taken.

    Returns
    -------
    callable
        ``map(function, items)``: results in the order of the items. A function must not wait for
        another that is mapped.
    """
    return map if workers == 1 else _pool(workers).map


def share_out(run: Callable[[slice], object], n: int, each: int, *, worth: bool = True) -> None:
    """Call ``run`` for parts of ``n`` rows, on all processors.

    Parameters
    ----------
    run : callable
        Works on the rows of a slice, without the interpreter lock; it must write to these alone.
    n : int
    each : int
        Rows in a part; what ``run`` does with a row must not depend on it.
    worth : bool
        Whether there is enough to do for threads to pay.
    """
    parts = [slice(begin, min(begin + each, n)) for begin in range(0, n, each)]
    threads = min(os.cpu_count() or 1, len(parts)) if worth else 1
    if threads < 2:
        run(slice(0, n))
    else:
        waiting = iter(parts)

        def work() -> None:
            for part in waiting:
                run(part)

        # this thread works too, and does not wait for one that has not begun when all is done
        helpers = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for helper in helpers:
            if not helper.cancel():
                helper.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return threads that stay: those of a short fit would be started several times."""
    return ThreadPoolExecutor(threads)


if hasattr(os, "register_at_fork"):
    # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
