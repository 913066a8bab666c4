"""The HTML report in a real browser: it sorts, filters, prints, and hostile names stay text."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from emr_log_guard.domain.audit import AuditedCluster, AuditReport
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.policy import ClusterMatch
from emr_log_guard.rendering.reports.audit import audit_html
from emr_log_guard.rendering.reports.report_html import PAGE
from emr_log_guard.rendering.reports.rescan import rescan_html
from tests.browser.conftest import Open
from tests.unit.audits import PLACE, SUMMARY, UNREADABLE_PLACE, a_report
from tests.unit.builders import ACCOUNT, OTHER_ACCOUNT, REGION, a_finding, an_exemption
from tests.unit.rescan_reports import a_past_run, a_rescan_report

pytestmark = pytest.mark.xdist_group("browser")

HOSTILE = (
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "</style><script>window.pwned = 1</script>",
    "--><img src=https://evil.example/a onerror=window.pwned=1>",
    '"><img src=https://evil.example/b onerror=window.pwned=1>',
    "'><svg onload=window.pwned=1>",
    '" autofocus onfocus="window.pwned=1',
    "</textarea></title><iframe srcdoc='<script>parent.pwned=1</script>'>",
    "javascript:window.pwned=1",
    "{{ 7 * 7 }} ${7 * 7} {% raw %}",
    "&lt;script&gt;",
    "<base href=https://evil.example/><link rel=stylesheet href=/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "a\u202eb\u200bc\u0000d",
)
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    if (element.closest("script")) continue;
    const style = getComputedStyle(element);
    const front = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(parse(front)), light(behind(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), node.data.trim()]);
  }
  return found;
}"""


def cluster(
    number: int,
    *,
    compliance: Compliance = Compliance.NON_COMPLIANT,
    **changes: Any,  # noqa: ANN401 - any fields of a finding
) -> AuditedCluster:
    """Make an audited cluster with a finding."""
    account = OTHER_ACCOUNT if number % 2 else ACCOUNT
    arn = f"arn:aws:elasticmapreduce:{REGION}:{account}:cluster/j-{number:013}"
    name = changes.pop("cluster_name", f"cluster-{number}")
    rule_id = changes.pop("rule_id", "EMRLOG-002")
    finding = replace(
        a_finding(rule_id, id=f"{arn}#{rule_id}", compliance=compliance),
        account=account,
        cluster_id=f"j-{number:013}",
        cluster_arn=arn,
        cluster_name=name,
        **changes,
    )
    summary = replace(SUMMARY, id=f"j-{number:013}", name=name, arn=arn)
    return AuditedCluster(summary, (finding,))


def some() -> AuditReport:
    return a_report(
        cluster(1, severity=Severity.CRITICAL, rule_id="EMRLOG-201"),
        cluster(2, severity=Severity.LOW, summary="the needle in the haystack"),
        cluster(3, compliance=Compliance.INSUFFICIENT_DATA, severity=Severity.MEDIUM),
        cluster(4, compliance=Compliance.COMPLIANT),
        cluster(5, status=Status.EXEMPT),
        replace(cluster(6), findings=(), unresolved=("elasticmapreduce:DescribeCluster said no",)),
        places=(PLACE, UNREADABLE_PLACE),
        exemptions=(an_exemption(ClusterMatch(name="legacy-*")),),
    )


def many(count: int) -> Iterator[AuditedCluster]:
    severities = list(Severity)
    for number in range(count):
        yield cluster(number, severity=severities[number % 4], rule_id=f"EMRLOG-00{number % 6 + 1}")


def shown(page: Page) -> list[str]:
    """The names in the table, as they are seen."""
    names: list[str] = page.locator("#clusters-table > tbody").evaluate_all(
        "all => all.filter((each) => each.checkVisibility())"
        ".map((each) => each.rows[0].cells[0].innerText.split('\\n')[0])"
    )
    return names


