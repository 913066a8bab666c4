"""The documentation says what the code does: it is compared with it, so that it cannot go stale."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cfnlint.decode import decode  # type: ignore[import-untyped]

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import AlertKind, NextStep
from emr_log_guard.policy_document import parse_policy
from emr_log_guard.rendering.alerts.events import ENFORCEMENT_EVENTS, FINDING_EVENTS
from emr_log_guard.rules import ALL_RULES
from emr_log_guard.rules.rule import Rule
from tests.unit.builders import TODAY
from tools.docs.pages import PAGES as GENERATED

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def table(page: str, head: str) -> list[list[str]]:
    """Give the cells of a page's tables with this head."""
    _, *tables = (ROOT / "docs" / page).read_text().split(f"\n| {head} |\n")
    assert tables, f"{page} has no table {head!r}"
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for below in tables
        for line in re.split(r"^(?!\|)", below, maxsplit=1, flags=re.MULTILINE)[0].splitlines()[1:]
    ]


def example_alert() -> dict[str, Any]:
    """Read the alert of events/, which is held to what is sent."""
    [record] = json.loads((ROOT / "events" / "sns-alert.json").read_text())["Records"]
    alert: dict[str, Any] = json.loads(record["Sns"]["Message"])
    return alert


def prose(page: Path) -> str:
    """Give a page without its blocks of code."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Name a page's headings as GitHub does in a link."""
    return {_anchor(found[0]) for found in _HEADING.finditer(prose(page))}


def _anchor(heading: str) -> str:
    title = heading.lstrip("#").strip().lower()
    return re.sub(r"[^\w\- ]", "", title).replace(" ", "-")


def broken_links(page: Path) -> list[str]:
    """Name the links to a file, or a heading of one, that does not exist."""
    broken = []
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if workflow := re.match(r"\.\./\.\./actions/(workflows/\w+\.yml)", path):  # on GitHub
            target = ROOT / ".github" / workflow[1]
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def part_of(page: Path, anchor: str) -> str:
    """Give a heading and what is below it, down to the next heading that is not deeper."""
    text = page.read_text()
    blank = _FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    headings = [(found.start(), found[0]) for found in _HEADING.finditer(blank)]
    [start] = [i for i, (_, line) in enumerate(headings) if _anchor(line) == anchor]
    begin, line = headings[start]
    depth = line.count("#", 0, line.index(" "))
    ends = (at for at, next_ in headings[start + 1 :] if next_.index(" ") <= depth)
    return text[begin : next(ends, len(text))]


def alarm_runbooks() -> dict[str, tuple[str, str]]:
    """Give the page of each alarm, and the part of it."""
    template, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    named = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            described = resource["Properties"]["AlarmDescription"]
            found = re.search(r" Runbook: docs/runbooks/([\w-]+\.md)#([\w-]+)$", described)
            assert found, f"{name} names no runbook"
            named[name] = (found[1], found[2])
    return named


def parameters() -> set[str]:
    """Name the template's parameters."""
    template, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    return set(template["Parameters"])


@pytest.mark.parametrize("path", GENERATED)
def test_generated_page_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text() == GENERATED[path](), f"{path} is stale: run make docs"


@pytest.mark.parametrize("path", [path for path in GENERATED if path.endswith(".md")])
def test_readme_links_to_each_generated_page(path: str) -> None:
    assert path in {link.partition("#")[0] for link in _LINK.findall(prose(ROOT / "README.md"))}


def test_every_rule_parameter_and_field_has_a_description() -> None:
    tables = [GENERATED[f"docs/{name}.md"]() for name in ("rules", "configuration", "cli")]

    assert [line for text in tables for line in text.splitlines() if line.endswith("|  |")] == []


def test_every_command_documents_its_exit_status() -> None:
    _, shared, *commands = GENERATED["docs/cli.md"]().split("\n## ")

    assert shared.startswith("Options of several sub-commands\n")
    assert commands
    assert [text.split()[0] for text in commands if "\nExit status: 0" not in text] == []


def test_every_rule_and_alarm_has_a_runbook_and_no_other_exists() -> None:
    pages = {page.name for page in RUNBOOKS.iterdir()}

    of_rules = {f"{rule.id}.md" for rule in ALL_RULES}
    assert pages == of_rules | {page for page, _ in alarm_runbooks().values()}


