"""A fitted campaign: what was observed, believed and computed, and all that is read off it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lift.analysis.attribution import attribution_table
from lift.analysis.components import N_DRAWS, Components, components
from lift.analysis.convergence import every_finding
from lift.analysis.counterfactual import curve
from lift.analysis.coupling import Coupling, redrawn_noise
from lift.analysis.diagnostics import Finding
from lift.analysis.displacement import displacement_table
from lift.analysis.effects import Effects
from lift.analysis.hierarchy import contrast_table
from lift.analysis.identifiability import Identifiability, identifiability, noted_effects
from lift.analysis.money import money
from lift.analysis.monthly import monthly_active_users
from lift.analysis.next_post import Prediction, predict_next
from lift.analysis.outcomes import MONEY_DAY, Outcomes, outcomes
from lift.analysis.retention import Retention, can_estimate, retention_of
from lift.analysis.users import DAYS, Users, estimate_users
from lift.data.campaign import Campaign
from lift.data.cohorts import Cohorts
from lift.errors import RunError
from lift.model.assumption import RetentionAssumption
from lift.model.design import build_design
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

type Given = RetentionAssumption | Cohorts | None
"""What a caller may say of retention."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """A fitted campaign: what was observed, believed and computed.

    Attributes
    ----------
    posterior : Posterior
    spec : ModelSpec
    manifest : mapping
        Provenance: inputs, seed, versions, wall time; see :mod:`lift.output.manifest`.
    campaign : Campaign or None
        None where the analysis was loaded from a run directory.
    truth : DataFrame or None
        Columns by, unit, truth, where the campaign was simulated.
    """

    posterior: Posterior
    spec: ModelSpec = field(repr=False)
    manifest: Mapping[str, Any] = field(repr=False)
    campaign: Campaign | None = field(default=None, repr=False)
    truth: pd.DataFrame | None = field(default=None, repr=False)

    @cached_property
    def effects(self) -> Effects:
        """Incremental downloads of posts and groups of posts."""
        return noted_effects(self.posterior, self.spec)

    @cached_property
    def user_effects(self) -> dict[int, Effects]:
        """Effects on the users of each install day themselves, by day after the install."""
        series = self.posterior.user_series
        return {day: noted_effects(fit, self.spec) for day, fit in series.items()}

    @cached_property
    def retention(self) -> Retention:
        """How post-driven installs are retained, from the run's cohorts or its assumption."""
        return retention_of(self.posterior, self.spec)

    def users(self, by: str = "post", days: Sequence[int] = DAYS, retention: Given = None) -> Users:
        """Return draws and table of incremental users active on some days after their install.

        Parameters
        ----------
        by : str
            As in :meth:`Effects.units`.
        days : sequence of int
            Days after the install, 1 or more.
        retention : RetentionAssumption or Cohorts, optional
            What to go by instead of what the run holds.

        Returns
        -------
        Users

        Raises
        ------
        InputError
            If nothing is known or assumed of retention, or the kind of unit or a day cannot be.
        """
        fits = self.user_effects if retention is None else {}
        return estimate_users(self.effects, lambda: self._retained(retention), fits, by, days)

    def monthly_users(
        self, by: str = "campaign", prob: float = 0.95, retention: Given = None
    ) -> pd.DataFrame:
        """Return incremental monthly active users by day.

        Parameters
        ----------
        by, retention
            As for :meth:`users`.
        prob : float
            Probability of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            As :func:`lift.analysis.monthly.monthly_active_users`.
        """
        return monthly_active_users(self.effects, self._retained(retention), by, prob)

    def money(
        self,
        by: str = "post",
        days: Sequence[int] = (MONEY_DAY,),
        prob: float = 0.95,
        *,
        target: float | None = None,
        retention: Given = None,
    ) -> pd.DataFrame:
        """Return costs per incremental download and user, and both per thousand views.

        Parameters
        ----------
        by, days, retention
            As for :meth:`users`; users are left out where nothing is known of retention.
        prob : float
            Probability of the intervals, in (0, 1).
        target : float, optional
            Most that a download or user may cost.

        Returns
        -------
        DataFrame
            As :func:`lift.analysis.money.money`; a cost that cannot be bounded is infinite.

        Raises
        ------
        InputError
            If no post has a cost or views, or an argument cannot be.
        """
        known = self._retained(retention) if retention or self._knows_retention else None
        fits = self.user_effects if retention is None else {}
        return money(self.effects, known, fits, by=by, days=days, prob=prob, target=target)

    @cached_property
    def outcomes(self) -> Outcomes:
        """Tables of users and money, where the run has what they are made from."""
        known = self.retention if self._knows_retention else None
        return outcomes(self.effects, known, self.user_effects)

    @property
    def _knows_retention(self) -> bool:
        stated = self.spec.users is not None and self.spec.users.assumption is not None
        return stated or can_estimate(self.posterior)

    def displacement(self, by: str = "campaign", prob: float = 0.95) -> pd.DataFrame:
        """Return effects gross and net of pull-forward, and how much of it would undo them.

        Parameters
        ----------
        by : str
            As in :meth:`Effects.units`.
        prob : float
            Probability of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            As :func:`lift.analysis.displacement.displacement_table`.
        """
        return displacement_table(self.effects, self.spec, by, prob)

    def coupled(self, coupling: Coupling, campaign: Campaign | None = None) -> Analysis:
        """Return the same analysis with another coupling of the days with and without posts.

        Parameters
        ----------
        coupling : "shared", "independent" or "superposition"
            See :mod:`lift.analysis.coupling`.
        campaign : Campaign, optional
            The one that was analysed; needed for ``"independent"`` where the analysis was loaded.

        Returns
        -------
        Analysis
            Its effects, users and money have that coupling, and every table names it.

        Raises
        ------
        InputError
            If the coupling is not known, or is of counts where there are none.
        EngineError
            If the model's noise cannot be drawn again.
        RunError
            If the campaign is needed and not there.
        """
        given = self.campaign if campaign is None else campaign
        noise = None
        if coupling == "independent":
            given = self._tables(campaign, 'the coupling "independent" needs')
            noise = redrawn_noise(self.posterior, build_design(given, self.spec))
        made = replace(self, campaign=given)
        vars(made)["effects"] = replace(self.effects, coupling=coupling, noise=noise)
        return made

    def components(self, draws: int = N_DRAWS, campaign: Campaign | None = None) -> Components:
        """Return draws and table of what level, seasons, controls and posts add by day.

        Parameters
        ----------
        draws : int
            Stored draws to take, evenly spaced; see :func:`lift.analysis.components.components`.
        campaign : Campaign, optional
            The one that was analysed; needed where the analysis was loaded.

        Returns
        -------
        Components

        Raises
        ------
        InputError
            If the number of draws cannot be.
        EngineError
            If the posterior does not hold what the states depend on.
        RunError
            If the campaign is needed and not there, or is not the one that was fitted.
        """
        given = self._tables(campaign, "components need")
        return components(self.posterior, build_design(given, self.spec), draws)

    def _tables(self, given: Campaign | None, needs: str) -> Campaign:
        campaign = self.campaign if given is None else given
        if campaign is None:
            raise RunError(
                f"{needs} the tables of the campaign, and a stored run does not hold them; give "
                "the campaign"
            )
        return campaign

    def _retained(self, given: Given) -> Retention:
        return self.retention if given is None else retention_of(self.posterior, self.spec, given)

    @cached_property
    def identifiability(self) -> Identifiability:
        """What the data can tell apart: posts to be read together, posts that are only prior."""
        return identifiability(self.posterior, self.spec, effects=self.effects)

    def attribution(self, by: str = "post", prob: float = 0.95) -> pd.DataFrame:
        """Return leave-one-out, add-one-in, Aumann-Shapley and Shapley shares side by side.

        Parameters
        ----------
        by : str
            As in :meth:`Effects.units`.
        prob : float
            Probability of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            As :func:`lift.analysis.attribution.attribution_table`.
        """
        return attribution_table(self.posterior, by, prob, self.effects)

    def contrasts(self, prob: float = 0.95) -> pd.DataFrame:
        """Return the difference of every two levels of an attribute, adjusted for the others.

        Of two levels the one later in the alphabet less the earlier, such as virtual less human
        creators.

        Parameters
        ----------
        prob : float
            Probability of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            Columns attribute, level, other (the difference is ``level`` less ``other``), n_posts,
            n_other; mean, sd, lower, upper (log-lift-days per post at reference views: 1 is worth
            one day of downloads), prob, prob_positive; mean_per_100k_views; daily_downloads
            (median day), downloads_mean, downloads_lower, downloads_upper (downloads per post on
            such days); support (share of the posts in the range of views that both levels have;
            NaN where views are not given), note. No row where no attribute has two levels. See
            :func:`lift.analysis.hierarchy.contrast`.
        """
        return contrast_table(self.posterior, prob)

    def predict(self, posts: pd.DataFrame, *, seed: int = 1, prob: float = 0.95) -> Prediction:
        """Return the predictive distribution of the effects of next posts.

        Parameters
        ----------
        posts : DataFrame
            One row per post to come; see :func:`lift.analysis.next_post.predict_next`.
        seed : int
            Root seed.
        prob : float
            Probability of the intervals, in (0, 1).

        Returns
        -------
        Prediction
        """
        return predict_next(self.posterior, self.spec, posts, seed=seed, prob=prob)

    @cached_property
    def findings(self) -> list[Finding]:
        """Outcome of every numerical check of the draws."""
        return every_finding(self.effects)

    def counterfactual(
        self, without: Sequence[str] | None = None, prob: float = 0.95
    ) -> pd.DataFrame:
        """Return the download curve without some posts (all of them by default).

        Parameters
        ----------
        without : sequence of str, optional
            Ids of the posts.
        prob : float
            Probability of the interval, in (0, 1).

        Returns
        -------
        DataFrame
            Columns date, observed, mean, lower, upper (downloads/day); NaN where not observed.

        Raises
        ------
        InputError
            If a post is not known.
        """
        return curve(self.posterior, without, prob)

    def to_pymc(self) -> Any:
        """Return the same model as a PyMC model, to look at, change and sample.

        Returns
        -------
        pymc.Model

        Raises
        ------
        RunError
            If the analysis was loaded from a run, which does not hold the campaign.
        """
        if self.campaign is None:
            raise RunError(
                "a PyMC model needs the campaign's tables, and a stored run does not hold them; "
                "read the campaign and analyse it, or call lift.engines.pymc_model.build_model"
            )
        from lift.engines.pymc_model import build_model

        return build_model(build_design(self.campaign, self.spec))

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run directory: posterior, effects, specification, manifest, figures, report.

        Parameters
        ----------
        folder : str or Path
            Must not exist, be empty or, with ``overwrite``, be an earlier run.
        overwrite : bool

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        RunError
            If something else is in the way.
        """
        from lift.output import store

        return store.save(
            Path(folder),
            posterior=self.posterior,
            effects=self.effects,
            spec=self.spec,
            manifest=self.manifest,
            findings=self.findings,
            truth=self.truth,
            outcomes=self.outcomes,
            overwrite=overwrite,
        )
