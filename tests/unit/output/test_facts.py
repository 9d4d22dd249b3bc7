"""What a report says is what the draws say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_campaigns import campaign

from lift.analysis.diagnostics import Finding
from lift.analysis.effects import Effects
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.output import facts as module
from lift.output.facts import Facts, gather


@pytest.fixture(scope="module")
def gathered(
    effects: Effects,
    findings: list[Finding],
    run_manifest: dict[str, object],
    truth: pd.DataFrame,
) -> Facts:
    return gather(effects, findings, run_manifest, truth=truth, prob=0.9)


def test_tables_are_those_of_the_effects(gathered: Facts, effects: Effects) -> None:
    assert set(gathered.tables) == {"post", "influencer", "platform", "creator_type", "campaign"}
    pd.testing.assert_frame_equal(gathered.tables["post"], effects.table("post", 0.9))
    assert gathered.groupings() == ("influencer", "platform", "creator_type")


def test_the_running_total_ends_at_the_campaign_total(gathered: Facts) -> None:
    campaign = gathered.tables["campaign"].iloc[0]
    last = gathered.cumulative.iloc[-1]
    for column in ("mean", "lower", "upper"):
        assert last[column] == pytest.approx(campaign[column], rel=1e-12)
    first = gathered.cumulative.iloc[0]
    assert first["date"] == campaign["start"] - pd.Timedelta(days=1)
    assert (first[["mean", "lower", "upper"]] == 0.0).all()
    assert gathered.cumulative["date"].is_monotonic_increasing


def test_the_running_total_rests_between_windows() -> None:
    posterior = fit_exact(
        campaign(80, (30.4, 60.4)), ModelSpec(horizon_days=5), SampleSettings(200, 2)
    )
    total = module.running_total(Effects(posterior), 0.9).set_index("date")
    assert list(total.index) == list(pd.date_range(total.index[0], total.index[-1]))
    first_end = posterior.dates[35]
    between = total.loc[first_end : posterior.dates[59]]
    assert len(between) == 25
    assert (between == between.iloc[0]).all(axis=None)
    assert not (total.loc[posterior.dates[60]] == between.iloc[0]).all()


def test_single_effects_are_added_up_draw_by_draw(gathered: Facts, effects: Effects) -> None:
    total = effects.draws("post").to_numpy().sum(axis=-1)
    assert gathered.singles.mean == pytest.approx(total.mean(), rel=1e-12)
    assert gathered.singles.lower == pytest.approx(np.quantile(total, 0.05), rel=1e-12)
    campaign = gathered.tables["campaign"]["mean"].iloc[0]
    assert gathered.singles.index == pytest.approx(total.mean() / campaign - 1.0, rel=1e-9)
    assert gathered.singles.index > 0.0


def test_the_interaction_index_is_that_of_the_campaign_table(effects: Effects) -> None:
    campaign = effects.table("campaign")
    index = module.singles(effects, campaign, 0.95).index
    assert index == campaign["interaction_index"].iloc[0] == effects.interaction_index()
    single = float(effects.draws("post").sum("post").mean())
    assert index == pytest.approx(single / float(effects.draws("campaign").mean()) - 1.0)


def test_pull_forward_is_told_where_the_model_has_it(posterior: Posterior) -> None:
    assert module.pull_forward(Effects(posterior), ModelSpec(), 0.95) is None
    draws = posterior.draws.assign(displacement=0.3 * xr.ones_like(posterior.draws["noise_sd"]))
    groups = dict(posterior.tree.children.items()) | {"posterior": xr.DataTree(draws)}
    root = xr.Dataset(attrs={**posterior.attrs, "displacement_after": 14, "displacement_until": 42})
    made = Posterior(xr.DataTree(root, children=groups))
    table = module.pull_forward(Effects(made), ModelSpec(), 0.95)
    assert table is not None
    assert table["by"].tolist() == ["campaign", *["post"] * 4]
    assert (table["net_mean"] < table["gross_mean"]).iloc[0]


def test_each_window_begins_a_week_before_its_post(gathered: Facts) -> None:
    assert list(gathered.windows) == ["p01", "p02", "p03", "p04"]
    window = gathered.windows["p02"]
    assert window["date"].iloc[0] == pd.Timestamp("2026-02-26")
    assert window["date"].iloc[-1] == pd.Timestamp("2026-04-02")


def test_of_many_posts_the_largest_are_drawn_in_their_order(
    effects: Effects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PANELS", 2)
    table = effects.table("post")
    assert list(module.post_curves(effects, table, 0.95)) == ["p01", "p03"]


def test_posts_carry_their_time_of_day_and_attributes(gathered: Facts) -> None:
    first = gathered.posts.iloc[0]
    assert first["date"] == pd.Timestamp("2026-03-02 12:00")
    assert first["influencer"] == "@mira"
    assert gathered.controls == ("rival_a", "rival_b")
    assert gathered.timezone == "Europe/Rome"
    assert gathered.displacement is False


def test_truth_and_verdict(gathered: Facts) -> None:
    assert gathered.truth_of("campaign") == {"campaign": 251_000.0}
    assert gathered.truth_of("platform") == {}
    assert gathered.verdict() == "REVIEW"
    assert replace(gathered, findings=()).verdict() == "PASS"
    worst = replace(gathered, findings=(*gathered.findings, Finding("FAIL", "R-hat", "1.2")))
    assert worst.verdict() == "FAIL"
    assert replace(gathered, truth=None).truth_of("post") == {}
