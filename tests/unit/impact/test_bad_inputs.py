"""Every bad input is refused before anything is computed, with a message that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lift.errors import InputError
from lift.impact.causal_impact import CausalImpact

PRE, POST = ["2025-01-01", "2025-02-14"], ["2025-02-15", "2025-03-01"]
Spoil = Callable[[pd.DataFrame], Any]


def column(name: str, value: object) -> Spoil:
    return lambda data: data.assign(**{name: value})


def cell(name: str, row: int, value: float) -> Spoil:
    def spoil(data: pd.DataFrame) -> pd.DataFrame:
        data.iloc[row, data.columns.get_loc(name)] = value
        return data

    return spoil


def constant_then_varying(data: pd.DataFrame) -> pd.DataFrame:
    data.iloc[:45, 1] = 7.0
    return data


def one_odd_row(data: pd.DataFrame) -> pd.DataFrame:
    data["y"] = 5.0
    data.iloc[10, 0] = 6.0
    return data


DATA: dict[str, tuple[Spoil, str]] = {
    "no rows": (lambda d: d.iloc[:0], "at least one row"),
    "no columns": (lambda d: d[[]], "at least one row and one column"),
    "a dict": (lambda _: {"y": [1, 2]}, "must be a DataFrame, a Series or an array, found dict"),
    "nothing": (lambda _: None, "must be a DataFrame, a Series or an array, found NoneType"),
    "three dimensions": (lambda _: np.zeros((4, 2, 2)), "one or two dimensions"),
    "a text index": (lambda d: d.set_axis([f"r{i}" for i in range(60)]), "index must hold dates"),
    "a float index": (lambda d: d.set_axis(np.arange(60.0)), "index must hold dates or whole"),
    "dates in a column": (lambda d: d.reset_index(), "column 'date' must hold numbers"),
    "a repeated date": (lambda d: pd.concat([d.iloc[:5], d.iloc[4:]]), "must not repeat labels"),
    "dates out of order": (lambda d: d.iloc[::-1], "index must increase"),
    "a missing date": (lambda d: d.set_axis([pd.NaT, *d.index[1:]]), "missing labels"),
    "a text outcome": (column("y", "many"), "column 'y' must hold numbers"),
    "a text control": (column("x1", "many"), "column 'x1' must hold numbers"),
    "a complex control": (column("x1", 1j), "column 'x1' must hold numbers"),
    "a control repeated by name": (lambda d: d.set_axis(["y", "x", "x"], axis=1), "repeated: x"),
    "an infinite outcome": (cell("y", 3, np.inf), "outcome must be finite"),
    "a missing control before": (cell("x1", 3, np.nan), "the first at 2025-01-04"),
    "a missing control after": (cell("x2", 50, np.nan), "control 'x2' must have a finite value"),
    "an infinite control": (cell("x1", 3, -np.inf), "control 'x1' must have a finite value"),
    "an empty outcome": (column("y", np.nan), "at least 3 rows of the pre-period, found 0"),
    "an outcome of 1e300": (lambda d: d.assign(y=1e300 * d["y"]), "the outcome must lie between"),
    "an outcome of 1e-300": (lambda d: d.assign(y=1e-300 * d["y"]), "the outcome must vary by"),
    "a control of 1e300": (lambda d: d.assign(x1=1e300 * d["x1"]), "control 'x1' must lie between"),
    "a control of 1e-300": (lambda d: d.assign(x2=1e-300 * d["x2"]), "control 'x2' must vary by"),
    "a constant outcome": (column("y", 4.0), "found 4 throughout"),
    "an outcome constant but for one row": (one_odd_row, "throughout but for one row"),
    "no outcome after": (lambda d: d.assign(y=d["y"].where(d.index < "2025-02-15")), "post-period"),
    "a control constant before": (constant_then_varying, "constant before the intervention"),
    "the outcome as control": (lambda d: d.assign(x1=d["y"]), "is the outcome itself"),
    "the outcome scaled as control": (lambda d: d.assign(x1=3 - 2 * d["y"]), "outcome itself"),
    "the outcome's log as control": (lambda d: d.assign(x1=np.log(d["y"])), "itself.*their log"),
    "the outcome's square as control": (lambda d: d.assign(x1=d["y"] ** 2), "a power of them"),
}


@pytest.mark.parametrize("name", list(DATA))
def test_bad_data(name: str, data: pd.DataFrame) -> None:
    spoil, message = DATA[name]
    with pytest.raises(InputError, match=message):
        CausalImpact(spoil(data.copy()), PRE, POST)


PERIODS: dict[str, tuple[Any, Any, str]] = {
    "pre outside": (["2020-01-01", "2020-02-01"], POST, "pre_period:\n.*within the data"),
    "pre too early": (["2024-12-31", PRE[1]], POST, "must lie within the data, 2025-01-01"),
    "post too late": (PRE, [POST[0], "2025-03-02"], "must lie within the data"),
    "pre reversed": (PRE[::-1], POST, "must not end before it begins"),
    "post reversed": (PRE, POST[::-1], "must not end before it begins"),
    "overlapping": (PRE, [PRE[1], POST[1]], "they overlap"),
    "the wrong way round": (POST, PRE, "they overlap"),
    "one date": ([PRE[0]], POST, "must be a pair"),
    "three dates": ([*PRE, POST[0]], POST, "must be a pair"),
    "a text": ("2025-01-01", POST, "must be a pair"),
    "nothing": (None, POST, "must be a pair"),
    "whole numbers for dates": ([0, 44], POST, "must hold dates, as the index does"),
    "floats": (PRE, [45.0, 59.0], "must hold dates, as the index does"),
    "no dates": (["then", "now"], POST, "must hold dates, found 'then'"),
    "a zone that the index lacks": (["2025-01-01T00Z", "2025-02-14T00Z"], POST, "time zone"),
    "missing": ([None, PRE[1]], POST, "must hold dates"),
    "two rows before": (["2025-01-01", "2025-01-02"], POST, "at least 3 rows"),
}


@pytest.mark.parametrize("name", list(PERIODS))
def test_bad_periods(name: str, data: pd.DataFrame) -> None:
    pre, post, message = PERIODS[name]
    with pytest.raises(InputError, match=message):
        CausalImpact(data, pre, post)


@pytest.mark.parametrize(
    ("pre", "message"),
    [
        (["2025-01-01", "2025-01-20"], "must hold whole numbers"),
        ([0, 70], "must lie within the data, 0 to 59"),
        ([-1, 40], "must lie within the data"),
        ([True, 40], "must hold whole numbers"),
    ],
)
def test_bad_periods_of_whole_numbers(pre: Any, message: str, data: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=message):
        CausalImpact(data.reset_index(drop=True), pre, [45, 59])


def test_a_period_between_two_rows_is_empty(data: pd.DataFrame) -> None:
    gapped = data.drop(data.index[50:55])
    with pytest.raises(InputError, match="has no row of the data"):
        CausalImpact(gapped, PRE, ["2025-02-20", "2025-02-23"])


ARGS: dict[str, tuple[Any, str]] = {
    "an unknown name": ({"n_iter": 500}, "unknown name 'n_iter'"),
    "a list": ([1], "must be a dict"),
    "no draws": ({"niter": 0}, "niter must be at least 100, found 0"),
    "half a draw": ({"niter": 500.5}, "niter must be a whole number"),
    "draws as text": ({"niter": "many"}, "niter must be a whole number"),
    "more chains than draws bear": ({"niter": 100, "chains": 5}, "at least 25 for each"),
    "no level": ({"prior_level_sd": 0}, "prior_level_sd must be a positive number"),
    "an endless level": ({"prior_level_sd": np.inf}, "prior_level_sd must be a positive number"),
    "a level that is none": ({"prior_level_sd": np.nan}, "prior_level_sd must be a positive"),
    "a level beyond the outcome": ({"prior_level_sd": 3}, "from 1e-06 to 1, found 3"),
    "no season": ({"nseasons": 0}, "nseasons must be at least 1"),
    "no duration": ({"season_duration": 0}, "season_duration must be at least 1"),
    "a walk as a number": ({"dynamic.regression": 1}, "dynamic_regression must be True or False"),
    "a switch as text": ({"standardize_data": "yes"}, "standardize_data must be True or False"),
    "an unknown scale": ({"scale": "sqrt"}, "scale must be of linear, log, counts, found 'sqrt'"),
    "a season of one number": ({"seasons": [365]}, "seasons must be pairs of a period in rows"),
    "a season as text": ({"seasons": "yearly"}, "seasons must be pairs"),
    "a season too short to see": ({"seasons": [(7, 4)]}, "each wave of two rows or more"),
    "a season without waves": ({"seasons": [(365.25, 0)]}, "seasons must be pairs"),
    "an endless season": ({"seasons": [(np.inf, 1)]}, "seasons must be pairs"),
    "no such country": ({"holidays": "XX"}, "two-letter ISO code .* found 'XX'"),
    "a country by its name": ({"holidays": "Italy"}, "did you mean 'IT'"),
    "a country as number": ({"holidays": 39}, "holidays must be a country code"),
    "the same name twice": ({"prior_level_sd": 0.1, "prior.level.sd": 0.1}, "is given twice"),
}


@pytest.mark.parametrize("name", list(ARGS))
def test_bad_settings(name: str, data: pd.DataFrame) -> None:
    args, message = ARGS[name]
    with pytest.raises(InputError, match=message):
        CausalImpact(data, PRE, POST, args)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, np.nan, "0.05", True, None])
def test_bad_alpha(alpha: Any, data: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        CausalImpact(data, PRE, POST, alpha=alpha)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_bad_seed(seed: Any, data: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="must be a whole number, 0 or larger"):
        CausalImpact(data, PRE, POST, seed=seed)


SCALES: dict[str, tuple[Spoil, str, str]] = {
    "a zero on the log scale": (cell("y", 3, 0.0), "log", "above 0 in the pre-period, found 1 row"),
    "a debt on the log scale": (cell("y", 3, -5.0), "log", "above 0 in the pre-period"),
    "a debt among counts": (cell("y", 3, -1.0), "counts", "0 or larger in the pre-period, found 1"),
}


@pytest.mark.parametrize("name", list(SCALES))
def test_an_outcome_that_the_scale_cannot_hold(name: str, data: pd.DataFrame) -> None:
    spoil, scale, message = SCALES[name]
    with pytest.raises(InputError, match=message):
        CausalImpact(spoil(data.copy()), PRE, POST, {"scale": scale})


def test_holidays_without_dates(data: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="holidays need an index of dates, found whole numbers"):
        CausalImpact(data.reset_index(drop=True), [0, 44], [45, 59], {"holidays": "IT"})


def test_missing_days_with_a_further_season(data: pd.DataFrame) -> None:
    gapped = data.drop(data.index[[10, 30]])
    with pytest.raises(InputError, match="with a season rows must be evenly spaced"):
        CausalImpact(gapped, PRE, POST, {"seasons": [(30.4, 1)]})


def test_there_are_at_least_sixty() -> None:
    assert len(DATA) + len(PERIODS) + len(ARGS) + len(SCALES) >= 60


# What looks odd and is allowed, as in R: the outcome of each is an answer, not an error.
ODD: dict[str, Spoil] = {
    "no name": lambda d: d.set_axis(["", "x1", "x2"], axis=1),
    "blanks": lambda d: d.set_axis([" y ", "x 1", "x\t2"], axis=1),
    "letters of the world": lambda d: d.set_axis(["\u6570", "\u00f1", "\u03b2"], axis=1),
    "whole numbers": lambda d: d.set_axis([0, 1, 2], axis=1),
    "pairs": lambda d: d.set_axis([("a", 1), ("a", 2), ("b", 1)], axis=1),
    "names of the results": lambda d: d.set_axis(["response", "point.pred", "cum.effect"], axis=1),
    "names of the model": lambda d: d.set_axis(["y", "(Intercept)", "sigma_obs"], axis=1),
    "code": lambda d: d.set_axis(["y; drop", "${x}", "<b>x</b>"], axis=1),
    "a control of whole numbers": lambda d: d.assign(x2=range(60)),
    "a control of truths": lambda d: d.assign(x2=[i % 3 == 0 for i in range(60)]),
    "an index without a name": lambda d: d.rename_axis(None),
    "a zone": lambda d: d.tz_localize("Europe/Rome"),
}


@pytest.mark.parametrize("name", list(ODD))
def test_odd_but_allowed(name: str, data: pd.DataFrame) -> None:
    frame = ODD[name](data.copy())
    pre, post = ([pd.Timestamp(day, tz=frame.index.tz) for day in period] for period in (PRE, POST))
    result = CausalImpact(frame, pre, post, {"niter": 200})
    assert np.isfinite(result.summary_data.to_numpy(dtype=float)).all()
    assert result.summary()
    assert result.inferences.index.equals(frame.index)


def test_three_rows_before_are_enough_and_two_are_not(data: pd.DataFrame) -> None:
    few = data.iloc[[0, 1, 2, 45], :1]
    pre = ["2025-01-01", "2025-01-03"]
    result = CausalImpact(few, pre, ["2025-02-15", "2025-02-15"], {"niter": 400})
    assert np.isfinite(result.summary_data.loc["Average", "AbsEffect"])
    with pytest.raises(InputError, match="at least 3 rows"):
        CausalImpact(few, [*pre[:1], "2025-01-02"], ["2025-02-15", "2025-02-15"])


def test_missing_days_with_a_season(data: pd.DataFrame) -> None:
    gapped = data.drop(data.index[[10, 30]])
    with pytest.raises(InputError, match=r"2 other step.*from 2025-01-10 to 2025-01-12"):
        CausalImpact(gapped, PRE, POST, {"nseasons": 7})


def test_all_faults_are_named_at_once(data: pd.DataFrame) -> None:
    data.iloc[3, 1] = np.nan
    data.iloc[4, 0] = np.inf
    with pytest.raises(InputError) as caught:
        CausalImpact(data, PRE, POST, {"niter": 1, "nope": 2}, alpha=2.0, seed=-1)
    assert [problem.where for problem in caught.value.problems] == [
        "model_args", "model_args", "alpha", "seed", "data", "data",
    ]  # fmt: skip
