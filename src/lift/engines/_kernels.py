"""Compiled kernels of the exact engine: one collapsed likelihood per hyperparameter point.

States and coefficients are integrated out as in de Jong (1991): one scalar Kalman filter runs over
the outcome and all design columns with common gains; the cross-products ``S`` of the standardised
innovations give the normal equations of the coefficients. Coefficients are scaled by their prior
sd, so that the matrix to factor is ``I + D S D`` with eigenvalues of at least one.

Column order of the innovations: outcome, baseline columns, posts in order of time.
Coefficient order: baseline columns, posts, group means, influencers.
"""

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.engines._blas import dpotrf, dsyrk
from lift.engines._special import gammaincc, gammainccinv
from lift.exponential._compiled import fill

ROWS_PER_BLOCK = 128
LOG_2PI = math.log(2.0 * math.pi)
LARGE_DISPERSION = 1e7
NEWTON_PASSES = 60
NEWTON_TOLERANCE = 1e-9
NEWTON_MAX_STEP = 2.0
FLATTEST = 1e8
"""Largest square of a pseudo-observation's standardised error: where the mean lies far from the
count the log mass is straight, and the Gaussian that Newton's method would put in its place so wide
and so far away that its density cannot be computed. A narrower one has the same mode."""

NOISE, LEVEL, CONTROL, AMPLITUDE, INFLUENCER, VIEWS, FIRST_DAY, SHAPE, DISPLACEMENT = range(9)


@compiled
def post_kernels(log_edges, scale, shape, displaced, lags, log_gain, group, out):
    """Fill ``out[j, lag]`` with the day-binned Weibull kernel of each post times its gain.

    The share ``displaced`` is taken back evenly over ``lags[0] < lag <= lags[1]``.
    """
    n_posts, window = out.shape
    # all posts at once: what is left over of a loop that runs several numbers at a time is slow
    flat = out.reshape(-1)
    for j in range(n_posts):
        row = out[j]
        edges = log_edges[j, 1:]
        for k in range(window):
            row[k] = shape * edges[k]
    fill(flat)
    for j in range(n_posts):
        row = out[j]
        rate = -scale[group[j]]
        for k in range(window):
            row[k] *= rate
    fill(flat)
    for j in range(n_posts):
        _gained(out[j], displaced, lags, log_gain[j])


@compiled
def _gained(row, displaced, lags, log_gain):
    """Turn what is left of a response after each day into what each day has, times a gain."""
    whole = 1.0 - row[-1]
    gain = math.exp(log_gain) / whole
    before = 1.0
    for k in range(row.shape[0]):
        left = row[k]
        row[k] = (before - left) * gain
        before = left
    if displaced > 0.0:
        back = gain * (displaced * whole / (lags[1] - lags[0]))
        for k in range(lags[0] + 1, lags[1] + 1):
            row[k] -= back


@compiled
def gamma_kernels(log_edges, scale, shape, displaced, lags, log_gain, group, out):
    """Fill ``out`` as ``post_kernels`` does, with the day-binned gamma kernel.

    Its rate is such that the share within a day is that of the Weibull, ``1 - exp(-scale)``.
    """
    n_posts, n_edges = log_edges.shape
    for j in range(n_posts):
        rate = gammainccinv(shape, math.exp(-scale[group[j]]), 0)
        for k in range(n_edges - 1):
            out[j, k] = gammaincc(shape, rate * math.exp(log_edges[j, k + 1]), 0)
        _gained(out[j], displaced, lags, log_gain[j])


