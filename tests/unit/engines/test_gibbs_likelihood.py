"""The compiled likelihood given scale variables against the plain reference."""

from __future__ import annotations

import numpy as np
import pytest
from small_campaigns import campaign, points, rich_campaign

from lift.data.campaign import Campaign
from lift.engines import reference
from lift.engines._scaled import buffers, collapsed, hyperparameters
from lift.engines._selection import change_variance, control_buffers, isolate, rebuild, rise
from lift.engines._sweeps import State, draw_linear, keep
from lift.engines.chains import GibbsModel, advance, as_jumps, new_chain, new_state, pack_gibbs
from lift.engines.mixture import Mixture
from lift.model.control_scales import draw_control_variances
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.scales import Scales, unit_scales
from lift.model.spec import ModelSpec

TAILS = {
    "baseline": {"noise": "student_t", "level_shifts": True},
    "response": {"heavy_tails": True},
}
DESIGNS: dict[str, tuple[Campaign, dict[str, object]]] = {
    "everything": (rich_campaign(), TAILS),
    "one post": (campaign(times=(30.4,)), TAILS),
    "short window and holes": (
        rich_campaign(missing=(0, 1, 30, 31, 99)),
        TAILS | {"response": {"heavy_tails": True, "window_days": 3}},
    ),
    "gamma kernel": (
        rich_campaign(),
        TAILS | {"response": {"kernel": "gamma", "heavy_tails": True}},
    ),
    "spike and slab": (
        rich_campaign(n_controls=8),
        {"baseline": {"noise": "student_t", "control_prior": "spike_slab"}},
    ),
    "linear scale": (rich_campaign(), TAILS | {"scale": "linear"}),
    "damped trend, evolving week, walking coefficient": (
        rich_campaign(),
        {
            "baseline": TAILS["baseline"]
            | {"trend": "damped", "week_evolves": True, "evolving_controls": ["series_1"]},
            "response": {"heavy_tails": True},
        },
    ),
    "linear trend, autoregressive noise, free kernel, horseshoe": (
        rich_campaign(n_controls=6),
        {
            "baseline": {
                "trend": "linear",
                "noise": "ar1",
                "level_shifts": True,
                "control_prior": "horseshoe",
            },
            "response": {"heavy_tails": True, "kernel": "free", "free_days": 9},
        },
    ),
    "displacement": (
        rich_campaign(120),
        TAILS | {"response": {"displacement": True, "heavy_tails": True}},
    ),
}


@pytest.fixture(params=list(DESIGNS.values()), ids=list(DESIGNS))
def model(request: pytest.FixtureRequest) -> GibbsModel:
    data, spec = request.param
    return pack_gibbs(build_design(data, ModelSpec.model_validate(spec)))


def some_scales(design: Design, seed: int) -> Scales:
    rng = np.random.default_rng(seed)
    n, n_posts = len(design.dates), len(design.posts.ids)
    return Scales(
        *(0.5 / rng.standard_gamma(1.5, size) for size in (n, n, n_posts)),
        control=draw_control_variances(design, 0.1, rng),
    )


def put_scales(model: GibbsModel, state: State, scales: Scales) -> None:
    """Let a chain be where the scales are."""
    state.scaled.noise[:] = scales.noise
    state.scaled.level[:] = scales.level
    p = model.design.fixed.shape[1]
    state.scaled.coefficient[p : p + len(scales.amplitude)] = scales.amplitude
    first = model.flags.controls.first
    state.scaled.coefficient[first : first + len(scales.control)] = scales.control


def with_df(design: Design, z: np.ndarray) -> np.ndarray:
    """Return a point with degrees of freedom, which come last and do not enter given the scales."""
    return np.append(z, np.full(int(design.position("noise_df") >= 0), 0.3))


def test_the_likelihood_is_that_of_the_reference(model: GibbsModel) -> None:
    design, k = model.design, len(model.prior.kinds)
    for seed, z in enumerate(np.vstack([points(k, 6), points(k, 3, spread=2.5)])):
        scales = some_scales(design, seed)
        state = new_state(model, z)
        put_scales(model, state, scales)
        got = collapsed(z, state.scaled, model.problem, model.prior, buffers(model.problem, k))
        wanted = reference.log_likelihood(design, with_df(design, z), scales)
        np.testing.assert_allclose(got, wanted, rtol=1e-8)


def test_hyperparameters_are_those_of_the_model(model: GibbsModel) -> None:
    design, k = model.design, len(model.prior.kinds)
    out = np.empty(k)
    for z in np.vstack([points(k, 20, spread=3.0), np.full((1, k), 30.5), np.full((1, k), -9.0)]):
        hyperparameters(z, model.prior, out)
        wanted = natural(with_df(design, z)[None], design.hypers, design.mix)[0, :k]
        np.testing.assert_allclose(out, wanted, rtol=1e-6 if z[0] == 30.5 else 1e-10)


