"""What differs between what a run was made with and what is at hand, each told by its name."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from lift import __version__, provenance
from lift.data.campaign import Campaign
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.output.inputs import changed_inputs, market_of
from lift.output.manifest import digest, digest_file

type Kind = Literal["input", "prior", "seed", "file", "code", "version", "platform"]

SHOWN_DAYS = 3
"""Days of a changed table that are named."""
COUNTS_ONLY = frozenset({"cpus", "threads"})
"""Parts of a platform on which no number depends."""


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes
    ----------
    kind : str
        ``"input"``, ``"prior"`` (any key of the specification), ``"seed"`` or ``"file"`` (an
        output of the run was changed after it was made): another result is asked for. ``"code"``,
        ``"version"`` or ``"platform"``: the same result, computed elsewhere.
    name : str
        Which one: the table, the key, the file, the package.
    recorded, found : str
    """

    kind: Kind
    name: str
    recorded: str
    found: str

    @property
    def elsewhere(self) -> bool:
        """Whether the same result was asked of another code, version or platform."""
        return self.kind in {"code", "version", "platform"}

    def text(self) -> str:
        """Return a line: kind, name, what was recorded and what is found."""
        return f"changed {self.kind}: {self.name}: {self.recorded} in the run, {self.found} found"


def input_changes(
    manifest: Mapping[str, Any], campaign: Campaign, posterior: Posterior | None
) -> list[Change]:
    """Return the tables and settings that differ; of the downloads, the days too.

    Parameters
    ----------
    manifest : mapping
    campaign : Campaign
        What was fitted: the market that was analysed, or all of them together.
    posterior : Posterior or None
        Of the run: it holds the downloads that it was made from. None where it is private.

    Returns
    -------
    list of Change
    """
    out = []
    for name, (was, now) in changed_inputs(manifest, campaign).items():
        label = name
        if name == "downloads" and posterior is not None:
            label += _days(posterior.downloads.to_series(), market_of(campaign, manifest))
        out.append(Change("input", label, _short(was), _short(now)))
    return out


def _days(was: pd.Series, campaign: Campaign) -> str:
    """Return the days on which downloads differ, in brackets; nothing if it is in none."""
    table = campaign.downloads
    now = table[table["market"] == campaign.markets[0]].set_index("date")["downloads"]
    both = pd.DataFrame({"was": was.to_numpy()}, index=pd.DatetimeIndex(was.index)).join(
        now.rename("now"), how="outer"
    )
    same = (both["was"] == both["now"]) | (both["was"].isna() & both["now"].isna())
    days = both[~same]
    shown = [
        f"{day.date()}: {row['was']:g} to {row['now']:g}"
        for day, row in days.head(SHOWN_DAYS).iterrows()
        if isinstance(day, pd.Timestamp)
    ]
    more = [f"{len(days) - SHOWN_DAYS} more days"] if len(days) > SHOWN_DAYS else []
    return f" ({', '.join(shown + more)})" if shown else ""


def prior_changes(recorded_toml: str, spec: ModelSpec) -> list[Change]:
    """Return the keys of the specification whose values differ.

    Parameters
    ----------
    recorded_toml : str
        The specification of the run.
    spec : ModelSpec
        What is at hand.

    Returns
    -------
    list of Change
        A key that one side has not is ``"not there"`` on it.
    """
    was = dict(_flat(tomllib.loads(recorded_toml)))
    now = dict(_flat(tomllib.loads(spec.to_toml())))
    return [
        Change("prior", key, str(was.get(key, "not there")), str(now.get(key, "not there")))
        for key in dict.fromkeys([*was, *now])
        if was.get(key) != now.get(key)
    ]


def seed_changes(manifest: Mapping[str, Any], posterior: Posterior | None) -> list[Change]:
    """Return a change where the draws were made with another seed than the manifest says."""
    if posterior is None:
        return []
    was, drawn = manifest["seed"], posterior.attrs.get("seed", manifest["seed"])
    if int(drawn) == int(was):
        return []
    return [Change("seed", "seed", f"{drawn} (posterior.nc)", f"{was} (manifest.json)")]


def file_changes(folder: Path, manifest: Mapping[str, Any]) -> list[Change]:
    """Return the outputs of a run that are missing or not what its manifest says."""
    out = []
    for name, was in manifest["outputs"].items():
        file = folder / name
        now = digest_file(file) if file.is_file() else "missing"
        if now != was:
            out.append(Change("file", name, _short(was), _short(now)))
    spec = manifest["spec"]
    if digest(spec["toml"].encode()) != spec["sha256"]:
        found = _short(digest(spec["toml"].encode()))
        out.append(
            Change("file", "the specification in manifest.json", _short(spec["sha256"]), found)
        )
    return out


def place_changes(manifest: Mapping[str, Any]) -> list[Change]:
    """Return what differs in code, versions and platform from what made a run.

    Parameters
    ----------
    manifest : mapping
        What it does not record is not compared.

    Returns
    -------
    list of Change
    """
    out = []
    if manifest["lift"] != __version__:
        out.append(Change("version", "lift", manifest["lift"], __version__))
    code = manifest.get("code", {}).get("sha256")
    if code is not None and code != provenance.code_digest():
        out.append(
            Change("code", "sources of lift", _short(code), _short(provenance.code_digest()))
        )
    for package, was in manifest["versions"].items():
        now = platform.python_version() if package == "python" else provenance.installed(package)
        if was != now:
            out.append(Change("version", package, str(was), str(now)))
    was_flat = dict(_flat(manifest["platform"]))
    for key, now in _flat(provenance.machine()):
        if key.rpartition(".")[2] not in COUNTS_ONLY and was_flat.get(key, now) != now:
            out.append(Change("platform", key, str(was_flat[key]), str(now)))
    return out


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested tables with their dotted paths."""
    for key, item in value.items():
        path = f"{before}{key}"
        if isinstance(item, Mapping):
            yield from _flat(item, f"{path}.")
        elif isinstance(item, list) and item and all(isinstance(one, Mapping) for one in item):
            yield from _flat({str(i): one for i, one in enumerate(item)}, f"{path}.")
        else:
            yield path, item


def _short(sha256: str) -> str:
    return f"sha256 {sha256[:12]}" if len(sha256) == 64 else sha256
