"""lift beside other software on the same data in one run: ``make bench``.

Seconds per 1,000 effective draws, from data to the interval of the effect, imports and compiling
left out; warm, medians, lift before and after each peer. All are asked for the same number of
draws, ``DRAWS``, so that what a call costs whatever it draws weighs on all alike; but for those
that draw a thousand times more slowly (``SLOW_DRAWS``). Effective draws are ArviZ's bulk ESS over
chains, of exact engines too. A peer that draws but keeps no draws of the effect is held to be worth
all its draws; one that does not draw, by maximum likelihood, is timed for its one answer. On the
campaign NUTS draws as often as lift does, and both are timed for the posterior and the campaign's
effect alone; lift's seconds with all checks and leave-one-out effects are another bar. Absolute
seconds belong to the machine: compare ratios within one run. Peers that are not installed are
named; ``make bench-peers`` installs those that cannot live in lift's own environment.

``--results FILE`` writes all figures as JSON, with seeds, versions and the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from anchors import DataSet, data_sets
from arviz_stats.base import array_stats
from lift_case import SEED as CAMPAIGN_SEED
from peers.calling import MAIN, OWN, AbsentPeerError, ask
from rich.console import Console
from rich.table import Table

import lift
from lift import provenance
from lift.impact.causal_impact import CausalImpact

HERE = Path(__file__).resolve().parent
DRAWS = 10_000
CAMPAIGN_DRAWS = 4000
SEED = 1
ROUNDS = 9
PACKAGES = (
    "numpy", "scipy", "numba", "llvmlite", "pandas", "xarray", "arviz-stats", "bsts-causalimpact",
    "pymc", "nutpie",
)  # fmt: skip
FASTEST = "bsts_causalimpact"
SLOW_DRAWS = {"tfp_causalimpact": 1000, "causalpy": 1000}
# Calls that are timed, after one that is not.
CALLS = dict.fromkeys(
    ("bsts_causalimpact", "causalimpact", "pycausalimpact", "pymc_nutpie"), ROUNDS
)
SIZES = {"n_days": 730, "draws": CAMPAIGN_DRAWS}
CAMPAIGN = {"name": "campaign", "n_posts": 40, "n_controls": 10, **SIZES}
LARGE = {"name": "large", "n_posts": 200, "n_controls": 50, **SIZES}
HUGE = {"name": "huge", "n_posts": 5000, "n_controls": 10, **SIZES, "draws": 800}
DAYS = (365, 730, 1460, 2920, 5840)
MAX_MEGABYTES = 500.0


@dataclass(frozen=True)
class Row:
    """What one method did with one data set.

    Attributes
    ----------
    data, method : str
    seconds : float
    effect_ess, worst_ess : float
        NaN for a method without draws; ``effect_ess`` is how many there were where only they are
        known.
    worst : str
        The hyperparameter with the fewest effective draws.
    answer : tuple of float
        Mean and 95% interval of the cumulative effect.
    version : str
    """

    data: str
    method: str
    seconds: float
    effect_ess: float
    worst: str
    worst_ess: float
    answer: tuple[float, float, float]
    version: str

    def per_thousand(self, what: str) -> float:
        """Return seconds per 1,000 effective draws of ``effect`` or ``worst``."""
        return 1000.0 * self.seconds / (self.effect_ess if what == "effect" else self.worst_ess)


@dataclass(frozen=True)
class Bar:
    """A bar and what was measured."""

    text: str
    measured: str
    met: bool


def ess(draws: Any) -> float:
    """Return the bulk ESS of draws (chain, draw)."""
    values = np.asarray(draws, dtype=float)
    return float(array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk"))


def by_lift(data: DataSet) -> Row:
    """Return lift.CausalImpact's result on a data set, timed once."""
    n = len(data.outcome)
    begun = time.perf_counter()
    found = CausalImpact(
        data.table,
        [0, data.n_pre - 1],
        [data.n_pre, n - 1],
        model_args={"niter": DRAWS, "nseasons": data.season},
        seed=SEED,
    )
    seconds = time.perf_counter() - begun
    sizes = {str(name): ess(found.posterior[name]) for name in _sigmas(found.posterior)}
    worst = min(sizes, key=sizes.__getitem__)
    total = found.summary_data.loc["Cumulative"]
    answer = tuple(float(total[f"AbsEffect{end}"]) for end in ("", ".lower", ".upper"))
    effect = ess(found.posterior["cumulative_effect"])
    return Row(data.name, "lift", seconds, effect, worst, sizes[worst], answer, lift.__version__)


