"""Exponentials by NumPy, operation by operation what :mod:`lift.exponential._compiled` does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.693147180369123816490
LN2_LOW = 1.90821492927058770002e-10
"""The logarithm of 2 in two parts: a whole number times the first is exact."""
LOWEST, HIGHEST = -708.0, 709.0
"""Where results stay normal numbers."""
AT_A_TIME = 8192
"""Numbers whose intermediate results stay in a processor's caches."""


def fill(values: FloatArray) -> None:
    """Replace numbers (n,) by their exponentials."""
    for x in _parts_of(values):
        power, rest = _reduced(x)
        below, above = x < LOWEST, x > HIGHEST
        np.multiply(power, rest, out=rest)
        np.add(power, rest, out=x)
        x[below] = 0.0
        x[above] = np.inf


def fill_less_one(values: FloatArray) -> None:
    """Replace numbers (n,) by their exponentials less one."""
    for x in _parts_of(values):
        power, rest = _reduced(x)
        above = x > HIGHEST
        np.multiply(power, rest, out=rest)
        power -= 1.0
        np.add(power, rest, out=x)
        x[above] = np.inf


def _parts_of(values: FloatArray) -> Iterator[FloatArray]:
    for begin in range(0, len(values), AT_A_TIME):
        yield values[begin : begin + AT_A_TIME]


def _reduced(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``2^k`` and ``exp(r) - 1``, ``x = k log(2) + r``; of the nearest x within limits."""
    r = np.clip(x, LOWEST, HIGHEST)
    whole = np.floor(r * LOG2_E + 0.5)
    r -= whole * LN2_HIGH
    r -= whole * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    high = _four(r, r2, 1 / 40320, 1 / 362880, 1 / 3628800, 1 / 39916800)
    last = r * (1 / 6227020800)
    last += 1 / 479001600
    last *= r4
    high += last
    high *= r4
    high += _four(r, r2, 1 / 24, 1 / 120, 1 / 720, 1 / 5040)
    high *= r4
    rest = r * (1 / 6)
    rest += 1 / 2
    rest *= r2
    rest += high
    rest += r
    with np.errstate(invalid="ignore"):  # of NaN, whose rest is NaN whatever its power
        exponent = whole.astype(np.int64)
    exponent += 1023
    exponent <<= 52
    return exponent.view(np.float64), rest


def _four(
    r: FloatArray, r2: FloatArray, one: float, two: float, three: float, four: float
) -> FloatArray:
    """Return ``(one + r two) + r^2 (three + r four)``."""
    out = r * two
    out += one
    later = r * four
    later += three
    later *= r2
    out += later
    return out
