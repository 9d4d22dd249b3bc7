"""The command for one intervention in one series, as R's CausalImpact has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift.cli import printing
from lift.cli.commands import AsJson, Seed, app
from lift.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

INDEX_NAMES = ("date", "day", "time", "t", "index")
"""Names, in any case, of a first column that holds the rows' labels."""


def _probability(value: float) -> float:
    if not 0.0 < value < 1.0:
        raise typer.BadParameter(f"must lie between 0 and 1, found {value:g}")
    return value


@app.command("impact")
def _impact(
    data: Annotated[
        Path, typer.Argument(metavar="CSV", help="Outcome first, controls after it, dates before.")
    ],
    pre: Annotated[str, typer.Option(metavar="A:B", help="First and last row before.")],
    post: Annotated[str, typer.Option(metavar="C:D", help="First and last row after.")],
    alpha: Annotated[
        float, typer.Option(callback=_probability, help="Intervals cover 1 - alpha.")
    ] = 0.05,
    seed: Seed = 1,
    niter: Annotated[int, typer.Option(help="Draws over all chains.")] = 4000,
    nseasons: Annotated[int, typer.Option(help="Seasons in a cycle, such as 7.")] = 1,
    season_duration: Annotated[int, typer.Option(help="Rows in a season.")] = 1,
    level_sd: Annotated[float, typer.Option(help="Prior guess of the level's sd.")] = 0.01,
    dynamic_regression: Annotated[
        bool, typer.Option("--dynamic-regression", help="Let coefficients of controls walk.")
    ] = False,
    scale: Annotated[
        str,
        typer.Option(
            metavar="linear|log|counts",
            help="Scale of the model.",
        ),
    ] = "linear",
    holidays: Annotated[
        str | None,
        typer.Option(metavar="COUNTRY", help="Country of public holidays, such as US or IT."),
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Say it in sentences.")] = False,
    figure: Annotated[Path | None, typer.Option(metavar="SVG", help="Write the figure.")] = None,
    series: Annotated[Path | None, typer.Option(metavar="CSV", help="Write the series.")] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what one intervention did to one series."""
    frame = read_series(data)
    from lift.impact.causal_impact import CausalImpact

    args = {
        "niter": niter,
        "nseasons": nseasons,
        "season_duration": season_duration,
        "prior_level_sd": level_sd,
        "dynamic_regression": dynamic_regression,
        "scale": scale,
        "holidays": holidays,
    }
    dates = frame.index.dtype.kind == "M"
    before, after = _period("--pre", pre, dates=dates), _period("--post", post, dates=dates)
    found = CausalImpact(frame, before, after, model_args=args, alpha=alpha, seed=seed)
    if figure is not None:
        from lift.output.figures import to_svg

        figure.write_text(to_svg(found.plot(), "impact"), encoding="utf-8")
    if series is not None:
        found.inferences.to_csv(series, lineterminator="\n")
    if as_json:
        rows = {
            str(scope): {str(name): float(value) for name, value in row.items()}
            for scope, row in found.summary_data.iterrows()
        }
        printing.json_text(
            {
                "summary": rows,
                "p": found.p_value,
                "convergence": printing.records(found.convergence),
                "notes": list(found.notes),
            }
        )
        return
    printing.line(found.summary("report" if report else "summary"))


def read_series(path: Path) -> pd.DataFrame:
    """Return the rows of a CSV file; a first column named as in ``INDEX_NAMES`` labels them.

    Raises
    ------
    InputError
        If the file cannot be read as a table, or such a column holds neither dates nor whole
        numbers.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        what = f"must be a readable CSV file with a header; {error}; check the path"
        raise InputError([Problem(path.name, what)]) from None
    if not len(frame.columns) or str(frame.columns[0]).strip().lower() not in INDEX_NAMES:
        return frame
    labels = frame.pop(frame.columns[0])
    if not pd.api.types.is_integer_dtype(labels.dtype):
        try:
            labels = pd.to_datetime(labels, format="ISO8601")
        except (ValueError, TypeError) as error:
            what = f"column {labels.name!r} must hold ISO dates or whole numbers; {error}"
            raise InputError([Problem(path.name, what)]) from None
    frame.index = pd.Index(labels, name=str(labels.name))
    return frame


def _period(name: str, text: str, *, dates: bool) -> list[object]:
    """Return the two labels of a period written as A:B; times of day have colons of their own."""
    parts = text.split(":")
    if len(parts) % 2 or not all(parts):
        what = "must be two labels with a colon between them, such as 2025-01-01:2025-02-14, found"
        raise InputError([Problem(name, f"{what} {text!r}")])
    middle = len(parts) // 2
    ends = [":".join(parts[:middle]), ":".join(parts[middle:])]
    if dates:
        return list(ends)
    if not all(end.lstrip("-").isdigit() for end in ends):
        what = f"must be whole numbers, as the rows have no dates, found {text!r}"
        raise InputError([Problem(name, what)])
    return [int(end) for end in ends]
