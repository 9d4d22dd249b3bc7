"""Public holidays."""

from __future__ import annotations

import pandas as pd
import pytest

from lift.data.calendar import check_country, holiday_table
from lift.errors import Problem


def table(country: str | None, first: str, last: str) -> pd.DataFrame:
    return holiday_table(country, pd.Timestamp(first), pd.Timestamp(last))


def test_italian_holidays_around_the_new_year() -> None:
    found = table("IT", "2024-12-28", "2025-01-04")
    days = dict(zip(found["date"].dt.strftime("%m-%d"), found["holiday"], strict=True))
    assert list(days) == ["12-25", "12-26", "01-01", "01-06"]
    assert days["12-25"] == "Natale"


def test_margin_is_a_week_on_both_sides() -> None:
    assert len(table("IT", "2025-01-01", "2025-01-02")) == 4
    assert table("IT", "2025-01-14", "2025-01-14").empty
    assert table("IT", "2025-01-13", "2025-01-14")["date"].tolist() == [pd.Timestamp("2025-01-06")]


def test_no_country_has_no_holidays() -> None:
    found = table(None, "2025-01-01", "2025-12-31")
    assert found.empty
    assert list(found.columns) == ["date", "holiday"]
    assert pd.api.types.is_datetime64_dtype(found["date"])


def test_a_subdivision_has_its_own_days() -> None:
    country = set(table("DE", "2025-01-01", "2025-12-31")["date"])
    bavaria = set(table("DE-BY", "2025-01-01", "2025-12-31")["date"])
    assert pd.Timestamp("2025-11-01") in bavaria - country


@pytest.mark.parametrize("code", ["IT", "US", "US-CA", "DE-BY", "GB", "CN", "BR"])
def test_known_codes(code: str) -> None:
    problems: list[Problem] = []
    assert check_country(code, "campaign", problems)
    assert problems == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("it", "did you mean 'IT'"),
        ("ITA", "did you mean 'IT'"),
        ("Italia", "did you mean 'IT'"),
        ("United Kingdom", "did you mean 'GB'"),
        ("US-ca", "did you mean 'US-CA'"),
        ("XX", "two-letter ISO code"),
        ("", "two-letter ISO code"),
    ],
)
def test_unknown_codes_are_named(code: str, hint: str) -> None:
    problems: list[Problem] = []
    assert not check_country(code, "campaign", problems)
    assert len(problems) == 1
    assert hint in problems[0].what
    assert f"'{code}'" in problems[0].what
