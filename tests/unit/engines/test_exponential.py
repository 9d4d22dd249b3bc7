"""The exponential as plain arithmetic, against that of the C library."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lift._compile import compiled
from lift.engines._exponential import HIGHEST, LOWEST, exponential

ULP = np.finfo(np.float64).eps


@compiled
def fill(values: NDArray[np.float64]) -> None:
    for i in range(values.shape[0]):
        values[i] = exponential(values[i])


@pytest.mark.parametrize("size", [1e-300, 1e-9, 0.01, 0.3, 1.0, 30.0, 700.0])
def test_it_is_the_exponential_to_two_units_in_the_last_place(size: float) -> None:
    x = size * np.linspace(-1.0, 1.0, 20_001)
    found = x.copy()
    fill(found)
    np.testing.assert_allclose(found, np.exp(x), rtol=2 * ULP)


def test_halves_of_log_2_are_met_from_both_sides() -> None:
    halves = (np.arange(-900, 900) + 0.5) * np.log(2.0)
    x = np.concatenate([np.nextafter(halves, -np.inf), halves, np.nextafter(halves, np.inf)])
    found = x.copy()
    fill(found)
    np.testing.assert_allclose(found, np.exp(x), rtol=2 * ULP)


def test_what_is_beyond_the_limits_and_what_is_no_number() -> None:
    x = np.array([-np.inf, -1e300, np.nextafter(LOWEST, -np.inf), 0.0, -0.0, np.inf, 1e300, np.nan])
    found = x.copy()
    fill(found)
    np.testing.assert_array_equal(found, [0.0, 0.0, 0.0, 1.0, 1.0, np.inf, np.inf, np.nan])
    ends = np.array([LOWEST, HIGHEST])
    found = ends.copy()
    fill(found)
    np.testing.assert_allclose(found, np.exp(ends), rtol=2 * ULP)
