"""Can the draws be believed: convergence, Monte Carlo error, and the engine's own gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.mixing import mixing
from lift.model.markets_spec import MARKET_SCALARS
from lift.model.posterior import Posterior
from lift.model.states import STATE_SCALARS

FloatArray = NDArray[np.float64]

GOOD_K, BAD_K = 0.5, 0.7
GOOD_ESS, BAD_ESS = 1000.0, 400.0
GOOD_R_HAT, BAD_R_HAT = 1.01, 1.05
SCALARS = (
    "noise_sd",
    "noise_df",
    "level_sd",
    "control_sd",
    "control_tau",
    "amplitude_sd",
    "influencer_sd",
    "views_elasticity",
    "first_day_share",
    "kernel_shape",
    "displacement",
    "saturation_limit",
    "free_sd",
    "market_sd",
    *MARKET_SCALARS,
    "loading",
    *STATE_SCALARS,
    "control_step_sd",
    "amplitude",
)

CHOICES = ("Engine", "Controls")
"""Checks that say what was chosen rather than how well it was computed."""
MAX_CONTROLS = 10
"""Controls that are named with their inclusion probability; of the others only their number."""

POSITIVE_ONLY = (
    "amplitudes are positive by assumption, which manufactures lift: no interval can include 0. Of "
    "posts without any effect half-normal amplitudes of sd 0.5 made 0.6 % of all downloads (12 "
    "posts in 365 days), 1.0 % (40 in 730) and 3.2 % (120 in 730), and the interval excluded 0 in "
    "100 % of 60 data sets each (signed amplitudes: 5 to 7 %); the log-normal ones of this model "
    "0.2 % (12 in 365), in 16 of 16; fit with response.positive_only = false to see what the data "
    "say"
)
"""The warning of amplitudes that are positive only. The figures were measured on data simulated
without any effect: half-normal with known variances (section 2.4 of the method), log-normal in
``experiments/positive_amplitudes``."""
LEAST_DF = 2.01
"""Of Student t noise of variance one: at 2 all mass is at zero, but for tails without end."""
NO_STUDENT_T = (
    "degrees of freedom of the noise at their limit of 2 (median {:.5g}): downloads vary less from "
    "day to day than counts do by chance (the Poisson part of their variance), which no Student t "
    'pictures; use baseline.noise = "normal", and check that downloads are counts as they came, '
    "not smoothed or modelled"
)


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    level : "PASS", "REVIEW" or "FAIL"
    check : str
        What was checked.
    text : str
        What was found, against what, and what to do.
    """

    level: Literal["PASS", "REVIEW", "FAIL"]
    check: str
    text: str


def mcse_mean(draws: FloatArray) -> float:
    """Return the Monte Carlo standard error of a mean; draws have shape (chain, draw)."""
    return mcse(draws, "mean")


def mcse(
    draws: FloatArray, of: Literal["mean", "sd", "quantile"], prob: float | None = None
) -> float:
    """Return the Monte Carlo standard error of a number of draws of shape (chain, draw).

    Parameters
    ----------
    draws : ndarray, shape (chain, draw)
    of : "mean", "sd" or "quantile"
    prob : float, optional
        Probability of the quantile, in (0, 1).

    Returns
    -------
    float
        0 where all draws are the same.
    """
    from arviz_stats.base import array_stats

    if np.ptp(draws) == 0.0:
        return 0.0
    return float(array_stats.mcse(draws, chain_axis=0, draw_axis=1, method=of, prob=prob))


def mcse_share(true: NDArray[np.bool_]) -> float:
    """Return the Monte Carlo standard error of the share of draws in which something is true.

    Parameters
    ----------
    true : ndarray of bool, shape (chain, draw)

    Returns
    -------
    float
        Of a share of 0 or 1, which tells no spread of its own, that of one draw more which is
        otherwise.
    """
    if true.all() or not true.any():
        return 1.0 / (true.size + 1.0)
    return mcse_mean(true.astype(np.float64))


def summary(posterior: Posterior) -> pd.DataFrame:
    """Return mean, sd and convergence measures of hyperparameters and post amplitudes.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    DataFrame
        Columns parameter, mean, sd, ess_bulk, ess_tail, r_hat, mcse_mean; rank-normalised split
        R-hat and ESS (Vehtari, Gelman, Simpson, Carpenter & Burkner 2021, doi:10.1214/20-BA1221);
        NaN as in :func:`measures`. What the engine took as known has no row.
    """
    return _by_scalar(posterior, measures)


def _by_scalar(
    posterior: Posterior, of: Callable[[FloatArray], Mapping[str, float]]
) -> pd.DataFrame:
    known = str(posterior.sample_stats.get("at_boundary", ""))
    return pd.DataFrame(
        [
            {"parameter": label, **of(values)}
            for name in SCALARS
            if name in posterior.draws
            for label, values in _scalars(posterior.draws[name])
            if not (name in known and np.ptp(values) == 0.0)
        ]
    )


def measures(values: FloatArray) -> dict[str, float]:
    """Return mean, sd, bulk and tail ESS, R-hat and MCSE of draws of shape (chain, draw).

    ESS and R-hat are NaN, and sd and MCSE exactly 0, where every draw of every chain is the same:
    such as the effect of a post none of whose days had a download, or a share that rounds to 1.
    """
    mean = float(values.flat[0] if np.ptp(values) == 0.0 else values.mean())
    return {"mean": mean, **mixing(values), "mcse_mean": mcse_mean(values)}


