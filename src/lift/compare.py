"""Fit one campaign with several engines and set their effects side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pandas as pd

from lift import pipeline
from lift.analysis.verdicts import (
    REFUSED,
    UNBELIEVED,
    Agreement,
    EngineEffects,
    agreement,
    effects_of,
)
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.registry import ENGINES, WINDOW_ENGINES, window_engine_named
from lift.engines.windows import WindowEffects
from lift.errors import DiagnosticsError, EngineError, InputError, Problem
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

Tell = Callable[[str], None]

PROB = 0.95


def compare(
    campaign: Campaign,
    spec: ModelSpec | None = None,
    engines: Sequence[str] = ("exact", "pymc", "statsmodels", "causalimpact"),
    *,
    draws: int = 4000,
    chains: int = 4,
    seed: int = 1,
    workers: int | None = None,
    fitted: tuple[Posterior, float] | None = None,
    tell: Tell | None = None,
) -> Agreement:
    """Return the effects of every post by several engines, and a verdict on each difference.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec, optional
        The default model if not given.
    engines : sequence of str
        Names of engines; the first, which must return a posterior, is what the others are held to.
    draws, chains, seed, workers : int
        As :func:`lift.pipeline.analyse`.
    fitted : tuple of Posterior and float, optional
        A posterior of this campaign and model and the seconds that it took, used for the engine
        that made it instead of a new fit.
    tell : callable, optional
        Called with the name of each engine before it is run.

    Returns
    -------
    Agreement
        The rules of its verdicts stand in :mod:`lift.analysis.verdicts`. An engine that refuses
        the campaign, or whose draws must not be believed, has rows that say so.

    Raises
    ------
    InputError
        If an engine is not known or named twice, or there are fewer than two.
    EngineError
        If the first engine returns no posterior, or cannot fit this model to these data.
    DiagnosticsError
        If the draws of the first engine must not be believed.
    """
    check_engines(engines)
    model = spec or ModelSpec()

    def posterior_of(name: str) -> tuple[Posterior, float]:
        if fitted is not None and fitted[0].attrs["engine"] == name:
            return fitted
        begun = time.perf_counter()
        analysis = pipeline.analyse(
            campaign, model, engine=name, draws=draws, chains=chains, seed=seed, workers=workers
        )
        return analysis.posterior, time.perf_counter() - begun

    found = []
    for name in engines:
        if tell is not None:
            tell(name)
        begun = time.perf_counter()
        try:
            if name in WINDOW_ENGINES:
                settings = SampleSettings(draws, chains, seed, workers or 1)
                windows = window_engine_named(name)(campaign, model, settings, None)
                found.append(_of_windows(name, windows, time.perf_counter() - begun))
            else:
                found.append(_of_posterior(name, *posterior_of(name)))
        except (EngineError, DiagnosticsError) as error:
            if name == engines[0]:
                raise
            outcome = REFUSED if isinstance(error, EngineError) else UNBELIEVED
            seconds = time.perf_counter() - begun
            found.append(
                EngineEffects(name, pd.DataFrame(), seconds, outcome=outcome, message=str(error))
            )
    return agreement(found, PROB)


def check_engines(engines: Sequence[str]) -> None:
    """Check the names of engines to compare.

    Raises
    ------
    InputError
        Naming every fault.
    """
    problems = []
    known = (*ENGINES, *WINDOW_ENGINES)
    if unknown := [name for name in engines if name not in known]:
        problems.append(f"must be of {', '.join(known)}, found {', '.join(map(repr, unknown))}")
    if twice := sorted({name for name in engines if list(engines).count(name) > 1}):
        problems.append(f"must be named once each, found {', '.join(twice)} again")
    if len(engines) < 2:
        problems.append(f"must be at least two, found {len(engines)}")
    elif engines[0] in WINDOW_ENGINES:
        problems.append(
            f"the first must return a posterior to hold the others to, found {engines[0]!r}"
        )
    if problems:
        raise InputError([Problem("engines", problem) for problem in problems])


def _of_posterior(name: str, posterior: Posterior, seconds: float) -> EngineEffects:
    faults = tuple(part for part in str(posterior.attrs.get("faults", "")).split("; ") if part)
    return EngineEffects(name, effects_of(posterior, PROB), seconds, faults=faults)


def _of_windows(name: str, windows: WindowEffects, seconds: float) -> EngineEffects:
    table = windows.table.rename(columns={"post": "unit"})
    errors = {f"mcse_{what}": 0.0 for what in ("mean", "lower", "upper")}
    return EngineEffects(
        name,
        table.assign(**errors)[
            ["unit", "mean", "lower", "upper", *errors, "overlaps", "lasting", "note"]
        ],
        seconds,
        faults=windows.faults,
        single_posts=True,
        message="; ".join(windows.warnings),
    )
