"""What an engine returns that looks at one post at a time: an effect per window, no posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from lift.data.campaign import Campaign
from lift.engines.base import Progress, SampleSettings
from lift.model.spec import ModelSpec

WINDOW_COLUMNS = (
    "post",
    "mean",
    "lower",
    "upper",
    "prob",
    "days_before",
    "days_after",
    "overlaps",
    "lasting",
    "note",
)


@dataclass(frozen=True, eq=False)
class WindowEffects:
    """The effect of each post on its window, as a method sees it that knows of no other post.

    It is no :class:`lift.model.posterior.Posterior`: there are no joint draws, so there is no
    campaign total, no attribution and no counterfactual of several posts.

    Attributes
    ----------
    table : DataFrame
        One row per post, in order of time: post, mean, lower, upper (downloads, over the observed
        days from the post to the horizon), prob (of the interval), days_before and days_after
        (observed days used), overlaps (ids of other posts whose windows reach into these days),
        lasting (downloads: how much of the mean would not be the post's, if what is still there
        after its window were a level that moved; 0 where by the method's own limits nothing is),
        note. Mean and limits are NaN where the method could not be applied; note says why.
    attrs : mapping
        Engine, versions and settings.
    faults : tuple of str
        What is known to be wrong with the method's numbers.
    """

    table: pd.DataFrame
    attrs: Mapping[str, Any]
    faults: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know of these data, such as posts that overlap."""
        crowded = self.table.loc[self.table["overlaps"] != "", "post"].tolist()
        refused = self.table.loc[self.table["mean"].isna(), "post"].tolist()
        out = []
        if crowded:
            out.append(
                f"{len(crowded)} of {len(self.table)} posts share days with others, and each is "
                f"given all of what happened on its days: {', '.join(crowded)}"
            )
        if refused:
            out.append(f"no number for {', '.join(refused)}: see their notes")
        return tuple(out)


class WindowEngine(Protocol):
    """A method that looks at one post at a time."""

    def __call__(
        self,
        campaign: Campaign,
        spec: ModelSpec,
        settings: SampleSettings,
        progress: Progress | None = None,
    ) -> WindowEffects:
        """Return the effects of one market's posts."""
        ...
