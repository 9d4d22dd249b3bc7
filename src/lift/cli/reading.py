"""What a command reads: a campaign and the specification that goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lift.errors import InputError, Problem

if TYPE_CHECKING:
    from lift.data.campaign import Campaign
    from lift.model.spec import ModelSpec

MODEL_FILE = "model.toml"


def model_of(campaign: Path, spec: Path | None) -> ModelSpec:
    """Return the specification in a file, else in the campaign's model.toml, else the default."""
    from lift.model.spec import ModelSpec

    beside = (campaign if campaign.is_dir() else campaign.parent) / MODEL_FILE
    file = spec or (beside if beside.is_file() else None)
    return ModelSpec() if file is None else ModelSpec.from_toml(file)


def read_inputs(path: Path, spec: Path | None, market: str | None) -> tuple[Campaign, ModelSpec]:
    """Return campaign and specification; the faults of both are told together.

    Parameters
    ----------
    path : Path
        The campaign.
    spec : Path or None
        The specification; else that of the campaign, else the default one.
    market : str or None
        All markets for None.

    Returns
    -------
    campaign : Campaign
    model : ModelSpec

    Raises
    ------
    InputError
        Naming every fault of both.
    """
    from lift.data.campaign import read_campaign
    from lift.model.spec import ModelSpec

    problems: list[Problem] = []
    model = ModelSpec()
    try:
        model = model_of(path, spec)
    except InputError as error:
        problems += error.problems
    try:
        campaign = read_campaign(path)
    except InputError as error:
        raise InputError([*error.problems, *problems]) from None
    if problems:
        raise InputError(problems)
    return (campaign if market is None else campaign.market(market)), model
