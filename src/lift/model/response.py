"""The response of downloads to a post: a kernel binned over calendar days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, gammainccinv

from lift.exponential import exponential

FloatArray = NDArray[np.float64]


def kernel_days(
    first_day_scale: FloatArray,
    shape: FloatArray,
    post_fraction: float,
    window_days: int,
    family: str = "weibull",
) -> FloatArray:
    """Return the share of a post's response that falls on each calendar day.

    With ``G(u)`` the share within ``u`` days of posting, the bin of lag k is
    ``[G(k + 1 - frac) - G(max(k - frac, 0))] / G(window_days - frac)``, so that the bins sum to
    one; a post at 21:00 has three hours of its first day. ``G(u) = 1 - exp(-s u^kappa)``
    (Weibull), or the regularised incomplete gamma function ``P(kappa, r u)`` whose rate ``r``
    gives the same share within a day, ``P(kappa, r) = 1 - exp(-s)``.

    Parameters
    ----------
    first_day_scale : ndarray, shape (...)
        ``s = exp(a)``, where ``a`` is the complementary log-log of the share of the response
        within 24 hours; positive.
    shape : ndarray, shape (...)
        Shape ``kappa``, positive: 1 is exponential (geometric by day), below 1 has a longer tail
        (Weibull), above 1 peaks later.
    post_fraction : float
        Part of its day that had passed when the post went out, in [0, 1).
    window_days : int
        Days after which the response has ended.
    family : str
        ``"gamma"``; all others are Weibull: geometric with shape 1, free about it.

    Returns
    -------
    ndarray, shape (..., window_days), no unit
        Non-negative, sums to one over the last axis.

    References
    ----------
    Weibull distribution function, in the parametrisation by its value at one day.
    """
    edges = np.arange(window_days + 1, dtype=np.float64) - post_fraction
    edges[0] = 0.0
    if family == "gamma":
        rate = gammainccinv(shape, np.exp(-first_day_scale))
        left = gammaincc(shape[..., None], rate[..., None] * edges[1:])
    else:
        # a power by way of logs: twice as fast
        left = shape[..., None] * np.log(edges[1:])
        exponential(left)
        left *= -first_day_scale[..., None]
        exponential(left)
    shares = np.empty(left.shape)
    np.subtract(1.0, left[..., 0], out=shares[..., 0])
    np.subtract(left[..., :-1], left[..., 1:], out=shares[..., 1:])
    shares /= 1.0 - left[..., -1:]
    return shares


def displaced(
    kernel: FloatArray, displacement: FloatArray | float, after: int, until: int
) -> FloatArray:
    """Return a kernel with a share of the response taken back later.

    ``K(k) - psi / (until - after)`` for the lags ``after < k <= until``.

    Parameters
    ----------
    kernel : ndarray, shape (..., window_days)
        As :func:`kernel_days` returns it.
    displacement : ndarray, shape (...), or float
        ``psi``, the share taken back, in [0, 1].
    after, until : int
        Lags in days; ``until`` is less than ``window_days``.

    Returns
    -------
    ndarray, shape (..., window_days)
        Sums to ``1 - psi`` over the last axis.
    """
    out = kernel.copy()
    out[..., after + 1 : until + 1] -= np.asarray(displacement)[..., None] / (until - after)
    return out
