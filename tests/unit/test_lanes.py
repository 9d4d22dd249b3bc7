"""Eight numbers at once against NumPy, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from lift._compile import compiled
from lift._lanes import LANES, every, load, put_from, room_for, run_from, square_root, store


@compiled
def arithmetic(a, b, out):  # type: ignore[no-untyped-def]
    for place in range(a.shape[0]):
        x, y = load(a, place), load(b, place)
        store(out, 5 * place, x + y)
        store(out, 5 * place + 1, x - y)
        store(out, 5 * place + 2, x * y)
        store(out, 5 * place + 3, x / y)
        store(out, 5 * place + 4, -square_root(x))


@compiled
def moved(a, first, to, out):  # type: ignore[no-untyped-def]
    put_from(out, to, run_from(a, first) + every(0.5))


@compiled
def aligned(n):  # type: ignore[no-untyped-def]
    return room_for(n)


def test_lanes_calculate_as_numpy_does() -> None:
    rng = np.random.default_rng(1)
    a, b = np.exp(20.0 * rng.standard_normal((2, 50, LANES)))
    a[0, :4] = 0.0, np.inf, np.nan, 5e-324
    b[1, :3] = 0.0, np.inf, np.nan
    out = np.empty((50, 5, LANES))
    arithmetic(a, b, out)
    with np.errstate(all="ignore"):
        wanted = np.stack([a + b, a - b, a * b, a / b, -np.sqrt(a)], axis=1)
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize(("first", "to"), [(0, 0), (3, 1), (12, 9)])
def test_a_run_of_eight_goes_where_it_is_put(first: int, to: int) -> None:
    a, out = np.arange(20.0), np.zeros(20)
    moved(a, first, to, out)
    wanted = np.zeros(20)
    wanted[to : to + LANES] = a[first : first + LANES] + 0.5
    np.testing.assert_array_equal(out, wanted)


def test_room_is_zero_and_within_the_lines_of_the_cache() -> None:
    for n in (1, 2, 7, 100):
        room = aligned(n)
        assert room.shape == (n, LANES)
        assert not room.any()
        assert room.ctypes.data % 64 == 0
