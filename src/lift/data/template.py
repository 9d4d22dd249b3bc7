"""A campaign to fill in: commented settings and small tables that validate as they are."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from lift.errors import LiftError

FILES = ("campaign.toml", "downloads.csv", "posts.csv", "controls.csv")


def new_campaign(folder: str | Path) -> Path:
    """Write a commented campaign with invented numbers, to be replaced by one's own.

    Parameters
    ----------
    folder : str or Path
        A folder that does not exist or is empty.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    LiftError
        If the folder holds something, or is a file, or cannot be made.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise LiftError(
            f"a new campaign must go into a new folder, found the file '{target}'; name another"
        )
    if target.is_dir() and any(target.iterdir()):
        raise LiftError(
            f"a new campaign must go into an empty folder, found files in '{target}'; name another"
        )
    templates = resources.files("lift.data") / "templates"
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (target / name).write_bytes((templates / name).read_bytes())
    except OSError as error:
        raise LiftError(
            f"the folder '{target}' must be writable, found: {error.strerror or error}; "
            "name another"
        ) from error
    return target
