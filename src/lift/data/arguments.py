"""The check of what public functions are given: a wrong kind of value is a fault of the input."""

from __future__ import annotations

import os

from lift.errors import InputError, Problem


def check_kinds(**arguments: tuple[object, type | tuple[type, ...], str]) -> None:
    """Check that arguments are of their kinds.

    Parameters
    ----------
    **arguments : tuple of object, type and str
        By the argument's name: what was given, what it must be (or one of what), and what to do
        otherwise, as the end of a sentence.

    Raises
    ------
    InputError
        Naming every argument of another kind, with what it must be and what was given.
    """
    problems = []
    for name, (given, kinds, advice) in arguments.items():
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        if isinstance(given, kinds):
            continue
        article = "an" if kinds[0].__name__[0].lower() in "aeiou" else "a"
        wanted = " or ".join(kind.__name__ for kind in kinds)
        shown = given.__name__ if isinstance(given, type) else type(given).__name__
        found = f"the class {shown}" if isinstance(given, type) else f"{shown}"
        found += f" {given!r}" if isinstance(given, str | int | float | os.PathLike) else ""
        problems.append(Problem(name, f"must be {article} {wanted}, found {found}; {advice}"))
    if problems:
        raise InputError(problems)


def check_path(path: object, what: str) -> None:
    """Check that a path is text or a path.

    Parameters
    ----------
    path : object
    what : str
        What is to be there, as in ``"a campaign's folder"``.

    Raises
    ------
    InputError
        If it is neither.
    """
    check_kinds(path=(path, (str, os.PathLike), f"give the path of {what}"))
