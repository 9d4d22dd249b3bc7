"""What sets of posts add to log downloads, day by day, under every draw or some of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.responses import Responses, read_responses, read_saturation
from lift.model.impulse import LARGE
from lift.model.posterior import Posterior
from lift.model.saturation import Saturation

FloatArray = NDArray[np.float64]

ALL = slice(None)
# Draws worked on at a time, and numbers of an array of them by day: 1 MB.
MAX_DRAWS = 1000
MAX_VALUES = 2**17
# Of posts that are read as they are needed: threads are near each other.
POSTS_AT_A_TIME = 16
MAX_KEPT = 32


@dataclass(frozen=True)
class Lift:
    """Draws of the log-lift of a set of posts.

    Attributes
    ----------
    first_day : int
        Position in the calendar of the first day on which one of them can act.
    values : ndarray, shape (chain * draw, n_days), log units
        What they add to all other posts on each day from there on; on the linear scale in its unit
        of downloads.
    """

    first_day: int
    values: FloatArray


@dataclass(frozen=True, eq=False)
class Exposure:
    """Draws of the responses of a set of posts, before saturation.

    Attributes
    ----------
    first_day : int
        As of a :class:`Lift`.
    own : ndarray, shape (chain * draw, n_days)
        Sum of their responses.
    rest : ndarray, shape (chain * draw, n_days), or None
        Sum of the responses of all other posts; None where nothing saturates.
    saturation : Saturation or None
    """

    first_day: int
    own: FloatArray
    rest: FloatArray | None = None
    saturation: Saturation | None = None

    @property
    def lift(self) -> Lift:
        """What the posts add to all others: ``s(own + rest) - s(rest)``, or ``own``."""
        if self.saturation is None or self.rest is None:
            return Lift(self.first_day, self.own)
        return Lift(self.first_day, self.saturation.by_day().gained(self.own, self.rest))


@dataclass(frozen=True, eq=False)
class ByPost:
    """Draws of many posts, read some posts at a time, chains one after the other.

    Attributes
    ----------
    variable : Variable, dims (chain, draw, post)
    """

    variable: xr.Variable
    _kept: dict[int, FloatArray] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """Return the number of draws."""
        return int(self.variable.shape[0] * self.variable.shape[1])

    def __getitem__(self, key: tuple[slice, np.int64 | int]) -> FloatArray:
        """Return some draws of a post."""
        part, post = key
        number, row = divmod(int(post), POSTS_AT_A_TIME)
        rows = self._kept.get(number)
        if rows is None:
            begin = number * POSTS_AT_A_TIME
            some = self.variable[:, :, begin : begin + POSTS_AT_A_TIME].to_numpy()
            rows = np.ascontiguousarray(some.reshape(len(self), -1).T)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[number] = rows
        return rows[row, part]


@dataclass(frozen=True, eq=False)
class Acting:
    """How every post acts under every draw, read once.

    Attributes
    ----------
    responses : Responses
    impulse : ndarray or ByPost, shape (chain * draw, post), log-lift-days
    gain : ndarray, shape (chain * draw, post), or None
        Where the kernel is free.
    days, groups : ndarray of int, shape (post,)
        Position in the calendar, and kernel group.
    fractions : ndarray, shape (post,)
        Part of its day that had passed when a post went out.
    window_days : int
    downloads : ndarray, shape (date,), downloads/day
        NaN = not observed.
    saturation : Saturation or None
        With a limit per draw; None where responses add up.
    """

    responses: Responses
    impulse: FloatArray | ByPost
    gain: FloatArray | None
    days: NDArray[np.int64]
    groups: NDArray[np.int64]
    fractions: FloatArray
    window_days: int
    downloads: FloatArray
    saturation: Saturation | None = None

    @property
    def separable(self) -> bool:
        """Whether what posts add together is the sum of what each adds, to the last digit."""
        return self.saturation is None and self.gain is None

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
        return self.exposure(members, part).lift

    def exposure(
        self, members: NDArray[np.int64], part: slice = ALL, *, alone: bool = False
    ) -> Exposure:
        """Return the responses of some posts and, where they saturate, of all others beside them.

        Parameters
        ----------
        members : ndarray of int
            Positions of the posts, at least one.
        part : slice, optional
            The draws to take; all of them by default.
        alone : bool
            Leave the others out.

        Returns
        -------
        Exposure
        """
        first, last = self.span(members)
        own = self._together(members, part, first, last)
        if self.saturation is None or alone:
            return Exposure(first, own)
        beside = (self.days < last) & (self.days + self.window_days > first)
        beside[members] = False
        rest = self._together(np.flatnonzero(beside), part, first, last)
        return Exposure(first, own, rest, self.saturation.some(part))

    def _together(
        self, members: NDArray[np.int64], part: slice, first: int, last: int
    ) -> FloatArray:
        """Return the sum of the responses of some posts from a day on and up to another."""
        responses = self.responses.some(part)
        if len(members) == 1 and self.span(members) == (first, last):
            return self._one(int(members[0]), responses, part, first, last)
        values = np.zeros((len(responses.shape), last - first))
        for member in members:
            day = int(self.days[member])
            begin, end = max(day, first), min(day + self.window_days, last)
            own = self._one(member, responses, part, begin, end)
            values[:, begin - first : end - first] += own
        return values

    def _one(
        self, member: int, responses: Responses, part: slice, first: int, last: int
    ) -> FloatArray:
        """Return the response of a post from a day of its window on and up to another."""
        day = int(self.days[member])
        response = responses.response(
            responses.scale[:, self.groups[member]],
            float(self.fractions[member]),
            self.impulse[part, member],
            None if self.gain is None else self.gain[part, member],
        )
        return response[:, first - day : last - day]


def read_acting(posterior: Posterior) -> Acting:
    """Return how every post of a posterior acts under every draw."""
    draws = posterior.draws
    constant = posterior.tree["constant_data"]
    responses = read_responses(posterior)
    n_draws = len(responses.shape)
    impulse = draws["impulse"]
    return Acting(
        responses=responses,
        impulse=ByPost(impulse.variable)
        if impulse.size > LARGE
        else impulse.to_numpy().reshape(n_draws, -1),
        gain=draws["gain"].to_numpy().reshape(n_draws, -1) if "gain" in draws else None,
        days=constant["post_day"].to_numpy(),
        groups=constant["kernel_group_index"].to_numpy(),
        fractions=constant["post_fraction"].to_numpy(),
        window_days=int(posterior.attrs["window_days"]),
        downloads=posterior.downloads.to_numpy(),
        saturation=read_saturation(posterior),
    )


def parts_of(n_draws: int, n_days: int) -> list[slice]:
    """Return draws in equal parts whose arrays by day stay small: they fit a processor's caches."""
    most = max(1, min(MAX_DRAWS, MAX_VALUES // max(n_days, 1)))
    step = -(-n_draws // -(-n_draws // most))
    return [slice(at, at + step) for at in range(0, n_draws, step)]
