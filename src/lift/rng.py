"""Named random streams of one root seed: order and workers never matter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

POOL_WORDS = 4
"""Words of 32 bits that a root seed is filled up to before a spawn key follows."""

_OPENED: ContextVar[set[str] | None] = ContextVar("opened", default=None)


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random generator that belongs to a name under a root seed.

    The same seed and names give the same generator in any process and in any order of calls;
    different names give statistically independent generators.

    Parameters
    ----------
    seed : int
        The root seed of the run, 0 or larger.
    *names : str
        The path of the stream, such as ``"post", "p07", "placebo"``.

    Returns
    -------
    numpy.random.Generator
        A PCG64DXSM generator.

    Raises
    ------
    ValueError
        If the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"the root seed must be 0 or larger, found {seed}")
    opened = _OPENED.get()
    if opened is not None:
        opened.add("/".join(names))
    key = hashlib.sha256("\x1f".join(names).encode()).digest()
    return np.random.Generator(np.random.PCG64DXSM(_sequence(int(seed), key)))


def _sequence(seed: int, key: bytes) -> np.random.SeedSequence:
    """Return the seed sequence of a root seed whose spawn key is a number, lowest byte first.

    What ``SeedSequence(seed, spawn_key=(key,))`` puts together word by word.
    """
    n_words = max(POOL_WORDS, -(-seed.bit_length() // 32))
    while key[-4:] == bytes(4):  # a number has no leading zeros
        key = key[:-4]
    words = np.frombuffer(seed.to_bytes(4 * n_words, "little") + key, dtype="<u4")
    return np.random.SeedSequence(words.astype(np.uint32))


@contextmanager
def recorded() -> Iterator[set[str]]:
    """Collect the names of the streams that are opened inside, by the thread that calls this.

    Yields
    ------
    set of str
        The names of each stream, joined by slashes; it grows while the context lasts.
    """
    opened: set[str] = set()
    token = _OPENED.set(opened)
    try:
        yield opened
    finally:
        _OPENED.reset(token)
