"""BLAS and LAPACK calls for compiled code, taken from the libraries that SciPy ships.

The addresses are registered as symbols, so that compiled functions that use them can be cached on
disk.
"""

from __future__ import annotations

import llvmlite.binding
from numba import types
from numba.extending import get_cython_function_address

_SOURCES = {
    "dgemv": "scipy.linalg.cython_blas",
    "dsyrk": "scipy.linalg.cython_blas",
    "dtrsm": "scipy.linalg.cython_blas",
    "dtrsv": "scipy.linalg.cython_blas",
    "dpotrf": "scipy.linalg.cython_lapack",
}
_N_ARGUMENTS = {"dgemv": 11, "dsyrk": 10, "dtrsm": 11, "dtrsv": 8, "dpotrf": 5}


def _external(name: str) -> types.ExternalFunction:
    symbol = f"lift_{name}"
    llvmlite.binding.add_symbol(symbol, get_cython_function_address(_SOURCES[name], name))
    return types.ExternalFunction(symbol, types.void(*[types.voidptr] * _N_ARGUMENTS[name]))


dgemv = _external("dgemv")
dsyrk = _external("dsyrk")
dtrsm = _external("dtrsm")
dtrsv = _external("dtrsv")
dpotrf = _external("dpotrf")
