"""The time that a fit takes, told before it begins."""

from __future__ import annotations

from itertools import count

import pytest
from small_campaigns import rich_campaign

from lift.engines import cost
from lift.engines.base import SampleSettings
from lift.engines.cost import expected_cost
from lift.engines.exact import fit_exact
from lift.engines.gibbs import evaluations
from lift.model.spec import ModelSpec
from lift.pipeline import expected_wait

ONE = SampleSettings(draws=800, chains=4, seed=1, workers=1)
TAILS = ModelSpec.model_validate({"response": {"heavy_tails": True}})


def test_a_long_fit_is_told_with_what_makes_it_long() -> None:
    """Of a clock that moves by a second at each look."""
    seconds = count()
    found = expected_cost(rich_campaign(), ModelSpec(), "auto", ONE, lambda: float(next(seconds)))
    assert found is not None
    assert found.evaluation_seconds == 1.0
    assert found.seconds == found.n_evaluations
    assert "100 days and 6 posts, 1 s for each of about 5,640 evaluations" in found.told()
    assert found.told().startswith("this takes about 94 minutes: ")


def test_a_short_fit_is_not() -> None:
    assert expected_wait(rich_campaign(), ModelSpec(), draws=800) == ""


def test_evaluations_are_as_many_as_there_are() -> None:
    found = expected_cost(rich_campaign(), ModelSpec(), "exact", ONE)
    stats = fit_exact(rich_campaign(), ModelSpec(), ONE).sample_stats
    assert found is not None
    assert 0.5 < found.n_evaluations / float(stats["n_evaluations"]) < 2.0


def test_chains_are_counted_where_the_model_calls_for_them() -> None:
    found = expected_cost(rich_campaign(), TAILS, "auto", ONE)
    assert found is not None
    assert found.n_evaluations == evaluations(ONE) == 4 * 6 * (450 + 2 * 200)


@pytest.mark.parametrize("engine", ["pymc", "statsmodels"])
def test_what_an_evaluation_does_not_tell_is_not_guessed(engine: str) -> None:
    assert expected_cost(rich_campaign(), ModelSpec(), engine, ONE) is None


def test_the_pipeline_gives_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "TOLD_ABOVE", 0.0)
    assert "minutes: 100 days" in expected_wait(rich_campaign(), ModelSpec(), draws=800)