@compiled
def innovations(y, noise, observed, fixed, kernels, day, level_var, start_var, v, mean):
    """Fill ``v`` with standardised innovations of all columns; return the sum of log variances.

    Before its day the column of a post is not written: it must be zero.
    """
    n, p = fixed.shape
    n_posts, window = kernels.shape
    now = np.zeros(1 + p + n_posts)
    mean[:] = 0.0
    variance = start_var
    log_variance = 0.0
    ended = 0
    begun = 0
    for t in range(n):
        while begun < n_posts and day[begun] <= t:
            begun += 1
        while ended < begun and t - day[ended] >= window:
            now[1 + p + ended] = 0.0
            ended += 1
        row = v[t]
        if not observed[t]:
            row[:] = 0.0
            variance += level_var
            continue
        total = variance + noise[t]
        gain = variance / total
        scale = 1.0 / math.sqrt(total)
        now[0] = y[t]
        for c in range(p):
            now[1 + c] = fixed[t, c]
        for j in range(ended, begun):
            now[1 + p + j] = kernels[j, t - day[j]]
        for c in range(1 + p + begun):
            error = now[c] - mean[c]
            row[c] = error * scale
            mean[c] += gain * error
        log_variance += math.log(total)
        variance = variance * noise[t] / total + level_var
    return log_variance


@compiled
def cross_products(v, day, p, flags, sizes, ones, s):
    """Fill the lower triangle of ``s`` with ``v' v``; columns of posts to come are left out."""
    n, width = v.shape
    n_posts = width - 1 - p
    s[:] = 0.0
    first = 0
    begun = 0
    while first < n:
        last = min(first + ROWS_PER_BLOCK, n)
        while begun < n_posts and day[begun] < last:
            begun += 1
        sizes[0] = 1 + p + begun
        sizes[1] = last - first
        sizes[2] = width
        sizes[3] = width
        dsyrk(
            flags[0:].ctypes, flags[1:].ctypes, sizes[0:].ctypes, sizes[1:].ctypes, ones.ctypes,
            v[first:].ctypes, sizes[2:].ctypes, ones[1:].ctypes, s.ctypes, sizes[3:].ctypes,
        )  # fmt: skip
        first = last


@compiled
def normal_equations(s, p, member_index, member_value, prior_sd, a, b):
    """Fill ``a = I + D S D`` (lower) and ``b = D S_wy`` for all coefficients."""
    n_posts, n_member = member_index.shape
    q = prior_sd.shape[0]
    means = p + n_posts
    for i in range(means):
        b[i] = s[1 + i, 0] * prior_sd[i]
        for k in range(i + 1):
            a[i, k] = s[1 + i, 1 + k] * (prior_sd[i] * prior_sd[k])
        a[i, i] += 1.0
    for i in range(1 + p, 1 + means):
        for k in range(i):
            s[k, i] = s[i, k]
    for i in range(means, q):
        b[i] = 0.0
        a[i, : i + 1] = 0.0
    for j in range(n_posts):
        source = s[1 + p + j]
        for e in range(n_member):
            if member_index[j, e] < 0:
                break
            row = means + member_index[j, e]
            value = member_value[j, e]
            b[row] += value * source[0]
            for k in range(means):
                a[row, k] += value * source[1 + k]
    for row in range(means, q):
        for j in range(n_posts):
            value = a[row, p + j]
            for e in range(n_member):
                if member_index[j, e] < 0:
                    break
                column = means + member_index[j, e]
                if column <= row:
                    a[row, column] += member_value[j, e] * value
    for i in range(means, q):
        b[i] *= prior_sd[i]
        for k in range(i + 1):
            a[i, k] *= prior_sd[i] * prior_sd[k]
        a[i, i] += 1.0


@compiled
def factor(a, flags, sizes):
    """Replace the lower triangle of ``a`` by its Cholesky factor; return half its log determinant.

    NaN where the matrix is not positive definite.
    """
    q = a.shape[0]
    if q == 0:
        return 0.0
    sizes[0] = q
    sizes[1] = q
    sizes[2] = 0
    dpotrf(flags[0:].ctypes, sizes[0:].ctypes, a.ctypes, sizes[1:].ctypes, sizes[2:].ctypes)
    if sizes[2] != 0:
        return np.nan
    half = 0.0
    for i in range(q):
        half += math.log(a[i, i])
    return half


