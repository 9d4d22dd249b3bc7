"""The model specification: what is believed, apart from the data and from the computation."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

import tomli_w
from pydantic import Field, model_validator

from lift.data.arguments import check_path
from lift.data.closed import Closed
from lift.errors import InputError, Problem
from lift.model.assumption import UsersSpec
from lift.model.baseline_spec import BaselineSpec as BaselineSpec
from lift.model.baseline_spec import PriorRate, PriorSd, PriorShape
from lift.model.baseline_spec import SeasonSpec as SeasonSpec
from lift.model.markets_spec import MarketsSpec as MarketsSpec


class ResponseSpec(Closed):
    """What a post adds to log downloads.

    ``f_j(t) = b_j (V_j / V_ref)^eta (B_ref / B_j)^rho K(t; tau_j)`` with the day-binned kernel
    ``K`` that sums to one over ``window_days`` and ``b_j = w_j' alpha + u_influencer(j) + xi_j``.
    Posts together add ``sum_j f_j(t)``, or a curve of it that saturates.

    Attributes
    ----------
    window_days : int
        Days after which a post's response has ended.
    kernel : "weibull", "gamma", "geometric" or "free"
        Family of ``K``; gamma has the same two parameters, geometric is the Weibull of shape 1 (one
        share per day of what is left: the adstock of media mix models). ``"free"`` adds to the
        Weibull response what the mean response of all posts deviates from it, day by day since the
        post: see :mod:`lift.model.free_kernel`.
    free_days : int
        Days since the post on which the mean response is free (``kernel = "free"``).
    free_rate : float
        Rate of the exponential prior on ``free_sd``, the relative size of those deviations for a
        response of one baseline day: the default says above 1 with 5 % probability.
    kernel_by : "platform", "content" or "none"
        Attribute whose levels (4 at most) have their own share of the response in the first 24 h.
    group_by : tuple of str
        Attributes with a deviation of the mean amplitude for each of their levels.
    influencer : bool
        An influencer's own deviation, for those who posted more than once where at least two did.
    views : bool
        Scale a post's response by a power of its views, where views are given.
    mean_sd : float
        Prior sd of the overall mean amplitude (log-lift-days: 1 is one baseline day of downloads).
    group_sd : float
        Prior sd of the deviation of a group's mean amplitude (log-lift-days).
    influencer_rate, post_rate : float
        Rates of the exponential priors on the sd over influencers and over posts.
    heavy_tails : bool
        A post's own deviation is ``xi_j ~ N(0, kappa_j amplitude_sd^2)`` with
        ``kappa_j ~ InvGamma(2, 1)``: a Student t with 4 degrees of freedom whose sd is
        ``amplitude_sd``, so that a post that went viral is pulled less towards the others.
    positive_only : bool
        No post can take downloads away: log-normal amplitudes,
        ``log(b_j / typical_amplitude) = w_j' alpha + u_influencer(j) + xi_j``. Overall mean, group
        means, influencers and the post's own deviation then multiply the amplitude and are in
        logs, as are ``mean_sd``, ``group_sd`` and the sds that the rates speak of: with the
        defaults the typical post has a median of 0.3 baseline days, 95 % between 0.04 and 2.1. Only
        ``engine = "pymc"``. It manufactures lift, since no effect is not among what can come out:
        see ``lift.analysis.diagnostics.POSITIVE_ONLY``.
    typical_amplitude : float
        Prior median of the amplitude of a typical post where amplitudes are positive only
        (log-lift-days).
    market_rate : float
        Rate of the exponential prior on ``market_sd``, by how much a post's amplitude in one market
        differs from what it has in common (joint model of several markets, see ``MarketsSpec``).
    views_mean, views_sd : float
        Normal prior of the elasticity of the response in views.
    size_exponent : float
        ``rho``: 0 is the same percentage lift whatever the app's size, 1 the same downloads.
    share_mean, share_sd : float
        Normal prior of the complementary log-log of the share of the response within 24 hours
        (the defaults: median 35 %, 95 % between 12 % and 75 %). The mean is from -8 (0.03 %) to 3
        (all but 2e-9): beyond, a kernel cannot be told from one without end, or of one day.
    share_group_sd : float
        Prior sd of a kernel group's complementary log-log share about the common one.
    shape_mean, shape_sd : float
        Normal prior of the log of the kernel's shape (1 is exponential, below 1 a longer tail).
    displacement : bool
        Let a post pull forward downloads that would have come later: a share ``psi`` of the
        response is taken back evenly over the days after ``displacement_after`` and up to
        ``displacement_until``. Weakly identified where the level drifts.
    displacement_after, displacement_until : int
        Lags in days.
    displacement_shape : float
        Prior ``psi ~ Beta(1, displacement_shape)``: the default has mean 0.2.
    saturation : "none", "exponential" or "hill"
        Curve ``s`` of what posts add together, ``F_t = s(sum_j f_j(t))``, with ``s'(0) = 1`` and a
        limit ``c``: see :mod:`lift.model.saturation`. Only ``engine = "pymc"``.
    saturation_mean, saturation_sd : float
        Normal prior of the log of ``c`` (log units; on the linear scale units of the scale). The
        defaults: median 1.5, posts together multiply a day's downloads by 4.4 at most; 95 %
        between 0.38 (1.5 times) and 5.9 (360 times, no limit in practice).
    """

    window_days: Annotated[int, Field(ge=1, le=365)] = 60
    kernel: Literal["weibull", "gamma", "geometric", "free"] = "weibull"
    free_days: Annotated[int, Field(ge=2, le=60)] = 21
    free_rate: PriorRate = 3.0
    kernel_by: Literal["platform", "content", "none"] = "platform"
    group_by: tuple[Literal["platform", "content", "creator_type", "sponsored"], ...] = (
        "platform",
        "content",
        "creator_type",
        "sponsored",
    )
    influencer: bool = True
    views: bool = True
    mean_sd: PriorSd = 1.0
    group_sd: PriorSd = 0.5
    influencer_rate: PriorRate = 3.0
    post_rate: PriorRate = 1.5
    heavy_tails: bool = False
    positive_only: bool = False
    typical_amplitude: PriorSd = 0.3
    market_rate: PriorRate = 3.0
    views_mean: Annotated[float, Field(ge=-3.0, le=3.0)] = 0.6
    views_sd: Annotated[float, Field(ge=1e-9, le=3.0)] = 0.3
    size_exponent: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    share_mean: Annotated[float, Field(ge=-8.0, le=3.0)] = -0.84
    share_sd: Annotated[float, Field(ge=1e-6, le=2.0)] = 0.6
    share_group_sd: Annotated[float, Field(ge=1e-6, le=2.0)] = 0.4
    shape_mean: Annotated[float, Field(ge=-2.0, le=2.0)] = -0.1
    shape_sd: Annotated[float, Field(ge=1e-9, le=1.0)] = 0.3
    displacement: bool = False
    displacement_after: Annotated[int, Field(ge=0, le=364)] = 14
    displacement_until: Annotated[int, Field(ge=1, le=365)] = 42
    displacement_shape: PriorShape = 4.0
    saturation: Literal["none", "exponential", "hill"] = "none"
    saturation_mean: Annotated[float, Field(ge=-10.0, le=10.0)] = 0.4
    saturation_sd: Annotated[float, Field(ge=1e-9, le=3.0)] = 0.7

    @model_validator(mode="after")
    def _free_days_are_within_the_window(self) -> Self:
        if self.kernel == "free" and self.free_days >= self.window_days:
            raise ValueError(
                f"free_days must be less than window_days, found {self.free_days} and "
                f"{self.window_days}"
            )
        return self

    @model_validator(mode="after")
    def _lags_are_ordered(self) -> Self:
        if self.displacement and not (
            self.displacement_after < self.displacement_until < self.window_days
        ):
            raise ValueError(
                "displacement_after must be less than displacement_until, and that less than "
                f"window_days; found {self.displacement_after}, {self.displacement_until} and "
                f"{self.window_days}"
            )
        return self


class ModelSpec(Closed):
    """A whole model: likelihood, baseline, response and the horizon of the estimands.

    Attributes
    ----------
    horizon_days : int
        Effects are cumulated from the day of a post to this many days after it, both included.
    scale : "log" or "linear"
        ``"log"``: posts multiply downloads. ``"linear"``: they add to them, with Gaussian noise on
        the downloads themselves plus the Poisson part of its variance; effects of posts then add
        up (leave-one-out, add-one-in and Shapley agree). All priors that are in log units, where 1
        is the size of the baseline, are then in units of the larger of mean and standard deviation
        of the observed downloads, and controls enter without their log.
    likelihood : "auto", "lognormal" or "negative_binomial"
        ``"lognormal"``: Gaussian noise on log downloads plus the Poisson part of their variance.
        ``"negative_binomial"``: counts, zeros included. ``"auto"`` takes the lognormal where no
        day is zero and the median is at least 10 downloads a day. Not used on the linear scale.
    baseline : BaselineSpec
    response : ResponseSpec
    users : UsersSpec, optional
        How users are found, beside downloads; a campaign's cohorts need none.
    markets : MarketsSpec, optional
        What markets that are fitted together have in common beside their posts; nothing by default.
    """

    horizon_days: Annotated[int, Field(ge=0, le=365)] = 28
    scale: Literal["log", "linear"] = "log"
    likelihood: Literal["auto", "lognormal", "negative_binomial"] = "auto"
    baseline: BaselineSpec = BaselineSpec()
    response: ResponseSpec = ResponseSpec()
    users: UsersSpec | None = None
    markets: MarketsSpec | None = None

    @model_validator(mode="after")
    def _the_linear_scale_is_normal(self) -> Self:
        if self.scale == "linear" and self.likelihood != "auto":
            raise ValueError(
                f'scale = "linear" needs likelihood = "auto", found "{self.likelihood}"'
            )
        return self

    def to_toml(self) -> str:
        """Return the specification as TOML text; :meth:`from_toml` reads it back unchanged."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_text(cls, text: str, where: str = "model.toml") -> Self:
        """Return the specification written in TOML text.

        Parameters
        ----------
        text : str
            TOML; keys that are left out keep their defaults.
        where : str
            The name that an error gives to the text.

        Returns
        -------
        ModelSpec

        Raises
        ------
        InputError
            If the text is not TOML, or a key is unknown or has a value that cannot be; every
            such key is named.
        """
        try:
            given = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            problem = Problem(where, f"must be TOML; {error}; mend that line")
            raise InputError([problem]) from None
        return cls.of(given, where)

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Return the specification in a TOML file.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        ModelSpec

        Raises
        ------
        InputError
            If the file cannot be read, or as in :meth:`from_text`.
        """
        check_path(path, "a TOML file")
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problem = Problem(file.name, f"must be a readable UTF-8 file; {error}; check the path")
            raise InputError([problem]) from None
        return cls.from_text(text, file.name)
