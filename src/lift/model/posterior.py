"""The posterior: the one result that every engine returns and everything after it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from xarray.core.indexing import LazilyIndexedArray

from lift.data.campaign import Campaign
from lift.data.cohorts import Cohorts
from lift.errors import RunError
from lift.model.baseline import weekday_contrasts
from lift.model.design import Design
from lift.model.hyper import natural
from lift.model.impulse import gains, impulses
from lift.model.markets_spec import MARKET_SCALARS
from lift.model.predictor import common_shares, post_amplitudes
from lift.model.spec import ModelSpec
from lift.model.states import STATE_SCALARS

FloatArray = NDArray[np.float64]

COHORTS, USERS = "cohorts", "users"
"""Names of the groups of what users are estimated from, where they exist."""

GROUPS = ("posterior", "sample_stats", "observed_data", "constant_data")
TEXT_COLUMNS = ("influencer", "platform", "creator_type", "content", "sponsored")
# Numbers in an array of some draws: 1 MB.
MAX_VALUES = 2**17
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of everything unknown, with the data that effects are computed from.

    Attributes
    ----------
    tree : DataTree
        Groups ``posterior`` (dims chain, draw and more), ``sample_stats`` (diagnostics of the
        engine in its attributes), ``observed_data`` (downloads by date, NaN = not observed) and
        ``constant_data`` (attributes of the posts; "" or NaN = not given). Root attributes name
        campaign, market, time zone, engine, seed, horizon and window, ``typical_amplitude`` where
        amplitudes are log-normal multiples of it, ``saturation`` where there is a curve of that
        name. Where users are estimated:
        ``cohorts`` (installs and active users by install date), and ``users/day_N``, each a whole
        posterior of the same model fitted to the users active N days after their install.
    """

    tree: xr.DataTree

    def __repr__(self) -> str:
        """Return one line: campaign, engine, draws, days and posts."""
        attrs, sizes = self.attrs, self.draws.sizes
        return (
            f"Posterior({attrs.get('campaign', '')!r}, {attrs.get('engine', 'no engine')}: "
            f"{sizes['chain']} chains of {sizes['draw']:,} draws, {len(self.dates)} days, "
            f"{len(self.posts)} posts)"
        )

    def _repr_html_(self) -> str:
        return str(self.tree._repr_html_())  # type: ignore[no-untyped-call]

    @property
    def draws(self) -> xr.Dataset:
        """Draws, dims (chain, draw, ...)."""
        return self.tree["posterior"].to_dataset()

    @property
    def downloads(self) -> xr.DataArray:
        """Observed downloads per day, dims (date,); NaN = not observed."""
        return self.tree["observed_data"].to_dataset()["downloads"]

    @property
    def dates(self) -> pd.DatetimeIndex:
        """The calendar."""
        return pd.DatetimeIndex(self.downloads["date"].to_numpy()).as_unit("us")

    @property
    def posts(self) -> pd.DataFrame:
        """One row per post, in order of time; column ``post`` is its id."""
        return self._posts.copy()

    @cached_property
    def _posts(self) -> pd.DataFrame:
        constant = self.tree["constant_data"].to_dataset()
        return constant.to_dataframe().reset_index()

    @property
    def cohorts(self) -> Cohorts | None:
        """The market's cohorts, where the campaign has them."""
        if COHORTS not in self.tree.children:
            return None
        table = self.tree[COHORTS].to_dataset().to_dataframe().reset_index()
        return Cohorts(table.astype({"install_date": "datetime64[us]"}))

    @property
    def user_series(self) -> dict[int, Posterior]:
        """Posteriors of the same model fitted to users, by day after the install."""
        if USERS not in self.tree.children:
            return {}
        fits = self.tree[USERS].children
        return {int(name.removeprefix("day_")): Posterior(fit) for name, fit in fits.items()}

    def with_users(
        self, cohorts: Cohorts | None, series: Mapping[int, Posterior] | None = None
    ) -> Posterior:
        """Return the posterior with what estimates of users are made from.

        Parameters
        ----------
        cohorts : Cohorts or None
        series : mapping of int to Posterior, optional
            By day after the install, of :func:`lift.data.cohorts.users_campaign`.

        Returns
        -------
        Posterior
        """
        groups = {name: group for name, group in self.tree.children.items()}
        if cohorts is not None:
            table = cohorts.table.set_index("install_date")
            groups[COHORTS] = xr.DataTree(xr.Dataset.from_dataframe(table))
        if series:
            fits = {f"day_{day}": fit.tree for day, fit in sorted(series.items())}
            groups[USERS] = xr.DataTree(children=fits)
        return Posterior(xr.DataTree(self.tree.to_dataset(), children=groups))

    def with_stats(self, more: Mapping[str, Any]) -> Posterior:
        """Return the posterior with more diagnostics of the engine.

        Parameters
        ----------
        more : mapping
            Added to ``sample_stats``, in place of those of the same name.

        Returns
        -------
        Posterior
        """
        groups = {name: group.copy() for name, group in self.tree.children.items()}
        groups["sample_stats"].attrs.update(more)
        return Posterior(xr.DataTree(self.tree.to_dataset(), children=groups))

    @property
    def sample_stats(self) -> dict[str, Any]:
        """Diagnostics of the engine."""
        return {str(key): value for key, value in self.tree["sample_stats"].attrs.items()}

    @property
    def attrs(self) -> dict[str, Any]:
        """What was fitted: campaign, market, engine, seed, horizon_days, window_days."""
        return {str(key): value for key, value in self.tree.attrs.items()}

    @property
    def groups(self) -> tuple[str, ...]:
        """The overall mean and the groups that the model pools posts by.

        Raises
        ------
        RunError
            If the engine does not pool posts.
        """
        if "group" not in self.draws:
            raise RunError(
                "this needs the means that posts are pooled towards, and the engine "
                f'{self.attrs.get("engine")!r} does not pool them; fit with engine = "exact"'
            )
        return tuple(str(label) for label in self.draws["group"].to_numpy())

    def to_netcdf(self, path: str | Path) -> None:
        """Write the tree as one netCDF-4 file that xarray and ArviZ open.

        Parameters
        ----------
        path : str or Path
        """
        self.tree.to_netcdf(Path(path), engine="h5netcdf")

    @classmethod
    def from_netcdf(cls, path: str | Path) -> Posterior:
        """Return the posterior in a netCDF-4 file.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Posterior

        Raises
        ------
        RunError
            If the file is missing or is not a posterior of lift.
        """
        file = Path(path)
        if not file.is_file():
            raise RunError(
                f"there must be a posterior at {file}, found none; fit the campaign again"
            )
        try:
            with xr.open_datatree(file, engine="h5netcdf") as opened:
                tree = opened.load()
        except (OSError, ValueError) as error:
            raise RunError(f"{file.name} must be a netCDF-4 file of lift; {error}") from None
        missing = [group for group in GROUPS if group not in tree.children]
        if missing:
            raise RunError(
                f"{file.name} is not a posterior of lift: it has no {', '.join(missing)}"
            )
        return cls(tree)