def _sigmas(posterior: Any) -> list[str]:
    return [str(name) for name in posterior if str(name).startswith("sigma")]


def by_peer(data: DataSet, peer: str) -> Row:
    """Return a peer's result on a data set; it is asked several times in one process."""
    case = {
        "outcome": data.outcome.tolist(),
        "controls": data.controls.tolist(),
        "n_pre": data.n_pre,
        "season": data.season,
        "draws": SLOW_DRAWS.get(peer, DRAWS),
        "seed": SEED,
    }
    told = ask(peer, [{"name": str(i), **case} for i in range(1 + CALLS.get(peer, 1))])
    answers = told["cases"]
    if "error" in answers[0]:
        raise RuntimeError(str(answers[0]["error"]).strip().splitlines()[-1])
    # the first is the warm-up
    seconds = statistics.median(answer["seconds"] for answer in answers[1:])
    last = answers[-1]
    sizes = {name: ess(draws) for name, draws in last.get("hyper", {}).items()}
    worst = min(sizes, key=sizes.__getitem__) if sizes else ""
    return Row(
        data.name,
        peer,
        seconds,
        ess(last["effect"]) if "effect" in last else float(case["draws"] if sizes else "nan"),
        worst,
        sizes[worst] if worst else float("nan"),
        (last["mean"], last["lower"], last["upper"]),
        told["version"],
    )


def compared(data: DataSet, peers: list[str], console: Console) -> list[Row]:
    """Return lift and the peers on one data set: lift is timed before and after each of them."""
    by_lift(data)
    own, rows = [by_lift(data)], []
    for peer in peers:
        try:
            rows.append(by_peer(data, peer))
        except AbsentPeerError as error:
            console.print(f"ABSENT on {data.name}: {error}")
        except RuntimeError as error:
            console.print(f"FAILED on {data.name}: {peer}: {error}")
        own += [by_lift(data) for _ in range(ROUNDS)]
    return [replace(own[-1], seconds=statistics.median(row.seconds for row in own)), *rows]


