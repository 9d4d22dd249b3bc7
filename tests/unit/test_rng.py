from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lift.rng import _sequence, recorded, stream


def test_the_same_seed_and_name_give_the_same_numbers() -> None:
    first = stream(3, "post", "p1").random(5)
    stream(3, "other").random(7)
    assert np.array_equal(first, stream(3, "post", "p1").random(5))


@pytest.mark.parametrize(
    ("seed", "names"),
    [
        pytest.param(4, ("post", "p1"), id="seed"),
        pytest.param(3, ("post", "p2"), id="name"),
        pytest.param(3, ("p1", "post"), id="order"),
        pytest.param(3, ("postp1",), id="joined"),
        pytest.param(3, ("pos", "tp1"), id="split-elsewhere"),
        pytest.param(3, ("post", "p1", ""), id="one-more"),
        pytest.param(3, (), id="none"),
    ],
)
def test_another_seed_or_name_gives_other_numbers(seed: int, names: tuple[str, ...]) -> None:
    assert not np.array_equal(stream(3, "post", "p1").random(5), stream(seed, *names).random(5))


def test_streams_of_different_names_are_uncorrelated() -> None:
    n = 4000
    draws = np.array([stream(1, "chain", str(k)).normal(size=n) for k in range(20)])
    correlations = np.corrcoef(draws)[np.triu_indices(20, 1)]
    # 190 correlations with sd 1/sqrt(n): none beyond 5 sd
    assert np.abs(correlations).max() < 5 / np.sqrt(n)
    assert correlations.std() == pytest.approx(1 / np.sqrt(n), rel=0.25)


def test_a_large_seed_is_not_cut() -> None:
    assert not np.array_equal(stream(2**64, "a").random(3), stream(0, "a").random(3))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or larger, found -1"):
        stream(-1, "a")


def test_another_process_gives_the_same_numbers() -> None:
    code = "from lift.rng import recorded, stream; print(stream(7, 'a', 'ü').random(3).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(stream(7, "a", "ü").random(3).tolist())


def test_the_streams_that_are_opened_inside_are_recorded() -> None:
    stream(1, "before")
    with recorded() as outer:
        stream(1, "post", "p1")
        with recorded() as inner:
            stream(2, "inner")
        stream(1, "post", "p1")
        stream(1, "post", "p2")
    stream(1, "after")
    assert outer == {"post/p1", "post/p2"}
    assert inner == {"inner"}


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32, 2**96 + 5, 2**128 - 1, 2**200 + 1])
@pytest.mark.parametrize("key", [bytes(range(32)), b"\1" + bytes(31), bytes(31) + b"\1"])
def test_a_stream_is_that_of_numpys_seed_sequence(seed: int, key: bytes) -> None:
    spawned = np.random.SeedSequence(seed, spawn_key=(int.from_bytes(key, "little"),))
    assert np.array_equal(_sequence(seed, key).generate_state(8), spawned.generate_state(8))
