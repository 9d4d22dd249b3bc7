"""One parallel map: results in the order of the items, one thread of linear algebra per task.

An executor is named by a text: ``local:N`` is N processes of this machine (``local:1`` is this
process), ``dask://host:port`` is the scheduler of a Dask cluster.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import pickle
import re
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from lift.errors import ExecutionError

SERIAL = "local:1"
LOCAL = re.compile(r"local:([1-9]\d{0,3})")
DASK = re.compile(r"dask://([^/\s:]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")
LONE_ATTEMPTS = 3
"""Times that a task which was lost with its worker is given a worker of its own."""
CONNECT_SECONDS = 10
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Failure:
    """Why a task has no result.

    Attributes
    ----------
    kind : str
        Name of the error's class.
    message : str
    trace : str
        The traceback where the task ran; empty where its worker died.
    pickled : bytes or None
        The error itself, where it can cross the border of a process.
    """

    kind: str
    message: str
    trace: str = ""
    pickled: bytes | None = None

    @staticmethod
    def of(error: BaseException) -> Failure:
        """Return the failure that an error is."""
        trace = "".join(traceback.format_exception(error))
        try:
            pickled = pickle.dumps(error)
            pickle.loads(pickled)
        except Exception:  # noqa: BLE001  any error in the pickling of a stranger's class
            pickled = None
        return Failure(type(error).__name__, str(error), trace, pickled)

    def error(self) -> Exception:
        """Return the error, or one that says the same where it cannot be had."""
        if self.pickled is not None:
            return cast("Exception", pickle.loads(self.pickled))
        return ExecutionError(f"{self.kind}: {self.message}")


def ordered_map[Item, Result](
    function: Callable[[Item], Result], items: Sequence[Item], executor: str = SERIAL
) -> list[Result]:
    """Return the result of a function for every item, in the order of the items.

    Parameters
    ----------
    function : callable
        Of one item. It may be a lambda or come from a script: what cannot be imported by name is
        sent by value.
    items : sequence
    executor : str
        ``local:N`` or ``dask://host:port``; the results do not depend on it.

    Returns
    -------
    list

    Raises
    ------
    ExecutionError
        If there is no such executor, or a task ended its worker whenever it ran.
    Exception
        The error of the first item, in their order, whose task failed; all others have run.
    """
    found = dict(completed(function, items, executor))
    for index in range(len(items)):
        if isinstance(found[index], Failure):
            raise found[index].error()
    return [found[index] for index in range(len(items))]


def completed[Item](
    function: Callable[[Item], Any], items: Sequence[Item], executor: str = SERIAL
) -> Iterator[tuple[int, Any]]:
    """Yield the position of each item and its result, as they come.

    A worker that dies is replaced, and what it worked on runs again. When the iteration is given
    up, the workers end.

    Parameters
    ----------
    function, items, executor
        As for :func:`ordered_map`.

    Yields
    ------
    int
        Position of the item.
    object
        What the function returned, or a :class:`Failure`.

    Raises
    ------
    ExecutionError
        If there is no such executor.
    """
    local, dask = LOCAL.fullmatch(executor), DASK.fullmatch(executor)
    if local is None and dask is None:
        raise ExecutionError(
            f"the executor must be local:N (N processes) or dask://host:port, found {executor!r}"
        )
    if executor == SERIAL:
        return _here(function, items)
    import cloudpickle

    payload = cloudpickle.dumps(function)
    if local is not None:
        return _on_processes(payload, items, min(int(local[1]), max(1, len(items))))
    return _on_dask(payload, items, executor)


def _here[Item](
    function: Callable[[Item], Any], items: Sequence[Item]
) -> Iterator[tuple[int, Any]]:
    from threadpoolctl import threadpool_limits

    for index, item in enumerate(items):
        _load_linear_algebra()
        try:
            with threadpool_limits(1, user_api="blas"):
                result = function(item)
        except Exception as error:  # noqa: BLE001  told by the failure
            result = Failure.of(error)
        yield index, result


def _on_processes[Item](
    payload: bytes, items: Sequence[Item], workers: int
) -> Iterator[tuple[int, Any]]:
    waiting, lost = deque(range(len(items))), deque[int]()
    deaths = Counter[int]()
    while waiting or lost:
        # What was lost with a worker runs alone: so it is known which task ends its worker.
        queue, size = (lost, 1) if lost else (waiting, workers)
        alone = queue is lost
        broken = False
        running: dict[Future[Any], int] = {}
        with _processes(size) as pool:
            while (queue or running) and not broken:
                try:
                    while queue and len(running) < size:
                        running[pool.submit(_run, payload, items[queue[0]])] = queue[0]
                        queue.popleft()
                except BrokenProcessPool:
                    broken = True
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    try:
                        result = _opened(future.result())
                    except BrokenProcessPool:
                        broken = True
                        continue
                    yield running.pop(future), result
        for index in sorted(running.values(), reverse=True):
            deaths[index] += alone
            if deaths[index] < LONE_ATTEMPTS:
                lost.appendleft(index)
            else:
                yield index, _death()


def _death() -> Failure:
    return Failure(
        "WorkerDied",
        f"its process ended without a word, {LONE_ATTEMPTS} times out of {LONE_ATTEMPTS}: it may "
        'lack memory, or the script that began the study has no `if __name__ == "__main__"`',
    )


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    """Give processes that end with this one, at once where the work is given up."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(reader,))
    try:
        yield pool
    except BaseException:
        writer.close()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        writer.close()
        reader.close()


