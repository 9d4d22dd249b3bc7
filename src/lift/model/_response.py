"""Compiled Weibull kernel of a response, binned over calendar days."""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

from __future__ import annotations

from lift._compile import compiled
from lift._exponential import exponential


@compiled
def still_to_come(log_edges, scale, shape, out):
    """Fill ``out`` with ``exp(-scale u^shape)``: what is left of a response after each day."""
    # several loops: each is done some numbers at a time
    for k in range(out.shape[0]):
        out[k] = shape * log_edges[k]
    for k in range(out.shape[0]):
        out[k] = exponential(out[k])
    for k in range(out.shape[0]):
        out[k] = exponential(-scale * out[k])


@compiled
def daily_shares(row):
    """Turn what is left after each day into what each day has; return what all have together."""
    last = row.shape[0] - 1
    whole = 1.0 - row[last]
    for k in range(last, 0, -1):
        row[k] = row[k - 1] - row[k]
    row[0] = 1.0 - row[0]
    return whole


@compiled
def weibull_days(log_edges, scale, shape, out):
    """Fill the rows of ``out`` (draw, day) with shares of a response that sum to one."""
    for i in range(out.shape[0]):
        row = out[i]
        still_to_come(log_edges, scale[i], shape[i], row)
        whole = daily_shares(row)
        for k in range(row.shape[0]):
            row[k] /= whole
