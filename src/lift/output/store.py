"""A run directory: written whole or not at all, read back with its digests checked."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lift.analysis.diagnostics import Finding
from lift.analysis.effects import Effects
from lift.analysis.outcomes import Outcomes, long_table
from lift.errors import InputError, RunError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.output import manifest as manifests

if TYPE_CHECKING:
    from lift.output.facts import Facts

POSTERIOR = "posterior.nc"
SPEC = "spec.toml"
EFFECTS_CSV = "effects.csv"
EFFECTS_PARQUET = "effects.parquet"
TRUTH = "truth.csv"
COMPONENTS = "components.csv"
REPORT = "report.html"
FIGURES = "figures"

FLOAT_FORMAT = "%.10g"
"""Ten significant figures: far below any Monte Carlo error, and the same text everywhere."""


@dataclass(frozen=True, eq=False)
class StoredRun:
    """What a run directory holds.

    Attributes
    ----------
    folder : Path
    posterior : Posterior
    spec : ModelSpec
    manifest : dict
    truth : DataFrame or None
        ``by, unit, truth`` where the data were simulated.
    """

    folder: Path
    posterior: Posterior
    spec: ModelSpec
    manifest: dict[str, Any]
    truth: pd.DataFrame | None


def save(
    folder: str | Path,
    *,
    posterior: Posterior,
    effects: Effects,
    spec: ModelSpec,
    manifest: Mapping[str, object],
    findings: Sequence[Finding],
    truth: pd.DataFrame | None = None,
    outcomes: Outcomes | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a run directory and return its path.

    Everything is written beside ``folder`` first and then renamed, so that there is never half a
    run: after an error or an interrupt ``folder`` is as it was.

    Parameters
    ----------
    folder : str or Path
        Must not exist, be empty, or (with ``overwrite``) be an earlier run of lift.
    posterior : Posterior
    effects : Effects
    spec : ModelSpec
    manifest : mapping
        As :func:`lift.output.manifest.build` makes it; the digests of the outputs are added.
    findings : sequence of Finding
    truth : DataFrame, optional
        ``by, unit, truth`` where the data were simulated.
    outcomes : Outcomes, optional
        Tables of users and money, where the run has what they are made from.
    overwrite : bool
        Replace an earlier run.

    Returns
    -------
    Path

    Raises
    ------
    RunError
        If something that is not a run is in the way, or the folder cannot be written.
    """
    from lift.output.facts import gather  # loads matplotlib, which reading a run does not need

    target = check_target(folder, overwrite=overwrite)
    beside = outcomes or Outcomes()
    facts = gather(effects, findings, manifest, spec=spec, truth=truth, outcomes=beside)
    with _whole(target) as partial:
        posterior.to_netcdf(partial / POSTERIOR)
        (partial / SPEC).write_text(spec.to_toml(), encoding="utf-8", newline="\n")
        table = long_table(effects, beside)
        (partial / EFFECTS_CSV).write_bytes(csv_bytes(table))
        table.to_parquet(partial / EFFECTS_PARQUET, index=False)
        if truth is not None:
            (partial / TRUTH).write_bytes(csv_bytes(truth))
        _write_report(partial, facts)
        written = {**manifest, "outputs": manifests.output_digests(partial)}
        (partial / manifests.FILE).write_text(
            manifests.text(written), encoding="utf-8", newline="\n"
        )
    return target


def check_target(folder: str | Path, *, overwrite: bool = False) -> Path:
    """Return where a run may be written; call it before any long computation.

    Parameters
    ----------
    folder : str or Path
    overwrite : bool
        Allow an earlier run of lift there.

    Raises
    ------
    RunError
        If a file, a folder that is not a run, or a run that must not be replaced is in the way.
    """
    target = Path(os.path.abspath(Path(folder).expanduser()))  # noqa: PTH100  keeps a last symlink
    if target.is_symlink():
        target = target.resolve()
    if not target.exists():
        for parent in target.parents:
            if parent.exists():
                if not parent.is_dir():
                    raise RunError(f"{folder} cannot be made: {parent.name} is a file")
                if not os.access(parent, os.W_OK | os.X_OK):
                    raise RunError(f"{folder} cannot be made: no permission to write there")
                break
        return target
    if not target.is_dir():
        raise RunError(f"{folder} must be a folder for the run, found a file; choose another name")
    if not any(target.iterdir()):
        return target
    recorded = recorded_manifest(target)
    if recorded is None:
        raise RunError(
            f"{folder} is not empty and is not a run of lift; nothing there is touched, "
            "choose another folder"
        )
    if not overwrite:
        raise RunError(
            f"{folder} holds a run already; choose another folder, or say --overwrite "
            "(overwrite=True) to replace it"
        )
    known = {manifests.FILE, *recorded.get("outputs", {})}
    present = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    if strange := sorted(present - known):
        raise RunError(
            f"{folder} holds {len(strange)} file(s) that lift did not write, such as {strange[0]}; "
            "move them away, then the run can be replaced"
        )
    return target


