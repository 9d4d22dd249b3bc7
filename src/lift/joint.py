"""The road from a campaign of several markets to its effects: one fit of all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lift.analysis.convergence import failures
from lift.analysis.market_totals import market_effects
from lift.data.campaign import Campaign
from lift.engines.base import Progress, SampleSettings
from lift.engines.registry import markets_engine_named
from lift.errors import DiagnosticsError, InputError, Problem
from lift.fitted import Analysis
from lift.model.checking import check, check_arguments
from lift.model.markets import build_markets, market_part
from lift.model.spec import MarketsSpec, ModelSpec
from lift.output import manifest
from lift.rng import recorded

TOTALS = "markets.csv"


@dataclass(frozen=True, eq=False)
class MarketsAnalysis:
    """A campaign whose markets were fitted together.

    Attributes
    ----------
    markets : mapping of str to Analysis
        By market; draws of the same chain and number belong together.
    spec : ModelSpec
    campaign : Campaign
        All markets.
    without_posts : tuple of str
        Markets that no post reaches: they are part of the fit and have no effects.
    """

    markets: Mapping[str, Analysis]
    spec: ModelSpec
    campaign: Campaign
    without_posts: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the run directories that :meth:`save` writes, by market."""
        return tuple(run_folder(name) for name in self.markets)

    def effects(self, by: str = "post", prob: float = 0.95) -> pd.DataFrame:
        """Return effects by market and over all markets.

        Parameters
        ----------
        by : str
            As in :meth:`Effects.units`.
        prob : float
            Probability of the intervals, in (0, 1).

        Returns
        -------
        DataFrame
            As :func:`lift.analysis.market_totals.market_effects`.
        """
        posteriors = {name: analysis.posterior for name, analysis in self.markets.items()}
        return market_effects(posteriors, by, prob)

    def to_pymc(self) -> Any:
        """Return the joint model as a PyMC model, to look at, change and sample.

        Returns
        -------
        pymc.Model
            As of :func:`lift.engines.pymc_markets_model.build_markets_model`.
        """
        from lift.engines.pymc_markets_model import build_markets_model

        return build_markets_model(build_markets(self.campaign, self.spec))

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run directory for each market, and the table of all of them.

        Parameters
        ----------
        folder : str or Path
            Gets ``markets.csv`` and, by the names of the markets, run directories.
        overwrite : bool
            Replace earlier runs of those markets.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        RunError
            If something else is in the way of a run.
        """
        from lift.output import store

        target = Path(folder)
        for name in self.folders:
            store.check_target(target / name, overwrite=overwrite)
        for name, analysis in zip(self.folders, self.markets.values(), strict=True):
            analysis.save(target / name, overwrite=overwrite)
        tables = [self.effects(by) for by in ("post", "campaign")]
        (target / TOTALS).write_bytes(store.csv_bytes(pd.concat(tables, ignore_index=True)))
        return target


def analyse_markets(
    campaign: Campaign,
    spec: ModelSpec | None = None,
    *,
    draws: int = 4000,
    chains: int = 4,
    seed: int = 1,
    workers: int | None = None,
    engine: str = "exact",
    progress: Progress | None = None,
    command: str | None = None,
) -> MarketsAnalysis:
    """Return the posterior of all markets of a campaign, fitted together.

    Posts share what they do between the markets that they reach, see :mod:`lift.model.markets`.

    Parameters
    ----------
    campaign : Campaign
        Two markets or more, each reached by a post, or with something in common with the others
        (``spec.markets``).
    spec : ModelSpec, optional
        The default model if not given.
    draws : int
        Posterior draws over all chains.
    chains : int
        Independent chains.
    seed : int
        Root seed; the same seed gives bit-identical results for any number of workers.
    workers : int, optional
        Threads; all processors by default.
    engine : "exact" or "pymc"
        The second samples the same model by Hamiltonian Monte Carlo, and does free loadings
        (``markets.free_loadings``), which the first does not.
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.
    command : str, optional
        The command line that makes the runs again, for the manifests.

    Returns
    -------
    MarketsAnalysis

    Raises
    ------
    InputError
        If a market cannot be fitted, each named.
    EngineError
        If the model is one that a joint fit does not do.
    DiagnosticsError
        If the draws must not be believed.
    """
    spec = ModelSpec() if spec is None else spec
    check_arguments(campaign, spec)
    fit_markets = markets_engine_named(engine)
    threads = (os.cpu_count() or 1) if workers is None else workers
    settings = SampleSettings(draws, chains, seed, threads)
    build_markets(campaign, spec)
    problems: list[Problem] = []
    asked = spec.markets or MarketsSpec()
    for name in campaign.markets:
        part = campaign.market(name)
        if not len(part.posts):
            continue
        try:
            check(part, spec)
        except InputError as error:
            problems += [
                fault
                if fault.where == "model.toml"
                else Problem(f"{fault.where} of {name}", fault.what)
                for fault in error.problems
            ]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    begun = time.perf_counter()
    with recorded() as streams:
        posteriors = fit_markets(campaign, spec, settings, progress)
    seconds = {"fit": time.perf_counter() - begun}
    failed = [
        f"{name}: {text}" for name, posterior in posteriors.items() for text in failures(posterior)
    ]
    if failed:
        raise DiagnosticsError(
            f"the draws of the joint fit must not be believed: {'; '.join(dict.fromkeys(failed))}; "
            "ask for more draws, simplify the model, or fit each market by itself"
        )
    analyses = {}
    for name, posterior in posteriors.items():
        part = market_part(campaign, name, asked)
        provenance = manifest.build(
            name=part.name,
            market=name,
            inputs=campaign.digests,
            spec_toml=spec.to_toml(),
            seed=seed,
            draws=draws,
            chains=chains,
            engine=str(posterior.attrs["engine"]),
            settings={"draws": draws, "chains": chains, "markets": list(campaign.markets)},
            streams=streams,
            diagnostics=posterior.sample_stats,
            seconds=seconds,
            notices=part.notices,
            source=part.source,
            command=command,
        )
        analyses[name] = Analysis(
            posterior=posterior, spec=spec, manifest=provenance, campaign=part
        )
    silent = tuple(name for name in campaign.markets if name not in analyses)
    return MarketsAnalysis(analyses, spec, campaign, silent)


def run_folder(market: str) -> str:
    """Return the name of a market's run directory.

    Parameters
    ----------
    market : str

    Returns
    -------
    str
        The market's name, with what a file system may not allow as ``_``.
    """
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in market)
    return kept.lstrip(".") or "market"
