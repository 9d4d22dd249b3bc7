"""What a next post would bring: the predictive distribution of its incremental downloads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.counterfactual import interval_tail, is_linear
from lift.analysis.moments import flat_draws
from lift.analysis.responses import Responses, read_responses, read_saturation
from lift.errors import InputError, Problem
from lift.model.design import SIZE_WINDOW_DAYS
from lift.model.posterior import Posterior
from lift.model.scales import AMPLITUDE_DF
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]
Row = Mapping[Hashable, Any]

TEXT = ("influencer", "platform", "creator_type", "content", "sponsored")
NUMBERS = ("views", "baseline")
COLUMNS = ("post_id", *TEXT, *NUMBERS)
BASELINE_DAYS = 28
NO_MEAN = "{why} on the log scale: no mean exists, read the median"
# A next post goes out at noon.
POST_FRACTION = 0.5


@dataclass(frozen=True, eq=False)
class Prediction:
    """What next posts would bring.

    Attributes
    ----------
    draws : DataArray, dims (chain, draw, post), downloads
        Incremental downloads from the day of the post to the horizon, each post by itself.
    table : DataFrame
        One row per post: post, influencer, platform, creator_type, content, sponsored, views
        ("" or NaN = not given), baseline (downloads/day without it), n_days, mean, median, sd,
        lower, upper (incremental downloads), prob, prob_positive, relative_mean (of the baseline
        over the same days), note. Mean, sd and relative_mean are NaN where posts multiply
        downloads and amplitudes are positive only, have heavy tails, or are multiplied by views
        whose elasticity is uncertain: the exponential of a log-normal, of a Student t, or of a
        normal times a log-normal number has no mean.
    """

    draws: xr.DataArray
    table: pd.DataFrame


@dataclass(frozen=True)
class _Fitted:
    """What is read again for every post: draws with the chains one after the other."""

    draws: xr.Dataset
    posts: pd.DataFrame
    spec: ModelSpec
    seed: int
    n_draws: int
    group_mean: dict[str, FloatArray] = field(default_factory=dict)

    def scalar(self, name: str) -> FloatArray | None:
        """Return draws of a hyperparameter, None if the model does not have it."""
        return flat_draws(self.draws[name]) if name in self.draws else None

    def normals(self, *names: str) -> FloatArray:
        """Return standard normal numbers that belong to a name, one per draw."""
        return stream(self.seed, "predict", *names).standard_normal(self.n_draws)

    def seen(self, attribute: str) -> set[str]:
        """Return the levels of an attribute among the posts of the run."""
        if attribute not in self.posts:
            return set()
        return set(self.posts[attribute].astype(str)) - {""}


def predict_next(
    posterior: Posterior, spec: ModelSpec, posts: pd.DataFrame, *, seed: int, prob: float = 0.95
) -> Prediction:
    """Return the predictive distribution of the incremental downloads of next posts.

    ``sum_t B (exp(f_t) - 1)`` over the days from the post to the horizon, with ``B`` the downloads
    per day that there would be without it, taken as known (on the linear scale the sum of ``f_t``
    in downloads), and ``f`` the response of a new post: its group means, its influencer, a
    deviation of its own from N(0, amplitude_sd) (a Student t of that sd where the model has heavy
    tails; where amplitudes are positive only all of these are logs), its views, and the kernel of
    its platform. What the run has not seen is drawn from its prior given the hyperparameters, the
    same for all next posts that share it, and said in the note: an influencer who is new or posted
    once, a level of an attribute, a platform's kernel. An attribute that is not given adds no
    deviation, and views not given count as the reference views, as in the fit. Each post is by
    itself: where responses saturate, nothing else acts on its days.

    Parameters
    ----------
    posterior : Posterior
    spec : ModelSpec
        The one it was fitted with.
    posts : DataFrame
        Columns, all optional: post_id, influencer, platform, creator_type, content, sponsored,
        views, baseline (downloads/day; by default the mean of the last 28 observed days, which
        still hold what earlier posts bring then).
    seed : int
        Root seed.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        Naming everything in the table that cannot be.
    """
    tail = interval_tail(prob)
    table = _checked(posterior, posts)
    fitted = _read(posterior, spec, seed)
    responses, saturation = read_responses(posterior), read_saturation(posterior)
    n_days = int(posterior.attrs["horizon_days"]) + 1
    columns, rows = [], []
    for row in table.to_dict("records"):
        notes: list[str] = []
        amplitude = _amplitude(fitted, row, notes)
        gain = _gain(posterior, fitted, row, notes)
        scale = _scale(responses, fitted, row, notes)
        response = responses.response(scale, POST_FRACTION, amplitude * gain, gain)[:, :n_days]
        baseline = float(row["baseline"])
        if saturation is not None:
            response = saturation.by_day().together(response)
        draws = _gained(posterior, response, baseline).sum(axis=1)
        # Between two infinite draws there is nothing to interpolate.
        method: Literal["linear", "inverted_cdf"]
        method = "linear" if np.isfinite(draws).all() else "inverted_cdf"
        lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail], method=method)
        mean, sd = np.nan, np.nan
        if why := "" if is_linear(posterior) else _without_mean(spec, gain):
            notes.append(NO_MEAN.format(why=why))
        else:
            mean, sd = float(draws.mean()), float(draws.std(ddof=1))
        columns.append(draws)
        rows.append(
            {
                "post": row["post_id"],
                **{name: row[name] for name in (*TEXT, *NUMBERS)},
                "n_days": n_days,
                "mean": mean,
                "median": float(median),
                "sd": sd,
                "lower": float(lower),
                "upper": float(upper),
                "prob": prob,
                "prob_positive": float((draws > 0).mean()),
                "relative_mean": mean / (baseline * n_days),
                "note": "; ".join(notes),
            }
        )
    shape = (fitted.draws.sizes["chain"], fitted.draws.sizes["draw"], len(rows))
    array = xr.DataArray(
        np.column_stack(columns).reshape(shape),
        dims=("chain", "draw", "post"),
        coords={
            "chain": fitted.draws["chain"].to_numpy(),
            "draw": fitted.draws["draw"].to_numpy(),
            "post": [str(row["post"]) for row in rows],
        },
        name="incremental_downloads",
    )
    return Prediction(array, pd.DataFrame(rows))


def _without_mean(spec: ModelSpec, gain: FloatArray) -> str:
    """Return why the exponential of a response has no mean, "" if it has one."""
    if spec.response.positive_only:
        return "positive amplitudes"
    if spec.response.heavy_tails:
        return "amplitudes with heavy tails"
    return "views of uncertain elasticity" if np.ptp(gain) > 0 else ""


def _gained(posterior: Posterior, response: FloatArray, baseline: float) -> FloatArray:
    """Return the downloads that a response adds, infinite where they are beyond all numbers."""
    if is_linear(posterior):
        return float(posterior.attrs["unit"]) * response
    with np.errstate(over="ignore"):
        return np.asarray(baseline * np.expm1(response))


def _checked(posterior: Posterior, posts: pd.DataFrame) -> pd.DataFrame:
    """Return the table with every column: text ("" = not given), views and baseline as numbers."""
    problems = []
    if unknown := [str(name) for name in posts.columns if name not in COLUMNS]:
        known = ", ".join(COLUMNS)
        problems.append(f"columns must be of {known}; found {', '.join(unknown)}; remove them")
    if not len(posts):
        problems.append("there must be at least one post, found none; add a row")
    out = pd.DataFrame(index=range(len(posts)))
    default = [f"next {i + 1}" for i in range(len(posts))]
    out["post_id"] = posts["post_id"].astype(str).to_numpy() if "post_id" in posts else default
    if out["post_id"].duplicated().any():
        twice = sorted(set(out["post_id"][out["post_id"].duplicated()]))
        problems.append(f"post_id must name one post, found {', '.join(twice)} twice; rename one")
    for name in TEXT:
        values = list(posts[name]) if name in posts else [None] * len(posts)
        texts = ["" if pd.isna(value) else str(value).strip() for value in values]
        if name == "sponsored":
            texts = [text.capitalize() for text in texts]
            if wrong := sorted(set(texts) - {"", "True", "False"}):
                problems.append(f"sponsored must be true or false, found {', '.join(wrong)}")
        out[name] = texts
    for name in NUMBERS:
        given = posts[name] if name in posts else pd.Series(np.nan, index=posts.index)
        numbers = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64)
        bad = ~pd.isna(given).to_numpy(dtype=bool) & ~((numbers > 0) & np.isfinite(numbers))
        for i in np.flatnonzero(bad).tolist():
            problems.append(
                f"{name} must be a number above 0 or empty, found {given.iloc[i]!r} for "
                f"{out['post_id'].iloc[i]!r}"
            )
        out[name] = numbers
    if problems:
        raise InputError([Problem("next posts", problem) for problem in problems])
    downloads = posterior.downloads.to_numpy()
    recent = float(downloads[np.isfinite(downloads)][-BASELINE_DAYS:].mean())
    return out.fillna({"baseline": recent})


def _read(posterior: Posterior, spec: ModelSpec, seed: int) -> _Fitted:
    draws = posterior.draws
    labels = posterior.groups
    means = flat_draws(draws["group_mean"])
    by_label = {label: means[:, i] for i, label in enumerate(labels)}
    return _Fitted(draws, posterior.posts, spec, seed, len(means), by_label)


def _amplitude(fitted: _Fitted, row: Row, notes: list[str]) -> FloatArray:
    """Return draws of the amplitude of a new post, shape (chain * draw,)."""
    spec = fitted.spec.response
    own_sd = fitted.scalar("amplitude_sd")
    market_sd = fitted.scalar("market_sd")
    if own_sd is not None and market_sd is not None:
        own_sd = np.hypot(own_sd, market_sd)
    out = fitted.group_mean["all"] + 0.0
    if own_sd is not None:
        own = own_sd * fitted.normals("post", str(row["post_id"]))
        if spec.heavy_tails:
            rng = stream(fitted.seed, "predict", "tails", str(row["post_id"]))
            half = AMPLITUDE_DF / 2.0
            own *= np.sqrt((half - 1.0) / rng.standard_gamma(half, fitted.n_draws))
        out += own
    for attribute in spec.group_by:
        level = str(row[attribute])
        label = f"{attribute}={level}"
        modelled = any(name.startswith(f"{attribute}=") for name in fitted.group_mean)
        if not level:
            if modelled:
                notes.append(f"{attribute} not given: no deviation for it")
        elif label in fitted.group_mean:
            out += fitted.group_mean[label]
        elif fitted.seen(attribute) and level not in fitted.seen(attribute):
            out += spec.group_sd * fitted.normals("group", label)
            notes.append(f"{attribute} {level!r} is new: its deviation is drawn from the prior")
    out = out + _influencer(fitted, str(row["influencer"]), notes)
    return spec.typical_amplitude * np.exp(out) if spec.positive_only else out


def _influencer(fitted: _Fitted, name: str, notes: list[str]) -> FloatArray:
    """Return draws of the deviation of an influencer; zero if the model has none."""
    if "influencer_effect" not in fitted.draws:
        return np.zeros(fitted.n_draws)
    known = [str(label) for label in fitted.draws["influencer"].to_numpy()]
    if name in known:
        return flat_draws(fitted.draws["influencer_effect"])[:, known.index(name)]
    if not name:
        notes.append("influencer not given: as a new one")
    elif name in fitted.seen("influencer"):
        notes.append(f"influencer {name!r} posted once: as a new one")
    else:
        notes.append(f"influencer {name!r} is new: the deviation is drawn from the prior")
    own = ("influencer", name) if name else ("no influencer",)
    return flat_draws(fitted.draws["influencer_sd"]) * fitted.normals(*own)


def _gain(posterior: Posterior, fitted: _Fitted, row: Row, notes: list[str]) -> FloatArray:
    """Return what views and size multiply the amplitude by."""
    log_gain = np.zeros(fitted.n_draws)
    views = float(row["views"])
    elasticity = fitted.scalar("views_elasticity")
    if elasticity is not None:
        given = fitted.posts["views"].to_numpy(dtype=np.float64)
        given = given[np.isfinite(given)]
        centre = float(np.log(given).mean())
        if np.isfinite(views):
            log_gain += elasticity * (np.log(views) - centre)
            if not given.min() <= views <= given.max():
                notes.append(
                    f"{views:,.0f} views are beyond the observed {given.min():,.0f} to "
                    f"{given.max():,.0f}: extrapolated"
                )
        else:
            notes.append(f"views not given: as {np.exp(centre):,.0f}")
    elif np.isfinite(views):
        notes.append("the model has no views: they do not count")
    if exponent := fitted.spec.response.size_exponent:
        downloads = posterior.downloads.to_numpy()
        sizes = [
            np.nanmean(np.log(np.maximum(downloads[max(0, day - SIZE_WINDOW_DAYS) : day], 0.5)))
            for day in fitted.posts["post_day"]
        ]
        log_gain += exponent * (np.mean(sizes) - np.log(float(row["baseline"])))
    with np.errstate(over="ignore"):
        return np.exp(log_gain)


def _scale(responses: Responses, fitted: _Fitted, row: Row, notes: list[str]) -> FloatArray:
    """Return draws of the kernel's scale for a new post, shape (chain * draw,)."""
    names = [str(name) for name in fitted.draws["kernel_group"].to_numpy()]
    by = fitted.spec.response.kernel_by
    level = "all" if by == "none" else str(row[by]) or "not given"
    if level in names:
        return responses.scale[:, names.index(level)]
    if level in fitted.seen(by) and "other" in names:
        return responses.scale[:, names.index("other")]
    notes.append(f"{by} {level!r} has no response in time of its own: drawn from the prior")
    return np.exp(_new_kernel(fitted, np.log(responses.scale), level))


def _new_kernel(fitted: _Fitted, log_scale: FloatArray, level: str) -> FloatArray:
    """Return draws of the complementary log-log share of a group that was not seen.

    Groups scatter about a common value, which is drawn given those of the groups that were seen.
    """
    spec = fitted.spec.response
    n_groups = log_scale.shape[1]
    common = log_scale[:, 0]
    if n_groups > 1:
        precision = 1 / spec.share_sd**2 + n_groups / spec.share_group_sd**2
        mean = spec.share_mean / spec.share_sd**2 + log_scale.sum(axis=1) / spec.share_group_sd**2
        common = mean / precision + fitted.normals("common kernel") / np.sqrt(precision)
    return np.asarray(common + spec.share_group_sd * fitted.normals("kernel", level))
