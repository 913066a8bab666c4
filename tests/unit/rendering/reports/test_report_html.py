"""What the page says, of audits and of re-scans. tests/browser opens it."""

import re
import tracemalloc
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser

import pytest

from emr_log_guard.domain.audit import RuleNotEvaluated
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import ClusterMatch
from emr_log_guard.domain.rescan import Rescan, Scope, ShardDenied, ShardFailed
from emr_log_guard.domain.rescan_report import BucketCoverage
from emr_log_guard.rendering.reports.audit import audit_html
from emr_log_guard.rendering.reports.rescan import rescan_html
from tests.unit.audits import PLACE, UNREADABLE_PLACE, a_report, audited
from tests.unit.builders import (
    ACCOUNT,
    CLUSTER_ID,
    NOW,
    REGION,
    a_finding,
    an_exemption,
)
from tests.unit.rescan_reports import EXECUTION, a_past_run, a_rescan_report

BAD = a_finding()
DOUBT = a_finding("EMRLOG-005", compliance=Compliance.INSUFFICIENT_DATA, summary="kms said no")
EXEMPT = a_finding(
    "EMRLOG-004",
    status=Status.EXEMPT,
    evidence={
        "exempt_until": "2026-12-31",
        "exempt_reason": "moves to emr-7 in June",
        "exempt_approved_by": "security@example.com",
    },
)
GOOD = a_finding("EMRLOG-001", compliance=Compliance.COMPLIANT)


