"""Resolution and collision groups against Gaussian models with known answers, and small fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from small_campaigns import post_table
from small_posteriors import hand_made

from lift.analysis.effects import Effects
from lift.analysis.identifiability import (
    NOT_COMPARED,
    Identifiability,
    collision_groups,
    contrast_resolution,
    identifiability,
    noted_effects,
)
from lift.analysis.moments import AmplitudeMoments, amplitude_moments, group_membership
from lift.data.simulate import SimulationConfig, simulate
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.errors import InputError, RunError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec, ResponseSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

N_DRAWS = 20_000
SPEC = ModelSpec(response=ResponseSpec(mean_sd=1.0, group_sd=0.5))
TWO_LEVELS = {"platform": ["a", "a", "b", "b"], "influencer": ["x", "y", "x", "z"]}
LABELS = ["all", "platform=a", "platform=b"]


def test_positive_amplitudes_have_no_normal_prior_to_compare_with() -> None:
    draws = stream(2, "tests", "positive").normal(size=(40, 2))
    posterior = hand_made(
        np.exp(draws),
        [20, 30],
        np.full(80, 100.0),
        draws={"group_mean": ("group", draws[:, :1]), "amplitude_sd": (None, 0.5)},
        coords={"group": ["all"]},
        attrs={"typical_amplitude": 0.3},
    )
    with pytest.raises(RunError, match="positive only"):
        identifiability(posterior, SPEC)
    assert noted_effects(posterior, SPEC).table()["note"].str.contains("no interval can").all()


def gaussian(
    information: FloatArray,
    *,
    own_sd: FloatArray | float = 0.8,
    people_sd: float = 0.3,
    tilt: float = 0.0,
    seed: int = 1,
    days: tuple[int, ...] = (20, 20, 60, 100),
    gain: FloatArray | float = 1.0,
) -> tuple[Posterior, FloatArray, FloatArray]:
    """Return draws of N(m(theta), V) with V^-1 = C^-1 + information, and C and V.

    ``tilt`` makes the mean depend on the noise, as it does on hyperparameters that are not known.
    """
    membership = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]], dtype=float)
    same = np.eye(4)
    same[0, 2] = same[2, 0] = 1.0
    same[1, 1] = same[3, 3] = 0.0  # who posted once has no deviation in the model
    prior = (membership * [1.0, 0.25, 0.25]) @ membership.T + people_sd**2 * same
    prior += float(np.mean(np.square(own_sd))) * np.eye(4)
    covariance = np.linalg.inv(np.linalg.inv(prior) + information)
    rng = stream(seed, "tests", "gaussian")
    noise = np.exp(0.3 * rng.normal(size=N_DRAWS))
    mean = np.array([0.5, 0.2, 0.7, 0.1]) + tilt * np.log(noise)[:, None]
    amplitude = mean + rng.normal(size=(N_DRAWS, 4)) @ np.linalg.cholesky(covariance).T
    made = hand_made(
        amplitude * gain,
        list(days),
        np.full(200, 1000.0),
        amplitude=amplitude,
        text=TWO_LEVELS,
        draws={
            "noise_sd": (None, noise),
            "amplitude_sd": (None, own_sd),
            "influencer_sd": (None, people_sd),
            "influencer_effect": ("influencer", np.zeros((N_DRAWS, 1))),
            "group_mean": ("group", np.zeros((N_DRAWS, 3))),
        },
        coords={"group": LABELS, "influencer": ["x"]},
    )
    return made, prior, covariance


def collided(same: float = 50.0, alone: float = 50.0) -> FloatArray:
    """Return the information of data that see only the sum of the first two posts."""
    out = np.diag([0.0, 0.0, alone, alone])
    out[:2, :2] = same
    return out


@pytest.mark.parametrize("tilt", [0.0, 1.5])
def test_moments_are_those_of_the_model(tilt: float) -> None:
    made, prior, covariance = gaussian(np.diag([3.0, 1.0, 10.0, 0.2]), tilt=tilt)
    moments = amplitude_moments(made, SPEC)
    np.testing.assert_allclose(moments.prior, prior, rtol=1e-12)
    # standard error of a variance: sqrt(2 / 20,000) = 1 %
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.abs(moments.posterior - covariance).max() < 0.05 * scale.max()
    if tilt:  # the covariance of the draws themselves is another
        assert np.cov(made.draws["amplitude"].to_numpy().reshape(-1, 4).T)[0, 0] > 1.5 * scale[0, 0]


def test_the_prior_is_averaged_over_the_draws_of_its_sd() -> None:
    sd = np.abs(stream(5, "tests", "sd").normal(size=N_DRAWS)) + 0.1
    made, prior, _ = gaussian(np.eye(4), own_sd=sd)
    np.testing.assert_allclose(amplitude_moments(made, SPEC).prior, prior, rtol=1e-12)


def test_a_hyperparameter_that_says_the_same_as_another_changes_nothing() -> None:
    made, _, _ = gaussian(np.diag([3.0, 1.0, 10.0, 0.2]), tilt=1.5)
    draws = made.draws
    twice = draws.assign(level_sd=2.0 * draws["noise_sd"])
    groups = {name: group for name, group in made.tree.children.items()}
    tree = xr.DataTree(made.tree.to_dataset(), children=groups | {"posterior": xr.DataTree(twice)})
    once, again = (amplitude_moments(each, SPEC) for each in (made, Posterior(tree)))
    np.testing.assert_allclose(again.posterior, once.posterior, rtol=1e-12, atol=1e-14)


def test_posts_that_a_prior_makes_one_can_be_compared() -> None:
    """Amplitudes that differ by 1e-9 about a mean that is all but free."""
    membership = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]], dtype=float)
    rng = stream(6, "tests", "one amplitude")
    amplitude = 0.3 * rng.normal(size=(4000, 3)) @ membership.T
    made = hand_made(
        amplitude,
        [20, 20, 60, 100],
        np.full(200, 1000.0),
        text={"platform": TWO_LEVELS["platform"]},
        draws={"amplitude_sd": (None, 1e-9), "group_mean": ("group", np.zeros((4000, 3)))},
        coords={"group": LABELS},
    )
    found = identifiability(made, ModelSpec(response=ResponseSpec(mean_sd=100.0, group_sd=1e-9)))
    assert np.isfinite(found.resolution).all()
    assert 0.0 < found.n_resolvable <= 4.0


def test_resolution_matrix_and_its_trace() -> None:
    information = np.diag([3.0, 1.0, 10.0, 0.2])
    made, prior, covariance = gaussian(information)
    expected = np.eye(4) - covariance @ np.linalg.inv(prior)
    found = identifiability(made, SPEC)
    np.testing.assert_allclose(found.resolution, expected, atol=0.06)
    assert found.n_resolvable == pytest.approx(np.trace(expected), abs=0.06)
    assert found.n_resolvable == pytest.approx(found.eigenvalues.sum())
    assert (np.diff(found.eigenvalues) <= 0).all()
    share = np.diag(covariance @ np.linalg.inv(prior) @ covariance) / np.diag(covariance)
    table = found.posts
    np.testing.assert_allclose(table["prior_share_of_variance"], share, atol=0.06)
    np.testing.assert_allclose(table["resolution"], np.diag(expected), atol=0.06)


def test_a_post_that_the_data_do_not_see_is_only_prior() -> None:
    found = identifiability(gaussian(np.diag([0.0, 40.0, 40.0, 40.0]))[0], SPEC).posts
    assert found["only_prior"].tolist() == [True, False, False, False]
    assert found["note"][0].startswith("only prior")
    assert (found["note"][1:] == "").all()
    # its own variance shrinks, since the others tell the group mean: that does not count
    assert found["resolution"][0] < 0.05


def test_nothing_is_resolved_without_data_and_all_with_much() -> None:
    none = identifiability(gaussian(np.zeros((4, 4)))[0], SPEC)
    assert none.n_resolvable < 0.1
    assert none.posts["only_prior"].all()
    much = identifiability(gaussian(1e4 * np.eye(4))[0], SPEC)
    assert much.n_resolvable > 3.99
    assert not much.posts["only_prior"].any()
    assert (much.posts["group"] == "").all()


def test_posts_of_which_only_the_sum_is_seen_collide() -> None:
    found = identifiability(gaussian(collided())[0], SPEC)
    assert found.posts["group"].tolist() == ["collision 1", "collision 1", "", ""]
    assert "p2" in found.posts["note"][0]
    assert float(found.correlation[0, 1]) < -0.7
    (group,) = found.groups.to_dict("records")
    assert group["posts"] == "p1, p2"
    assert group["contrast_resolution"] < 0.05
    assert group["narrower"] > 3
    assert not found.posts["only_prior"].any()  # of their sum, the data say much


def test_posts_that_trade_off_are_read_together_though_groups_tell_of_their_difference() -> None:
    """What other posts say of two levels takes variance from their difference, not its doubt."""
    information = np.diag([0.0, 0.0, 50.0, 50.0])
    information[:2, :2] = 50.0 + np.diag([3.0, 3.0])
    made, _, covariance = gaussian(information)
    exact = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert exact < -0.8
    found = identifiability(made, SPEC)
    assert float(found.contrast_resolution[0, 1]) > 0.3
    assert found.posts["group"].tolist() == ["collision 1", "collision 1", "", ""]
    (group,) = found.groups.to_dict("records")
    assert group["correlation"] == pytest.approx(exact, abs=0.05)
    note = str(found.posts["note"][0])
    assert "cannot tell it from p2" in note
    assert f"{group['mean']:,.0f} (95% interval {group['lower']:,.0f} to" in note
    apart = gaussian(information, days=(20, 60, 100, 140))[0]
    assert identifiability(apart, SPEC).groups.empty


def test_contrast_resolution_by_hand() -> None:
    made, prior, covariance = gaussian(np.diag([3.0, 1.0, 10.0, 0.2]))
    moments = AmplitudeMoments(np.zeros(4), covariance, prior)
    found = contrast_resolution(made, moments)

    def split(matrix: FloatArray, i: int, j: int) -> float:
        turn = np.array([[1.0, -1.0], [1.0, 1.0]])
        both = turn @ matrix[np.ix_([i, j], [i, j])] @ turn.T
        return float(both[0, 0] - both[0, 1] ** 2 / both[1, 1])

    for i, j in ((0, 1), (0, 3), (2, 3)):
        expected = 1 - split(covariance, i, j) / split(prior, i, j)
        assert found[i, j] == pytest.approx(expected)
        assert found[j, i] == pytest.approx(expected)
    assert np.diag(found).tolist() == [1.0] * 4


def test_a_small_post_beside_a_large_one_collides_with_it() -> None:
    """The difference of impulses is nearly the large post's; its part in the sum is not known."""
    gain = np.array([10.0, 0.5, 1.0, 1.0])
    seen = np.array([10.0, 0.5, 0.0, 0.0])
    information = np.outer(seen, seen) * 5 + np.diag([0.0, 0.0, 50.0, 50.0])
    made, prior, covariance = gaussian(information, gain=gain)
    plain = np.array([10.0, -0.5, 0.0, 0.0])
    assert 1 - (plain @ covariance @ plain) / (plain @ prior @ plain) > 0.9
    assert float(identifiability(made, SPEC).contrast_resolution[0, 1]) < 0.2
    assert identifiability(made, SPEC).posts["group"].tolist()[:2] == ["collision 1"] * 2


