"""Each engine refuses what it does not do, and names one that does."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from small_campaigns import rich_campaign

from lift.data.campaign import Campaign
from lift.engines.limits import INSTEAD, beyond, require, require_together
from lift.engines.registry import ENGINES
from lift.errors import EngineError
from lift.model.design import build_design
from lift.model.markets import build_markets
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


def two_markets() -> Campaign:
    one = rich_campaign()
    table = one.downloads[["date", "downloads"]]
    both = pd.concat([table.assign(market="IT"), table.assign(market="FR")])
    return Campaign(downloads=both, posts=one.posts[["post_id", "posted_at"]])


LOADINGS = {"shared_level": True, "free_loadings": True}

# an engine of markets, a setting, and what the refusal says
TOGETHER: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("exact", {"markets": LOADINGS}, ("markets.free_loadings = true", 'use engine = "pymc" (lift')),
    ("pymc", {"response": {"kernel": "gamma"}}, ('kernel = "gamma"', 'use engine = "exact" (lift')),
    (
        "exact",
        {"markets": LOADINGS, "response": {"kernel": "gamma"}},
        (
            "'exact' does not do markets.free_loadings = true",
            "'pymc' does not do kernel = \"gamma\"",
            'fit each market by itself with engine = "exact"',
            'leave out markets.free_loadings = true or kernel = "gamma"',
        ),
    ),
    (
        "exact",
        {"baseline": {"noise": "student_t"}},
        ('does not do baseline.noise = "student_t"', 'by itself with engine = "gibbs"'),
    ),
    (
        "pymc",
        {"response": {"positive_only": True}},
        ("response.positive_only = true", 'by itself with engine = "pymc"'),
    ),
]


@pytest.mark.parametrize(("engine", "setting", "said"), TOGETHER, ids=str)
def test_a_refusal_of_markets_together_names_what_does_it(
    engine: str, setting: dict[str, Any], said: tuple[str, ...]
) -> None:
    markets = build_markets(two_markets(), ModelSpec.model_validate(setting))
    with pytest.raises(EngineError) as caught:
        require_together(engine, markets)
    for part in said:
        assert part in str(caught.value)


def test_engines_of_markets_do_what_they_do() -> None:
    plain = build_markets(two_markets(), ModelSpec())
    require_together("exact", plain)
    require_together("pymc", plain)
    loadings = build_markets(two_markets(), ModelSpec.model_validate({"markets": LOADINGS}))
    require_together("pymc", loadings)


def test_a_prior_of_controls_that_are_not_there_asks_for_nothing() -> None:
    setting = {"baseline": {"control_prior": "horseshoe"}}
    design = build_design(rich_campaign(n_controls=0), ModelSpec.model_validate(setting))
    assert beyond("exact", design) == []
