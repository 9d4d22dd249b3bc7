"""Have the chains of a sampler converged for every effect that is reported."""

from __future__ import annotations

import pandas as pd

from lift.analysis.diagnostics import Finding, chain_findings, findings, measures
from lift.analysis.effects import Effects
from lift.model.posterior import Posterior


def every_finding(effects: Effects) -> list[Finding]:
    """Return the outcome of every numerical check of the draws, and of their effects."""
    return [*findings(effects.posterior), *effect_findings(effects)]


def failures(posterior: Posterior) -> list[str]:
    """Return why the draws of a fit must not be believed; empty where nothing speaks against it."""
    found = every_finding(Effects(posterior))
    return [finding.text for finding in found if finding.level == "FAIL"]


def effect_measures(effects: Effects) -> pd.DataFrame:
    """Return mean, sd and convergence measures of the effect of every post and of the campaign.

    Parameters
    ----------
    effects : Effects

    Returns
    -------
    DataFrame
        Columns parameter, mean, sd, ess_bulk, ess_tail, r_hat, mcse_mean, downloads; NaN as in
        :func:`lift.analysis.diagnostics.measures`.
    """
    posts = effects.draws("post")
    rows = [
        {"parameter": f"effect[{post}]", **measures(posts.sel(post=post).to_numpy())}
        for post in posts["post"].to_numpy()
    ]
    whole = effects.draws("campaign").to_numpy().reshape(posts.shape[:2])
    rows.append({"parameter": "effect[campaign]", **measures(whole)})
    return pd.DataFrame(rows)


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
    return chain_findings(effect_measures(effects), " of the effects", strict=strict)
