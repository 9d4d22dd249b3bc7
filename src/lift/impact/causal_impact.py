"""``CausalImpact``: one intervention in one series, priors and answers as in R's package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Literal

from lift.errors import DiagnosticsError, InputError, Problem
from lift.impact.fit import ImpactFit, fit
from lift.impact.periods import Intervention, Period, read_intervention
from lift.impact.settings import ImpactSettings, settings_from
from lift.impact.tables import (
    coefficient_array,
    convergence_table,
    post_outcome,
    posterior_dataset,
    series_table,
    summary_table,
    worst_r_hat,
)
from lift.impact.text import report_text, summary_text

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

BAD_R_HAT = 1.05


@dataclass(frozen=True, eq=False)
class ImpactResult:
    """What ``CausalImpact`` found.

    Attributes
    ----------
    summary_data : DataFrame
        Rows Average and Cumulative; columns as in R: Actual, Pred, AbsEffect, RelEffect with
        .lower, .upper and .sd, alpha, p.
    notes : tuple of str
        What is allowed in the data but worth knowing.
    rows : Intervention
        The checked data.
    fitted : ImpactFit
        The sampled model and its predictions.
    settings : ImpactSettings
    alpha : float
    """

    summary_data: pd.DataFrame
    notes: tuple[str, ...]
    rows: Intervention
    fitted: ImpactFit
    settings: ImpactSettings
    alpha: float

    def __repr__(self) -> str:
        """Return one line: the cumulative effect with its interval, and p."""
        row = self.summary_data.loc["Cumulative"]
        return (
            f"ImpactResult(cumulative effect {row['AbsEffect']:,.4g}, "
            f"{100 * (1 - self.alpha):.6g}% interval "
            f"{row['AbsEffect.lower']:,.4g} to {row['AbsEffect.upper']:,.4g}, p {self.p_value:.3g})"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"

    @property
    def p_value(self) -> float:
        """The smaller tail of the predicted sums beyond the actual one; at most about a half."""
        return float(self.summary_data["p"].iloc[0])

    @cached_property
    def posterior(self) -> xr.Dataset:
        """Draws, dims (chain, draw[, control]).

        sigma_obs, sigma_level, sigma_season, sigma_coefficient, coefficient, inclusion,
        cumulative_effect.
        """
        return posterior_dataset(self.rows, self.fitted)

    @cached_property
    def coefficient_paths(self) -> xr.DataArray | None:
        """Draws of coefficients that walk, dims (draw, row, control); None where none does.

        Over the pre-period, of the columns as the model sees them, at most 1,000 draws.
        """
        return coefficient_array(self.rows, self.fitted)

    @cached_property
    def convergence(self) -> pd.DataFrame:
        """R-hat, effective draws and Monte Carlo error of the cumulative effect and the sds."""
        return convergence_table(self.posterior)

    @cached_property
    def inferences(self) -> pd.DataFrame:
        """Predictions and effects on every row, computed when first asked for.

        Columns as in R: response, cum.response, point.pred, cum.pred, point.effect, cum.effect with
        .lower and .upper; NaN on rows outside the periods.
        """
        return series_table(self.rows, self.fitted, self.alpha)

    def summary(self, output: Literal["summary", "report"] = "summary", digits: int = 2) -> str:
        """Return the result as a table or in sentences.

        Parameters
        ----------
        output : "summary" or "report"
        digits : int
            Digits after the point.

        Raises
        ------
        InputError
            If ``output`` is something else.
        """
        n_draws = len(self.fitted.ahead.sums[1])
        if output == "summary":
            return summary_text(self.summary_data, self.notes, digits, n_draws)
        if output == "report":
            return report_text(
                self.summary_data, self.rows.outcome_name, self.notes, digits, n_draws
            )
        raise InputError([Problem("output", f"must be 'summary' or 'report', found {output!r}")])

    def plot(self, panels: Sequence[str] = ("original", "pointwise", "cumulative")) -> Figure:
        """Return a figure: outcome and prediction, effect by row, effect so far.

        Parameters
        ----------
        panels : sequence of "original", "pointwise", "cumulative"

        Raises
        ------
        InputError
            If a panel is not known, or none is asked for.
        """
        from lift.impact.plot import PANELS, impact_figure

        unknown = [panel for panel in panels if panel not in PANELS]
        if unknown or not panels:
            raise InputError(
                [Problem("panels", f"must be of {', '.join(PANELS)}, found {list(panels)!r}")]
            )
        rows = self.rows
        return impact_figure(
            self.inferences.iloc[rows.first : rows.post_end],
            rows.index[rows.post_start],
            rows.index[rows.pre_end - 1],
            panels=panels,
            outcome=rows.outcome_name,
            level=f"{100.0 * (1.0 - self.alpha):g}%",
        )


def CausalImpact(
    data: object,
    pre_period: Period,
    post_period: Period,
    model_args: Mapping[str, object] | None = None,
    alpha: float = 0.05,
    seed: int = 1,
) -> ImpactResult:
    """Return the effect of one intervention on one series, as R's CausalImpact 1.3 models it.

    A local level, a season if asked for and a spike-and-slab regression on the controls are learnt
    before the intervention and carried on after it. Priors and summaries are R's; the sampler is
    lift's own: states and coefficients are integrated out, so that draws are nearly independent.

    Parameters
    ----------
    data : DataFrame, Series or array
        First column the outcome (NaN where not observed), the others controls without gaps. The
        index holds dates or whole numbers.
    pre_period, post_period : pair
        First and last label of the rows before and after, both included: dates, or whole numbers of
        the index (rows of an array are counted from 0, where R counts from 1). Rows between the two
        are predicted but not used.
    model_args : dict, optional
        niter (draws over all chains, 4000), standardize_data (True), prior_level_sd (0.01),
        prior_level_df (32; 1 lets the data say how far the level drifts), nseasons (1),
        season_duration (1), dynamic_regression (False; True: coefficients that walk, each with an
        sd of its own, in place of the spike-and-slab regression),
        post_period_covariates_in_prior (False; True as in R), chains (4);
        max_flips is taken and not used. R's dots for underscores are taken too. R has not: scale
        ("linear", "log" or "counts"), seasons (further ones, such as [(365.25, 2)]: period in rows
        and number of waves), holidays (country, such as "US").
    alpha : float
        Intervals cover 1 - alpha.
    seed : int
        Root seed, 0 or larger.

    Returns
    -------
    ImpactResult

    Raises
    ------
    InputError
        Naming every fault of data, periods and settings.
    DiagnosticsError
        If the draws must not be believed.

    Notes
    -----
    Brodersen, Gallusser, Koehler, Remy & Scott 2015, Annals of Applied Statistics 9:247,
    doi:10.1214/14-AOAS788. With ``dynamic_regression`` the priors are those of R's 1.3, where the
    noise is at most a tenth of the outcome's sd; columns of the calendar (seasons, holidays) keep
    one coefficient. By default the scale of the coefficients' prior looks at the pre-period
    alone; R's looks at the controls after the intervention too.
    """
    problems: list[Problem] = []
    settings = ImpactSettings()
    try:
        settings = settings_from(model_args)
    except InputError as error:
        problems += error.problems
    number = isinstance(alpha, float | int) and not isinstance(alpha, bool)
    if not (number and 0.0 < alpha < 1.0):
        problems.append(Problem("alpha", f"must lie between 0 and 1, found {alpha!r}"))
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        problems.append(Problem("seed", f"must be a whole number, 0 or larger, found {seed!r}"))
    try:
        rows = read_intervention(
            data,
            pre_period,
            post_period,
            nseasons=settings.nseasons,
            scale=settings.scale,
            seasons=bool(settings.seasons),
            holidays=settings.holidays is not None,
        )
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    fitted = fit(rows, settings, seed)
    result = ImpactResult(
        summary_data=summary_table(post_outcome(rows), *fitted.ahead.sums, alpha),
        notes=rows.remarks,
        rows=rows,
        fitted=fitted,
        settings=settings,
        alpha=float(alpha),
    )
    # draws by importance sampling are independent: what must hold of them is that of the weights
    if fitted.draws.method == "chain":
        worst = worst_r_hat(fitted)
        if not worst < BAD_R_HAT:
            raise DiagnosticsError(
                f"the chains disagree (largest R-hat {worst:.3f}, must be below {BAD_R_HAT}); ask "
                "for more draws (niter)"
            )
    return result
