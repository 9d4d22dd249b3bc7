"""Numbers as people read them."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from lift.output import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.4, "1,234,567"),
        (99.96, "100.0"),
        (12.34, "12.3"),
        (7.0, "7"),
        (-1500.2, "−1,500"),
        (-0.01, "0.0"),
        (0.0, "0"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_count_separates_thousands_and_has_no_minus_zero(value: float, text: str) -> None:
    assert wording.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999.4, "999"),
        (999.6, "1k"),
        (45_600.0, "45.6k"),
        (999_600.0, "1M"),
        (1_234_000.0, "1.23M"),
        (-2.5e9, "−2.5B"),
        (0.0, "0"),
        (math.nan, "–"),
    ],
)
def test_short_keeps_three_figures_across_steps(value: float, text: str) -> None:
    assert wording.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (45_649.0, "45,600"),
        (999_499.0, "999,000"),
        (1_234_567.0, "1.23 million"),
        (-2_500_000_000.0, "−2.5 billion"),
        (123.4, "123"),
        (12.34, "12"),
        (0.01, "0"),
    ],
)
def test_words_round_to_three_figures(value: float, text: str) -> None:
    assert wording.words(value) == text


def test_probability_is_never_a_bare_zero_or_one() -> None:
    assert wording.probability(1.0) == ">0.999"
    assert wording.probability(0.0) == "<0.001"
    assert wording.probability(0.8712) == "0.871"


def test_percent_level_and_intervals() -> None:
    assert wording.percent(-0.1234) == "−12.3%"
    assert wording.level(0.95) == "95%"
    assert wording.level(0.999) == "99.9%"
    assert wording.interval(-10.0, 1234.0) == "−10 to 1,234"
    assert wording.interval(math.nan, 1.0) == "–"
    assert wording.percent_interval(0.01, 0.2) == "1.0% to 20.0%"


@pytest.mark.parametrize(
    ("value", "text"), [(123.4, "123"), (1.234, "1.2"), (0.0123, "0.012"), (0.0, "0")]
)
def test_monte_carlo_error_has_two_figures_at_least(value: float, text: str) -> None:
    assert wording.monte_carlo(value) == text


def test_days_do_not_depend_on_the_locale() -> None:
    stamp = pd.Timestamp("2026-03-01 13:00")
    assert wording.day(stamp) == "2026-03-01"
    assert wording.long_day(stamp) == "1 March 2026"
    assert wording.day(pd.NaT) == wording.long_day(pd.NaT) == "–"


def test_names_are_one_line_and_cannot_command_a_terminal() -> None:
    assert wording.name("  @mira\n\tof  Rome ") == "@mira of Rome"
    assert wording.name("\x1b[31mred\x00\ud800") == "\ufffd[31mred\ufffd\ufffd"
    assert wording.name("無印 👩‍🎤") == "無印 👩‍🎤"
