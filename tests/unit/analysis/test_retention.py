"""The retention curve, assumed retention, and retention from cohort rates with truth known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import betabinom, norm
from small_posteriors import hand_made

from lift.analysis import cohort_rates
from lift.analysis.cohort_rates import draw_rates
from lift.analysis.counterfactual import log_lift
from lift.analysis.retention import assumed_retention, cohort_retention
from lift.analysis.survival import fit_curve, survival
from lift.data.cohorts import Cohorts
from lift.errors import InputError
from lift.model.assumption import RetentionAssumption, Share
from lift.model.posterior import Posterior
from lift.rng import stream

FloatArray = NDArray[np.float64]

# Fader & Hardie 2007, table 1: % of two groups of customers left after 1 to 12 years; the first
# seven were used for the fit. Parameters: their maximum likelihood estimates.
HIGH_END = [86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4]
REGULAR = [63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3]


def test_survival_follows_the_retention_recursion() -> None:
    alpha, beta = np.array([0.4, 2.0, 30.0]), np.array([0.2, 3.0, 0.7])
    ages = np.arange(400.0)
    share = survival(alpha, beta, ages)
    np.testing.assert_allclose(share[:, 0], 1.0)
    t = ages[1:]
    rate = (beta[:, None] + t - 1) / (alpha[:, None] + beta[:, None] + t - 1)
    np.testing.assert_allclose(share[:, 1:], np.cumprod(rate, axis=1), rtol=1e-9)


def test_survival_of_the_published_fit() -> None:
    # Fader & Hardie 2007: alpha = 0.668, beta = 3.806; of year 12, 37.8 % by their formula.
    share = survival(np.array([0.668]), np.array([3.806]), np.array([1.0, 7.0, 12.0]))[0]
    np.testing.assert_allclose(share, [0.851, 0.489, 0.378], atol=6e-4)


@pytest.mark.parametrize(("data", "name"), [(HIGH_END, "high end"), (REGULAR, "regular")])
def test_curve_foretells_published_years(data: list[float], name: str) -> None:
    seen = np.array(data[:7]) / 100
    rates = np.repeat(seen[None], 2000, axis=0)
    curve = fit_curve(tuple(range(1, 8)), rates, stream(1, "tests", name))
    ahead = curve.at(np.arange(8.0, 13.0))
    truth = np.array(data[7:]) / 100
    assert np.abs(ahead.mean(axis=0) - truth).max() < 0.03
    lower, upper = np.quantile(ahead, [0.025, 0.975], axis=0)
    assert np.all((lower < truth) & (truth < upper))


def test_curve_recovers_its_parameters() -> None:
    days = (1, 3, 7, 14, 30, 60)
    alpha, beta = np.full(4000, 0.45), np.full(4000, 0.2)
    rates = survival(alpha, beta, np.array(days, dtype=float))
    curve = fit_curve(days, rates, stream(1, "tests", "curve"))
    assert abs(np.log(curve.alpha).mean() - np.log(0.45)) < 0.03
    assert abs(np.log(curve.beta).mean() - np.log(0.2)) < 0.05
    assert curve.misfit < 0.02
    np.testing.assert_array_equal(curve.at(np.array([0.0])), 1.0)


def test_draws_of_rates_and_curve_stay_paired() -> None:
    rng = stream(2, "tests", "paired")
    odds = rng.normal(-1.0, 0.5, size=(1000, 1)) + np.array([0.0, -0.8, -1.4])
    curve = fit_curve((1, 7, 30), expit(odds), rng)
    ahead = logit(curve.at(np.array([60.0]))[:, 0])
    assert np.corrcoef(ahead, odds[:, 2])[0, 1] > 0.9


def test_one_observed_day_leaves_the_rest_to_the_prior() -> None:
    rates = np.full((4000, 1), 0.12)
    curve = fit_curve((7,), rates, stream(3, "tests", "one day"))
    near, far = np.log(curve.at(np.array([8.0, 180.0]))).std(axis=0)
    assert near < 0.2
    assert far > 2 * near


def test_a_curve_that_does_not_fit_says_so() -> None:
    rates = np.repeat([[0.5, 0.05, 0.049]], 200, axis=0)
    assert fit_curve((1, 7, 30), rates, stream(1, "tests", "misfit")).misfit > 0.3


def test_share_by_size_and_by_interval() -> None:
    by_size = Share(mean=0.2, n=150.0)
    ends = by_size.quantile(np.array([0.025, 0.975]))
    by_interval = Share(mean=0.2, lower=float(ends[0]), upper=float(ends[1]))
    assert by_interval.size == pytest.approx(150.0, rel=1e-6)
    uniform = (np.arange(20_000) + 0.5) / 20_000
    assert by_size.quantile(uniform).mean() == pytest.approx(0.2, abs=1e-5)


ASSUMED = """activation = {mean = 0.8, n = 200}
source = "benchmark"

