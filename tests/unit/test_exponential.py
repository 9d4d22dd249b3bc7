"""The exponential as plain arithmetic, compiled and by NumPy, against that of the C library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lift.exponential import _compiled, exponential, exponential_less_one, plain
from lift.exponential.plain import AT_A_TIME, HIGHEST, LOWEST

FloatArray = NDArray[np.float64]

ULP = np.finfo(np.float64).eps
SIZES = [1e-300, 1e-9, 0.01, 0.3, 1.0, 30.0, 700.0]


def filled(fill: Callable[[FloatArray], None], x: FloatArray) -> FloatArray:
    out = x.copy()
    fill(out)
    return out


def around_halves_of_log_2() -> FloatArray:
    halves = (np.arange(-900, 900) + 0.5) * np.log(2.0)
    return np.concatenate([np.nextafter(halves, -np.inf), halves, np.nextafter(halves, np.inf)])


@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_exponential_to_two_units_in_the_last_place(size: float) -> None:
    x = size * np.linspace(-1.0, 1.0, 20_001)
    np.testing.assert_allclose(filled(exponential, x), np.exp(x), rtol=2 * ULP)
    np.testing.assert_allclose(filled(exponential_less_one, x), np.expm1(x), rtol=2 * ULP)


def test_halves_of_log_2_are_met_from_both_sides() -> None:
    x = around_halves_of_log_2()
    np.testing.assert_allclose(filled(exponential, x), np.exp(x), rtol=2 * ULP)


def test_what_is_beyond_the_limits_and_what_is_no_number() -> None:
    x = np.array([-np.inf, -1e300, np.nextafter(LOWEST, -np.inf), 0.0, -0.0, np.inf, 1e300, np.nan])
    expected = [0.0, 0.0, 0.0, 1.0, 1.0, np.inf, np.inf, np.nan]
    np.testing.assert_array_equal(filled(exponential, x), expected)
    less_one = [-1.0, -1.0, -1.0, 0.0, 0.0, np.inf, np.inf, np.nan]
    np.testing.assert_array_equal(filled(exponential_less_one, x), less_one)
    ends = np.array([LOWEST, HIGHEST])
    np.testing.assert_allclose(filled(exponential, ends), np.exp(ends), rtol=2 * ULP)


@pytest.mark.parametrize("name", ["fill", "fill_less_one"])
def test_compiled_loops_and_numpy_give_the_same_bits(name: str) -> None:
    beyond = np.array([-np.inf, -1e300, LOWEST, HIGHEST, 0.0, -0.0, np.inf, 1e300, np.nan])
    spread = [size * np.linspace(-1.0, 1.0, 20_001) for size in [*SIZES, 720.0]]
    x = np.concatenate([beyond, around_halves_of_log_2(), *spread])
    compiled = filled(getattr(_compiled, name), x)
    np.testing.assert_array_equal(filled(getattr(plain, name), x), compiled)


def test_numbers_that_are_not_contiguous_are_refused_not_left_as_they_were() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        exponential(np.zeros((3, 4))[:, :2])


def test_without_numba_it_is_numpy_in_parts_and_the_same() -> None:
    x = np.linspace(-30.0, 3.0, 2 * AT_A_TIME + 5)
    code = (
        "import sys, numpy as np; from lift.exponential import exponential; "
        f"x = np.linspace(-30.0, 3.0, {len(x)}); exponential(x); "
        "assert 'numba' not in sys.modules; sys.stdout.write(x.tobytes().hex())"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert alone.stdout == filled(exponential, x).tobytes().hex()


def test_the_compiler_is_loaded_where_much_is_to_come_and_only_there() -> None:
    code = (
        "import sys; from lift.exponential import WORTH_LOADING, expect; "
        "expect(WORTH_LOADING - 1); few = 'numba' in sys.modules; "
        "expect(WORTH_LOADING); print(few, 'numba' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "True"]
