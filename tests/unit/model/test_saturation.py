"""The curves of saturation."""

from __future__ import annotations

import numpy as np
import pytest

from lift.model.saturation import Saturation

CURVES = ("exponential", "hill")
EXPOSURE = np.linspace(-6.0, 6.0, 241)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("limit", [0.3, 1.0, 4.0])
def test_a_curve_is_odd_rises_and_flattens_to_its_limit(curve: str, limit: float) -> None:
    saturation = Saturation(curve, np.array(limit))
    together = saturation.together(EXPOSURE)
    np.testing.assert_allclose(together, -together[::-1], atol=1e-15)
    steps = np.diff(together)
    assert (steps > 0.0).all()
    assert (np.diff(steps[120:]) < 0.0).all()
    assert np.abs(together).max() < limit
    far = saturation.together(np.array([1e6 * limit, -1e6 * limit]))
    np.testing.assert_allclose(far, [limit, -limit], rtol=1e-5)
    small = 1e-9 * limit * np.array([-1.0, 0.0, 1.0])
    np.testing.assert_allclose(saturation.together(small), small, rtol=1e-8)


def test_the_formulas_are_those_written_down() -> None:
    x, c = np.array([-2.0, 0.5, 3.0]), 1.5
    exponential = Saturation("exponential", np.array(c)).together(x)
    np.testing.assert_allclose(exponential, np.sign(x) * c * (1.0 - np.exp(-np.abs(x) / c)))
    hill = Saturation("hill", np.array(c))
    np.testing.assert_allclose(hill.together(x), x * c / (c + np.abs(x)))
    assert hill.together(np.array(c)) == pytest.approx(c / 2.0)
    np.testing.assert_allclose(
        hill.gained(x, np.array(0.7)), hill.together(x + 0.7) - hill.together(np.array(0.7))
    )


def test_a_limit_per_draw_is_that_of_its_days() -> None:
    saturation = Saturation("hill", np.array([0.5, 2.0]))
    x = np.array([[1.0, 2.0, -1.0], [1.0, 2.0, -1.0]])
    together = saturation.by_day().together(x)
    for row, limit in enumerate((0.5, 2.0)):
        expected = Saturation("hill", np.array(limit)).together(x[row])
        np.testing.assert_array_equal(together[row], expected)