def _begin(stop: multiprocessing.connection.Connection[Any, Any]) -> None:
    """Prepare a worker: an interrupt is for its parent, and it does not outlive that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    threading.Thread(target=_end_with, args=(stop,), daemon=True).start()


def _end_with(stop: multiprocessing.connection.Connection[Any, Any]) -> None:
    """End this process when the other end of a pipe is closed, be it by the end of its owner."""
    multiprocessing.connection.wait([stop])
    os._exit(1)


def _on_dask[Item](
    payload: bytes, items: Sequence[Item], address: str
) -> Iterator[tuple[int, Any]]:
    with _cluster(address) as pool:
        futures = {pool.submit(_run, payload, item): i for i, item in enumerate(items)}
        for future in as_completed(futures):
            try:
                result = _opened(future.result())
            except (Exception, CancelledError) as error:  # noqa: BLE001  told by the failure
                result = Failure.of(error)
            yield futures[future], result


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError:
        raise ExecutionError(
            f"{address} needs the packages dask and distributed; install lift with its extra dask"
        ) from None
    try:
        client = Client(
            address.replace("dask://", "tcp://"), timeout=CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise ExecutionError(
            f"a Dask scheduler must answer at {address}, found none: {error}; start one with "
            "`dask scheduler`, and workers with `dask worker`"
        ) from error
    with client:
        pool: Executor = client.get_executor(pure=False)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False)


def _run(payload: bytes, item: Any) -> bytes | Failure:
    """Return the pickled result of one task, or its failure; this is what a worker runs."""
    import cloudpickle
    from threadpoolctl import threadpool_limits

    _load_linear_algebra()
    # Not taken back: another task may be at work in this process.
    threadpool_limits(1, user_api="blas")
    try:
        result: bytes = cloudpickle.dumps(_function(payload)(item))
    except Exception as error:  # noqa: BLE001  told by the failure
        return Failure.of(error)
    return result


@lru_cache(maxsize=4)
def _function(payload: bytes) -> Callable[[Any], Any]:
    return cast("Callable[[Any], Any]", pickle.loads(payload))


def _opened(result: bytes | Failure) -> Any:
    return result if isinstance(result, Failure) else pickle.loads(result)


@lru_cache(maxsize=1)
def _load_linear_algebra() -> None:
    """Load the libraries whose threads are to be limited; one that is not loaded cannot be."""
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401
