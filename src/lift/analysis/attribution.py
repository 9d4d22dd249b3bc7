"""Four ways to give each post its part of a campaign, side by side.

Posts multiply downloads, so that the effects of posts that overlap do not add up. On a day with
downloads ``Y`` and log-lifts ``f_j`` of its active posts, ``F = sum_j f_j``:

- leave-one-out ``Y (1 - exp(-f_j))``: what the day would lack without the post, all else as it was;
- add-one-in ``Y exp(-F) (exp(f_j) - 1)``: what the post alone would have added;
- Aumann-Shapley ``Y (1 - exp(-F)) f_j / F``: the post's part as all posts are scaled up together
  (Aumann & Shapley 1974, *Values of Non-Atomic Games*);
- Shapley: the mean contribution over all orders in which the posts could have come
  (Shapley 1953, doi:10.1515/9781400881970-018).

The last two add up to the campaign's total ``Y (1 - exp(-F))``, the first two do not. On the linear
scale all four are the post's ``f_j``, and all add up. Where responses saturate the formulas are
those of :mod:`lift.analysis.shares`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.acting import read_acting
from lift.analysis.counterfactual import interval_tail, is_linear
from lift.analysis.effects import Effects, Unit
from lift.analysis.responses import RESPONSE_DRAWS
from lift.analysis.shares import MAX_ORDERED, Rule, day_shares
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ESTIMANDS = ("leave_one_out", "add_one_in", "aumann_shapley", "shapley")
SHORT_NAMES = {"leave_one_out": "loo"}
NO_SHAPLEY = (
    f"no Shapley value: responses saturate, and more than {MAX_ORDERED} posts act on one day; read "
    "Aumann-Shapley"
)
# Log-lifts held at a time: 128 MiB of float64.
MAX_VALUES = 2**24


def attribution(posterior: Posterior, by: str = "post") -> xr.Dataset:
    """Return draws of the four attributions over the campaign's window.

    All are summed over the observed days of the campaign's window (from each post to the horizon
    after it), so that they compare with its total. A post that others follow is thus credited
    beyond its own horizon, unlike in :meth:`Effects.table`.

    Parameters
    ----------
    posterior : Posterior
    by : str
        As in :meth:`Effects.units`. Leave-one-out and add-one-in of a group take all its posts
        together; its Aumann-Shapley and Shapley shares are the sums of its posts' shares.

    Returns
    -------
    Dataset
        ``leave_one_out``, ``add_one_in``, ``aumann_shapley`` and ``shapley``, dims
        (chain, draw, <by>), and ``total``, dims (chain, draw), in downloads; and
        ``interaction_index``, dims (chain, draw): the sum of leave-one-out effects over the total,
        less 1 (NaN where the total is 0). Coordinate ``n_posts``. The attribute
        ``interaction_index`` is that of the posterior means. Where responses saturate ``shapley``
        is NaN for a post that acts on a day with more than ``MAX_ORDERED`` active posts.

    Raises
    ------
    InputError
        If the kind of set cannot be.
    """
    effects = Effects(posterior)
    units = effects.units(by)
    (campaign,) = effects.units("campaign")
    sizes = posterior.draws.sizes
    n_draws = sizes["chain"] * sizes["draw"]
    plan = _active_posts(posterior, campaign)
    chunk = max(1, MAX_VALUES // (sizes["post"] * int(posterior.attrs["window_days"])))
    sums = np.zeros((len(ESTIMANDS), len(units), n_draws))
    total = np.zeros(n_draws)
    for start in range(0, n_draws, chunk):
        part = slice(start, min(start + chunk, n_draws))
        _add_days(_some_draws(posterior, part), plan, units, sums[..., part], total[part])
    return _dataset(posterior, by, units, sums, total)


def _active_posts(posterior: Posterior, campaign: Unit) -> list[tuple[int, IntArray]]:
    """Return the observed days of the campaign's window, with the posts that act on each."""
    days = posterior.posts["post_day"].to_numpy()
    window = int(posterior.attrs["window_days"])
    seen = campaign.window & np.isfinite(posterior.downloads.to_numpy())
    plan = []
    for day in np.flatnonzero(seen):
        active = np.flatnonzero((days <= day) & (day < days + window))
        if len(active):
            plan.append((int(day), active))
    return plan


def _some_draws(posterior: Posterior, part: slice) -> Posterior:
    """Return a posterior with some of the draws that responses are made of, as one chain."""
    draws = posterior.draws
    flat = {}
    for name in RESPONSE_DRAWS:
        if name in draws:
            values = draws[name].to_numpy()
            values = values.reshape(-1, *values.shape[2:])[part]
            flat[name] = (draws[name].dims, values[None])
    return Posterior(
        xr.DataTree.from_dict(
            {
                "/": xr.Dataset(attrs=posterior.attrs),
                "/posterior": xr.Dataset(flat),
                "/observed_data": posterior.tree["observed_data"].to_dataset(),
                "/constant_data": posterior.tree["constant_data"].to_dataset(),
            }
        )
    )


