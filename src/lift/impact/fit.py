"""From checked rows to draws of what the outcome would have been."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lift.impact._paths import smooth
from lift.impact.ahead import Ahead
from lift.impact.calendar import calendar_columns
from lift.impact.model import ImpactModel, pack_model
from lift.impact.periods import Intervention
from lift.impact.prior import prior_from_data
from lift.impact.sampler import ImpactDraws, sample
from lift.impact.scale import mean_of_outcome, to_model, to_outcome
from lift.impact.settings import ImpactSettings
from lift.rng import stream

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

ROWS_AT_A_TIME = 200_000


@dataclass(frozen=True, eq=False)
class ImpactFit:
    """A sampled model and its predictions after the pre-period.

    Attributes
    ----------
    model : ImpactModel
    draws : ImpactDraws
    control_names : tuple of str, length p
        The controls, and after them the calendar's columns.
    used : ndarray of bool, shape (p,)
        Those that vary, and so are in ``model``.
    center, scale : float
        On the model's scale the outcome is ``center + scale *`` what the model sees.
    form : str
        The model's scale, one of :data:`lift.impact.scale.SCALES`.
    controls : ndarray, shape (rows, k)
        As the model sees them, from the pre-period's first row to the post-period's last; before
        those used there is an intercept if any of them is a control.
    ahead : Ahead
        Draws after the pre-period.
    seed : int
    """

    model: ImpactModel
    draws: ImpactDraws
    control_names: tuple[str, ...]
    used: BoolArray
    center: float
    scale: float
    form: str
    controls: FloatArray
    ahead: Ahead
    seed: int

    @property
    def coefficients(self) -> FloatArray:
        """Draws of the coefficients of the columns used, (chain, draw, used)."""
        n_used = int(self.used.sum())
        return self.draws.coefficients[..., self.controls.shape[1] - n_used :]

    @property
    def expected(self) -> FloatArray:
        """Draws after the pre-period, (draw, row): level, season and controls, without noise."""
        return self.ahead.rows[0]

    @property
    def predicted(self) -> FloatArray:
        """Draws after the pre-period, (draw, row), with noise."""
        return self.ahead.rows[1]


def fit(rows: Intervention, settings: ImpactSettings, seed: int) -> ImpactFit:
    """Return the sampled model of one intervention.

    Parameters
    ----------
    rows : Intervention
        The checked data.
    settings : ImpactSettings
    seed : int
        Root seed.

    Returns
    -------
    ImpactFit

    Raises
    ------
    DiagnosticsError
        If the draws must not be believed.
    """
    n_pre = rows.pre_end - rows.first
    form = settings.scale
    outcome = to_model(rows.outcome[rows.first : rows.pre_end], form)
    extra, names = calendar_columns(rows.index, settings)
    # a column that is the same on all rows of the pre-period says nothing there
    extra[:, np.ptp(extra[rows.first : rows.pre_end], axis=0) == 0.0] = 0.0
    controls = np.column_stack([rows.controls, extra])[rows.first : rows.post_end]
    used = np.ptp(controls, axis=0) > 0.0 if controls.shape[1] else np.zeros(0, dtype=np.bool_)
    controls = controls[:, used]
    n_fixed = int(used[rows.controls.shape[1] :].sum())
    center, scale = 0.0, 1.0
    if settings.standardize_data:
        center, scale = float(np.nanmean(outcome)), float(np.nanstd(outcome, ddof=1))
        before = controls[:n_pre]
        controls = (controls - before.mean(axis=0)) / before.std(axis=0, ddof=1)
    if controls.shape[1] > n_fixed:
        # the level takes up an intercept; R has one beside it, whose slab goes with the noise
        controls = np.column_stack([np.ones(len(controls)), controls])
    outcome = (outcome - center) / scale
    period = settings.nseasons
    seen = controls if settings.post_period_covariates_in_prior else controls[:n_pre]
    prior = prior_from_data(
        outcome,
        seen,
        level_sd=settings.prior_level_sd,
        level_df=settings.prior_level_df,
        season=period > 1,
        n_fixed=n_fixed,
    )
    duration = settings.season_duration
    model = pack_model(outcome, controls[:n_pre], prior, period=period, duration=duration)
    draws = sample(model, n_draws=settings.n_draws, n_chains=settings.chains, seed=seed)

    log_sds, coefficients, states = _flat(draws)
    counted = np.isfinite(rows.outcome[rows.pre_end : rows.post_end])
    counted[: rows.post_start - rows.pre_end] = False
    return ImpactFit(
        model=model,
        draws=draws,
        control_names=(*rows.control_names, *names),
        used=used,
        center=center,
        scale=scale,
        form=form,
        controls=controls,
        ahead=Ahead(
            log_sds=log_sds,
            states=states,
            known=coefficients,
            controls=controls[n_pre:],
            counted=counted,
            first=n_pre,
            duration=duration,
            start_mean=prior.start_mean,
            center=center,
            scale=scale,
            form=form,
            seed=seed,
        ),
        seed=seed,
    )


def _flat(draws: ImpactDraws) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log sds, coefficients and states of all chains, one row per draw."""
    n_chains, n_draws = draws.log_sds.shape[:2]
    log_sds, coefficients, states = (
        values.reshape(n_chains * n_draws, values.shape[2])
        for values in (draws.log_sds, draws.coefficients, draws.states)
    )
    return log_sds, coefficients, states


def before(fitted: ImpactFit) -> tuple[FloatArray, FloatArray]:
    """Return draws of the expected and the predicted outcome over the pre-period.

    Returns
    -------
    expected, predicted : ndarray, shape (draw, rows of the pre-period)
        Without and with noise, in units of the outcome; given the outcome of all these rows.
    """
    model = fitted.model
    log_sds, coefficients, _ = _flat(fitted.draws)
    n = len(model.observed)
    m = model.n_states
    expected = np.empty((len(log_sds), n))
    predicted = np.empty_like(expected)
    regression = coefficients @ fitted.controls[:n].T
    outcome = model.columns[:, 0]
    step = max(1, ROWS_AT_A_TIME // n)
    for begin in range(0, len(log_sds), step):
        part = slice(begin, begin + step)
        n_part = len(log_sds[part])
        rng = stream(fitted.seed, "impact", "before", str(begin))
        starts = rng.standard_normal((n_part, m))
        normals = rng.standard_normal((n_part, n, 3))
        smooth(
            outcome, model.observed, regression[part], log_sds[part], model.prior.start_sd,
            model.duration, starts, normals, expected[part],
        )  # fmt: skip
        noise = np.exp(log_sds[part, :1]) * rng.standard_normal((n_part, n))
        expected[part] += regression[part] + model.prior.start_mean
        predicted[part] = expected[part] + noise
    center, scale, sds = fitted.center, fitted.scale, np.exp(log_sds[:, :1])
    return (
        mean_of_outcome(center + scale * expected, scale * sds, fitted.form),
        to_outcome(center + scale * predicted, fitted.form),
    )
