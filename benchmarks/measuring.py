"""What a run of a command takes: time, memory, and what it wrote."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile


@dataclass(frozen=True, slots=True)
class Run:
    """One run, the start of its process included."""

    seconds: float
    megabytes: float
    """The most memory that the process held at any moment: its resident set, in MB."""
    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of the same command under the same conditions."""

    runs: Sequence[Run]

    @property
    def seconds(self) -> float:
        """The median."""
        return median(run.seconds for run in self.runs)

    @property
    def megabytes(self) -> float:
        """The median."""
        return median(run.megabytes for run in self.runs)

    @property
    def spread(self) -> str:
        """The median, and the fastest and the slowest."""
        times = [run.seconds for run in self.runs]
        if len(times) == 1:
            return f"{times[0]:.1f} s"
        return f"{self.seconds:.2f} s ({min(times):.2f} to {max(times):.2f})"


def measured(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> Run:
    """Run a command in a folder, and nothing beside it."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Run(
            seconds,
            usage.ru_maxrss / 1024,
            process.returncode,
            output.read().decode(),
            errors.read().decode(),
        )
