"""Responses of posts by day, from the draws: the one place where a kernel is read back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lift.model.free_kernel import age_shares
from lift.model.posterior import Posterior
from lift.model.response import displaced, kernel_days
from lift.model.saturation import Saturation

FloatArray = NDArray[np.float64]

# Draws that responses are made of, as far as a model has them.
RESPONSE_DRAWS = (
    "first_day_share",
    "kernel_shape",
    "impulse",
    "displacement",
    "gain",
    "free_share",
    "saturation_limit",
)
# The largest number below 1: a share that rounds to 1 keeps a finite rate.
LARGEST_SHARE = float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True, eq=False)
class Responses:
    """Draws of how posts act in time, chains one after the other.

    Attributes
    ----------
    family : str
        As ``ResponseSpec.kernel``.
    window_days : int
    scale : ndarray, shape (draw, kernel_group)
        ``-log(1 - share within 24 hours)``.
    shape : ndarray, shape (draw,)
        Shape of the kernel; 1 where it is geometric.
    displacement : ndarray, shape (draw,), or None
    lags : tuple of int
        Between which displaced downloads are missing.
    free : ndarray, shape (draw, free_days), or None
        Deviations of the mean response by day since the post (log-lift-days at a gain of 1).
    """

    family: str
    window_days: int
    scale: FloatArray
    shape: FloatArray
    displacement: FloatArray | None
    lags: tuple[int, int]
    free: FloatArray | None

    def some(self, part: slice) -> Responses:
        """Return the responses under some of the draws."""
        return replace(
            self,
            scale=self.scale[part],
            shape=self.shape[part],
            displacement=None if self.displacement is None else self.displacement[part],
            free=None if self.free is None else self.free[part],
        )

    def kernel(self, scale: FloatArray, fraction: float) -> FloatArray:
        """Return the shares of a response by calendar day.

        Parameters
        ----------
        scale : ndarray, shape (draw,)
            A column of ``scale``, or draws for a kernel group that was not seen.
        fraction : float
            Part of its day that had passed when the post went out, in [0, 1).

        Returns
        -------
        ndarray, shape (draw, window_days)
        """
        kernel = kernel_days(scale, self.shape, fraction, self.window_days, self.family)
        if self.displacement is None:
            return kernel
        return displaced(kernel, self.displacement, *self.lags)

    def response(
        self, scale: FloatArray, fraction: float, impulse: FloatArray, gain: FloatArray | None
    ) -> FloatArray:
        """Return what a post adds by calendar day from its own on.

        Parameters
        ----------
        scale : ndarray, shape (draw,)
        fraction : float
        impulse : ndarray, shape (draw,), log-lift-days
            Amplitude times gain.
        gain : ndarray, shape (draw,), or None
            By views and size; not used unless the kernel is free.

        Returns
        -------
        ndarray, shape (draw, window_days), log units
            ``impulse K + gain delta``, with deviations ``delta`` of the mean response where the
            kernel is free.
        """
        out = self.kernel(scale, fraction)
        out *= impulse[:, None]
        if self.free is not None and gain is not None:
            n_free = self.free.shape[1]
            deviation = self.free @ age_shares(fraction, n_free)
            out[:, : n_free + 1] += gain[:, None] * deviation
        return out


def read_responses(posterior: Posterior) -> Responses:
    """Return how posts act in time under the draws of a posterior.

    Parameters
    ----------
    posterior : Posterior
        Of a model with posts.

    Returns
    -------
    Responses
    """
    draws, attrs = posterior.draws, posterior.attrs
    share = draws["first_day_share"].to_numpy().reshape(-1, draws.sizes["kernel_group"])
    flat = {name: _flat(draws, name) for name in ("kernel_shape", "displacement", "free_share")}
    shape = flat["kernel_shape"]
    lags = int(attrs.get("displacement_after", 0)), int(attrs.get("displacement_until", 0))
    return Responses(
        family=str(attrs.get("kernel", "weibull")),
        window_days=int(attrs["window_days"]),
        scale=-np.log1p(-np.minimum(share, LARGEST_SHARE)),
        shape=np.ones(len(share)) if shape is None else shape,
        displacement=flat["displacement"],
        lags=lags,
        free=flat["free_share"],
    )


def read_saturation(posterior: Posterior) -> Saturation | None:
    """Return the curve of what posts add together, None where their responses add up.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    Saturation or None
        With a limit per draw, chains one after the other.
    """
    limit = _flat(posterior.draws, "saturation_limit")
    return None if limit is None else Saturation(str(posterior.attrs["saturation"]), limit)


def _flat(draws: xr.Dataset, name: str) -> FloatArray | None:
    """Return draws with the chains one after the other, None if the model has none."""
    if name not in draws:
        return None
    values = draws[name].to_numpy()
    return np.asarray(values.reshape(-1, *values.shape[2:]))
