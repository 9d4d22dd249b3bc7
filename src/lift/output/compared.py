"""What the data say of each post, as people read it: resolution, prior share, what collides."""

from __future__ import annotations

import pandas as pd

from lift.analysis.identifiability import Identifiability
from lift.output import wording


def post_rows(found: Identifiability) -> pd.DataFrame:
    """Return what the data say of each post as text, one row each.

    Parameters
    ----------
    found : Identifiability

    Returns
    -------
    DataFrame of str
        Columns post, resolution, prior share, read together with.
    """
    rows = []
    members = found.posts.groupby("group")["post"].apply(list).to_dict()
    for row in found.posts.to_dict("records"):
        together = members[row["group"]] if row["group"] else []
        others = [str(post) for post in together if post != row["post"]]
        rows.append(
            {
                "post": wording.name(row["post"]),
                "resolution": wording.share(row["resolution"]),
                "prior share": wording.share(row["prior_share_of_variance"]),
                "read together with": wording.name(", ".join(others)),
            }
        )
    return pd.DataFrame(rows)


def group_lines(found: Identifiability) -> list[str]:
    """Return a sentence for every set of posts that must be read together.

    Parameters
    ----------
    found : Identifiability

    Returns
    -------
    list of str
    """
    lines = []
    for row in found.groups.to_dict("records"):
        ends = wording.interval(row["lower"], row["upper"])
        lines.append(
            f"{wording.name(row['posts'])} together: {wording.count(row['mean'])} incremental "
            f"downloads ({wording.level(row['prob'])} interval {ends})."
        )
    return lines


def meaning(found: Identifiability) -> str:
    """Return what the table of posts shows, in sentences.

    Parameters
    ----------
    found : Identifiability

    Returns
    -------
    str
    """
    return (
        f"The data resolve {found.n_resolvable:.1f} of {len(found.posts)} posts. Resolution: the "
        "weight of the data in a post's estimate by itself; prior share: how much of the variance "
        "of that estimate is prior rather than noise of the data."
    )
