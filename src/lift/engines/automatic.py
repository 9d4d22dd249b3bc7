"""The engine that a model calls for: exact where it reaches, else Gibbs, else PyMC."""

from __future__ import annotations

from lift.data.campaign import Campaign
from lift.engines.base import Progress, SampleSettings
from lift.engines.exact import fit_exact
from lift.engines.importance import BAD_K
from lift.engines.limits import INSTEAD, beyond, require
from lift.engines.registry import engine_named
from lift.model.design import build_design
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

REASON, REFUSED_K = "engine_reason", "refused_pareto_k"
"""Keys of ``sample_stats``: why the draws are not the exact engine's, and the k of bad ones."""


def fit_automatic(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
) -> Posterior:
    """Return the posterior by the exact engine, or by another where it must be.

    Where the model is beyond the exact engine the first of ``INSTEAD`` is taken that fits it: Gibbs
    for scale variables, PyMC for amplitudes that are positive only and for responses that saturate.
    The Gibbs engine is also taken where the weights of the exact engine must not be trusted: their
    Pareto k is above 0.7 or cannot be computed. Where it cannot fit the model, the exact engine's
    draws come back with their k.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.

    Returns
    -------
    Posterior
        ``attrs["engine"]`` is the engine that made the draws; ``sample_stats["engine_reason"]``
        says why, unless it is the exact one; ``sample_stats["refused_pareto_k"]`` is the k of
        draws that were not taken.

    Raises
    ------
    EngineError
        If no engine can fit the model.
    """
    design = build_design(campaign, spec)
    asked = beyond("exact", design)
    if asked:
        able = [name for name in INSTEAD if not beyond(name, design)]
        if not able:
            require("gibbs", design)
        fitted = engine_named(able[0])(campaign, spec, settings, progress)
        return fitted.with_stats({REASON: f"the model asks for {', '.join(asked)}"})
    weighted = fit_exact(campaign, spec, settings, progress, design)
    k = float(weighted.sample_stats["pareto_k"])
    if k <= BAD_K or beyond("gibbs", design):
        return weighted
    reason = (
        f"the importance weights of the exact engine must not be trusted (Pareto k = {k:.2f}, "
        f"bad > {BAD_K})"
    )
    fitted = engine_named("gibbs")(campaign, spec, settings, progress)
    return fitted.with_stats({REASON: reason, REFUSED_K: k})