def load(folder: str | Path) -> StoredRun:
    """Return what a run directory holds, after holding its files against the manifest.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    RunError
        If it is not a run of lift, is of another layout, or a file that results are computed
        from is missing or has changed.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise RunError(f"{folder} must be a run directory, found none; make one with lift fit")
    recorded = recorded_manifest(path)
    if recorded is None:
        inside = sorted(file.parent.name for file in path.glob(f"*/{manifests.FILE}"))
        runs = f"; it holds the runs {', '.join(inside)}: name one of them" if inside else ""
        raise RunError(f"{folder} is not a run of lift: it has no {manifests.FILE} of one{runs}")
    if recorded["format"] != manifests.FORMAT:
        raise RunError(
            f"{folder} has the layout {recorded['format']}, this version of lift reads "
            f"{manifests.FORMAT}; read it with lift {recorded.get('lift')}"
        )
    outputs = recorded.get("outputs", {})
    needed = [POSTERIOR, SPEC, *(name for name in (TRUTH, COMPONENTS) if name in outputs)]
    for name in needed:
        if not (path / name).is_file():
            raise RunError(f"{folder} is not complete: {name} is missing; fit the campaign again")
        if manifests.digest_file(path / name) != outputs.get(name):
            raise RunError(
                f"{folder} has been changed: {name} does not match its digest in "
                f"{manifests.FILE}; fit the campaign again"
            )
    try:
        spec = ModelSpec.from_toml(path / SPEC)
    except InputError as error:
        raise RunError(f"{folder}: {SPEC} cannot be read by this version; {error}") from None
    truth = read_truth(path) if TRUTH in outputs else None
    return StoredRun(path, Posterior.from_netcdf(path / POSTERIOR), spec, recorded, truth)


def read_truth(folder: Path) -> pd.DataFrame:
    """Return the true effects ``by, unit, truth`` that lie in a run directory."""
    truth = pd.read_csv(folder / TRUTH, dtype={"by": str, "unit": str}, keep_default_na=False)
    truth["truth"] = truth["truth"].astype(float)
    return truth


def rewrite_report(
    folder: str | Path,
    effects: Effects,
    findings: Sequence[Finding],
    outcomes: Outcomes | None = None,
    components: pd.DataFrame | None = None,
) -> Path:
    """Write the report and the figures of a stored run again, and return the report's path.

    Parameters
    ----------
    folder : str or Path
    effects : Effects
        Of the stored posterior.
    findings : sequence of Finding
    outcomes : Outcomes, optional
        Tables of users and money of the stored run.
    components : DataFrame, optional
        As :meth:`lift.analysis.components.Components.table`: kept beside the run, and shown by
        this report and every later one.

    Returns
    -------
    Path

    Raises
    ------
    RunError
        As :func:`load`, or if the folder cannot be written.
    """
    from lift.output.facts import gather

    run = load(folder)
    facts = gather(
        effects, findings, run.manifest, spec=run.spec, truth=run.truth, outcomes=outcomes
    )
    with _whole(check_target(folder, overwrite=True)) as partial:
        for name in run.manifest["outputs"]:
            source = run.folder / name
            if source.is_file() and name != REPORT and not name.startswith(f"{FIGURES}/"):
                shutil.copy2(source, partial / name)
        if components is not None:
            (partial / COMPONENTS).write_bytes(csv_bytes(components))
        _write_report(partial, replace(facts, components=_read_components(partial)))
        written = {**run.manifest, "outputs": manifests.output_digests(partial)}
        (partial / manifests.FILE).write_text(
            manifests.text(written), encoding="utf-8", newline="\n"
        )
    return Path(folder) / REPORT


def _read_components(folder: Path) -> pd.DataFrame | None:
    """Return the components that lie in a run directory, None where there are none."""
    file = folder / COMPONENTS
    if not file.is_file():
        return None
    table = pd.read_csv(file, dtype={"control": str}, keep_default_na=False, parse_dates=["date"])
    numbers = ["mean", "median", "lower", "upper"]
    return table.astype(dict.fromkeys(numbers, float))


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8: fixed number format, dates as days, line feeds."""
    text = table.to_csv(
        index=False, float_format=FLOAT_FORMAT, date_format="%Y-%m-%d", lineterminator="\n"
    )
    return text.encode("utf-8")


def _write_report(folder: Path, facts: Facts) -> None:
    """Write the figures and the report that holds them."""
    from lift.output import report

    svgs = report.draw(facts)
    (folder / FIGURES).mkdir()
    for name, svg in svgs.items():
        (folder / FIGURES / f"{name}.svg").write_text(svg, encoding="utf-8", newline="\n")
    page = report.render(facts, svgs)
    (folder / REPORT).write_text(page, encoding="utf-8", newline="\n")


def recorded_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder, or None if the folder is not a run of lift.

    Parameters
    ----------
    folder : Path
    """
    try:
        found = json.loads((folder / manifests.FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(found, dict) and str(found.get("format", "")).startswith("lift-run/"):
        return found
    return None


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Give an empty sibling of a folder to write into, then put it in the folder's place.

    If anything stops the writing, an interrupt included, the sibling is removed and what was
    there before is left, or put back.
    """
    mark = f".{target.name}.{uuid.uuid4().hex[:12]}"
    partial, former = target.with_name(f"{mark}.partial"), target.with_name(f"{mark}.former")
    made = _missing_parents(target)
    done = False
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
            yield partial
            if target.exists():
                target.rename(former)
            partial.rename(target)
            done = True
        except OSError as error:
            raise RunError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        if not done:
            shutil.rmtree(partial, ignore_errors=True)
            if former.exists() and not target.exists():
                former.rename(target)
            for parent in made:
                if parent.is_dir() and not any(parent.iterdir()):
                    parent.rmdir()
        shutil.rmtree(former, ignore_errors=True)


def _missing_parents(target: Path) -> list[Path]:
    """Return the parents that are to be made, deepest first."""
    return [parent for parent in target.parents if not parent.exists()]
