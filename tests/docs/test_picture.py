"""The demo's picture shows what it printed, that all went well, and needs no network."""

import re
from xml.etree import ElementTree as ET

import pytest
from rich.text import Text

from sandbox.demo.picture import COLUMNS, excerpt, picture
from sandbox.demo.scenarios import GONE_WRONG
from tests.docs.pages import ROOT

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


def printed() -> list[str]:
    """What a demo prints, in short."""
    return [
        "Building …",
        "",
        "1. Compliant ───",
        "2. Non-compliant: each ───",
        "A cluster each.",
        "╭─ finding.opened ─╮",
        "│ Cluster  legacy-hive (j-1) │",
        "╰──╯",
        "╭─ finding.opened ─╮",
        "│ Cluster  nightly-etl (j-2) │",
        "│ Fix      aws emr <x> & y   │",
        "╰──╯",
        "Non-compliant   ",
        "┏━━┓",
        "└──┘",
        "4. Enforced: a cluster ───",
        "The stack again.",
        "╭─ enforcement.done ─╮",
        "╰──╯",
        "Enforced",
        "└──┘",
        "",
        "2 of 2 outcomes as expected (3 alerts, 60 s)",
    ]


def test_the_demos_picture_is_of_this_demo_and_all_went_well() -> None:
    lines = shown((ROOT / "docs" / "demo.svg").read_text())
    rows = [[cell.strip() for cell in line.split("│")] for line in lines if line.startswith("│ ✓")]
    [good, total] = next(
        found.groups() for found in map(re.compile(r"(\d+) of (\d+) out").match, lines) if found
    )

    assert good == total
    # Run `make picture` when the scenes of the demo have changed.
    assert [(row[2], row[3], row[5]) for row in rows[: len(GONE_WRONG)]] == [
        (scene.title, scene.name, scene.rule) for scene in GONE_WRONG
    ]


def test_the_demos_picture_fetches_nothing() -> None:
    text = (ROOT / "docs" / "demo.svg").read_text()
    tags = {node.tag.removeprefix(SVG) for node in parsed(text).iter()}

    assert not tags & {"image", "script", "use", "a", "foreignObject"}
    assert not re.search(r"@import|@font-face|href=", text)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}


def test_the_readme_shows_it_and_says_what_is_on_it() -> None:
    [notified] = re.findall(r"!\[([^\]]+)\]\(docs/demo\.svg\)", (ROOT / "README.md").read_text())

    assert "alert" in notified
    assert "terminated" in notified


def test_a_picture_says_how_much_it_leaves_out_where_it_does() -> None:
    kept = [line.plain for line in excerpt([Text(line) for line in printed()])]

    assert kept == [
        "⋮ 2 lines",
        *printed()[3:5],
        "⋮ 3 lines",
        *printed()[8:17],
        "⋮ 2 lines",
        *printed()[19:21],
        *printed()[22:],
    ]


@pytest.mark.parametrize(
    ("without", "why"),
    [
        (printed()[3], "2. Non-compliant"),
        (printed()[9], "an alert about nightly-etl"),
        ("Enforced", "table Enforced"),
        (printed()[-1], "the sum"),
    ],
)
def test_a_demo_that_did_not_print_what_should_be_shown_is_not_drawn(
    without: str, why: str
) -> None:
    lines = [Text(line) for line in printed() if line != without]

    with pytest.raises(ValueError, match=why):
        excerpt(lines)


def test_a_picture_shows_its_lines_whatever_is_in_them() -> None:
    text = picture([Text("<b>&amp; [red]x[/] 'q'", style="bold"), Text("x" * COLUMNS)])

    assert shown(text) == ["<b>&amp; [red]x[/] 'q'", "x" * COLUMNS]