@compiled
def solve_lower(a, b):
    """Replace ``b`` by ``L^-1 b``; return the squared length of the result."""
    squared = 0.0
    for i in range(b.shape[0]):
        total = b[i]
        for k in range(i):
            total -= a[i, k] * b[k]
        b[i] = total / a[i, i]
        squared += b[i] * b[i]
    return squared


@compiled
def solve_upper(a, b):
    """Replace ``b`` by ``L^-T b``."""
    for i in range(b.shape[0] - 1, -1, -1):
        b[i] /= a[i, i]
        value = b[i]
        for k in range(i):
            b[k] -= value * a[i, k]


@compiled
def prior_spread(theta, layout, fixed_sd, mean_sd, n_posts, out):
    """Fill the prior sd of every coefficient; NaN in a table stands for a hyperparameter."""
    p = fixed_sd.shape[0]
    for i in range(p):
        out[i] = theta[layout[CONTROL]] if math.isnan(fixed_sd[i]) else fixed_sd[i]
    for j in range(n_posts):
        out[p + j] = theta[layout[AMPLITUDE]]
    for i in range(mean_sd.shape[0]):
        hyper = math.isnan(mean_sd[i])
        out[p + n_posts + i] = theta[layout[INFLUENCER]] if hyper else mean_sd[i]


@compiled
def amplitudes(gamma, p, member_index, member_value, out):
    """Fill the amplitude of each post: its group means, its influencer's and its own deviation."""
    n_posts, n_member = member_index.shape
    for j in range(n_posts):
        total = gamma[p + j]
        for e in range(n_member):
            if member_index[j, e] < 0:
                break
            total += member_value[j, e] * gamma[p + n_posts + member_index[j, e]]
        out[j] = total


@compiled
def predictor(gamma, amplitude, fixed, kernels, day, out):
    """Fill the part of the linear predictor that does not come from the level."""
    n, p = fixed.shape
    n_posts, window = kernels.shape
    for t in range(n):
        total = 0.0
        for c in range(p):
            total += fixed[t, c] * gamma[c]
        out[t] = total
    for j in range(n_posts):
        for k in range(min(window, n - day[j])):
            out[day[j] + k] += amplitude[j] * kernels[j, k]


@compiled
def level(residual, noise, observed, level_var, start_var, z, filtered, variances, out):
    """Fill a draw of the level given residuals (its mean where ``z`` is zero), backwards.

    Forward filter, backward sampling (Carter & Kohn 1994; Fruehwirth-Schnatter 1994).
    """
    n = residual.shape[0]
    mean = 0.0
    variance = start_var
    for t in range(n):
        if observed[t]:
            gain = variance / (variance + noise[t])
            mean += gain * (residual[t] - mean)
            variance = variance * noise[t] / (variance + noise[t])
        filtered[t] = mean
        variances[t] = variance
        variance += level_var
    out[n - 1] = filtered[n - 1] + math.sqrt(variances[n - 1]) * z[n - 1]
    for t in range(n - 2, -1, -1):
        ahead = variances[t] + level_var
        gain = variances[t] / ahead if ahead > 0.0 else 0.0
        centre = filtered[t] + gain * (out[t + 1] - filtered[t])
        out[t] = centre + math.sqrt(gain * level_var) * z[t]


@compiled
def count_log_mass(y, eta, dispersion):
    """Return the log mass of a negative binomial count with mean ``exp(eta)``.

    ``dispersion`` is the size parameter: the variance is ``m + m^2 / dispersion``.
    """
    if dispersion > LARGE_DISPERSION * max(1.0, y):
        rising = y * (y - 1.0) / (2.0 * dispersion)
    else:
        rising = math.lgamma(y + dispersion) - math.lgamma(dispersion) - y * math.log(dispersion)
    crowd = math.log1p(math.exp(eta) / dispersion)
    return rising - math.lgamma(y + 1.0) + y * eta - (y + dispersion) * crowd
