"""The command that fits the markets of a campaign together."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lift.cli import printing
from lift.cli.commands import (
    AsCsv,
    AsJson,
    CampaignPath,
    Draws,
    Prob,
    Seed,
    Spec,
    Workers,
    app,
)
from lift.cli.estimands import print_table
from lift.cli.reading import read_inputs

COLUMNS = ("unit", "market", "observed", "mean", "lower", "upper", "prob_positive")


@app.command("markets")
def _markets(
    campaign: CampaignPath,
    out: Annotated[Path, typer.Option(metavar="RUNS", help="Folder of the runs to make.")],
    seed: Seed = 1,
    draws: Draws = 4000,
    spec: Spec = None,
    workers: Workers = None,
    engine: Annotated[
        str,
        typer.Option(metavar="exact|pymc", help="pymc does free_loadings, and is slow."),
    ] = "exact",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier runs.")] = False,
    prob: Prob = 0.95,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Fit all markets together: effects by market and in total."""
    read, model = read_inputs(campaign, spec, None)
    import pandas as pd

    from lift import joint
    from lift.engines.base import SampleSettings
    from lift.engines.registry import markets_engine_named
    from lift.model.markets import build_markets
    from lift.output import store

    markets_engine_named(engine)
    SampleSettings(draws=draws, seed=seed)
    build_markets(read, model)
    for notice in read.notices:
        printing.note(notice)
    for name in read.markets:
        store.check_target(out / joint.run_folder(name), overwrite=overwrite)
    words = ["lift", "markets", str(campaign), "--out", str(out), "--seed", str(seed)]
    words += ["--draws", str(draws), *([] if spec is None else ["--spec", str(spec)])]
    words += [] if engine == "exact" else ["--engine", engine]
    with printing.progress(f"fitting {len(read.markets)} markets") as progress:
        analysis = joint.analyse_markets(
            read,
            model,
            draws=draws,
            seed=seed,
            workers=workers,
            engine=engine,
            progress=progress,
            command=shlex.join(words),
        )
    analysis.save(out, overwrite=overwrite)
    tables = [analysis.effects(by, prob) for by in ("post", "campaign")]
    if as_json or as_csv:
        whole = pd.concat(tables, ignore_index=True)
        print_table(whole, COLUMNS, as_json=as_json, as_csv=as_csv)
        return
    for table in tables:
        print_table(table, COLUMNS, as_json=False, as_csv=False)
    if analysis.without_posts:
        printing.line(f"no post, part of the fit: {', '.join(analysis.without_posts)}")
    printing.line(f"runs: {', '.join(str(out / name) for name in analysis.folders)}")
