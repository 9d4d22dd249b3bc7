"""Digests of tables: equal for equal content, whatever the file format or the order of rows."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


def table_digest(frame: pd.DataFrame | None) -> str:
    """Return the sha256 of a canonical table, as 64 hexadecimal digits.

    Columns enter in the order of their names and rows in the order of the frame. Numbers enter as
    float64 with one NaN and one zero, instants as microseconds since 1970 in UTC, text by its
    length and UTF-8 bytes, missing values as a length of -1.

    Parameters
    ----------
    frame : DataFrame or None
        None stands for a table that was not given; its digest differs from any table's.
    """
    digest = hashlib.sha256()
    if frame is None:
        digest.update(b"no table")
        return digest.hexdigest()
    digest.update(f"{len(frame)} rows\n".encode())
    for name in sorted(frame.columns):
        cells = frame[name]
        digest.update(f"{len(name.encode())}:{name}\n".encode())
        if pd.api.types.is_bool_dtype(cells.dtype):
            words = [None if pd.isna(cell) else str(bool(cell)) for cell in cells.tolist()]
            digest.update(_text_bytes(words))
        elif pd.api.types.is_numeric_dtype(cells.dtype):
            values = cells.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0
            values[np.isnan(values)] = np.nan
            digest.update(values.astype("<f8").tobytes())
        elif isinstance(cells.dtype, pd.DatetimeTZDtype):
            utc = cells.dt.tz_convert("UTC").dt.tz_localize(None)
            digest.update(utc.to_numpy("datetime64[us]").astype("<i8").tobytes())
        elif pd.api.types.is_datetime64_dtype(cells.dtype):
            digest.update(cells.to_numpy("datetime64[us]").astype("<i8").tobytes())
        else:
            digest.update(_text_bytes([None if pd.isna(c) else str(c) for c in cells.tolist()]))
    return digest.hexdigest()


def settings_digest(**settings: str | None) -> str:
    """Return the sha256 of named settings, as 64 hexadecimal digits."""
    words: list[str | None] = []
    for name in sorted(settings):
        words += [name, settings[name]]
    return hashlib.sha256(_text_bytes(words)).hexdigest()


def _text_bytes(words: list[str | None]) -> bytes:
    parts = []
    for word in words:
        data = b"" if word is None else word.encode()
        parts.append(f"{-1 if word is None else len(data)}:".encode() + data)
    return b"".join(parts)