def _add_days(
    posterior: Posterior,
    plan: list[tuple[int, IntArray]],
    units: list[Unit],
    sums: FloatArray,
    total: FloatArray,
) -> None:
    """Add every day's attributions to ``sums`` (estimand, unit, draw) and ``total`` (draw)."""
    n_posts = posterior.draws.sizes["post"]
    acting = read_acting(posterior)
    exposures = [acting.exposure(np.array([post]), alone=True) for post in range(n_posts)]
    first = [found.first_day for found in exposures]
    by_day = [np.ascontiguousarray(found.own.T) for found in exposures]
    del exposures
    owner = np.empty(n_posts, dtype=np.int64)
    for i, unit in enumerate(units):
        owner[unit.members] = i
    grouped = any(len(unit.members) > 1 for unit in units)
    downloads = posterior.downloads.to_numpy()
    rule = Rule(is_linear(posterior), acting.saturation)
    for day, active in plan:
        f = np.stack([by_day[post][day - first[post]] for post in active])
        shares = day_shares(f, rule)
        number = float(posterior.attrs["unit"]) if rule.linear else downloads[day]
        total += number * shares.total
        names, index = np.unique(owner[active], return_inverse=True)
        alone, alone_in = shares.leave_one_out, shares.add_one_in
        parts = [shares.aumann_shapley, shares.shapley]
        if grouped:
            sets = (index == np.arange(len(names))[:, None]).astype(np.float64)
            together, whole = sets @ f, f.sum(axis=0)
            alone, alone_in = rule.left_out(together, whole), rule.alone(together, whole)
            parts = [sets @ values for values in parts]
        else:
            names = owner[active]
        for k, values in enumerate((alone, alone_in, *parts)):
            sums[k, names] += number * values


def _dataset(
    posterior: Posterior, by: str, units: list[Unit], sums: FloatArray, total: FloatArray
) -> xr.Dataset:
    draws = posterior.draws
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    loo = sums[0].sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        index = np.where(total == 0.0, np.nan, loo / total - 1.0)
    mean = float(total.mean())
    data = {
        name: (("chain", "draw", by), np.ascontiguousarray(sums[k].T).reshape(*shape, len(units)))
        for k, name in enumerate(ESTIMANDS)
    }
    return xr.Dataset(
        {
            **data,
            "total": (("chain", "draw"), total.reshape(shape)),
            "interaction_index": (("chain", "draw"), index.reshape(shape)),
        },
        coords={
            "chain": draws["chain"].to_numpy(),
            "draw": draws["draw"].to_numpy(),
            by: [unit.name for unit in units],
            "n_posts": (by, [len(unit.members) for unit in units]),
        },
        attrs={"by": by, "interaction_index": float(loo.mean()) / mean - 1.0 if mean else np.nan},
    )


def attribution_table(
    posterior: Posterior, by: str = "post", prob: float = 0.95, noted: Effects | None = None
) -> pd.DataFrame:
    """Return the four attributions of every post or group, one row each.

    Parameters
    ----------
    posterior : Posterior
    by : str
        As in :meth:`Effects.units`.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).
    noted : Effects, optional
        Effects of the same posterior that know what must be said of its posts.

    Returns
    -------
    DataFrame
        As :func:`summarise` returns it, and columns coupling (``"shared"``) and note.

    Raises
    ------
    InputError
        If the kind of set or the probability cannot be.
    """
    interval_tail(prob)
    table = summarise(attribution(posterior, by), prob)
    effects = Effects(posterior) if noted is None else noted
    table["coupling"] = "shared"
    notes = [effects.note(unit) for unit in effects.units(by)]
    absent = table["shapley_mean"].isna()
    table["note"] = [
        "; ".join(filter(None, [note, NO_SHAPLEY if none else ""]))
        for note, none in zip(notes, absent, strict=True)
    ]
    return table


def summarise(shares: xr.Dataset, prob: float = 0.95) -> pd.DataFrame:
    """Return means and intervals of draws of the four attributions.

    Parameters
    ----------
    shares : Dataset
        As :func:`attribution` returns it.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns by, unit, n_posts; mean, lower and upper of ``loo``, ``add_one_in``,
        ``aumann_shapley`` and ``shapley`` (downloads over the campaign's window); prob;
        share_of_total (mean Aumann-Shapley share over the mean total: adds up to 1, can leave
        [0, 1] where effects have both signs, NaN where the total is 0); and interaction_index, the
        same in every row: by how much the ``loo_mean`` column overstates the total when it is
        added up, as a share of the total. Only the Aumann-Shapley and Shapley columns add up.

    Raises
    ------
    InputError
        If the probability cannot be.
    """
    tail = interval_tail(prob)
    by = str(shares.attrs["by"])
    table = pd.DataFrame(
        {"by": by, "unit": shares[by].to_numpy(), "n_posts": shares["n_posts"].to_numpy()}
    )
    for name in ESTIMANDS:
        values = shares[name].to_numpy().reshape(-1, len(table))
        short = SHORT_NAMES.get(name, name)
        table[f"{short}_mean"] = values.mean(axis=0)
        bounds = np.quantile(values, [tail, 1 - tail], axis=0)
        table[f"{short}_lower"], table[f"{short}_upper"] = bounds
    table["prob"] = prob
    total = float(shares["total"].mean())
    table["share_of_total"] = table["aumann_shapley_mean"] / total if total else np.nan
    table["interaction_index"] = shares.attrs["interaction_index"]
    return table
