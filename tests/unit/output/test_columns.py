"""Headings, intervals and numbers of printed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lift.output.columns import columns


def read(**given: object) -> dict[str, list[str]]:
    return {c.heading: list(c.cells) for c in columns(pd.DataFrame(given), prob=0.9)}


def test_bounds_are_one_interval_and_kin_have_the_same_decimals() -> None:
    shown = read(mean=[50.9, 1.25], lower=[-9.456, 0.5], upper=[120.0, 2.0])
    assert shown == {
        "incremental": ["50.9", "1.2"],
        "90% interval": ["\N{MINUS SIGN}9.5 to 120", "0.5 to 2"],
    }


def test_bounds_of_a_named_quantity_say_whose_they_are() -> None:
    shown = read(net_mean=[0.5], net_lower=[-0.25], net_upper=[np.nan])
    assert shown == {"net": ["0.500"], "net 90% interval": ["\N{EN DASH}"]}


def test_the_level_of_the_table_itself() -> None:
    table = pd.DataFrame({"lower": [1.0], "upper": [2.0], "prob": [0.5]})
    assert columns(table)[0].heading == "50% interval"


def test_money_shares_dates_and_truth_values() -> None:
    shown = read(
        cost_median=[0.3621, np.inf],
        tipping=[0.975, -0.5],
        date=pd.to_datetime(["2024-10-01", "2024-10-02"]),
        extrapolated=[True, False],
        prob_positive=[1.0, 0.25],
    )
    assert shown == {
        "cost median": ["0.362", "unbounded"],
        "tipping share": ["97.5%", "\N{MINUS SIGN}50.0%"],
        "date": ["2024-10-01", "2024-10-02"],
        "extrapolated": ["yes", "no"],
        "P(>0)": [">0.999", "0.250"],
    }