@pytest.mark.parametrize("alarm", alarm_runbooks())
def test_runbook_section_of_an_alarm_exists_and_says_what_to_do(alarm: str) -> None:
    page, anchor = alarm_runbooks()[alarm]
    assert anchor in anchors(RUNBOOKS / page)

    part = part_of(RUNBOOKS / page, anchor)
    assert re.search(r"^```console\n(aws|emr-log-guard|group=)", part, re.MULTILINE)
    for answer in ("Why it matters", "Undo", "Expect"):
        assert f"\n**{answer}.** " in part


def test_section_of_a_page_ends_at_the_next_heading(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\none\n\n## B\ntwo\n```console\n# no heading\n```\n\n## C\nthree\n")

    assert part_of(page, "b") == "## B\ntwo\n```console\n# no heading\n```\n\n"
    assert part_of(page, "c") == "## C\nthree\n"
    assert part_of(page, "a") == page.read_text()


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_runbook_starts_with_its_rule_and_has_every_section(rule: Rule[Any]) -> None:
    page = (RUNBOOKS / f"{rule.id}.md").read_text()

    assert page.startswith(f"# {rule.id} {rule.name} ({rule.severity})\n")
    assert "\n**Why it matters.** " in page
    assert "\n**Undo.** " in page
    assert "\n**Expect.** " in page
    for anchor in ("confirm", "fix"):
        assert "\n```console\naws " in part_of(RUNBOOKS / f"{rule.id}.md", anchor)
    assert {"## Confirm", "## Fix", "## INSUFFICIENT_DATA"} <= set(page.splitlines())


def test_install_page_names_existing_parameters() -> None:
    asked = {cells[0].strip("`") for cells in table("install.md", "parameter | value")}

    assert asked
    assert asked <= parameters()


def test_first_enforcement_has_both_grace_periods_and_one_rule() -> None:
    rollout = part_of(ROOT / "docs" / "install.md", "from-observe-to-enforce")
    example = rollout.partition("```json\n")[2].partition("```")[0]
    policy = parse_policy(example, TODAY, allowed=True)

    assert policy.mode is Mode.ENFORCE
    assert len(policy.enforcement.rules) == 1
    assert policy.enforcement.grace_at_launch >= timedelta(days=1)
    assert policy.enforcement.grace_running >= timedelta(days=1)


def test_security_model_covers_each_function() -> None:
    functions = {f"`{app.parent.name}`" for app in ROOT.glob("functions/*/app.py")}

    assert {cells[0] for cells in table("security-model.md", "function | may")} == functions


def test_alerts_page_covers_every_kind_next_step_and_field() -> None:
    kinds = {cells[0] for cells in table("alerts.md", "kind | when")}
    steps = {cells[0] for cells in table("alerts.md", "next step | what happens to the cluster")}
    named = {name for cells in table("alerts.md", "field | value") for name in cells[0].split(", ")}
    # What `enforce` decides without telling anybody.
    silent = {NextStep.TERMINATION_STARTED, NextStep.SKIPPED_IN_GRACE}

    assert kinds == {f"`{kind}`" for kind in AlertKind}
    assert steps == {f"`{step}`" for step in set(NextStep) - silent}
    assert named == {f"`{name}`" for name in {*example_alert(), *example_alert()["findings"][0]}}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    assert not broken_links(page)


def test_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n[a](page.md#a-page) [b](gone.md) [c](#gone) [d](https://x.example)\n"
        "[e](../../actions/workflows/ci.yml) [f](../../actions/workflows/gone.yml)\n"
    )

    assert broken_links(page) == ["gone.md", "#gone", "../../actions/workflows/gone.yml"]


def test_many_accounts_page_covers_every_event() -> None:
    rows = table("many-accounts.md", "detail-type | one for each | detail")

    assert {name.strip("`") for kinds, _, _ in rows for name in kinds.split(", ")} == {
        *FINDING_EVENTS.values(),
        *ENFORCEMENT_EVENTS.values(),
    }


def test_decisions_are_numbered_without_gaps() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

    assert [page.name[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for number, page in enumerate(pages, start=1):
        assert page.read_text().startswith(f"# {number}. ")