def test_posts_far_apart_do_not_collide_whatever_is_unresolved() -> None:
    found = identifiability(gaussian(np.zeros((4, 4)), days=(20, 60, 100, 140))[0], SPEC)
    assert float(found.contrast_resolution.where(np.eye(4) == 0).max()) < 0.1
    assert (found.posts["group"] == "").all()
    assert found.groups.empty
    assert "narrower" in found.groups


def test_single_linkage() -> None:
    linked = np.zeros((6, 6), dtype=bool)
    for i, j in ((0, 3), (3, 5), (1, 2)):
        linked[i, j] = linked[j, i] = True
    assert collision_groups(linked) == [[0, 3, 5], [1, 2]]
    assert collision_groups(np.eye(3, dtype=bool)) == []


def test_membership_is_read_from_the_labels() -> None:
    made, _, _ = gaussian(np.eye(4))
    assert group_membership(made).tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]]


def test_an_attribute_that_the_run_does_not_store() -> None:
    made = hand_made(
        np.ones((4, 1)),
        [5],
        np.ones(20),
        draws={"group_mean": ("group", np.zeros((4, 2)))},
        coords={"group": ["all", "language=it"]},
    )
    with pytest.raises(RunError, match="language"):
        group_membership(made)


def test_an_impossible_probability() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        identifiability(gaussian(np.eye(4))[0], SPEC, prob=1.0)


