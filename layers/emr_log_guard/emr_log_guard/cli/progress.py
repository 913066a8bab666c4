"""Progress bars on standard error: shown on a terminal, and removed when the command ends."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


def progress_bar(*columns: TextColumn, console: Console, shown: bool = True) -> Progress:
    """Make a progress bar; it is shown on terminals only."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )


class AuditProgress:
    """The progress of an audit: clusters evaluated and found, and log objects checked."""

    def __init__(self, console: Console | None = None, *, shown: bool = True) -> None:
        """Draw on this console, standard error by default, if shown."""
        self._progress = progress_bar(
            TextColumn("{task.fields[objects]}"),
            console=console or Console(stderr=True),
            shown=shown,
        )
        self._task = self._progress.add_task("clusters", total=0, objects="")
        self._listed = self._objects = 0

    def listed(self) -> None:
        """Count a cluster that was found."""
        self._listed += 1
        self._progress.update(self._task, total=self._listed)

    def evaluated(self) -> None:
        """Count a cluster that was evaluated."""
        self._progress.advance(self._task)

    def checked_object(self) -> None:
        """Count a log object that was checked."""
        self._objects += 1
        self._progress.update(self._task, objects=f"{self._objects:,} log objects")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self._progress.stop()
