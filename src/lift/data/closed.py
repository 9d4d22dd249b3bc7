"""Settings that cannot be changed and take no unknown key; every fault is named in one error."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from lift.data.tables import meant, nearest
from lift.errors import InputError, Problem

Path = tuple[str | int, ...]

SHOWN_CHARACTERS = 80
"""What a message shows of a value."""

WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table",
    "model": "a table of settings",
    "date": "a date",
    "finite": "a finite number",
}
"""What a value must be, by the first word of a fault's type."""

BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


class Closed(BaseModel):
    """Settings: immutable, closed to unknown keys, refused with all their faults at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, /, **given: Any) -> None:
        """Check the settings.

        Raises
        ------
        InputError
            Naming every key that is unknown or has a value that cannot be.
        """
        try:
            super().__init__(**given)
        except ValidationError as error:
            where = type(self).__name__
            raise InputError(_problems(error, type(self), given, where)) from None

    # nested settings are checked with those that hold them, so that one error names all faults
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def model_validate(cls, obj: Any, **settings: Any) -> Self:
        """Return the settings in plain values.

        Parameters
        ----------
        obj : object
            A mapping of keys to values.
        **settings
            As of pydantic's.

        Returns
        -------
        Closed

        Raises
        ------
        InputError
            Naming every key that is unknown or has a value that cannot be.
        """
        return cls.of(obj, cls.__name__, **settings)

    @classmethod
    def of(cls, given: object, where: str, **settings: Any) -> Self:
        """Return the settings in plain values, such as TOML holds them.

        Parameters
        ----------
        given : object
            A mapping of keys to values.
        where : str
            The name that an error gives to them.
        **settings
            As of pydantic's ``model_validate``.

        Returns
        -------
        Closed

        Raises
        ------
        InputError
            Naming every key that is unknown or has a value that cannot be.
        """
        try:
            return super().model_validate(given, **settings)
        except ValidationError as error:
            raise InputError(_problems(error, cls, given, where)) from None


def _problems(
    error: ValidationError, model: type[BaseModel], given: object, where: str
) -> list[Problem]:
    """Return the faults in words, those of the alternatives of one value as one."""
    faults: dict[Path, list[Any]] = {}
    for fault in error.errors(include_url=False):
        absent = fault["type"] in {"extra_forbidden", "missing"}
        faults.setdefault(_keys(fault["loc"], given, absent=absent), []).append(fault)
    problems = []
    for path, found in faults.items():
        inside = any(other[: len(path)] == path != other for other in faults)
        if inside and all(len(fault["loc"]) > len(path) for fault in found):
            continue  # the other alternative was meant, and says itself what it lacks
        rules = [fault for fault in found if fault["type"] == "value_error"]
        rest = [fault for fault in found if fault["type"] != "value_error"]
        for group in ([rest] if rest else []) + [[rule] for rule in rules]:
            problems.append(Problem(where, _sentence(path, group, model)))
    return problems


def _keys(loc: Sequence[str | int], given: object, *, absent: bool) -> Path:
    """Return the path of a fault without pydantic's names of the alternatives of a value.

    Parameters
    ----------
    loc : sequence of str or int
    given : object
        The settings.
    absent : bool
        Whether the last entry is a key that one of the two does not have.
    """
    path: list[str | int] = []
    for place, part in enumerate(loc):
        last = place == len(loc) - 1
        if isinstance(given, Mapping):
            if part in given:
                given = given[part]
            elif not (last and absent):
                continue
        elif isinstance(given, list | tuple) and isinstance(part, int):
            given = given[part] if part < len(given) else None
        else:
            continue
        path.append(part)
    return tuple(path)


def _sentence(path: Path, faults: Sequence[Any], model: type[BaseModel]) -> str:
    """Return what must hold of a key, what was found and what to do."""
    key = ".".join(map(str, path))
    kind, value = faults[0]["type"], faults[0]["input"]
    if kind == "extra_forbidden":
        return _unknown(path, model)
    if kind == "missing":
        return f"key '{key}' must be given, found none; add it"
    if kind == "value_error":
        return f"{key + ': ' if key else ''}{faults[0]['ctx']['error']}; correct it"
    wanted = dict.fromkeys(_wanted(fault) for fault in faults)
    options = [text for fault in faults for text in _options(fault)]
    shown = repr(value)
    if len(shown) > SHOWN_CHARACTERS:
        shown = shown[: SHOWN_CHARACTERS - 3] + "..."
    hint = meant(value, options) if isinstance(value, str) else ""
    subject = f"'{key}'" if key else "the settings"
    return f"{subject} must be {' or '.join(wanted)}, found {shown}{hint}; correct it"


def _wanted(fault: Any) -> str:
    kind, limits = str(fault["type"]), fault.get("ctx", {})
    if isinstance(fault["input"], float) and math.isnan(fault["input"]):
        return WANTED["finite"]
    if kind in {"literal_error", "enum"}:
        return str(limits["expected"])
    if kind in {"too_short", "too_long"}:
        side, n = ("least", "min_length") if kind == "too_short" else ("most", "max_length")
        return f"a list or table of at {side} {limits[n]}"
    for short, words in BOUNDS.items():
        if short in limits:
            return f"{words} {limits[short]:g}"
    return WANTED.get(kind.partition("_")[0], f"valid ({fault['msg']})")


def _options(fault: Any) -> list[str]:
    return re.findall("'([^']*)'", str(fault.get("ctx", {}).get("expected", "")))


def _unknown(path: Path, model: type[BaseModel]) -> str:
    """Return the sentence on a key that is unknown: the one meant, or where it belongs."""
    name = str(path[-1])
    parents: list[type[BaseModel]] = [model]
    for part in path[:-1]:
        parents = [
            inner
            for outer in parents
            for inner in (_parts_of(outer, part) if isinstance(part, str) else [outer])
        ] or parents
    known = list(dict.fromkeys(field for parent in parents for field in parent.model_fields))
    said = f"key '{'.'.join(map(str, path))}' is unknown"
    homes = {key: home for home, part in _tables(model) for key in part.model_fields}
    if name in homes:
        place = f"below [{homes[name]}]" if homes[name] else "above all [tables]"
        return f"{said}; it belongs {place}: move it"
    if hint := meant(name, known):
        return f"{said}{hint}; rename or remove it"
    other = nearest(name, homes)
    hint = f" (did you mean '{other}' below [{homes[other]}]?)" if other and homes[other] else ""
    return f"{said}{hint}; known here: {', '.join(known)}; rename or remove it"


def _parts_of(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    """Return the settings that a field can hold, at any depth of its type."""
    field = model.model_fields.get(name)
    kinds = [] if field is None else [field.annotation]
    found = []
    while kinds:
        kind = kinds.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        kinds += get_args(kind)
    return found


def _tables(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield settings and all those within them, with the names of their tables."""
    yield above, model
    for name in model.model_fields:
        for part in _parts_of(model, name):
            yield from _tables(part, f"{above}.{name}" if above else name)
