"""The command line: arguments in, tables and paths out. All work is done by the layers below."""

from __future__ import annotations

import sys

from lift.cli import (
    components,
    engines,
    estimands,
    impact,
    markets,
    papers,
    replicate,
    studies,
    users,
)
from lift.cli.commands import app

__all__ = [
    "app",
    "components",
    "engines",
    "estimands",
    "impact",
    "main",
    "markets",
    "papers",
    "replicate",
    "studies",
    "users",
]


def main() -> None:
    """Run the command line; a sign that the terminal cannot show is replaced, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
