"""Each engine refuses what it does not do, and names one that does."""

from __future__ import annotations

from typing import Any

import pytest
from small_campaigns import rich_campaign

from lift.engines.limits import INSTEAD, beyond, require
from lift.engines.registry import ENGINES
from lift.errors import EngineError
from lift.model.design import build_design
from lift.model.spec import ModelSpec

# a setting, and the engines that do it
CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"exact", "gibbs", "pymc", "statsmodels"}),
    ({"likelihood": "negative_binomial"}, {"exact", "gibbs", "pymc"}),
    ({"baseline": {"trend": "damped"}}, {"exact", "gibbs"}),
    ({"baseline": {"noise": "student_t"}}, {"gibbs"}),
    ({"baseline": {"control_prior": "horseshoe"}}, {"gibbs"}),
    ({"response": {"heavy_tails": True}}, {"gibbs"}),
    ({"response": {"kernel": "gamma"}}, {"exact", "gibbs"}),
    ({"response": {"displacement": True}}, {"exact", "gibbs", "pymc"}),
    ({"response": {"positive_only": True}}, {"pymc"}),
    ({"response": {"saturation": "exponential"}}, {"pymc"}),
    ({"response": {"saturation": "hill", "positive_only": True}}, {"pymc"}),
    ({"response": {"positive_only": True, "heavy_tails": True}}, set()),
]


@pytest.mark.parametrize(("setting", "able"), CASES, ids=str)
@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_an_engine_does_it_or_names_one_that_does(
    engine: str, setting: dict[str, Any], able: set[str]
) -> None:
    design = build_design(rich_campaign(), ModelSpec.model_validate(setting))
    if engine in able:
        assert beyond(engine, design) == []
        require(engine, design)
        return
    first = next((name for name in INSTEAD if name in able), None)
    advice = f'use engine = "{first}", which does' if first else "no engine does all of this"
    with pytest.raises(EngineError, match=f"the engine '{engine}' does not do .*; {advice}"):
        require(engine, design)


def test_what_only_markets_together_do_is_not_asked_of_an_engine() -> None:
    spec = ModelSpec.model_validate({"markets": {"shared_level": True}})
    design = build_design(rich_campaign(), spec)
    for engine in ENGINES:
        with pytest.raises(EngineError, match=r"shared_level = true; fit the markets together"):
            require(engine, design)
