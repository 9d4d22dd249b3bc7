"""A small made-up paper and the experiment that it draws on."""

from __future__ import annotations

from pathlib import Path

from lift import study

INPUTS = """
date = 2026-01-31
text = "paper.typ"
bibliography = "references.bib"

[sources]
config = "experiments/question/config.toml"
expected = "experiments/question/expected.toml"
table = "experiments/question/results/table.csv"

[numbers]
sum = { source = "expected", at = "numbers.sum.value", show = ".1f" }
first_unit = { source = "table", column = "value", where = { unit = "a" }, show = "+.2f" }
last_unit = { source = "table", column = "value", where = { unit = "c" }, show = ".0%" }
units = { source = "table", take = "count", show = ".0f" }
size = { source = "config", at = ["sizes"], item = 1, show = ".0f" }
views = { value = 15000000, cite = "somebody2025", scale = 1e-6, show = ".0f" }
gap = { of = ["sum", "first_unit"], by = "difference", show = ".1f" }

[tables.values]
source = "table"
columns = { unit = "", value = ".2f" }
names = { c = "the last" }

[figures.bars]
sources = ["table"]
"""
TEXT = """\
#import "../article.typ": *
#show: article.with(title: "A made-up paper", author: "Me", abstract: [It has #n("units") units.])

= What came out
The sum is #n("sum"), which @somebody2025 would not believe. The first unit has #n("first_unit") and
the last #n("last_unit"), at a size of #n("size"). On 5 June 2025 it was seen
#n("views") million times, #n("gap") more.

$ y = x^2 + 1 $

#chart("bars", alt: "Bars", caption: [Values of the units.])
#figure(
  grid-table(columns: 2, head: head("values", "unit"), ..rows("values")),
  caption: [The values.],
)

#bibliography("references.bib")
"""
FIGURES = """
from matplotlib.figure import Figure

def bars(sources):
    figure = Figure(figsize=(4, 2))
    figure.subplots().bar(sources["table"]["unit"], sources["table"]["value"])
    return figure
"""
RUN = """
import pandas as pd
from pathlib import Path

def main(config):
    table = pd.DataFrame({"unit": ["a", "b", "c"], "value": config["values"]})
    table.to_csv(Path(config["results"]) / "table.csv", index=False, lineterminator="\\n")
    return {"sum": table["value"].sum()}
"""
CONFIG = "seed = 1\nvalues = [-0.5, 2.0, 0.25]\nsizes = [3, 7]\n[smoke]\nvalues = [1.0, 2.0, 3.0]\n"
BIB = "@misc{somebody2025,\n author = {Somebody}, title = {Seen}, year = {2025},\n}\n"
ARTICLE = Path(__file__).parents[1] / "papers" / "article.typ"


def write(root: Path) -> Path:
    """Write the paper and its experiment, results and all, and return the paper's folder."""
    experiment = root / "experiments" / "question"
    experiment.mkdir(parents=True)
    (experiment / "run.py").write_text(RUN)
    (experiment / "config.toml").write_text(CONFIG)
    study.expect(experiment, study.run(experiment))
    study.expect(experiment, study.run(experiment, smoke=True), smoke=True)
    paper = root / "papers" / "2025-question"
    paper.mkdir(parents=True)
    (root / "papers" / "article.typ").write_text(ARTICLE.read_text("utf-8"), "utf-8")
    for name, text in {
        "inputs.toml": INPUTS,
        "paper.typ": TEXT,
        "figures.py": FIGURES,
        "references.bib": BIB,
    }.items():
        (paper / name).write_text(text, "utf-8")
    return paper


def change(file: Path, old: str, new: str) -> None:
    """Put a text in the place of another that is there once."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), "utf-8")
