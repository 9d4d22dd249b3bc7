"""Tables of one intervention, as R's CausalImpact defines their entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.impact.fit import ImpactFit, before, coefficients_before
from lift.impact.periods import Intervention
from lift.impact.walks import WalkModel

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

ENDS = ("", ".lower", ".upper", ".sd")
TAIL_PROBS = (0.05, 0.95)
MAX_PATHS = 1000
SCOPES = pd.Index(["Average", "Cumulative"])
SUMMARY = pd.Index(
    [
        "Actual",
        *(what + end for what in ("Pred", "AbsEffect", "RelEffect") for end in ENDS),
        "alpha",
        "p",
    ]
)


def _bounds(draws: FloatArray, alpha: float) -> FloatArray:
    """Return the lower and upper quantile over draws, shape (2, ...)."""
    # sorting is faster than the selection that quantiles are made by
    ordered = np.sort(draws, axis=0)
    return np.asarray(np.quantile(ordered, [alpha / 2.0, 1.0 - alpha / 2.0], axis=0))


def post_outcome(rows: Intervention) -> FloatArray:
    """Return the outcome on the post-period's observed rows."""
    actual = rows.outcome[rows.post_start : rows.post_end]
    return actual[np.isfinite(actual)]


def tail_probability(total: float, sums: FloatArray) -> float:
    """Return the smaller tail: the share of sums, the actual one among them, at or beyond it."""
    beyond = min(int((sums >= total).sum()), int((sums <= total).sum()))
    return (1 + beyond) / (len(sums) + 1)


def summary_table(
    actual: FloatArray, expected: FloatArray, predicted: FloatArray, alpha: float
) -> pd.DataFrame:
    """Return the summary of the post-period.

    Parameters
    ----------
    actual : ndarray, shape (n,)
        Rows without outcome left out.
    expected, predicted : ndarray, shape (draw,)
        Sums over these rows: without noise, from which the point prediction comes, and with noise,
        from which the intervals come.
    alpha : float

    Returns
    -------
    DataFrame
        Rows Average and Cumulative; columns Actual, Pred, AbsEffect and RelEffect with .lower,
        .upper and .sd, alpha, p. The relative effect is the mean over draws of actual over
        predicted less 1.
    """
    total, point = float(actual.sum()), float(expected.mean())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = total / predicted - 1.0
    (lower, upper), sd = _bounds(predicted, alpha), float(predicted.std(ddof=1))
    relative = (ratios.mean(), *_bounds(ratios, alpha), ratios.std(ddof=1))
    sums = [total, point, lower, upper, sd, total - point, total - upper, total - lower, sd]
    last = (*relative, alpha, tail_probability(total, predicted))
    values = np.array([[*(np.array(sums) / len(actual)), *last], [*sums, *last]])
    return pd.DataFrame(values, index=SCOPES, columns=SUMMARY)


def series_table(rows: Intervention, fitted: ImpactFit, alpha: float) -> pd.DataFrame:
    """Return point and cumulative predictions and effects on every row.

    Parameters
    ----------
    rows : Intervention
    fitted : ImpactFit
    alpha : float
        Probability outside the equal-tailed intervals.

    Returns
    -------
    DataFrame
        Index of the data; columns response, cum.response, point.pred, cum.pred, point.effect and
        cum.effect, the last four with .lower and .upper. NaN outside pre- and post-period and the
        gap between; cumulative effects are 0 until the post-period begins, and rows without
        outcome add nothing to them.
    """
    span = slice(rows.first, rows.post_end)
    expected_before, predicted_before = before(fitted)
    expected = np.concatenate([expected_before.mean(axis=0), fitted.expected.mean(axis=0)])
    point = np.stack(
        [
            expected,
            *np.concatenate(
                [_bounds(predicted_before, alpha), _bounds(fitted.predicted, alpha)], 1
            ),
        ]
    )
    response = rows.outcome[span]
    start = rows.post_start - rows.first
    known = np.nan_to_num(response[:start])
    cumulated = np.cumsum(np.nan_to_num(response))
    settled = np.cumsum(known)
    after = slice(rows.post_start - rows.pre_end, None)
    sums = settled[-1] + np.cumsum(fitted.predicted[:, after], axis=1)
    expected_sums = settled[-1] + np.cumsum(fitted.expected[:, after].mean(axis=0))
    cum_pred = np.concatenate(
        [np.tile(settled, (3, 1)), np.stack([expected_sums, *_bounds(sums, alpha)])], axis=1
    )
    actual = response[start:]
    gains = np.cumsum(np.nan_to_num(actual - fitted.predicted[:, after]), axis=1)
    expected_gains = np.cumsum(np.nan_to_num(actual - fitted.expected[:, after].mean(axis=0)))
    cum_effect = np.concatenate(
        [np.zeros((3, start)), np.stack([expected_gains, *_bounds(gains, alpha)])], axis=1
    )
    missing = ~np.isfinite(response)
    columns = {
        "response": response,
        "cum.response": np.where(missing, np.nan, cumulated),
        **_named("point.pred", point),
        **_named("cum.pred", cum_pred),
        **_named("point.effect", response - point[[0, 2, 1]]),
        **_named("cum.effect", cum_effect),
    }
    table = pd.DataFrame(np.nan, index=rows.index, columns=list(columns))
    table.iloc[span] = np.column_stack(list(columns.values()))
    return table


