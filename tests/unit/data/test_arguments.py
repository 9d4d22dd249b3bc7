"""What is not of its kind is refused by name, by the functions that everybody calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_campaigns import campaign
from small_posteriors import hand_made

import lift
from lift.analysis.counterfactual import curve
from lift.analysis.effects import Effects
from lift.engines.base import SampleSettings
from lift.errors import EngineError, InputError


def made() -> lift.Posterior:
    return hand_made(np.full((4, 1), 0.5), [40], [1000.0] * 90, ids=["p1"])


WRONG: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "a path for a campaign": (
        lambda _: lift.analyse("clean"),
        ("campaign:", "must be a Campaign, found str 'clean'; make one with lift.read_campaign"),
    ),
    "two at once": (
        lambda _: lift.analyse("clean", "spec.toml"),
        ("found str 'clean'", "spec:", "must be a ModelSpec, found str 'spec.toml'", "from_toml"),
    ),
    "a class": (
        lambda _: lift.analyse(lift.Campaign, {"horizon_days": 3}),
        ("found the class Campaign", "found dict"),
    ),
    "markets of a folder": (
        lambda _: lift.analyse_markets("clean"),
        ("must be a Campaign, found str 'clean'",),
    ),
    "no folder": (lambda _: lift.read_campaign(None), ("str or PathLike, found NoneType",)),
    "a run that is a campaign": (
        lambda _: lift.load(campaign(60)),
        ("must be a str or PathLike, found Campaign", "run directory"),
    ),
    "a path to write": (
        lambda folder: lift.write_campaign("clean", folder / "new"),
        ("must be a Campaign, found str 'clean'",),
    ),
    "a number for a file": (lambda _: lift.ModelSpec.from_toml(3), ("found int 3",)),
    "a table for a simulation": (
        lambda _: lift.simulate_campaign({"n_days": 3}, seed=1.5),
        ("must be a SimulationConfig, found dict", "seed:", "must be an int, found float 1.5"),
    ),
    "one id for ids": (
        lambda _: curve(made(), "p1"),
        ("must be given as a list of their ids, found 'p1'; write ['p1']",),
    ),
    "a misspelt id": (lambda _: curve(made(), ["P1"]), ("found 'P1' (did you mean 'p1'?)",)),
    "percent": (lambda _: Effects(made()).table(prob="95"), ("between 0 and 1, found '95'",)),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_an_argument_of_another_kind_is_named(name: str, tmp_path: Path) -> None:
    call, said = WRONG[name]
    with pytest.raises(InputError) as caught:
        call(tmp_path)
    for part in said:
        assert part in str(caught.value)


def test_settings_of_sampling_are_whole_numbers() -> None:
    with pytest.raises(EngineError, match="draws must be a whole number, found '4000'; seed must"):
        SampleSettings(draws="4000", seed=None)  # type: ignore[arg-type]
