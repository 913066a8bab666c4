import csv
import io
import json
import re
import unicodedata
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from emr_log_guard.domain.audit import AuditReport, RuleNotEvaluated
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.log_objects import LARGE_BUCKET, large_bucket_advice
from emr_log_guard.rendering.exports import audit_json as as_json
from emr_log_guard.rendering.exports.asff import audit_asff
from emr_log_guard.rendering.exports.audit_csv import COLUMNS, audit_csv
from emr_log_guard.rendering.exports.ocsf import audit_ocsf
from emr_log_guard.rendering.exports.sarif import audit_sarif
from emr_log_guard.rendering.reports import audit as html
from emr_log_guard.rendering.terminal.audit_table import audit_table
from tests.unit.audits import PLACE, SUMMARY, UNREADABLE_PLACE, a_report, audited
from tests.unit.builders import ACCOUNT, CLUSTER_ID, OTHER_ACCOUNT, REGION, a_finding

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[4] / "docs" / "audit.schema.json").read_text()
)
SARIF = json.loads((Path(__file__).parents[1] / "schemas" / "sarif-2.1.0-rtm.5.json").read_text())
HOSTILE = (
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "\u200b=1+1",
    "\uff1d1+1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "\x1b[2J\x1b]0;owned\x07",
    "ab\u202egnp.exe",
    "one\r\ntwo",
    "\ud800",
    "a,b;\"c'",
)
FORMULAS = (
    "=1",
    "+1",
    "-1",
    "@A1",
    " =1",
    "\u00a0=1",
    "\u3000=1",
    "\r=1",
    "\n=1",
    "a\n=1",
    "a;=1",
    'a";=cmd|x!A0;"',
    "a; +1;\n-1",
    'a;"=1',
    'a\n"" -1',
    "\u22121",
    "\ufe621",
    "\ufe631",
    "\ufe661",
    "\ufe6bA1",
    "\uff0b1",
    "\uff0d1",
    "\uff20A1",
)
BAD = a_finding(compliance=Compliance.NON_COMPLIANT)
DOUBTFUL = a_finding("EMRLOG-001", compliance=Compliance.INSUFFICIENT_DATA)
GOOD = a_finding("EMRLOG-001", compliance=Compliance.COMPLIANT)
EXEMPT = replace(BAD, status=Status.EXEMPT, evidence={"exempt_reason": "moves in autumn"})
REPORT = a_report(
    audited(BAD, DOUBTFUL),
    audited(GOOD, name="daily-report"),
    audited(EXEMPT, name="legacy"),
    audited(doubt="elasticmapreduce:DescribeCluster answered AccessDeniedException"),
    places=(PLACE, UNREADABLE_PLACE),
    missing=("j-MISSING",),
    interrupted=True,
)


def audit_html(report: AuditReport) -> str:
    return "".join(html.audit_html(report))


def audit_json(report: AuditReport) -> str:
    return "".join(as_json.audit_json(report))


RENDERERS = (
    audit_asff,
    audit_csv,
    audit_html,
    audit_json,
    audit_ocsf,
    audit_sarif,
    audit_table,
)


def hostile(name: str) -> AuditReport:
    finding = replace(BAD, cluster_name=name, summary=name, remediation=name)
    return a_report(audited(finding, name=name, doubt=name), missing=(name,))


def rows(report: AuditReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(audit_csv(report), newline="")))


def run_of(report: AuditReport) -> dict[str, Any]:
    log = json.loads(audit_sarif(report))
    jsonschema.Draft4Validator(SARIF).validate(log)
    [run] = log["runs"]
    assert isinstance(run, dict)
    return run


@pytest.mark.parametrize(
    "report", [a_report(), a_report(audited(BAD)), REPORT, hostile('\n  "clusters": [\n')]
)
def test_json_is_one_indented_document(report: AuditReport) -> None:
    text = audit_json(report)

    assert text == json.dumps(json.loads(text), indent=2) + "\n"
    assert len(json.loads(text)["clusters"]) == len(report.clusters)


