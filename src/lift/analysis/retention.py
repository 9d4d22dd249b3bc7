"""Retention of the users that posts bring: estimated from cohorts, or assumed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.cohort_rates import DELTA_SD, draw_rates
from lift.analysis.counterfactual import log_lift, lost_share
from lift.analysis.survival import DISCREPANCY_SD, Curve, fit_curve
from lift.data.cohorts import Cohorts
from lift.errors import InputError, Problem
from lift.model.assumption import RetentionAssumption
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

COHORT_RATES = "cohort rates"
N_DRAWS = 400
"""Draws of the downloads for which retention is drawn: the Monte Carlo error of a mean is a
twentieth of its posterior sd, and a campaign of a year takes seconds."""
MIN_COHORTS = 14
"""Observed cohorts from which on a day's retention is estimated: two of each weekday."""
MOSTLY_PRIOR = 0.7
"""Posterior over prior sd of the odds ratio from which on the cohorts are said to tell little."""
LOW_EFFICIENCY = 0.02
POOR_FIT = 3 * DISCREPANCY_SD
"""Misfit of the curve on an observed day (log-odds) from which on it is said."""


@dataclass(frozen=True, eq=False)
class Retention:
    """Draws of how many of the downloads that posts brought turn into users.

    Attributes
    ----------
    basis : str
        What it rests on: ``"cohort rates"``, or ``"assumption-driven: ..."``.
    chosen : ndarray of int, shape (n_draws,)
        The draw of the downloads' posterior, chains flattened, that each draw belongs to; as many
        of each chain.
    installs : ndarray, shape (n_draws or 1, n_dates or 1)
        Installs (or activations) per download of a date.
    shares : dict of int to ndarray, shape (n_draws, n_dates or 1)
        By observed day after the install: share of post-driven installs of a date active then.
    organic : dict of int to ndarray, shape (n_draws,)
        The same of installs that came anyway, or of the benchmark.
    curve : Curve
        For every other day.
    quality : ndarray, shape (n_draws,), or None
        Assumed ratio that multiplies shares and curve; None where retention was estimated.
    notes : dict of int to str
        What is to be said of results on an observed day; under 0, of all.
    kept_away : dict of int to ndarray, shape (n_draws, n_dates)
        By observed day: share of the installs of a date that posts kept away which would have been
        active then. They are taken to be retained like those that came anyway.
    """

    basis: str
    chosen: NDArray[np.int64]
    installs: FloatArray
    shares: dict[int, FloatArray]
    organic: dict[int, FloatArray]
    curve: Curve
    quality: FloatArray | None
    notes: dict[int, str]
    kept_away: dict[int, FloatArray] = field(default_factory=dict)

    def _without_quality(self, day: int) -> FloatArray:
        if day in self.shares:
            return self.shares[day]
        return self.curve.at(np.array([float(day)]))

    def share(self, day: int) -> FloatArray:
        """Return the share of post-driven installs active on a day, (n_draws, n_dates or 1)."""
        base = self._without_quality(day)
        return base if self.quality is None else np.minimum(base * self.quality[:, None], 1.0)

    def share_kept_away(self, day: int) -> FloatArray:
        """Return the share of installs that posts kept away which would have been active on a day.

        Shape (n_draws, n_dates or 1). As for post-driven installs where it was not estimated: on
        a day that was not observed, and where retention is assumed.
        """
        return self.kept_away[day] if day in self.kept_away else self.share(day)

    def per_quality(self, day: int) -> FloatArray:
        """Return the derivative of the share in the quality ratio; NaN where none is assumed."""
        base = self._without_quality(day)
        if self.quality is None:
            return np.full_like(base, np.nan)
        return np.where(base * self.quality[:, None] < 1.0, base, 0.0)

    def alive(self, age_days: FloatArray) -> FloatArray:
        """Return the share of post-driven installs still users at some ages, by the curve."""
        ages = np.asarray(age_days, dtype=np.float64)
        share = self.curve.at(ages)
        if self.quality is None:
            return share
        return np.where(ages == 0, 1.0, np.minimum(share * self.quality[:, None], 1.0))

    def extrapolated(self, day: int) -> bool:
        """Tell whether a day lies beyond the last observed one."""
        return day > max(self.shares)

    def note(self, day: int) -> str:
        """Return what is to be said of results on a day."""
        notes = [self.notes.get(0, ""), self.notes.get(day, "")]
        if day not in self.shares:
            seen = ", ".join(str(other) for other in sorted(self.shares))
            notes.append(f"day {day} from the retention curve, observed on day {seen}")
            if self.curve.misfit > POOR_FIT:
                notes.append(
                    f"the curve misses observed days by up to {self.curve.misfit:.2f} in log-odds"
                )
        return "; ".join(note for note in notes if note)

    def table(self, days: tuple[int, ...] = (1, 7, 30, 90), prob: float = 0.95) -> pd.DataFrame:
        """Return the retention of post-driven installs by day.

        Parameters
        ----------
        days : tuple of int
            Days after the install, observed or not.
        prob : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        DataFrame
            Columns day, mean, lower, upper (share of post-driven installs active; the mean over
            dates), organic_mean, ratio_mean, ratio_lower, ratio_upper, prob_lower (probability
            that posts' users are retained less; all NaN on days not observed), basis,
            extrapolated, note.
        """
        tails = [(1 - prob) / 2, (1 + prob) / 2]
        rows = []
        for day in days:
            own = self.share(day).mean(axis=1)
            organic = self.organic.get(day, np.full(len(own), np.nan))
            ratio = own / organic
            row: dict[str, object] = {"day": day, "mean": own.mean()}
            row["lower"], row["upper"] = np.quantile(own, tails)
            row |= {"organic_mean": organic.mean(), "ratio_mean": ratio.mean()}
            row["ratio_lower"], row["ratio_upper"] = np.quantile(ratio, tails)
            row["prob_lower"] = (ratio < 1).mean() if day in self.organic else np.nan
            row |= {"basis": self.basis, "extrapolated": self.extrapolated(day)}
            rows.append(row | {"note": self.note(day)})
        return pd.DataFrame(rows)


