import json
from dataclasses import replace
from datetime import timedelta

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.rescan import Rescan, RescanCheckpoint, Scope, ShardDenied, ShardFailed
from emr_log_guard.domain.rescan_report import Difference, RescanReport
from emr_log_guard.rendering.alerts.alert_json import finding_json
from emr_log_guard.rendering.alerts.rescan import (
    rescan_attributes,
    rescan_messages,
    rescan_subject,
)
from emr_log_guard.rendering.reports.rescan import rescan_html
from emr_log_guard.rendering.reports.rescan_json import report_json
from emr_log_guard.rendering.reports.rescan_text import rescan_headline, rescan_text
from tests.unit.builders import NOW, a_bucket_finding, a_finding

RUN = Rescan(
    execution="arn:aws:states:eu-west-1:111122223333:execution:emr-log-guard-rescan:1", started=NOW
)
NEW = a_finding(cluster_name="night\nly")
OLD = a_finding("EMRLOG-004")
DOUBT = a_finding("EMRLOG-005", compliance=Compliance.INSUFFICIENT_DATA)
REPORT = RescanReport(
    rescan=RUN,
    finished=NOW + timedelta(seconds=75),
    place="s3://reports/rescans/1/report.json",
    shards=9,
    failed=(ShardFailed("objects-000001", "log objects of j-1", "s3:ListBucket\nanswered"),),
    clusters={"COMPLIANT": 1200, "NON_COMPLIANT": 2},
    described=3,
    listed=5000,
    log_objects={"COMPLIANT": 10},
    difference=Difference.between(
        RescanCheckpoint(execution="arn:last", open=(OLD.id, "arn#EMRLOG-001")), [NEW, OLD, DOUBT]
    ),
    advice=("use Athena",),
)
EMPTY = replace(
    REPORT,
    rescan=replace(RUN, scope=Scope.CLUSTERS, deep=True),
    failed=(),
    clusters={},
    difference=Difference.between(RescanCheckpoint(), []),
    advice=(),
)


def test_rescan_text_equals_the_golden_text() -> None:
    assert rescan_text(REPORT) == (
        "EMR log re-scan: 3 open, 2 new, 1 resolved, 1 undetermined, 1 of 9 shards failed\n"
        "\n"
        "Scope        clusters and log objects, incremental\n"
        "Started      2026-03-14 15:09:26 UTC, 75 s\n"
        "Clusters     1,200 compliant, 2 non-compliant; 3 re-read\n"
        "Log objects  10 compliant; 5,000 listed\n"
        "Compared     with arn:last\n"
        "Report       s3://reports/rescans/1/report.json\n"
        "HTML         s3://reports/rescans/1/report.html\n"
        "\n"
        "New (2)\n"
        "  HIGH EMRLOG-002 log-key-configured: night\\nly (j-2AXXXXXXGAPLF): "
        "logs go to s3n://example-logs/emr/ without a log encryption key\n"
        "  HIGH EMRLOG-005 log-key-configured: nightly-etl (j-2AXXXXXXGAPLF): "
        "logs go to s3n://example-logs/emr/ without a log encryption key\n"
        "\n"
        "Could not be determined (1)\n"
        "  HIGH EMRLOG-005 log-key-configured: nightly-etl (j-2AXXXXXXGAPLF): "
        "logs go to s3n://example-logs/emr/ without a log encryption key\n"
        "\n"
        "Resolved (1)\n"
        "  arn#EMRLOG-001\n"
        "\n"
        "Not scanned (1)\n"
        "  log objects of j-1: s3:ListBucket\\nanswered\n"
        "\n"
        "Advice       use Athena\n"
    )


def test_finding_about_a_log_bucket_names_the_bucket() -> None:
    difference = Difference.between(RescanCheckpoint(), [a_bucket_finding()])
    report = replace(EMPTY, difference=difference)

    assert "EMRLOG-009 log-bucket-sends-events: log bucket example-logs: " in rescan_text(report)
    assert ">example-logs<" in "".join(rescan_html(report))


def test_text_json_and_page_have_the_same_counts() -> None:
    exempt = a_finding("EMRLOG-006", status=Status.EXEMPT)
    known = RescanCheckpoint(execution="arn:last", open=(OLD.id, exempt.id))
    report = replace(EMPTY, difference=Difference.between(known, [OLD, exempt]))

    assert rescan_headline(report) == "EMR log re-scan: 1 open, 1 exempt, 0 new, 0 resolved"
    assert "Exempt (1)\n  HIGH EMRLOG-006" in rescan_text(report)
    document = report_json(report)
    counts = document["counts"]
    assert isinstance(counts, dict)
    assert [counts[each] for each in ("open", "new", "still_open", "exempt")] == [1, 0, 1, 1]
    assert (document["still_open"], document["exempt"]) == ([OLD.id], [exempt.id])
    assert report.figures.exempt == 1
    assert sum(report.figures.broken.values()) == 1
    page = "".join(rescan_html(report))
    assert "EMRLOG-006" in page


