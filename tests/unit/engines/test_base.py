from __future__ import annotations

import pytest

from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.engines.registry import ENGINES, engine_named
from lift.errors import EngineError


def test_every_setting_that_cannot_be_is_listed() -> None:
    with pytest.raises(EngineError) as caught:
        SampleSettings(draws=10, chains=4, seed=-1, workers=0)
    message = str(caught.value)
    for part in ("multiple of the 4", "at least 100, found 10", "seed", "-1", "workers", "found 0"):
        assert part in message


@pytest.mark.parametrize(
    ("draws", "chains"),
    [
        pytest.param(4001, 4, id="not-a-multiple"),
        pytest.param(96, 4, id="too-few"),
        pytest.param(0, 1, id="none"),
        pytest.param(400, 0, id="no-chain"),
        pytest.param(400, -2, id="negative-chains"),
    ],
)
def test_draws_must_fill_the_chains(draws: int, chains: int) -> None:
    with pytest.raises(EngineError, match="found"):
        SampleSettings(draws=draws, chains=chains)


def test_the_smallest_settings_are_allowed() -> None:
    assert SampleSettings(draws=100, chains=4).draws == 100
    assert SampleSettings(draws=25, chains=1, seed=0).seed == 0


def test_engines_are_found_by_name() -> None:
    assert engine_named("exact") is fit_exact


def test_an_unknown_engine_is_named_with_those_there_are() -> None:
    with pytest.raises(EngineError, match=r"one of .*exact.*found 'stan'"):
        engine_named("stan")


def test_every_engine_of_the_table_can_be_loaded() -> None:
    assert all(callable(engine_named(name)) for name in ENGINES)
