"""The demo's picture shows what it printed, that all went well, and needs no network."""

import re
from xml.etree import ElementTree as ET

from rich.text import Text

from sandbox.demo.picture import picture
from sandbox.demo.play import COLUMNS
from sandbox.demo.scenarios import VIOLATIONS
from tests.docs.pages import ROOT

LONGEST = 200
"""How many lines a demo may print: it is read, not scrolled through."""
SVG = "{http://www.w3.org/2000/svg}"


def shown(text: str) -> list[str]:
    """Read the lines of a picture."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for run in parsed(text).iterfind(f".//{SVG}g[@class='demo-matrix']/{SVG}text"):
        words = (run.text or "").replace("\N{NO-BREAK SPACE}", " ")
        lines.setdefault(float(run.attrib["y"]), []).append((float(run.attrib["x"]), words))
    return ["".join(words for _, words in sorted(lines[y])).rstrip() for y in sorted(lines)]


def parsed(text: str) -> ET.Element:
    """Parse a picture, which is our own."""
    return ET.fromstring(text)  # noqa: S314 - see above


def test_picture_shows_the_present_demo_with_every_scene_successful() -> None:
    lines = shown((ROOT / "docs" / "demo.svg").read_text())
    rows = [re.split(r" {2,}", line.removeprefix("✓").strip()) for line in lines if line[:1] == "✓"]
    [good, total] = next(
        found.groups() for found in map(re.compile(r"(\d+) of (\d+) out").match, lines) if found
    )

    assert good == total
    # Run `make picture` when the scenarios of the demo have changed.
    assert [tuple(row[:4]) for row in rows[1 : len(VIOLATIONS) + 1]] == [
        (scenario.title, scenario.name, scenario.rule, scenario.rule) for scenario in VIOLATIONS
    ]
    assert len(rows) == int(total)
    assert len(lines) <= LONGEST


def test_picture_contains_no_active_or_external_content() -> None:
    text = (ROOT / "docs" / "demo.svg").read_text()
    tags = {node.tag.removeprefix(SVG) for node in parsed(text).iter()}

    assert not tags & {"image", "script", "use", "a", "foreignObject"}
    assert not re.search(r"@import|@font-face|href=", text)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}


def test_readme_shows_the_picture_with_an_alternative_text() -> None:
    [notified] = re.findall(r"!\[([^\]]+)\]\(docs/demo\.svg\)", (ROOT / "README.md").read_text())

    assert "alert" in notified
    assert "terminated" in notified


def test_picture_shows_lines_with_special_characters_unchanged() -> None:
    text = picture([Text("<b>&amp; [red]x[/] 'q'", style="bold"), Text("x" * COLUMNS)])

    assert shown(text) == ["<b>&amp; [red]x[/] 'q'", "x" * COLUMNS]
