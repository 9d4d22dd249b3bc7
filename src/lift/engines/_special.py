"""Special functions for compiled code, taken from SciPy by their addresses.

The third argument of each is not used: give 0.
"""

from __future__ import annotations

import llvmlite.binding
from numba import types
from numba.extending import get_cython_function_address


def _external(name: str) -> types.ExternalFunction:
    symbol = f"lift_{name}"
    address = get_cython_function_address("scipy.special.cython_special", name)
    llvmlite.binding.add_symbol(symbol, address)
    return types.ExternalFunction(symbol, types.double(types.double, types.double, types.int32))


gammaincc = _external("gammaincc")
gammainccinv = _external("gammainccinv")
