"""Have the chains of a sampler converged for every effect that is reported."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.caveats import MEAN_OF_A_FEW, of_mean
from lift.analysis.diagnostics import Finding, chain_findings, findings
from lift.analysis.effects import Effects
from lift.analysis.mixing import mixing
from lift.analysis.overlap import observed_kernels
from lift.data.tables import some
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

LEAST_SEEN = 0.05
"""Part of a post's response that must lie on observed days where only the data speak of it."""


def every_finding(effects: Effects) -> list[Finding]:
    """Return the outcome of every numerical check of the draws, and of their effects."""
    found = [*findings(effects.posterior), *effect_findings(effects), *tail_findings(effects)]
    return found + unseen_findings(effects.posterior)


def failures(posterior: Posterior) -> list[str]:
    """Return why the draws of a fit must not be believed; empty where nothing speaks against it."""
    # means and responses are only ever for review: no fit waits for their effects
    found = [*findings(posterior), *effect_findings(Effects(posterior))]
    return [finding.text for finding in found if finding.level == "FAIL"]


def tail_findings(effects: Effects) -> list[Finding]:
    """Return which effects have a mean that is outside the middle 95 % of its draws."""
    heavy = [
        str(name)
        for by in ("post", "campaign")
        for name, draws in _by_unit(effects, by)
        if of_mean(draws)
    ]
    if not heavy:
        return []
    text = f"effect of {some(heavy)}: {MEAN_OF_A_FEW}"
    return [Finding("REVIEW", "Means of the effects", text)]


def _by_unit(effects: Effects, by: str) -> Iterable[tuple[str, FloatArray]]:
    """Return the name of every unit with its draws, shape (chain, draw)."""
    draws = effects.draws(by)
    each = draws.transpose(by, "chain", "draw").to_numpy()
    return zip(draws[by].to_numpy(), each, strict=True)


def unseen_findings(posterior: Posterior) -> list[Finding]:
    """Return which posts' responses the data hardly reach, where posts are not pooled."""
    if posterior.attrs.get("pooling") != "none":
        return []
    seen = observed_kernels(posterior).sum(axis=1)
    hardly = [
        f"{post} ({100 * share:.1g} %)"
        for post, share in zip(posterior.posts["post"], seen, strict=True)
        if share < LEAST_SEEN
    ]
    if not hardly:
        return []
    text = (
        f"of the response of {some(hardly)} less than {100 * LEAST_SEEN:g} % lies on observed "
        "days: nothing bounds the effect where nothing is pooled; add the days after the post, "
        'leave it out, or use engine = "exact"'
    )
    return [Finding("REVIEW", "Responses observed", text)]


def effect_findings(effects: Effects) -> list[Finding]:
    """Return whether the effects of a Markov chain can be believed; empty for weighted draws.

    Draws of an engine that weighs independent points come in random order, so that these measures
    say nothing about them that the tail of the weights does not.

    Parameters
    ----------
    effects : Effects

    Returns
    -------
    list of Finding
    """
    if "pareto_k" in effects.posterior.sample_stats:
        return []
    # a Markov chain meets stricter gates (Vehtari et al. 2021) than draws that are independent
    strict = not {"divergences", "warm_up_sweeps"}.isdisjoint(effects.posterior.sample_stats)
    rows = [
        {"parameter": f"effect[{name}]", **mixing(draws)}
        for by in ("post", "campaign")
        for name, draws in _by_unit(effects, by)
    ]
    return chain_findings(pd.DataFrame(rows), " of the effects", strict=strict)
