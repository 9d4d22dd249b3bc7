"""Maximum likelihood through ``UnobservedComponents``: a quick frequentist answer.

The outcome is a local level plus noise plus a regression on the baseline's columns and on one
column per post, its kernel: the coefficient of that column is the post's impulse. Nothing is
pooled: there are no group means, no influencers, no prior on a coefficient.

- Noise, level and kernel maximise the profile likelihood, in which the best coefficients stand
  (generalised least squares, by the filter of statsmodels with diffuse coefficients as states).
- The kernel is estimated, not fixed: days after a post say much about its shape, and fixing it
  would put a wrong shape into every effect. Its likelihood is penalised by the specification's
  prior of the kernel, since a post without effect has no kernel to see.
- Uncertainty is that of large samples: variances and kernel are normal about their estimates with
  the inverse observed information, coefficients are normal about what least squares gives for them,
  to first order (delta method). Draws are made from that normal, and effects computed from draws.

So intervals are confidence intervals, too narrow where few days or a level at the boundary of no
drift make the normal a poor picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from statsmodels.tsa.statespace.structural import UnobservedComponents
from threadpoolctl import threadpool_limits

from lift.data.campaign import Campaign
from lift.engines.base import Progress, SampleSettings
from lift.engines.limits import require
from lift.engines.regression import (
    IN_POSTERIOR,
    columns_at,
    independent,
    refuse_inseparable,
    unpooled,
)
from lift.errors import EngineError
from lift.model.design import Design, build_design
from lift.model.hyper import Hyper, coordinates
from lift.model.posterior import Posterior, assemble
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

STEP, SLOPE_STEP = 0.02, 1e-3
"""Of second and first finite differences, in logs: the likelihood is good to about nine digits."""
FLAT = 0.05
"""A maximum has been found where the slopes of the log likelihood are smaller than this."""
LEAST_SD, MOST_SD = 1e-4, 10.0
"""Range of the daily sd of noise and level (log units); at its lower end one is taken as zero."""
AT_BOUND = 1e-2
MAX_STEPS = 200
FAULTS = (
    "nothing is pooled: a post is not helped by what other posts say",
    "intervals are those of large samples: normal about the maximum, noise or level at zero taken "
    "as known",
)
"""What its numbers leave out, told beside them."""


@dataclass(frozen=True, eq=False)
class _Estimate:
    """The profile likelihood and the coefficients at one point.

    Attributes
    ----------
    log_likelihood : float
        With the best coefficients, up to a constant.
    coefficients : ndarray, shape (q,)
    covariance : ndarray, shape (q, q)
    """

    log_likelihood: float
    coefficients: FloatArray
    covariance: FloatArray


def fit_statsmodels(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
) -> Posterior:
    """Return draws from the asymptotic normal distribution of the estimates.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec
        Its priors are not used, but for that of the kernel.
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.

    Returns
    -------
    Posterior
        Root attributes ``interval = "confidence"`` and ``pooling = "none"``: the draws picture a
        sampling distribution, and have no variable that belongs to pooling. ``sample_stats`` holds
        the log likelihood, its evaluations, baseline columns that were left out because others
        add up to them (such as a named holiday beside all holidays), and what lies at a boundary:
        taken as known, the same in every draw.

    Raises
    ------
    EngineError
        If the model asks for what this engine does not do, if columns cannot be told apart, or if
        no maximum is found.
    """
    whole = build_design(campaign, spec)
    require("statsmodels", whole)
    design, left_out = independent(unpooled(whole))
    refuse_inseparable(design, _start(design))
    tell = progress or (lambda *_: None)
    # one BLAS thread: more are slower at these sizes and change the last digits
    with threadpool_limits(1, user_api="blas"):
        point, n_evaluations = _maximum(design, tell)
        tell(0.7, "information")
        free = np.flatnonzero(np.abs(point - _bounds(design)[0]) > AT_BOUND)
        at = _estimate(design, point)
        spread = _spread(design, point, free)
        slopes = _slopes(design, point, free)
    points, coefficients = _draws(design, point, free, spread, slopes, at, settings)
    tell(1.0, "draws")
    return assemble(
        campaign,
        spec,
        design,
        coordinates=points,
        coefficients=coefficients,
        attrs={
            "engine": "statsmodels",
            "seed": settings.seed,
            "interval": "confidence",
            "pooling": "none",
            "faults": "; ".join(FAULTS),
            "draws_are": "asymptotic normal distribution of maximum likelihood estimates",
        },
        stats={
            "log_likelihood": at.log_likelihood,
            "left_out": ", ".join(left_out),
            "n_evaluations": n_evaluations,
            "at_boundary": ", ".join(
                IN_POSTERIOR[hyper.name] for i, hyper in enumerate(design.hypers) if i not in free
            ),
        },
    )


def _kernel(design: Design) -> list[Hyper]:
    return list(design.hypers[2:])


def _start(design: Design) -> FloatArray:
    """Return where the search starts: a tenth of the outcome's sd, and the kernel's prior mean."""
    sd = max(0.1 * float(design.outcome[design.observed].std()), 10 * LEAST_SD)
    return np.array([np.log(sd), np.log(0.1 * sd), *(hyper.first for hyper in _kernel(design))])


def _bounds(design: Design) -> FloatArray:
    """Return lower and upper bounds, shape (2, d): the kernel within four prior sds."""
    sds = [(np.log(LEAST_SD), np.log(MOST_SD))] * 2
    kernel = [(h.first - 4 * h.second, h.first + 4 * h.second) for h in _kernel(design)]
    return np.array([*sds, *kernel]).T


def _estimate(design: Design, point: FloatArray) -> _Estimate:
    """Return the profile likelihood at logs of noise and level sd and the kernel's parameters."""
    columns = columns_at(design, point)
    outcome = np.where(design.observed, design.outcome, np.nan)
    model = UnobservedComponents(
        outcome, level="llevel", exog=columns, mle_regression=False, loglikelihood_burn=0
    )
    noise, level = np.exp(2.0 * point[:2])
    model.update(np.array([noise, level]))
    model["obs_cov"] = (noise + design.poisson_variance)[None, None, :]
    model.ssm.tolerance = 0.0
    filtered = model.ssm.filter()
    q = columns.shape[1]
    covariance = filtered.filtered_state_cov[-q:, -q:, -1]
    covariance = 0.5 * (covariance + covariance.T)
    # the likelihood with diffuse coefficients integrated out, less what integration added
    _, log_det = np.linalg.slogdet(covariance)
    log_likelihood = float(filtered.llf_obs.sum()) - 0.5 * float(log_det)
    return _Estimate(log_likelihood, filtered.filtered_state[-q:, -1], covariance)


