"""Exponentials of arrays, the same to the last bit on every machine.

Those of the C library and of NumPy differ by processor. Here they are plain arithmetic: by loops
that numba compiled and that run several at a time or, where numba is not loaded and little is to be
done, by NumPy. The operations and their order are the same, and so are the numbers. Reading a
stored run of some dozens of posts loads no compiler.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lift.exponential import plain

FloatArray = NDArray[np.float64]

WORTH_LOADING = 40_000_000
"""Numbers that take NumPy longer than it takes to load numba."""


def exponential(values: FloatArray) -> None:
    """Replace numbers by their exponentials, to two units in the last place.

    Parameters
    ----------
    values : ndarray
        Contiguous. Below ``plain.LOWEST`` the result is 0, above ``plain.HIGHEST`` infinite; NaN
        stays NaN.

    Raises
    ------
    ValueError
        If the array is not contiguous.
    """
    _loops().fill(_flat(values))


def exponential_less_one(values: FloatArray) -> None:
    """Replace numbers by their exponentials less one, with all digits of small ones.

    Parameters
    ----------
    values : ndarray
        Contiguous; limits and NaN as for :func:`exponential`.

    Raises
    ------
    ValueError
        If the array is not contiguous.
    """
    _loops().fill_less_one(_flat(values))


def expect(n: int) -> None:
    """Load the compiled loops if so many numbers are to come that it pays.

    Parameters
    ----------
    n : int
        Exponentials that will be computed.
    """
    if n >= WORTH_LOADING:
        import lift.exponential._compiled  # noqa: F401


def _loops() -> Any:
    """Return the module whose loops are used: both give the same bits."""
    if "numba" not in sys.modules:
        return plain
    from lift.exponential import _compiled

    return _compiled


def _flat(values: FloatArray) -> FloatArray:
    if not values.flags.c_contiguous:
        raise ValueError(f"values must be contiguous, found strides {values.strides}")
    return values.reshape(-1)
