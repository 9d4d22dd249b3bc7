"""One archive of a run that a journal can host: the same bytes each time, checked when opened."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from lift import __version__, provenance
from lift.data.campaign import Campaign, write_campaign
from lift.errors import RunError
from lift.model.spec import ModelSpec
from lift.output import manifest as manifests
from lift.output import store
from lift.output.inputs import changed_inputs, inputs_of, manifest_of
from lift.replication.rerun import MODEL_FILE, made_again
from lift.replication.stand_in import stand_in

FORMAT = "lift-bundle/1"
INDEX = "bundle.json"
README = "README.txt"
RUN, INPUTS, STAND_IN = "run", "inputs", "stand_in"
EFFECTS = "effects.csv"
PUBLIC_COLUMNS = (
    "by",
    "unit",
    "n_posts",
    "n_days",
    "mean",
    "median",
    "sd",
    "lower",
    "upper",
    "prob",
    "prob_positive",
    "mcse_mean",
)
"""Columns of the effects from which no observed count can be worked out."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the earliest that an archive can hold."""
LARGEST_FILE = 2**31


@dataclass(frozen=True)
class Opened:
    """An archive that has been opened, and whose contents are those of its index.

    Attributes
    ----------
    run : Path
        Run directory that can be made again from ``inputs``.
    inputs : Path
        Campaign folder.
    simulated : bool
        Whether both are of the stand-in, and the run's own data are private.
    private_run : Path or None
        What is told of the private run: its manifest, specification and effects.
    """

    run: Path
    inputs: Path
    simulated: bool
    private_run: Path | None


def bundle(
    run: str | Path,
    file: str | Path,
    campaign: str | Path | None = None,
    *,
    private: bool = False,
) -> Path:
    """Pack a run into one archive.

    Parameters
    ----------
    run : str or Path
        A run directory.
    file : str or Path
        A zip archive that is not there yet.
    campaign : str or Path, optional
        The campaign; by default the one that the run names.
    private : bool
        The data must not be given away. The archive then holds the digests of the inputs, the
        specification and the effects without observed counts; its draws, report and figures,
        which show the data, stay out; a simulated stand-in of the same shape takes their place,
        with a run of the same analysis that can be made again.

    Returns
    -------
    Path
        The archive; the same run gives the same bytes.

    Raises
    ------
    RunError
        If it is no complete run, the archive is there already, or the campaign is not found.
    InputError
        If the campaign is not the one that the run was made from.
    """
    folder, target = Path(run).expanduser(), Path(file).expanduser()
    if target.exists():
        raise RunError(f"{file} is there already; name another archive")
    stored = store.load(folder)
    read = inputs_of(folder, campaign)
    with tempfile.TemporaryDirectory() as passing:
        root = Path(passing)
        if private:
            _pack_private(root, stored, read)
        else:
            _copy(folder, root / RUN, [manifests.FILE, *stored.manifest["outputs"]])
            _write_inputs(root / INPUTS, read, stored.spec, stored.manifest)
        lock = provenance.lock_file()
        if lock is not None:
            shutil.copyfile(lock, root / provenance.LOCK)
        (root / README).write_text(_readme(stored.manifest, private), encoding="utf-8")
        _write_index(root, stored.manifest, private)
        _zip(root, target)
    return target


@contextmanager
def opened(file: str | Path) -> Iterator[Opened]:
    """Unpack an archive into a folder that passes, after holding it against its index.

    Parameters
    ----------
    file : str or Path
        Made by :func:`bundle`.

    Yields
    ------
    Opened

    Raises
    ------
    RunError
        If it is no archive of lift, or something in it is missing, added or changed.
    """
    with tempfile.TemporaryDirectory() as passing:
        root = Path(passing)
        index = _unzip(Path(file), root)
        if index["private"]:
            home = root / STAND_IN
            yield Opened(home / RUN, home / INPUTS, True, root / RUN)
        else:
            yield Opened(root / RUN, root / INPUTS, False, None)


def is_bundle(file: Path) -> bool:
    """Return whether a file is a zip archive."""
    return file.is_file() and zipfile.is_zipfile(file)