def _objective(design: Design, point: FloatArray) -> float:
    """Return the negative profile likelihood, penalised by the prior of the kernel."""
    hypers = _kernel(design)
    means = np.array([hyper.first for hyper in hypers])
    sds = np.array([hyper.second for hyper in hypers])
    mix = design.mix[2:, 2:]
    z = np.linalg.solve(mix, (point[2:] - means) / sds)
    value = -_estimate(design, point).log_likelihood + 0.5 * float(z @ z)
    return value if np.isfinite(value) else 1e12


def _maximum(design: Design, tell: Progress) -> tuple[FloatArray, int]:
    """Return the point of the maximum and how often the likelihood was evaluated."""
    tell(0.0, "maximum")
    start, (low, high) = _start(design), _bounds(design)
    n_evaluations = 0

    def slopes(point: FloatArray) -> FloatArray:
        steps = SLOPE_STEP * np.eye(len(point))
        ahead = [_objective(design, np.minimum(point + step, high)) for step in steps]
        behind = [_objective(design, np.maximum(point - step, low)) for step in steps]
        widths = np.minimum(point + SLOPE_STEP, high) - np.maximum(point - SLOPE_STEP, low)
        return np.asarray((np.array(ahead) - np.array(behind)) / widths)

    def value(point: FloatArray) -> float:
        nonlocal n_evaluations
        n_evaluations += 1
        tell(min(0.6, 0.01 * n_evaluations), "maximum")
        return _objective(design, point)

    found = minimize(
        value,
        start,
        method="L-BFGS-B",
        jac=slopes,
        bounds=np.array([low, high]).T,
        options={"ftol": 1e-9, "gtol": 1e-3, "maxiter": MAX_STEPS},
    )
    point = np.asarray(found.x, dtype=np.float64)
    slope = slopes(point)
    outward = ((point <= low) & (slope > 0)) | ((point >= high) & (slope < 0))
    if not (steepest := float(np.abs(np.where(outward, 0.0, slope)).max())) < FLAT:
        raise EngineError(
            f"no maximum of the likelihood was found in {found.nit} steps (slope {steepest:.3g}, "
            f'must be below {FLAT}); use engine = "exact"'
        )
    return point, n_evaluations