[retention]
30 = {mean = 0.07, lower = 0.04, upper = 0.11}
1 = {mean = 0.27, n = 100}
"""


def read(folder: Path, text: str) -> RetentionAssumption:
    file = folder / "assume.toml"
    file.write_text(text, encoding="utf-8")
    return RetentionAssumption.from_toml(file)


def test_assumption_from_toml(tmp_path: Path) -> None:
    found = read(tmp_path, ASSUMED)
    assert found.quality.sd == 0.3
    assert found.basis == (
        "assumption-driven: activation 0.8, retention D1 0.27, D30 0.07, "
        "quality ratio LogNormal(log 1, 0.3); benchmark"
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("activation = {mean = 0.8, n = 200}", "", "key 'activation' must be given"),
        ("n = 200", "n = 200, lower = 0.7", "either n, or lower and upper"),
        ("lower = 0.04", "lower = 0.08", "must lie between lower and upper"),
        ("mean = 0.27", "mean = 27", "retention.1.mean"),
        ("source", "sourse", "'sourse' is unknown (did you mean 'source'?)"),
        ("1 = {", "zero = {", "retention.zero"),
        ("[retention]", "[retention", "readable TOML"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_faults_of_an_assumption(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(InputError, match=r"assume\.toml") as caught:
        read(tmp_path, ASSUMED.replace(old, new, 1))
    assert words in str(caught.value)


def still(n_draws: int = 2000) -> Posterior:
    return hand_made(np.full((n_draws, 1), 0.5), [10], np.full(60, 1000.0), attrs={"seed": 5})


def test_assumed_retention(tmp_path: Path) -> None:
    found = assumed_retention(still(), read(tmp_path, ASSUMED))
    assert found.share(1).mean() == pytest.approx(0.27 * np.exp(0.045), rel=0.03)
    assert found.installs.mean() == pytest.approx(0.8, abs=0.01)
    # A quality that multiplies: the slope is the benchmark itself, and the ratio is the quality.
    np.testing.assert_allclose(found.per_quality(30), found.shares[30])
    assert np.log(found.share(30) / found.shares[30]).std() == pytest.approx(0.3, rel=0.1)
    # Rates of different days move together, apart from activation.
    assert np.corrcoef(found.shares[1][:, 0], found.shares[30][:, 0])[0, 1] > 0.95
    assert abs(np.corrcoef(found.shares[1][:, 0], found.installs[:, 0])[0, 1]) < 0.1
    assert [found.extrapolated(day) for day in (1, 7, 30, 31)] == [False, False, False, True]
    assert "from the retention curve" in found.note(7)
    again = assumed_retention(still(), read(tmp_path, ASSUMED))
    np.testing.assert_array_equal(found.share(90), again.share(90))
    other = assumed_retention(still(), read(tmp_path, ASSUMED), seed=6)
    assert not np.array_equal(found.share(90), other.share(90))


def test_no_share_exceeds_one(tmp_path: Path) -> None:
    text = ASSUMED.replace("mean = 0.27", "mean = 0.9")
    found = assumed_retention(still(), read(tmp_path, text))
    capped = found.shares[1][:, 0] * found.quality > 1
    assert capped.any()
    assert found.share(1).max() == 1.0
    assert np.all(found.per_quality(1)[capped] == 0.0)


def test_activation_may_be_included(tmp_path: Path) -> None:
    text = ASSUMED.replace("{mean = 0.8, n = 200}", '"included"')
    found = assumed_retention(still(), read(tmp_path, text))
    assert np.all(found.installs == 1.0)
    assert "activation included" in found.basis


# Cohort rates.


def mixture(n: int = 40) -> tuple[cohort_rates._Model, FloatArray, FloatArray]:
    rng = stream(4, "tests", "mixture")
    installs = np.round(rng.uniform(50, 900, size=n))
    active = np.round(installs * rng.uniform(0.1, 0.4, size=n))
    model = cohort_rates._Model(
        installs=installs,
        active=active,
        seen=np.ones(n, dtype=bool),
        walk=cohort_rates._walk(n, np.arange(n)),
        week=cohort_rates.weekday_contrasts()[np.arange(n) % 7],
    )
    point = cohort_rates._start(model) + 0.1 * rng.normal(size=len(model.prior_sd) + 1)
    return model, rng.uniform(-0.2, 0.5, size=n), point


def test_density_is_the_beta_binomial_mixture() -> None:
    model, share, point = mixture()
    other = point + 0.05 * stream(5, "tests").normal(size=len(point))

    def expected(at: FloatArray) -> float:
        steps = 0.1 * model.walk @ at[1:3]
        organic = at[0] + steps + model.week @ at[3:9]
        rate = (1 - share) * expit(organic) + share * expit(organic + at[9])
        kappa = np.exp(at[10])
        likelihood = betabinom.logpmf(
            model.active.astype(int), model.installs.astype(int), rate * kappa, (1 - rate) * kappa
        )
        sds = [cohort_rates.LEVEL_SD, 1, 1, *[cohort_rates.WEEK_SD] * 6, cohort_rates.DELTA_SD]
        prior = norm.logpdf(at[:10], 0, sds).sum() + norm.logpdf(at[10], *cohort_rates.KAPPA)
        return float(likelihood.sum() + prior)

    found = cohort_rates._log_density(model, 0.1, share, np.stack([point, other]))
    assert found[1] - found[0] == pytest.approx(expected(other) - expected(point), abs=1e-8)


def test_slope_is_that_of_the_density() -> None:
    model, share, point = mixture()
    gradient = cohort_rates._slope(model, 0.2, share[None], point[None])[0][0]
    steps = 1e-5 * np.eye(len(point))
    numeric = [
        np.diff(cohort_rates._log_density(model, 0.2, share, np.stack([point - s, point + s])))[0]
        for s in steps
    ]
    np.testing.assert_allclose(gradient, np.array(numeric) / 2e-5, rtol=1e-5, atol=1e-4)


def test_without_posts_nothing_is_learnt_of_their_users() -> None:
    n = 60
    rng = stream(6, "tests", "none")
    installs = np.full(n, 2000.0)
    active = rng.binomial(2000, 0.2, size=n).astype(float)
    drawn = draw_rates(np.zeros((300, n)), installs, active, np.arange(n) % 7, rng)
    assert abs(drawn.delta.mean()) < 0.2
    assert drawn.delta.std() == pytest.approx(cohort_rates.DELTA_SD, rel=0.15)
    assert drawn.organic.mean() == pytest.approx(0.2, abs=0.005)


def test_whom_posts_kept_away_tells_nothing_of_their_users() -> None:
    n = 60
    rng = stream(6, "tests", "kept away")
    share = np.zeros(n)
    share[10:50:5] = -4.0
    active = rng.binomial(2000, 0.2, size=n).astype(float)
    given = np.repeat(share[None], 300, axis=0)
    drawn = draw_rates(given, np.full(n, 2000.0), active, np.arange(n) % 7, rng)
    assert drawn.delta.std() == pytest.approx(cohort_rates.DELTA_SD, rel=0.15)
    assert drawn.organic.mean() == pytest.approx(0.2, abs=0.005)


def test_large_cohorts_with_known_shares_are_solved() -> None:
    n = 90
    share = np.zeros(n)
    share[20:80:6] = 0.4
    organic, brought = 0.3, 0.15
    installs = np.full(n, 1e6)
    active = np.round(installs * ((1 - share) * organic + share * brought))
    active[[5, 50]] = np.nan
    rng = stream(7, "tests", "large")
    drawn = draw_rates(np.repeat(share[None], 100, axis=0), installs, active, np.arange(n) % 7, rng)
    assert drawn.n_cohorts == 88
    assert drawn.incremental.mean() == pytest.approx(brought, rel=0.02)
    assert drawn.organic.mean() == pytest.approx(organic, rel=0.01)


def cohort_campaign(
    seed: int, delta: float, n_draws: int
) -> tuple[Posterior, Cohorts, float, float]:
    """Return a downloads' posterior centred where the noise of its data put it, and the truth.

    Truths are the odds ratio of the posts' users and the mean of organic retention.
    """
    rng = stream(seed, "tests", "cohort campaign")
    n, days, sd = 84, [20, 31, 33, 45, 58], 0.08
    truth = rng.normal(0.7, 0.3, size=5)
    draws = truth + sd * rng.normal(size=5) + sd * rng.normal(size=(n_draws, 5))
    layout = {"window_days": 20, "horizon_days": 14}
    exact = hand_made(np.stack([truth, truth]), days, np.ones(n), **layout)  # type: ignore[arg-type]
    lift = log_lift(exact, np.arange(5))
    log_lifts = np.zeros(n)
    log_lifts[lift.first_day : lift.first_day + lift.values.shape[1]] = lift.values[0]
    downloads = np.round(1000 * np.exp(0.05 * rng.normal(size=n) + log_lifts))
    share = -np.expm1(-log_lifts)
    log_odds = (
        -1.1 + np.cumsum(0.02 * rng.normal(size=n)) + 0.1 * rng.normal(size=7)[np.arange(n) % 7]
    )
    rate = (1 - share) * expit(log_odds) + share * expit(log_odds + delta)
    installs = np.round(0.9 * downloads)
    active = betabinom.rvs(installs.astype(int), rate * 300, (1 - rate) * 300, random_state=rng)
    posterior = hand_made(draws, days, downloads, **layout, attrs={"seed": seed})  # type: ignore[arg-type]
    table = pd.DataFrame(
        {"install_date": posterior.dates, "installs": installs, "active_d7": active.astype(float)}
    )
    return (
        posterior,
        Cohorts(table),
        float(expit(log_odds + delta).mean()),
        float(expit(log_odds).mean()),
    )


def log_ratio(seed: int, n_draws: int) -> tuple[FloatArray, float]:
    """Return draws of the log ratio of posts' to organic retention, and the truth."""
    delta = -0.8 if seed % 2 else 0.4
    posterior, cohorts, brought, organic = cohort_campaign(seed, delta, n_draws)
    found = cohort_retention(posterior, cohorts, n_draws=n_draws)
    return np.log(found.share(7).mean(axis=1) / found.organic[7]), float(np.log(brought / organic))


