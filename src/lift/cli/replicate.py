"""The commands that freeze an analysis, re-run a result and pack it for others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift.cli import printing
from lift.cli.commands import (
    ENGINE_CHOICES,
    FINDING,
    UNITS,
    AsJson,
    By,
    CampaignPath,
    Draws,
    Market,
    RunPath,
    Seed,
    Spec,
    Workers,
    app,
)
from lift.cli.reading import model_of

if TYPE_CHECKING:
    import pandas as pd

    from lift.replication.experiments import ExperimentVerification
    from lift.replication.rerun import Verification

ResultPath = Annotated[
    Path,
    typer.Argument(metavar="RESULT", help="Run directory, archive of lift bundle, or experiment."),
]
GivenCampaign = Annotated[
    Path | None,
    typer.Option("--campaign", metavar="DIR", help="Campaign; else where the run read it."),
]


@app.command("verify")
def _verify(
    result: ResultPath,
    campaign: GivenCampaign = None,
    spec: Spec = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed: the same within Monte Carlo error?")
    ] = None,
    workers: Workers = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="An experiment at small size.")] = False,
    executor: Annotated[
        str, typer.Option(metavar="WHERE", help="What an experiment runs on, such as local:2.")
    ] = "local:1",
    as_json: AsJson = False,
) -> None:
    """Re-run a result; exit 1 where a number is not the same."""
    if (result / "run.py").is_file():
        from lift.replication.experiments import verify_experiment

        with printing.progress(f"running {result}") as progress:
            experiment = verify_experiment(
                result, smoke=smoke, executor=executor, progress=progress
            )
        _print_experiment(experiment, as_json=as_json)
        if not experiment.passed:
            raise typer.Exit(FINDING)
        return
    from lift.replication.bundle import is_bundle, opened

    simulated = False
    asked: dict[str, Any] = {"spec": spec, "seed": seed, "workers": workers}
    if not is_bundle(result):
        found = _again(result, result, campaign, asked)
    else:
        with opened(result) as inside:
            if inside.private_run is not None and campaign is not None:
                found = _again(result, inside.private_run, campaign, asked)
            else:
                found = _again(result, inside.run, campaign or inside.inputs, asked)
                simulated = inside.simulated
                if simulated:
                    printing.note(
                        "the data of this run are private: what is run again is a SIMULATED "
                        "stand-in of the same shape; who has the data gives --campaign"
                    )
            if campaign is None:
                found = replace(found, campaign=f"the inputs in {result}")
    _print_run(found, simulated=simulated, as_json=as_json)
    if not found.passed:
        raise typer.Exit(FINDING)


def _again(named: Path, run: Path, campaign: Path | None, asked: dict[str, Any]) -> Verification:
    """Run a run directory again; messages call it as the user did."""
    from lift.replication.rerun import verify_run

    with printing.progress(f"running {named} again") as progress:
        return replace(verify_run(run, campaign, progress=progress, **asked), run=str(named))


@app.command("bundle")
def _bundle(
    run: RunPath,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Archive to write, such as run.zip.")],
    campaign: GivenCampaign = None,
    private: Annotated[
        bool,
        typer.Option("--private", help="Digests in place of the data, and a simulated stand-in."),
    ] = False,
) -> None:
    """Pack a run and its inputs into one archive."""
    from lift.output.manifest import digest_file
    from lift.replication.bundle import bundle

    file = bundle(run, out, campaign, private=private)
    printing.line(f"packed: {file}")
    printing.line(f"sha256: {digest_file(file)}")
    if private:
        printing.line("The data are not in it; a simulated stand-in of the same shape is.")


def _print_run(found: Verification, *, simulated: bool, as_json: bool) -> None:
    verdict = found.verdict()
    if simulated:
        verdict += "; checked was a SIMULATED stand-in, not the private data"
    if as_json:
        printing.json_text(
            {
                "run": found.run,
                "campaign": found.campaign,
                "passed": found.passed,
                "verdict": verdict,
                "simulated": simulated,
                "asked": found.asked,
                "changes": [vars(change) for change in found.changes],
                "numbers": printing.records(found.numbers),
                "files": found.files,
            }
        )
        return
    printing.line(f"{found.run} again, from {found.campaign}")
    if len(found.numbers):
        printing.plain_table(_by_unit(found))
    for name, same in found.files.items():
        printing.line(f"{same}: {name}")
    if found.asked:
        printing.line(f"asked for: {found.asked}")
    for change in found.changes:
        printing.line(change.text())
    if not found.changes:
        same = "inputs, prior" if found.asked else "inputs, prior, seed"
        printing.line(f"{same}, code, versions and platform are those of the run")
    printing.line(verdict)


def _by_unit(found: Verification) -> pd.DataFrame:
    """Return one row per unit: its mean on both sides, and its number that is farthest apart."""
    import pandas as pd

    from lift.analysis.agreement import DIFFERS, IDENTICAL, MISSING, WITHIN

    order = [IDENTICAL, WITHIN, DIFFERS, MISSING]
    rows = []
    for (by, unit), own in found.numbers.groupby(["by", "unit"], sort=False):
        mean = own[own["quantity"] == "mean"].iloc[0]
        worst = max(own["verdict"], key=order.index)
        rows.append(
            {
                "by": by,
                "unit": unit,
                "recorded": mean["recorded"],
                "found": mean["found"],
                "farthest, in MCSE": float(own["distance"].max()),
                "verdict": worst,
            }
        )
    return pd.DataFrame(rows)


def _print_experiment(found: ExperimentVerification, *, as_json: bool) -> None:
    outcome = found.outcome
    if as_json:
        printing.json_text(
            {
                "experiment": outcome.experiment,
                "smoke": outcome.smoke,
                "passed": found.passed,
                "verdict": found.verdict(),
                "changes": list(outcome.changes),
                "numbers": [
                    {
                        "name": row.name,
                        "expected": row.expected,
                        "got": row.got,
                        "tolerance": row.tolerance,
                        "verdict": found.verdict_of(row),
                    }
                    for row in outcome.compared
                ],
                "files": found.files,
            }
        )
        return
    for row in outcome.compared:
        printing.line(f"{found.verdict_of(row)}: {row.name}: {row.expected:g}, {row.got:g}")
    for name, same in found.files.items():
        printing.line(f"{same}: {name}")
    for change in outcome.changes:
        printing.line(f"other version: {change}")
    printing.line(found.verdict())


@app.command("preregister")
def _preregister(
    campaign: CampaignPath,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write; else preregistration.toml beside it."),
    ] = None,
    primary: Annotated[
        list[By] | None,
        typer.Option("--primary", metavar=UNITS, help="Primary estimands."),
    ] = None,
    by: Annotated[By, typer.Option(metavar=UNITS, help="Whose effect decides.")] = "campaign",
    unit: Annotated[str, typer.Option(metavar="NAME", help="Which one of them.")] = "campaign",
    above: Annotated[float, typer.Option(help="Downloads that the effect must exceed.")] = 0.0,
    prob: Annotated[float, typer.Option(help="Probability from which on it does.")] = 0.95,
    decision: Annotated[str, typer.Option(metavar="TEXT", help="What is done then.")] = "",
    engine: Annotated[str, typer.Option(metavar=ENGINE_CHOICES, help="How to compute.")] = "exact",
    draws: Draws = 4000,
    seed: Seed = 1,
    spec: Spec = None,
    market: Market = None,
    commit: Annotated[bool, typer.Option("--commit", help="Commit the file with git.")] = False,
) -> None:
    """Freeze an analysis before its outcomes are seen."""
    from lift.data.plan import read_plan
    from lift.replication import preregistration as frozen

    model = model_of(campaign, spec)
    plan = read_plan(campaign)
    beside = (campaign if campaign.is_dir() else campaign.parent) / frozen.FILE
    file = out or beside
    seal = frozen.freeze(
        plan if market is None else plan.market(market),
        model,
        file,
        decision=frozen.Decision(by, unit, above, prob, decision),
        primary=tuple(primary or ("campaign",)),
        computation=frozen.Computation(engine=engine, draws=draws, seed=seed),
    )
    printing.line(f"frozen: {file}")
    printing.line(f"sha256: {seal}")
    if seen := frozen.seen_posts(frozen.read_frozen(file)):
        printing.note(seen)
    if commit:
        printing.line(f"commit: {frozen.commit_file(file)}")
    printing.line(f"then: lift fit {campaign} --out RUN --preregistered {file}")
