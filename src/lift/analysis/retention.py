"""Survival of users: the shifted-beta-geometric curve, and retention that is only assumed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy import optimize, stats
from scipy.special import betaln, digamma, expit, logit

from lift.errors import InputError, Problem

FloatArray = NDArray[np.float64]

DISCREPANCY_SD = 0.1
"""How far true retention lies from the curve, sd in log-odds: a tenth of the odds."""

LOG_ALPHA = (float(np.log(0.5)), 0.7)
LOG_BETA = (float(np.log(0.25)), 1.0)
"""Normal priors (mean, sd) of the curve's parameters: a third of installs active on day 1 (95 %
from 4 to 80 %), a twelfth on day 30. They decide only what fewer than two days leave open."""

N_STEPS = 40
EDGE = 1e-6


def survival(alpha: FloatArray, beta: FloatArray, age_days: FloatArray) -> FloatArray:
    """Return the share of users that have not left by an age.

    Each user leaves at the end of a day with a probability of his own, drawn once from
    ``Beta(alpha, beta)``: ``S(t) = B(alpha, beta + t) / B(alpha, beta)``.

    Parameters
    ----------
    alpha, beta : ndarray, shape (n_draws,)
        Positive.
    age_days : ndarray, shape (n_ages,)
        0 or more.

    Returns
    -------
    ndarray, shape (n_draws, n_ages)
        In (0, 1]; one at age 0, falling.

    References
    ----------
    Fader & Hardie 2007, doi:10.1002/dir.20074: ``S(t) / S(t - 1) = (beta + t - 1) /
    (alpha + beta + t - 1)``.
    """
    a, b = np.asarray(alpha)[:, None], np.asarray(beta)[:, None]
    return np.asarray(np.exp(betaln(a, b + np.asarray(age_days)) - betaln(a, b)))


@dataclass(frozen=True, eq=False)
class Curve:
    """Draws of a shifted-beta-geometric retention curve.

    Attributes
    ----------
    alpha, beta : ndarray, shape (n_draws,)
    shift : ndarray, shape (n_draws,)
        Log-odds by which days that were not observed lie off the curve.
    days : tuple of int
        The observed days that it was fitted to.
    misfit : float
        Largest distance of a mean observed rate from the fitted mean curve (log-odds).
    """

    alpha: FloatArray
    beta: FloatArray
    shift: FloatArray
    days: tuple[int, ...]
    misfit: float

    def at(self, age_days: FloatArray) -> FloatArray:
        """Return the share of users alive at some ages, shape (n_draws, n_ages); 1 at age 0."""
        ages = np.asarray(age_days, dtype=np.float64)
        share = survival(self.alpha, self.beta, ages)
        moved = expit(logit(np.clip(share, EDGE**2, 1 - EDGE)) + self.shift[:, None])
        return np.where(ages == 0, 1.0, moved)


def fit_curve(days: tuple[int, ...], rates: FloatArray, rng: np.random.Generator) -> Curve:
    """Return draws of the retention curve given draws of the rates on some days.

    Every draw of the rates is moved by a draw of the curve's discrepancy, its prior means by a
    draw of the prior, and the curve is fitted to that: least squares on the log-odds, weighted by
    ``1 / (variance of the rate + DISCREPANCY_SD^2)`` (randomise, then optimise). The draws keep
    their places, so that what depends on the rates and on the curve stays paired.

    Parameters
    ----------
    days : tuple of int
        At least one, each 1 or more.
    rates : ndarray, shape (n_draws, n_days)
        In (0, 1).
    rng : Generator

    Returns
    -------
    Curve

    References
    ----------
    Bardsley, Solonen, Haario & Laine 2014, doi:10.1137/140964023 (randomise-then-optimise).
    """
    n_draws = len(rates)
    target = logit(np.clip(rates, EDGE, 1 - EDGE))
    weight = 1.0 / (target.var(axis=0) + DISCREPANCY_SD**2)
    means, sds = np.array([LOG_ALPHA, LOG_BETA]).T
    noise = DISCREPANCY_SD * rng.normal(size=target.shape)
    prior = means + sds * rng.normal(size=(n_draws, 2))
    ages = np.array(days, dtype=np.float64)
    fitted = _least_squares(ages, target + noise, weight, prior, sds)
    middle = _least_squares(ages, target.mean(axis=0)[None], weight, means[None], sds)
    off = _log_odds(middle, ages)[0] - target.mean(axis=0)
    return Curve(
        alpha=np.exp(fitted[:, 0]),
        beta=np.exp(fitted[:, 1]),
        shift=DISCREPANCY_SD * rng.normal(size=n_draws),
        days=days,
        misfit=float(np.abs(off).max()),
    )


def _log_odds(log_parameters: FloatArray, ages: FloatArray) -> FloatArray:
    share = survival(np.exp(log_parameters[:, 0]), np.exp(log_parameters[:, 1]), ages)
    return np.asarray(logit(np.clip(share, EDGE**2, 1 - 1e-12)))


def _least_squares(
    ages: FloatArray, target: FloatArray, weight: FloatArray, prior: FloatArray, sds: FloatArray
) -> FloatArray:
    """Return the best (log alpha, log beta) of each draw, by damped Gauss-Newton steps."""
    point = prior.copy()

    def cost(at: FloatArray) -> FloatArray:
        data = (weight * (_log_odds(at, ages) - target) ** 2).sum(axis=1)
        return np.asarray(data + (((at - prior) / sds) ** 2).sum(axis=1))

    now = cost(point)
    damping = np.full(len(point), 1e-3)
    for _ in range(N_STEPS):
        a, b = np.exp(point[:, :1]), np.exp(point[:, 1:])
        share = np.clip(survival(a[:, 0], b[:, 0], ages), EDGE**2, 1 - 1e-12)
        both = digamma(a + b) - digamma(a + b + ages)
        slope = np.stack([a * both, b * (both + digamma(b + ages) - digamma(b))], axis=-1)
        slope /= (1.0 - share)[..., None]
        gap = target - logit(share)
        gradient = np.einsum("k,dk,dki->di", weight, gap, slope) + (prior - point) / sds**2
        curvature = np.einsum("k,dki,dkj->dij", weight, slope, slope) + np.diag(1 / sds**2)
        diagonal = np.einsum("dii->di", curvature)
        damped = curvature + np.einsum("di,ij->dij", damping[:, None] * diagonal, np.eye(2))
        step = np.linalg.solve(damped, gradient[..., None])[..., 0]
        moved = np.clip(point + np.clip(step, -2.0, 2.0), -12.0, 12.0)
        new = cost(moved)
        better = new <= now
        point = np.where(better[:, None], moved, point)
        now = np.where(better, new, now)
        damping = np.where(better, damping / 5.0, damping * 5.0)
        if np.abs(step).max() < 1e-7:
            break
    return point


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Probability = Annotated[float, Field(gt=0.0, lt=1.0)]


class Share(_Closed):
    """A share that is known from elsewhere, as a Beta distribution.

    Attributes
    ----------
    mean : float
        In (0, 1).
    n : float, optional
        Effective sample size: how many people's behaviour the knowledge is worth.
    lower, upper : float, optional
        A 95 % interval about the mean, in place of ``n``: the Beta distribution has that mean and
        an interval of that width.
    """

    mean: Probability
    n: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    lower: Probability | None = None
    upper: Probability | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        interval = (self.lower is not None, self.upper is not None)
        if any(interval) != all(interval) or (self.n is None) is not all(interval):
            raise ValueError("give the mean with either n, or lower and upper")
        if (
            self.lower is not None
            and self.upper is not None
            and not self.lower < self.mean < self.upper
        ):
            raise ValueError("the mean must lie between lower and upper")
        return self

    @property
    def size(self) -> float:
        """The effective sample size, worked out from the interval where that was given."""
        if self.n is not None:
            return self.n
        if self.lower is None or self.upper is None:
            return float("nan")
        width = self.upper - self.lower

        def surplus(log_n: float) -> float:
            ends = self._beta(float(np.exp(log_n))).ppf([0.025, 0.975])
            return float(ends[1] - ends[0]) - width

        # The widest interval that a Beta distribution with one mode or two can have is at n = 0.1.
        low, high = np.log(0.1), np.log(1e12)
        return float(np.exp(low if surplus(low) < 0 else optimize.brentq(surplus, low, high)))

    def _beta(self, n: float) -> stats.rv_continuous:
        return stats.beta(self.mean * n, (1.0 - self.mean) * n)

    def quantile(self, probability: FloatArray) -> FloatArray:
        """Return quantiles of the Beta distribution."""
        return np.asarray(self._beta(self.size).ppf(probability), dtype=np.float64)


class Quality(_Closed):
    """Retention of the users that posts bring, relative to that of the benchmark.

    Attributes
    ----------
    median : float
        1: as good as the benchmark's users.
    sd : float
        Of its logarithm; 0.3 is a 95 % interval from 0.56 to 1.80 about a median of 1.
    """

    median: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    sd: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.3


class RetentionAssumption(_Closed):
    """What is assumed about users where only downloads were observed.

    Attributes
    ----------
    activation : Share or "included"
        Share of downloads that are opened; ``"included"`` where ``retention`` is per download.
    retention : dict of int to Share
        Share of the activated that are active on a day after the install.
    quality : Quality
        Retention of post-driven users over that of the benchmark.
    source : str
        Where the numbers come from.
    """

    activation: Share | Literal["included"]
    retention: Annotated[dict[Annotated[int, Field(ge=1, le=9999)], Share], Field(min_length=1)]
    quality: Quality = Quality()
    source: str = ""

    @property
    def basis(self) -> str:
        """What every table says of results that rest on the assumption."""
        opened = "included" if isinstance(self.activation, str) else f"{self.activation.mean:g}"
        rates = ", ".join(f"D{day} {self.retention[day].mean:g}" for day in sorted(self.retention))
        quality = f"LogNormal(log {self.quality.median:g}, {self.quality.sd:g})"
        return f"assumption: activation {opened}, retention {rates}, quality ratio {quality}" + (
            f"; {self.source}" if self.source else ""
        )

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Return the assumption in a TOML file.

        Parameters
        ----------
        path : str or Path
            Such as::

                activation = {mean = 0.8, n = 200}
                quality = {median = 1.0, sd = 0.3}
                source = "industry benchmark 2025, own judgement of its precision"

                [retention]
                1 = {mean = 0.27, n = 100}
                30 = {mean = 0.07, lower = 0.04, upper = 0.11}

        Returns
        -------
        RetentionAssumption

        Raises
        ------
        InputError
            If the file cannot be read, or naming every value that cannot be.
        """
        file = Path(path)
        try:
            return cls.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            what = f"must be a readable TOML file (UTF-8), found: {error}; correct it"
            raise InputError([Problem(file.name, what)]) from None
        except ValidationError as error:
            raise InputError(
                [
                    Problem(
                        file.name,
                        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}, "
                        f"found {item['input']!r}; correct it",
                    )
                    for item in error.errors()
                ]
            ) from None
