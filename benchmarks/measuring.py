"""Measures a command: time, memory and output."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile, TemporaryFile

_START = Path(__file__).with_name("start.py")


@dataclass(frozen=True, slots=True)
class Run:
    """One run, including the start of its process."""

    seconds: float
    processor: float
    """CPU time in seconds."""
    megabytes: float
    """The peak resident set size of the process, in MB."""
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
        """The median, with the fastest and the slowest run."""
        times = [run.seconds for run in self.runs]
        if len(times) == 1:
            return f"{times[0]:.1f} s"
        return f"{self.seconds:.2f} s ({min(times):.2f} to {max(times):.2f})"


def measured(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> Run:
    """Run a command in a folder, with nothing else running."""
    with TemporaryFile() as output, TemporaryFile() as errors, NamedTemporaryFile() as result:
        subprocess.run(
            [sys.executable, "-I", "-S", _START, result.name, *command],
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=errors,
            check=True,
        )
        usage = json.load(result)
        output.seek(0)
        errors.seek(0)
        return Run(**usage, stdout=output.read().decode(), stderr=errors.read().decode())
