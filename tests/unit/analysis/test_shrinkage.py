"""The estimate without a prior against the Gaussian model written out with a flat one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from small_posteriors import hand_made

from lift.analysis.shrinkage import shrinkage_table
from lift.errors import InputError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

SPEC = ModelSpec()
PRIOR = np.ones((3, 3)) + 0.25 * np.eye(3)  # overall mean with sd 1, own deviations with sd 0.5
MEASURED = np.array([2.0, 0.3, 0.1])
FLAT = 1e6


def exact(values: FloatArray, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the values shifted and turned so that their moments are exactly those given."""
    centred = values - values.mean(axis=0)
    root = np.linalg.cholesky(centred.T @ centred / (len(values) - 1))
    white = np.linalg.solve(root, centred.T).T
    return mean + white @ np.linalg.cholesky(covariance).T


def conjugate(prior: FloatArray, information: FloatArray) -> tuple[FloatArray, FloatArray]:
    covariance = np.linalg.inv(np.linalg.inv(prior) + information)
    return covariance @ information @ MEASURED, covariance


def posterior(information: FloatArray) -> Posterior:
    normals = stream(1, "tests", "shrinkage").normal(size=(2000, 3))
    amplitude = exact(normals, *conjugate(PRIOR, information))
    return hand_made(
        amplitude,
        [20, 40, 60],
        np.full(100, 1000.0),
        draws={"group_mean": ("group", np.zeros((2000, 1))), "amplitude_sd": (None, 0.5)},
        coords={"group": ["all"]},
    )


@pytest.mark.parametrize(
    "information",
    [np.diag([4.0, 1.0, 20.0]), np.array([[6.0, 5.0, 0], [5.0, 6.0, 0], [0, 0, 3.0]])],
    ids=["apart", "overlapping"],
)
def test_the_flat_estimate_is_that_of_a_model_with_a_flat_prior(information: FloatArray) -> None:
    table = shrinkage_table(posterior(information), SPEC)
    for post in range(3):
        flat = PRIOR.copy()
        flat[post, post] += FLAT
        mean, covariance = conjugate(flat, information)
        assert table["flat_mean"][post] == pytest.approx(mean[post], rel=1e-4)
        assert table["flat_sd"][post] == pytest.approx(np.sqrt(covariance[post, post]), rel=1e-4)
    assert (table["flat_sd"] > table["sd"]).all()
    width = table["flat_upper"] - table["flat_lower"]
    assert (width / table["flat_sd"]).to_numpy() == pytest.approx(2 * 1.959964, rel=1e-6)


def test_with_posts_apart_it_is_what_was_measured() -> None:
    table = shrinkage_table(posterior(np.diag([4.0, 1.0, 20.0])), SPEC)
    assert table["flat_mean"].to_numpy() == pytest.approx(MEASURED, rel=1e-6)
    assert table["flat_sd"].to_numpy() == pytest.approx([0.5, 1.0, np.sqrt(0.05)], rel=1e-6)
    # an outlier is pulled down, and the more data the less
    assert table["mean"][0] < table["flat_mean"][0]
    assert table["data_weight"][2] > table["data_weight"][0] > table["data_weight"][1]


def test_what_is_not_known_of_the_hyperparameters_stays_in_the_interval() -> None:
    plain = posterior(np.diag([4.0, 1.0, 20.0]))
    noise = np.exp(stream(2, "tests", "noise").normal(size=2000))
    shifted = plain.draws["amplitude"].to_numpy().reshape(-1, 3) + 0.5 * np.log(noise)[:, None]
    made = hand_made(
        shifted,
        [20, 40, 60],
        np.full(100, 1000.0),
        draws={
            "group_mean": ("group", np.zeros((2000, 1))),
            "amplitude_sd": (None, 0.5),
            "noise_sd": (None, noise),
        },
        coords={"group": ["all"]},
    )
    table, known = shrinkage_table(made, SPEC), shrinkage_table(plain, SPEC)
    expected = np.hypot(known["flat_sd"].to_numpy(), 0.5)
    assert table["flat_sd"].to_numpy() == pytest.approx(expected, rel=0.06)
    assert (table["flat_sd"] >= table["sd"]).all()


def test_a_post_without_data_has_no_estimate_of_its_own() -> None:
    table = shrinkage_table(posterior(np.diag([4.0, 0.0, 20.0])), SPEC)
    assert np.isnan(table["flat_mean"][1])
    assert table["note"].tolist() == ["", "only prior: no estimate without it", ""]
    assert table["data_weight"][1] == pytest.approx(0.0, abs=1e-6)


def test_an_impossible_probability() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        shrinkage_table(posterior(np.eye(3)), SPEC, prob=0.0)
