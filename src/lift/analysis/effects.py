"""Incremental downloads of posts and groups of posts: leave-one-out effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.acting import Acting, read_acting
from lift.analysis.caveats import of_mean, of_window
from lift.analysis.counterfactual import interval_tail, is_linear
from lift.analysis.coupling import Coupling, check_coupling
from lift.analysis.diagnostics import mcse_mean
from lift.analysis.schema import in_schema
from lift.analysis.totals import Losses
from lift.analysis.units import BY as BY
from lift.analysis.units import NOT_GIVEN
from lift.analysis.units import Unit as Unit
from lift.errors import InputError, Problem
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]
Totals = tuple[list[Unit], FloatArray]

DOWNLOADS = "downloads"
ONLY_PRIOR = "only prior"


@dataclass(frozen=True, eq=False)
class Effects:
    """Leave-one-out effects: observed downloads less those without a set of posts.

    ``D_S = sum_t Y_t (1 - exp(-sum_{j in S} f_jt))`` over the observed days of the set's window.
    Effects of single posts do not add up to that of the campaign where posts overlap. On the linear
    scale ``D_S = sum_t sum_{j in S} f_jt``: there they add up, day by day. Of responses that
    saturate the sum over S is what it adds to all others.

    Attributes
    ----------
    posterior : Posterior
    post_notes : mapping of str to str
        What tables say beside a post, by its id, such as that it is only prior.
    coupling : "shared", "independent" or "superposition"
        What the days without the posts have in common with those observed; see
        :mod:`lift.analysis.coupling`.
    noise : ndarray, shape (chain * draw, n_dates), optional
        For ``"independent"``: noise of the days without the posts less that of the observed days.

    Raises
    ------
    InputError
        If the coupling cannot be.
    """

    posterior: Posterior
    post_notes: Mapping[str, str] = field(default_factory=dict, repr=False)
    coupling: Coupling = "shared"
    noise: FloatArray | None = field(default=None, repr=False)
    _cache: dict[str, Totals] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the coupling."""
        check_coupling(self.posterior, self.coupling, self.noise)

    @cached_property
    def _acting(self) -> Acting:
        return read_acting(self.posterior)

    @cached_property
    def losses(self) -> Losses:
        """The downloads that there would not have been without some posts."""
        return Losses(self.posterior, self._acting, self.coupling, self.noise)

    @cached_property
    def _calendar(self) -> tuple[int, int]:
        """Days of the data, and of the horizon."""
        return len(self.posterior.dates), int(self.posterior.attrs["horizon_days"])

    @cached_property
    def _post_days(self) -> NDArray[np.int64]:
        return self.posterior.posts["post_day"].to_numpy()

    @cached_property
    def _ids(self) -> NDArray[np.str_]:
        return self.posterior.posts["post"].to_numpy(dtype=str)

    def units(self, by: str = "post") -> list[Unit]:
        """Return the sets of posts of a kind.

        Parameters
        ----------
        by : str
            ``"post"``, ``"influencer"``, ``"platform"``, ``"creator_type"``, ``"content"`` or
            ``"campaign"``.

        Returns
        -------
        list of Unit
            In order of time for posts, else by name.

        Raises
        ------
        InputError
            If the kind is unknown, or no post has that attribute.
        """
        if by not in BY:
            what = f"by must be one of {', '.join(BY)}, found {by!r}"
            raise InputError([Problem("effects", what)])
        posts = self.posterior.posts
        if by == "campaign":
            names = pd.Series("campaign", index=posts.index)
        else:
            names = posts[by].astype(str)
            if (names == "").all():
                what = f"no post of the run has a {by}; add the column to the posts table"
                raise InputError([Problem("posts", what)])
            names = names.replace("", NOT_GIVEN)
        codes, levels = pd.factorize(names, sort=by != "post")
        return [
            self.unit(by, str(name), np.flatnonzero(codes == i)) for i, name in enumerate(levels)
        ]

    def unit(self, by: str, name: str, members: NDArray[np.int64]) -> Unit:
        """Return the set of some posts.

        Parameters
        ----------
        by, name : str
        members : ndarray of int
            Positions of the posts.

        Returns
        -------
        Unit
        """
        n_days, horizon = self._calendar
        since = np.arange(n_days) - np.unique(self._post_days[members])[:, None]
        window = ((since >= 0) & (since <= horizon)).any(axis=0)
        return Unit(by, name, members, window)

    def available(self) -> tuple[str, ...]:
        """Return the kinds of sets that the posts' attributes allow."""
        posts = self.posterior.posts
        return tuple(by for by in BY if by == "campaign" or (posts[by].astype(str) != "").any())

    def daily_draws(self, unit: Unit) -> tuple[NDArray[np.int64], FloatArray]:
        """Return a unit's incremental downloads on the observed days of its window.

        Parameters
        ----------
        unit : Unit

        Returns
        -------
        days : ndarray of int, shape (n_days,)
            Positions in the calendar.
        draws : ndarray, shape (chain * draw, n_days), downloads/day
        """
        return self.losses.daily(unit)

    def _totals(self, by: str) -> Totals:
        """Return units and their cumulative effects, shape (chain * draw, unit)."""
        if by not in self._cache and by == "post":
            posts, (campaign,) = self.units("post"), self.units("campaign")
            each, whole = self.losses.singles_and_all(posts, campaign)
            self._cache.update({"post": (posts, each), "campaign": ([campaign], whole)})
        elif by not in self._cache:
            self._cache[by] = (units := self.units(by), self.losses.sums(units))
        return self._cache[by]

    def noted(self, post_notes: Mapping[str, str]) -> Effects:
        """Return the same effects with other notes on the posts; nothing is computed again.

        Parameters
        ----------
        post_notes : mapping of str to str
            By the ids of the posts.

        Returns
        -------
        Effects
        """
        out = replace(self, post_notes=post_notes)
        out._cache.update(self._cache)
        return out

    def interaction_index(self, prob: float = 0.95) -> float:
        """Return by how much single effects overstate the campaign's when they are added up.

        Parameters
        ----------
        prob : float
            Probability of the campaign's interval, in (0, 1).

        Returns
        -------
        float
            The sum of the single effects of all posts over the effect of the campaign, less 1
            (posterior means); NaN where the campaign's interval includes zero, since the ratio is
            then idle.

        Raises
        ------
        InputError
            If the probability cannot be.
        """
        tail = interval_tail(prob)
        whole = self._totals("campaign")[1][:, 0]
        lower, upper = np.quantile(whole, [tail, 1 - tail])
        if lower <= 0 <= upper:
            return float("nan")
        return float(self._totals("post")[1].mean(axis=0).sum() / whole.mean() - 1.0)

    def draws(self, by: str = "post") -> xr.DataArray:
        """Return draws of the incremental downloads over the horizon.

        Parameters
        ----------
        by : str
            As in :meth:`units`.

        Returns
        -------
        DataArray, dims (chain, draw, <by>), downloads
        """
        units, totals = self._totals(by)
        sizes = self.posterior.draws.sizes
        return xr.DataArray(
            totals.reshape(sizes["chain"], sizes["draw"], len(units)),
            dims=("chain", "draw", by),
            coords={
                "chain": self.posterior.draws["chain"].to_numpy(),
                "draw": self.posterior.draws["draw"].to_numpy(),
                by: [unit.name for unit in units],
            },
            name="incremental_downloads",
        )

    def table(self, by: str = "post", prob: float = 0.95) -> pd.DataFrame:
        """Return incremental downloads over the horizon, one row per unit.

        Parameters
        ----------
        by : str
            As in :meth:`units`.
        prob : float
            Probability of the equal-tailed interval, in (0, 1).

        Returns
        -------
        DataFrame
            Columns by, unit, outcome ("downloads"), n_posts, start, end (days of the window),
            n_days (observed days in it), observed (downloads on them), mean, median, sd, lower,
            upper (incremental downloads), prob, prob_positive, mcse_mean, relative_mean,
            relative_lower, relative_upper (incremental over counterfactual downloads),
            interaction_index (of the campaign, the same in every row), coupling, note.

        Raises
        ------
        InputError
            If the kind or the probability cannot be.
        """
        tail = interval_tail(prob)
        downloads = self.posterior.downloads.to_numpy()
        dates = self.posterior.dates
        draws = self.draws(by).to_numpy()
        index = self.interaction_index(prob)
        rows = []
        for i, unit in enumerate(self.units(by)):
            mine = draws[..., i]
            days = np.flatnonzero(unit.window)
            seen = unit.window & np.isfinite(downloads)
            observed = float(downloads[seen].sum())
            relative = mine / (observed - mine) if observed > 0 else np.zeros_like(mine)
            lower, median, upper = np.quantile(mine, [tail, 0.5, 1 - tail])
            relative_lower, relative_upper = np.quantile(relative, [tail, 1 - tail])
            rows.append(
                {
                    "by": by,
                    "unit": unit.name,
                    "outcome": DOWNLOADS,
                    "n_posts": len(unit.members),
                    "start": dates[days[0]],
                    "end": dates[days[-1]],
                    "n_days": int(seen.sum()),
                    "observed": observed,
                    "mean": float(mine.mean()),
                    "median": float(median),
                    "sd": float(mine.std(ddof=1)),
                    "lower": float(lower),
                    "upper": float(upper),
                    "prob": prob,
                    "prob_positive": float((mine > 0).mean()),
                    "mcse_mean": mcse_mean(mine),
                    "relative_mean": float(relative.mean()),
                    "relative_lower": float(relative_lower),
                    "relative_upper": float(relative_upper),
                    "interaction_index": index,
                    "coupling": self.coupling,
                    "note": "; ".join(filter(None, [self.note(unit), of_mean(mine)])),
                }
            )
        return pd.DataFrame(rows)

    def note(self, unit: Unit) -> str:
        """Return what limits a unit's effect, such as that it is only prior; else "".

        Parameters
        ----------
        unit : Unit

        Returns
        -------
        str
        """
        notes = []
        of_posts = [self.post_notes.get(str(post), "") for post in self._ids[unit.members]]
        if unit.by == "post":
            notes += of_posts
        elif all(ONLY_PRIOR in said for said in of_posts):
            notes.append(f"{ONLY_PRIOR}: so is every post of it")
        end = int(self._post_days[unit.members].max()) + int(self.posterior.attrs["horizon_days"])
        multiplies = not is_linear(self.posterior) and self.coupling != "independent"
        downloads = self.posterior.downloads.to_numpy()
        notes += of_window(downloads, unit.window, end + 1, multiplies=multiplies)
        return "; ".join(filter(None, notes))

    def daily(self, by: str = "post", prob: float = 0.95) -> pd.DataFrame:
        """Return incremental downloads day by day, one row per unit and observed day.

        Parameters
        ----------
        by : str
            As in :meth:`units`.
        prob : float
            Probability of the equal-tailed interval, in (0, 1).

        Returns
        -------
        DataFrame
            Columns by, unit, outcome, date, observed, mean, lower, upper (downloads/day), coupling,
            note.
        """
        tail = interval_tail(prob)
        downloads = self.posterior.downloads.to_numpy()
        dates = self.posterior.dates
        parts = []
        for unit in self.units(by):
            days, draws = self.daily_draws(unit)
            lower, upper = np.quantile(draws, [tail, 1 - tail], axis=0)
            parts.append(
                pd.DataFrame(
                    {
                        "by": by,
                        "unit": unit.name,
                        "outcome": DOWNLOADS,
                        "date": dates[days],
                        "observed": downloads[days],
                        "mean": draws.mean(axis=0),
                        "lower": lower,
                        "upper": upper,
                        "coupling": self.coupling,
                        "note": self.note(unit),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def long(self, prob: float = 0.95) -> pd.DataFrame:
        """Return every effect on downloads in one table, in the schema of all effects.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        DataFrame
            The columns of :mod:`lift.analysis.schema`: those of :meth:`table`, with ``quantity``
            (``"cumulative"``: a row per unit; ``"daily"``: a row per unit and observed day, with
            ``date``), ``basis`` (what the numbers rest on) and ``extrapolated``.
        """
        tables = [self.table(by, prob).assign(quantity="cumulative") for by in self.available()]
        tables += [self.daily(by, prob).assign(quantity="daily") for by in self.available()]
        table = pd.concat([in_schema(part) for part in tables], ignore_index=True)
        return table.assign(prob=prob, basis=DOWNLOADS, extrapolated=False)
