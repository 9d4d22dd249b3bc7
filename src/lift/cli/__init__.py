"""The command line: arguments in, tables and paths out. All work is done by the layers below."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lift import __version__
from lift.cli import commands
from lift.errors import DiagnosticsError, LiftError

__all__ = ["app", "main"]

FINDING, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes: a check failed, the input cannot be used, the user stopped it."""


class Commands(TyperGroup):
    """The commands; every error that lift raises on purpose ends here, as a message."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn lift's errors into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except DiagnosticsError as error:
            _complain(str(error))
            raise typer.Exit(FINDING) from None
        except LiftError as error:
            _complain(str(error))
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            place = f": {error.filename}" if error.filename else ""
            _complain(f"{error.strerror or error}{place}")
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            _complain("stopped; nothing was written")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="lift",
    cls=Commands,
    help="How many app downloads each influencer post brought, with credible intervals.",
    epilog="CAMPAIGN is a folder with a campaign.toml, or that file. RUN is a folder made by fit.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lift {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


app.command("demo")(commands.demo)
app.command("new")(commands.new)
app.command("validate")(commands.validate)
app.command("fit")(commands.fit)
app.command("effects")(commands.effects)
app.command("report")(commands.report)
app.command("diagnose")(commands.diagnose)


def main() -> None:
    """Run the command line; a sign that the terminal cannot show is replaced, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()


def _complain(message: str) -> None:
    """Write a message to standard error, in one piece and as it is."""
    typer.echo(f"lift: {message}", err=True)
