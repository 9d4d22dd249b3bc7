"""The public function: semantics of R, kinds of input, what is said in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lift.errors import InputError
from lift.impact.causal_impact import CausalImpact
from lift.impact.tables import summary_table, tail_probability, worst_r_hat

PRE, POST = ["2025-01-01", "2025-02-14"], ["2025-02-15", "2025-03-01"]
ROWS = ([0, 44], [45, 59])
FEW = {"niter": 400}


def test_finds_the_effect_that_was_put_in(data: pd.DataFrame) -> None:
    result = CausalImpact(data, PRE, POST)
    total = result.summary_data.loc["Cumulative"]
    assert total["AbsEffect.lower"] < 75.0 < total["AbsEffect.upper"]
    assert total["AbsEffect.lower"] > 0.0
    assert result.p_value == 1 / 4001
    assert result.convergence["r_hat"].max() < 1.01
    assert result.convergence["ess_bulk"].min() > 2000
    assert repr(result).startswith("ImpactResult(cumulative effect ")
    assert "95% interval" in repr(result)
    assert len(repr(result)) < 200
    assert result._repr_html_().startswith("<pre>")


def test_same_seed_same_numbers_and_another_seed_others(data: pd.DataFrame) -> None:
    one, same, other = (CausalImpact(data, PRE, POST, FEW, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.summary_data, same.summary_data)
    pd.testing.assert_frame_equal(one.inferences, same.inferences)
    assert one.summary_data["Pred"].iloc[0] != other.summary_data["Pred"].iloc[0]


def test_every_kind_of_input_gives_the_same_answer(data: pd.DataFrame) -> None:
    expected = CausalImpact(data, PRE, POST, FEW).summary_data
    stamps = [[pd.Timestamp(label) for label in period] for period in (PRE, POST)]
    numbered = data.reset_index(drop=True)
    for found in (
        CausalImpact(data, *stamps, FEW),
        CausalImpact(numbered, *ROWS, FEW),
        CausalImpact(data.to_numpy(), *ROWS, FEW),
        CausalImpact(data.to_numpy().tolist(), *ROWS, FEW),
        CausalImpact(data.astype("Float64"), PRE, POST, FEW),
        CausalImpact(numbered.set_axis(range(100, 160)), [100, 144], [145, 159], FEW),
    ):
        pd.testing.assert_frame_equal(found.summary_data, expected)


def test_rs_names_with_dots(data: pd.DataFrame) -> None:
    dotted = CausalImpact(data, PRE, POST, {"niter": 400, "prior.level.sd": 0.1, "max.flips": 5})
    plain = CausalImpact(data, PRE, POST, {"niter": 400, "prior_level_sd": 0.1})
    pd.testing.assert_frame_equal(dotted.summary_data, plain.summary_data)


def test_arguments_are_not_changed(data: pd.DataFrame) -> None:
    before = data.copy()
    args = {"niter": 400}
    CausalImpact(data, PRE, POST, args)
    pd.testing.assert_frame_equal(data, before)
    assert args == {"niter": 400}


def test_summary_table_by_hand() -> None:
    actual = np.array([3.0, 5.0])
    expected = np.array([1.0 + 2.0, 2.0 + 3.0])
    predicted = np.array([1.0 + 3.0, 2.0 + 6.0])
    table = summary_table(actual, expected, predicted, alpha=0.5)
    total, average = table.loc["Cumulative"], table.loc["Average"]
    assert total["Actual"] == 8.0
    assert average["Actual"] == 4.0
    assert total["Pred"] == 4.0  # from draws without noise
    assert (total["Pred.lower"], total["Pred.upper"]) == (5.0, 7.0)  # from draws with noise
    assert total["AbsEffect"] == 4.0
    assert (average["AbsEffect.lower"], average["AbsEffect.upper"]) == (0.5, 1.5)
    assert total["RelEffect"] == pytest.approx((8 / 4 - 1 + 8 / 8 - 1) / 2)
    assert total["AbsEffect.sd"] == pytest.approx(np.sqrt(8.0))
    assert (table["alpha"] == 0.5).all()
    assert total["p"] == 2 / 3


@pytest.mark.parametrize(("actual", "p"), [(10.0, 1 / 5), (-10.0, 1 / 5), (2.5, 3 / 5)])
def test_tail_probability(actual: float, p: float) -> None:
    assert tail_probability(actual, np.array([1.0, 2.0, 3.0, 4.0])) == p


def test_inferences(data: pd.DataFrame) -> None:
    result = CausalImpact(data, ["2025-01-05", PRE[1]], ["2025-02-20", "2025-02-25"], FEW)
    series = result.inferences
    assert series.index.equals(data.index)
    assert series.iloc[:4].isna().all(axis=None)
    assert series.iloc[56:].isna().all(axis=None)
    inside = series.iloc[4:56]
    assert not inside.isna().any(axis=None)
    assert (series["cum.effect"].iloc[4:50] == 0.0).all()
    effect = series["response"] - series["point.pred"]
    assert np.allclose(effect.iloc[4:56], series["point.effect"].iloc[4:56])
    total = result.summary_data.loc["Cumulative"]
    for end in ("", ".lower", ".upper"):
        assert series[f"cum.effect{end}"].iloc[55] == pytest.approx(total[f"AbsEffect{end}"])
    assert (inside["point.pred.lower"] < inside["point.pred"]).all()
    assert (inside["point.pred"] < inside["point.pred.upper"]).all()


def test_gap_between_the_periods_is_not_used(data: pd.DataFrame) -> None:
    moved = data.copy()
    moved.iloc[45:50, 0] += 1000.0
    late = ["2025-02-20", "2025-03-01"]
    one, other = (CausalImpact(frame, PRE, late, FEW) for frame in (data, moved))
    pd.testing.assert_frame_equal(one.summary_data, other.summary_data)
    assert "5 row(s) between the periods are not used" in one.notes


def test_outcome_missing_on_either_side(data: pd.DataFrame) -> None:
    data.iloc[[0, 1, 20, 21, 47], 0] = np.nan
    result = CausalImpact(data, PRE, POST, FEW)
    assert result.rows.first == 2
    assert set(result.notes) == {
        "the pre-period begins 2 row(s) later, with the outcome",
        "2 row(s) of the pre-period without outcome",
        "1 row(s) of the post-period without outcome are left out of all sums",
    }
    after = data["y"].iloc[45:].dropna()
    assert result.summary_data.loc["Average", "Actual"] == pytest.approx(after.mean())
    series = result.inferences
    assert np.isfinite(series["point.pred"].iloc[2:]).all()
    assert np.isnan(series["point.effect"].iloc[47])
    assert series["cum.effect"].iloc[47] == series["cum.effect"].iloc[46]
    assert 30 < result.summary_data.loc["Cumulative", "AbsEffect"] < 110


def test_no_controls_a_series_and_a_season() -> None:
    rng = np.random.default_rng(9)
    days = pd.date_range("2025-01-01", periods=140)
    weekly = np.tile([0, 3, 6, 1, -2, -4, -4], 20)
    outcome = pd.Series(100 + weekly + rng.normal(0, 1, 140), index=days, name="downloads")
    periods = (days[[0, 118]], days[[119, 139]])
    flat = CausalImpact(outcome, *periods, FEW)
    season = CausalImpact(outcome, *periods, {**FEW, "nseasons": 7})
    assert "sigma_season" in season.posterior
    assert season.posterior.sizes["control"] == 0
    flat_sd, season_sd = (r.summary_data.loc["Cumulative", "Pred.sd"] for r in (flat, season))
    assert season_sd < 0.6 * flat_sd
    ahead = season.inferences["point.pred"].iloc[119:] - 100 - weekly[119:]
    assert np.abs(ahead).max() < 2.0
    assert "downloads" in season.summary("report")


def test_seasons_that_last_several_rows() -> None:
    rng = np.random.default_rng(10)
    level = np.tile(np.repeat([0.0, 8.0, -8.0], 5), 12)
    outcome = 50 + level + rng.normal(0, 1, 180)
    args = {**FEW, "nseasons": 3, "season_duration": 5}
    result = CausalImpact(outcome, [0, 151], [152, 179], args)
    ahead = result.inferences["point.pred"].iloc[152:] - 50 - level[152:]
    assert np.abs(ahead).max() < 2.0


def test_more_controls_than_rows() -> None:
    rng = np.random.default_rng(11)
    controls = rng.normal(0, 1, (50, 60))
    outcome = 3 * controls[:, 7] + rng.normal(0, 0.3, 50)
    result = CausalImpact(np.column_stack([outcome, controls]), [0, 39], [40, 49], FEW)
    share = result.posterior["inclusion"].mean(("chain", "draw")).to_numpy()
    assert result.posterior.attrs["method"] == "chain"
    assert worst_r_hat(result.fitted) == pytest.approx(result.convergence["r_hat"].max())
    assert share[7] > 0.99
    assert np.delete(share, 7).max() < 0.5
    assert abs(result.summary_data.loc["Cumulative", "AbsEffect"]) < 5


def test_constant_control_is_left_out_and_said(data: pd.DataFrame) -> None:
    result = CausalImpact(data.assign(x3=1.0), PRE, POST, FEW)
    assert "control 'x3' is constant and is left out of the model" in result.notes
    assert (result.posterior["coefficient"].sel(control="x3") == 0.0).all()
    plain = CausalImpact(data, PRE, POST, FEW)
    pd.testing.assert_frame_equal(result.summary_data, plain.summary_data)


def test_a_control_that_is_the_outcome_but_for_a_row_is_said(data: pd.DataFrame) -> None:
    near = data.iloc[:, 0] * np.where(np.arange(len(data)) == 5, 0.502, 0.5)
    result = CausalImpact(data.assign(near=near), PRE, POST, FEW)
    said = [note for note in result.notes if "row by row" in note]
    assert len(said) == 1
    assert said[0].startswith("control 'near' moves with the outcome row by row in the pre-period")


def test_control_that_jumps_and_sparse_outcome_are_said(data: pd.DataFrame) -> None:
    jumping = data.assign(x1=data["x1"] + 100.0 * (data.index >= "2025-02-15"))
    assert any("jumps" in note for note in CausalImpact(jumping, PRE, POST, FEW).notes)
    assert not CausalImpact(data, PRE, POST, FEW).notes
    sparse = data[["y"]].where(np.arange(60)[:, None] % 3 == 0, 0.0)
    assert any("67 %" in note for note in CausalImpact(sparse, PRE, POST, FEW).notes)


def test_unstandardized_data_give_nearly_the_same_effect(data: pd.DataFrame) -> None:
    centred = data - data.iloc[:45].mean()
    one = CausalImpact(centred, PRE, POST)
    other = CausalImpact(centred, PRE, POST, {"standardize_data": False})
    sd = one.summary_data.loc["Cumulative", "AbsEffect.sd"]
    gap = one.summary_data.loc["Cumulative"] - other.summary_data.loc["Cumulative"]
    assert abs(gap["AbsEffect"]) < 0.1 * sd
    assert abs(gap["AbsEffect.sd"]) < 0.1 * sd


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_effect_scales_with_the_outcome(scale: float, data: pd.DataFrame) -> None:
    one = CausalImpact(data, PRE, POST, FEW).summary_data.loc["Cumulative"]
    other = CausalImpact(data.assign(y=scale * data["y"]), PRE, POST, FEW)
    total = other.summary_data.loc["Cumulative"]
    assert total["AbsEffect"] == pytest.approx(scale * one["AbsEffect"], rel=1e-6)
    assert total["RelEffect.upper"] == pytest.approx(one["RelEffect.upper"], rel=1e-6)


def test_prior_may_look_at_the_controls_after(data: pd.DataFrame) -> None:
    data.iloc[45:, 1] += 200.0
    one = CausalImpact(data, PRE, POST, FEW)
    other = CausalImpact(data, PRE, POST, {**FEW, "post_period_covariates_in_prior": True})
    assert (one.fitted.model.prior.precision < other.fitted.model.prior.precision).any()


def test_alpha_widens_the_interval(data: pd.DataFrame) -> None:
    wide, narrow = (CausalImpact(data, PRE, POST, FEW, alpha=a) for a in (0.05, 0.5))
    wide_ends, narrow_ends = (r.summary_data.loc["Average"] for r in (wide, narrow))
    assert wide_ends["AbsEffect.lower"] < narrow_ends["AbsEffect.lower"]
    assert wide_ends["AbsEffect.upper"] > narrow_ends["AbsEffect.upper"]
    assert "50% interval" in narrow.summary()
    assert "95% interval" in wide.summary()


def test_words(data: pd.DataFrame) -> None:
    result = CausalImpact(data, PRE, POST, FEW)
    assert "raised y" in result.summary("report")
    assert "p < 1/400" in result.summary()
    down = CausalImpact(data.assign(y=-data["y"]), PRE, POST, FEW)
    assert "lowered y" in down.summary("report")
    still = data.copy()
    still.iloc[45:, 0] -= 5.3
    text = CausalImpact(still, PRE, POST, FEW).summary("report", digits=1)
    assert "contains zero" in text
    assert "not evidence of no effect" in text
    with pytest.raises(InputError, match="must be 'summary' or 'report'"):
        result.summary("tale")  # type: ignore[arg-type]


def test_figure(data: pd.DataFrame) -> None:
    result = CausalImpact(data, PRE, POST, FEW)
    figure = result.plot()
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 3
    assert len(result.plot(panels=["cumulative"]).axes) == 1
    for panels in (["other"], []):
        with pytest.raises(InputError, match="must be of original"):
            result.plot(panels=panels)


def test_draws_have_named_dimensions(data: pd.DataFrame) -> None:
    posterior = CausalImpact(data, PRE, POST, {"niter": 401, "chains": 2}).posterior
    assert dict(posterior.sizes) == {"chain": 2, "draw": 201, "control": 2}
    assert list(posterior["control"].to_numpy()) == ["x1", "x2"]
    assert posterior["inclusion"].dtype == bool
    assert posterior["inclusion"].all()


def drifting(weeks: int = 60) -> pd.DataFrame:
    """Return a series whose level drifts by a sixth of its noise a day, with a fixed week."""
    rng = np.random.default_rng(11)
    n = 7 * weeks
    level = np.cumsum(0.16 * rng.standard_normal(n))
    week = np.tile([0.0, 0.5, 1.0, 0.5, 0.0, -1.0, -1.0], weeks)
    return pd.DataFrame({"y": 20.0 + level + week + rng.standard_normal(n)})


def test_the_level_may_be_left_to_the_data() -> None:
    data = drifting()
    periods = [0, 399], [400, len(data) - 1]
    args = {"nseasons": 7, "niter": 1000}
    held = CausalImpact(data, *periods, args)
    free = CausalImpact(data, *periods, {**args, "prior_level_df": 1})
    true_sd = 0.16 / data["y"].iloc[:400].std()
    means = [float(found.posterior["sigma_level"].mean()) for found in (held, free)]
    assert means[0] < 0.6 * true_sd
    assert 0.6 * true_sd < means[1] < 1.4 * true_sd
    widths = [found.summary_data["AbsEffect.sd"].iloc[1] for found in (held, free)]
    assert widths[1] > 1.3 * widths[0]


def daily(n: int, seed: int, base: float) -> tuple[np.ndarray, pd.DatetimeIndex]:
    rng = np.random.default_rng(seed)
    return base + 0.05 * rng.normal(size=n), pd.date_range("2024-01-01", periods=n)


def test_log_scale_finds_an_effect_that_multiplies() -> None:
    logs, days = daily(200, 12, 5.0)
    control = np.random.default_rng(18).normal(size=200)
    outcome = np.exp(logs + 0.5 * control)
    # without noise the mean of the outcome is exp(mean + variance / 2)
    truth = np.exp(5 + 0.5 * control + 0.05**2 / 2)[180:].sum()
    outcome[180:] *= 1.25
    data = pd.DataFrame({"downloads": outcome, "control": control}, index=days)
    result = CausalImpact(data, days[[0, 179]], days[[180, 199]], {**FEW, "scale": "log"})
    total = result.summary_data.loc["Cumulative"]
    assert abs(total["Pred"] - truth) < 4 * total["Pred.sd"]
    assert total["RelEffect"] == pytest.approx(0.25, abs=0.05)
    assert result.inferences["point.pred.lower"].min() > 0
    linear = CausalImpact(data, days[[0, 179]], days[[180, 199]], FEW)
    assert total["Pred.sd"] < 0.7 * linear.summary_data.loc["Cumulative", "Pred.sd"]


def test_expected_outcome_of_a_log_normal_is_its_mean() -> None:
    logs, days = daily(300, 13, 4.0)
    logs += 0.45 * np.random.default_rng(14).normal(size=300)
    outcome = pd.Series(np.exp(logs), index=days)
    result = CausalImpact(outcome, days[[0, 279]], days[[280, 299]], {**FEW, "scale": "log"})
    expected = result.summary_data.loc["Average", "Pred"]
    predicted = result.fitted.predicted.mean()
    error = result.fitted.predicted.mean(axis=1).std() / 20
    assert abs(expected - predicted) < 5 * error
    # the mean of a log-normal, above its median
    assert expected > 1.05 * np.exp(4.0)


def test_counts_stay_counts() -> None:
    rng = np.random.default_rng(15)
    days = pd.date_range("2025-01-01", periods=150)
    counts = rng.poisson(3.0, 150).astype(float)
    counts[130:] += 4
    outcome = pd.Series(counts, index=days)
    result = CausalImpact(outcome, days[[0, 129]], days[[130, 149]], {**FEW, "scale": "counts"})
    plain = CausalImpact(outcome, days[[0, 129]], days[[130, 149]], FEW)
    assert result.inferences["point.pred.lower"].min() >= 0
    assert plain.inferences["point.pred.lower"].min() < 0
    total = result.summary_data.loc["Cumulative"]
    assert total["AbsEffect.lower"] < 80 < total["AbsEffect.upper"]
    assert total["AbsEffect.lower"] > 0


def test_further_seasons_are_followed() -> None:
    logs, days = daily(200, 16, 10.0)
    wave = 2 * np.sin(2 * np.pi * np.arange(200) / 45.5)
    week = np.tile([0, 1, 2, 0, -1, -1, -1], 29)[:200]
    outcome = pd.Series(logs + wave + week, index=days)
    args = {**FEW, "nseasons": 7, "seasons": [(45.5, 1)]}
    result = CausalImpact(outcome, days[[0, 179]], days[[180, 199]], args)
    ahead = result.inferences["point.pred"].to_numpy()[180:] - (10 + wave + week)[180:]
    assert np.abs(ahead).max() < 0.3
    assert list(result.posterior["control"].to_numpy()) == [
        "season 45.5 sin 1",
        "season 45.5 cos 1",
    ]
    assert result.posterior["inclusion"].all()


def test_holidays_have_an_effect_of_their_own() -> None:
    values, days = daily(366 + 90, 17, 10.0)
    outcome = pd.Series(values, index=days)
    christmas = (days.month == 12) & (days.day.isin([25, 26]))
    new_year = (days.month == 1) & (days.day == 1)
    outcome[christmas | new_year] -= 3
    end = days.get_loc("2024-12-29")
    args = {**FEW, "holidays": "IT"}
    result = CausalImpact(outcome, days[[0, end]], days[[end + 1, end + 10]], args)
    first = result.inferences["point.pred"]["2025-01-01"]
    assert first < result.inferences["point.pred"]["2025-01-02"] - 0.4
    assert result.posterior["control"].to_numpy().tolist() == ["holiday IT"]


def test_a_tail_without_a_draw_is_told_as_a_bound(data: pd.DataFrame) -> None:
    found = CausalImpact(data, PRE, POST, FEW)
    assert found.p_value == 1 / 401
    for text in (found.summary(), found.summary("report")):
        assert "p < 1/400" in text
        assert "p = " not in text
    even = CausalImpact(data.assign(y=data["x1"] + data["x2"]), PRE, POST, FEW)
    assert even.p_value > 0.01
    assert f"p = {even.p_value:.3g}" in even.summary()


def test_few_rows_before_are_told(data: pd.DataFrame) -> None:
    few = CausalImpact(data[["y"]], ["2025-01-01", "2025-01-03"], POST, FEW)
    assert any("only 3 observed row(s), fewer than 12" in note for note in few.notes)
    enough = CausalImpact(data[["y"]], ["2025-01-01", "2025-01-12"], POST, FEW)
    assert not any("observed row(s)" in note for note in enough.notes)