def _spread(design: Design, point: FloatArray, free: NDArray[np.int64]) -> FloatArray:
    """Return a square root of the inverse information of what is not at a boundary."""

    def at(*moves: tuple[int, float]) -> float:
        moved = point.copy()
        for i, step in moves:
            moved[i] += step
        return _objective(design, moved)

    d = len(free)
    information = np.empty((d, d))
    here = at()
    for a in range(d):
        i = int(free[a])
        information[a, a] = (at((i, STEP)) - 2 * here + at((i, -STEP))) / STEP**2
        for b in range(a):
            j = int(free[b])
            same = at((i, STEP), (j, STEP)) + at((i, -STEP), (j, -STEP))
            other = at((i, STEP), (j, -STEP)) + at((i, -STEP), (j, STEP))
            information[a, b] = information[b, a] = (same - other) / (4 * STEP**2)
    values = np.linalg.eigvalsh(information)
    if not values[0] > 0.0:
        raise EngineError(
            "the likelihood has no curvature at its maximum in some direction (least eigenvalue "
            f'{values[0]:.3g}), so that there is no standard error; use engine = "exact"'
        )
    return np.linalg.cholesky(np.linalg.inv(information))


def _slopes(design: Design, point: FloatArray, free: NDArray[np.int64]) -> FloatArray:
    """Return how the coefficients move with the free parameters, shape (d, q)."""
    slopes = []
    for i in free:
        step = np.zeros(len(point))
        step[i] = STEP
        ahead, behind = (_estimate(design, point + sign * step) for sign in (1, -1))
        slopes.append((ahead.coefficients - behind.coefficients) / (2 * STEP))
    return np.stack(slopes)


def _draws(
    design: Design,
    point: FloatArray,
    free: NDArray[np.int64],
    spread: FloatArray,
    slopes: FloatArray,
    at: _Estimate,
    settings: SampleSettings,
) -> tuple[FloatArray, FloatArray]:
    """Return coordinates of the hyperparameters and coefficients, shape (chain, draw, ...)."""
    n = settings.draws // settings.chains
    root = np.linalg.cholesky(at.covariance)
    points, coefficients = [], []
    for chain in range(settings.chains):
        rng = stream(settings.seed, "statsmodels", f"chain {chain}")
        moves = rng.standard_normal((n, len(free))) @ spread.T
        values = np.tile(point, (n, 1))
        values[:, free] += moves
        values[:, :2] = np.exp(values[:, :2])
        points.append(coordinates(values, design.hypers, design.mix))
        noise = rng.standard_normal((n, len(root))) @ root.T
        coefficients.append(at.coefficients + moves @ slopes + noise)
    return np.stack(points), np.stack(coefficients)
