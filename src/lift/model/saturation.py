"""Saturation: posts that act on the same days add less together than each would alone.

The responses ``f_j(t)`` of all posts add up to the exposure ``X_t = sum_j f_j(t)``, and what posts
add to log downloads (on the linear scale: to downloads) is a curve of it, ``F_t = s(X_t)``: odd,
rising, concave in ``|X|``, with ``s'(0) = 1``, so that an amplitude means what it does without
saturation, and with the limit ``c``:

- exponential: ``s(X) = sign(X) c (1 - exp(-|X| / c))``;
- hill: ``s(X) = X / (1 + |X| / c)``, which is half of the limit at ``|X| = c``.

Both are curves of media mix models (Jin, Wang, Sun, Chan & Koehler 2017, *Bayesian Methods for
Media Mix Modeling with Carryover and Shape Effects*, Google Research).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Saturation:
    """A curve with draws of its limit.

    Attributes
    ----------
    curve : "exponential" or "hill"
    limit : ndarray
        ``c``, positive; its shape goes with that of the exposures.
    """

    curve: str
    limit: FloatArray

    def together(self, exposure: FloatArray) -> FloatArray:
        """Return what posts of some exposure add together.

        Parameters
        ----------
        exposure : ndarray
            ``X``, of either sign.

        Returns
        -------
        ndarray
            ``s(X)``, within the limit on both sides.
        """
        if self.curve == "hill":
            return np.asarray(exposure / (1.0 + np.abs(exposure) / self.limit))
        part = -np.expm1(-np.abs(exposure) / self.limit)
        return np.asarray(np.sign(exposure) * self.limit * part)

    def gained(self, own: FloatArray, rest: FloatArray) -> FloatArray:
        """Return what some posts add to all others.

        Parameters
        ----------
        own, rest : ndarray
            Exposures of these posts and of all others.

        Returns
        -------
        ndarray
            ``s(own + rest) - s(rest)``.
        """
        return self.together(own + rest) - self.together(rest)

    def some(self, part: slice) -> Saturation:
        """Return the curve of some of the draws, where it has a limit per draw."""
        return Saturation(self.curve, self.limit[part])

    def by_day(self) -> Saturation:
        """Return the curve for exposures of shape (draw, day), where it has a limit per draw."""
        return Saturation(self.curve, self.limit[:, None])
