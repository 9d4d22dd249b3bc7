"""Gibbs steps over the set of controls against dense linear algebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lift.impact._interpolant import lay_out, rows_of
from lift.impact._sets import (
    bring_in,
    odds_of_exchange,
    odds_of_flip,
    start,
    take_out,
)
from lift.impact.interpolant import moments_at
from lift.impact.model import ImpactModel, pack_model
from lift.impact.prior import prior_from_data

N = 60
P = 9
FIXED = 2
LOG_SD = np.log([0.5, 0.06, 0.03])
VARIANCE = float(np.exp(2.0 * LOG_SD[0]))


def make(period: int) -> ImpactModel:
    """Return a model of nine controls, much alike, the last two always in."""
    rng = np.random.default_rng(5)
    controls = rng.normal(0, 1, (N, P)) + 2.0 * rng.normal(0, 1, (N, 1))
    outcome = controls[:, 0] + rng.normal(0, 0.5, N) + np.sin(2 * np.pi * np.arange(N) / 4)
    outcome[[7, 8]] = np.nan
    prior = prior_from_data(outcome, controls, level_sd=0.1, season=period > 1, n_fixed=FIXED)
    return pack_model(outcome, controls, prior, period=period, duration=1)


@dataclass(frozen=True)
class Matrices:
    """Swept matrices and the dense ones that they stand for."""

    model: ImpactModel
    rows: np.ndarray
    penalty: np.ndarray
    cross: np.ndarray
    order: np.ndarray
    joint: np.ndarray
    prior: np.ndarray
    mean: np.ndarray
    buffer: np.ndarray

    def column(self, control: int) -> int:
        return 1 + self.model.n_states + control

    def arguments(self, n: int) -> tuple[object, ...]:
        return (self.order, n, self.joint, self.prior)

    def log_weight(self, chosen: set[int]) -> float:
        """Return the log posterior weight of a set of controls by dense algebra."""
        m = self.model.n_states
        used = [*range(1, 1 + m), *(self.column(c) for c in sorted(chosen))]
        k = (self.cross + self.penalty)[np.ix_(used, used)]
        slab = self.penalty[np.ix_(used[m:], used[m:])]
        fit = self.cross[0, used] @ np.linalg.solve(k, self.cross[0, used])
        logs = np.linalg.slogdet(slab)[1] - np.linalg.slogdet(k)[1] + fit / VARIANCE
        return float(0.5 * logs + sum(self.model.log_odds[c] for c in chosen))


def matrices(period: int, chosen: set[int]) -> tuple[Matrices, int]:
    model = make(period)
    m, width = model.n_states, model.columns.shape[1]
    log_sd = LOG_SD[: 3 if period > 1 else 2]
    table = moments_at(model, (log_sd[1:] - log_sd[0])[None])
    terms = rows_of(1, width, m)
    lay_out(table, terms)
    cross = np.zeros((width, width))
    cross[np.tril_indices(width)] = table[0, : width * (width + 1) // 2]
    cross += np.tril(cross, -1).T
    penalty = np.zeros((width, width))
    penalty[1 : 1 + m, 1 : 1 + m] = VARIANCE / model.prior.start_sd**2 * np.eye(m)
    penalty[1 + m :, 1 + m :] = model.prior.precision
    found = Matrices(
        model, terms.rows, penalty, cross, np.zeros(width, dtype=np.int64),
        np.zeros((width + 1, width)), np.zeros((width + 1, width)), np.zeros((m, width)),
        np.zeros(width + m),
    )  # fmt: skip
    found.prior[width] = np.diag(penalty)
    start(found.rows, np.ones(1), penalty, found.joint, found.mean, found.buffer)
    n = 0
    for j in [*range(1, 1 + m), *(found.column(c) for c in sorted(chosen))]:
        n = bring_in(
            found.rows, np.ones(1), penalty, j, *found.arguments(n), found.mean, found.buffer
        )
    return found, n


@pytest.mark.parametrize("period", [1, 4])
def test_odds_are_those_of_dense_algebra_along_a_walk_over_sets(period: int) -> None:
    fixed = set(range(P - FIXED, P))
    chosen = {0, 3, *fixed}
    found, n = matrices(period, chosen)
    model = found.model
    assert set(np.flatnonzero(model.always)) == fixed

    seen: list[float] = []
    for changed in (5, 0, 3, 1, 0, 5):
        now = found.log_weight(chosen)
        for j in range(P - FIXED):
            inside = j in chosen
            odds = odds_of_flip(
                found.joint, found.prior, found.column(j), inside, model.log_odds[j], VARIANCE
            )
            assert np.log(odds) == pytest.approx(found.log_weight(chosen ^ {j}) - now, abs=1e-8)
        for i in chosen - fixed:
            for j in set(range(P)) - chosen:
                own = model.log_odds[j] - model.log_odds[i]
                odds = odds_of_exchange(
                    found.joint, found.prior, found.column(i), found.column(j), own, VARIANCE
                )
                expected = np.exp(found.log_weight(chosen ^ {i, j}) - now)
                assert odds == pytest.approx(expected, rel=1e-8, abs=1e-20)
                seen.append(odds)
        column = found.column(changed)
        if changed in chosen:
            n = take_out(column, *found.arguments(n), found.buffer)
        else:
            n = bring_in(
                found.rows, np.ones(1), found.penalty, column, *found.arguments(n), found.mean,
                found.buffer,
            )  # fmt: skip
        chosen ^= {changed}
        assert n == model.n_states + len(chosen)
    assert min(seen) < 1e-3 < 1.0 < max(seen)


@pytest.mark.parametrize("period", [1, 4])
def test_swept_rows_hold_coefficients_and_their_covariance(period: int) -> None:
    found, n = matrices(period, {2, 4, 7, 8})
    used = found.order[:n]
    k = (found.cross + found.penalty)[np.ix_(used, used)]
    swept = found.joint[np.ix_(used, used)]
    assert np.allclose(-swept, np.linalg.inv(k), rtol=0, atol=1e-8)
    means = np.linalg.solve(k, found.cross[used, 0])
    assert np.allclose(found.joint[used, 0], means, rtol=0, atol=1e-8)
