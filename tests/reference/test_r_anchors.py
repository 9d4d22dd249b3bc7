"""lift.CausalImpact against R's CausalImpact 1.3.0 (bsts 0.9.10) on three fixed data sets.

a: the vignette's data; b: five controls and a weekly season; c: fifty controls, four of them at
work. The long R references have Monte Carlo errors of their own, larger than stated, as their
chains repeat each other's random numbers; where R has no long run (b), the spread of its 1,000-draw
runs under 20 seeds gives the error of its 10,000-draw run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats

from lift.impact.causal_impact import CausalImpact, ImpactResult
from lift.impact.prior import prior_from_data

pytestmark = pytest.mark.anchors

LAST_PRE = {"a": 69, "b": 669, "c": 669}
N_DRAWS = 8000


@dataclass(frozen=True)
class Estimate:
    value: float
    error: float

    def away(self, other: Estimate) -> float:
        """Return the distance in combined Monte Carlo errors."""
        return abs(self.value - other.value) / float(np.hypot(self.error, other.error))


@cache
def fitted(folder: Path, name: str) -> ImpactResult:
    data = read(folder, name)
    args = {"niter": N_DRAWS, "nseasons": 7 if name == "b" else 1}
    return CausalImpact(
        data,
        [0, LAST_PRE[name]],
        [LAST_PRE[name] + 1, len(data) - 1],
        model_args={**args, "post_period_covariates_in_prior": True},
    )


def read(folder: Path, name: str) -> pd.DataFrame:
    data = pd.read_csv(folder / f"{name}_input.csv")
    return data.drop(columns=["t", "date"], errors="ignore")


def ours(result: ImpactResult, name: str, prob: float | None = None) -> Estimate:
    draws = result.posterior[name].to_numpy()
    if prob is None:
        error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")
        return Estimate(float(draws.mean()), float(error))
    error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
    return Estimate(float(np.quantile(draws, prob)), float(error))


def theirs(folder: Path, name: str, parameter: str) -> Estimate:
    """Return R's posterior mean and what it is worth."""
    if (folder / f"{name}_ref_params.csv").exists():
        row = pd.read_csv(folder / f"{name}_ref_params.csv").set_index("param").loc[parameter]
        repeated = correlations(folder, name, parameter).sum() / row["chains"]
        return Estimate(row["mean"], row["mcse_mean"] * np.sqrt(repeated))
    row = pd.read_csv(folder / f"{name}_niter10000_params.csv").set_index("param").loc[parameter]
    error = row["sd"] / np.sqrt(row["ess_geyer"])
    seeds = pd.read_csv(folder / f"{name}_seedvar_niter1000.csv")
    spread = seeds.get(parameter.replace(".", "_"))
    if spread is not None:
        error = max(error, spread.std() / np.sqrt(10))
    return Estimate(row["mean"], error)


def correlations(folder: Path, name: str, parameter: str) -> np.ndarray:
    """Return the correlations of R's long chains at the same iteration, shape (chain, chain).

    They repeat each other's random numbers, which R's stated errors do not know:
    experiments/chains_of_bsts.
    """
    draws = pd.read_csv(folder / f"{name}_ref_draws_thin10.csv.gz")
    table = draws.pivot(index="iter", columns="chain", values=parameter)
    return np.asarray(np.corrcoef(table.to_numpy().T))


def their_end(folder: Path, name: str, end: str) -> Estimate:
    """Return an end of R's 95 % interval of the cumulative effect."""
    column = f"AbsEffect.{end}"
    long = folder / f"{name}_ref_chain_summaries.csv"
    if long.exists():
        chains = pd.read_csv(long)[column]
        return Estimate(chains.mean(), chains.std() / np.sqrt(len(chains)))
    table = pd.read_csv(folder / f"{name}_niter10000_summary.csv").set_index("scope")
    seeds = pd.read_csv(folder / f"{name}_seedvar_niter1000.csv")[column]
    return Estimate(table.loc["Cumulative", column], seeds.std() / np.sqrt(10))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_cumulative_effect_has_rs_mean_and_interval(anchors_dir: Path, name: str) -> None:
    result = fitted(anchors_dir, name)

    mean = theirs(anchors_dir, name, "cum.effect.pred")
    assert ours(result, "cumulative_effect").away(mean) < 3
    assert ours(result, "cumulative_effect", 0.025).away(their_end(anchors_dir, name, "lower")) < 3
    assert ours(result, "cumulative_effect", 0.975).away(their_end(anchors_dir, name, "upper")) < 3


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_noise_and_level_have_rs_means(anchors_dir: Path, name: str) -> None:
    result = fitted(anchors_dir, name)

    assert ours(result, "sigma_obs").away(theirs(anchors_dir, name, "sigma.obs")) < 3
    level = ours(result, "sigma_level")
    assert level.away(theirs(anchors_dir, name, "sigma.level")) < 3
    sd = float(result.posterior["sigma_level"].std())
    assert abs(level.value - theirs(anchors_dir, name, "sigma.level").value) < 0.15 * sd


def test_long_chains_of_r_repeat_each_other(anchors_dir: Path) -> None:
    level = correlations(anchors_dir, "a", "sigma.level")
    assert level[0, 1] > 0.99
    assert level[np.ix_([0, 1, 2, 7], [0, 1, 2, 7])].min() > 0.5
    assert correlations(anchors_dir, "a", "sigma.obs")[1, [4, 5]].min() > 0.99


def test_noise_and_level_of_a_are_those_of_quadrature(anchors_dir: Path) -> None:
    """Over both sds of R's stated model, the rest integrated out by dense normal densities."""
    result = fitted(anchors_dir, "a")
    expected = quadrature(read(anchors_dir, "a"), LAST_PRE["a"] + 1)
    for name, mean in zip(("sigma_obs", "sigma_level"), expected, strict=True):
        assert ours(result, name).away(Estimate(mean, 0.0)) < 3