def test_posts_users_are_told_from_the_others() -> None:
    """Closer to the truth than "they are all alike" (20 campaigns; 0.46 of it over 300)."""
    made = [log_ratio(seed, 20) for seed in range(20)]
    error = np.array([draws.mean() - truth for draws, truth in made])
    truths = np.array([truth for _, truth in made])
    assert np.sqrt((error**2).mean()) < 0.75 * np.sqrt((truths**2).mean())


@pytest.mark.slow
def test_cohort_rates_cover_the_truth() -> None:
    """Of 120 campaigns; bounds at four binomial standard errors."""
    n, inside = 120, {0.5: 0, 0.95: 0}
    for seed in range(n):
        draws, truth = log_ratio(1000 + seed, 200)
        for prob in inside:
            lower, upper = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
            inside[prob] += int(lower <= truth <= upper)
    for prob, found in inside.items():
        assert abs(found / n - prob) <= 4 * np.sqrt(prob * (1 - prob) / n)


def test_cohort_retention_says_what_it_rests_on() -> None:
    posterior, cohorts, _, _ = cohort_campaign(1, -0.8, 40)
    found = cohort_retention(posterior, cohorts, n_draws=20)
    assert found.basis == "cohort rates"
    assert len(found.chosen) == 20
    assert (found.chosen < 20).sum() == 10
    np.testing.assert_allclose(found.installs, 0.9, atol=0.001)
    assert "installs of the cohorts are 90% of the downloads" in found.note(7)
    again = cohort_retention(posterior, cohorts, n_draws=20)
    np.testing.assert_array_equal(found.share(7), again.share(7))
    table = found.table((7, 30))
    assert table["extrapolated"].tolist() == [False, True]
    assert table["mean"].iloc[0] > table["mean"].iloc[1]
    assert "from the retention curve, observed on day 7" in table["note"].iloc[1]


def test_days_without_a_cohort_take_the_overall_ratio() -> None:
    posterior, cohorts, _, _ = cohort_campaign(1, -0.8, 4)
    part = Cohorts(cohorts.table.iloc[:60].reset_index(drop=True))
    found = cohort_retention(posterior, part, n_draws=4)
    assert np.isfinite(found.share(7)).all()
    np.testing.assert_allclose(found.installs[0, 60:], 0.9, atol=0.001)
    assert "24 day(s) without a cohort" in found.note(7)


def test_too_few_cohorts() -> None:
    posterior, cohorts, _, _ = cohort_campaign(1, -0.8, 4)
    few = Cohorts(cohorts.table.iloc[:13].reset_index(drop=True))
    with pytest.raises(InputError, match="14 cohorts"):
        cohort_retention(posterior, few)
