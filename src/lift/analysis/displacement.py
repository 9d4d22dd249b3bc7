"""Pull-forward: effects gross and net of downloads that would have come later anyway."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq

from lift.analysis.acting import Exposure, read_acting
from lift.analysis.counterfactual import interval_tail, lost_downloads
from lift.analysis.effects import Effects, Unit
from lift.errors import InputError, Problem
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

POWERS = (0.8, 1.25)
"""Powers to which the prior of the displaced share is raised to see what it decides."""


def displacement_table(
    effects: Effects, spec: ModelSpec, by: str = "campaign", prob: float = 0.95
) -> pd.DataFrame:
    """Return effects gross and net of pull-forward, and how much of it would undo them.

    Gross is the effect over the lags before anything is taken back (0 to 14), net that over the
    lags until all is (0 to 42). A model with displacement takes back the share of each draw, one
    without takes back nothing. For an assumed share ``psi`` of the response that is taken back
    evenly over the lags between (nothing is fitted again) the net effect shrinks; the tipping
    displacement is the smallest ``psi`` at which its interval includes zero.

    Parameters
    ----------
    effects : Effects
    spec : ModelSpec
        The one it was fitted with.
    by : str
        As in :meth:`Effects.units`.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns by, unit, gross_mean, gross_lower, gross_upper, net_mean, net_lower, net_upper
        (downloads), tipping (share; 0 where the net interval of nothing taken back includes zero
        already, NaN where even taking back everything leaves it above zero), prob_tipped
        (posterior probability that more is taken back; NaN in a model without displacement),
        displaced_mean, displaced_lower, displaced_upper (the share; NaN likewise),
        net_mean_weaker, net_mean_stronger (means with the prior of the share to the power 0.8 and
        1.25, by importance weights; NaN likewise), prob, coupling, note.

    Raises
    ------
    InputError
        If the response ends before the last of these lags, or the probability cannot be.
    """
    tail = interval_tail(prob)
    posterior = effects.posterior
    window = int(posterior.attrs["window_days"])
    _, net_days = lags_of(posterior)
    if window <= net_days:
        what = (
            f"window_days must be more than {net_days} for a net effect, found {window}; "
            "fit with a longer window"
        )
        raise InputError([Problem("model.toml", what)])
    nothing = _without_displacement(posterior)
    share = _share(posterior)
    rows = []
    for unit in effects.units(by):
        acting = read_acting(nothing).exposure(unit.members)
        if acting.rest is not None:
            # of other posts that is taken back which the model says
            acting = replace(acting, rest=read_acting(posterior).exposure(unit.members).rest)
        gross_days, _ = lags_of(posterior)
        gross = _totals(posterior, unit, acting, gross_days, 0.0)
        net = _totals(posterior, unit, acting, net_days, 0.0 if share is None else share)
        row: dict[str, object] = {"by": by, "unit": unit.name}
        for name, draws in (("gross", gross), ("net", net)):
            row[f"{name}_mean"] = float(draws.mean())
            row[f"{name}_lower"], row[f"{name}_upper"] = np.quantile(draws, [tail, 1 - tail])
        tipping = _tipping(posterior, unit, acting, tail)
        row |= {"tipping": tipping, **_of_share(share, net, tipping, tail, spec)}
        note = effects.note(unit)
        rows.append(row | {"prob": prob, "coupling": "shared", "note": note})
    return pd.DataFrame(rows)


def _of_share(
    share: FloatArray | None, net: FloatArray, tipping: float, tail: float, spec: ModelSpec
) -> dict[str, float]:
    """Return the columns about the share that the model takes back."""
    names = ["prob_tipped", "displaced_mean", "displaced_lower", "displaced_upper"]
    names += ["net_mean_weaker", "net_mean_stronger"]
    if share is None:
        return dict.fromkeys(names, float("nan"))
    lower, upper = np.quantile(share, [tail, 1 - tail])
    above = float((share > tipping).mean()) if np.isfinite(tipping) else 0.0
    means = []
    for power in POWERS:
        # The prior is Beta(1, a): its log density is (a - 1) log(1 - psi) and a constant.
        log_prior = (spec.response.displacement_shape - 1.0) * np.log1p(-share)
        weight = np.exp((power - 1.0) * (log_prior - log_prior.max()))
        means.append(float((weight * net).sum() / weight.sum()))
    values = [above, float(share.mean()), float(lower), float(upper), *means]
    return dict(zip(names, values, strict=True))


def lags_of(posterior: Posterior) -> tuple[int, int]:
    """Return the days after a post after which and until which displaced downloads are missing."""
    attrs = posterior.attrs
    return int(attrs["displacement_after"]), int(attrs["displacement_until"])


def _share(posterior: Posterior) -> FloatArray | None:
    draws = posterior.draws
    return draws["displacement"].to_numpy().ravel() if "displacement" in draws else None


def _without_displacement(posterior: Posterior) -> Posterior:
    """Return the posterior with nothing taken back."""
    if "displacement" not in posterior.draws:
        return posterior
    groups = dict(posterior.tree.children.items())
    groups["posterior"] = xr.DataTree(posterior.draws.drop_vars("displacement"))
    return Posterior(xr.DataTree(posterior.tree.to_dataset(), children=groups))


def _tipping(posterior: Posterior, unit: Unit, acting: Exposure, tail: float) -> float:
    net_days = lags_of(posterior)[1]

    def lower(psi: float) -> float:
        return float(np.quantile(_totals(posterior, unit, acting, net_days, psi), tail))

    if lower(0.0) <= 0.0:
        return 0.0
    if lower(1.0) > 0.0:
        return float("nan")
    return float(brentq(lower, 0.0, 1.0, xtol=1e-3))


def _totals(
    posterior: Posterior, unit: Unit, acting: Exposure, lags: int, psi: float | FloatArray
) -> FloatArray:
    """Return draws of the effect within some lags of the unit's posts, a share taken back."""
    downloads = posterior.downloads.to_numpy()
    first = posterior.posts["post_day"].to_numpy()[unit.members]
    days = acting.first_day + np.arange(acting.own.shape[1])
    since = days - first[:, None]
    seen = ((since >= 0) & (since <= lags)).any(axis=0) & np.isfinite(downloads[days])
    after, until = lags_of(posterior)
    impulse = posterior.draws["impulse"].to_numpy().reshape(len(acting.own), -1)
    back = ((since > after) & (since <= until)).astype(np.float64) / (until - after)
    taken = np.reshape(psi, (-1, 1)) * (impulse[:, unit.members] @ back)
    left = replace(acting, own=acting.own - taken).lift.values[:, seen]
    return np.asarray(lost_downloads(posterior, downloads[days[seen]], left).sum(axis=1))
