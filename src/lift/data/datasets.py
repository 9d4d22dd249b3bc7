"""Real series for examples and tests: fetched once, checked against a pinned digest.

A data set is a table ``series_id, date, value`` with one row per day; an empty value is a day
that was not recorded. Its digest is the sha256 of that table as CSV, so it is the same content
wherever it comes from: the folder that the environment variable ``LIFT_DATA_DIR`` names, or the
original repository at a pinned commit, converted.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pandas as pd

from lift.data.dataset_registry import DATASETS, EVENTS, Dataset
from lift.data.tables import meant
from lift.errors import LiftError

__all__ = ("DATASETS", "EVENTS", "FOLDER_VARIABLE", "Dataset", "events", "fetch", "names", "to_csv")

FOLDER_VARIABLE = "LIFT_DATA_DIR"
DOWNLOAD_SECONDS = 30
"""Seconds without an answer after which a download is given up."""

SHORT_REASON = 160
"""Characters up to which the words of a failed download are passed on, not only its kind."""


def names() -> tuple[str, ...]:
    """Return the names of the data sets in alphabetical order."""
    return tuple(sorted(DATASETS))


def fetch(name: str) -> pd.DataFrame:
    """Return a data set.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Returns
    -------
    DataFrame
        Columns series_id (str), date (datetime64) and value (float64; NaN is a day that was not
        recorded), by series and date.

    Raises
    ------
    LiftError
        If there is no such data set, it cannot be had from the folder nor over the network, or
        its content is not the pinned one.
    """
    if name not in DATASETS:
        raise LiftError(
            f"the data set must be one of {', '.join(names())}, found '{name}'"
            f"{meant(name, names())}"
        )
    dataset = DATASETS[name]
    folder = _folder()
    if folder is not None and dataset.file:
        return _parse(_read_local(folder, dataset.file, dataset.sha256))
    if not dataset.sources:
        raise LiftError(
            f"the data set '{name}' must be in the folder that {FOLDER_VARIABLE} names, as "
            f"'{dataset.file}', found that variable not set; the original is published in "
            f"{dataset.origin}{dataset.instead}"
        )
    return _parse(_download(name, dataset))


def events(series_id: str | None = None) -> pd.DataFrame:
    """Return the known events of the series, such as launches and posts.

    Parameters
    ----------
    series_id : str, optional
        Only the events of this series, among them those given for a group of series: an id that
        ends in ``*``, or ``app:immuni``, stands for every series that begins so.

    Returns
    -------
    DataFrame
        Columns series_id (as published), date (datetime64), kind and note.

    Raises
    ------
    LiftError
        If ``LIFT_DATA_DIR`` does not name a folder with the table.
    """
    folder = _folder()
    if folder is None:
        raise LiftError(
            f"the known events must be in the folder that {FOLDER_VARIABLE} names, as "
            f"'{EVENTS.file}', found that variable not set; set it to the folder of real series"
        )
    text = _read_local(folder, EVENTS.file, EVENTS.sha256)
    frame = _parse(text)
    if series_id is None:
        return frame
    own = [_stands_for(given, series_id) for given in frame["series_id"]]
    return frame[own].reset_index(drop=True)


def _stands_for(given: str, series_id: str) -> bool:
    if given.endswith("*"):
        return series_id.startswith(given[:-1])
    return given == series_id or (given == "app:immuni" and series_id.startswith("app:immuni_"))


def _folder() -> Path | None:
    given = os.environ.get(FOLDER_VARIABLE, "")
    if not given:
        return None
    folder = Path(given)
    if not folder.is_dir():
        raise LiftError(
            f"{FOLDER_VARIABLE} must name a folder, found '{given}', which is none; correct or "
            "unset it"
        )
    return folder


def _read_local(folder: Path, file: str, sha256: str) -> str:
    path = folder / file
    if not path.is_file():
        raise LiftError(
            f"the folder that {FOLDER_VARIABLE} names must hold '{file}', found no such file in "
            f"'{folder}'; add it, or unset the variable"
        )
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise LiftError(
            f"'{file}' in the folder that {FOLDER_VARIABLE} names must have the sha256 {sha256}, "
            f"found {found}: it was changed; restore the original"
        )
    return data.decode("utf-8")


def _download(name: str, dataset: Dataset) -> str:
    """Return the data set as CSV text, made from the original files."""
    import pooch

    pooch.get_logger().setLevel("WARNING")

    texts = []
    for source in dataset.sources:
        try:
            path = pooch.retrieve(
                source.address,
                known_hash=f"sha256:{source.sha256}" if source.sha256 else None,
                fname=f"{name}-{source.commit[:12]}-{Path(source.path).name}",
                path=pooch.os_cache("lift"),
                downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_SECONDS),
            )
        except (OSError, ValueError) as error:
            words = str(error).partition("\n")[0]
            reason = words if 0 < len(words) <= SHORT_REASON else type(error).__name__
            other = f", or set {FOLDER_VARIABLE} to a folder with '{dataset.file}'"
            raise LiftError(
                f"the data set '{name}' must be had from {source.address}, found: {reason}; "
                f"connect to the network{other if dataset.file else ''}"
            ) from error
        texts.append(Path(path).read_text(encoding="utf-8"))
    text = to_csv(dataset.convert(texts))
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != dataset.sha256:
        raise LiftError(
            f"the data set '{name}' made from {dataset.origin} must have the sha256 "
            f"{dataset.sha256}, found {found}: the original is not the one that was pinned; set "
            f"{FOLDER_VARIABLE} to a folder that holds the data set"
        )
    return text


def to_csv(frame: pd.DataFrame) -> str:
    """Return a table series_id, date, value as the text whose sha256 is pinned."""
    return frame.to_csv(index=False, lineterminator="\n")


def _parse(text: str) -> pd.DataFrame:
    frame = pd.read_csv(io.StringIO(text), dtype={"series_id": "str"}, parse_dates=["date"])
    frame["date"] = frame["date"].astype("datetime64[us]")
    if "value" in frame:
        frame["value"] = frame["value"].astype("float64")
    return frame


def __dir__() -> list[str]:
    return sorted(__all__)
