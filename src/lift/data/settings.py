"""The settings of a campaign: its name, time zone, country and tables, read from campaign.toml."""

from __future__ import annotations

import codecs
import os
import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)

from lift.data.tables import counted, meant, some
from lift.errors import Problem

FILE = "campaign.toml"
Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DatasetRef(_Closed):
    """A series of one of lift's data sets in place of a file.

    Attributes
    ----------
    dataset : str
        A name of :func:`lift.data.datasets.names`.
    series : str
        A ``series_id`` of that data set.
    """

    dataset: Name
    series: Name


def _is_reference(value: object) -> Literal["file", "dataset"]:
    return "dataset" if isinstance(value, dict | DatasetRef) else "file"


class Tables(_Closed):
    """Where the tables of a campaign are.

    Attributes
    ----------
    downloads : str or DatasetRef
        A file in the campaign's folder, or a series of a data set.
    posts : str
    controls : str, optional
    cohorts : str, optional
    """

    downloads: Annotated[
        Annotated[Name, Tag("file")] | Annotated[DatasetRef, Tag("dataset")],
        Discriminator(_is_reference),
    ]
    posts: Name
    controls: Name | None = None
    cohorts: Name | None = None


TABLES = tuple(Tables.model_fields)
"""The tables that a campaign may have, in the order in which they are read."""


class Settings(_Closed):
    """What campaign.toml says.

    Attributes
    ----------
    name : str
    timezone : str, optional
        IANA name of the zone in which a day of the downloads is cut.
    country : str, optional
        ISO 3166 code of the country whose holidays count, with a subdivision where it has its own.
    tables : Tables
    """

    name: Name = "campaign"
    timezone: Name | None = None
    country: Name | None = None
    tables: Tables = Field()


