"""Cumulative effects of sets of posts under every draw, by all processors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lift.analysis.acting import ALL, Acting, Lift, parts_of
from lift.analysis.counterfactual import lost_downloads
from lift.analysis.coupling import Coupling, superposed
from lift.analysis.units import Unit
from lift.engines.threads import mapped
from lift.exponential import expect
from lift.model.posterior import Posterior
from lift.rng import stream

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Losses:
    """Downloads that there would not have been without some posts.

    Attributes
    ----------
    posterior : Posterior
    acting : Acting
        Of the posterior.
    coupling, noise
        As of :class:`lift.analysis.effects.Effects`.
    """

    posterior: Posterior
    acting: Acting
    coupling: Coupling
    noise: FloatArray | None

    def daily(self, unit: Unit, part: slice = ALL) -> tuple[NDArray[np.int64], FloatArray]:
        """Return what is lost on the observed days of a unit's window.

        Parameters
        ----------
        unit : Unit
        part : slice, optional
            The draws to take; all of them by default.

        Returns
        -------
        days : ndarray of int, shape (n_days,)
            Positions in the calendar.
        draws : ndarray, shape (chain * draw, n_days), downloads/day
        """
        return self._without(unit, part, self.acting.lift(unit.members, part))

    def sums(self, units: Sequence[Unit]) -> FloatArray:
        """Return the cumulative effects of some units.

        Parameters
        ----------
        units : sequence of Unit

        Returns
        -------
        ndarray, shape (chain * draw, unit), downloads
        """
        self._expect(units)
        totals = np.empty((n_draws := len(self.acting.impulse), len(units)))
        whole = self.coupling == "superposition"  # its draws come from one stream for each unit
        tasks = [
            (i, part)
            for i, unit in enumerate(units)
            for part in ([ALL] if whole else parts_of(n_draws, int(unit.window.sum())))
        ]

        def run(task: tuple[int, slice]) -> None:
            i, part = task
            totals[part, i] = self.daily(units[i], part)[1].sum(axis=1)

        _each(run, tasks)
        return totals

    def singles_and_all(
        self, singles: Sequence[Unit], together: Unit
    ) -> tuple[FloatArray, FloatArray]:
        """Return the cumulative effects of all posts one by one, and of all together.

        Where responses add up each is made once for both.

        Parameters
        ----------
        singles : sequence of Unit
            One post each, in order of time.
        together : Unit
            All of them.

        Returns
        -------
        each : ndarray, shape (chain * draw, post), downloads
        whole : ndarray, shape (chain * draw, 1), downloads
        """
        if not self.acting.separable or self.coupling == "superposition":
            return self.sums(singles), self.sums([together])
        self._expect(singles)
        n_draws = len(self.acting.impulse)
        each, whole = np.empty((n_draws, len(singles))), np.empty((n_draws, 1))
        first, last = self.acting.span(together.members)

        def run(part: slice) -> None:
            values = np.zeros((len(self.acting.responses.shape[part]), last - first))
            for i, unit in enumerate(singles):
                lift = self.acting.lift(unit.members, part)
                begin = lift.first_day - first
                values[:, begin : begin + lift.values.shape[1]] += lift.values
                each[part, i] = self._without(unit, part, lift)[1].sum(axis=1)
            whole[part, 0] = self._without(together, part, Lift(first, values))[1].sum(axis=1)

        _each(run, parts_of(n_draws, int(together.window.sum())))
        return each, whole

    def _expect(self, units: Sequence[Unit]) -> None:
        """Get ready for the exponentials of some units: two of the kernel, one of the loss."""
        n_draws, n_posts = len(self.acting.impulse), sum(len(unit.members) for unit in units)
        expect(3 * n_draws * n_posts * self.acting.window_days)

    def _without(self, unit: Unit, part: slice, lift: Lift) -> tuple[NDArray[np.int64], FloatArray]:
        """Return the days of a unit and what is lost on them, given its lift."""
        downloads = self.acting.downloads
        days = np.flatnonzero(unit.window & np.isfinite(downloads))
        gone = _on(lift, days)
        if self.noise is not None:
            gone = gone - self.noise[part, days]
        if self.coupling == "superposition":
            rng = stream(int(self.posterior.attrs.get("seed", 0)), "coupling", unit.by, unit.name)
            return days, superposed(downloads[days], gone, rng)
        return days, lost_downloads(self.posterior, downloads[days], gone)


def _on(lift: Lift, days: NDArray[np.int64]) -> FloatArray:
    """Return the draws of a lift on some days, 0 where it is not; not a copy where all are."""
    inside = days - lift.first_day
    n_days = lift.values.shape[1]
    if len(days) and inside[0] >= 0 and inside[-1] < n_days and np.ptp(inside) == len(days) - 1:
        return lift.values[:, inside[0] : inside[-1] + 1]
    acting = (inside >= 0) & (inside < n_days)
    out = np.zeros((len(lift.values), len(days)))
    out[:, acting] = lift.values[:, inside[acting]]
    return out


def _each[Task](run: Callable[[Task], None], tasks: Iterable[Task]) -> None:
    list(mapped(os.cpu_count() or 1)(run, tasks))