def test_most_severe_comes_first_and_every_column_sorts_both_ways(opened: Open) -> None:
    page = opened(audit_html(some()))

    assert shown(page) == [f"cluster-{number}" for number in (1, 2, 3, 6, 4, 5)]
    sort = page.locator("#clusters-table thead button")
    assert sort.all_inner_texts() == [
        "Cluster",
        "Result",
        "Severity",
        "Findings",
        "Account",
        "Region",
        "State",
    ]
    for column, up, down in (
        ("Cluster", (1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1)),
        ("Result", (1, 2, 3, 6, 4, 5), (5, 4, 3, 6, 1, 2)),
        ("Account", (2, 6, 4, 1, 3, 5), (1, 3, 5, 2, 6, 4)),
    ):
        sort.filter(has_text=column).click()
        assert shown(page) == [f"cluster-{number}" for number in up]
        sort.filter(has_text=column).click()
        assert shown(page) == [f"cluster-{number}" for number in down]
    sort.filter(has_text="Severity").click()
    assert shown(page)[:3] == ["cluster-1", "cluster-3", "cluster-2"]
    states = page.locator("#clusters-table thead th").evaluate_all(
        "all => all.map((each) => each.getAttribute('aria-sort'))"
    )
    assert states == ["none", "none", "descending", "none", "none", "none", "none"]


@pytest.mark.parametrize(
    ("label", "asked", "numbers"),
    [
        ("Search", "NEEDLE hay", {2}),
        ("Search", "j-0000000000004", {4}),
        ("Search", "describecluster", {6}),
        ("Search", ".*", set()),
        ("Result", "Not determined", {3, 6}),
        ("Severity", "Medium and above", {1, 3}),
        ("Rule", "EMRLOG-201", {1}),
        ("Account and Region", f"{OTHER_ACCOUNT} {REGION}", {1, 3, 5}),
    ],
)
def test_filter_shows_and_counts_matching_clusters(
    opened: Open, label: str, asked: str, numbers: set[int]
) -> None:
    page = opened(audit_html(some()))
    field = page.get_by_label(label, exact=True)
    status = page.get_by_role("status")
    expect(status).to_have_text("6 clusters")

    if label == "Search":
        field.fill(asked)
    else:
        field.select_option(asked)

    assert set(shown(page)) == {f"cluster-{number}" for number in numbers}
    expect(status).to_have_text(f"{len(numbers)} of 6 clusters match")


def test_page_can_be_used_with_the_keyboard_alone(opened: Open) -> None:
    page = opened(audit_html(some()))

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the clusters")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Clusters", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    outline = page.get_by_label("Search", exact=True).evaluate(
        "each => getComputedStyle(each).outlineStyle"
    )
    assert outline == "solid"
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cluster", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    assert shown(page)[0] == "cluster-1"
    page.keyboard.press("Enter")
    assert shown(page)[0] == "cluster-6"
    summary = page.locator("#clusters-table summary").first
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#clusters-table details").first).to_have_attribute("open", "")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_is_shown_as_text_everywhere(opened: Open, name: str) -> None:
    def page_of(text: str) -> Page:
        bad = cluster(
            1,
            cluster_name=text,
            summary=text,
            remediation=text,
            runbook=text,
            launched_by=text,
            evidence={"log_uri": text, "samples": (text,)},
        )
        exemption = replace(an_exemption(ClusterMatch(name=text)), reason=text, approved_by=text)
        return opened(
            audit_html(
                a_report(
                    replace(bad, unresolved=(text,)),
                    places=(replace(PLACE, problem=text, role_arn=text),),
                    exemptions=(exemption,),
                    missing=(text,),
                )
            )
        )

    tree = "() => Array.from(document.all, (e) => e.tagName + e.getAttributeNames())"
    usual, page = page_of("usual"), page_of(name)

    assert page.evaluate(tree) == usual.evaluate(tree)
    assert page.evaluate("() => window.pwned") is None
    page.get_by_label("Search", exact=True).fill(name)
    page.locator("#clusters-table thead button").first.click()
    assert page.evaluate("() => window.pwned") is None
    assert page.evaluate("() => location.protocol") == "file:"
    if name.isprintable():
        assert name in page.locator("#clusters-table").inner_text()


