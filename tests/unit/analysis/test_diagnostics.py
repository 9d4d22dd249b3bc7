from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats
from small_posteriors import hand_made

from lift.analysis import diagnostics
from lift.analysis.convergence import every_finding
from lift.analysis.diagnostics import findings, mcse_mean, mcse_share, measures, summary
from lift.analysis.effects import Effects
from lift.analysis.mixing import mixing, r_hat
from lift.model.posterior import Posterior

N = 2000


def made(stats: dict[str, float] | None = None, **rest: object) -> Posterior:
    """Return a posterior of independent draws."""
    rng = np.random.default_rng(7)
    given = {
        "impulse": rng.normal(0.5, 0.2, size=(N, 2)),
        "days": [20, 30],
        "downloads": np.full(60, 100.0),
        "shares": rng.uniform(0.2, 0.5, size=(N, 1)),
        "shape": rng.uniform(0.8, 1.0, size=N),
        "draws": {"noise_sd": (None, rng.uniform(0.1, 0.2, size=N))},
    }
    posterior = hand_made(**(given | rest))  # type: ignore[arg-type]
    posterior.tree["sample_stats"].attrs.update(stats or {})
    return posterior


def level(posterior: Posterior, check: str) -> str:
    (found,) = [finding for finding in findings(posterior) if finding.check == check]
    return found.level


@pytest.mark.parametrize(
    ("k", "wanted"),
    [
        (0.1, "PASS"),
        (0.49, "PASS"),
        (0.51, "REVIEW"),
        (0.69, "REVIEW"),
        (0.71, "FAIL"),
        (float("inf"), "FAIL"),
        (float("nan"), "FAIL"),
        (float("-inf"), "PASS"),
    ],
)
def test_the_tail_of_the_weights_is_judged(k: float, wanted: str) -> None:
    assert level(made({"pareto_k": k}), "Pareto k") == wanted


@pytest.mark.parametrize(
    ("ess", "wanted"),
    [
        (4000, "PASS"),
        (1000, "PASS"),
        (999, "REVIEW"),
        (400, "REVIEW"),
        (399, "FAIL"),
        (float("nan"), "FAIL"),
    ],
)
def test_the_effective_sample_size_is_judged(ess: float, wanted: str) -> None:
    assert level(made({"ess": ess}), "Effective sample size") == wanted


def test_positive_amplitudes_are_warned_of() -> None:
    found = made(attrs={"typical_amplitude": 0.3})
    assert level(found, "Positive amplitudes") == "REVIEW"
    assert "Positive amplitudes" not in {finding.check for finding in findings(made())}


def test_an_engine_without_weights_has_no_such_checks() -> None:
    checks = [finding.check for finding in findings(made())]
    assert checks == ["R-hat", "Bulk ESS", "Tail ESS"]


@pytest.mark.parametrize(("divergences", "wanted"), [(0, "PASS"), (1, "FAIL")])
def test_no_transition_of_a_chain_may_diverge(divergences: int, wanted: str) -> None:
    assert level(made({"divergences": divergences}), "Divergences") == wanted


