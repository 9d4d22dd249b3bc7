"""The true effects of a simulated campaign, by the definition of the estimand."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Numbers copied at a time: 4 MB.
MAX_VALUES = 2**19
KINDS = ("post", "influencer", "platform", "creator_type", "content", "campaign")


def true_effects(
    downloads: FloatArray,
    posts: pd.DataFrame,
    post_days: NDArray[np.int64],
    log_lift: FloatArray,
    horizon_days: int,
    kept_away: FloatArray | None = None,
) -> pd.DataFrame:
    """Return the true leave-one-out effects of posts and groups of posts.

    What the realised downloads would have lacked without the posts, the noise of a day being the
    same in both worlds: ``sum_t Y_t (1 - exp(-F_t))`` with ``F_t`` the summed response of the
    posts that are taken away, over the observed days from each of them to the horizon after it.

    Parameters
    ----------
    downloads : ndarray, shape (n_days,), downloads/day
        NaN marks a day that was not observed; it counts in no effect.
    posts : DataFrame
        With post_id, influencer, platform, creator_type and content.
    post_days : ndarray of int, shape (n_posts,)
        Day of each post, counted from 0.
    log_lift : ndarray, shape (n_days, n_posts), log units
        Response to each post.
    horizon_days : int
        Days after the day of a post that count, 0 or more.
    kept_away : ndarray, shape (n_days,), optional
        What stands for ``downloads`` where the posts taken away had kept some away: users, who
        are not retained as those are whom posts brought.

    Returns
    -------
    DataFrame
        Columns by ("post", "influencer", "platform", "creator_type", "content" or "campaign"),
        unit and truth (downloads); posts in order of time, other units by name.
    """
    rows = []
    for kind in KINDS:
        if kind == "campaign":
            names, units = np.full(len(posts), kind), [kind]
        else:
            names = posts["post_id" if kind == "post" else kind].to_numpy(dtype=str)
            units = names.tolist() if kind == "post" else sorted(set(names.tolist()))
        for unit in units:
            members = names == unit
            window = np.zeros(len(downloads), dtype=bool)
            for day in post_days[members]:
                window[day : day + horizon_days + 1] = True
            # of many posts the table is large: it is not copied whole
            n_values = len(log_lift) * int(members.sum())
            parts = np.array_split(log_lift, max(1, -(-n_values // MAX_VALUES)))
            together = np.concatenate([part[:, members].sum(axis=1) for part in parts])
            gone = -np.expm1(-together)
            worth = downloads if kept_away is None else np.where(gone < 0, kept_away, downloads)
            truth = float(np.nansum((worth * gone)[window]))
            rows.append({"by": kind, "unit": unit, "truth": truth})
    return pd.DataFrame(rows)