def test_content_security_policy_blocks_injected_markup(browser: Browser, tmp_path: Path) -> None:
    """Should markup ever get in, it runs nothing, and nothing leaves."""
    intruder = (
        "<script>window.pwned = 1</script><img src='https://evil.example/a' onerror='pwned = 1'>"
        "<form action='https://evil.example/b'></form><style>h1 { display: none }</style>"
    )
    html = "".join(audit_html(some())).replace("<main>", f"<main>{intruder}", 1)
    careless = re.sub(r"<meta http-equiv=\"Content-Security-Policy\".*", "", html)
    assert careless != html

    def tried(page_of: str) -> tuple[set[str], bool, bool]:
        """Say what left the page, whether the script ran, and whether the style holds."""
        file = tmp_path / "report.html"
        file.write_text(page_of)
        page = browser.new_page()
        left = set[str]()

        def leaving(route: Route) -> None:
            left.add(route.request.url)
            route.fulfill(status=204)  # this answer keeps the browser on the page

        page.route(re.compile("^https:"), leaving)
        page.goto(file.as_uri())
        ran, hidden = page.evaluate("() => window.pwned") == 1, page.locator("h1").is_hidden()
        page.evaluate("() => setTimeout(() => document.querySelector('main > form').submit())")
        page.wait_for_timeout(500)
        page.close()
        return left, ran, hidden

    assert tried(html) == (set(), False, False)
    assert tried(careless) == (
        {"https://evil.example/a", "https://evil.example/b?"},
        True,
        True,
    )


def test_ten_thousand_clusters_are_sorted_filtered_and_shown_in_parts(
    opened: Open,
) -> None:
    page = opened(audit_html(a_report(*many(10_000))))
    page.evaluate(
        """() => {
          window.changes = [];
          new MutationObserver((all) => window.changes.push(...all.map((each) => each.type)))
            .observe(document.getElementById("clusters-table").parentElement,
                     { attributes: true, childList: true, subtree: true });
        }"""
    )

    def changes() -> int:
        count: int = page.evaluate("() => window.changes.splice(0).length")
        return count

    assert len(shown(page)) == PAGE
    expect(page.get_by_role("status")).to_have_text(f"10,000 clusters, {PAGE} of them shown")
    page.get_by_label("Search", exact=True).fill("cluster-9999")
    assert shown(page) == ["cluster-9999"]
    assert changes() <= 20_000 + 10
    page.get_by_label("Search", exact=True).fill("cluster-999")
    assert len(shown(page)) == 11
    assert changes() <= 20
    page.get_by_label("Search", exact=True).fill("")
    page.get_by_role("button", name="Cluster", exact=True).click()
    assert shown(page)[:2] == ["cluster-0", "cluster-1000"]
    page.get_by_role("button", name=f"Show {PAGE} more").click()
    assert len(shown(page)) == 2 * PAGE


def test_page_without_scripts_is_a_plain_table_of_all_clusters(opened: Open) -> None:
    page = opened(audit_html(a_report(*many(PAGE + 20))), scripts=False)

    assert len(shown(page)) == PAGE + 20
    assert not page.locator("#filter").is_visible()
    assert page.locator("#clusters-table button").count() == 0
    assert not page.locator("#more").is_visible()
    page.locator("#clusters-table summary").first.click()
    assert "aws emr create-cluster" in page.locator("#clusters-table").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_contrast_of_all_text_meets_wcag_aa(opened: Open, scheme: str, media: str) -> None:
    """WCAG AA: a contrast of 4.5 to 1."""
    for html in (audit_html(some()), rescan_html(a_run())):
        page = opened(html, scheme=scheme)
        page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true })")
        page.emulate_media(media="print" if media == "print" else "screen")

        found = page.evaluate(CONTRAST)
        background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")

        assert len(found) > 100
        assert [each for each in found if each[0] < 4.5] == []
        assert (background == "rgb(255, 255, 255)") is (scheme == "light" or media == "print")


def test_every_matching_cluster_is_printed_with_its_evidence(opened: Open) -> None:
    page = opened(audit_html(a_report(*many(PAGE + 20))))
    page.get_by_label("Result").select_option("Non-compliant")
    assert len(shown(page)) == PAGE

    page.emulate_media(media="print")

    assert len(shown(page)) == PAGE + 20
    assert not page.locator("#filter").is_visible()
    fixes = page.locator("#clusters-table details .fix")
    assert fixes.count() == PAGE + 20
    assert all(
        fixes.evaluate_all("all => all.map((each) => each.getBoundingClientRect().height > 5)")
    )


