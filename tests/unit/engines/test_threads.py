"""Work shared out to threads: every row once, errors come out, and a forked process has its own."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from lift.engines import threads
from lift.engines.threads import share_out

N = 37


@pytest.mark.parametrize("processors", [1, 2, 3])
def test_every_row_is_worked_on_once(processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.os, "cpu_count", lambda: processors)
    for each in (1, 5, N, 2 * N):
        done = np.zeros(N, dtype=np.int64)

        def run(part: slice, done: np.ndarray = done) -> None:
            time.sleep(1e-4)
            done[part] += 1

        share_out(run, N, each)
        assert (done == 1).all()


def test_what_is_not_worth_it_is_done_in_one_piece() -> None:
    seen: list[slice] = []
    share_out(seen.append, N, 5, worth=False)
    assert seen == [slice(0, N)]


@pytest.mark.parametrize("row", [0, N - 1])
def test_an_error_in_any_part_comes_out(row: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 2)

    def run(part: slice) -> None:
        time.sleep(1e-3)
        if part.start <= row < part.stop:
            raise ValueError(f"row {row}")

    with pytest.raises(ValueError, match=f"row {row}"):
        share_out(run, N, 5)


def test_a_forked_process_has_threads_of_its_own() -> None:
    script = (
        "import os, threading, time\n"
        "from lift.engines import threads\n"
        "threads.os.cpu_count = lambda: 2\n"
        "def at_work():\n"
        "    seen = set()\n"
        "    def run(part):\n"
        "        seen.add(threading.get_ident())\n"
        "        time.sleep(0.05)\n"
        "    threads.share_out(run, 8, 1)\n"
        "    return len(seen)\n"
        "assert at_work() == 2\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(at_work())\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "2"
