"""Re-run an experiment and say for each number and each result file whether it is the same."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lift import study
from lift.analysis.agreement import DIFFERS, IDENTICAL, MISSING, WITHIN
from lift.errors import RunError
from lift.execution import SERIAL
from lift.output.manifest import digest_file

RESULTS = "results"
UNITS = "units"
"""Folder of a study's units among its results: they restart it, and are no result."""


@dataclass(frozen=True)
class ExperimentVerification:
    """What came of re-running an experiment.

    Attributes
    ----------
    outcome : Outcome
        Numbers beside the expected ones.
    files : mapping of str to str
        For each file in the experiment's results: ``"identical bytes"``, ``"differs"`` or
        ``"not made again"``; empty for a run at small size, which has no results.
    """

    outcome: study.Outcome
    files: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether every number is the same within its tolerance."""
        return self.outcome.passed

    def verdict_of(self, row: study.Compared) -> str:
        """Return how a number compares with the expected one."""
        if row.got == row.expected:
            return IDENTICAL
        if row.got != row.got or row.expected != row.expected:
            return MISSING
        return WITHIN if row.ok else DIFFERS

    def verdict(self) -> str:
        """Return what it comes to, in one sentence."""
        verdicts = [self.verdict_of(row) for row in self.outcome.compared]
        apart = sum(verdict in {DIFFERS, MISSING} for verdict in verdicts)
        same = sum(found == "identical bytes" for found in self.files.values())
        files = f"; {same} of {len(self.files)} result files identical" if self.files else ""
        return (
            f"{'confirmed' if self.passed else 'not confirmed'}: {len(verdicts)} numbers: "
            f"{verdicts.count(IDENTICAL)} identical, {verdicts.count(WITHIN)} within their "
            f"tolerance, {apart} differ{files}"
        )


def verify_experiment(
    folder: str | Path,
    *,
    smoke: bool = False,
    executor: str = SERIAL,
    progress: study.Progress | None = None,
) -> ExperimentVerification:
    """Run an experiment again, elsewhere, and compare its numbers and its result files.

    Parameters
    ----------
    folder : str or Path
        It holds run.py, config.toml, expected.toml and results.
    smoke : bool
        Run at small size; the numbers are compared, and no files.
    executor : str
        As for :func:`lift.execution.ordered_map`.
    progress : callable, optional

    Returns
    -------
    ExperimentVerification

    Raises
    ------
    RunError
        If the folder is not an experiment.
    StudyError
        If units failed.
    """
    home = Path(folder)
    with tempfile.TemporaryDirectory() as passing:
        outcome = study.reproduce(
            home, smoke=smoke, results=passing, executor=executor, progress=progress
        )
        kept = home / RESULTS
        if smoke:
            return ExperimentVerification(outcome, {})
        if not kept.is_dir():
            raise RunError(f"an experiment must have its {RESULTS}, found none in '{home}'")
        files = {}
        for file in sorted(path for path in kept.rglob("*") if path.is_file()):
            name = file.relative_to(kept)
            if name.parts[0] != UNITS:
                files[name.as_posix()] = _compared(file, Path(passing) / name)
        return ExperimentVerification(outcome, files)


def _compared(was: Path, now: Path) -> str:
    if not now.is_file():
        return "not made again"
    return "identical bytes" if digest_file(was) == digest_file(now) else "differs"
