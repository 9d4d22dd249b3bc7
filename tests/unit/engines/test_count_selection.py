"""Selection and shrinkage of controls where the outcome is a count."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize
from scipy.special import logsumexp
from small_campaigns import campaign, points, post_table

from lift.data.campaign import Campaign
from lift.engines.automatic import REASON, fit_automatic
from lift.engines.base import SampleSettings
from lift.engines.chains import advance, as_jumps, new_chain, pack_gibbs
from lift.engines.mixture import Mixture
from lift.model.control_scales import control_columns
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.predictor import design_matrix
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]
SLAB_SD = 0.4
N_POINTS = 20_000
N_CONTROLS = 3


def few_days() -> Design:
    """Return three weeks of few downloads, one post and three controls."""
    data = campaign(21, (15.4,), level=4.0, n_controls=N_CONTROLS, missing=(5,), seed=4)
    spec = {
        "likelihood": "negative_binomial",
        "baseline": {
            "week": False,
            "control_prior": "spike_slab",
            "slab_sd": SLAB_SD,
            "level_start_sd": 0.7,
        },
    }
    return build_design(data, ModelSpec.model_validate(spec))


def evidence(
    design: Design, z: FloatArray, inside: tuple[int, ...], rng: np.random.Generator
) -> tuple[float, float, FloatArray]:
    """Return log evidence, its Monte Carlo error and mean coefficients of a model.

    Importance sampling about the mode in all unknowns, dense, with t proposals; the coefficients of
    controls have the t with 4 degrees of freedom that slab variances integrate to.
    """
    values = natural(z[None], design.hypers, design.mix)[0]
    noise, level = (values[design.position(name)] for name in ("noise_sd", "level_sd"))
    columns, prior_sd = design_matrix(design, values)
    first, count = control_columns(design)
    mine = first + np.flatnonzero(inside)
    rest = np.setdiff1d(np.arange(len(prior_sd)), np.arange(first, first + count))
    n, seen = len(design.dates), design.observed
    sds = np.full(n, level)
    sds[0] = design.level_start_sd
    walk = np.tril(np.ones((n, n))) * sds
    loads = np.hstack([walk, columns[:, rest] * prior_sd[rest], columns[:, mine]])[seen]
    y, size, n_slab = design.downloads[seen], noise**-2, len(mine)

    def log_density(u: FloatArray) -> FloatArray:
        eta = design.center + u @ loads.T
        # but for what is the same in all models
        mass = (y * eta - (y + size) * np.log1p(np.exp(eta) / size)).sum(axis=-1)
        split = u.shape[-1] - n_slab
        prior = stats.norm.logpdf(u[..., :split]).sum(axis=-1)
        slab = stats.t.logpdf(u[..., split:], 4, scale=SLAB_SD).sum(axis=-1)
        return np.asarray(mass + prior + slab)

    dim = loads.shape[1]
    mode = minimize(lambda u: -log_density(u), np.zeros(dim), method="BFGS").x
    eta = design.center + loads @ mode
    share = np.exp(eta) / size
    information = (y + size) * share / (1 + share) ** 2
    precision = loads.T * information @ loads + np.eye(dim)
    precision[dim - n_slab :, dim - n_slab :] += np.eye(n_slab) * (1.25 / SLAB_SD**2 - 1.0)
    law = stats.multivariate_t(mode, 1.3 * np.linalg.inv(precision), df=8, seed=rng)
    u = law.rvs(N_POINTS)
    logs = log_density(u) - law.logpdf(u)
    weights = np.exp(logs - logs.max())
    coefficients = np.zeros(count)
    coefficients[np.flatnonzero(inside)] = (weights @ u / weights.sum())[dim - n_slab :]
    error = weights.std() / weights.mean() / np.sqrt(N_POINTS)
    return float(logsumexp(logs) - np.log(N_POINTS)), float(error), coefficients


@pytest.mark.parametrize(
    ("point", "shift", "n_sweeps"),
    [(1, 1.2, 2500), pytest.param(0, 0.0, 20_000, marks=pytest.mark.slow)],
    ids=str,
)
def test_models_have_the_probabilities_of_their_evidence(
    point: int, shift: float, n_sweeps: int
) -> None:
    """All models at given hyperparameters, by a computation that shares nothing with the chain.

    With a reference far from the log means what is chosen by it must be corrected.
    """
    design = few_days()
    model = pack_gibbs(design)
    k = len(model.prior.kinds)
    z = points(k, 2, seed=6, spread=0.7)[point]
    rng = stream(3, "tests", "count selection", str(point))
    chain = new_chain(model, z, np.eye(k), rng)
    # steps of no size, and jumps that are never taken: the hyperparameters stay
    chain.tuning.factor[:] = 0.0
    assert chain.counts is not None
    chain.counts.reference[:] += shift * np.sin(np.arange(len(design.dates)))
    far = as_jumps(Mixture(np.ones(1), np.full((1, k), 60.0), np.eye(k)[None]))
    zs, _, gammas, insides, _ = advance(model, chain, far, n_sweeps)
    np.testing.assert_array_equal(zs, np.broadcast_to(z, zs.shape))
    models = list(product((0, 1), repeat=N_CONTROLS))
    found = [evidence(design, z, inside, rng) for inside in models]
    assert max(error for _, error, _ in found) < 0.02
    prior = 0.5 ** np.full(len(models), float(N_CONTROLS))
    assert design.selection.expected >= N_CONTROLS / 2
    odds = prior * np.exp([value for value, *_ in found] - np.max([value for value, *_ in found]))
    wanted = odds / odds.sum()
    assert wanted.min() > 0.002
    for inside, probability in zip(models, wanted, strict=True):
        there = (insides == np.array(inside)).all(axis=1).astype(float)
        slack = np.hypot(monte_carlo_error(there), probability * max(e for _, e, _ in found))
        assert abs(there.mean() - probability) < 4.4 * slack, inside
    means = wanted @ np.array([mean for *_, mean in found])
    first, count = control_columns(design)
    for control in range(count):
        draws = gammas[:, first + control]
        np.testing.assert_array_equal(draws == 0.0, insides[:, control] == 0.0)
        slack = np.hypot(monte_carlo_error(draws), 0.02 * draws.std())
        assert abs(draws.mean() - means[control]) < 4.4 * slack


def monte_carlo_error(values: FloatArray) -> float:
    return float(array_stats.mcse(values[None], chain_axis=0, draw_axis=1, method="mean"))


@pytest.mark.slow
@pytest.mark.parametrize("prior", ["spike_slab", "horseshoe"])
def test_controls_that_matter_are_found_where_many_days_have_none(prior: str) -> None:
    rng = stream(2, "tests", "few downloads")
    n, n_controls, matter = 150, 12, [4, 7]
    values = rng.normal(size=(n, n_controls))
    dates = pd.date_range("2025-01-01", periods=n)
    controls = pd.DataFrame(values, columns=[f"series_{k:02d}" for k in range(n_controls)])
    controls.insert(0, "date", dates)
    log_mean = 0.3 + 0.6 * values[:, 4] - 0.5 * values[:, 7]
    downloads = rng.poisson(np.exp(log_mean) * rng.gamma(10.0, 0.1, n)).astype(float)
    assert (downloads == 0).sum() > 30
    data = Campaign(
        downloads=pd.DataFrame({"date": dates, "downloads": downloads}),
        posts=post_table((100.4,)),
        controls=controls,
    )
    sds = values.std(axis=0)
    spec = ModelSpec.model_validate(
        {"baseline": {"control_prior": prior, "control_transform": "none", "week": False}}
    )
    fitted = fit_automatic(data, spec, SampleSettings(600, 2, 1, 2))
    assert fitted.attrs["engine"] == "gibbs"
    assert prior in str(fitted.sample_stats[REASON])
    effect = fitted.draws["control_effect"].mean(("chain", "draw")).to_numpy()
    assert effect[4] == pytest.approx(0.6 * sds[4], abs=0.25)
    assert effect[7] == pytest.approx(-0.5 * sds[7], abs=0.25)
    assert np.abs(np.delete(effect, matter)).max() < 0.1
    if prior == "spike_slab":
        inclusion = fitted.draws["inclusion"].mean(("chain", "draw")).to_numpy()
        assert inclusion[matter].min() > 0.99
        assert np.delete(inclusion, matter).max() < 0.5