def test_json_has_the_documented_shape() -> None:
    document = json.loads(audit_json(a_report(audited(BAD))))

    assert document == {
        "schema": "emr-log-guard/audit/1",
        "account": ACCOUNT,
        "region": REGION,
        "started": "2026-03-14T15:09:26Z",
        "finished": "2026-03-14T15:09:28Z",
        "partial": False,
        "problems": [],
        "places": [
            {
                "account": ACCOUNT,
                "region": REGION,
                "role_arn": None,
                "clusters_listed": 1,
                "problem": None,
            }
        ],
        "rules": ["EMRLOG-001", "EMRLOG-002"],
        "rules_not_judged": [
            {
                "rule_id": "EMRLOG-012",
                "rule_name": "no-service-retained-logs",
                "reason": "disabled by the policy",
            }
        ],
        "clusters": [
            {
                "id": CLUSTER_ID,
                "name": "nightly-etl",
                "arn": f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{CLUSTER_ID}",
                "state": "RUNNING",
                "compliance": "NON_COMPLIANT",
                "unresolved": [],
                "log_objects_checked": 0,
                "findings": document["clusters"][0]["findings"],
            }
        ],
        "totals": {
            "COMPLIANT": 0,
            "NON_COMPLIANT": 1,
            "NOT_APPLICABLE": 0,
            "INSUFFICIENT_DATA": 0,
        },
        "api_calls": {"elasticmapreduce:DescribeCluster": 1, "elasticmapreduce:ListClusters": 1},
        "advice": [],
    }
    [finding] = document["clusters"][0]["findings"]
    assert finding["id"] == BAD.id
    assert finding["first_seen"] == "2026-03-14T15:09:26Z"


@pytest.mark.parametrize(
    "report",
    [REPORT, a_report(), a_report(audited(GOOD)), *map(hostile, HOSTILE)],
    ids=lambda report: f"{len(report.clusters)} clusters",
)
def test_json_is_valid_against_its_schema(report: AuditReport) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(audit_json(report)))


