"""The experiment in a folder: run it and hold its numbers to the expected ones."""

from __future__ import annotations

import importlib.util
import math
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from lift import provenance
from lift.errors import RunError
from lift.execution import SERIAL
from lift.study.resumable import PACKAGES, PROGRESS, Progress

RUN, CONFIG, EXPECTED = "run.py", "config.toml", "expected.toml"
SMOKE = "smoke"
MCSE = "_mcse"
TOLERANCE_MCSE = 5.0
"""Standard errors of the difference of two runs that two numbers may lie apart."""
ROUNDING = 1e-6
"""Relative difference that another processor makes, in rounding and where a search ends."""


@dataclass(frozen=True)
class Compared:
    """A number of an experiment beside the one that is expected.

    Attributes
    ----------
    name : str
    expected, got : float
        NaN where the number is missing on that side.
    tolerance : float
        Largest difference that is Monte Carlo error.
    """

    name: str
    expected: float
    got: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the two agree within the tolerance; a missing number agrees with nothing."""
        allowed = max(self.tolerance, ROUNDING * abs(self.expected))
        return abs(self.got - self.expected) <= allowed


@dataclass(frozen=True)
class Outcome:
    """What came out of an experiment.

    Attributes
    ----------
    experiment : str
        Name of the folder.
    smoke : bool
        Whether it ran at small size.
    numbers : mapping of str to float
        What the experiment returned; a name that ends in ``_mcse`` is the Monte Carlo standard
        error of the number that has the rest of the name.
    compared : tuple of Compared
        Every number but the standard errors.
    changes : tuple of str
        Versions that differ from those of the expected numbers.
    """

    experiment: str
    smoke: bool
    numbers: Mapping[str, float]
    compared: tuple[Compared, ...]
    changes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every number agrees."""
        return all(row.ok for row in self.compared)

    def text(self) -> str:
        """Return the numbers as a plain table, and what it comes to."""
        width = max((len(row.name) for row in self.compared), default=6)
        lines = [f"{'number':<{width}}  {'expected':>12}  {'got':>12}  {'tolerance':>10}  ok"]
        lines += [
            f"{row.name:<{width}}  {row.expected:>12.6g}  {row.got:>12.6g}  "
            f"{row.tolerance:>10.3g}  {'yes' if row.ok else 'NO'}"
            for row in self.compared
        ]
        lines += [f"other version: {change}" for change in self.changes]
        wrong = sum(not row.ok for row in self.compared)
        size = " (smoke)" if self.smoke else ""
        verdict = "all numbers agree" if not wrong else f"{wrong} of {len(self.compared)} differ"
        return "\n".join([*lines, f"{self.experiment}{size}: {verdict}"])


