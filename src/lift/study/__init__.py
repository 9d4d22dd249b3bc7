"""Studies: an experiment in a folder, its units that last, its numbers and the expected ones."""

from lift.study.experiment import (
    Compared,
    Outcome,
    expect,
    read_config,
    reproduce,
    run,
    versions,
)
from lift.study.resumable import Progress, units

__all__ = [
    "Compared",
    "Outcome",
    "Progress",
    "expect",
    "read_config",
    "reproduce",
    "run",
    "units",
    "versions",
]