def _scalars(array: xr.DataArray) -> list[tuple[str, FloatArray]]:
    extra = [dim for dim in array.dims if dim not in ("chain", "draw")]
    if not extra:
        return [(str(array.name), array.to_numpy())]
    (dim,) = extra
    each = array.transpose(dim, "chain", "draw").to_numpy()
    labels = array[dim].to_numpy()
    return [(f"{array.name}[{label}]", values) for label, values in zip(labels, each, strict=True)]


def findings(posterior: Posterior) -> list[Finding]:
    """Return the outcome of every numerical check of a posterior.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    list of Finding
        A FAIL says that the draws must not be believed. Those of a series of users, fitted beside
        the downloads, come after and name the day.
    """
    found = _findings(posterior)
    for day, fit in posterior.user_series.items():
        found += [
            replace(finding, check=f"{finding.check}, users of day {day}")
            for finding in _findings(fit)
        ]
    return found


def _findings(posterior: Posterior) -> list[Finding]:
    stats = posterior.sample_stats
    out = []
    if "engine_reason" in stats:
        text = f"draws of engine {posterior.attrs['engine']!r}, since {stats['engine_reason']}"
        fell_back = "refused_pareto_k" in stats
        out.append(Finding("REVIEW" if fell_back else "PASS", "Engine", text))
    if "inclusion" in posterior.draws:
        out.append(Finding("PASS", "Controls", _inclusion(posterior.draws["inclusion"])))
    if "typical_amplitude" in posterior.attrs:
        out.append(Finding("REVIEW", "Positive amplitudes", POSITIVE_ONLY))
    if "noise_df" in posterior.draws:
        df = float(posterior.draws["noise_df"].median())
        if df < LEAST_DF:
            out.append(Finding("FAIL", "Student t noise", NO_STUDENT_T.format(df)))
    if "pareto_k" in stats:
        k = float(stats["pareto_k"])
        text = f"tail of the importance weights: k = {k:.2f} (good < {GOOD_K}, bad > {BAD_K})"
        out.append(Finding(_level(k, GOOD_K, BAD_K), "Pareto k", text))
    if "ess" in stats:
        ess = float(stats["ess"])
        text = f"effective draws of the hyperparameters: {ess:,.0f} (good >= {GOOD_ESS:,.0f})"
        out.append(Finding(_level(-ess, -GOOD_ESS, -BAD_ESS), "Effective sample size", text))
    strict = "divergences" in stats
    if strict:
        divergences = int(stats["divergences"])
        text = f"divergent transitions: {divergences:,} (good 0)"
        out.append(Finding(_level(divergences, 0.0, 0.0), "Divergences", text))
    table = _by_scalar(posterior, mixing)
    if not table["sd"].any():
        text = "no parameter differs between any two draws, so that nothing was sampled"
        return [*out, Finding("FAIL", "R-hat", text)]
    return out + chain_findings(table, strict=strict)


def _inclusion(inside: xr.DataArray) -> str:
    """Return the inclusion probabilities of controls in words, the most probable first."""
    share = inside.mean(("chain", "draw")).to_series().sort_values(ascending=False, kind="stable")
    named = share.iloc[:MAX_CONTROLS]
    text = ", ".join(f"{name} {value:.2f}" for name, value in named.items())
    rest = len(share) - len(named)
    more = f", {rest} others at most {share.iloc[MAX_CONTROLS]:.2f}" if rest else ""
    return f"probability that a control is in the model: {text}{more}"


def chain_findings(table: pd.DataFrame, of: str = "", *, strict: bool = False) -> list[Finding]:
    """Return the worst R-hat, bulk and tail ESS of a table of convergence measures.

    Parameters
    ----------
    table : DataFrame
        Columns parameter, sd, r_hat, ess_bulk, ess_tail. What is the same in every draw of every
        chain (sd 0) has nothing to mix and is left out; what is constant in every chain and differs
        between them is not, and fails.
    of : str
        What the checks' names say after the measure.
    strict : bool
        Fail at once where the measure is not good: the gates of Hamiltonian chains, whose
        divergences are counted too (Vehtari et al. 2021, doi:10.1214/20-BA1221).

    Returns
    -------
    list of Finding
        Empty where nothing differs between draws.
    """
    table = table[table["sd"] != 0.0]
    if table.empty:
        return []
    out = []
    for column, check, sign, good, bad in (
        ("r_hat", "R-hat", 1.0, GOOD_R_HAT, BAD_R_HAT),
        ("ess_bulk", "Bulk ESS", -1.0, BAD_ESS, BAD_ESS / 4),
        ("ess_tail", "Tail ESS", -1.0, BAD_ESS, BAD_ESS / 4),
    ):
        worst = table.iloc[int((sign * table[column]).to_numpy().argmax())]
        value = float(worst[column])
        shown = f"{value:.3f}" if column == "r_hat" else f"{value:,.0f}"
        limit = f"< {good}" if sign > 0 else f">= {good:,.0f}"
        text = f"worst {check}{of}: {shown} at {worst['parameter']} (good {limit})"
        limits = (sign * good, sign * (good if strict else bad))
        out.append(Finding(_level(sign * value, *limits), f"{check}{of}", text))
    return out


def _level(value: float, good: float, bad: float) -> Literal["PASS", "REVIEW", "FAIL"]:
    """Return the level of a value that should be small."""
    if value <= good:
        return "PASS"
    return "REVIEW" if value <= bad else "FAIL"
