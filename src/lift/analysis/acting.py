"""What sets of posts add to log downloads, day by day, under every draw or some of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lift.analysis.responses import Responses, read_responses
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

ALL = slice(None)
# Draws worked on at a time, and numbers of an array of them by day: 4 MB.
MAX_DRAWS = 1000
MAX_VALUES = 2**19


@dataclass(frozen=True)
class Lift:
    """Draws of the log-lift of a set of posts.

    Attributes
    ----------
    first_day : int
        Position in the calendar of the first day on which one of them can act.
    values : ndarray, shape (chain * draw, n_days), log units
        Sum of their responses on each day from there on; on the linear scale in its unit of
        downloads.
    """

    first_day: int
    values: FloatArray


@dataclass(frozen=True, eq=False)
class Acting:
    """How every post acts under every draw, read once.

    Attributes
    ----------
    responses : Responses
    impulse : ndarray, shape (chain * draw, post), log-lift-days
    gain : ndarray, shape (chain * draw, post), or None
        Where the kernel is free.
    days, groups : ndarray of int, shape (post,)
        Position in the calendar, and kernel group.
    fractions : ndarray, shape (post,)
        Part of its day that had passed when a post went out.
    window_days : int
    downloads : ndarray, shape (date,), downloads/day
        NaN = not observed.
    """

    responses: Responses
    impulse: FloatArray
    gain: FloatArray | None
    days: NDArray[np.int64]
    groups: NDArray[np.int64]
    fractions: FloatArray
    window_days: int
    downloads: FloatArray

    def span(self, members: NDArray[np.int64]) -> tuple[int, int]:
        """Return the first day on which one of some posts can act and the day after the last."""
        days = self.days[members]
        return int(days.min()), min(int(days.max()) + self.window_days, len(self.downloads))

    def lift(self, members: NDArray[np.int64], part: slice = ALL) -> Lift:
        """Return what some posts together add to log downloads, day by day, as :func:`log_lift`.

        Parameters
        ----------
        members : ndarray of int
            Positions of the posts, at least one.
        part : slice, optional
            The draws to take; all of them by default.

        Returns
        -------
        Lift
        """
        first, last = self.span(members)
        responses = self.responses.some(part)
        values = np.zeros((len(responses.shape), last - first))
        for member in members:
            day = int(self.days[member])
            n_days = min(self.window_days, len(self.downloads) - day)
            start = day - first
            values[:, start : start + n_days] += responses.response(
                responses.scale[:, self.groups[member]],
                float(self.fractions[member]),
                self.impulse[part, member],
                None if self.gain is None else self.gain[part, member],
            )[:, :n_days]
        return Lift(first, values)


def read_acting(posterior: Posterior) -> Acting:
    """Return how every post of a posterior acts under every draw."""
    draws = posterior.draws
    constant = posterior.tree["constant_data"]
    responses = read_responses(posterior)
    n_draws = len(responses.shape)
    return Acting(
        responses=responses,
        impulse=draws["impulse"].to_numpy().reshape(n_draws, -1),
        gain=draws["gain"].to_numpy().reshape(n_draws, -1) if "gain" in draws else None,
        days=constant["post_day"].to_numpy(),
        groups=constant["kernel_group_index"].to_numpy(),
        fractions=constant["post_fraction"].to_numpy(),
        window_days=int(posterior.attrs["window_days"]),
        downloads=posterior.downloads.to_numpy(),
    )


def parts_of(n_draws: int, n_days: int) -> list[slice]:
    """Return draws in parts whose arrays by day stay small: they fit a processor's caches."""
    step = max(1, min(MAX_DRAWS, MAX_VALUES // max(n_days, 1)))
    return [slice(at, at + step) for at in range(0, n_draws, step)]
