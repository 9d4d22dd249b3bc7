"""Compiled cross-products of the innovations of all columns, without the innovations of the posts.

Outcome and baseline columns run through the Kalman filter of the level day by day. The column of a
post is zero outside its window, so that its filter runs there alone: what is left of it decays with
the gains, which are the same for all. With ``V`` the covariance of level and noise, the product of
a post and a baseline column ``x`` is the post's kernel times ``V^-1 x`` on the days of its window,
from the backward recursion of the disturbance smoother (Durbin & Koopman 2012, section 4.5); that
of two posts is the sum over the days that both windows have, and what the earlier one left times
the backward recursion of the later. The time is linear in days and in posts, but for one
multiplication a pair of posts.

Column order: outcome, baseline columns, posts in order of time.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lift._compile import compiled, compiled_sums
from lift.engines._blas import dgemv, dsyrk

FloatArray = NDArray[np.float64]

SMALL, LARGE = 1e-150, 1e150
"""Between these a product of variances is not yet turned into its logarithm."""


class Filtered(NamedTuple):
    """Buffers of the filter.

    Attributes
    ----------
    columns : ndarray, shape (n, 1 + p)
        Of outcome and baseline: innovations, then ``V^-1`` times the columns.
    mean, back : ndarray, shape (1 + p,)
    gain, kept, root : ndarray, shape (n,)
        Of a day: Kalman gain, 1 less that, and 1 over the sd of its innovation; 0, 1 and 0 on a day
        that was not observed.
    tail : ndarray, shape (n + 1,)
        Square of the innovations from a day on of a column that was 1 and is 0 from there on.
    own : ndarray, shape (post, window)
        Innovations of the posts in their windows.
    ahead : ndarray, shape (post, window + 1)
        Backward recursions of the posts, from the ends of their windows.
    left : ndarray, shape (post,)
        What the filter believes of the post after its window.
    flags, sizes, ones
        Arguments of BLAS.
    """

    columns: FloatArray
    mean: FloatArray
    back: FloatArray
    gain: FloatArray
    kept: FloatArray
    root: FloatArray
    tail: FloatArray
    own: FloatArray
    ahead: FloatArray
    left: FloatArray
    flags: NDArray[np.uint8]
    sizes: NDArray[np.int32]
    ones: FloatArray


@compiled
def filter_buffers(n, n_columns, n_posts, window):
    """Return the buffers for n days, outcome and baseline columns, and posts."""
    return Filtered(
        np.zeros((n, n_columns)),
        np.zeros(n_columns),
        np.zeros(n_columns),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n + 1),
        np.zeros((n_posts, window)),
        np.zeros((n_posts, window + 1)),
        np.zeros(n_posts),
        np.array([85, 78], dtype=np.uint8),
        np.zeros(4, dtype=np.int32),
        np.array([1.0, 1.0, 0.0]),
    )


@compiled
def level_products(y, noise, observed, fixed, kernels, day, level_var, start_var, work, s):
    """Fill the lower triangle of ``s`` with ``W' V^-1 W``; return the sum of log variances.

    ``noise[t]`` is the variance of a day, ``level_var[t]`` that of the step to the next.
    """
    log_variance = _filter(y, noise, observed, fixed, level_var, start_var, work)
    columns = work.columns
    n, n_columns = columns.shape
    sizes, ones = work.sizes, work.ones
    sizes[0] = n_columns
    sizes[1] = n
    sizes[2] = s.shape[0]
    dsyrk(
        work.flags[0:].ctypes, work.flags[1:].ctypes, sizes[0:].ctypes, sizes[1:].ctypes,
        ones.ctypes, columns.ctypes, sizes[0:].ctypes, ones[2:].ctypes, s.ctypes, sizes[2:].ctypes,
    )  # fmt: skip
    if kernels.shape[0] > 0:
        _smooth(work)
        _windows(kernels, day, work)
        _posts(kernels, day, work, s)
    return log_variance


@compiled
def _filter(y, noise, observed, fixed, level_var, start_var, work):
    """Fill gains and the innovations of outcome and baseline; return the sum of log variances."""
    n, p = fixed.shape
    columns, mean = work.columns, work.mean
    mean[:] = 0.0
    variance = start_var
    log_variance = 0.0
    product = 1.0
    for t in range(n):
        row = columns[t]
        if not observed[t]:
            row[:] = 0.0
            work.gain[t] = 0.0
            work.kept[t] = 1.0
            work.root[t] = 0.0
            variance += level_var[t]
            continue
        total = variance + noise[t]
        inverse = 1.0 / total
        gain = variance * inverse
        kept = noise[t] * inverse
        root = math.sqrt(inverse)
        error = y[t] - mean[0]
        row[0] = error * root
        mean[0] += gain * error
        for c in range(p):
            error = fixed[t, c] - mean[1 + c]
            row[1 + c] = error * root
            mean[1 + c] += gain * error
        product *= total
        if not SMALL < product < LARGE:
            log_variance += math.log(product)
            product = 1.0
        work.gain[t] = gain
        work.kept[t] = kept
        work.root[t] = root
        variance = variance * kept + level_var[t]
    return log_variance + math.log(product)


@compiled
def _smooth(work):
    """Replace the innovations by ``V^-1`` times the columns; fill ``tail``."""
    columns, back, tail = work.columns, work.back, work.tail
    n, n_columns = columns.shape
    back[:] = 0.0
    tail[n] = 0.0
    for t in range(n - 1, -1, -1):
        row = columns[t]
        gain, kept, root = work.gain[t], work.kept[t], work.root[t]
        for c in range(n_columns):
            value = root * row[c]
            row[c] = value - gain * back[c]
            back[c] = value + kept * back[c]
        tail[t] = root * root + kept * kept * tail[t + 1]


@compiled
def _windows(kernels, day, work):
    """Fill the innovations of the posts in their windows, and the backward recursions there."""
    n_posts, window = kernels.shape
    n = work.gain.shape[0]
    j = 0
    while j + 1 < n_posts and day[j + 1] + window <= n:
        _two_windows(kernels, day, work, j)
        j += 2
    while j < n_posts:
        _window(kernels, day, work, j, min(window, n - day[j]))
        j += 1


@compiled
def _window(kernels, day, work, j, length):
    """Fill what a post has in its window, or in what the data hold of it."""
    gain, kept, root = work.gain[day[j] :], work.kept[day[j] :], work.root[day[j] :]
    kernel, own, ahead = kernels[j], work.own[j], work.ahead[j]
    left = 0.0
    for k in range(length):
        error = kernel[k] - left
        own[k] = error * root[k]
        left += gain[k] * error
    work.left[j] = left
    later = -left * work.tail[day[j] + length]
    ahead[length] = later
    for k in range(length - 1, -1, -1):
        later = root[k] * own[k] + kept[k] * later
        ahead[k] = later


@compiled
def _two_windows(kernels, day, work, j):
    """Fill what a post and the next have in their windows: neither waits for its own day before."""
    window = kernels.shape[1]
    gain, kept, root = work.gain[day[j] :], work.kept[day[j] :], work.root[day[j] :]
    kernel, own, ahead = kernels[j], work.own[j], work.ahead[j]
    first = day[j + 1]
    next_gain, next_kept, next_root = work.gain[first:], work.kept[first:], work.root[first:]
    next_kernel, next_own, next_ahead = kernels[j + 1], work.own[j + 1], work.ahead[j + 1]
    left = next_left = 0.0
    for k in range(window):
        error = kernel[k] - left
        next_error = next_kernel[k] - next_left
        own[k] = error * root[k]
        next_own[k] = next_error * next_root[k]
        left += gain[k] * error
        next_left += next_gain[k] * next_error
    work.left[j] = left
    work.left[j + 1] = next_left
    later = -left * work.tail[day[j] + window]
    next_later = -next_left * work.tail[first + window]
    ahead[window] = later
    next_ahead[window] = next_later
    for k in range(window - 1, -1, -1):
        later = root[k] * own[k] + kept[k] * later
        next_later = next_root[k] * next_own[k] + next_kept[k] * next_later
        ahead[k] = later
        next_ahead[k] = next_later


@compiled
def _posts(kernels, day, work, s):
    """Fill the rows of the posts in the lower triangle of ``s``."""
    columns, own, ahead, left, kept = work.columns, work.own, work.ahead, work.left, work.kept
    n, n_columns = columns.shape
    n_posts, window = kernels.shape
    sizes, ones = work.sizes, work.ones
    sizes[0] = n_columns
    sizes[2] = 1
    ended = 0
    for j in range(n_posts):
        first = day[j]
        length = min(window, n - first)
        row = s[n_columns + j]
        sizes[1] = length
        dgemv(
            work.flags[1:].ctypes, sizes[0:].ctypes, sizes[1:].ctypes, ones.ctypes,
            columns[first:].ctypes, sizes[0:].ctypes, kernels[j].ctypes, sizes[2:].ctypes,
            ones[2:].ctypes, row.ctypes, sizes[2:].ctypes,
        )  # fmt: skip
        since = day[j - 1] if j > 0 else first
        decay = 1.0
        for t in range(since, first):
            decay *= kept[t]
        for c in range(ended):
            left[c] *= decay
        while ended < j and day[ended] + window <= first:
            for t in range(day[ended] + window, first):
                left[ended] *= kept[t]
            ended += 1
        for c in range(ended):
            row[n_columns + c] = -left[c] * ahead[j, 0]
        for c in range(ended, j):
            begun = first - day[c]
            both = min(window, n - day[c]) - begun
            total = dot(own[c, begun:], own[j], both)
            row[n_columns + c] = total - left[c] * ahead[j, both]
        rest = left[j] * left[j] * work.tail[first + length]
        row[n_columns + j] = dot(own[j], own[j], length) + rest


@compiled_sums
def dot(a, b, size):
    """Return the sum of the first products of two vectors."""
    total = 0.0
    for k in range(size):
        total += a[k] * b[k]
    return total