def assemble(
    campaign: Campaign,
    spec: ModelSpec,
    design: Design,
    *,
    coordinates: FloatArray,
    coefficients: FloatArray,
    attrs: Mapping[str, Any],
    stats: Mapping[str, Any],
    selection: Mapping[str, FloatArray] | None = None,
) -> Posterior:
    """Return a posterior from an engine's draws.

    Parameters
    ----------
    campaign : Campaign
    spec : ModelSpec
    design : Design
    coordinates : ndarray, shape (chain, draw, d)
        Standard normal coordinates of the hyperparameters.
    coefficients : ndarray, shape (chain, draw, q)
        Baseline columns, posts' own deviations, group means, influencers.
    attrs : mapping
        Engine, seed and the like, for the root.
    stats : mapping
        Diagnostics, for ``sample_stats``.
    selection : mapping of str to ndarray, optional
        More variables of shape (chain, draw), or (chain, draw, control).

    Returns
    -------
    Posterior
    """
    n_chains, n_draws, _ = coordinates.shape
    values = natural(coordinates.reshape(n_chains * n_draws, -1), design.hypers, design.mix)
    hyper = values.reshape(n_chains, n_draws, -1)
    posts = design.posts
    n_posts = len(posts.ids)
    n_fixed = design.fixed.shape[1]
    data: dict[str, tuple[tuple[str, ...], FloatArray | LazilyIndexedArray]] = {}
    for name in ("noise_sd", "level_sd", "control_sd", "amplitude_sd", "influencer_sd"):
        data |= _scalar(design, hyper, name)
    for name in ("views_elasticity", "displacement", "free_sd", "market_sd", "noise_df"):
        data |= _scalar(design, hyper, name)
    for name in (*MARKET_SCALARS, *STATE_SCALARS):
        data |= _scalar(design, hyper, name)
    dims = ("chain", "draw")
    coords: dict[str, Any] = {
        "chain": np.arange(n_chains),
        "draw": np.arange(n_draws),
    }
    if names := design.states.controls:
        first = design.position("control_step_sd")
        data["control_step_sd"] = ((*dims, "evolving"), hyper[..., first : first + len(names)])
        coords["evolving"] = list(names)
    for name, array in (selection or {}).items():
        data[name] = ((*dims, "control")[: array.ndim], array)
    start = 0
    for block in design.blocks:
        part = coefficients[..., start : start + len(block.labels)]
        start += len(block.labels)
        if block.name == "free_kernel":
            spread = hyper[..., design.position("free_sd"), None] * design.free_shares
            mean = (part @ design.free_shares)[..., None]
            data["free_share"] = ((*dims, "kernel_day"), spread * (part - mean))
            coords["kernel_day"] = np.arange(len(block.labels))
            data["gain"] = ((*dims, "post"), gains(design, hyper))
        elif block.name == "week":
            data["week"] = ((*dims, "weekday"), part @ weekday_contrasts().T)
            coords["weekday"] = list(WEEKDAYS)
        else:
            dim = {"year": "harmonic"}.get(block.name, block.name)
            data[block.name if dim != block.name else f"{block.name}_effect"] = ((*dims, dim), part)
            coords[dim] = list(block.labels)
    if n_posts:
        first = design.position("first_day")
        scale = np.exp(hyper[..., first : first + len(posts.kernel_groups)])
        data["first_day_share"] = ((*dims, "kernel_group"), -np.expm1(-scale))
        coords["kernel_group"] = list(posts.kernel_groups)
        if design.kernel != "geometric":
            data["kernel_shape"] = (dims, np.exp(hyper[..., design.position("log_shape")]))
        own = coefficients[..., n_fixed : n_fixed + n_posts]
        means = coefficients[..., n_fixed + n_posts :]
        n_groups = len(posts.groups)
        amplitude = np.empty((n_chains, n_draws, n_posts))
        # of many posts it is large: arrays in between are of some draws at a time
        step = max(1, MAX_VALUES // n_posts)
        for chain, begin in product(range(n_chains), range(0, n_draws, step)):
            drawn = (chain, slice(begin, begin + step))
            share = 1.0 if posts.share is None else common_shares(design, hyper[drawn])
            amplitude[drawn] = post_amplitudes(design, own[drawn], means[drawn], share)
        if n_groups:
            data["group_mean"] = ((*dims, "group"), means[..., :n_groups])
            coords["group"] = list(posts.groups)
        if posts.influencers:
            data["influencer_effect"] = ((*dims, "influencer"), means[..., n_groups:])
            coords["influencer"] = list(posts.influencers)
        data["amplitude"] = ((*dims, "post"), amplitude)
        data["impulse"] = ((*dims, "post"), impulses(design, hyper, amplitude))
        if (limit := design.position("log_limit")) >= 0:
            data["saturation_limit"] = (dims, np.exp(hyper[..., limit]))
        coords["post"] = list(posts.ids)
    variables = {
        name: (dim, np.ascontiguousarray(array) if isinstance(array, np.ndarray) else array)
        for name, (dim, array) in data.items()
    }
    draws = xr.Dataset(variables, coords=coords)
    root = {
        "campaign": campaign.name,
        "market": campaign.markets[0],
        "timezone": campaign.timezone or "UTC",
        "horizon_days": spec.horizon_days,
        "window_days": design.window_days,
        "displacement_after": design.displacement_lags[0],
        "displacement_until": design.displacement_lags[1],
        "likelihood": design.likelihood,
        "kernel": design.kernel,
        "scale": "linear" if design.linear else "log",
        "unit": design.unit,
        **attrs,
    }
    if design.typical_amplitude is not None:
        root["typical_amplitude"] = design.typical_amplitude
    if design.saturation != "none":
        root["saturation"] = design.saturation
    return Posterior(
        xr.DataTree.from_dict(
            {
                "/": xr.Dataset(attrs=root),
                "/posterior": draws,
                "/sample_stats": xr.Dataset(attrs=dict(stats)),
                "/observed_data": xr.Dataset(
                    {"downloads": (("date",), design.downloads)},
                    coords={"date": design.dates.to_numpy()},
                ),
                "/constant_data": _post_table(campaign, design),
            }
        )
    )


def _scalar(
    design: Design, hyper: FloatArray, name: str
) -> dict[str, tuple[tuple[str, ...], FloatArray]]:
    position = design.position(name)
    return {name: (("chain", "draw"), hyper[..., position])} if position >= 0 else {}


def _post_table(campaign: Campaign, design: Design) -> xr.Dataset:
    table = campaign.posts
    posts = design.posts
    dim = ("post",)
    columns: dict[str, tuple[tuple[str], Any]] = {
        "post_day": (dim, posts.day),
        "post_fraction": (dim, posts.fraction),
        "kernel_group_index": (dim, posts.kernel_group),
        "log_views": (dim, posts.log_views),
        "views": (dim, table["views"].to_numpy(dtype=np.float64)),
        "cost": (dim, table["cost"].to_numpy(dtype=np.float64)),
        "posted_at": (
            dim,
            np.array([stamp.isoformat() for stamp in table["posted_at"]], dtype=str),
        ),
    }
    for name in TEXT_COLUMNS:
        values = ["" if pd.isna(value) else str(value) for value in table[name]]
        columns[name] = (dim, np.array(values, dtype=str))
    if posts.share is not None:
        columns["share"] = (dim, posts.share)
    return xr.Dataset(columns, coords={"post": np.array(posts.ids, dtype=str)})
