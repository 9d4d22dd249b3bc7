"""One-step-ahead prediction errors: whether the model's noise is what the model says it is.

With ``L L'`` the covariance of what moves in time plus the noise, days in order, and ``r`` what is
left of the outcome, ``L^-1 r`` are the standardised errors of predicting each observed day from the
observed days before it: the innovations of the Kalman filter (Durbin & Koopman 2012, section 2.5
and 7.5). They are conditional on hyperparameters and coefficients at their posterior means, which
have seen every day; were these the truth, errors would be independent standard normal numbers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from lift.analysis.state_draws import States
from lift.errors import InputError, Problem
from lift.model.state_paths import state_covariances

FloatArray = NDArray[np.float64]

LAGS = (1, 7)
"""Days back whose correlation is told: yesterday, and the same weekday."""
LJUNG_BOX_LAGS = 14
OUTSIDE = 1.96
MIN_ERRORS = 30
"""Fewest errors that checks are made of."""


def one_step_errors(states: States, rest: FloatArray) -> FloatArray:
    """Return standardised one-step-ahead prediction errors.

    Parameters
    ----------
    states : States
        Under one draw or point of the hyperparameters, of an outcome that is no count.
    rest : ndarray, shape (n,)
        What is left of the outcome beside the states; not read on days not observed.

    Returns
    -------
    ndarray, shape (n,), no unit
        NaN on days not observed, and on the first observed days, as many as there are states: what
        is predicted there is the prior.
    """
    design = states.design
    seen = design.observed
    total = np.sum(list(state_covariances(design, states.values[0]).values()), axis=0)
    root = np.linalg.cholesky(total[np.ix_(seen, seen)] + np.diag(states.noise_var[0, seen]))
    errors = np.full(len(seen), np.nan)
    errors[seen] = solve_triangular(root, rest[seen], lower=True)
    errors[np.flatnonzero(seen)[: design.states.n_states]] = np.nan
    return errors


def error_checks(errors: FloatArray) -> pd.DataFrame:
    """Return simple checks of standardised prediction errors.

    Parameters
    ----------
    errors : ndarray, shape (n,)
        One for each day; NaN where there is none.

    Returns
    -------
    DataFrame
        Columns check, value, expected (were the model true) and p: of the mean, the sd (p of a
        chi-squared test of the variance), the autocorrelations at :data:`LAGS` days (p of a normal
        test), all of them up to :data:`LJUNG_BOX_LAGS` days (Ljung & Box 1978,
        doi:10.1093/biomet/65.2.297), the share beyond 1.96 (binomial) and skewness and kurtosis
        together (Jarque & Bera 1980, doi:10.1016/0165-1765(80)90024-5). p is rough: coefficients
        and hyperparameters were estimated from the same days.

    Raises
    ------
    InputError
        If there are fewer than :data:`MIN_ERRORS` errors.
    """
    # no fit needs it
    from scipy import stats

    known = errors[np.isfinite(errors)]
    n = len(known)
    if n < MIN_ERRORS:
        what = f"checks need {MIN_ERRORS} errors or more, found {n}; they need more observed days"
        raise InputError([Problem("prediction errors", what)])
    filled = np.where(np.isfinite(errors), errors - known.mean(), 0.0)
    squares = float(filled @ filled)
    lags = np.arange(1, LJUNG_BOX_LAGS + 1)
    correlations = np.array([filled[lag:] @ filled[:-lag] for lag in lags]) / squares
    ljung_box = n * (n + 2) * float((correlations**2 / (n - lags)).sum())
    below = float(stats.chi2.cdf((known**2).sum(), n))
    n_outside = int((np.abs(known) > OUTSIDE).sum())
    share = 2.0 * float(stats.norm.sf(OUTSIDE))
    bera = stats.jarque_bera(known)
    rows = [
        ("mean", known.mean(), 0.0, 2 * stats.norm.sf(abs(known.mean()) * np.sqrt(n))),
        ("sd", np.sqrt((known**2).mean()), 1.0, 2 * min(below, 1 - below)),
        *(
            (
                f"autocorrelation at {lag} day{'' if lag == 1 else 's'}",
                correlations[lag - 1],
                0.0,
                2 * stats.norm.sf(abs(correlations[lag - 1]) * np.sqrt(n)),
            )
            for lag in LAGS
        ),
        (
            f"Ljung-Box to {LJUNG_BOX_LAGS} days",
            ljung_box,
            float(LJUNG_BOX_LAGS),
            stats.chi2.sf(ljung_box, LJUNG_BOX_LAGS),
        ),
        (
            f"share beyond {OUTSIDE}",
            n_outside / n,
            share,
            stats.binomtest(n_outside, n, share).pvalue,
        ),
        ("Jarque-Bera", float(bera.statistic), 2.0, float(bera.pvalue)),
    ]
    table = pd.DataFrame(rows, columns=["check", "value", "expected", "p"])
    return table.astype({"value": float, "expected": float, "p": float})
