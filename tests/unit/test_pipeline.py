from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_campaigns import campaign, rich_campaign

import lift
from lift.data.campaign import Campaign
from lift.engines import importance
from lift.errors import DiagnosticsError, EngineError, InputError, RunError
from lift.model.spec import ModelSpec
from lift.pipeline import Analysis, analyse, check, load


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse(rich_campaign(), draws=1000, chains=2, seed=4, workers=1)


def two_markets() -> Campaign:
    one = campaign(60, (30.4,))
    table = one.downloads[["date", "downloads"]]
    both = pd.concat([table.assign(market="IT"), table.assign(market="FR")])
    posts = one.posts[["post_id", "posted_at"]].assign(market="IT")
    return Campaign(downloads=both, posts=posts)


def test_an_analysis_has_effects_findings_and_counterfactuals(analysis: Analysis) -> None:
    assert len(analysis.effects.table("post")) == 6
    assert not [finding for finding in analysis.findings if finding.level == "FAIL"]
    everything = analysis.counterfactual()
    pd.testing.assert_frame_equal(
        everything, analysis.counterfactual(["p1", "p2", "p3", "p4", "p5", "p6"])
    )
    assert analysis.spec == ModelSpec()
    assert analysis.campaign is not None


def test_the_specification_reaches_the_posterior() -> None:
    spec = ModelSpec.model_validate({"horizon_days": 3, "response": {"window_days": 9}})
    found = analyse(campaign(), spec, draws=400, chains=2, workers=1)
    assert found.posterior.attrs["horizon_days"] == 3
    assert found.posterior.attrs["window_days"] == 9
    assert found.effects.table()["n_days"].tolist() == [4, 4]


def test_workers_and_the_default_of_all_give_the_same_bits(analysis: Analysis) -> None:
    more = analyse(rich_campaign(), draws=1000, chains=2, seed=4)
    np.testing.assert_array_equal(
        more.posterior.draws["impulse"], analysis.posterior.draws["impulse"]
    )
    assert more.manifest["streams"] == analysis.manifest["streams"]
    assert "hyper/chain 1/batch 0" in more.manifest["streams"]


def test_workers_that_cannot_be_are_refused() -> None:
    for workers in (0, -1):
        with pytest.raises(EngineError, match="workers must be at least 1"):
            analyse(campaign(), draws=400, chains=2, workers=workers)


def test_a_stored_analysis_says_the_same(analysis: Analysis, tmp_path: Path) -> None:
    folder = analysis.save(tmp_path / "run")
    back = load(folder)
    pd.testing.assert_frame_equal(back.effects.long(), analysis.effects.long())
    pd.testing.assert_frame_equal(back.counterfactual(["p2"]), analysis.counterfactual(["p2"]))
    assert back.spec == analysis.spec
    assert back.campaign is None
    assert back.findings == analysis.findings


def test_starved_sampling_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sobol batches too few and small for the draws that are asked for."""
    monkeypatch.setattr(importance, "FIRST_POINTS", 16)
    monkeypatch.setattr(importance, "MAX_BATCHES", 1)
    with pytest.raises(DiagnosticsError) as caught:
        analyse(rich_campaign(), draws=1000, chains=2, workers=1)
    message = str(caught.value)
    for part in ("'exact' must not be believed", "effective draws", "ask for more draws"):
        assert part in message


def test_too_few_draws_are_not_believed() -> None:
    with pytest.raises(DiagnosticsError, match="Bulk ESS"):
        analyse(campaign(60, (30.4,)), draws=50, chains=2, workers=1)


def test_a_market_without_posts_is_refused() -> None:
    with pytest.raises(InputError, match=r"at least one post must reach the market 'FR'"):
        analyse(two_markets().market("FR"))


def test_several_markets_are_refused() -> None:
    with pytest.raises(EngineError, match="choose one with"):
        analyse(two_markets())


def test_every_post_without_an_observed_day_is_named() -> None:
    data = campaign(90, (40.2, 41.3, 80.1), missing=tuple(range(40, 60)))
    spec = ModelSpec(horizon_days=10)
    with pytest.raises(InputError) as caught:
        check(data, spec)
    whats = [problem.what for problem in caught.value.problems]
    assert len(whats) == 2
    assert "'p1'" in whats[0]
    assert "'p2'" in whats[1]
    check(data, ModelSpec(horizon_days=28))


def test_settings_and_engines_that_cannot_be_are_refused_before_anything_is_computed() -> None:
    with pytest.raises(EngineError, match="found 'stan'"):
        analyse(campaign(), engine="stan")
    with pytest.raises(EngineError, match=r"draws.*found 10.*seed"):
        analyse(campaign(), draws=10, seed=-1)


def test_the_manifest_says_what_was_done(analysis: Analysis) -> None:
    text = str(dict(analysis.manifest))
    for digest in rich_campaign().digests.values():
        assert str(digest) in text
    assert "'exact'" in text


def test_the_public_names_are_those_of_the_pipeline() -> None:
    assert lift.analyse is analyse
    assert lift.load is load


def test_all_processors_are_used_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that does not tell how many it has, one."""
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert analyse(campaign(), draws=400, chains=2).posterior.attrs["engine"] == "exact"


def test_a_stored_analysis_has_no_pymc_model(analysis: Analysis, tmp_path: Path) -> None:
    back = load(analysis.save(tmp_path / "run"))
    with pytest.raises(RunError, match="needs the campaign"):
        back.to_pymc()


def test_the_pymc_model_has_the_posts_of_the_campaign(analysis: Analysis) -> None:
    model = analysis.to_pymc()
    assert tuple(model.coords["post"]) == tuple(analysis.posterior.posts["post"])


def test_controls_that_are_one_on_the_models_scale_are_refused() -> None:
    one = campaign(60, (30.4,), n_controls=2)
    assert one.controls is not None
    squared = one.controls.assign(squared=one.controls["series_0"] ** 2).drop(columns="market")
    both = Campaign(one.downloads.drop(columns="market"), one.posts, squared)
    with pytest.raises(InputError, match="'series_0' and 'squared' equal up to scale") as caught:
        check(both, ModelSpec())
    assert len(caught.value.problems) == 1
    check(both, ModelSpec(scale="linear"))
    check(both, ModelSpec.model_validate({"baseline": {"control_transform": "none"}}))
    check(both, ModelSpec.model_validate({"baseline": {"controls": False}}))


def test_a_horizon_beyond_the_window_of_the_response_is_refused() -> None:
    with pytest.raises(InputError, match=r"horizon_days must be less than .*found 60 and 60"):
        check(campaign(120, (30.4,)), ModelSpec(horizon_days=60))
    check(campaign(120, (30.4,)), ModelSpec(horizon_days=59))


def test_a_log_that_is_asked_for_of_a_control_with_zeros_is_refused() -> None:
    one = campaign(60, (30.4,), n_controls=2)
    assert one.controls is not None
    holed = one.controls.drop(columns="market")
    holed.loc[[7, 9], "series_1"] = 0.0
    data = Campaign(one.downloads.drop(columns="market"), one.posts, holed)
    logs = ModelSpec.model_validate({"baseline": {"control_transform": "log"}})
    with pytest.raises(
        InputError, match="'series_1' at or below it on 2 days, the first 2025-01-08"
    ):
        check(data, logs)
    check(data, ModelSpec())
    check(one, logs)
