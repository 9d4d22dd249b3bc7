"""Eight numbers at once in compiled functions: one for each of eight points.

A compiler that may not assume that arrays lie apart does not turn short loops into the processor's
vector instructions. Here they are written as such: ``Lanes`` hold eight numbers and take ``+``,
``-``, ``*``, ``/`` and unary ``-`` number by number, and arrays whose last axis is the point are
read and written eight numbers at a time. Processors with shorter vectors take several instructions
for each; the results are the same bits.
"""

# Types come from numba, from what the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-subclassing-any

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from lift._compile import compiled

LANES = 8
"""Numbers in each ``Lanes``."""

LINE = 64
"""Bytes of a line of the processor's cache."""

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INDEX = ir.IntType(64)
_OPERATORS = {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
    operator.neg: "fneg",
}


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Lanes")


_LANES = _LanesType()


@register_model(_LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, fe_type: types.Type) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def _by_lane(symbol: Any, instruction: str) -> None:
    """Let compiled functions apply an operator to ``Lanes``."""
    n_arguments = 1 if symbol is operator.neg else 2

    @infer_global(symbol)
    class _Typed(AbstractTemplate):
        def generic(self, args, kws):
            if tuple(args) == (_LANES,) * n_arguments and not kws:
                return signature(_LANES, *args)
            return None

    @lower_builtin(symbol, *(_LanesType,) * n_arguments)
    def _lowered(context, builder, sig, args):
        return getattr(builder, instruction)(*args)


for _symbol, _instruction in _OPERATORS.items():
    _by_lane(_symbol, _instruction)


def _address(context, builder, array_type, array, first):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [first]), _VECTOR.as_pointer())


def _first(builder, place):
    return builder.mul(place, ir.Constant(_INDEX, LANES))


@intrinsic
def load(typingctx, array, place):
    """Return the numbers of ``array``, contiguous (..., point), at a place of its other axes."""

    def codegen(context, builder, sig, args):
        address = _address(context, builder, sig.args[0], args[0], _first(builder, args[1]))
        return builder.load(address, align=8)

    return _LANES(array, types.int64), codegen


@intrinsic
def store(typingctx, array, place, numbers):
    """Put numbers into ``array``, contiguous (..., point), at a place of its other axes."""

    def codegen(context, builder, sig, args):
        address = _address(context, builder, sig.args[0], args[0], _first(builder, args[1]))
        builder.store(args[2], address, align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, _LANES), codegen


@intrinsic
def run_from(typingctx, array, first):
    """Return eight numbers that follow each other in a contiguous array, from a flat index on."""

    def codegen(context, builder, sig, args):
        return builder.load(_address(context, builder, sig.args[0], *args), align=8)

    return _LANES(array, types.int64), codegen


@intrinsic
def put_from(typingctx, array, first, numbers):
    """Put eight numbers into a contiguous array, from a flat index on."""

    def codegen(context, builder, sig, args):
        *where, value = args
        builder.store(value, _address(context, builder, sig.args[0], *where), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, _LANES), codegen


@intrinsic
def every(typingctx, number):
    """Return ``Lanes`` of one number."""

    def codegen(context, builder, sig, args):
        empty = ir.Constant(_VECTOR, ir.Undefined)
        one = builder.insert_element(empty, args[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(
            one, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        )

    return _LANES(types.float64), codegen


@intrinsic
def square_root(typingctx, numbers):
    """Return the square root of each number."""

    def codegen(context, builder, sig, args):
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), f"llvm.sqrt.v{LANES}f64"
        )
        return builder.call(function, args)

    return _LANES(_LANES), codegen


@compiled
def room_for(n):
    """Return zeros, shape (n, point), whose rows do not cross the cache's lines."""
    spare = np.zeros((n + 1) * LANES)
    first = (-spare.ctypes.data % LINE) // spare.itemsize
    return spare[first : first + n * LANES].reshape((n, LANES))
