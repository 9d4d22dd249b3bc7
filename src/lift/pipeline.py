"""The one road from a campaign to its effects, for command line, notebooks and experiments."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lift.analysis.convergence import failures
from lift.data.arguments import check_path
from lift.data.campaign import Campaign
from lift.data.cohorts import cohorts_of, users_campaign
from lift.engines.base import Progress, SampleSettings
from lift.engines.registry import engine_named
from lift.errors import DiagnosticsError
from lift.fitted import Analysis as Analysis
from lift.model.checking import check as check
from lift.model.checking import check_arguments, series_days
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.output.inputs import campaign_of as campaign_of
from lift.rng import recorded


def analyse(
    campaign: Campaign,
    spec: ModelSpec | None = None,
    *,
    engine: str = "auto",
    draws: int = 4000,
    chains: int = 4,
    seed: int = 1,
    workers: int | None = None,
    progress: Progress | None = None,
    truth: pd.DataFrame | None = None,
    command: str | None = None,
) -> Analysis:
    """Return the posterior of a campaign and all that follows from it.

    Parameters
    ----------
    campaign : Campaign
        One market; of several, choose one with ``campaign.market(name)``.
    spec : ModelSpec, optional
        The default model if not given.
    engine : str
        ``"auto"``: exact where it reaches, Gibbs where it does not or where the exact engine's
        weights must not be trusted, and PyMC for what neither does; which one is said in the
        findings and the manifest. Or one of them by its name, see :mod:`lift.engines.limits`:
        ``"pymc"`` (the no-U-turn sampler: slower, and unrelated code) and ``"statsmodels"``
        (maximum likelihood: confidence intervals, nothing pooled) among them.
    draws : int
        Posterior draws over all chains.
    chains : int
        Independent chains.
    seed : int
        Root seed; the same seed gives bit-identical results for any number of workers.
    workers : int, optional
        Threads; all processors by default.
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.
    truth : DataFrame, optional
        Columns by, unit, truth: what a simulated campaign's effects really are.
    command : str, optional
        The command line that makes the run again, for the manifest.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        As :func:`check`.
    EngineError
        If the engine cannot fit this model to these data.
    DiagnosticsError
        If the draws must not be believed.
    """
    spec = ModelSpec() if spec is None else spec
    check_arguments(campaign, spec)
    sampler = engine_named(engine)
    settings = check_settings(engine, draws=draws, chains=chains, seed=seed, workers=workers)
    check(campaign, spec)
    begun = time.perf_counter()
    series: dict[int, Posterior] = {}
    with recorded() as streams:
        posterior = sampler(campaign, spec, settings, progress)
        seconds = {"fit": time.perf_counter() - begun}
        for day in series_days(spec) if campaign.cohorts is not None else ():
            active = users_campaign(campaign, day, spec.horizon_days)
            series[day] = sampler(active, spec, settings, progress)
    if campaign.cohorts is not None:
        posterior = posterior.with_users(cohorts_of(campaign.cohorts, campaign.markets[0]), series)
        seconds |= {"users": time.perf_counter() - begun - seconds["fit"]} if series else {}
    if failed := failures(posterior):
        raise DiagnosticsError(
            f"the draws of engine {posterior.attrs['engine']!r} must not be believed: "
            f"{'; '.join(failed)}; "
            "ask for more draws, or simplify the model"
        )
    return Analysis(
        posterior=posterior,
        spec=spec,
        manifest=_manifest(
            campaign, spec, posterior, settings, engine, streams, seconds, truth, command
        ),
        campaign=campaign,
        truth=truth,
    )


def expected_wait(
    campaign: Campaign,
    spec: ModelSpec,
    *,
    engine: str = "auto",
    draws: int = 4000,
    chains: int = 4,
    workers: int | None = None,
) -> str:
    """Return one line on how long :func:`analyse` will take where that is long, else "".

    Parameters
    ----------
    campaign, spec, engine, draws, chains, workers
        As for :func:`analyse`.

    Returns
    -------
    str
        Empty below five minutes, and for an engine whose cost is not known beforehand: see
        :func:`lift.engines.cost.expected_cost`.

    Raises
    ------
    InputError, EngineError
        As :func:`check`, and if there is no such engine.
    """
    from lift.engines.cost import expected_cost

    settings = check_settings(engine, draws=draws, chains=chains, workers=workers)
    check(campaign, spec)
    cost = expected_cost(campaign, spec, engine, settings)
    return "" if cost is None else cost.told()


def check_settings(
    engine: str, *, draws: int, chains: int = 4, seed: int = 1, workers: int | None = None
) -> SampleSettings:
    """Check how to compute; nothing is read or fitted.

    Parameters
    ----------
    engine, draws, chains, seed, workers
        As for :func:`analyse`.

    Returns
    -------
    SampleSettings

    Raises
    ------
    EngineError
        If there is no engine of that name, or a setting cannot be.
    """
    engine_named(engine)
    threads = (os.cpu_count() or 1) if workers is None else workers
    return SampleSettings(draws, chains, seed, threads)


def load(folder: str | Path) -> Analysis:
    """Return the analysis stored in a run directory; nothing is fitted.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Analysis
        Without its campaign: effects and counterfactuals need only the posterior.

    Raises
    ------
    InputError
        If the folder is not a path.
    RunError
        If the folder is not a complete run of lift.
    """
    from lift.output import store

    check_path(folder, "a run directory")

    run = store.load(Path(folder))
    return Analysis(run.posterior, run.spec, run.manifest, truth=run.truth)


def _manifest(
    campaign: Campaign,
    spec: ModelSpec,
    posterior: Posterior,
    settings: SampleSettings,
    asked: str,
    streams: Collection[str],
    seconds: Mapping[str, float],
    truth: pd.DataFrame | None,
    command: str | None,
) -> dict[str, Any]:
    from lift.output import manifest

    return manifest.build(
        name=campaign.name,
        market=campaign.markets[0],
        inputs=campaign.digests,
        spec_toml=spec.to_toml(),
        seed=settings.seed,
        draws=settings.draws,
        chains=settings.chains,
        engine=str(posterior.attrs["engine"]),
        asked=asked,
        settings={"draws": settings.draws, "chains": settings.chains},
        streams=streams,
        diagnostics=posterior.sample_stats,
        seconds=seconds,
        notices=campaign.notices,
        source=campaign.source,
        command=command,
        simulated=truth is not None,
    )
