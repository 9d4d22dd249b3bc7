"""Re-run a run from its manifest and say for each number whether it is the same, and why not."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lift.analysis.agreement import (
    COLUMNS,
    DIFFERS,
    IDENTICAL,
    MISSING,
    WITHIN,
    agreement,
    agreement_with_table,
)
from lift.analysis.effects import Effects
from lift.data import example
from lift.data.campaign import Campaign
from lift.engines.base import Progress
from lift.engines.registry import MADE_BY
from lift.errors import DiagnosticsError, RunError
from lift.joint import analyse_markets
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.output import store
from lift.output.inputs import find_campaign, fitted_together, manifest_of
from lift.output.manifest import digest_file
from lift.pipeline import Analysis, analyse
from lift.replication.changes import (
    Change,
    file_changes,
    input_changes,
    place_changes,
    prior_changes,
    seed_changes,
)

MODEL_FILE = "model.toml"
SIGNIFICANT = 10
"""Significant digits of a table of effects, as it is stored."""
OF_THE_RUN = (
    "created",
    "command",
    "source",
    "simulated",
    "code",
    "lock",
    "versions",
    "platform",
    "seconds",
    "lift",
    "notices",
    "preregistration",
)
"""Keys of the manifest that a report shows and that say when, where and how it was read."""


@dataclass(frozen=True, eq=False)
class Verification:
    """What came of re-running a run.

    Attributes
    ----------
    run : str
        The run directory, as it was named.
    campaign : str
        Where the inputs were read.
    numbers : DataFrame
        As :func:`lift.analysis.agreement.agreement`; empty where the new draws were refused.
    files : mapping of str to str
        For each output of the run: ``"identical bytes"``, ``"differs"`` or ``"not made again"``.
    changes : tuple of Change
        What is not as it was when the run was made.
    asked : str
        What was asked to be other than in the run; empty where nothing was.
    refused : str
        Why the new draws must not be believed; empty where they may be.
    """

    run: str
    campaign: str
    numbers: pd.DataFrame
    files: Mapping[str, str]
    changes: tuple[Change, ...]
    asked: str = ""
    refused: str = ""

    @property
    def identical(self) -> bool:
        """Whether every number and every output is the same to the last bit."""
        same = bool(len(self.numbers)) and bool((self.numbers["verdict"] == IDENTICAL).all())
        return same and all(found == "identical bytes" for found in self.files.values())

    @property
    def passed(self) -> bool:
        """Whether the run is confirmed.

        Every byte must be the same; where the run was made by other code, other versions or on
        another platform, or another seed was asked for, every number must be the same within
        Monte Carlo error. Another input, prior or seed than recorded confirms nothing.
        """
        if self.refused or not all(change.elsewhere for change in self.changes):
            return False
        if self.identical:
            return True
        elsewhere = bool(self.changes) or bool(self.asked)
        agree = self.numbers["verdict"].isin([IDENTICAL, WITHIN])
        return elsewhere and bool(len(agree)) and bool(agree.all())

    def verdict(self) -> str:
        """Return what it comes to, in one sentence."""
        if self.refused:
            return f"not confirmed: the new draws are refused: {self.refused}"
        counts = self.numbers["verdict"].value_counts()
        apart = int(counts.get(DIFFERS, 0) + counts.get(MISSING, 0))
        what = [change for change in self.changes if not change.elsewhere]
        told = f"{len(self.numbers)} numbers: {counts.get(IDENTICAL, 0)} identical, "
        told += f"{counts.get(WITHIN, 0)} within Monte Carlo error, {apart} differ"
        if self.identical and not what:
            return f"confirmed: {told}; all {len(self.files)} files have identical bytes"
        if self.passed:
            return f"confirmed within Monte Carlo error: {told}"
        if what:
            kinds = ", ".join(dict.fromkeys(f"changed {change.kind}" for change in what))
            return f"not confirmed, {kinds}: {told}"
        if self.changes or self.asked:
            return f"not confirmed: {told}"
        return (
            f"not confirmed: {told}, though inputs, prior, seed, code, versions and platform are "
            "those of the run; every byte should be the same"
        )


def verify_run(
    run: str | Path,
    campaign: str | Path | None = None,
    *,
    spec: str | Path | None = None,
    seed: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Re-run a run from its manifest and compare every number and every output.

    Parameters
    ----------
    run : str or Path
        A run directory.
    campaign : str or Path, optional
        The campaign; by default the one that the manifest names.
    spec : str or Path, optional
        The specification; by default the file that the run read it from, where it is at hand,
        and else the one in the manifest.
    seed : int, optional
        Another seed than the run's: its numbers must agree within Monte Carlo error.
    workers : int, optional
        Threads; all processors by default.
    progress : callable, optional
        As for :func:`lift.pipeline.analyse`.

    Returns
    -------
    Verification

    Raises
    ------
    RunError
        If it is no run, draws are missing, or its campaign is not found.
    InputError
        If the campaign has faults.
    """
    folder = Path(run).expanduser()
    manifest = manifest_of(folder)
    recorded = _recorded(folder)
    posterior = recorded.posterior if isinstance(recorded, Effects) else None
    read = find_campaign(folder, manifest, campaign)
    model = spec_at_hand(manifest, read, spec)
    changes = [
        *input_changes(manifest, read, posterior),
        *prior_changes(manifest["spec"]["toml"], model),
        *seed_changes(manifest, posterior),
        *(file_changes(folder, manifest) if posterior is not None else ()),
        *place_changes(manifest),
    ]
    truth = store.read_truth(folder) if (folder / store.TRUTH).is_file() else None
    asked = "" if seed is None or seed == manifest["seed"] else f"seed {seed}"
    place = str(campaign or read.source)
    try:
        again = made_again(
            read, model, manifest, seed=seed, workers=workers, progress=progress, truth=truth
        )
    except DiagnosticsError as error:
        empty = pd.DataFrame(columns=list(COLUMNS))
        return Verification(str(run), place, empty, {}, tuple(changes), asked, str(error))
    numbers = (
        agreement(recorded, again.effects)
        if isinstance(recorded, Effects)
        else agreement_with_table(recorded, again.effects, SIGNIFICANT)
    )
    return Verification(str(run), place, numbers, _files(manifest, again), tuple(changes), asked)