def read_settings(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """Return the settings of a campaign.toml, without those that are at fault.

    Parameters
    ----------
    path : Path
        The file.
    problems : list of Problem
        Faults are appended to it: text that is no TOML, unknown keys, wrong types.

    Returns
    -------
    dict
        The settings that hold: any of ``name``, ``timezone``, ``country``, ``downloads`` (a str
        or DatasetRef), ``posts``, ``controls``, ``cohorts``; and ``named``, the tables
        that the file names.
    """
    raw = _read_toml(path, problems)
    if raw is None:
        return {}
    faulty: set[str] = set()
    try:
        Settings.model_validate(raw)
    except ValidationError as error:
        for item in error.errors():
            keys = [str(part) for part in item["loc"] if part not in {"file", "dataset"}]
            if item["loc"][-1:] == ("dataset",) and item["type"] == "missing":
                keys.append("dataset")
            faulty.add(".".join(keys[:2]) if keys[0] == "tables" else keys[0])
            problems.append(Problem(FILE, _sentence(item["type"], keys, item["input"])))
    kept: dict[str, Any] = {
        key: raw[key].strip()
        for key in ("name", "timezone", "country")
        if key in raw and key not in faulty
    }
    tables = raw.get("tables")
    tables = tables if isinstance(tables, dict) else {}
    kept["named"] = sorted(tables)
    for key in TABLES:
        if key in tables and f"tables.{key}" not in faulty:
            value = tables[key]
            kept[key] = DatasetRef(**value) if isinstance(value, dict) else value.strip()
    return kept


def _read_toml(path: Path, problems: list[Problem]) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.append(Problem(FILE, f"must be readable, found: {error.strerror or error}"))
        return None
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        problems.append(
            Problem(
                FILE,
                f"must be encoded as UTF-8, found byte 0x{data[error.start]:02x} on line "
                f"{data.count(10, 0, error.start) + 1}; save it again as UTF-8",
            )
        )
        return None
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        problems.append(
            Problem(FILE, f"must be valid TOML, found: {error}; correct the line (quote text)")
        )
        return None


FIELDS: dict[str, type[BaseModel]] = {
    "": Settings,
    "tables": Tables,
    "tables.downloads": DatasetRef,
}


def _sentence(kind: str, keys: list[str], found: object) -> str:
    key = ".".join(keys)
    parent = ".".join(keys[:-1])
    known = list(FIELDS[parent].model_fields) if parent in FIELDS else []
    if kind == "extra_forbidden":
        elsewhere = ""
        if not parent and keys[-1] in Tables.model_fields:
            elsewhere = f"; it belongs below [tables]: {keys[-1]} = {found!r}"
        hint = elsewhere or meant(keys[-1], known)
        return f"key '{key}' is unknown{hint} (known: {', '.join(known)}); rename or remove it"
    if kind == "missing":
        example = '"downloads.csv"' if key == "tables.downloads" else f'"{keys[-1]}.csv"'
        if key == "tables":
            return "[tables] must be given with the keys downloads and posts, found none; add it"
        if parent == "tables.downloads":
            example = '"..."'
        return f"key '{key}' must be given, found none; add {keys[-1]} = {example}"
    shown = f"{found!r} ({type(found).__name__})"
    if kind == "string_too_short":
        return f"'{key}' must not be an empty text; fill it in or remove it"
    if key == "tables":
        return f"[tables] must be a table of file names, found {shown}; write [tables] on a line"
    either = ' or {dataset = "...", series = "..."}' if key == "tables.downloads" else ""
    return f"'{key}' must be text in quotation marks{either}, found {shown}; correct it"


def file_in(folder: Path, name: str, where: str, problems: list[Problem]) -> Path | None:
    """Return the path of a table's file.

    Parameters
    ----------
    folder : Path
        The campaign's folder.
    name : str
        The path in campaign.toml, with slashes of either kind.
    where : str
        The table.
    problems : list of Problem
        A path that leaves the folder is appended to it.

    Returns
    -------
    Path or None
        None if the path leaves the folder.
    """
    pure = PureWindowsPath(name) if "\\" in name else PurePosixPath(name)
    root = folder.resolve()
    path = (root / Path(*pure.parts)).resolve()
    if pure.is_absolute() or not path.is_relative_to(root):
        problems.append(
            Problem(
                FILE,
                f"tables.{where} must be a file in the campaign's folder, found the path '{name}' "
                "outside it; copy the file into the folder",
            )
        )
        return None
    return path


def path_from_here(path: Path) -> str:
    """Return a path relative to the working directory, with forward slashes.

    A path on another drive, which nothing leads to from here, becomes its last name.
    """
    if not path.is_absolute():
        return path.as_posix()
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:
        return path.name


def find_zone(name: str, where: str, problems: list[Problem]) -> ZoneInfo | None:
    """Return the zone of an IANA name.

    Parameters
    ----------
    name : str
    where : str
        Place of the setting in messages.
    problems : list of Problem
        An unknown name is appended to it, with the one probably meant.

    Returns
    -------
    ZoneInfo or None
        None if the name is unknown.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        zones = available_timezones()
        hint = meant(name, zones)
        if not hint:
            cities = {zone.rsplit("/", 1)[-1]: zone for zone in sorted(zones, reverse=True)}
            near = [cities[city] for city in cities if city.casefold() == name.casefold()]
            hint = f" (did you mean '{near[0]}'?)" if near else ""
        problems.append(
            Problem(
                where,
                f"timezone must be an IANA name such as 'Europe/Rome' or 'UTC', found "
                f"'{name}'{hint}; correct it",
            )
        )
        return None


def check_paths_differ(settings: dict[str, Any], problems: list[Problem]) -> None:
    """Name tables that are taken from the same file; only the first of them stays."""
    files = {key: settings[key] for key in TABLES if key in settings}
    users: dict[str, list[str]] = {}
    for key, value in files.items():
        if isinstance(value, str):
            users.setdefault(value, []).append(key)
    shared = [f"{some(keys)} all name '{value}'" for value, keys in users.items() if len(keys) > 1]
    for keys in users.values():
        for repeated in keys[1:]:
            del settings[repeated]
    if shared:
        problems.append(
            Problem(
                FILE,
                f"every table must have its own file, found {counted(len(shared), 'file')} used "
                f"twice: {some(shared)}; correct the paths",
            )
        )