def test_text_of_a_run_without_findings_is_short() -> None:
    assert rescan_text(EMPTY) == (
        "EMR log re-scan: 0 open, 0 new, 0 resolved\n"
        "\n"
        "Scope        clusters, deep\n"
        "Started      2026-03-14 15:09:26 UTC, 75 s\n"
        "Clusters     none; 3 re-read\n"
        "Compared     with nothing: it is the first re-scan\n"
        "Report       s3://reports/rescans/1/report.json\n"
        "HTML         s3://reports/rescans/1/report.html\n"
    )
    objects = rescan_text(replace(EMPTY, rescan=replace(RUN, scope=Scope.LOG_OBJECTS)))
    assert "\nClusters " not in objects


def test_report_json_contains_every_finding_and_figure() -> None:
    report = json.loads(json.dumps(report_json(REPORT)))

    assert report.pop("findings") == [
        json.loads(json.dumps(finding_json(each))) for each in (NEW, DOUBT, OLD)
    ]
    assert report == {
        "schema": "emr-log-guard/rescan/1",
        "execution": RUN.execution,
        "started": "2026-03-14T15:09:26Z",
        "finished": "2026-03-14T15:10:41Z",
        "scope": "all",
        "deep": False,
        "compliance": "NON_COMPLIANT",
        "compared_with": "arn:last",
        "counts": {
            "clusters": {
                "COMPLIANT": 1200,
                "NON_COMPLIANT": 2,
                "NOT_APPLICABLE": 0,
                "INSUFFICIENT_DATA": 0,
            },
            "clusters_described": 3,
            "log_objects": {
                "COMPLIANT": 10,
                "NON_COMPLIANT": 0,
                "NOT_APPLICABLE": 0,
                "INSUFFICIENT_DATA": 0,
            },
            "log_objects_listed": 5000,
            "shards": 9,
            "failed_shards": 1,
            "denied_shards": 0,
            "open": 3,
            "new": 2,
            "still_open": 1,
            "resolved": 1,
            "undetermined": 1,
            "exempt": 0,
        },
        "new": [NEW.id, DOUBT.id],
        "still_open": [OLD.id],
        "exempt": [],
        "resolved": ["arn#EMRLOG-001"],
        "undetermined": [DOUBT.id],
        "failed_shards": [
            {
                "shard": "objects-000001",
                "about": "log objects of j-1",
                "reason": "s3:ListBucket\nanswered",
            }
        ],
        "denied_shards": [],
        "advice": ["use Athena"],
    }


def test_rescan_alert_is_text_for_email_and_json_for_other_protocols() -> None:
    messages = json.loads(rescan_messages(REPORT))

    headline, _, below = rescan_text(REPORT).partition("\n")
    text = (
        f"{headline}\nAccount 111122223333, eu-west-1. Finished 2026-03-14 15:10 UTC. "
        f"All findings: s3://reports/rescans/1/report.json\n{below}"
    )
    assert messages["default"] == messages["email"] == text
    alert = json.loads(messages["sqs"])
    assert messages["sqs"] == messages["lambda"] == messages["http"] == messages["https"]
    assert (alert["schema"], alert["kind"]) == ("emr-log-guard/alert/1", "rescan.done")
    assert alert["subject"] == rescan_subject(REPORT)
    assert alert["text"] == text
    assert (alert["account"], alert["region"]) == ("111122223333", "eu-west-1")
    assert alert["counts"] == report_json(REPORT)["counts"]
    assert (alert["new"], alert["resolved"]) == ([NEW.id, DOUBT.id], ["arn#EMRLOG-001"])
    assert alert["failed_shards"][0]["about"] == "log objects of j-1"
    assert alert["findings"] == []


def test_severity_attribute_is_that_of_the_most_severe_new_finding() -> None:
    assert rescan_attributes(REPORT) == {
        "kind": "rescan.done",
        "account": "111122223333",
        "region": "eu-west-1",
        "severity": "HIGH",
    }
    assert "severity" not in rescan_attributes(EMPTY)


def test_denied_shard_is_named_in_alert_report_and_text() -> None:
    shard = ShardDenied("objects-000002", "log objects of j-2", "s3:ListBucket\nAccessDenied")
    report = replace(EMPTY, denied=(shard,))
    named = {"shard": shard.shard, "about": shard.title, "reason": shard.why}

    alert = json.loads(json.loads(rescan_messages(report))["sqs"])
    written = report_json(report)

    assert alert["denied_shards"] == written["denied_shards"] == [named]
    assert alert["counts"]["denied_shards"] == 1
    assert alert["compliance"] == "INSUFFICIENT_DATA"
    assert rescan_subject(report).endswith("1 of 9 shards denied")
    assert "log objects of j-2: s3:ListBucket\\nAccessDenied" in rescan_text(report)


def test_alert_of_a_huge_rescan_fits_into_sns() -> None:
    many = [
        replace(
            NEW, id=f"{NEW.id}{'x' * 100}{n}", cluster_name="\U0001f4a5" * 256, summary="ö" * 500
        )
        for n in range(200)
    ]
    failed = tuple(
        ShardFailed(f"{n}", "log objects " + "\n" * 1000, "ü\n" * 900) for n in range(200)
    )
    history = RescanCheckpoint(open=tuple(f"{'y' * 150}{n}" for n in range(1000)))
    huge = replace(REPORT, difference=Difference.between(history, many), failed=failed)

    assert len(rescan_messages(huge).encode()) < 256_000
    assert len(rescan_subject(huge)) <= 99
    assert "and 180 more: see the report" in rescan_text(huge)
