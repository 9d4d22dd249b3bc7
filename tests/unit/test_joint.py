"""A joint fit of several markets, from tables to effects by market and in total."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from small_campaigns import post_table
from typer.testing import CliRunner

import lift
from lift.analysis.market_totals import ALL_MARKETS
from lift.cli import app
from lift.data.campaign import Campaign, read_campaign, write_campaign
from lift.joint import MarketsAnalysis, analyse_markets
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.replication.bundle import opened
from lift.replication.rerun import made_again
from lift.rng import stream

N_DAYS = 200
TIMES = (60.2, 85.7, 110.4, 140.9)
REACH = (("AT", "CH"), ("AT", "CH"), ("AT",), ("AT", "CH"))
SIZES = {"AT": 4000.0, "CH": 900.0}
SHARED = np.array([1.2, 0.5, 0.9, 0.3])
OWN = {"AT": np.array([0.1, -0.1, 0.0, 0.05]), "CH": np.array([-0.1, 0.1, 0.0, 0.0])}


def table(times: tuple[float, ...] = TIMES) -> pd.DataFrame:
    """Return the posts, those of one market with its name."""
    markets = [None if len(reach) == 2 else reach[0] for reach in REACH]
    return post_table(times).assign(market=markets)


def drawn() -> tuple[Campaign, dict[str, NDArray[np.float64]]]:
    """Return two markets that share four posts, and what each post adds to log downloads."""
    lifts, tables = {}, []
    dates = pd.date_range("2025-01-01", periods=N_DAYS)
    days = np.arange(N_DAYS + 1)
    for name, size in SIZES.items():
        rng = stream(7, "tests", "joint", name)
        lift = np.zeros((N_DAYS, 4))
        for j, time in enumerate(TIMES):
            if name in REACH[j]:
                done = -np.expm1(-0.6 * np.maximum(days - time, 0.0))
                lift[:, j] = (SHARED[j] + OWN[name][j]) * np.diff(done)
        level = np.log(size) + 0.006 * rng.normal(size=N_DAYS).cumsum()
        log_mean = level + lift.sum(axis=1) + 0.05 * rng.normal(size=N_DAYS)
        values = rng.poisson(np.exp(log_mean)).astype(float)
        tables.append(pd.DataFrame({"date": dates, "market": name, "downloads": values}))
        lifts[name] = lift
    data = Campaign(downloads=pd.concat(tables), posts=table(), name="alps")
    return data, lifts


def truth(data: Campaign, lifts: dict[str, NDArray[np.float64]], market: str, post: int) -> float:
    downloads = data.market(market).downloads["downloads"].to_numpy(dtype=np.float64)
    window = slice(int(TIMES[post]), int(TIMES[post]) + 29)
    return float((downloads * -np.expm1(-lifts[market][:, post]))[window].sum())


@pytest.fixture(scope="module")
def fitted() -> tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis]:
    data, lifts = drawn()
    return data, lifts, lift.analyse_markets(data, draws=1000, chains=2, seed=4)


def test_effects_of_every_market_and_their_sum_are_found(
    fitted: tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis],
) -> None:
    data, lifts, analysis = fitted
    rows = analysis.effects("post").set_index(["unit", "market"])
    for j, post in enumerate(("p1", "p2", "p3", "p4")):
        total = 0.0
        for market in REACH[j]:
            row = rows.loc[(post, market)]
            wanted = truth(data, lifts, market, j)
            total += wanted
            assert abs(row["mean"] - wanted) < 4 * row["sd"]
        row = rows.loc[(post, ALL_MARKETS)]
        assert abs(row["mean"] - total) < 4 * row["sd"]
        assert row["n_posts"] == len(REACH[j])
        assert row["mean"] == pytest.approx(
            sum(rows.loc[(post, market)]["mean"] for market in REACH[j])
        )
    assert ("p3", "CH") not in rows.index


def test_the_sum_is_that_of_the_draws(
    fitted: tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis],
) -> None:
    _, _, analysis = fitted
    draws = [part.effects.draws("campaign").to_numpy() for part in analysis.markets.values()]
    row = analysis.effects("campaign", 0.8).set_index("market").loc[ALL_MARKETS]
    whole = np.sum(draws, axis=0)
    assert row["sd"] == pytest.approx(whole.std(ddof=1))
    np.testing.assert_allclose([row["lower"], row["upper"]], np.quantile(whole, [0.1, 0.9]))
    for part in analysis.markets.values():
        market_sd = part.posterior.draws["market_sd"].to_numpy()
        np.testing.assert_array_equal(
            market_sd, analysis.markets["AT"].posterior.draws["market_sd"].to_numpy()
        )


def test_a_small_market_learns_from_the_large_one(
    fitted: tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis],
) -> None:
    """What posts have in common narrows the intervals of the market that says less."""
    data, _, analysis = fitted
    alone = lift.analyse(data.market("CH"), draws=1000, chains=2, seed=4)
    together = analysis.markets["CH"].effects.table("post")["sd"]
    assert (together.to_numpy() < alone.effects.table("post")["sd"].to_numpy()).all()


def test_analyses_of_a_market_read_the_joint_fit(
    fitted: tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis],
) -> None:
    _, _, analysis = fitted
    part = analysis.markets["CH"]
    assert 0 < part.identifiability.n_resolvable <= 3
    found = part.predict(pd.DataFrame({"post_id": ["next"]})).draws.to_numpy().std()
    quiet = part.posterior.tree.copy()
    quiet["posterior"] = part.posterior.draws.assign(
        market_sd=0.0 * part.posterior.draws["market_sd"]
    )
    other = lift.Analysis(lift.Posterior(quiet), part.spec, part.manifest)
    # a next post differs between markets too
    assert found > other.predict(pd.DataFrame({"post_id": ["next"]})).draws.to_numpy().std()


def test_the_seed_and_not_the_workers_decides() -> None:
    data, _ = drawn()
    one, two = (
        analyse_markets(data, draws=1000, chains=2, seed=4, workers=workers).effects("campaign")
        for workers in (1, 3)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_faults_are_told_with_their_market() -> None:
    data, _ = drawn()
    downloads = data.downloads.copy()
    gap = downloads["date"].between("2025-05-20", "2025-06-25")
    downloads.loc[gap & (downloads["market"] == "CH"), "downloads"] = np.nan
    holed = Campaign(downloads=downloads, posts=table((*TIMES[:3], 142.5)))
    with pytest.raises(lift.InputError, match=r"posts of CH:\n.*'p4'"):
        analyse_markets(holed)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"baseline": {"noise": "student_t"}}, r"baseline\.noise"),
        ({"response": {"positive_only": True}}, r"response\.positive_only = true"),
        ({"response": {"saturation": "hill"}}, r'response\.saturation = "hill"'),
    ],
    ids=["noise", "positive only", "saturation"],
)
def test_what_a_joint_model_does_not_do_is_refused(setting: dict[str, Any], words: str) -> None:
    data, _ = drawn()
    with pytest.raises(lift.EngineError, match=f"does not do {words}"):
        analyse_markets(data, ModelSpec.model_validate(setting))


TREND = 0.03
"""Daily sd of the level that the markets have in common."""
TARGETS = ("AT", "AT", "CH", "AT", "CH")
SPILLED = 0.4
PLACES = ("AT", "CH", "DE")


def markets_with_a_common_level() -> tuple[Campaign, dict[str, NDArray[np.float64]]]:
    """Return three markets with one level; posts reach two and act in all of them by a share."""
    rng = stream(8, "tests", "joint", "common")
    times = np.array([60.2, 85.7, 110.4, 140.9, 165.3])
    strength = np.array([0.7, 0.9, 0.6, 0.8, 0.75])
    dates = pd.date_range("2025-01-01", periods=N_DAYS)
    days = np.arange(N_DAYS + 1)
    common = TREND * rng.normal(size=N_DAYS).cumsum()
    lifts, tables = {}, []
    for name, size in zip(PLACES, (4000.0, 2000.0, 8000.0), strict=True):
        lift = np.zeros((N_DAYS, 5))
        for j, time in enumerate(times):
            share = 1.0 if TARGETS[j] == name else SPILLED
            done = -np.expm1(-0.6 * np.maximum(days - time, 0.0))
            lift[:, j] = share * strength[j] * np.diff(done)
        own = 0.003 * rng.normal(size=N_DAYS).cumsum() + 0.03 * rng.normal(size=N_DAYS)
        values = rng.poisson(size * np.exp(common + lift.sum(axis=1) + own)).astype(float)
        tables.append(pd.DataFrame({"date": dates, "market": name, "downloads": values}))
        lifts[name] = lift
    posts = post_table(tuple(times)).assign(market=TARGETS)
    return Campaign(downloads=pd.concat(tables), posts=posts, name="common"), lifts


def test_a_common_level_and_what_spills_over_are_found() -> None:
    data, lifts = markets_with_a_common_level()
    spec = ModelSpec.model_validate({"markets": {"shared_level": True, "spill_over": True}})
    analysis = analyse_markets(data, spec, draws=1000, chains=2, seed=4)
    draws = analysis.markets["AT"].posterior.draws
    level, share = draws["shared_level_sd"].to_numpy(), draws["spill_over"].to_numpy()
    assert abs(level.mean() - TREND) < 4 * level.std()
    assert level.std() < 0.1 * TREND
    assert abs(share.mean() - SPILLED) < 4 * share.std()
    assert share.std() < 0.12
    # every post is in every market, Germany too, which none was aimed at
    assert list(analysis.markets) == list(PLACES)
    rows = analysis.effects("post").set_index(["unit", "market"])
    for name in PLACES:
        downloads = data.market(name).downloads["downloads"].to_numpy(dtype=np.float64)
        for j in range(5):
            start = int(data.posts["posted_at"].iloc[j].day_of_year) - 1
            kept = downloads * -np.expm1(-lifts[name][:, j])
            row = rows.loc[(f"p{j + 1}", name)]
            assert abs(row["mean"] - kept[start : start + 29].sum()) < 4 * row["sd"]
    germany = analysis.markets["DE"]
    assert np.isnan(germany.posterior.posts["share"]).all()
    assert 0 < germany.identifiability.n_resolvable <= 5


def test_a_market_without_posts_narrows_the_effects_of_the_others() -> None:
    data, _ = markets_with_a_common_level()
    without = data.downloads["market"] != "CH"
    posts = data.posts[data.posts["market"] == "AT"]
    two = Campaign(downloads=data.downloads[without], posts=posts)
    spec = ModelSpec.model_validate({"markets": {"shared_level": True}})
    analysis = analyse_markets(two, spec, draws=1000, chains=2, seed=4)
    assert list(analysis.markets) == ["AT"]
    assert analysis.without_posts == ("DE",)
    alone = lift.analyse(two.market("AT"), draws=1000, chains=2, seed=4)
    widths = alone.effects.table("post")["sd"] / analysis.markets["AT"].effects.table("post")["sd"]
    assert widths.min() > 1.2


def test_the_command_writes_a_run_for_each_market(tmp_path: Path) -> None:
    whole, _ = drawn()
    data = Campaign(
        downloads=whole.downloads[whole.downloads["date"] < "2025-05-01"],
        posts=whole.posts.iloc[:3],
        name="alps",
    )
    write_campaign(data, tmp_path / "alps")
    out = tmp_path / "runs"
    words = ["markets", str(tmp_path / "alps"), "--out", str(out), "--draws", "500", "--csv"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    stored = pd.read_csv(out / "markets.csv")
    assert list(stored["market"].unique()) == ["AT", "CH", ALL_MARKETS]
    assert set(stored["by"]) == {"post", "campaign"}
    for market in SIZES:
        run = lift.load(out / market)
        assert run.posterior.attrs["market"] == market
        mean = run.effects.table("campaign")["mean"].iloc[0]
        row = stored[(stored["by"] == "campaign") & (stored["market"] == market)]
        assert mean == pytest.approx(row["mean"].iloc[0], rel=1e-8)
    # each run can be made again from all markets, though it is of one
    again = CliRunner().invoke(app, ["verify", str(out / "AT")])
    assert again.exit_code == 0, again.output
    assert "files have identical bytes" in again.output
    packed = CliRunner().invoke(app, ["bundle", str(out / "CH"), "--out", str(tmp_path / "ch.zip")])
    assert packed.exit_code == 0, packed.output
    with opened(tmp_path / "ch.zip") as inside:
        assert read_campaign(inside.inputs).markets == ("AT", "CH")
    # a day of another market changes it, and is told
    table = data.downloads.copy()
    table.loc[70, "downloads"] += 1
    write_campaign(Campaign(downloads=table, posts=data.posts, name="alps"), tmp_path / "other")
    changed = CliRunner().invoke(
        app, ["verify", str(out / "CH"), "--campaign", str(tmp_path / "other")]
    )
    assert changed.exit_code == 1
    assert "changed input: downloads" in changed.output
    # a run in the way is found before anything is fitted
    again = CliRunner().invoke(app, words)
    assert again.exit_code != 0
    assert "AT" in again.output + str(again.exception)


def test_a_run_is_made_again_by_the_engine_that_made_it(
    fitted: tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, _, analysis = fitted
    given = {}
    for name, part in analysis.markets.items():
        tree = part.posterior.tree.copy()
        tree.attrs["engine"] = "markets_pymc"
        given[name] = Posterior(tree)
    asked: list[int] = []

    def chains(campaign: Campaign, spec: ModelSpec, settings: Any, progress: Any) -> Any:  # noqa: ARG001
        asked.append(settings.seed)
        return given

    monkeypatch.setattr("lift.engines.pymc_markets.fit_markets_pymc", chains)
    made = analyse_markets(data, engine="pymc", draws=1000, chains=2, seed=4).markets["AT"]
    assert made.manifest["engine"]["name"] == "markets_pymc"
    again = made_again(data, made.spec, made.manifest)
    assert again.posterior.attrs["engine"] == "markets_pymc"
    assert asked == [4, 4]


def test_effects_of_joint_chains_are_checked_as_those_of_one_market(
    fitted: tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second chain has other impulses, and every parameter is the same."""
    data, _, analysis = fitted
    given = {}
    for name, part in analysis.markets.items():
        tree = part.posterior.tree.copy()
        impulse = tree["posterior"]["impulse"]
        tree["posterior"] = part.posterior.draws.assign(impulse=impulse * (1 + impulse["chain"]))
        tree["sample_stats"] = tree["sample_stats"].to_dataset().drop_attrs()
        given[name] = Posterior(tree)
    monkeypatch.setattr("lift.engines.pymc_markets.fit_markets_pymc", lambda *_: given)
    with pytest.raises(lift.DiagnosticsError, match=r"AT: worst R-hat of the effects.*effect\["):
        analyse_markets(data, engine="pymc", draws=1000, chains=2, seed=4)


def test_the_joint_model_is_handed_over_as_a_pymc_model(
    fitted: tuple[Campaign, dict[str, NDArray[np.float64]], MarketsAnalysis],
) -> None:
    model = fitted[2].to_pymc()
    assert {"log_downloads_AT", "log_downloads_CH", "common_amplitude"} <= set(model.named_vars)
    assert tuple(model.coords["market"]) == ("AT", "CH")


def test_an_engine_that_fits_no_markets_together_is_refused(tmp_path: Path) -> None:
    write_campaign(drawn()[0], tmp_path / "alps")
    words = [
        "markets",
        str(tmp_path / "alps"),
        "--out",
        str(tmp_path / "runs"),
        "--engine",
        "gibbs",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "must be one of exact, pymc, found 'gibbs'" in result.output
