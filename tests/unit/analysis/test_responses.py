"""What is read back from a posterior is what the linear predictor says, whatever the kernel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from small_campaigns import points, rich_campaign
from small_posteriors import hand_made

from lift.analysis.attribution import attribution
from lift.analysis.counterfactual import log_lift
from lift.analysis.effects import Effects
from lift.analysis.next_post import POST_FRACTION, predict_next
from lift.analysis.overlap import overlap
from lift.analysis.responses import read_responses
from lift.model.design import Design, build_design
from lift.model.free_kernel import age_shares, mean_shares
from lift.model.hyper import natural
from lift.model.posterior import Posterior, assemble
from lift.model.predictor import design_matrix
from lift.model.spec import ModelSpec, ResponseSpec

N_DRAWS = 4
KERNELS = ("weibull", "gamma", "geometric", "free")


def drawn(kernel: str, **response: object) -> tuple[Posterior, Design, ModelSpec, np.ndarray]:
    """Return a posterior of four draws and the posts' part of the predictor of each."""
    spec = ModelSpec.model_validate({"response": {"kernel": kernel, **response}})
    data = rich_campaign(120, (30.4, 41.9, 41.9, 60.1, 75.5, 117.25))
    design = build_design(data, spec)
    z = points(len(design.hypers), N_DRAWS, seed=8)
    values = natural(z, design.hypers, design.mix)
    matrices = [design_matrix(design, value)[0] for value in values]
    rng = np.random.default_rng(4)
    coefficients = 0.4 * rng.normal(size=(N_DRAWS, matrices[0].shape[1]))
    n_free = len(design.free_shares)
    first = design.fixed.shape[1] - n_free
    lifts = np.stack(
        [
            matrix[:, first:] @ row[first:]
            for matrix, row in zip(matrices, coefficients, strict=True)
        ]
    )
    posterior = assemble(
        data,
        spec,
        design,
        coordinates=z.reshape(2, 2, -1),
        coefficients=coefficients.reshape(2, 2, -1),
        attrs={"engine": "none", "seed": 1},
        stats={},
    )
    return posterior, design, spec, lifts


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("displacement", [False, True])
def test_the_lift_of_all_posts_is_their_part_of_the_predictor(
    kernel: str, *, displacement: bool
) -> None:
    posterior, _, _, lifts = drawn(kernel, displacement=displacement)
    lift = log_lift(posterior, np.arange(6))
    np.testing.assert_allclose(lift.values, lifts[:, lift.first_day :], rtol=1e-10, atol=1e-13)
    assert not lifts[:, : lift.first_day].any()
    # single posts add up to it
    alone = np.zeros_like(lifts)
    for post in range(6):
        one = log_lift(posterior, np.array([post]))
        alone[:, one.first_day : one.first_day + one.values.shape[1]] += one.values
    np.testing.assert_allclose(alone, lifts, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kernel", KERNELS)
def test_attribution_adds_up_and_leaves_out_what_effects_leave_out(kernel: str) -> None:
    posterior, _, _, _ = drawn(kernel)
    shares = attribution(posterior)
    np.testing.assert_allclose(shares["aumann_shapley"].sum("post"), shares["total"], rtol=1e-9)
    total = Effects(posterior).draws("campaign").to_numpy()[..., 0]
    np.testing.assert_allclose(shares["total"], total, rtol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_next_post_acts_as_its_kernel_says(kernel: str) -> None:
    """Without a deviation of its own, so that its amplitude is the mean of the draws."""
    posterior, _, spec, _ = drawn(kernel, influencer=False, group_by=())
    table = pd.DataFrame({"platform": ["tiktok"], "views": [3e5], "baseline": [1000.0]})
    responses = read_responses(posterior)
    draws = posterior.draws
    flat = {name: draws[name].to_numpy().reshape(N_DRAWS, -1) for name in draws}
    quiet = Posterior(posterior.tree.copy())
    quiet.tree["posterior"] = draws.assign(amplitude_sd=0.0 * draws["amplitude_sd"])
    found = predict_next(quiet, spec, table, seed=3)
    centre = np.log(posterior.posts["views"]).mean()
    gain = np.exp(flat["views_elasticity"][:, 0] * (np.log(3e5) - centre))
    names = list(draws["kernel_group"].to_numpy())
    kernel_days = responses.kernel(responses.scale[:, names.index("tiktok")], POST_FRACTION)
    lift = (flat["group_mean"][:, 0] * gain)[:, None] * kernel_days
    if kernel == "free":
        by_day = flat["free_share"] @ age_shares(POST_FRACTION, flat["free_share"].shape[1])
        lift[:, : by_day.shape[1]] += gain[:, None] * by_day
    wanted = 1000.0 * np.expm1(lift[:, :29]).sum(axis=1)
    np.testing.assert_allclose(found.draws.to_numpy().ravel(), wanted, rtol=1e-10)


@pytest.mark.parametrize("kernel", ["weibull", "gamma", "geometric"])
def test_overlap_is_what_two_responses_have_in_common_in_time(kernel: str) -> None:
    """With draws that are all one, the responses to impulses of one are the kernels."""
    posterior = hand_made(
        np.ones((4, 3)),
        [20, 22, 50],
        np.full(120, 10.0),
        fractions=(0.25, 0.75, 0.5),
        shares=0.5,
        shape=1.0 if kernel == "geometric" else 2.0,
        attrs={"kernel": kernel},
    )
    by_day = np.zeros((120, 3))
    for post in range(3):
        lift = log_lift(posterior, np.array([post]))
        by_day[lift.first_day : lift.first_day + lift.values.shape[1], post] = lift.values[0]
    wanted = np.minimum(by_day[:, :, None], by_day[:, None, :]).sum(axis=0)
    np.testing.assert_allclose(overlap(posterior), wanted, rtol=1e-9)
    assert 0.0 < wanted[0, 1] < 0.9


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9])
def test_days_since_a_post_fall_on_calendar_days_as_integrals_say(fraction: float) -> None:
    shares = age_shares(fraction, 5)
    for age in range(5):
        for lag in range(6):
            # hours since the post that lie on this calendar day, at a rate of one per day
            low, high = lag - fraction, lag + 1 - fraction
            inside = [edge for edge in (age, age + 1) if low < edge < high]
            rate = quad(lambda u, a=age: float(a <= u < a + 1), low, high, points=inside or None)
            assert shares[age, lag] == pytest.approx(rate[0], abs=1e-9)


def test_deviations_of_a_free_kernel_sum_to_zero() -> None:
    posterior, design, _, _ = drawn("free")
    deviations = posterior.draws["free_share"].to_numpy()
    assert deviations.shape == (2, 2, 21)
    np.testing.assert_allclose(deviations.sum(axis=-1), 0.0, atol=1e-12)
    assert np.abs(deviations).max() > 0.01
    shares = mean_shares(ResponseSpec())
    np.testing.assert_allclose(design.free_shares, shares)
    assert shares.sum() == pytest.approx(1.0)