def test_chains_are_held_to_stricter_gates() -> None:
    """What is for review in weighted draws fails in a Markov chain, in effects too."""
    impulse = np.random.default_rng(10).normal(size=(N, 2))
    impulse[: N // 2, 0] += 0.35
    assert level(made(impulse=impulse), "R-hat") == "REVIEW"
    assert level(made({"divergences": 0}, impulse=impulse), "R-hat") == "FAIL"
    slow = np.repeat(np.random.default_rng(15).normal(size=(N // 8, 2)), 8, axis=0)
    assert level(made(impulse=slow), "Bulk ESS") == "REVIEW"
    assert level(made({"divergences": 0}, impulse=slow), "Bulk ESS") == "FAIL"


def test_effects_of_a_chain_are_checked_as_parameters_are() -> None:
    impulse = np.random.default_rng(16).normal(size=(N, 2))
    impulse[: N // 2] += 2.0
    amplitude = np.random.default_rng(17).normal(size=(N, 2))
    chain = made({"divergences": 0}, impulse=impulse, amplitude=amplitude)
    assert level(chain, "R-hat") == "PASS"
    (found,) = [f for f in every_finding(Effects(chain)) if f.check == "R-hat of the effects"]
    assert found.level == "FAIL"
    assert "effect[" in found.text
    slow = np.repeat(np.random.default_rng(18).normal(size=(N // 8, 2)), 8, axis=0)
    markov: tuple[dict[str, float], ...] = ({"divergences": 0}, {"warm_up_sweeps": 450})
    for stats, wanted in (({}, "REVIEW"), *((stats, "FAIL") for stats in markov)):
        effects = Effects(made(stats, impulse=slow, amplitude=amplitude))
        (found,) = [f for f in every_finding(effects) if f.check == "Bulk ESS of the effects"]
        assert found.level == wanted


def test_what_an_engine_took_as_known_has_no_row() -> None:
    constant = {"noise_sd": (None, np.full(N, 0.1))}
    known = summary(made({"at_boundary": "noise_sd"}, draws=constant))  # type: ignore[dict-item]
    assert "noise_sd" not in known["parameter"].tolist()


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_what_is_the_same_in_every_draw_of_every_chain_has_nothing_to_mix(constant: float) -> None:
    draws = {"noise_sd": (None, np.random.default_rng(11).uniform(0.1, 0.2, size=N))}
    fixed = {"displacement": (None, np.full(N, constant))}
    posterior = made({"divergences": 0}, draws=draws | fixed)
    row = summary(posterior).set_index("parameter").loc["displacement"]
    assert (row["mean"], row["sd"], row["mcse_mean"]) == (constant, 0.0, 0.0)
    assert row[["r_hat", "ess_bulk", "ess_tail"]].isna().all()
    assert {finding.level for finding in findings(posterior)} == {"PASS"}


def test_a_constant_that_differs_between_chains_fails() -> None:
    stuck = np.repeat([0.1, 0.2], N // 2)
    posterior = made(draws={"noise_sd": (None, stuck)})
    assert {level(posterior, check) for check in ("R-hat", "Bulk ESS", "Tail ESS")} == {"FAIL"}


def test_draws_of_which_none_differs_fail() -> None:
    same = {"impulse": np.ones((N, 2)), "shares": np.full((N, 1), 0.3), "shape": np.ones(N)}
    posterior = made(draws={"noise_sd": (None, np.full(N, 0.1))}, **same)
    assert level(posterior, "R-hat") == "FAIL"


def test_effects_of_days_without_downloads_have_nothing_to_mix() -> None:
    downloads = np.full(60, 100.0)
    downloads[30:] = 0.0
    effects = Effects(made({"divergences": 0}, downloads=downloads, days=[0, 30]))
    assert not effects.draws("post").sel(post="p2").any()
    assert {finding.level for finding in every_finding(effects)} == {"PASS"}
    none = Effects(made({"divergences": 0}, downloads=np.zeros(60)))
    assert {finding.level for finding in every_finding(none)} == {"PASS"}


@pytest.mark.parametrize(("excess", "failed"), [(1e-3, True), (0.5, False)])
def test_student_t_noise_at_its_limit_is_named_as_the_cause(excess: float, failed: bool) -> None:
    df = 2 + excess * np.random.default_rng(12).uniform(0.5, 1.5, size=N)
    found = [f for f in findings(made(draws={"noise_df": (None, df)})) if f.level == "FAIL"]
    assert [f.check for f in found] == ["Student t noise"] * failed
    assert all("vary less" in f.text and 'noise = "normal"' in f.text for f in found)


def test_a_mean_that_a_few_draws_make_is_named() -> None:
    impulse = np.random.default_rng(13).normal(size=(N, 2))
    impulse[0, 1] = -300.0
    effects = Effects(made(impulse=impulse))
    (found,) = [f for f in every_finding(effects) if f.check == "Means of the effects"]
    assert (found.level, found.text.split(":")[0]) == ("REVIEW", "effect of p2, campaign")
    notes = effects.table().set_index("unit")["note"]
    assert "read the median" in notes["p2"]
    assert not notes["p1"]


def test_responses_that_are_hardly_observed_are_named_where_nothing_is_pooled() -> None:
    late = {"days": [20, 59], "fractions": [0.5, 0.99999]}
    checks = [f.check for f in every_finding(Effects(made(**late)))]
    assert "Responses observed" not in checks
    effects = Effects(made(**late, attrs={"pooling": "none"}))
    (found,) = [f for f in every_finding(effects) if f.check == "Responses observed"]
    assert found.level == "REVIEW"
    assert "p2 (0.0" in found.text
    assert "p1" not in found.text


def test_independent_draws_pass() -> None:
    assert {finding.level for finding in findings(made())} == {"PASS"}


def test_chains_that_disagree_fail_and_the_parameter_is_named() -> None:
    impulse = np.random.default_rng(8).normal(size=(N, 2))
    impulse[: N // 2, 1] += 5.0
    (found,) = [f for f in findings(made(impulse=impulse)) if f.check == "R-hat"]
    assert found.level == "FAIL"
    assert "amplitude[p2]" in found.text


def test_draws_that_hang_together_fail() -> None:
    rng = np.random.default_rng(9)
    walk = rng.normal(size=(N, 2)).cumsum(axis=0)
    assert level(made(impulse=walk), "Bulk ESS") == "FAIL"


def test_slightly_different_chains_are_for_review() -> None:
    impulse = np.random.default_rng(10).normal(size=(N, 2))
    impulse[: N // 2, 0] += 0.35
    value = summary(made(impulse=impulse)).set_index("parameter").loc["amplitude[p1]", "r_hat"]
    assert diagnostics.GOOD_R_HAT < value < diagnostics.BAD_R_HAT
    assert level(made(impulse=impulse), "R-hat") == "REVIEW"


def test_chains_of_the_same_mean_and_other_spread_fail() -> None:
    """Plain R-hat compares means only; folded ranks see the spread."""
    impulse = np.random.default_rng(14).normal(size=(N, 2))
    impulse[: N // 2, 0] *= 4.0
    assert level(made(impulse=impulse), "R-hat") == "FAIL"


def test_a_draw_that_is_not_a_number_fails() -> None:
    impulse = np.random.default_rng(11).normal(size=(N, 2))
    impulse[5, 1] = np.nan
    assert level(made(impulse=impulse), "R-hat") == "FAIL"


def test_the_summary_has_a_row_per_number() -> None:
    table = summary(made())
    assert list(table.columns) == [
        "parameter",
        "mean",
        "sd",
        "ess_bulk",
        "ess_tail",
        "r_hat",
        "mcse_mean",
    ]
    assert table["parameter"].tolist() == [
        "noise_sd",
        "first_day_share[all]",
        "kernel_shape",
        "amplitude[p1]",
        "amplitude[p2]",
    ]
    rows = table.set_index("parameter")
    draws = made().draws["amplitude"].to_numpy()[..., 1]
    assert rows.loc["amplitude[p2]", "mean"] == pytest.approx(draws.mean())
    assert rows.loc["amplitude[p2]", "sd"] == pytest.approx(draws.std(ddof=1))
    assert rows.loc["amplitude[p2]", "r_hat"] == pytest.approx(1.0, abs=0.01)


def test_independent_draws_count_fully() -> None:
    draws = np.random.default_rng(12).normal(size=(4, 1000))
    found = measures(draws)
    assert found["ess_bulk"] == pytest.approx(4000, rel=0.15)
    assert found["mcse_mean"] == pytest.approx(1 / np.sqrt(4000), rel=0.15)


def draws_of(kind: str, n_chains: int, n_draws: int) -> np.ndarray:
    rng = np.random.default_rng([n_chains, n_draws])
    draws = rng.normal(size=(n_chains, n_draws))
    if kind == "ties":
        return draws.round(1)
    if kind == "two values":
        return (draws > np.median(draws)).astype(np.float64)
    if kind == "a constant chain":
        draws[1:2] = 0.3
    if kind == "one other draw":
        draws[:] = 2.0
        draws[0, n_draws // 3] = -1.0
    if kind == "far from zero":
        return 1e9 + 1e-3 * draws
    if kind == "in steps of four":
        return np.repeat(draws, 4, axis=1)[:, :n_draws]
    if kind == "not a number":
        draws[-1, n_draws // 2] = np.nan
    return draws


KINDS = (
    "independent",
    "ties",
    "two values",
    "a constant chain",
    "one other draw",
    "far from zero",
    "in steps of four",
    "not a number",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(4, 1000), (4, 1001), (3, 7), (2, 5), (2, 4), (4, 3), (1, 400)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of ArviZ's, of chains that never move
def test_ess_and_r_hat_are_those_of_arviz(kind: str, size: tuple[int, int]) -> None:
    draws = draws_of(kind, *size)
    wanted = {
        "ess_bulk": array_stats.ess(draws, method="bulk"),
        "ess_tail": array_stats.ess(draws, method="tail", prob=(0.05, 0.95)),
        "r_hat": array_stats.rhat(draws, method="rank"),
    }
    strided = np.stack([draws, np.zeros_like(draws)], axis=2)[..., 0]
    for given in (draws, strided):
        found = mixing(given)
        np.testing.assert_equal({name: found[name] for name in wanted}, wanted)
        np.testing.assert_equal(found["sd"], draws.std(ddof=1))
        np.testing.assert_equal(r_hat(given), wanted["r_hat"])


@pytest.mark.parametrize("n_draws", [1, 2, 3, 40])
def test_nothing_is_warned_of_where_chains_never_move_or_are_short(n_draws: int) -> None:
    found = mixing(np.repeat([[0.0], [1.0]], n_draws, axis=1))
    assert found["sd"] > 0.0
    assert np.isnan(found["r_hat"]) == (n_draws < 4)
    assert not found["r_hat"] < diagnostics.BAD_R_HAT


def test_the_error_of_autocorrelated_draws_is_that_of_their_mean() -> None:
    """An AR(1) with coefficient 0.8: the error is 3 times that of independent draws."""
    rng = np.random.default_rng(13)
    draws = np.empty((4, 4000))
    draws[:, 0] = rng.normal(size=4)
    steps = 0.6 * rng.normal(size=draws.shape)
    for t in range(1, 4000):
        draws[:, t] = 0.8 * draws[:, t - 1] + steps[:, t]
    assert mcse_mean(draws) == pytest.approx(3 / np.sqrt(16_000), rel=0.2)


def test_equal_draws_have_no_error() -> None:
    assert mcse_mean(np.full((2, 50), 3.0)) == 0.0


def test_inclusion_probabilities_are_told_the_most_probable_first() -> None:
    inside = np.zeros((N, 12))
    inside[:, 3] = 1.0
    inside[: N // 4, 7] = 1.0
    names = tuple(f"c{i}" for i in range(12))
    noise = np.random.default_rng(7).uniform(0.1, 0.2, size=N)
    given = {"noise_sd": (None, noise), "inclusion": ("control", inside)}
    posterior = made(draws=given, coords={"control": names})
    (found,) = [finding for finding in findings(posterior) if finding.check == "Controls"]
    assert found.level == "PASS"
    assert ": c3 1.00, c7 0.25, c0 0.00" in found.text
    assert found.text.endswith(", 2 others at most 0.00")


def test_the_monte_carlo_error_of_a_share() -> None:
    """That of independent draws; where all agree, that of one more which would not."""
    true = np.random.default_rng(6).uniform(size=(4, 1000)) < 0.2
    assert mcse_share(true) == pytest.approx(np.sqrt(0.2 * 0.8 / 4000), rel=0.15)
    assert mcse_share(np.zeros((2, 50), dtype=bool)) == 1 / 101
    assert mcse_share(np.ones((2, 50), dtype=bool)) == 1 / 101
