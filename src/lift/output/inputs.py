"""The inputs of a run, read again from where they were read, and held to their digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lift.data.campaign import Campaign, read_campaign
from lift.errors import InputError, Problem, RunError
from lift.model.markets import market_part
from lift.model.spec import MarketsSpec, ModelSpec
from lift.output import store


def campaign_of(run: str | Path, campaign: str | Path | None = None) -> Campaign:
    """Return the campaign that a run was made from.

    Parameters
    ----------
    run : str or Path
        A run directory.
    campaign : str or Path, optional
        Folder of the campaign, or its campaign.toml. By default the one that the manifest names:
        the bundled campaign, or a path that is looked for from the working directory and then
        from every folder above the run.

    Returns
    -------
    Campaign
        Of the market that was analysed.

    Raises
    ------
    RunError
        If it is not a run of lift, or no campaign is found.
    InputError
        If the campaign has faults, or a table or the settings are not those of the run; each that
        differs is named.
    """
    manifest = manifest_of(Path(run))
    return market_of(inputs_of(run, campaign), manifest)


def inputs_of(run: str | Path, campaign: str | Path | None = None) -> Campaign:
    """Return all that a run was made from: its market, or all markets that were fitted together.

    Parameters
    ----------
    run : str or Path
    campaign : str or Path, optional
        As for :func:`campaign_of`.

    Returns
    -------
    Campaign

    Raises
    ------
    RunError, InputError
        As :func:`campaign_of`.
    """
    folder = Path(run)
    manifest = manifest_of(folder)
    found = find_campaign(folder, manifest, campaign)
    problems = [
        Problem(
            name,
            f"must be what the run was made from, sha256 {was[:12]}, found {now[:12]}; "
            "give the campaign as it was, or fit this one",
        )
        for name, (was, now) in changed_inputs(manifest, found).items()
    ]
    if problems:
        raise InputError(problems)
    return found


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run directory.

    Raises
    ------
    RunError
        If the folder is not a run of lift.
    """
    manifest = store.recorded_manifest(folder.expanduser())
    if manifest is None:
        raise RunError(
            f"{folder} must be a run directory made by lift, found no manifest of one in it"
        )
    return manifest


def find_campaign(
    folder: Path, manifest: Mapping[str, Any], campaign: str | Path | None = None
) -> Campaign:
    """Return the campaign that a manifest names or that is given, whatever its content is.

    Parameters
    ----------
    folder : Path
        The run directory.
    manifest : mapping
    campaign : str or Path, optional
        As for :func:`campaign_of`.

    Returns
    -------
    Campaign
        Of the market that was analysed, where the campaign has it; of all markets where they were
        fitted together.

    Raises
    ------
    RunError
        If no campaign is found.
    InputError
        If the campaign has faults.
    """
    read = _read(folder, manifest, campaign)
    return read if fitted_together(manifest) else market_of(read, manifest)


def fitted_together(manifest: Mapping[str, Any]) -> bool:
    """Return whether a run is one market of several that were fitted together."""
    return len(manifest["engine"]["settings"].get("markets", ())) > 1


def market_of(campaign: Campaign, manifest: Mapping[str, Any]) -> Campaign:
    """Return the market of a campaign that a run is of, where the campaign has it."""
    market = manifest["market"]
    if len(campaign.markets) == 1 or market not in campaign.markets:
        return campaign
    if not fitted_together(manifest):
        return campaign.market(market)
    spec = ModelSpec.from_text(manifest["spec"]["toml"])
    return market_part(campaign, market, spec.markets or MarketsSpec())


def changed_inputs(manifest: Mapping[str, Any], campaign: Campaign) -> dict[str, tuple[str, str]]:
    """Return the digests recorded and found of every input that differs, by name.

    An input that one side does not know has the digest ``"none"`` there.
    """
    recorded, found = manifest["inputs"], campaign.digests
    both = {
        name: (str(recorded.get(name, "none")), found.get(name, "none"))
        for name in dict.fromkeys([*found, *recorded])
    }
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _read(folder: Path, manifest: Mapping[str, Any], campaign: str | Path | None) -> Campaign:
    if campaign is not None:
        return read_campaign(campaign)
    from lift.data import example

    source = manifest.get("source")
    if source == example.SOURCE:
        return example.load()[0]
    if source is None:
        raise RunError(
            f"the campaign of {folder} must be given, found none named in its manifest: the run "
            "was made from tables in Python; name the campaign's folder"
        )
    places = [Path(), *folder.expanduser().resolve().parents]
    for place in places:
        if (place / source).exists():
            return read_campaign(place / source)
    raise RunError(
        f"the campaign of {folder} must be where it was read, '{source}', found none there from "
        "the working directory nor from a folder above the run; name its folder"
    )
