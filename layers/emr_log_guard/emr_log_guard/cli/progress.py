"""How far an audit is: a bar for people who look on, nothing for those who do not."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn


class Bar:
    """A bar on standard error; it is gone when the audit ends."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on this console, standard error by default."""
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[objects]}"),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("clusters", total=0, objects="")
        self._listed = self._objects = 0

    def listed(self) -> None:
        """Say that a cluster was found."""
        self._listed += 1
        self._progress.update(self._task, total=self._listed)

    def judged(self) -> None:
        """Say that a cluster was judged."""
        self._progress.advance(self._task)

    def checked_object(self) -> None:
        """Say that a log object was read."""
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
        """Take it away."""
        self._progress.stop()
