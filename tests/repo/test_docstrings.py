"""Docstrings say what functions take, what comes back and what they raise.

Every public name has one. What users import from lift has all its numpydoc sections. Within the
package every function of three arguments or more describes them, a first sentence that begins with
"Return" says what comes back, and the sections that are there are complete.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

import lift

SRC = Path(__file__).resolve().parents[2] / "src"
FILES = [
    path for path in sorted(SRC.rglob("*.py")) if path.name == "__init__.py" or path.name[0] != "_"
]

MANY_ARGUMENTS = 3

Function = ast.FunctionDef | ast.AsyncFunctionDef


def decorators(node: Function | ast.ClassDef) -> set[str]:
    return {ast.unparse(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list}


def section(text: str, title: str) -> str | None:
    """Return the body of one numpydoc section."""
    match = re.search(
        rf"^{title}\n-{{{len(title)}}}\n(.*?)(?=^\S[^\n]*\n---|\Z)", text, re.M | re.S
    )
    return match[1] if match else None


def described(body: str) -> set[str]:
    """Return the names that a Parameters or Attributes section describes."""
    heads = re.findall(r"^(\S[^\n]*)$", body, re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.partition(" : ")[0].split(",")}


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a function, without the functions and classes within it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.ClassDef | ast.Lambda):
            yield child
            yield from own_nodes(child)


def raised(node: Function) -> set[str]:
    """Return the names of the errors that a function raises by name, in its own body."""
    found = set()
    for inner in own_nodes(node):
        if isinstance(inner, ast.Raise) and inner.exc is not None:
            error = inner.exc.func if isinstance(inner.exc, ast.Call) else inner.exc
            if isinstance(error, ast.Name) and error.id[:1].isupper():
                found.add(error.id)
    return found


def all_arguments(node: Function) -> list[ast.arg]:
    a = node.args
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x)]


def function_faults(name: str, node: Function, exported: bool) -> Iterator[str]:
    marks = decorators(node)
    if "overload" in marks:
        return
    doc = ast.get_docstring(node)
    if doc is None:
        yield f"{name} has no docstring"
        return
    if any("typer." in ast.unparse(a.annotation) for a in all_arguments(node) if a.annotation):
        return  # typer prints the docstring as the help of the command
    if not doc.split("\n\n", 1)[0].rstrip().endswith("."):
        yield f"{name}: the first sentence must end with a full stop"
    if marks & {"property", "cached_property", "functools.cached_property"}:
        return
    names = {argument.arg for argument in all_arguments(node)} - {"self", "cls"}
    whole = exported or len(names) >= MANY_ARGUMENTS
    if names and (whole or section(doc, "Parameters") is not None):
        body = section(doc, "Parameters")
        if body is None:
            yield f"{name}: no Parameters section"
        elif missing := names - described(body):
            yield f"{name}: Parameters leaves out {sorted(missing)}"
        elif extra := described(body) - names:
            yield f"{name}: Parameters describes {sorted(extra)}, which it does not take"
    returns = node.returns
    if not names and not raised(node):
        return
    if not whole and section(doc, "Parameters") is None:
        return
    said = not exported and doc.startswith(("Return ", "Yield "))
    nothing = said or returns is None or ast.unparse(returns) in {"None", "Never", "NoReturn"}
    if not nothing and section(doc, "Returns") is None and section(doc, "Yields") is None:
        yield f"{name}: no Returns section"
    for error in sorted(raised(node)):
        if error not in (section(doc, "Raises") or ""):
            yield f"{name}: Raises leaves out {error}"


def class_faults(name: str, node: ast.ClassDef, exported: bool) -> Iterator[str]:
    doc = ast.get_docstring(node)
    if doc is None:
        yield f"{name} has no docstring"
        return
    described_names = described(section(doc, "Attributes") or "")
    described_names |= described(section(doc, "Parameters") or "")
    fields = {
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(item.annotation)
    }
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            fields |= {a.arg for a in item.args.args + item.args.kwonlyargs} - {"self"}
        elif isinstance(item, Function) and not item.name.startswith("_"):
            yield from function_faults(f"{name}.{item.name}", item, exported)
    if missing := fields - described_names:
        yield f"{name}: neither Attributes nor Parameters describes {sorted(missing)}"


def faults_in(source: str, exported: Collection[str] = ()) -> list[str]:
    """Return what is missing in the docstrings of a module's public names."""
    tree = ast.parse(source)
    faults = [] if ast.get_docstring(tree) or not tree.body else ["the module has no docstring"]
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            faults += function_faults(node.name, node, node.name in exported)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            faults += class_faults(node.name, node, node.name in exported)
    return faults


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(SRC).as_posix() for path in FILES])
def test_docstrings(path: Path) -> None:
    module = ".".join(path.relative_to(SRC).with_suffix("").parts)
    exported = [name for name, home in lift._HOME.items() if home == module]
    assert faults_in(path.read_text("utf-8"), exported) == []


GOOD = '''
"""A module."""

def f(a: int, *rest: int) -> int:
    """Return a.

    Parameters
    ----------
    a : int
        A number.
    *rest : int
        More.

    Returns
    -------
    int
        It.

    Raises
    ------
    ValueError
        If a is 0.
    """
    if a == 0:
        raise ValueError("0")
    return a
'''


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("    a : int\n        A number.\n", "", "leaves out"),
        ("*rest : int\n        More", "*others : int\n        More", "leaves out"),
        ("    Returns\n    -------\n    int\n        It.\n", "", "no Returns"),
        ("    ValueError\n        If", "    KeyError\n        If", "Raises leaves out"),
        ("Return a.", "Return a", "full stop"),
        ('"""A module."""', "", "no docstring"),
    ],
    ids=["parameter", "other-name", "returns", "raises", "stop", "module"],
)
def test_a_missing_part_is_seen(old: str, new: str, fault: str) -> None:
    assert faults_in(GOOD, ["f"]) == []
    assert old in GOOD
    (found,) = faults_in(GOOD.replace(old, new), ["f"])
    assert fault in found
