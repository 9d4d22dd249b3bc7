"""From checked rows to draws of what the outcome would have been."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lift.impact._paths import smooth
from lift.impact.ahead import Ahead
from lift.impact.ahead_walks import AheadWalks
from lift.impact.calendar import calendar_columns
from lift.impact.model import ImpactModel, pack_model
from lift.impact.periods import Intervention
from lift.impact.prior import prior_from_data, walk_prior_from_data
from lift.impact.sampler import ImpactDraws, sample
from lift.impact.scale import mean_of_outcome, to_model, to_outcome
from lift.impact.settings import ImpactSettings
from lift.impact.walk_sampler import sample as sample_walks
from lift.impact.walks import WalkModel, coefficient_paths, pack_walks, smooth_walks
from lift.rng import stream

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

ROWS_AT_A_TIME = 200_000


@dataclass(frozen=True, eq=False)
class ImpactFit:
    """A sampled model and its predictions after the pre-period.

    Attributes
    ----------
    model : ImpactModel, or WalkModel where coefficients walk
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
        those used there is an intercept if any of them is a control whose coefficient stands still.
    ahead : Ahead or AheadWalks
        Draws after the pre-period.
    seed : int
    """

    model: ImpactModel | WalkModel
    draws: ImpactDraws
    control_names: tuple[str, ...]
    used: BoolArray
    center: float
    scale: float
    form: str
    controls: FloatArray
    ahead: Ahead | AheadWalks
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
    walking = settings.dynamic_regression and controls.shape[1] > n_fixed
    if controls.shape[1] > n_fixed and not walking:
        # the level takes up an intercept; R has one beside it, whose slab goes with the noise
        controls = np.column_stack([np.ones(len(controls)), controls])
    outcome = (outcome - center) / scale
    counted = np.isfinite(rows.outcome[rows.pre_end : rows.post_end])
    counted[: rows.post_start - rows.pre_end] = False
    given = _Prepared(outcome, controls, n_fixed, counted, center, scale, form)
    model, draws, ahead = (_walking if walking else _static)(given, settings, seed)
    return ImpactFit(
        model=model,
        draws=draws,
        control_names=(*rows.control_names, *names),
        used=used,
        center=center,
        scale=scale,
        form=form,
        controls=controls,
        ahead=ahead,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The rows on the model's scale; see :class:`ImpactFit`. ``controls`` end with ``n_fixed``."""

    outcome: FloatArray
    controls: FloatArray
    n_fixed: int
    counted: BoolArray
    center: float
    scale: float
    form: str

    def seen(self, settings: ImpactSettings) -> FloatArray:
        """Return the rows of the controls that a prior may look at."""
        every = settings.post_period_covariates_in_prior
        return self.controls if every else self.controls[: len(self.outcome)]


def _static(
    given: _Prepared, settings: ImpactSettings, seed: int
) -> tuple[ImpactModel, ImpactDraws, Ahead]:
    """Return model, draws and what follows with spike-and-slab coefficients."""
    n_pre, period, duration = len(given.outcome), settings.nseasons, settings.season_duration
    prior = prior_from_data(
        given.outcome,
        given.seen(settings),
        level_sd=settings.prior_level_sd,
        level_df=settings.prior_level_df,
        season=period > 1,
        n_fixed=given.n_fixed,
    )
    model = pack_model(
        given.outcome, given.controls[:n_pre], prior, period=period, duration=duration
    )
    draws = sample(model, n_draws=settings.n_draws, n_chains=settings.chains, seed=seed)
    log_sds, coefficients, states = _flat(draws)
    ahead = Ahead(
        log_sds=log_sds,
        states=states,
        known=coefficients,
        controls=given.controls[n_pre:],
        counted=given.counted,
        first=n_pre,
        duration=duration,
        start_mean=prior.start_mean,
        center=given.center,
        scale=given.scale,
        form=given.form,
        seed=seed,
    )
    return model, draws, ahead


def _walking(
    given: _Prepared, settings: ImpactSettings, seed: int
) -> tuple[WalkModel, ImpactDraws, AheadWalks]:
    """Return model, draws and what follows with coefficients that walk, the calendar's apart."""
    n_pre, period = len(given.outcome), settings.nseasons
    n_walks = given.controls.shape[1] - given.n_fixed
    prior = walk_prior_from_data(
        given.outcome,
        given.seen(settings)[:, :n_walks],
        level_sd=settings.prior_level_sd,
        level_df=settings.prior_level_df,
        season=period > 1,
    )
    model = pack_walks(
        given.outcome,
        given.controls[:n_pre],
        prior,
        period=period,
        duration=settings.season_duration,
    )
    draws = sample_walks(model, n_draws=settings.n_draws, n_chains=settings.chains, seed=seed)
    log_sds, _, states = _flat(draws)
    ahead = AheadWalks(
        model=model,
        log_sds=log_sds,
        states=states,
        controls=given.controls[n_pre:],
        counted=given.counted,
        center=given.center,
        scale=given.scale,
        form=given.form,
        seed=seed,
    )
    return model, draws, ahead


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
    log_sds, coefficients, _ = _flat(fitted.draws)
    model = fitted.model
    n = len(model.observed)
    expected = np.empty((len(log_sds), n))
    predicted = np.empty_like(expected)
    step = max(1, ROWS_AT_A_TIME // n)
    for begin in range(0, len(log_sds), step):
        part = slice(begin, begin + step)
        rng = stream(fitted.seed, "impact", "before", str(begin))
        if isinstance(model, WalkModel):
            smooth_walks(model, log_sds[part], rng, expected[part])
            expected[part] += model.prior.start_mean
        else:
            regression = coefficients[part] @ fitted.controls[:n].T
            _smooth_static(model, regression, log_sds[part], rng, expected[part])
            expected[part] += regression + model.prior.start_mean
        noise = np.exp(log_sds[part, :1]) * rng.standard_normal(expected[part].shape)
        predicted[part] = expected[part] + noise
    center, scale, sds = fitted.center, fitted.scale, np.exp(log_sds[:, :1])
    return (
        mean_of_outcome(center + scale * expected, scale * sds, fitted.form),
        to_outcome(center + scale * predicted, fitted.form),
    )


def _smooth_static(
    model: ImpactModel,
    regression: FloatArray,
    log_sds: FloatArray,
    rng: np.random.Generator,
    out: FloatArray,
) -> None:
    """Fill draws of level plus season over the pre-period, (draw, row), given the regression."""
    starts = rng.standard_normal((len(out), model.n_states))
    normals = rng.standard_normal((*out.shape, 3))
    smooth(
        model.columns[:, 0], model.observed, regression, log_sds, model.prior.start_sd,
        model.duration, starts, normals, out,
    )  # fmt: skip


def coefficients_before(fitted: ImpactFit, max_draws: int) -> FloatArray | None:
    """Return draws of the coefficients that walk over the pre-period, (draw, row, p).

    Parameters
    ----------
    fitted : ImpactFit
    max_draws : int
        Of more draws only so many, evenly spaced, are followed.

    Returns
    -------
    ndarray or None
        Of the columns as the model sees them, the calendar's last; None where none walks.
    """
    if not isinstance(fitted.model, WalkModel):
        return None
    log_sds = _flat(fitted.draws)[0]
    chosen = np.linspace(0, len(log_sds) - 1, min(max_draws, len(log_sds))).astype(int)
    rng = stream(fitted.seed, "impact", "coefficients before")
    return coefficient_paths(fitted.model, log_sds[chosen], rng)