class Sections(HTMLParser):
    """Reads the text of each section, and of the head of the page, in lines without blanks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._at = "head"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self._at = dict(attrs)["aria-labelledby"] or ""

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found[self._at] = f"{self.found.get(self._at, '')}{data.strip()}\n"


def sections(parts: Iterable[str]) -> dict[str, str]:
    reader = Sections()
    reader.feed("".join(parts))
    return reader.found


def test_audit_page_shows_compliance_by_rule_and_region() -> None:
    found = sections(
        audit_html(
            a_report(
                audited(BAD, GOOD),
                audited(GOOD, name="fine"),
                audited(EXEMPT, GOOD, name="old"),
                audited(DOUBT, name="dim"),
            )
        )
    )

    assert "Non-compliant. Logs are not protected as required." in found["head"]
    assert (
        "4\nclusters evaluated\n1\nnon-compliant\n1\nnot determined\n2\ncompliant" in found["head"]
    )
    assert "50 %\nof clusters are compliant" in found["head"]
    assert "EMRLOG-001 log-archive-enabled" in found["compliance"]
    rule = found["compliance"].partition("EMRLOG-004 ")[2].splitlines()
    assert rule[2:8] == ["0", "0", "1", "0", "0", "EMRLOG-005 log-key-usable"]
    assert f"{ACCOUNT} {REGION}\n1\n1\n2\n0\n50 %" in found["compliance"]
    assert "trend" not in found


@pytest.mark.parametrize(
    ("findings", "statement"),
    [
        ((), "Not applicable. There was nothing to evaluate."),
        ((GOOD,), "Compliant. Everything that was evaluated is compliant."),
        ((DOUBT,), "Not determined. No violation was found, but"),
    ],
)
def test_statement_of_the_page_follows_from_the_overall_compliance(
    findings: tuple[Finding, ...], statement: str
) -> None:
    report = a_report(*(audited(each) for each in findings))

    assert statement in sections(audit_html(report))["head"]


def test_compliant_share_is_never_rounded_up_to_100_percent() -> None:
    clusters = [replace(audited(GOOD), objects=10)] * 999

    head = sections(audit_html(a_report(audited(BAD), *clusters)))["head"]

    assert "99 %" in head
    assert "9,990\nlog objects checked" in head


def test_finding_is_shown_with_evidence_fix_and_history() -> None:
    finding = replace(
        BAD,
        evidence={"log_uri": "s3://a/", "kms_key": None, "on": True, "samples": ("a", "b"), "n": 2},
        launched_by="arn:aws:iam::1:user/alice",
        first_seen=NOW - timedelta(days=2),
        deadline=NOW + timedelta(hours=4),
        occurrences=7,
    )

    clusters = sections(rescan_html(a_rescan_report(finding)))["clusters"]

    assert "Evidence\nLog URI: s3://a/\nKMS key: none\nOn: yes\nSamples: \na\nb\nN: 2\n" in clusters
    assert "arn:aws:iam::1:user/alice" in clusters
    assert "Fix\naws emr create-cluster" in clusters
    assert (
        "First seen 2026-03-12 15:09:26 UTC, last seen 2026-03-14 15:09:26 UTC, 7 times\n"
        "The cluster will be terminated 2026-03-14 19:09:26 UTC" in clusters
    )
    assert "https://example.com/runbook" in clusters
    assert "an audit keeps no history" in sections(audit_html(a_report(audited(BAD))))["clusters"]


def test_runbook_is_a_link_only_with_an_https_url() -> None:
    for runbook, link in (("https://a/b", True), ("javascript:x", False), ("docs/a.md", False)):
        page = "".join(audit_html(a_report(audited(replace(BAD, runbook=runbook)))))
        assert (f'<a href="{runbook}"' in page) is link


def test_findings_are_listed_most_severe_first_and_exempt_last() -> None:
    low = a_finding("EMRLOG-101", severity=Severity.LOW)
    clusters = sections(audit_html(a_report(audited(EXEMPT, low, DOUBT, BAD))))["clusters"]

    summaries = re.findall(r"^(EMRLOG-\d+)\n(?:HIGH|LOW|Not determined)$", clusters, re.MULTILINE)
    assert summaries == ["EMRLOG-002", "EMRLOG-005", "EMRLOG-101", "EMRLOG-004"]


def test_undetermined_facts_are_listed_once_with_their_clusters() -> None:
    doubtful = [audited(replace(DOUBT), name=f"c{number}") for number in range(8)]
    found = sections(
        audit_html(
            a_report(
                *doubtful,
                audited(doubt="elasticmapreduce:DescribeCluster answered AccessDeniedException"),
                places=(PLACE, UNREADABLE_PLACE),
                missing=("j-MISSING",),
                interrupted=True,
            )
        )
    )

    doubts = found["undetermined"]
    assert doubts.count("kms said no") == 1
    assert f"kms said no\nEMRLOG-005\n{', '.join([CLUSTER_ID] * 5)} and 3 more" in doubts
    assert "elasticmapreduce:DescribeCluster answered AccessDeniedException\nall\n" in doubts
    for text in ("eu-south-1", "cluster j-MISSING was not found", "the audit was interrupted"):
        assert text in doubts
    assert "This report is partial" in found["head"]
    assert "Hint: " in found["coverage"]
    assert "Everything could be determined." in sections(audit_html(a_report()))["undetermined"]


def test_exemptions_are_shown_with_expiry_and_covered_findings() -> None:
    tagged = an_exemption(ClusterMatch(tag={"team": "research"}), until=date(2026, 3, 15))
    today = an_exemption(ClusterMatch(name="legacy-*"), until=date(2026, 3, 14))
    ended = an_exemption(until=date(2026, 3, 13), rules=["EMRLOG-006", "EMRLOG-001"])
    report = replace(a_report(audited(EXEMPT)), exemptions=(ended, an_exemption(), today, tagged))

    lines = sections(audit_html(report))["exemptions"].splitlines()

    assert [line for line in lines if line.startswith(("name ", "tag ", "id "))] == [
        "name legacy-*",
        "tag team=research",
        f"id {CLUSTER_ID}",
        f"id {CLUSTER_ID}",
    ]
    assert [line for line in lines if re.match(r"expires|Expired|\d+ more", line)] == [
        "expires today",
        "expires tomorrow",
        "292 more days",
        "Expired: no longer applies",
    ]
    assert "EMRLOG-001, EMRLOG-006" in lines
    assert [line for line in lines if re.fullmatch(r"\d", line)] == ["0", "0", "1", "0"]
    assert "The policy has no exemptions." in sections(audit_html(a_report()))["exemptions"]


def test_rescan_page_shows_new_and_resolved_findings_and_the_trend() -> None:
    past = (a_past_run(1, broken=4), a_past_run(8, broken=2))
    report = a_rescan_report(
        BAD, DOUBT, EXEMPT, known=[BAD.id, "arn:x/j-OLD#EMRLOG-002"], past=past
    )

    page = "".join(rescan_html(report))
    found = sections([page])

    assert "1\nnon-compliant findings\n1\nnot determined\n1\nexempt\n1\nnew" in found["head"]
    assert "12\nclusters evaluated" in found["head"]
    assert f"Compared with\n{EXECUTION}:run-8" in found["head"]
    assert page.count(">New</span>") == 1
    assert "EMRLOG-002 of j-OLD" in found["trend"]
    assert "3 re-scans from 2026-03-06 to 2026-03-14: 4 non-compliant" in found["trend"]
    assert page.count("<rect") == 3 + 2 + 3  # the legend's, and a part for each that is not none
    assert "trend starts with the next one" in sections(rescan_html(a_rescan_report()))["trend"]


def test_first_rescan_marks_no_finding_as_new() -> None:
    report = a_rescan_report(BAD)
    first = replace(report, difference=replace(report.difference, last=None))

    assert ">New</span>" not in "".join(rescan_html(first))
    assert "nothing: it is the first re-scan" in "".join(rescan_html(first))


def test_rescan_page_shows_coverage_failed_and_denied_shards() -> None:
    report = a_rescan_report(
        rescan=Rescan(execution=f"{EXECUTION}:run-9", started=NOW, scope=Scope.LOG_OBJECTS),
        failed=(ShardFailed("objects-000001", "log objects of j-1", "s3:ListBucket said no"),),
        denied=(ShardDenied("objects-000002", "log objects of j-2", "answered AccessDenied"),),
        log_objects={"COMPLIANT": 3, "NON_COMPLIANT": 1},
        checked_buckets=("logs", "new"),
        buckets=(
            BucketCoverage(
                bucket="logs",
                clusters=2,
                listed=1234,
                complete=NOW - timedelta(days=1),
                latest=NOW,
            ),
            BucketCoverage(bucket="new"),
            BucketCoverage(bucket="old", clusters=1, complete=NOW, latest=NOW),
        ),
        not_evaluated=(
            RuleNotEvaluated("EMRLOG-012", "no-service-retained-logs", "disabled by the policy"),
        ),
        advice=("use Athena",),
    )

    found = sections(rescan_html(report))

    coverage = found["coverage"]
    assert "Only these are checked: logs, new." in coverage
    assert (
        "logs\nyes\n2\n1,234\n2026-03-13 15:09:26 UTC\n2026-03-14 15:09:26 UTC\n"
        "new\nyes\n0\n0\nnot yet\nnever\nold\nno\n" in coverage
    )
    assert "1 of 9 shards failed." in coverage
    assert "objects-000001\nlog objects of j-1\ns3:ListBucket said no" in coverage
    assert "objects-000002\nlog objects of j-2\nanswered AccessDenied" in coverage
    assert "EMRLOG-012 no-service-retained-logs: disabled by the policy" in coverage
    assert "use Athena" in coverage
    assert "log objects of j-1: s3:ListBucket said no" in found["undetermined"]
    assert "log objects of j-2: answered AccessDenied" in found["undetermined"]
    assert "1 of 9 shards could not be scanned" in found["head"]
    assert "4\nlog objects checked" in found["head"]
    assert "75 %" in found["compliance"]
    whole = sections(rescan_html(a_rescan_report()))
    assert "Every bucket that clusters log to." in whole["coverage"]
    assert "No open findings." in whole["clusters"]
    assert "None: every rule was evaluated." in whole["coverage"]


def test_content_security_policy_allows_only_the_own_style_and_script() -> None:
    page = "".join(audit_html(a_report(audited(BAD))))
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)

    for tag in ("style", "script"):
        [own] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in unescape(policy)
    assert unescape(policy).startswith("default-src 'none'; ")
    assert not re.search(
        r"\s(?:src|style|on[a-z]+)=", re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    )


def test_page_is_rendered_in_parts_without_being_held_in_memory() -> None:
    """What is held grows with the findings, and by far less than the page does."""

    def written(count: int) -> tuple[int, int]:
        report = a_report(*(audited(BAD, DOUBT, name=f"cluster-{n}") for n in range(count)))
        tracemalloc.start()
        size = sum(len(part) for part in audit_html(report))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size, peak

    (size, peak), (larger, higher) = written(200), written(1_000)

    assert larger - size > 1_200_000
    assert higher - peak < (larger - size) / 3