def read_config(folder: str | Path, *, smoke: bool = False) -> dict[str, Any]:
    """Return the configuration of an experiment.

    Parameters
    ----------
    folder : str or Path
        The folder of the experiment.
    smoke : bool
        Put the keys of the table ``[smoke]`` in place of those they name, for a run in seconds.

    Returns
    -------
    dict
        Without the table ``[smoke]``.

    Raises
    ------
    RunError
        If there is no such experiment, its configuration is not TOML, or ``[smoke]`` has a key
        that the configuration has not.
    """
    file = Path(folder) / CONFIG
    config = _read_toml(file)
    small = config.pop(SMOKE, {})
    if smoke:
        unknown = sorted(set(small) - set(config))
        if unknown:
            raise RunError(
                f"[{SMOKE}] of {file} must name keys of the configuration, found {unknown}; "
                "correct them"
            )
        config = _merged(config, small)
    return config


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        out[key] = _merged(base[key], value) if both else value
    return out


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise RunError(
            f"an experiment must have the file {file.name}, found none in '{file.parent}'; "
            "name the folder of an experiment"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{file} must be TOML in UTF-8, found: {error}; correct it") from None


def reproduce(
    folder: str | Path,
    *,
    smoke: bool = False,
    results: str | Path | None = None,
    executor: str = SERIAL,
    progress: Progress | None = None,
) -> Outcome:
    """Run an experiment and compare its numbers with the expected ones.

    Parameters
    ----------
    folder : str or Path
        It holds run.py (with ``main(config) -> dict of numbers``), config.toml and
        expected.toml.
    smoke : bool
        Run at small size.
    results : str or Path, optional
        Where the experiment writes its tables, ``config["results"]``. By default ``results`` in
        the folder, and nowhere that lasts for a smoke run.
    executor : str
        What the units of the experiment run on, ``config["executor"]``; see
        :func:`lift.execution.ordered_map`.
    progress : callable, optional
        Told the share of the units that is done, and a sentence with the time left.

    Returns
    -------
    Outcome

    Raises
    ------
    RunError
        If the folder is not an experiment.
    """
    home = Path(folder).resolve()
    numbers = run(home, smoke=smoke, results=results, executor=executor, progress=progress)
    file = home / EXPECTED
    expected = _read_toml(file)
    wanted = expected.get(SMOKE if smoke else "numbers", {})
    compared = []
    for name in sorted({*wanted, *(n for n in numbers if not n.endswith(MCSE))}):
        entry = wanted.get(name, {})
        compared.append(
            Compared(
                name,
                float(entry.get("value", math.nan)),
                numbers.get(name, math.nan),
                float(entry.get("tolerance", 0.0)),
            )
        )
    made_with, now = expected.get("versions", {}), versions()
    changes = tuple(
        f"{name} {now[name]}, expected numbers are from {made_with[name]}"
        for name in now
        if name in made_with and made_with[name] != now[name]
    )
    return Outcome(home.name, smoke, numbers, tuple(compared), changes)


def run(
    folder: str | Path,
    *,
    smoke: bool = False,
    results: str | Path | None = None,
    executor: str = SERIAL,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Return the numbers of an experiment; arguments and errors as for :func:`reproduce`.

    Parameters
    ----------
    folder : str or Path
    smoke : bool
    results : str or Path, optional
    executor : str
    progress : callable, optional

    Returns
    -------
    dict of str to float

    Raises
    ------
    RunError
        If the folder is not an experiment.
    """
    home = Path(folder).resolve()
    config = read_config(home, smoke=smoke)
    main = _main(home)
    with tempfile.TemporaryDirectory() as passing:
        target = Path(results) if results else Path(passing) if smoke else home / "results"
        target.mkdir(parents=True, exist_ok=True)
        places = {"folder": str(home), "results": str(target), "executor": executor}
        token = PROGRESS.set(progress)
        try:
            numbers = main({**config, **places})
        finally:
            PROGRESS.reset(token)
    return {name: float(value) for name, value in numbers.items()}


def _main(home: Path) -> Callable[[dict[str, Any]], Mapping[str, float]]:
    """Return the function ``main`` of an experiment's run.py.

    The module is known by its name, as dataclasses need, and is sent to workers by value: they
    cannot import it.
    """
    import cloudpickle

    spec = importlib.util.spec_from_file_location(f"experiment_{home.name}", home / RUN)
    if spec is None or spec.loader is None or not (home / RUN).is_file():
        raise RunError(f"an experiment must have the file {RUN}, found none in '{home}'")
    module = importlib.util.module_from_spec(spec)
    # compiled from the text: a bytecode cache goes by the second and the size of the file
    code = compile((home / RUN).read_text(encoding="utf-8"), str(home / RUN), "exec")
    sys.modules[spec.name] = module
    cloudpickle.register_pickle_by_value(module)
    exec(code, vars(module))
    main = getattr(module, "main", None)
    if not callable(main):
        raise RunError(f"{RUN} of '{home}' must have a function main(config), found none")
    return main  # type: ignore[no-any-return]


def expect(folder: str | Path, numbers: Mapping[str, float], *, smoke: bool = False) -> Path:
    """Write an experiment's numbers down as the expected ones.

    Parameters
    ----------
    folder : str or Path
    numbers : mapping of str to float
        As :func:`run` returns them. The tolerance of a number is five standard errors of the
        difference of two runs, 0 where no standard error is given.
    smoke : bool
        They are those of the run at small size; the others stay.

    Returns
    -------
    Path
        The file.
    """
    file = Path(folder) / EXPECTED
    old = _read_toml(file) if file.is_file() else {}
    entries = {
        name: {
            "value": float(value),
            "tolerance": TOLERANCE_MCSE * math.sqrt(2.0) * numbers.get(f"{name}{MCSE}", 0.0),
        }
        for name, value in numbers.items()
        if not name.endswith(MCSE)
    }
    document = {
        "versions": versions(),
        "numbers": old.get("numbers", {}) if smoke else entries,
        SMOKE: entries if smoke else old.get(SMOKE, {}),
    }
    file.write_text(tomli_w.dumps(document), encoding="utf-8", newline="\n")
    return file


def versions() -> dict[str, str]:
    """Return the versions of lift, Python and the packages that may change a number."""
    return provenance.versions(PACKAGES)
