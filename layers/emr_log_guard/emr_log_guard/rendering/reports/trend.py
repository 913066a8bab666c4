"""Open findings from re-scan to re-scan, as the geometry of a chart."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, log10

from emr_log_guard.domain.rescan import PastRun

WIDTH, HEIGHT = 720, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 36, 12, 28
"""What is left around the plot for labels."""
_TICKS = 5
"""How many lines there are above the first, at most."""
_LABELS = 6
"""How many bars have their day below them, at most."""
_WIDEST = 40.0
"""A bar's width, at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar."""

    result: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A run."""

    x: float
    width: float
    parts: tuple[Part, ...]
    run: PastRun
    label: str
    """The text below it; empty where there is no room."""

    @property
    def middle(self) -> float:
        """The x coordinate of its label."""
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Tick:
    """A horizontal line, and its number."""

    y: float
    number: int


@dataclass(frozen=True, slots=True)
class Trend:
    """A chart of stacked bars, a bar a run, the oldest first."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]

    @property
    def description(self) -> str:
        """Describe the chart in text, for screen readers."""
        first, last = self.bars[0].run, self.bars[-1].run
        return (
            f"{len(self.bars)} re-scans from {first.started:%Y-%m-%d} to {last.started:%Y-%m-%d}: "
            f"{_broken(first)} non-compliant findings were open after the first and "
            f"{_broken(last)} after the last, and {first.undetermined} and {last.undetermined} "
            "could not be determined."
        )


def trend(runs: Sequence[PastRun]) -> Trend | None:
    """Draw runs, the oldest first; None where there are not two to compare."""
    if len(runs) < 2:  # noqa: PLR2004
        return None
    most = max(sum(_counts(run).values()) for run in runs)
    step = _step(most)
    lines = max(ceil(most / step), 1)
    highest = step * lines
    room = (WIDTH - LEFT - RIGHT) / len(runs)
    width = min(room * 0.75, _WIDEST)
    every = ceil(len(runs) / _LABELS)
    bars = tuple(
        Bar(
            x=round(LEFT + room * at + (room - width) / 2, 1),
            width=round(width, 1),
            parts=_parts(run, highest),
            run=run,
            # Counted from the last, so that the last one has a label.
            label=f"{run.started:%Y-%m-%d}" if (len(runs) - 1 - at) % every == 0 else "",
        )
        for at, run in enumerate(runs)
    )
    ticks = (step * number for number in range(lines + 1))
    return Trend(bars, tuple(Tick(_y(number, highest), number) for number in ticks))


def _counts(run: PastRun) -> dict[str, int]:
    return {
        "NON_COMPLIANT": _broken(run),
        "INSUFFICIENT_DATA": run.undetermined,
        "EXEMPT": run.exempt,
    }


def _broken(run: PastRun) -> int:
    return sum(run.broken.values())


def _parts(run: PastRun, highest: int) -> tuple[Part, ...]:
    counts = _counts(run)
    tops = accumulate(counts.values())
    return tuple(
        Part(result, y := _y(top, highest), round(_y(top - count, highest) - y, 1))
        for (result, count), top in zip(counts.items(), tops, strict=True)
        if count
    )


def _y(number: int, highest: int) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * number / highest, 1)


def _step(highest: int) -> int:
    """Choose a round step, so that a few of them reach high enough: 1, 2 or 5 times ten."""
    least = max(highest / _TICKS, 1)
    ten: int = 10 ** int(log10(least))
    return next(step * ten for step in (1, 2, 5, 10) if step * ten >= least)