def _named(name: str, values: FloatArray) -> dict[str, FloatArray]:
    """Return centre, lower and upper limits under their column names."""
    return {name: values[0], f"{name}.lower": values[1], f"{name}.upper": values[2]}


def posterior_dataset(rows: Intervention, fitted: ImpactFit) -> xr.Dataset:
    """Return the draws with named dimensions.

    Returns
    -------
    Dataset
        sigma_obs, sigma_level, sigma_season (chain, draw): in units of the outcome's pre-period sd
        where the data are standardised; coefficient, inclusion (chain, draw, control): of the
        columns as the model sees them, the calendar's after the controls, and where coefficients
        walk of the row after the pre-period; sigma_coefficient (chain, draw, control) where they
        walk: their sds from row to row, 0 for the calendar's; cumulative_effect (chain, draw):
        actual less predicted.
    """
    import xarray as xr

    draws = fitted.draws
    n_chains, n_draws = draws.log_sds.shape[:2]
    sds = np.exp(draws.log_sds)
    n_walks = fitted.model.n_walks if isinstance(fitted.model, WalkModel) else 0
    names = ("sigma_obs", "sigma_level", "sigma_season")[: sds.shape[2] - n_walks]
    coefficients = np.zeros((n_chains, n_draws, len(fitted.control_names)))
    coefficients[..., fitted.used] = fitted.coefficients
    effect = post_outcome(rows).sum() - fitted.ahead.sums[1]
    by_control = ("chain", "draw", "control")
    walks = {}
    if n_walks:
        steps = np.zeros_like(coefficients)
        steps[..., np.flatnonzero(fitted.used)[:n_walks]] = sds[..., len(names) :]
        walks["sigma_coefficient"] = (by_control, steps)
    return xr.Dataset(
        {
            **{name: (("chain", "draw"), sds[..., i]) for i, name in enumerate(names)},
            **walks,
            "coefficient": (by_control, coefficients),
            "inclusion": (by_control, coefficients != 0.0),
            "cumulative_effect": (("chain", "draw"), effect.reshape(n_chains, n_draws)),
        },
        coords={
            "chain": np.arange(n_chains),
            "draw": np.arange(n_draws),
            "control": np.array(
                fitted.control_names, dtype=object if not fitted.control_names else None
            ),
        },
        attrs={
            "method": draws.method,
            "seed": fitted.seed,
            "pareto_k": draws.k,
            "n_effective_points": draws.n_effective,
            "acceptance": draws.acceptance,
        },
    )


def coefficient_array(rows: Intervention, fitted: ImpactFit) -> xr.DataArray | None:
    """Return draws of coefficients that walk over the pre-period, None where none does.

    Returns
    -------
    DataArray, dims (draw, row, control)
        Of the columns as the model sees them; NaN for a column that it does not use. Of more than
        ``MAX_PATHS`` draws so many, evenly spaced.
    """
    import xarray as xr

    paths = coefficients_before(fitted, MAX_PATHS)
    if paths is None:
        return None
    values = np.full((*paths.shape[:2], len(fitted.control_names)), np.nan)
    values[..., fitted.used] = paths
    return xr.DataArray(
        values,
        dims=("draw", "row", "control"),
        coords={
            "row": rows.index[rows.first : rows.pre_end],
            "control": np.array(fitted.control_names),
        },
        name="coefficient",
    )


def worst_r_hat(fitted: ImpactFit) -> float:
    """Return the largest R-hat of the cumulative effect and the sds, as ``convergence_table``.

    R-hat goes by ranks of draws and of their distances from the median: neither knows the units,
    nor where the effect's sum is measured from.
    """
    from lift.analysis.mixing import r_hat

    log_sds = fitted.draws.log_sds
    sums = fitted.ahead.sums[1].reshape(log_sds.shape[:2])
    each = (sums, *np.exp(np.moveaxis(log_sds, 2, 0)))
    return float(np.max([r_hat(one) for one in each]))


def convergence_table(posterior: xr.Dataset) -> pd.DataFrame:
    """Return mean, sd and convergence measures of the cumulative effect and the sds.

    Returns
    -------
    DataFrame
        Columns parameter, mean, sd, ess_bulk, ess_tail, r_hat, mcse_mean; rank-normalised split
        R-hat and ESS (Vehtari, Gelman, Simpson, Carpenter & Burkner 2021, doi:10.1214/20-BA1221).
    """
    from arviz_stats.base import array_stats

    single = ("cumulative_effect", "sigma_obs", "sigma_level", "sigma_season")
    every = {name: posterior[name].to_numpy() for name in single if name in posterior}
    if "sigma_coefficient" in posterior:
        steps = posterior["sigma_coefficient"].to_numpy()
        for i, control in enumerate(posterior["control"].to_numpy()):
            if steps[..., i].any():
                every[f"sigma_coefficient[{control}]"] = steps[..., i]
    rows = []
    for name, values in every.items():
        measures = {
            "ess_bulk": array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk"),
            "ess_tail": array_stats.ess(
                values, chain_axis=0, draw_axis=1, method="tail", prob=TAIL_PROBS
            ),
            "r_hat": array_stats.rhat(values, chain_axis=0, draw_axis=1),
            "mcse_mean": array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean"),
        }
        measures = {key: float(value) for key, value in measures.items()}
        rows.append({"parameter": name, "mean": values.mean(), "sd": values.std(), **measures})
    return pd.DataFrame(rows)
