"""Hand-made posteriors: draws that are written down, nothing fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

TEXT = ("influencer", "platform", "creator_type", "content", "sponsored")
DIMS = ("chain", "draw")


def hand_made(
    impulse: ArrayLike,
    days: Sequence[int],
    downloads: ArrayLike,
    *,
    fractions: Sequence[float] | None = None,
    shares: ArrayLike = 0.35,
    shape: ArrayLike = 0.9,
    kernel_groups: Sequence[str] = ("all",),
    kernel_group: Sequence[int] | None = None,
    window_days: int = 60,
    horizon_days: int = 28,
    start: str = "2025-01-01",
    ids: Sequence[str] | None = None,
    views: Sequence[float] | None = None,
    amplitude: ArrayLike | None = None,
    text: Mapping[str, Sequence[str]] | None = None,
    draws: Mapping[str, tuple[str | None, ArrayLike]] | None = None,
    coords: Mapping[str, Sequence[str]] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> Posterior:
    """Return a posterior of two chains.

    ``impulse`` (and ``amplitude``, the same where not given) has shape (draw, post) with an even
    number of draws; ``draws`` maps names to a dimension (None for a scalar) and values of shape
    (draw[, dimension]), or numbers for all draws; posts have no attribute but those in ``text``.
    """
    impulses = np.asarray(impulse, dtype=np.float64)
    n_draws, n_posts = impulses.shape
    names = list(ids) if ids is not None else [f"p{j + 1}" for j in range(n_posts)]

    def folded(values: ArrayLike, *width: int) -> FloatArray:
        whole = np.broadcast_to(np.asarray(values, dtype=np.float64), (n_draws, *width))
        return np.array(whole.reshape(2, n_draws // 2, *width))

    variables: dict[str, Any] = {
        "impulse": ((*DIMS, "post"), folded(impulses, n_posts)),
        "amplitude": (
            (*DIMS, "post"),
            folded(impulses if amplitude is None else amplitude, n_posts),
        ),
        "first_day_share": ((*DIMS, "kernel_group"), folded(shares, len(kernel_groups))),
        "kernel_shape": (DIMS, folded(shape)),
    }
    sizes = {name: len(values) for name, values in (coords or {}).items()}
    for name, (dim, values) in (draws or {}).items():
        variables[name] = (
            (DIMS, folded(values)) if dim is None else ((*DIMS, dim), folded(values, sizes[dim]))
        )
    view_values = np.full(n_posts, np.nan) if views is None else np.asarray(views, dtype=float)
    log_views = np.log(view_values)
    centre = np.nanmean(log_views) if np.isfinite(log_views).any() else 0.0
    constant: dict[str, Any] = {
        "post_day": ("post", np.asarray(days, dtype=np.int64)),
        "post_fraction": ("post", np.array(fractions or [0.5] * n_posts, dtype=np.float64)),
        "kernel_group_index": ("post", np.array(kernel_group or [0] * n_posts, dtype=np.int64)),
        "views": ("post", view_values),
        "log_views": ("post", np.where(np.isfinite(log_views), log_views - centre, 0.0)),
        "cost": ("post", np.full(n_posts, np.nan)),
    }
    for name in TEXT:
        given = (text or {}).get(name, [""] * n_posts)
        constant[name] = ("post", np.array([str(value) for value in given], dtype=str))
    values = np.asarray(downloads, dtype=np.float64)
    root = {
        "campaign": "hand-made",
        "market": "all",
        "timezone": "UTC",
        "horizon_days": horizon_days,
        "window_days": window_days,
        "displacement_after": 14,
        "displacement_until": 42,
        "likelihood": "lognormal",
        **(attrs or {}),
    }
    return Posterior(
        xr.DataTree.from_dict(
            {
                "/": xr.Dataset(attrs=root),
                "/posterior": xr.Dataset(
                    variables,
                    coords={
                        "chain": np.arange(2),
                        "draw": np.arange(n_draws // 2),
                        "post": names,
                        "kernel_group": list(kernel_groups),
                        **{name: list(labels) for name, labels in (coords or {}).items()},
                    },
                ),
                "/sample_stats": xr.Dataset(),
                "/observed_data": xr.Dataset(
                    {"downloads": (("date",), values)},
                    coords={"date": pd.date_range(start, periods=len(values)).to_numpy()},
                ),
                "/constant_data": xr.Dataset(constant, coords={"post": names}),
            }
        )
    )
