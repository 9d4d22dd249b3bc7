"""Pre-registration: an analysis frozen in a sealed file before its outcomes are seen."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w

from lift import __version__, provenance
from lift.analysis import diagnostics
from lift.analysis.effects import BY
from lift.data.digests import table_digest
from lift.data.plan import Plan
from lift.errors import InputError, Problem, RunError
from lift.model.spec import ModelSpec
from lift.output.manifest import digest

FORMAT = "lift-preregistration/1"
FILE = "preregistration.toml"
SEAL = "sha256"
ATTRIBUTES = (
    "influencer",
    "platform",
    "creator_type",
    "content",
    "audience",
    "sponsored",
    "views",
    "cost",
    "market",
)
GIT_SECONDS = 20


@dataclass(frozen=True)
class Decision:
    """What will be concluded, and from which number.

    Attributes
    ----------
    by, unit : str
        Whose effect, such as ``"campaign", "campaign"``.
    above : float
        Incremental downloads that it is held against.
    prob : float
        Probability that the effect is above, from which on the rule is met; in (0, 1).
    text : str
        The rule in words: what is done where it is met.
    """

    by: str = "campaign"
    unit: str = "campaign"
    above: float = 0.0
    prob: float = 0.95
    text: str = ""

    def sentence(self) -> str:
        """Return the rule in words."""
        whose = "the campaign" if self.by == "campaign" else f"{self.by} {self.unit}"
        rule = f"the effect of {whose} is above {self.above:,g} downloads with probability "
        return f"{rule}{self.prob:g} or more{f': {self.text}' if self.text else ''}"


@dataclass(frozen=True)
class Computation:
    """How the analysis will be computed.

    Attributes
    ----------
    engine : str
    draws : int
        Over all chains.
    chains : int
    seed : int
        Root seed.
    """

    engine: str = "exact"
    draws: int = 4000
    chains: int = 4
    seed: int = 1


def freeze(
    plan: Plan,
    spec: ModelSpec,
    file: str | Path,
    *,
    decision: Decision | None = None,
    primary: Sequence[str] = ("campaign",),
    computation: Computation | None = None,
    moment: datetime | None = None,
) -> str:
    """Write the analysis of a plan down, sealed with its own digest.

    Parameters
    ----------
    plan : Plan
        Of one market.
    spec : ModelSpec
    file : str or Path
        It must not be there: what is frozen is not written over.
    decision : Decision, optional
        By default the effect of the campaign is above 0 with probability 0.95.
    primary : sequence of str
        Kinds of units whose effects are the primary estimands.
    computation : Computation, optional
    moment : datetime, optional
        Now by default.

    Returns
    -------
    str
        The SHA-256 that seals the file.

    Raises
    ------
    InputError
        If the plan has several markets, no post, or an estimand or the rule cannot be.
    RunError
        If the file is there.
    """
    rule = decision or Decision()
    _check(plan, rule, primary)
    target = Path(file)
    if target.exists():
        raise RunError(f"{file} is there already, and what is frozen stays; name another file")
    document = _document(plan, spec, rule, primary, computation or Computation(), moment)
    seal = digest(tomli_w.dumps(document).encode())
    text = tomli_w.dumps({"format": FORMAT, SEAL: seal, **document})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="\n")
    return seal


def seen_posts(frozen: Mapping[str, Any]) -> str:
    """Return which posts' outcomes the data already held when an analysis was frozen.

    Parameters
    ----------
    frozen : mapping
        As :func:`read_frozen` returns it.

    Returns
    -------
    str
        A sentence; "" where there is none.
    """
    posts = frozen["posts"]
    seen = [str(post["post_id"]) for post in posts if post["seen"]]
    if not seen:
        return ""
    return (
        f"outcomes of {len(seen)} of {len(posts)} posts were in the data already (seen = true in "
        f"the file), of the first post {seen[0]}: of these it is no analysis frozen before its "
        "outcomes; readers of the run are told so"
    )


def read_frozen(file: str | Path) -> dict[str, Any]:
    """Return what is frozen in a file.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If it is no pre-registration, or was changed after it was frozen.
    """
    path = Path(file)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        what = f"must be a file made by lift preregister; {error}"
        raise InputError([Problem(path.name, what)]) from None
    if found.pop("format", None) != FORMAT:
        what = f"must be of the format {FORMAT}; make it with lift preregister"
        raise InputError([Problem(path.name, what)])
    seal = found.pop(SEAL, None)
    now = digest(tomli_w.dumps(found).encode())
    if seal != now:
        what = f"must be as it was frozen, sealed {seal}, found {now}: it was changed; restore it"
        raise InputError([Problem(path.name, what)])
    return {SEAL: seal, **found}


def commit_file(file: str | Path) -> str:
    """Commit a file, and nothing else, to the git repository that it lies in.

    Returns
    -------
    str
        The commit.

    Raises
    ------
    RunError
        If it lies in no repository, or git refuses.
    """
    path = Path(file).resolve()
    for words in (
        ("add", "--", str(path)),
        ("commit", "--quiet", "-m", f"Freeze {path.name}", "--", str(path)),
    ):
        _git(path.parent, *words)
    return _git(path.parent, "rev-parse", "HEAD")


def _check(plan: Plan, rule: Decision, primary: Sequence[str]) -> None:
    problems = []
    if len(plan.markets) > 1:
        what = f"one market must be chosen, found {len(plan.markets)}: {', '.join(plan.markets)}"
        problems.append(Problem("campaign", what))
    if plan.posts.empty:
        problems.append(Problem("posts", "at least one post must be planned, found none"))
    for by in (*primary, rule.by):
        if by not in BY:
            what = f"an estimand must be one of {', '.join(BY)}, found {by!r}"
            problems.append(Problem("estimands", what))
    if not 0.0 < rule.prob < 1.0:
        what = f"the probability must lie between 0 and 1, found {rule.prob:g}"
        problems.append(Problem("decision", what))
    if rule.by in BY:
        known = ["campaign"]
        if rule.by != "campaign":
            column = "post_id" if rule.by == "post" else rule.by
            known = sorted(set(plan.posts[column].dropna().astype(str)))
        if rule.unit not in known:
            what = f"its {rule.by} must be one of {', '.join(known) or 'none'}, found {rule.unit!r}"
            problems.append(Problem("decision", what))
    if problems:
        raise InputError(problems)


def _document(
    plan: Plan,
    spec: ModelSpec,
    rule: Decision,
    primary: Sequence[str],
    computation: Computation,
    moment: datetime | None,
) -> dict[str, Any]:
    downloads = plan.downloads
    observed = downloads[downloads["downloads"].notna()]
    last = downloads["date"].max()
    return {
        "created": (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lift": __version__,
        "code_sha256": provenance.code_digest(),
        "campaign": {
            "name": plan.name,
            "market": plan.markets[0],
            "timezone": plan.timezone,
            "country": plan.country or "",
            "controls": [] if plan.controls is None else list(map(str, plan.controls.columns[2:])),
            "first_day": str(downloads["date"].min().date()),
            "last_day": str(last.date()),
            "n_observed_days": len(observed),
            "downloads_sha256": table_digest(downloads),
        },
        "estimands": {
            "what": "incremental downloads: observed less those without the posts of the unit",
            "horizon_days": spec.horizon_days,
            "primary": list(primary),
        },
        "decision": {**asdict(rule), "sentence": rule.sentence()},
        "checks": thresholds(),
        "computation": asdict(computation),
        "posts": [_post(row, last) for _, row in plan.posts.iterrows()],
        "spec": {"toml": spec.to_toml()},
    }


def _post(row: pd.Series, last: pd.Timestamp) -> dict[str, Any]:
    """Return what is planned of a post, and whether a day of its outcome was there."""
    day = row["posted_at"].tz_localize(None).normalize()
    return {
        "post_id": str(row["post_id"]),
        "posted_at": row["posted_at"].isoformat(),
        **attributes_of(row),
        "seen": bool(day <= last),
    }


def attributes_of(row: pd.Series) -> dict[str, Any]:
    """Return the attributes of a post that are given."""
    given = {name: row[name] for name in ATTRIBUTES if name in row and not pd.isna(row[name])}
    return {
        name: bool(value)
        if name == "sponsored"
        else float(value)
        if name in {"views", "cost"}
        else str(value)
        for name, value in given.items()
    }


def thresholds() -> dict[str, float]:
    """Return the limits at which a check says that draws must not be believed."""
    return {
        "pareto_k_below": diagnostics.BAD_K,
        "effective_draws_from": diagnostics.BAD_ESS,
        "r_hat_below": diagnostics.BAD_R_HAT,
    }


def committed(file: Path) -> dict[str, str] | None:
    """Return commit and time of the commit that brought a file, None where it is in none."""
    try:
        told = _git(
            file.resolve().parent, "log", "-1", "--format=%H %cI", "--", file.resolve().name
        )
    except RunError:
        return None
    commit, _, moment = told.partition(" ")
    return {"commit": commit, "time": moment} if commit else None


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise RunError(f"git must be able to {words[0]} here, found: {said[-1:]}") from None
    return done.stdout.strip()