def test_large_bucket_adds_advice_to_every_format() -> None:
    half = replace(audited(GOOD), listed={"example-logs": LARGE_BUCKET // 2})
    [advice] = large_bucket_advice({"example-logs": LARGE_BUCKET})
    report = a_report(half, half)

    document = json.loads(audit_json(report))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["advice"] == [advice]
    assert f"Advice: {advice}\n" in audit_table(report)
    assert escape(advice) in audit_html(report)
    [invocation] = run_of(report)["invocations"]
    notes = invocation["toolExecutionNotifications"]
    assert {"level": "note", "message": {"text": advice}} in notes
    assert invocation["executionSuccessful"] is True
    assert a_report(half).advice == ()
    assert "Advice" not in audit_table(a_report(half))


def test_schema_rejects_unknown_and_missing_fields() -> None:
    document = json.loads(audit_json(REPORT))
    wrong = (
        document | {"verdict": "fine"},
        {name: value for name, value in document.items() if name != "partial"},
        document | {"clusters": [document["clusters"][0] | {"compliance": "UNKNOWN"}]},
    )

    for each in wrong:
        assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(each)


def test_json_has_no_single_account_and_region_when_there_are_several() -> None:
    other = replace(PLACE, account=OTHER_ACCOUNT, region="us-east-1")

    document = json.loads(audit_json(a_report(places=(PLACE, other))))

    assert (document["account"], document["region"]) == (None, None)


def test_partial_report_is_marked_in_every_format() -> None:
    assert json.loads(audit_json(REPORT))["partial"] is True
    assert "interrupted" in rows(REPORT)[2]["summary"]
    assert "This report is partial" in audit_html(REPORT)
    assert run_of(REPORT)["invocations"][0]["executionSuccessful"] is False
    assert "the audit was interrupted" in audit_table(REPORT)
    assert "Next: run the audit again" in audit_table(a_report(interrupted=True))


def test_csv_has_a_row_for_each_finding_and_each_problem() -> None:
    found = rows(REPORT)

    assert tuple(found[0]) == COLUMNS
    assert [(row["cluster_name"], row["rule_id"], row["compliance"]) for row in found] == [
        ("", "", "INSUFFICIENT_DATA"),
        ("", "", "INSUFFICIENT_DATA"),
        ("", "", "INSUFFICIENT_DATA"),
        ("nightly-etl", "EMRLOG-002", "NON_COMPLIANT"),
        ("nightly-etl", "EMRLOG-001", "INSUFFICIENT_DATA"),
        ("daily-report", "EMRLOG-001", "COMPLIANT"),
        ("legacy", "EMRLOG-002", "NON_COMPLIANT"),
        ("nightly-etl", "", "INSUFFICIENT_DATA"),
    ]
    assert found[6]["status"] == "EXEMPT"


@pytest.mark.parametrize("name", [*HOSTILE, *FORMULAS])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_cell_is_never_a_formula_with_any_separator(name: str, separator: str) -> None:
    """A spreadsheet takes the separator of its locale, and full-width signs for signs."""
    text = io.StringIO(audit_csv(hostile(name)), newline="")
    cells = [cell for row in csv.reader(text, delimiter=separator) for cell in row]

    assert len(cells) > 3
    for cell in cells:
        shown = unicodedata.normalize("NFKC", cell).replace("\u2212", "-")
        assert not re.match(r"\s*[=+\-@]", shown), cell
        assert separator != "," or not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", cell)


def test_csv_text_that_is_not_a_formula_is_unchanged() -> None:
    fix = "aws emr create-cluster --name 'a'\naws emr terminate-clusters; # a=1"
    [row] = rows(a_report(audited(replace(BAD, remediation=fix, summary="1-2=-1"))))

    assert (row["remediation"], row["summary"]) == (fix, "1-2=-1")


class Tags(HTMLParser):
    """Collects the elements of a page and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_adds_no_html_tags(name: str) -> None:
    usual, shown = Tags(), Tags()
    usual.feed(audit_html(hostile("nightly-etl")))
    shown.feed(audit_html(hostile(name)))

    assert shown.found == usual.found


def test_sarif_is_valid_and_contains_findings_that_need_attention() -> None:
    run = run_of(REPORT)

    assert [
        (result["ruleId"], result["kind"], result["level"], "suppressions" in result)
        for result in run["results"]
    ] == [
        ("EMRLOG-002", "fail", "error", False),
        ("EMRLOG-001", "open", "none", False),
        ("EMRLOG-002", "fail", "error", True),
    ]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    [invocation] = run["invocations"]
    assert invocation["exitCode"] == 1
    notified = [note["message"]["text"] for note in invocation["toolExecutionNotifications"]]
    assert "EMRLOG-012 was not evaluated: disabled by the policy" in notified
    assert any("AccessDeniedException" in text for text in notified)


def test_sarif_links_rules_to_runbooks_with_a_url() -> None:
    linked = replace(BAD, runbook=f"https://example.com/runbooks/{BAD.rule_id}.md")
    driver = run_of(a_report(audited(linked)))["tool"]["driver"]

    assert driver["informationUri"] == "https://example.com/runbooks"
    assert {rule["helpUri"] for rule in driver["rules"] if "helpUri" in rule} == {linked.runbook}
    assert [rule["id"] for rule in driver["rules"] if "helpUri" in rule] == [BAD.rule_id]


def test_sarif_does_not_link_to_relative_paths() -> None:
    unlinked = replace(BAD, runbook=f"docs/runbooks/{BAD.rule_id}.md")
    driver = run_of(a_report(audited(unlinked)))["tool"]["driver"]

    assert "informationUri" not in driver
    assert not any("helpUri" in rule for rule in driver["rules"])


def test_sarif_rules_and_locations_have_the_fields_github_requires() -> None:
    run = run_of(a_report(audited(BAD)))

    for rule in run["tool"]["driver"]["rules"]:
        assert rule["help"]["text"]
        assert rule["properties"]["tags"] == ["security"]
    severities = {
        rule["id"]: float(rule["properties"]["security-severity"])
        for rule in run["tool"]["driver"]["rules"]
    }
    assert 7 <= severities["EMRLOG-002"] < 9
    [location] = run["results"][0]["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {
            "uri": f"arn/aws/elasticmapreduce/{REGION}/{ACCOUNT}/cluster/{CLUSTER_ID}"
        },
        "region": {"startLine": 1},
    }


def test_compliant_audit_is_a_successful_sarif_invocation() -> None:
    [invocation] = run_of(a_report(audited(GOOD)))["invocations"]

    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (True, 0)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_leave_json_and_sarif_valid(name: str) -> None:
    report = hostile(name)
    run_of(report)
    document = json.loads(audit_json(report))

    assert document["clusters"][0]["name"] == name


@pytest.mark.parametrize("name", HOSTILE)
def test_table_escapes_hostile_names(name: str) -> None:
    usual = audit_table(hostile("nightly-etl"))
    shown = audit_table(hostile(name))

    assert len(shown.splitlines()) == len(usual.splitlines())
    assert not re.search("[\x00-\x09\x0b-\x1f\u200b\u202e]", shown)


@pytest.mark.parametrize("render", RENDERERS, ids=lambda render: render.__name__)
@pytest.mark.parametrize("name", HOSTILE)
def test_every_format_can_be_encoded_as_utf_8(render: Any, name: str) -> None:  # noqa: ANN401
    assert "".join(render(hostile(name))).encode()


def test_table_lists_the_most_severe_first_and_a_summary() -> None:
    found = a_finding("EMRLOG-101", severity=Severity.LOW, rule_name="log-object-kms-encrypted")
    long = "x" * 100
    report = a_report(
        audited(GOOD, name=long), replace(audited(BAD, DOUBTFUL, found), objects=1200)
    )

    text = audit_table(report)

    lines = text.splitlines()
    assert lines[0].split() == ["COMPLIANCE", "CLUSTER", "NAME", "REGION", "STATE"]
    assert lines[1].split()[0] == "NON_COMPLIANT"
    assert lines[4] == "EMRLOG-002 log-key-configured (HIGH): 1 cluster"
    assert lines[5].startswith("  logs go to")
    assert "(could not be determined): 1 cluster" in text
    assert "x" * 39 + "…" in text
    assert "x" * 40 not in text
    assert "2 clusters in 1 account and Region: 1 NON_COMPLIANT, 1 COMPLIANT" in text
    assert "1,200 log objects checked" in text
    assert "Not evaluated: EMRLOG-012" in text
    assert lines[-3] == (
        "2.0 s, AWS calls: 1 elasticmapreduce:DescribeCluster, 1 elasticmapreduce:ListClusters"
    )
    assert lines[-2] == "Exit status 1: something is non-compliant."
    assert lines[-1].startswith("Next: `emr-log-guard audit --format html --output audit.html`")
    assert "(exempt, HIGH)" in audit_table(REPORT)
    assert "Could not be read: eu-south-1" in audit_table(REPORT)


def test_table_groups_clusters_by_cause_most_severe_first() -> None:
    low = a_finding("EMRLOG-011", severity=Severity.LOW)
    mild = replace(audited(low), cluster=replace(SUMMARY, id="j-MILD", name="a-mild-one"))
    many = [replace(audited(BAD), cluster=replace(SUMMARY, id=f"j-BAD{n:02}")) for n in range(12)]

    lines = audit_table(a_report(mild, *many)).splitlines()

    assert lines[1].split()[1] == "j-BAD00"
    assert lines[13].split()[1] == "j-MILD"
    causes = [line for line in lines if line.startswith("EMRLOG-")]
    assert causes == [
        "EMRLOG-002 log-key-configured (HIGH): 12 clusters",
        "EMRLOG-011 log-key-configured (LOW): 1 cluster",
    ]
    named = lines[lines.index(causes[0]) + 2]
    assert named.startswith("  j-BAD00, j-BAD01, ")
    assert named.endswith(", j-BAD09 and 2 more")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (a_report(audited(GOOD)), "Exit status 0: everything is compliant."),
        (a_report(places=(UNREADABLE_PLACE,)), "Exit status 2: nothing could be read."),
        (a_report(audited(DOUBTFUL)), "Exit status 3: something could not be determined."),
    ],
)
def test_table_explains_the_exit_status_and_names_the_next_command(
    report: AuditReport, words: str
) -> None:
    assert audit_table(report).splitlines()[-2] == words
    assert "Next: `emr-log-guard audit " in audit_table(report).splitlines()[-1]


def test_table_names_the_next_command_when_a_cluster_was_not_found() -> None:
    lines = audit_table(a_report(missing=("j-MISSING",))).splitlines()

    assert lines[-2] == "Exit status 2: nothing could be read."
    assert lines[-1].startswith("Next: check the cluster id; `emr-log-guard audit --all-regions`")


def test_csv_has_a_status_only_for_violations() -> None:
    found = rows(a_report(audited(GOOD, BAD)))

    assert [(row["compliance"], row["status"]) for row in found] == [
        ("COMPLIANT", ""),
        ("NON_COMPLIANT", "OPEN"),
    ]


def test_table_groups_rules_not_evaluated_by_their_reason() -> None:
    rules = (
        RuleNotEvaluated("EMRLOG-101", "a", "add --objects"),
        RuleNotEvaluated("EMRLOG-011", "b", "disabled by the policy"),
        RuleNotEvaluated("EMRLOG-102", "c", "add --objects"),
    )
    report = replace(a_report(audited(GOOD)), not_evaluated=rules)

    assert [line for line in audit_table(report).splitlines() if "Not evaluated" in line] == [
        "Not evaluated: EMRLOG-101, EMRLOG-102: add --objects",
        "Not evaluated: EMRLOG-011: disabled by the policy",
    ]
    nothing_read = replace(a_report(places=(UNREADABLE_PLACE,)), not_evaluated=rules)
    assert "Not evaluated" not in audit_table(nothing_read)


def test_table_of_an_empty_audit_says_that_there_are_no_clusters() -> None:
    assert "No cluster in 1 account and Region" in audit_table(a_report())
    assert "No cluster" not in audit_table(a_report(places=(UNREADABLE_PLACE,)))
    assert "AWS calls: none" in audit_table(replace(a_report(), api_calls={}))
