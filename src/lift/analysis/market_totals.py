"""Effects by market and over all markets of a joint fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.counterfactual import interval_tail
from lift.analysis.diagnostics import mcse_mean
from lift.analysis.effects import Effects
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

ALL_MARKETS = "(all markets)"


def market_effects(
    posteriors: Mapping[str, Posterior], by: str = "post", prob: float = 0.95
) -> pd.DataFrame:
    """Return leave-one-out effects by market, and their sums over the markets.

    Parameters
    ----------
    posteriors : mapping of str to Posterior
        By market, of one joint fit: draws of the same chain and number belong together, and the
        draws of a sum are the sums of the draws.
    by : str
        As in :meth:`Effects.units`.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns market, by, unit, n_posts (posts in markets: a post that reaches two counts twice),
        observed (downloads on the observed days of the windows), mean, median, sd, lower, upper
        (incremental downloads), prob, prob_positive, mcse_mean; rows by unit
        (posts in order of time), then market, with
        ``ALL_MARKETS`` last.

    Raises
    ------
    InputError
        If the kind of set or the probability cannot be.
    """
    tail = interval_tail(prob)
    draws: dict[str, dict[str, FloatArray]] = {}
    about: dict[tuple[str, str], tuple[int, float]] = {}
    first: dict[str, tuple[int, str]] = {}  # posts in order of time, all else by name
    for market, posterior in posteriors.items():
        effects = Effects(posterior)
        downloads = posterior.downloads.to_numpy()
        array = effects.draws(by).to_numpy()
        for i, unit in enumerate(effects.units(by)):
            draws.setdefault(unit.name, {})[market] = array[..., i]
            observed = float(np.nansum(downloads[unit.window]))
            about[unit.name, market] = (len(unit.members), observed)
            start = int(np.flatnonzero(unit.window)[0]) if by == "post" else 0
            first[unit.name] = min((start, unit.name), first.get(unit.name, (start, unit.name)))
    rows = []
    for unit_name in sorted(draws, key=first.__getitem__):
        parts = draws[unit_name]
        sums = [about[unit_name, market] for market in parts]
        about[unit_name, ALL_MARKETS] = (sum(n for n, _ in sums), sum(seen for _, seen in sums))
        whole = np.sum(list(parts.values()), axis=0)
        for market, values in [*parts.items(), (ALL_MARKETS, whole)]:
            lower, median, upper = np.quantile(values, [tail, 0.5, 1 - tail])
            n_posts, observed = about[unit_name, market]
            rows.append(
                {
                    "market": market,
                    "by": by,
                    "unit": unit_name,
                    "n_posts": n_posts,
                    "observed": observed,
                    "mean": float(values.mean()),
                    "median": float(median),
                    "sd": float(values.std(ddof=1)),
                    "lower": float(lower),
                    "upper": float(upper),
                    "prob": prob,
                    "prob_positive": float((values > 0).mean()),
                    "mcse_mean": mcse_mean(values),
                }
            )
    return pd.DataFrame(rows)
