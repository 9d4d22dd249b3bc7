"""Papers whose numbers, tables and figures come from committed results, built and checked."""

from lift.paper.build import Built, build_paper
from lift.paper.check import PaperCheck, check_paper, expect_paper
from lift.paper.inputs import Inputs, is_paper, read_inputs

__all__ = [
    "Built",
    "Inputs",
    "PaperCheck",
    "build_paper",
    "check_paper",
    "expect_paper",
    "is_paper",
    "read_inputs",
]