def test_coefficients_have_the_conditional_moments() -> None:
    """With steps of no size the hyperparameters stay, and the scales of a normal model are kept."""
    data = rich_campaign()
    model = pack_gibbs(build_design(data, ModelSpec()))
    design, k = model.design, len(model.prior.kinds)
    z = points(k, 1, seed=3, spread=0.5)[0]
    chain = new_chain(model, z, np.eye(k), np.random.default_rng(4))
    chain.tuning.factor[:] = 0.0
    far = Mixture(np.ones(1), np.full((1, k), 60.0), np.eye(k)[None])
    scales = some_scales(design, 5)
    put_scales(model, chain.state, scales)
    n = 4000
    zs, _, gammas, *_ = advance(model, chain, as_jumps(far), n)
    np.testing.assert_array_equal(zs, np.broadcast_to(z, zs.shape))
    mean, covariance = reference.coefficient_moments(design, z, scales)
    sd = np.sqrt(np.diag(covariance))
    # 5 standard errors of a mean and of a variance of n independent draws
    assert np.abs((gammas.mean(axis=0) - mean) / sd).max() < 5 / np.sqrt(n)
    assert np.abs(gammas.var(axis=0) / sd**2 - 1).max() < 5 * np.sqrt(2 / n)


STATES = ["damped trend, evolving week, walking coefficient"]
STATES += ["linear trend, autoregressive noise, free kernel, horseshoe"]


@pytest.mark.parametrize("name", STATES)
def test_states_and_steps_of_the_level_have_the_conditional_moments(name: str) -> None:
    data, spec = DESIGNS[name]
    model = pack_gibbs(build_design(data, ModelSpec.model_validate(spec)))
    design, k = model.design, len(model.prior.kinds)
    z = points(k, 1, seed=3, spread=0.3)[0]
    # steps of the level that count
    at = design.position("level_sd")
    z[at] = 2.0
    chain = new_chain(model, z, np.eye(k), np.random.default_rng(4))
    scales = some_scales(design, 5)
    put_scales(model, chain.state, scales)
    work, problem, scratch = chain.work, model.problem, chain.scratch
    n = 3000
    signals, steps = np.empty((n, len(problem.y))), np.empty((n, len(problem.y) - 1))
    for i in range(n):
        collapsed(z, chain.state.scaled, problem, model.prior, work)
        keep(work, scratch)
        draw_linear(chain.rng, chain.state, problem, model.prior, work, scratch)
        signals[i], steps[i] = chain.state.level, scratch.filtered[:-1]
    seen = design.observed
    full = with_df(design, z)
    covariance, columns, prior_sd = reference.moments(design, full, scales)
    values = natural(full[None], design.hypers, design.mix)[0]
    noise_var = 0.0 if design.states.ar1 else values[design.position("noise_sd")] ** 2
    noise = scales.noise * (noise_var + design.poisson_variance)
    total = covariance + (columns * prior_sd**2) @ columns.T
    own = covariance - np.diag(noise[seen])
    days = np.arange(len(problem.y))
    step_var = scales.level[:-1] * values[at] ** 2
    with_steps = step_var[:, None] * (days[seen] > days[:-1, None])
    y = design.outcome[seen]
    for draws, cross, before in (
        (signals[:, seen], own, np.diag(own)),
        (steps, with_steps, step_var),
    ):
        mean = cross @ np.linalg.solve(total, y)
        variance = before - np.einsum("ij,ji->i", cross, np.linalg.solve(total, cross.T))
        sd = np.sqrt(variance)
        # 5 standard errors of a mean and of a variance of n independent draws
        assert np.abs((draws.mean(axis=0) - mean) / sd).max() < 5 / np.sqrt(n)
        assert np.abs(draws.var(axis=0) / variance - 1).max() < 5 * np.sqrt(2 / n)


def test_prior_variances_of_controls_change_the_likelihood_as_in_the_reference() -> None:
    data, spec = DESIGNS["spike and slab"]
    model = pack_gibbs(build_design(data, ModelSpec.model_validate(spec)))
    design, k = model.design, len(model.prior.kinds)
    z, controls = points(k, 1)[0], model.flags.controls
    work, problem = buffers(model.problem, k), model.problem
    mine = control_buffers(len(work.b), controls)

    def likelihood(variances: np.ndarray) -> float:
        plain = unit_scales(design)
        scales = Scales(plain.noise, plain.level, plain.amplitude, variances)
        return reference.log_likelihood(design, with_df(design, z), scales)

    at_zero = likelihood(np.zeros(8))
    variances = np.array([0.0, 0.3, 0.0, 0.01, 2.0, 0.0, 0.2, 0.05])
    collapsed(z, new_state(model, z).scaled, problem, model.prior, work)
    isolate(
        work.s, problem.fixed.shape[1], problem.member_index, problem.member_value, work.spread,
        controls, mine,
    )  # fmt: skip
    mine.variance[:] = variances
    total = rebuild(mine)
    np.testing.assert_allclose(total, likelihood(variances) - at_zero, rtol=1e-8)
    for control, wanted in ((1, 0.0), (0, 0.7), (4, 0.5)):
        change = wanted - variances[control]
        total += rise(mine, control, change)
        change_variance(mine, control, change)
        variances[control] = wanted
        np.testing.assert_allclose(total, likelihood(variances) - at_zero, rtol=1e-8)
    changed = mine.q.copy(), mine.g.copy()
    mine.variance[:] = variances
    rebuild(mine)
    np.testing.assert_allclose(changed[0], mine.q, rtol=1e-6, atol=1e-6 * np.abs(mine.q).max())
    np.testing.assert_allclose(changed[1], mine.g, rtol=1e-6, atol=1e-6 * np.abs(mine.g).max())