def _pack_private(root: Path, stored: store.StoredRun, campaign: Campaign) -> None:
    """Write what may be told of a private run, and a run of its stand-in."""
    (root / RUN).mkdir(parents=True)
    _copy(stored.folder, root / RUN, [manifests.FILE, store.SPEC])
    from lift.analysis.effects import Effects

    table = Effects(stored.posterior).long()
    told = table.loc[table["quantity"] == "cumulative", list(PUBLIC_COLUMNS)]
    (root / RUN / EFFECTS).write_bytes(store.csv_bytes(told))
    manifest = stored.manifest
    made = stand_in(campaign, manifest["seed"])
    analysis = made_again(made, stored.spec, manifest, engine=manifest["engine"]["name"])
    marks = {"created": manifest["created"], "seconds": {}, "simulated": True}
    replace(analysis, manifest={**analysis.manifest, **marks}).save(root / STAND_IN / RUN)
    _write_inputs(root / STAND_IN / INPUTS, made, stored.spec, analysis.manifest)


def _write_inputs(
    folder: Path, campaign: Campaign, spec: ModelSpec, manifest: Mapping[str, Any]
) -> None:
    """Write a campaign and the specification, and make sure that they read back the same."""
    from lift.data.campaign import read_campaign

    write_campaign(campaign, folder)
    (folder / MODEL_FILE).write_text(spec.to_toml(), encoding="utf-8", newline="\n")
    changed = changed_inputs(manifest, read_campaign(folder))
    if changed:
        raise RunError(
            f"the inputs must be packed without a change, found other {', '.join(changed)}; "
            "this is a fault of lift: report it with the campaign's settings"
        )


def _copy(source: Path, target: Path, names: list[str]) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _readme(manifest: Mapping[str, Any], private: bool) -> str:
    head = f"A run of lift {manifest['lift']}: {manifest['campaign']}\n\n"
    again = (
        "Install lift with the packages of requirements.lock, then\n\n"
        "    lift verify THIS_ARCHIVE\n\n"
    )
    if not private:
        return (
            f"{head}{again}reads the inputs (inputs/), makes the run (run/) again and says for "
            "each number whether it is\nthe same. report.html in run/ is to be read.\n"
        )
    return (
        f"{head}THE DATA OF THIS RUN ARE PRIVATE AND ARE NOT HERE. run/ holds its manifest, with "
        "the SHA-256 of every\ninput and output, its specification and its effects. stand_in/ is "
        "SIMULATED: a campaign of the same shape,\nwhose numbers mean nothing, and a run of the "
        f"same analysis on it.\n\n{again}makes the stand-in's run again. Who holds the data makes "
        "the private run again with\n\n    lift verify THIS_ARCHIVE --campaign DIR\n"
    )


def _write_index(root: Path, manifest: Mapping[str, Any], private: bool) -> None:
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    index = {
        "format": FORMAT,
        "lift": __version__,
        "campaign": manifest["campaign"],
        "private": private,
        "simulated_stand_in": private,
        "contents": {name: manifests.digest_file(root / name) for name in names},
    }
    (root / INDEX).write_text(manifests.text(index), encoding="utf-8", newline="\n")


def _zip(root: Path, target: Path) -> None:
    """Write every file below a folder, uncompressed, in the order of names, without its time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.partial")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(p for p in root.rglob("*") if p.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), EPOCH)
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _unzip(file: Path, root: Path) -> dict[str, Any]:
    """Unpack an archive of lift and return its index; nothing outside a folder is written."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            for entry in entries:
                path = PurePosixPath(entry.filename)
                if path.is_absolute() or ".." in path.parts or entry.file_size > LARGEST_FILE:
                    raise RunError(f"{file} must hold files of a run, found {entry.filename!r}")
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(archive.read(entry))
        index = json.loads((root / INDEX).read_text(encoding="utf-8"))
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise RunError(f"{file} must be an archive made by lift bundle; {error}") from None
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise RunError(
            f"{file} must be an archive of the format {FORMAT}; make it with lift bundle"
        )
    contents = index["contents"]
    present = {entry.filename for entry in entries} - {INDEX}
    wrong = sorted(present ^ set(contents)) + sorted(
        name
        for name in present & set(contents)
        if manifests.digest_file(root / name) != contents[name]
    )
    if wrong:
        raise RunError(
            f"{file} must be as it was packed, found missing, added or changed: {', '.join(wrong)}"
        )
    manifest_of(root / RUN)
    return index
