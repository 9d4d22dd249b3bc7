"""Which part of their responses posts have on observed days, and in common in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.posterior import Posterior
from lift.model.response import kernel_days

FloatArray = NDArray[np.float64]


def observed_kernels(posterior: Posterior) -> FloatArray:
    """Return the share of every post's response on every day, 0 where it was not observed.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    ndarray, shape (J, n_dates), in [0, 1]
        At the posterior means of the kernel's parameters.
    """
    draws, posts = posterior.draws, posterior.posts
    seen = np.isfinite(posterior.downloads.to_numpy())
    window = int(posterior.attrs["window_days"])
    scale = -np.log1p(-draws["first_day_share"].mean(("chain", "draw")).to_numpy())
    shape = np.array(float(draws["kernel_shape"].mean()) if "kernel_shape" in draws else 1.0)
    family = str(posterior.attrs.get("kernel", "weibull"))
    kernels = np.zeros((len(posts), len(seen) + window))
    columns = (posts["post_day"], posts["post_fraction"], posts["kernel_group_index"])
    for j, (day, fraction, group) in enumerate(zip(*columns, strict=True)):
        kernel = kernel_days(scale[group], shape, float(fraction), window, family)
        kernels[j, int(day) : int(day) + window] = kernel
    return np.asarray(kernels[:, : len(seen)] * seen)


def overlap(posterior: Posterior) -> FloatArray:
    """Return the part of their responses that two posts have in common in time.

    The sum over the observed days of the smaller of the two kernels.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    ndarray, shape (J, J), in [0, 1]
        Symmetric; 1 for two posts at the same time with the same kernel whose days were all
        observed.
    """
    kernels = observed_kernels(posterior)
    first = posterior.posts["post_day"].to_numpy()
    window = int(posterior.attrs["window_days"])
    out = np.zeros((len(kernels), len(kernels)))
    for j, day in enumerate(first):
        days = slice(day, day + window)
        near = j + np.flatnonzero(np.abs(first[j:] - day) < window)
        out[j, near] = np.minimum(kernels[near, days], kernels[j, days]).sum(axis=1)
        out[near, j] = out[j, near]
    return out
