"""The options and the loading of a run whose days have another coupling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

if TYPE_CHECKING:
    from lift.pipeline import Analysis

type Coupled = Literal["shared", "independent", "superposition"]

CouplingOption = Annotated[
    Coupled,
    typer.Option(
        metavar="|".join(get_args(Coupled.__value__)),
        help="Noise of the days without the posts: that of the days observed, of its own, or (of "
        "counts) two streams.",
    ),
]
CampaignOption = Annotated[
    Path | None,
    typer.Option(
        metavar="CAMPAIGN",
        help="For independent coupling: the campaign, where it is not where it was fitted.",
    ),
]


def coupled_run(run: Path, coupling: Coupled, campaign: Path | None) -> Analysis:
    """Return the analysis stored in a run directory, with a coupling of its days.

    Parameters
    ----------
    run : Path
    coupling : str
    campaign : Path or None
        For independent coupling; the one that the run's manifest names by default.

    Returns
    -------
    Analysis
    """
    from lift import pipeline

    analysis = pipeline.load(run)
    if coupling == "shared":
        return analysis
    read = pipeline.campaign_of(run, campaign) if coupling == "independent" else None
    return analysis.coupled(coupling, read)