def test_page_fits_a_narrow_screen(opened: Open) -> None:
    for html in (audit_html(some()), rescan_html(a_run())):
        page = opened(html, width=360)
        page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true })")

        assert page.evaluate("() => document.documentElement.scrollWidth") == 360
        assert page.get_by_text(f"{OTHER_ACCOUNT} {REGION} RUNNING").count() or (
            page.get_by_text(f"{ACCOUNT} {REGION}").count()
        )


def a_run() -> Any:  # noqa: ANN401
    past = tuple(a_past_run(number, broken=number, undetermined=1) for number in range(1, 9))
    bad, exempt = a_finding(), a_finding("EMRLOG-004", status=Status.EXEMPT)
    doubt = a_finding("EMRLOG-005", compliance=Compliance.INSUFFICIENT_DATA)
    return a_rescan_report(bad, exempt, doubt, known=[doubt.id, "gone#EMRLOG-001"], past=past)


def test_colour_of_a_violation_shows_its_severity(opened: Open) -> None:
    page = opened(audit_html(a_report(*(cluster(n, severity=s) for n, s in enumerate(Severity)))))

    tags = page.locator("#clusters-table summary .tag")
    colours = dict(
        tags.evaluate_all(
            "all => all.map((each) => [each.innerText, getComputedStyle(each).color])"
        )
    )

    assert colours.keys() == {severity.value for severity in Severity}
    assert colours["CRITICAL"] == colours["HIGH"]
    assert len(set(colours.values())) == len(Severity) - 1


def test_ids_of_undetermined_results_stay_on_one_line(opened: Open) -> None:
    page = opened(rescan_html(a_run()), width=400)
    cells = page.locator("section[aria-labelledby=undetermined] tbody td")

    lines = cells.evaluate_all(
        "all => all.map((each) => { const range = document.createRange(); "
        "range.selectNodeContents(each); "
        "return [each.textContent, range.getClientRects().length]; })"
    )

    named = [count for text, count in lines if text.startswith(("EMRLOG-", "j-"))]
    assert named
    assert set(named) == {1}


def test_trend_is_a_chart_with_a_description_and_a_table(opened: Open) -> None:
    page = opened(rescan_html(a_run()))

    picture = page.get_by_role("img", name="Open findings after each re-scan")
    assert picture.is_visible()
    assert (
        "9 re-scans from 2026-03-06 to 2026-03-14"
        in page.locator("#chart-description").inner_html()
    )
    heights = picture.locator("rect.bar-NON_COMPLIANT").evaluate_all(
        "all => all.map((each) => each.getBBox().height)"
    )
    assert len(heights) == 9
    assert heights[:8] == sorted(heights[:8])
    assert heights[8] == pytest.approx(heights[0], abs=0.2)
    page.get_by_text("The same in figures").click()
    rows = page.get_by_label("Re-scans in figures").locator("tbody tr")
    assert rows.count() == 9
    assert rows.first.locator("th").inner_text() == "2026-03-14 15:09:26 UTC"


def test_page_structure_supports_screen_readers(opened: Open) -> None:
    page = opened(rescan_html(a_run()))

    assert page.evaluate("() => document.documentElement.lang") == "en"
    headings = page.locator("h1, h2, h3").evaluate_all(
        "all => all.map((each) => Number(each.tagName[1]))"
    )
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    assert page.locator("th:not([scope])").count() == 0
    assert page.evaluate(
        """() => {
          const ids = Array.from(document.querySelectorAll("[id]"), (each) => each.id);
          return ids.length === new Set(ids).size;
        }"""
    )
    assert page.evaluate(
        """() => Array.from(document.querySelectorAll("input, select"))
          .every((each) => each.labels.length === 1)"""
    )
    assert page.evaluate(
        """() => Array.from(document.querySelectorAll("[aria-labelledby]"))
          .flatMap((each) => each.getAttribute("aria-labelledby").split(" "))
          .every((id) => document.getElementById(id))"""
    )
    links = page.locator("nav a").evaluate_all("all => all.map((each) => each.hash.slice(1))")
    assert len(links) == 6
    assert all(page.locator(f"#{link}").count() == 1 for link in links)
    tree = page.locator("main").aria_snapshot()
    assert 'columnheader "Result"' in tree
    assert 'region "Clusters"' in tree