def made_again(
    campaign: Campaign,
    spec: ModelSpec,
    manifest: Mapping[str, Any],
    *,
    engine: str | None = None,
    seed: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    truth: pd.DataFrame | None = None,
) -> Analysis:
    """Return the analysis of a campaign as a run was made.

    Parameters
    ----------
    campaign : Campaign
        All markets where the run is one of several that were fitted together.
    spec : ModelSpec
    manifest : mapping
        Of the run: draws, chains, and whatever is not given.
    engine : str, optional
        The one that was asked for by default.
    seed : int, optional
    workers, progress, truth
        As for :func:`lift.pipeline.analyse`.

    Returns
    -------
    Analysis

    Raises
    ------
    RunError
        If the market of a joint fit has no posts, or is not there.
    """
    n_draws, n_chains = manifest["draws"], manifest["chains"]
    seed = manifest["seed"] if seed is None else seed
    if fitted_together(manifest):
        fits = analyse_markets(
            campaign, spec, draws=n_draws, chains=n_chains, seed=seed, workers=workers,
            engine=MADE_BY[manifest["engine"]["name"]], progress=progress,
        ).markets  # fmt: skip
        if manifest["market"] not in fits:
            raise RunError(
                f"the campaign must have posts in the market {manifest['market']!r} of the run, "
                f"found them in {', '.join(fits)}; give the campaign as it was"
            )
        return fits[manifest["market"]]
    return analyse(
        campaign,
        spec,
        engine=engine or manifest["engine"].get("asked") or manifest["engine"]["name"],
        draws=n_draws,
        chains=n_chains,
        seed=seed,
        workers=workers,
        progress=progress,
        truth=truth,
    )


def _recorded(folder: Path) -> Effects | pd.DataFrame:
    """Return the effects of a run; of a private one in an archive, only their table."""
    table = folder / store.EFFECTS_CSV
    if (folder / store.POSTERIOR).is_file() or not table.is_file():
        return Effects(Posterior.from_netcdf(folder / store.POSTERIOR))
    return pd.read_csv(table, dtype={"by": str, "unit": str}, keep_default_na=False)


def spec_at_hand(
    manifest: Mapping[str, Any], campaign: Campaign, spec: str | Path | None = None
) -> ModelSpec:
    """Return the specification that the command of a run reads today.

    Parameters
    ----------
    manifest : mapping
    campaign : Campaign
        As it was found.
    spec : str or Path, optional
        The file to read in place of it.

    Returns
    -------
    ModelSpec
        That of the manifest where the run was made in Python, or the file is not at hand.

    Raises
    ------
    InputError
        If the specification cannot be read by this version.
    """
    if spec is not None:
        return ModelSpec.from_toml(Path(spec))
    words = shlex.split(manifest["command"] or "")
    if words[:2] in (["lift", "fit"], ["lift", "markets"]) and campaign.source is not None:
        named = _option(words, "--spec")
        if named is None and campaign.source != example.SOURCE:
            place = Path(campaign.source)
            beside = (place if place.is_dir() else place.parent) / MODEL_FILE
            return ModelSpec.from_toml(beside) if beside.is_file() else ModelSpec()
        if named is not None and Path(named).is_file():
            return ModelSpec.from_toml(Path(named))
    with tempfile.TemporaryDirectory() as passing:
        file = Path(passing) / store.SPEC
        file.write_text(manifest["spec"]["toml"], encoding="utf-8")
        return ModelSpec.from_toml(file)


def _option(words: Sequence[str], name: str) -> str | None:
    return words[words.index(name) + 1] if name in words[:-1] else None


def _files(manifest: Mapping[str, Any], again: Analysis) -> dict[str, str]:
    """Return for each output of a run whether the new run has the same bytes."""
    kept = {key: manifest[key] for key in OF_THE_RUN if key in manifest}
    with tempfile.TemporaryDirectory() as passing:
        made = replace(again, manifest={**again.manifest, **kept}).save(Path(passing) / "run")
        if store.COMPONENTS in manifest["outputs"]:
            parts = again.components().table()
            store.rewrite_report(made, again.effects, again.findings, again.outcomes, parts)
        out = {}
        for name, digest in manifest["outputs"].items():
            file = made / name
            if not file.is_file():
                out[name] = "not made again"
            else:
                out[name] = "identical bytes" if digest_file(file) == digest else "differs"
    return out
