"""The commands. Each imports what it needs when it runs, so that help comes at once."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer
from typer.core import TyperGroup

from lift import __version__
from lift.cli import printing
from lift.cli.coupled import CampaignOption, CouplingOption, coupled_run
from lift.cli.reading import read_inputs
from lift.errors import (
    DiagnosticsError,
    InputError,
    LiftError,
    RunError,
    StudyError,
)

if TYPE_CHECKING:
    from lift.data.campaign import Campaign
    from lift.pipeline import Analysis

FINDING, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes: a check failed, the input cannot be used, the user stopped it."""

DEMO_FOLDER = Path("runs/demo")

type By = Literal["post", "influencer", "platform", "creator_type", "content", "campaign"]

UNITS = "|".join(get_args(By.__value__))
"""How help shows the choices of ``--by``."""

ENGINE_CHOICES = "auto|exact|gibbs|pymc|statsmodels"
"""How help shows the engines; a test holds it to those that there are."""


class _Commands(TyperGroup):
    """The commands; every error that lift raises on purpose ends here, as a message."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn lift's errors into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except (DiagnosticsError, StudyError) as error:
            printing.complain(str(error))
            raise typer.Exit(FINDING) from None
        except LiftError as error:
            printing.complain(str(error))
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            place = f": {error.filename}" if error.filename else ""
            printing.complain(f"{error.strerror or error}{place}")
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            printing.complain("stopped; nothing was written")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="lift",
    cls=_Commands,
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


def _probability(value: float) -> float:
    if not 0.0 < value < 1.0:
        raise typer.BadParameter(f"must lie between 0 and 1, found {value:g}")
    return value


CampaignPath = Annotated[
    Path, typer.Argument(metavar="CAMPAIGN", help="Campaign folder, or its campaign.toml.")
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory made by lift fit.")]
Seed = Annotated[int, typer.Option(min=0, help="Root seed: the same seed gives the same bytes.")]
Draws = Annotated[int, typer.Option(min=1, help="Posterior draws, a multiple of 4.")]
Market = Annotated[str | None, typer.Option(metavar="NAME", help="Market, where there are many.")]
Spec = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Model specification; else model.toml of the campaign, else defaults."
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads; all processors by default.")]
Preregistered = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Made by lift preregister: tell every departure from it."),
]
Prob = Annotated[float, typer.Option(callback=_probability, help="Probability of the intervals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in full precision.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV in full precision.")]


@app.command("demo")
def _demo(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Run directory.")] = DEMO_FOLDER,
    seed: Seed = 1,
    draws: Draws = 4000,
) -> None:
    """Fit the bundled simulated campaign beside its truth."""
    _check_demo_folder(out)
    from lift import pipeline
    from lift.data import example

    campaign, truth = example.load()
    command = f"lift demo --out {shlex.quote(str(out))} --seed {seed} --draws {draws}"
    with printing.progress(f"fitting {campaign.name}") as progress:
        analysis = pipeline.analyse(
            campaign, draws=draws, seed=seed, truth=truth, command=command, progress=progress
        )
    analysis.save(out, overwrite=True)
    printing.effects(analysis.effects.table("post"), truth)
    printing.effects(analysis.effects.table("campaign"), truth)
    printing.line(printing.coverage(analysis.effects.table("post"), truth))
    printing.line("These data are simulated: nothing of this happened.")
    printing.line(f"report: {out / 'report.html'}")


@app.command("new")
def _new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
) -> None:
    """Write a commented campaign to fill in."""
    from lift.data.template import new_campaign

    target = new_campaign(folder)
    printing.line(f"written: {target}")
    printing.line(f"next: fill it in, then lift validate {shlex.quote(str(folder))}")


@app.command("validate")
def _validate(
    campaign: CampaignPath, spec: Spec = None, market: Market = None, as_json: AsJson = False
) -> None:
    """Check a campaign and name every fault."""
    try:
        read, model = read_inputs(campaign, spec, market)
        from lift import pipeline

        for name in read.markets:
            part = read.market(name) if len(read.markets) > 1 else read
            if len(part.posts):
                pipeline.check(part, model)
    except InputError as error:
        if as_json:
            problems = [{"where": p.where, "what": p.what} for p in error.problems]
            printing.json_text({"ok": False, "problems": problems})
        raise
    if as_json:
        printing.json_text(
            {
                "ok": True,
                "name": read.name,
                "markets": list(read.markets),
                "first_day": str(read.dates[0].date()),
                "last_day": str(read.dates[-1].date()),
                "n_days": len(read.dates),
                "n_observed": int(read.downloads["downloads"].notna().sum()),
                "n_posts": len(read.posts),
                "controls": list(read.control_names),
                "timezone": read.timezone,
                "country": read.country,
                "notices": list(read.notices),
                "digests": read.digests,
            }
        )
        return
    printing.campaign(read)


@app.command("fit")
def _fit(
    campaign: CampaignPath,
    out: Annotated[Path, typer.Option(metavar="RUN", help="Run directory to make.")],
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Root seed; 1, or what is frozen, by default."),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1, help="Posterior draws, a multiple of 4; 4000, or what is frozen, by default."
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(metavar=ENGINE_CHOICES, help="auto, or what is frozen, by default."),
    ] = None,
    spec: Spec = None,
    market: Market = None,
    workers: Workers = None,
    preregistered: Preregistered = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate what each post brought, and write a run directory."""
    from lift.output import store

    store.check_target(out, overwrite=overwrite)
    planned: Mapping[str, Any] = {}
    if preregistered is not None:
        from lift.replication.preregistration import read_frozen

        planned = read_frozen(preregistered)["computation"]
    seed = planned.get("seed", 1) if seed is None else seed
    draws = planned.get("draws", 4000) if draws is None else draws
    engine = planned.get("engine", "auto") if engine is None else engine
    from lift import pipeline
    from lift.analysis.diagnostics import CHOICES

    pipeline.check_settings(engine, draws=draws, seed=seed, workers=workers)
    read, model = read_inputs(campaign, spec, market)
    chosen = _one_market(read, market)
    told = pipeline.expected_wait(chosen, model, engine=engine, draws=draws, workers=workers)
    for notice in [*chosen.notices, *([told] if told else [])]:
        printing.note(notice)
    with _refusal_of(out), printing.progress(f"fitting {chosen.name}") as progress:
        analysis = pipeline.analyse(
            chosen,
            model,
            engine=engine,
            draws=draws,
            seed=seed,
            workers=workers,
            progress=progress,
            command=_fit_command(campaign, out, seed, draws, engine, spec, market, preregistered),
        )
    if preregistered is not None:
        from lift.replication.departures import registered

        analysis = registered(analysis, preregistered)
        printing.preregistration(analysis.manifest["preregistration"])
    analysis.save(out, overwrite=overwrite)
    for finding in analysis.findings:
        if finding.level != "PASS":
            printing.note(f"{finding.level}: {finding.check}: {finding.text}")
        elif finding.check in CHOICES:
            printing.note(finding.text)
    if as_json:
        printing.json_text(
            {
                "run": str(out),
                "report": str(out / "report.html"),
                "campaign": printing.records(analysis.effects.table("campaign"))[0],
                "posts": printing.records(analysis.effects.table("post")),
                "findings": [vars(finding) for finding in analysis.findings],
            }
        )
        return
    printing.effects(analysis.effects.table("post"))
    printing.effects(analysis.effects.table("campaign"))
    printing.line(printing.overlap(analysis))
    printing.line(f"report: {out / 'report.html'}")