def quadrature(data: pd.DataFrame, n_pre: int) -> tuple[float, float]:
    """Return the posterior means of noise and level sd, on a grid of their logs.

    There is an intercept beside the level, as R has it: its slab goes with the noise.
    """
    both = data.to_numpy()
    both = (both - both[:n_pre].mean(axis=0)) / both[:n_pre].std(axis=0, ddof=1)
    y, x = both[:n_pre, 0], np.column_stack([np.ones(len(both)), both[:, 1]])
    cross = x.T @ x / len(x)
    slab = 0.01 * (cross + np.diag(np.diag(cross))) / 2
    x = x[:n_pre]
    regression = x @ np.linalg.solve(slab, x.T) + np.eye(n_pre)
    days = np.arange(n_pre)
    walk = np.minimum.outer(days, days)
    noise, level = np.exp(np.linspace(-1.3, -0.6, 36)), np.exp(np.linspace(-5.1, -4.0, 36))
    logs = np.empty((len(noise), len(level)))
    for i, k in np.ndindex(logs.shape):
        cov = noise[i] ** 2 * regression + level[k] ** 2 * walk + 1.0
        root = np.linalg.cholesky(cov)
        rest = np.linalg.solve(root, y - y[0])
        # both precisions are gamma, and the grid is one of the logs of the sds
        logs[i, k] = -0.5 * rest @ rest - np.log(np.diag(root)).sum()
        for df, guess, sd in ((50.0, 0.2**0.5, noise[i]), (32.0, 0.01, level[k])):
            logs[i, k] -= df * np.log(sd) + 0.5 * df * (guess / sd) ** 2
    share = np.exp(logs - logs.max())
    share /= share.sum()
    return float(share.sum(axis=1) @ noise), float(share.sum(axis=0) @ level)


def test_inclusion_probabilities_of_c(anchors_dir: Path) -> None:
    posterior = fitted(anchors_dir, "c").posterior
    reference = pd.read_csv(anchors_dir / "c_ref_coef.csv").iloc[1:]
    by_chain = posterior["inclusion"].mean("draw").to_numpy()
    share = by_chain.mean(axis=0)
    n_effective = 0.5 * N_DRAWS
    expected = reference["inclusion_prob"].to_numpy()
    error = np.sqrt(np.maximum(expected * (1 - expected), 1e-4) * (1 / n_effective + 1 / 20_000))

    z = (share - expected) / error

    assert np.abs(z).max() < 3
    assert np.sqrt((z**2).mean()) < 1.5
    means = posterior["coefficient"].mean(("chain", "draw")).to_numpy()
    assert np.abs(means - reference["mean"].to_numpy()).max() < 0.002


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_summary_lies_within_the_spread_of_rs_default_runs(anchors_dir: Path, name: str) -> None:
    total = fitted(anchors_dir, name).summary_data.loc["Cumulative"]
    seeds = pd.read_csv(anchors_dir / f"{name}_seedvar_niter1000.csv")
    for column in (
        "Pred",
        "Pred.sd",
        "AbsEffect",
        "AbsEffect.lower",
        "AbsEffect.upper",
        "RelEffect",
    ):
        spread = seeds[column]
        assert abs(total[column] - spread.mean()) < 4 * spread.std() + 1e-9, column
    assert total["Actual"] == pytest.approx(seeds["Actual"].iloc[0], rel=1e-12)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_pointwise_series_follow_rs(anchors_dir: Path, name: str) -> None:
    series = fitted(anchors_dir, name).inferences
    reference = pd.read_csv(anchors_dir / f"{name}_niter10000_series.csv")
    width = reference["point.pred.upper"] - reference["point.pred.lower"]
    for column in ("point.pred", "point.pred.lower", "point.pred.upper"):
        away = (series[column].to_numpy() - reference[column].to_numpy()) / width.to_numpy()
        limit = 0.02 if column == "point.pred" else 0.06
        assert np.abs(away).max() < limit, column
    assert (series["cum.effect"].iloc[: LAST_PRE[name] + 1] == 0.0).all()


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_priors_are_those_that_r_passes_to_bsts(anchors_dir: Path, name: str) -> None:
    both = read(anchors_dir, name).to_numpy()
    n_pre = LAST_PRE[name] + 1
    both = (both - both[:n_pre].mean(axis=0)) / both[:n_pre].std(axis=0, ddof=1)
    columns = np.column_stack([np.ones(len(both)), both[:, 1:]])
    passed = json.loads((anchors_dir / f"{name}_priors.json").read_text())
    regression = passed["regression.prior"]

    prior = prior_from_data(both[:n_pre, 0], columns, level_sd=0.01, season=name == "b")

    level = passed["state"][0]
    assert prior.start_mean == pytest.approx(level["initial.state.prior"]["mu"], abs=1e-12)
    assert prior.start_sd == pytest.approx(level["initial.state.prior"]["sigma"], abs=1e-12)
    sds = [
        (regression["sigma.guess"], regression["prior.df"], regression["sigma.upper.limit"]),
        *(
            tuple(state["sigma.prior"][k] for k in ("prior.guess", "prior.df", "upper.limit"))
            for state in passed["state"]
        ),
    ]
    expected = np.array(sds)
    assert np.allclose(np.column_stack([prior.guesses, prior.degrees, prior.limits]), expected)
    assert np.allclose(prior.precision, np.array(regression["siginv"]), atol=1e-15)
    assert np.allclose(prior.inclusion, regression["prior.inclusion.probabilities"])
