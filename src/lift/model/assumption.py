"""What is believed of users: retention that is assumed, and series that the model is fitted to."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import optimize, stats

from lift.data.closed import Closed
from lift.errors import InputError, Problem

FloatArray = NDArray[np.float64]


Probability = Annotated[float, Field(gt=0.0, lt=1.0)]


class Share(Closed):
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


class Quality(Closed):
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


class RetentionAssumption(Closed):
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
        return (
            f"assumption-driven: activation {opened}, retention {rates}, quality ratio {quality}"
            + (f"; {self.source}" if self.source else "")
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
            given = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            what = f"must be a readable TOML file (UTF-8), found: {error}; correct it"
            raise InputError([Problem(file.name, what)]) from None
        return cls.of(given, file.name)


class UsersSpec(Closed):
    """How incremental users are found, beside downloads.

    Attributes
    ----------
    series : tuple of int
        Days after the install for which the model is fitted to the users themselves as well (the
        cohorts of the campaign must have them): no assumption on how posts' users are retained.
    assumption : RetentionAssumption, optional
        For a campaign without cohorts.
    """

    series: tuple[Annotated[int, Field(ge=1, le=9999)], ...] = ()
    assumption: RetentionAssumption | None = None
