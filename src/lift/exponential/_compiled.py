"""Compiled exponentials, as plain arithmetic that loops run several at a time.

A call of the C library's ``exp`` keeps a loop from being vectorised.
"""

# Types come from numba, from what the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from lift._compile import compiled
from lift.exponential.plain import HIGHEST, LN2_HIGH, LN2_LOW, LOG2_E, LOWEST


@intrinsic
def _power_of_two(typingctx, exponent):  # noqa: ARG001
    """Return 2 to a whole power (int64) from -1022 to 1023: the bits of a float put together."""

    def build(context, builder, signature, arguments):  # noqa: ARG001
        (value,) = arguments
        biased = builder.add(value, ir.Constant(value.type, 1023))
        bits = builder.shl(biased, ir.Constant(value.type, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return numba.float64(numba.int64), build


@compiled
def exponential(x):
    """Return ``exp(x)`` to two units in the last place; 0 below ``LOWEST``, inf above ``HIGHEST``.

    ``2^k exp(r)`` with ``|r| <= log(2) / 2``, and the Taylor series of ``exp(r)`` up to ``r^13``,
    whose rest is below 5e-18. NaN stays NaN.
    """
    power, rest = _reduced(x)
    value = power + power * rest
    value = 0.0 if x < LOWEST else value
    return np.inf if x > HIGHEST else value


@compiled
def exponential_less_one(x):
    """Return ``exp(x) - 1`` as :func:`exponential` is computed, with all digits of small ones."""
    power, rest = _reduced(x)
    value = (power - 1.0) + power * rest
    return np.inf if x > HIGHEST else value


@compiled
def _reduced(x):
    """Return ``2^k`` and ``exp(r) - 1``, ``x = k log(2) + r``; of the nearest x within limits."""
    # comparisons that are false for NaN, which stays what it is
    inside = LOWEST if x < LOWEST else x
    inside = HIGHEST if inside > HIGHEST else inside
    whole = np.floor(inside * LOG2_E + 0.5)
    r = (inside - whole * LN2_HIGH) - whole * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    high = (1 / 40320 + r * (1 / 362880)) + r2 * (1 / 3628800 + r * (1 / 39916800))
    high += r4 * (1 / 479001600 + r * (1 / 6227020800))
    middle = (1 / 24 + r * (1 / 120)) + r2 * (1 / 720 + r * (1 / 5040))
    rest = r + (r2 * (1 / 2 + r * (1 / 6)) + r4 * (middle + r4 * high))
    return _power_of_two(np.int64(np.int32(whole))), rest


@compiled
def fill(values):
    """Replace numbers (n,) by their exponentials."""
    for i in range(values.shape[0]):
        values[i] = exponential(values[i])


@compiled
def fill_less_one(values):
    """Replace numbers (n,) by their exponentials less one."""
    for i in range(values.shape[0]):
        values[i] = exponential_less_one(values[i])
