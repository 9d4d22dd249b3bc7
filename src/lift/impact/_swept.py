"""A symmetric matrix swept on the variables that are in, kept as far as single changes ask for.

The matrix K holds the outcome in its first row and column, then the variables. Swept on a set A
(Goodnight 1979, doi:10.1080/00031305.1979.10482685) it is ``-K_AA^-1`` where both are in,
``K_AA^-1 K_A.`` where one is, and what A leaves of K where none is. A variable may enter or leave
by the diagonal and the outcome's row alone: an array of these (the outcome's row first, the
diagonal last) and of the rows of variables that are in is kept; the row of one that enters is made
then.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from lift._compile import compiled


@compiled
def sweep(swept, order, n, j, enters, buffer):
    """Sweep on ``j``, whose row holds that of K, or undo its sweep.

    The first ``n`` of ``order`` are in, beside ``j`` where it does not enter.
    """
    width = swept.shape[1]
    if enters:
        for a in range(n):
            buffer[a] = swept[j, order[a]]
        for a in range(n):
            i = order[a]
            f = buffer[a]
            for k in range(width):
                swept[j, k] -= f * swept[i, k]
        for a in range(n):
            swept[j, order[a]] = swept[order[a], j]
    inverse = 1.0 / swept[j, j]
    for a in range(n):
        i = order[a]
        f = swept[i, j] * inverse
        for k in range(width):
            swept[i, k] -= f * swept[j, k]
        swept[i, j] = f if enters else -f
    f = swept[j, 0] * inverse
    for k in range(width):
        swept[0, k] -= f * swept[j, k]
    for k in range(width):
        swept[width, k] -= inverse * swept[j, k] * swept[j, k]
    if enters:
        for k in range(width):
            swept[j, k] *= inverse
        swept[j, j] = -inverse
    else:
        swept[0, j] = -f
        swept[width, j] = -inverse


@compiled
def ends(swept, j, inside):
    """Return diagonal and outcome's entry of ``j`` as they are where it is out."""
    if inside:
        inverse = -1.0 / swept[j, j]
        return inverse, swept[j, 0] * inverse
    return swept[swept.shape[1], j], swept[0, j]


@compiled
def ends_without(swept, j, i):
    """Return diagonal and outcome's entry of ``j``, which is out, once ``i`` has left."""
    f = swept[i, j] / swept[i, i]
    return swept[swept.shape[1], j] - f * swept[i, j], swept[0, j] - f * swept[i, 0]
