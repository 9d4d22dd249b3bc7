"""Verdicts on hand-made numbers: each rule, at its threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_posteriors import hand_made

from lift.analysis import verdicts as rules
from lift.analysis.diagnostics import mcse_mean
from lift.analysis.effects import Effects
from lift.analysis.verdicts import CAMPAIGN, EngineEffects, agreement, effects_of


def row(
    unit: str = "p1", mean: float = 100.0, mcse: float = 1.0, **rest: object
) -> dict[str, object]:
    return {
        "unit": unit,
        "mean": mean,
        "lower": mean - 50.0,
        "upper": mean + 50.0,
        "mcse_mean": mcse,
        "mcse_lower": mcse,
        "mcse_upper": mcse,
        "overlaps": "",
        "lasting": 0.0,
        "note": "",
    } | rest


def engine(name: str, *rows: dict[str, object], **rest: object) -> EngineEffects:
    return EngineEffects(name, pd.DataFrame(rows), 1.5, **rest)  # type: ignore[arg-type]


def verdict(other: EngineEffects, reference: dict[str, object] | None = None) -> str:
    found = agreement([engine("exact", reference or row()), other])
    (mine,) = found.table.loc[found.table["engine"] == other.engine, "verdict"]
    assert found.passed == (mine not in rules.FAILURES)
    return str(mine)


# Two errors of 1 combine to sqrt(2); five of them are 7.07.
@pytest.mark.parametrize(("gap", "wanted"), [(7.0, rules.SAME), (7.2, rules.UNEXPLAINED)])
def test_the_same_posterior_differs_by_monte_carlo_error_only(gap: float, wanted: str) -> None:
    assert verdict(engine("pymc", row(mean=100 + gap))) == wanted
    assert verdict(engine("pymc", row(mean=100 - gap))) == wanted


@pytest.mark.parametrize("end", ["lower", "upper"])
def test_both_ends_count(end: str) -> None:
    moved = row() | {end: float(row()[end]) + 8.0}  # type: ignore[arg-type]
    assert verdict(engine("pymc", moved)) == rules.UNEXPLAINED


def test_overlap_explains_engines_of_single_posts_only() -> None:
    far = row(mean=900.0, mcse=0.0, overlaps="p2")
    assert verdict(engine("causalimpact", far, single_posts=True)) == rules.OVERLAP
    assert verdict(engine("pymc", far)) == rules.UNEXPLAINED
    alone = far | {"overlaps": ""}
    assert verdict(engine("causalimpact", alone, single_posts=True)) == rules.UNEXPLAINED


# One unit: the interval of 95 % reaches 1.96 sds, what a fault explains 2.58: 65.7 for 50. Ends and
# means have errors of 1, five of the two together are 7.07.
@pytest.mark.parametrize(
    ("mean", "wanted"), [(140.0, rules.FAULT), (172.0, rules.FAULT), (174.0, rules.UNEXPLAINED)]
)
def test_a_known_fault_explains_a_mean_that_the_wider_interval_allows(
    mean: float, wanted: str
) -> None:
    narrow = row(mean=mean, lower=mean - 20.0, upper=mean + 20.0)
    assert verdict(engine("statsmodels", narrow, faults=("normal",))) == wanted
    assert verdict(engine("pymc", narrow)) == rules.UNEXPLAINED
    # the reference may be the narrower one
    wide = row(mean=200.0 - mean)
    reference = row(lower=90.0, upper=110.0)
    assert verdict(engine("statsmodels", wide, faults=("normal",)), reference) == wanted


# The interval reaches from 170 to 190, and without what lasts from 170 - lasting on; five errors.
@pytest.mark.parametrize(
    ("lasting", "wanted"),
    [(66.0, rules.LASTING), (64.0, rules.UNEXPLAINED), (0.0, rules.UNEXPLAINED)],
)
def test_what_lasts_explains_a_mean_between_both_readings(lasting: float, wanted: str) -> None:
    high = row(mean=180.0, mcse=0.0, lower=170.0, upper=190.0, lasting=lasting)
    reference = row(lower=90.0, upper=110.0)
    other = engine("causalimpact", high, single_posts=True, faults=("one",))
    assert verdict(other, reference) == wanted
    low = row(mean=20.0, mcse=0.0, lower=10.0, upper=30.0, lasting=-lasting)
    other = engine("causalimpact", low, single_posts=True, faults=("one",))
    assert verdict(other, reference) == wanted
    # what fell does not explain a number that is too high
    wrong = high | {"lasting": -lasting}
    other = engine("causalimpact", wrong, single_posts=True, faults=("one",))
    assert verdict(other, reference) == rules.UNEXPLAINED
    # nor anything of an engine of all posts
    assert verdict(engine("statsmodels", high, faults=("one",)), reference) == rules.UNEXPLAINED


def test_more_units_allow_the_furthest_to_be_further() -> None:
    """Of 40 units 3.66 sds are allowed, 93.4 for 50."""
    units = [row(f"p{i}", mean=100.0 + 90.0 * (i == 7), mcse=1e-3) for i in range(40)]
    reference = [row(f"p{i}", mcse=1e-3) for i in range(40)]
    other = engine("statsmodels", *units, faults=("normal",))
    assert agreement([engine("exact", *reference), other]).passed
    few = engine("statsmodels", *units[7:8], faults=("normal",))
    assert not agreement([engine("exact", *reference[7:8]), few]).passed


def test_what_has_no_number_is_told_and_what_must_not_be_believed_fails() -> None:
    refused = engine("statsmodels", outcome=rules.REFUSED, message="no counts")
    assert verdict(refused) == rules.REFUSED
    assert verdict(engine("pymc", outcome=rules.UNBELIEVED)) == rules.UNBELIEVED
    assert verdict(engine("causalimpact", row(mean=np.nan))) == rules.REFUSED
    table = agreement([engine("exact", row(), row("p2")), refused]).table
    assert table.loc[table["engine"] == "statsmodels", "note"].tolist() == ["no counts"] * 2


def test_the_table_has_every_unit_of_every_engine_reference_first() -> None:
    found = agreement(
        [engine("exact", row(), row(CAMPAIGN)), engine("one", row(), single_posts=True)]
    )
    assert tuple(found.table.columns) == rules.COLUMNS
    assert found.table["unit"].tolist() == ["p1", "p1", CAMPAIGN, CAMPAIGN]
    assert found.table["engine"].tolist() == ["exact", "one"] * 2
    assert found.table["verdict"].tolist() == [
        rules.REFERENCE, rules.SAME, rules.REFERENCE, rules.REFUSED,
    ]  # fmt: skip
    z = found.table["z_mean"]
    assert np.isnan(z[0])
    assert z[1] == 0.0


def test_effects_carry_their_monte_carlo_errors() -> None:
    rng = np.random.default_rng(3)
    posterior = hand_made(rng.normal(0.5, 0.2, (4000, 2)), [20, 40], np.full(80, 100.0))
    table = effects_of(posterior).set_index("unit")
    assert list(table.index) == ["p1", "p2", CAMPAIGN]
    draws = Effects(posterior).draws("post").isel(post=0).to_numpy()
    assert table.loc["p1", "mean"] == pytest.approx(draws.mean())
    assert table.loc["p1", "lower"] == pytest.approx(np.quantile(draws, 0.025))
    assert table.loc["p1", "mcse_mean"] == pytest.approx(mcse_mean(draws))
    # the quantile of a normal: sqrt(p (1 - p) / n) over its density
    density = 0.0584 / draws.std()
    expected = np.sqrt(0.025 * 0.975 / 4000) / density
    assert table.loc["p1", "mcse_lower"] == pytest.approx(expected, rel=0.35)


def test_weighted_draws_carry_the_error_of_their_weights() -> None:
    rng = np.random.default_rng(3)
    posterior = hand_made(rng.normal(0.5, 0.2, (4000, 1)), [20], np.full(80, 100.0))
    plain = effects_of(posterior)["mcse_mean"].iloc[0]
    posterior.tree["sample_stats"].attrs["ess"] = 4000.0 / 3.0
    assert effects_of(posterior)["mcse_mean"].iloc[0] == pytest.approx(2.0 * plain)