def can_estimate(posterior: Posterior) -> bool:
    """Tell whether a posterior has the cohorts that retention can be estimated from.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    bool
    """
    cohorts = posterior.cohorts
    if cohorts is None:
        return False
    counts = [cohorts.on(posterior.dates, day) for day in cohorts.days]
    return any(_n_observed(*pair) >= MIN_COHORTS for pair in counts)


def _n_observed(installs: FloatArray, active: FloatArray) -> int:
    return int((np.isfinite(active) & (installs > 0)).sum())


def retention_of(
    posterior: Posterior,
    spec: ModelSpec,
    given: RetentionAssumption | Cohorts | None = None,
    *,
    n_draws: int = N_DRAWS,
    seed: int | None = None,
) -> Retention:
    """Return how post-driven installs are retained, from the best that is known.

    Parameters
    ----------
    posterior : Posterior
    spec : ModelSpec
        The one it was fitted with.
    given : RetentionAssumption or Cohorts, optional
        What to use instead of the run's own: else its cohorts, else its stated assumption.
    n_draws : int
        As in :func:`cohort_retention`.
    seed : int, optional
        Root seed; the run's own by default.

    Returns
    -------
    Retention

    Raises
    ------
    InputError
        If nothing is known or assumed, or too few cohorts were observed.
    """
    stated = None if spec.users is None else spec.users.assumption
    found = given or posterior.cohorts or stated
    if found is None:
        what = (
            "users need a cohort table or a stated retention, found neither; add cohorts to the "
            "campaign, or [users.assumption] to model.toml, or give one with the call"
        )
        raise InputError([Problem("users", what)])
    if isinstance(found, Cohorts):
        return cohort_retention(posterior, found, n_draws=n_draws, seed=seed)
    return assumed_retention(posterior, found, seed=seed)


