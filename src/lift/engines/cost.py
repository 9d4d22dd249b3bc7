"""How long a fit will take, told before it begins.

One evaluation of the likelihood at the prior's centre is timed; how many there will be follows from
draws and chains. States and sums over days make an evaluation linear in days; many posts make it
cubic in posts, or in days where these are fewer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.exact import EMPTY, pack
from lift.engines.gibbs import evaluations, normal_part
from lift.engines.limits import INSTEAD, beyond
from lift.engines.registry import AUTOMATIC
from lift.model.design import build_design
from lift.model.spec import ModelSpec

TOLD_ABOVE = 300.0
"""Seconds above which it is worth saying."""
TRIALS = 3
EXACT_EVALUATIONS = 5000
EXACT_PER_DRAW = 0.8
"""Evaluations of the exact engine: the search for the mode and the first batches, and for a draw.
Measured: 7,300 to 10,000 for 4,000 draws of 365 days and 20 to 300 posts."""


@dataclass(frozen=True)
class Cost:
    """What a fit is expected to take.

    Attributes
    ----------
    n_days, n_posts : int
    n_evaluations : int
        Of the likelihood.
    evaluation_seconds : float
        For one of them.
    seconds : float
        For all of them, by the threads that there are.
    """

    n_days: int
    n_posts: int
    n_evaluations: int
    evaluation_seconds: float
    seconds: float

    def told(self) -> str:
        """Return one line where the fit takes longer than ``TOLD_ABOVE``, else ""."""
        if self.seconds <= TOLD_ABOVE:
            return ""
        return (
            f"this takes about {self.seconds / 60:,.0f} minutes: {self.n_days:,} days and "
            f"{self.n_posts:,} posts, {self.evaluation_seconds:.2g} s for each of about "
            f"{self.n_evaluations:,} evaluations of the likelihood"
        )


def expected_cost(
    campaign: Campaign,
    spec: ModelSpec,
    engine: str,
    settings: SampleSettings,
    clock: Callable[[], float] = time.perf_counter,
) -> Cost | None:
    """Return what a fit of one market is expected to take.

    A rough number: 0.5 to 3 times what fits took on a busy machine; compiling comes on top.

    Parameters
    ----------
    campaign : Campaign
        One market that the model can be built on.
    spec : ModelSpec
    engine : str
        ``"auto"`` or the name of an engine.
    settings : SampleSettings
    clock : callable
        Returns seconds.

    Returns
    -------
    Cost or None
        None for an engine whose cost does not follow from an evaluation: the path lengths of
        Hamiltonian chains and the steps of an optimiser are not known beforehand.
    """
    design = build_design(campaign, spec)
    if engine == AUTOMATIC:
        engine = next((name for name in INSTEAD if not beyond(name, design)), "")
    if engine not in ("exact", "gibbs") or beyond(engine, design):
        return None
    model = pack(normal_part(design))
    centre = np.zeros((1, model.n_hypers))
    model.evaluate(centre, EMPTY)  # the first one compiles
    trials = []
    for _ in range(TRIALS):
        begun = clock()
        model.evaluate(centre, EMPTY)
        trials.append(clock() - begun)
    once = min(trials)  # what else the machine does can only add
    threads = min(settings.workers, os.cpu_count() or 1)
    if engine == "exact":
        n_evaluations = EXACT_EVALUATIONS + int(EXACT_PER_DRAW * settings.draws)
    else:
        n_evaluations = evaluations(settings)
        threads = min(threads, settings.chains)
    return Cost(
        n_days=len(design.dates),
        n_posts=len(design.posts.ids),
        n_evaluations=n_evaluations,
        evaluation_seconds=once,
        seconds=once * n_evaluations / threads,
    )
