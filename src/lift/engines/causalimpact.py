"""The package ``causalimpact`` 0.2.6 as it is, one post at a time: the familiar baseline.

The package stays unchanged. What it calls and what the installed pandas and statsmodels lack is
supplied while it runs, and taken away again:

- ``pandas.core.dtypes.common.is_datetime_or_timedelta_dtype`` is gone since pandas 2.1;
- statsmodels 0.15 refuses the ``alpha`` that the package hands to ``get_forecast``, where it never
  had an effect (intervals take theirs from ``conf_int``);
- ``data_mu[0]`` meant a position until pandas 3 and means a label since: the data go in with whole
  numbers for column names and rows, so that label and position are one.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.tsa.statespace.mlemodel import MLEResults

from lift.data.campaign import Campaign
from lift.engines.base import Progress, SampleSettings
from lift.engines.windows import WINDOW_COLUMNS, WindowEffects
from lift.errors import EngineError
from lift.model.design import Design, build_design
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

PROB = 0.95
DAYS_BEFORE = 90
"""Days before a post that its model learns from: what users of the package commonly give it."""
MIN_DAYS_PER_COLUMN = 3
MIN_DAYS_BEFORE = 21
MIN_DAYS_LATER = 3
"""Observed days after the window on which what lasts is measured; fewer say nothing."""
TESTED = "0.2.6"

FAULTS = (
    "its p-value compares the predicted level with zero, not the effect: on data without an effect "
    "it prints P-value 0.0 %; it is not shown here",
    "limits of a sum are sums of pointwise limits, as if the errors of all days were one: too wide "
    "for independent errors, and too narrow where the level drifts",
    "lower and upper limits of effects are exchanged in its tables; here they are in order",
    "prior_level_sd and nseasons are accepted and not used: the level's variance is a maximum "
    "likelihood estimate, the weekday enters as columns of the regression",
    "estimates are plugged in: intervals leave out the uncertainty of variances and coefficients",
    "it knows one intervention and the days before it: what other posts did on the same days is "
    "given to this one",
    "it carries the level of the days before on: where the days after the window are still higher, "
    "all of the rise is given to the post, of which a model of all days gives a part to the level",
)

_LOCK = threading.Lock()


def _is_datetime_or_timedelta(values: object) -> bool:
    return getattr(getattr(values, "dtype", None), "kind", "") in ("m", "M")


@contextmanager
def what_it_needs() -> Iterator[None]:
    """Supply what the package calls and pandas and statsmodels lack; take it away at the end."""
    common: Any = sys.modules["pandas.core.dtypes.common"]
    name = "is_datetime_or_timedelta_dtype"
    get_forecast = MLEResults.get_forecast

    def forecast(self: Any, *args: Any, alpha: float | None = None, **rest: Any) -> Any:  # noqa: ARG001
        return get_forecast(self, *args, **rest)

    with _LOCK:
        lacking = not hasattr(common, name)
        if lacking:
            setattr(common, name, _is_datetime_or_timedelta)
        MLEResults.get_forecast = forecast
        try:
            yield
        finally:
            MLEResults.get_forecast = get_forecast
            if lacking:
                delattr(common, name)


def fit_windows(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
) -> WindowEffects:
    """Return what the package says of each post, on its own window.

    The response is downloads a day, as its users give it; covariates are the controls and weekday
    contrasts of the design, without which the package does not run. Its model is a local level with
    regression, by maximum likelihood.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec
        Horizon, controls and week are read from it; priors and responses are not used.
    settings : SampleSettings
        Not used: nothing is drawn.
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.

    Returns
    -------
    WindowEffects

    Raises
    ------
    EngineError
        If the design has neither a control nor a week, or the package installed is another than the
        one that the adapter was made for.
    """
    del settings
    installed = version("causalimpact")
    if installed != TESTED:
        raise EngineError(
            f"the adapter is made for causalimpact {TESTED}, found {installed}; install that one"
        )
    design = build_design(campaign, spec)
    columns = [b.columns for b in design.blocks if b.name in ("week", "control")]
    if not columns:
        raise EngineError(
            "the package causalimpact does not run without a covariate, and this model has neither "
            'controls nor a week; add one, or use engine = "exact"'
        )
    covariates = np.column_stack(columns)
    rows = []
    for i, post in enumerate(design.posts.ids):
        if progress is not None:
            progress(i / len(design.posts.ids), "posts")
        rows.append({"post": post, "prob": PROB, **_one(design, covariates, i, spec.horizon_days)})
    if progress is not None:
        progress(1.0, "posts")
    return WindowEffects(
        table=pd.DataFrame(rows, columns=list(WINDOW_COLUMNS)),
        attrs={
            "engine": "causalimpact",
            "causalimpact": installed,
            "pandas": pd.__version__,
            "statsmodels": version("statsmodels"),
            "days_before": DAYS_BEFORE,
            "horizon_days": spec.horizon_days,
        },
        faults=FAULTS,
    )


def _one(design: Design, covariates: FloatArray, post: int, horizon: int) -> dict[str, Any]:
    """Return the entries of one post."""
    days = design.posts.day
    start = int(days[post])
    first, end = max(0, start - DAYS_BEFORE), min(len(design.dates), start + horizon + 1)
    inside = (days < end) & (days + horizon >= first)
    inside[post] = False
    overlaps = ", ".join(np.array(design.posts.ids, dtype=object)[inside])
    response = design.downloads[first:end]
    seen = np.isfinite(response)
    n_before, n_after = int(seen[: start - first].sum()), int(seen[start - first :].sum())
    found = {"days_before": n_before, "days_after": n_after, "overlaps": overlaps}
    missing = dict.fromkeys(("mean", "lower", "upper", "lasting"), np.nan)
    used = np.ptp(covariates[first:start], axis=0) > 0.0 if start > first else np.array([False])
    needed = max(MIN_DAYS_BEFORE, MIN_DAYS_PER_COLUMN * int(used.sum()))
    if n_before < needed or not used.any():
        note = f"not fitted: {n_before} observed days before the post, at least {needed} needed"
        return {**found, **missing, "note": note}
    # days after the window do not touch the forecast; they tell what lasts
    later = min(len(design.dates), end + (end - start), *days[days >= end])
    data = pd.DataFrame(np.column_stack([design.downloads, covariates[:, used]])[first:later])
    pre, after = [0, start - first - 1], [start - first, later - first - 1]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            inferences = run(data, pre, after, 1.0 - PROB)
        except (ValueError, np.linalg.LinAlgError) as error:
            return {**found, **missing, "note": f"not fitted: {error}"}
    names = [f"point_effect{limit}" for limit in ("", "_lower", "_upper")]
    effects = inferences[names].to_numpy(dtype=np.float64)
    window, beyond = effects[start - first : end - first], effects[end - first :]
    total = np.nansum(window, axis=0)
    lasting, a_day = _lasting(window, beyond)
    kinds = sorted(
        {w.category.__name__ for w in said if w.category.__module__.startswith("statsmodels")}
    )
    notes = [f"the package warned: {', '.join(kinds)}"] if kinds else []
    if lasting:
        notes.append(
            f"by its own limits the days after the window still have {a_day:+.3g} downloads a day "
            f"beside its forecast: if that is the level, {lasting:.3g} of its number are"
        )
    return {
        **found,
        "mean": float(total[0]),
        "lower": float(total[1:].min()),
        "upper": float(total[1:].max()),
        "lasting": lasting,
        "note": "; ".join(notes),
    }


def _lasting(window: FloatArray, beyond: FloatArray) -> tuple[float, float]:
    """Return what of the effect on the window would be a level's, and the daily change after it.

    Parameters
    ----------
    window, beyond : ndarray, shape (days, 3), downloads/day
        Effect and its two limits on the days of the window and on those after it; NaN for a day
        that was not observed.

    Returns
    -------
    tuple of float
        Both 0 where too few days after the window were observed, or the limits of their sum hold
        no effect. On no day of the window is it more than the effect of the day.
    """
    seen = beyond[np.isfinite(beyond[:, 0])]
    if len(seen) < MIN_DAYS_LATER:
        return 0.0, 0.0
    limits = np.sort(seen[:, 1:].sum(axis=0))
    if limits[0] <= 0.0 <= limits[1]:
        return 0.0, 0.0
    a_day = float(seen[:, 0].mean())
    sign = np.sign(a_day)
    days = np.clip(sign * window[:, 0], 0.0, abs(a_day))
    return float(sign * np.nansum(days)), a_day


def run(data: pd.DataFrame, pre: list[int], post: list[int], alpha: float) -> pd.DataFrame:
    """Return the package's ``inferences``.

    Parameters
    ----------
    data : DataFrame
        Response first (NaN where not observed), covariates after it; whole numbers from 0 for rows
        and columns.
    pre, post : list of int
        First and last row of each period.
    alpha : float

    Returns
    -------
    DataFrame
        Columns as the package names them, one row per row of the data.
    """
    with what_it_needs(), warnings.catch_warnings():
        # that a later pandas will lack more is for the adapter of that day
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        import causalimpact

        impact = causalimpact.CausalImpact(data, pre, post, alpha=alpha)
        impact.run()
    return pd.DataFrame(impact.inferences)