def cohort_retention(
    posterior: Posterior, cohorts: Cohorts, *, n_draws: int = N_DRAWS, seed: int | None = None
) -> Retention:
    """Return how post-driven installs are retained, from the rates of the install days' cohorts.

    Given each of some draws of the downloads' posterior, and so of the share of each day's
    installs that posts brought, the retention of those is drawn from the rates; what is believed
    of the downloads stays as it was (a "cut" posterior).

    Parameters
    ----------
    posterior : Posterior
    cohorts : Cohorts
    n_draws : int
        Draws of the downloads that are used, evenly spaced in every chain.
    seed : int, optional
        Root seed; the run's own by default.

    Returns
    -------
    Retention

    Raises
    ------
    InputError
        If on no day after the install 14 cohorts were observed.
    """
    dates = posterior.dates
    chosen = _thinned(posterior, n_draws)
    downloads = posterior.downloads.to_numpy()
    share = np.zeros((len(chosen), len(dates)))
    lift = log_lift(posterior, np.arange(len(posterior.posts)))
    span = slice(lift.first_day, lift.first_day + lift.values.shape[1])
    share[:, span] = lost_share(posterior, lift)[chosen]
    counts = {day: cohorts.on(dates, day) for day in cohorts.days}
    installs = next(iter(counts.values()))[0]
    shares, organic, kept_away, rates = {}, {}, {}, {}
    notes = {0: _install_note(installs, downloads)}
    weight = np.nan_to_num(np.maximum(share.mean(axis=0), 0.0) * installs)
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(dates), 1 / len(dates))
    for day, (size, active) in counts.items():
        if _n_observed(size, active) < MIN_COHORTS:
            continue
        rng = stream(_seed(posterior, seed), "users", "rates", str(day))
        drawn = draw_rates(share, size, active, dates.day_of_week.to_numpy(np.int64), rng)
        shares[day] = drawn.incremental
        organic[day] = drawn.organic.mean(axis=1)
        kept_away[day] = drawn.organic
        rates[day] = drawn.incremental @ weight
        said = []
        if drawn.delta.std() > MOSTLY_PRIOR * DELTA_SD:
            said.append(f"day {day} mostly prior: the cohorts say little of the posts' users")
        if drawn.efficiency < LOW_EFFICIENCY:
            said.append(f"REVIEW: importance resampling kept {drawn.efficiency:.1%} of its points")
        notes[day] = "; ".join(said)
    if not shares:
        what = (
            f"{MIN_COHORTS} cohorts must have a value of one active_dN on days of the run, found "
            "fewer in every column; add rows, or give a retention assumption"
        )
        raise InputError([Problem("cohorts", what)])
    days = tuple(sorted(shares))
    rng = stream(_seed(posterior, seed), "users", "curve")
    return Retention(
        basis=COHORT_RATES,
        chosen=chosen,
        installs=_installs_per_download(installs, downloads)[None],
        shares=shares,
        organic=organic,
        curve=fit_curve(days, np.column_stack([rates[day] for day in days]), rng),
        quality=None,
        notes=notes,
        kept_away=kept_away,
    )


def assumed_retention(
    posterior: Posterior, assumption: RetentionAssumption, *, seed: int | None = None
) -> Retention:
    """Return how post-driven downloads are retained if an assumption holds.

    The rates on different days are drawn together: where the benchmark is too high on one, it is
    on all. Activation and quality are drawn apart from them.

    Parameters
    ----------
    posterior : Posterior
    assumption : RetentionAssumption
    seed : int, optional
        Root seed; the run's own by default.

    Returns
    -------
    Retention
        One draw for every draw of the posterior.
    """
    n_draws = posterior.draws.sizes["chain"] * posterior.draws.sizes["draw"]
    rng = stream(_seed(posterior, seed), "users", "assumption")
    uniform = rng.uniform(size=(3, n_draws))
    normal = rng.normal(size=n_draws)
    days = tuple(sorted(assumption.retention))
    rates = np.column_stack([assumption.retention[day].quantile(uniform[0]) for day in days])
    activation = (
        np.ones(n_draws)
        if isinstance(assumption.activation, str)
        else assumption.activation.quantile(uniform[1])
    )
    return Retention(
        basis=assumption.basis,
        chosen=np.arange(n_draws),
        installs=activation[:, None],
        shares={day: rates[:, k : k + 1] for k, day in enumerate(days)},
        organic={day: rates[:, k] for k, day in enumerate(days)},
        curve=fit_curve(days, rates, rng),
        quality=assumption.quality.median * np.exp(assumption.quality.sd * normal),
        notes={0: "assumption-driven: no data of users"},
    )


def _thinned(posterior: Posterior, n_draws: int) -> NDArray[np.int64]:
    """Return positions of draws, evenly spaced in every chain, chains flattened."""
    n_chains, length = posterior.draws.sizes["chain"], posterior.draws.sizes["draw"]
    kept = max(1, min(length, n_draws // n_chains))
    own = ((np.arange(kept) + 0.5) * length / kept).astype(np.int64)
    return np.asarray((np.arange(n_chains)[:, None] * length + own).ravel())


def _seed(posterior: Posterior, seed: int | None) -> int:
    return int(posterior.attrs.get("seed", 0)) if seed is None else seed


def _installs_per_download(installs: FloatArray, downloads: FloatArray) -> FloatArray:
    """Return installs per download by date; the overall ratio, or 1, where one is not known."""
    known = np.isfinite(installs) & (downloads > 0)
    if not known.any():
        return np.ones(len(downloads))
    ratio = np.full(len(downloads), installs[known].sum() / downloads[known].sum())
    ratio[known] = installs[known] / downloads[known]
    return ratio


def _install_note(installs: FloatArray, downloads: FloatArray) -> str:
    known = np.isfinite(installs) & (downloads > 0)
    share = installs[known].sum() / downloads[known].sum() if known.any() else 1.0
    missing = int((np.isnan(installs) & np.isfinite(downloads)).sum())
    notes = []
    if abs(share - 1) > 0.05:
        notes.append(f"installs of the cohorts are {share:.0%} of the downloads")
    if missing:
        notes.append(f"{missing} day(s) without a cohort: installs and retention taken as nearby")
    return "; ".join(notes)