def child(script: str, case: dict[str, Any]) -> dict[str, Any]:
    """Return what a script of this folder says of a case, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), json.dumps(case)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed on {case['name']}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def sets_table(rows: list[Row], sets: list[DataSet]) -> Table:
    """Return the table of the single interventions."""
    table = Table(title="One intervention: seconds per 1,000 effective draws")
    for name in ("set", "method", "seconds", "effect ESS/s", "s per 1,000", "x lift"):
        table.add_column(name, justify="left" if name in ("set", "method") else "right")
    for name in ("worst sd", "ESS/s", "s per 1,000 ", "x lift ", "effect [95%]"):
        table.add_column(name, justify="right")
    for data in sets:
        mine = [row for row in rows if row.data == data.name]
        for row in mine:
            table.add_row(
                data.name,
                row.method,
                f"{row.seconds:.3f}",
                _number(row.effect_ess / row.seconds),
                _number(row.per_thousand("effect")),
                _number(row.per_thousand("effect") / mine[0].per_thousand("effect")),
                row.worst,
                _number(row.worst_ess / row.seconds),
                _number(row.per_thousand("worst")),
                _number(row.per_thousand("worst") / mine[0].per_thousand("worst")),
                _interval(row.answer),
            )
        if data.reference is not None:
            blank = [""] * 8
            table.add_row(data.name, "R, long run", *blank, _interval(data.reference))
        table.add_section()
    return table


def _number(value: float) -> str:
    return "no draws" if np.isnan(value) else f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


def _interval(answer: tuple[float, ...]) -> str:
    return f"{answer[0]:,.0f} [{answer[1]:,.0f}, {answer[2]:,.0f}]"


def set_bars(rows: list[Row]) -> list[Bar]:
    """Return the bars on the single interventions."""
    found = {(row.data, row.method): row for row in rows}
    bars = []
    for name, factor in (("a", 3.0), ("b", 1.0), ("c", 3.0)):
        mine, fastest = found[name, "lift"], found.get((name, FASTEST))
        if fastest is not None:
            ratio = mine.per_thousand("effect") / fastest.per_thousand("effect")
            text = f"{name}: effect, at most {factor:g} times the seconds of {FASTEST}"
            bars.append(Bar(text, f"{ratio:.2f} times", ratio <= factor))
            ratio = fastest.per_thousand("worst") / mine.per_thousand("worst")
            text = f"{name}: worst sd, at least 50 times faster than {FASTEST}"
            bars.append(Bar(text, f"{ratio:.1f} times", ratio >= 50.0))
        for (data, method), row in found.items():
            if data == name and method not in ("lift", FASTEST):
                drawn = not np.isnan(row.effect_ess)
                theirs = row.per_thousand("effect") if drawn else row.seconds
                ratio = theirs / mine.per_thousand("effect")
                text = f"{name}: effect, at least 10 times faster than {method}"
                text += "" if drawn else " (its one answer)"
                bars.append(Bar(text, f"{ratio:.1f} times", ratio >= 10.0))
    return bars


def campaigns(console: Console, *, nuts: bool) -> tuple[list[Bar], list[dict[str, Any]]]:
    """Return bars and figures of simulated campaigns, each in a process of its own."""
    # as after an installation: a process that compiles holds more memory than one that does not
    for package in ("engines", "impact"):
        subprocess.run([sys.executable, "-m", f"lift.{package}.warm"], check=True)
    fit = {"what": "fit", "warm": 1, "repeats": 3}
    forty = child("lift_case.py", {**fit, **CAMPAIGN, "alone": 1 + ROUNDS if nuts else 0})
    large = child("lift_case.py", {**fit, **LARGE, "repeats": 1})
    huge = child("lift_case.py", {**fit, **HUGE, "warm": 0, "repeats": 1})
    table = Table(title="Campaigns of 730 days: all leave-one-out effects")
    for name in ("campaign", "posts", "controls", "draws", "seconds", "effect ESS/s"):
        table.add_column(name, justify="left" if name == "campaign" else "right")
    for name in ("worst sd", "ESS/s", "k", "MB", "effect [95%]"):
        table.add_column(name, justify="right")
    found = [("lift", CAMPAIGN, forty), ("lift", LARGE, large), ("lift", HUGE, huge)]
    if nuts:
        found.insert(1, ("pymc_nutpie", CAMPAIGN, child("nuts_case.py", CAMPAIGN)))
    for method, case, result in found:
        table.add_row(
            method,
            str(case["n_posts"]),
            str(case["n_controls"]),
            str(case["draws"]),
            f"{result['seconds']:.2f}",
            _number(result["effect_ess"] / result["seconds"]),
            result["worst"],
            _number(result["worst_ess"] / result["seconds"]),
            f"{result['pareto_k']:.2f}" if "pareto_k" in result else "",
            f"{result['peak_mb']:.0f}",
            _interval(tuple(result["answer"])),
        )
    console.print(table)
    one = {"what": "evaluation", "name": "days", "n_posts": 10, "n_controls": 5, "repeats": 9}
    times = [{"n_days": days, **child("lift_case.py", {**one, "n_days": days})} for days in DAYS]
    seconds = np.array([entry["seconds"] for entry in times])
    exponent = float(np.polyfit(np.log(DAYS), np.log(seconds), 1)[0])
    told = ", ".join(f"{days}: {1e6 * s:.0f}" for days, s in zip(DAYS, seconds, strict=True))
    console.print(f"Microseconds of an evaluation by days: {told}")
    most = max((forty, large, huge, *times), key=lambda entry: entry["peak_mb"])
    peak, mapped = most["peak_mb"], most["mapped_mb"]
    told_peak = f"{peak:.0f} MB"
    told_peak += "" if mapped is None else f", {mapped:.0f} MB of it files of libraries"
    bars = [
        Bar(
            "40 posts: 4,000 effective draws of the effect, all effects, below 1.5 s",
            f"{forty['seconds']:.2f} s, {forty['effect_ess']:,.0f} draws",
            forty["seconds"] < 1.5 and forty["effect_ess"] >= 0.9 * CAMPAIGN_DRAWS,
        ),
        Bar(
            "200 posts, 50 controls below 10 s",
            f"{large['seconds']:.2f} s",
            large["seconds"] < 10.0,
        ),
        Bar("5,000 posts run", f"{huge['seconds']:.0f} s", True),
        Bar("time grows with days to the power 1.1 at most", f"{exponent:.2f}", exponent <= 1.1),
        Bar(f"peak memory below {MAX_MEGABYTES:.0f} MB", told_peak, peak < MAX_MEGABYTES),
    ]
    if nuts:
        other = found[1][2]
        theirs = other["seconds"] / other["effect_ess"]
        ratio, whole = (
            theirs * forty["effect_ess"] / forty[name] for name in ("sampling_seconds", "seconds")
        )
        text = "40 posts: effect, at least 10 times faster than pymc_nutpie"
        told = f"{ratio:.1f} times ({whole:.1f} with lift's checks and all effects)"
        bars.append(Bar(text, told, ratio >= 10.0))
    figures = [{"method": method, **case, **result} for method, case, result in found]
    figures += [{"method": "lift", **one, **time} for time in times]
    return bars, figures


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--sets", default="abc", help="which of the sets a, b and c")
    reader.add_argument("--peers", help="peers to ask, with commas between; all by default")
    reader.add_argument("--no-campaigns", action="store_true", help="single interventions alone")
    reader.add_argument("--results", type=Path, help="file for all figures, JSON")
    reader.add_argument("--no-nuts", action="store_true", help="no NUTS on the campaign (minutes)")
    options = reader.parse_args()
    everyone = [peer for peer in (*MAIN, *OWN) if peer != "causalpy"]
    peers = everyone if options.peers is None else [p for p in options.peers.split(",") if p]
    console = Console(width=150)
    sets = [data for data in data_sets() if data.name in options.sets]
    console.print(f"Sets: {sets[0].source if sets else 'none'}.")
    rows = [row for data in sets for row in compared(data, peers, console)]
    bars = []
    if rows:
        console.print(sets_table(rows, sets))
        bars += set_bars(rows) if len(sets) == 3 else []
    figures: list[dict[str, Any]] = []
    if not options.no_campaigns:
        more, figures = campaigns(console, nuts=not options.no_nuts)
        bars += more
    table = Table("bar", "measured", "", title="Bars")
    for bar in bars:
        table.add_row(bar.text, bar.measured, "met" if bar.met else "MISSED")
    console.print(table)
    if options.results is not None:
        found = {
            "sets": sets[0].source if sets else "none",
            "seed": SEED,
            "campaign_seed": CAMPAIGN_SEED,
            "draws": DRAWS,
            "versions": provenance.versions(PACKAGES),
            "machine": provenance.machine(),
            "interventions": [asdict(row) for row in rows],
            "campaigns": figures,
            "bars": [asdict(bar) for bar in bars],
        }
        # peers without draws have none to count: null
        text = json.dumps(_plain(found), indent=1, allow_nan=False)
        options.results.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return a value with None for what is not a number."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.bool_):
        return bool(value)
    return None if isinstance(value, float) and np.isnan(value) else value


if __name__ == "__main__":
    main()
