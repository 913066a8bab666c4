"""`python -m sandbox.demo.picture FILE.svg` plays the demo and draws its output."""

import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sandbox import SandboxError
from sandbox.demo.play import COLUMNS, play

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
<title id="{unique_id}-name">The demo in a terminal: alerts, and the outcomes</title>
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


def picture(lines: Sequence[Text]) -> str:
    """Draw lines as an SVG that loads nothing from the network."""
    paper = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False)
    for line in lines:
        paper.print(line, no_wrap=True)
    return paper.export_svg(title="make demo", theme=_THEME, code_format=_SVG, unique_id="demo")


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
    file.write_text(picture(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