@app.command("effects")
def _effects(
    run: RunPath,
    by: Annotated[By, typer.Option(metavar=UNITS, help="What to take away together.")] = "post",
    prob: Prob = 0.95,
    coupling: CouplingOption = "shared",
    campaign: CampaignOption = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print the incremental downloads of a run."""
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    analysis = coupled_run(run, coupling, campaign)
    table = analysis.effects.table(by, prob)
    if as_json:
        rows = printing.records(printing.with_truth(table, analysis.truth))
        printing.json_text({"by": by, "prob": prob, "effects": rows})
    elif as_csv:
        printing.csv_text(printing.with_truth(table, analysis.truth))
    else:
        printing.effects(table, analysis.truth)
        printing.line(printing.overlap(analysis))
        printing.line(printing.coupled(table))


@app.command("report")
def _report(run: RunPath) -> None:
    """Write the report of a run again."""
    from lift.output import store

    analysis = load_run(run)
    printing.line(
        str(store.rewrite_report(run, analysis.effects, analysis.findings, analysis.outcomes))
    )


@app.command("diagnose")
def _diagnose(run: RunPath, as_json: AsJson = False) -> None:
    """Print checks, and what data say of posts; exit 1 on FAIL."""
    analysis = load_run(run)
    found = analysis.findings
    if as_json:
        printing.json_text([vars(finding) for finding in found])
    else:
        printing.findings(found)
        printing.told_apart(analysis)
    if any(finding.level == "FAIL" for finding in found):
        raise typer.Exit(1)


def load_run(run: Path) -> Analysis:
    """Return the analysis stored in a run directory."""
    from lift import pipeline

    return pipeline.load(run)


@contextmanager
def _refusal_of(out: Path) -> Iterator[None]:
    """Say of a fit that its own checks refused that there is no run of it."""
    try:
        yield
    except DiagnosticsError as error:
        raise DiagnosticsError(f"{error}; nothing was written to {out}") from None


def _one_market(campaign: Campaign, market: str | None) -> Campaign:
    if market is None and len(campaign.markets) > 1:
        names = ", ".join(campaign.markets)
        raise LiftError(
            f"a fit is of one market, found {len(campaign.markets)} in the campaign: {names}; "
            "choose one with --market, or fit all of them together with lift markets"
        )
    return campaign


def _check_demo_folder(out: Path) -> None:
    """Let the demo replace a run of its own, and no other."""
    from lift.output import store

    store.check_target(out, overwrite=True)
    found = store.recorded_manifest(out)
    if found is not None and not found.get("simulated"):
        raise RunError(f"{out} holds a run that is not the demo's; choose another folder")


def _fit_command(
    campaign: Path,
    out: Path,
    seed: int,
    draws: int,
    engine: str,
    spec: Path | None,
    market: str | None,
    preregistered: Path | None,
) -> str:
    """Return the command line that makes a run again, as it was given."""
    words = ["lift", "fit", str(campaign), "--out", str(out), "--seed", str(seed)]
    words += ["--draws", str(draws), "--engine", engine]
    given = {"--spec": spec, "--market": market, "--preregistered": preregistered}
    words += [part for key, value in given.items() if value for part in (key, str(value))]
    return shlex.join(words)
