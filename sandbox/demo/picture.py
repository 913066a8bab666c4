"""`python -m sandbox.demo.picture FILE.svg` plays the demo and draws its output.

A demo prints several hundred lines. The picture shows one alert, two tables and the total, and how
many lines are omitted between them.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sandbox import SandboxError
from sandbox.demo.play import play

COLUMNS = 112
SHOWN_CLUSTER = "nightly-etl"
"""The cluster whose alert is shown."""

_THEME = TerminalTheme(
    (13, 17, 23),
    (201, 209, 217),
    [
        (110, 118, 129),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)
# rich fills in the braces. Its own template fetches a font from the network.
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
 aria-labelledby="{unique_id}-name">
<title id="{unique_id}-name">The demo in a terminal: one alert, and the outcomes</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def excerpt(lines: Sequence[Text]) -> list[Text]:
    """Select the lines that the picture shows, with a count of the omitted ones.

    Raises:
        ValueError: a line that the picture shows was not printed.
    """
    shown = sorted({index for part in _parts([line.plain for line in lines]) for index in part})
    kept: list[Text] = []
    following = 0
    for index in (*shown, len(lines)):
        if left_out := sum(bool(line.plain.strip()) for line in lines[following:index]):
            kept.append(Text(f"⋮ {left_out} lines", style="dim"))
        kept += lines[index : index + 1]
        following = index + 1
    return kept


def picture(lines: Sequence[Text]) -> str:
    """Draw lines as an SVG that loads nothing from the network."""
    paper = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False)
    for line in lines:
        paper.print(line, no_wrap=True)
    return paper.export_svg(title="make demo", theme=_THEME, code_format=_SVG, unique_id="demo")


def _parts(plain: Sequence[str]) -> Iterator[range]:
    """Find the parts to show, as ranges of lines."""
    wrong = _first(plain, "2. Non-compliant", lambda line: line.startswith("2. "))
    yield range(wrong, wrong + 2)
    about = f" {SHOWN_CLUSTER} ("
    named = _first(plain, f"an alert about {SHOWN_CLUSTER}", lambda line: about in line, wrong)
    top = max(index for index in range(named) if plain[index].startswith("╭"))
    yield range(top, _first(plain, "its end", lambda line: line.startswith("╰"), named) + 1)
    yield _table(plain, "Non-compliant")
    enforced = _first(plain, "4. Enforced", lambda line: line.startswith("4. "))
    yield range(enforced, enforced + 2)
    yield _table(plain, "Enforced")
    total = _first(plain, "the sum", lambda line: "outcomes as expected" in line)
    yield range(total, total + 1)


def _table(plain: Sequence[str], title: str) -> range:
    top = _first(plain, f"table {title}", lambda line: line.rstrip() == title)
    return range(top, _first(plain, "its end", lambda line: line.startswith("└"), top) + 1)


def _first(plain: Sequence[str], what: str, wanted: Callable[[str], bool], since: int = 0) -> int:
    for index in range(since, len(plain)):
        if wanted(plain[index]):
            return index
    message = f"the demo did not print {what}"
    raise ValueError(message)


def main(file: Path) -> int:
    """Play the demo, draw it and return the exit status. A failed demo is not drawn."""
    console = Console(record=True, width=COLUMNS, force_terminal=False, highlight=False)
    try:
        as_expected = play(console)
    except (SandboxError, TimeoutError) as error:
        console.print(f"The demo failed: {error}", soft_wrap=True)
        return 2
    if not as_expected:
        return 1
    lines = [Text.from_ansi(line) for line in console.export_text(styles=True).splitlines()]
    file.write_text(picture(excerpt(lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
