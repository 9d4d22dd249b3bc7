"""Errors that lift raises on purpose: each says what must hold, what was found and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LiftError(Exception):
    """Base of every error that lift raises on purpose."""


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of the input.

    Attributes
    ----------
    where : str
        The table or file at fault: ``"downloads"``, ``"posts"``, ``"controls"``, ``"cohorts"``,
        ``"campaign"``, ``"campaign.toml"`` or ``"model.toml"``.
    what : str
        What must hold, what was found and where, and what to do about it.
    """

    where: str
    what: str


class InputError(LiftError):
    """The input has faults; all of them are listed, nothing was computed.

    Parameters
    ----------
    problems : sequence of Problem
        Every fault that was found, in the order in which it should be read.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self._text())

    def _text(self) -> str:
        n = len(self.problems)
        lines = [f"{n} problem{'s' if n != 1 else ''} in the input; nothing was computed"]
        for where in dict.fromkeys(problem.where for problem in self.problems):
            lines.append(f"  {where}:")
            lines += [f"    - {p.what}" for p in self.problems if p.where == where]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        """Rebuild from the problems, so that the error crosses process borders whole."""
        return (type(self), (self.problems,))


class EngineError(LiftError):
    """An engine cannot fit this model to these data, and says why."""


class DiagnosticsError(LiftError):
    """Sampling ended, but its diagnostics say that the draws must not be believed."""


class RunError(LiftError):
    """A run directory is missing, incomplete, in the way, or not one of lift's."""


class ExecutionError(LiftError):
    """The workers cannot be had, or one of them ended."""


class StudyError(LiftError):
    """Units of a study failed; those that did not are stored."""
