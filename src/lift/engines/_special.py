"""Special functions for compiled code, taken from SciPy by their addresses.

The last argument of each is not used: give 0.
"""

from __future__ import annotations

import llvmlite.binding
from numba import types
from numba.extending import get_cython_function_address


def _external(name: str) -> types.ExternalFunction:
    symbol = f"lift_{name.rpartition('fuse_0')[2]}"
    address = get_cython_function_address("scipy.special.cython_special", name)
    llvmlite.binding.add_symbol(symbol, address)
    n_numbers = 3 if "beta" in name else 2
    return types.ExternalFunction(symbol, types.double(*[types.double] * n_numbers, types.int32))


betaincinv = _external("__pyx_fuse_0betaincinv")
gammaincc = _external("gammaincc")
gammainccinv = _external("gammainccinv")