def fitted(times: list[float], seed: int = 1) -> tuple[Posterior, Identifiability]:
    posts = post_table(
        times,
        influencer="ann",
        platform="tiktok",
        content="x",
        creator_type="human",
        sponsored=True,
        views=[1e5] * len(times),
    )
    config = SimulationConfig(
        n_days=280,
        controls=(),
        idle_controls=(),
        noise_sd=0.04,
        level_sd=0.004,
        post_sd=0.8,
        amplitude_mean=0.5,
        views_sd=0.0,
        influencer_sd=0.0,
        group_sd=0.0,
        n_influencers=1,
        platforms=("tiktok",),
        contents=("x",),
        virtual_share=0.0,
    )
    campaign = simulate(config, seed=seed, posts=posts).campaign
    spec = ModelSpec()
    posterior = fit_exact(campaign, spec, SampleSettings(draws=1000))
    return posterior, identifiability(posterior, spec)


LATER = [90.2, 115.3, 140.8, 165.2, 190.4, 215.6, 240.3]


def test_two_posts_at_the_same_hour_are_one_collision_group() -> None:
    posterior, found = fitted([60.5, 60.5, *LATER])
    assert found.posts["group"].tolist() == ["collision 1"] * 2 + [""] * 7
    assert float(found.correlation[0, 1]) < -0.9
    assert 7.5 < found.n_resolvable < 8.1
    (group,) = found.groups.to_dict("records")
    own = Effects(posterior).table().iloc[:2]
    widths = own["upper"] - own["lower"]
    assert widths.min() >= 3 * (group["upper"] - group["lower"])
    assert group["narrower"] == pytest.approx(widths.min() / (group["upper"] - group["lower"]))


def test_posts_apart_are_told_apart() -> None:
    _, found = fitted([35.5, 60.5, *LATER])
    assert isinstance(found.groups, pd.DataFrame)
    assert found.groups.empty
    assert (found.posts["resolution"] > 0.9).all()
    assert found.n_resolvable > 8.5


def test_where_posts_are_too_many_to_compare_every_note_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    posterior, _ = fitted([60.5, 60.5, *LATER])
    ids = [str(post) for post in posterior.posts["post"]]
    assert "cannot tell it from" in noted_effects(posterior, ModelSpec()).post_notes[ids[0]]
    monkeypatch.setattr("lift.analysis.identifiability.MAX_COMPARED", 2)
    noted = noted_effects(posterior, ModelSpec())
    assert set(noted.post_notes.values()) == {NOT_COMPARED}
    assert list(noted.post_notes) == ids
