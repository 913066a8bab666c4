"""What a re-scan's report says of the runs before it, and of what is covered."""

from datetime import timedelta

import msgspec
import pytest

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.policy import RuleSettings
from emr_log_guard.domain.rescan import RUNS, RescanCheckpoint, Scope
from emr_log_guard.domain.rescan_report import BucketCoverage, RescanReport
from emr_log_guard.events.rescan import ShardTask
from tests.unit.builders import (
    CLUSTER_ID,
    NOW,
    a_cluster,
    a_finding,
    a_policy,
    an_exemption,
    encrypted,
)
from tests.unit.rescan_reports import a_past_run, a_rescan_report
from tests.unit.usecases.rescan.rescans import Rescans

GOOD = a_cluster()
BAD = a_cluster(log_key_identifier=None)
HOME = f"emr/{CLUSTER_ID}/"
BUCKET = "example-logs"


@pytest.fixture
def rescans() -> Rescans:
    return Rescans()


def checkpoint_of(rescans: Rescans) -> RescanCheckpoint:
    return msgspec.json.decode(rescans.results.history, type=RescanCheckpoint)


def reasons(report: RescanReport) -> dict[str, str]:
    return {rule.id: rule.reason for rule in report.not_evaluated}


def test_figures_of_each_run_are_stored(rescans: Rescans) -> None:
    rescans.launch(BAD)
    first = rescans.run(Scope.CLUSTERS)
    rescans.world.passes(hours=24)
    rescans.end(CLUSTER_ID)
    second = rescans.run(Scope.CLUSTERS, deep=True)

    assert [run.name for run in second.runs] == ["run-1", "run-2"]
    assert second.past == first.runs == checkpoint_of(rescans).runs[:1]
    before, after = checkpoint_of(rescans).runs
    assert (before.broken, before.new, before.resolved, before.deep) == ({"HIGH": 1}, 1, 0, False)
    assert (after.broken, after.new, after.resolved, after.deep) == ({}, 0, 1, True)
    assert after.started - before.started == timedelta(hours=24)
    assert (before.compliance, after.compliance) == (
        Compliance.NON_COMPLIANT,
        Compliance.COMPLIANT,
    )


def test_run_finished_twice_is_reported_and_stored_once(rescans: Rescans) -> None:
    """As by a retry of a function that was cut off at its very end."""
    rescans.launch(BAD)
    rescan, shards = rescans.planned(Scope.CLUSTERS)
    for shard in shards:
        rescans.scan(ShardTask(rescan, shard))
    first = rescans.finish(rescan)
    again = rescans.finish(rescan)

    assert again == first
    assert first["new"] == 1
    assert len(rescans.results.reports) == len(rescans.world.alerts.rescans) == 1
    assert [run.name for run in checkpoint_of(rescans).runs] == ["run-1"]


def test_oldest_runs_are_dropped_and_the_stored_runs_stay_small() -> None:
    past = tuple(
        a_past_run(number, undetermined=10_000, exempt=10_000, failed_shards=10_000)
        for number in range(1_000, 1_000 + RUNS)
    )
    report = a_rescan_report(past=past)

    assert len(report.runs) == RUNS
    assert report.runs == (*past[1:], report.figures)
    assert len(msgspec.json.encode(RescanCheckpoint(runs=report.runs))) < 30_000


def test_checkpoint_without_runs_is_decoded() -> None:
    old = b'{"execution": "arn", "open": ["a#1"], "folders": {}}'

    assert msgspec.json.decode(old, type=RescanCheckpoint).runs == ()


def test_exempt_and_undetermined_findings_are_counted_separately() -> None:
    doubt = Compliance.INSUFFICIENT_DATA
    figures = a_rescan_report(
        a_finding("EMRLOG-001", severity=Severity.LOW),
        a_finding("EMRLOG-002"),
        a_finding("EMRLOG-004"),
        a_finding("EMRLOG-005", compliance=doubt),
        a_finding("EMRLOG-006", status=Status.EXEMPT),
        a_finding("EMRLOG-008", status=Status.EXEMPT, compliance=doubt),
    ).figures

    assert figures.broken == {"LOW": 1, "HIGH": 2}
    assert (figures.undetermined, figures.exempt) == (1, 2)


def test_report_contains_since_when_each_bucket_was_checked(rescans: Rescans) -> None:
    rescans.checked_buckets = (BUCKET, "not-there-yet")
    rescans.launch(GOOD)
    rescans.check(CLUSTER_ID)
    rescans.folders.put(f"{HOME}node/a.gz", NOW - timedelta(hours=3))
    rescans.folders.put(f"{HOME}node/b.gz", NOW - timedelta(hours=3), encrypted("AES256"))

    report = rescans.run(Scope.LOG_OBJECTS)

    assert report.checked_buckets == (BUCKET, "not-there-yet")
    assert report.buckets == (
        BucketCoverage(bucket=BUCKET, clusters=1, listed=2, complete=NOW, latest=NOW),
        BucketCoverage(bucket="not-there-yet"),
    )

    rescans.world.passes(hours=24)
    later = rescans.run(Scope.CLUSTERS)

    [known, _] = later.buckets
    assert (known.listed, known.latest) == (0, NOW)


def test_rules_not_evaluated_by_a_run_are_reported_with_the_reason(rescans: Rescans) -> None:
    rescans.launch(GOOD)
    off = {"EMRLOG-011": RuleSettings(enabled=False), "EMRLOG-012": RuleSettings(enabled=False)}

    clusters = reasons(rescans.run(Scope.CLUSTERS))
    objects = reasons(rescans.run(Scope.LOG_OBJECTS))
    deep = reasons(rescans.run(Scope.ALL, deep=True))

    assert set(deep) == set(off)
    assert set(deep.values()) == {"disabled by the policy"}
    assert set(clusters) - set(deep) == {
        "EMRLOG-007",
        "EMRLOG-008",
        "EMRLOG-009",
        "EMRLOG-101",
        "EMRLOG-102",
        "EMRLOG-103",
    }
    assert "this re-scan covered clusters only" in clusters["EMRLOG-101"]
    assert "only by events and deep re-scans" in clusters["EMRLOG-007"]
    assert "this re-scan covered log objects only" in objects["EMRLOG-002"]
    assert "EMRLOG-101" not in objects
    assert "EMRLOG-201" in objects


def test_report_contains_the_exemptions_of_the_policy(rescans: Rescans) -> None:
    exemption = an_exemption()
    rescans.world.policy = a_policy(exemptions=(exemption,))

    assert rescans.run(Scope.CLUSTERS).exemptions == (exemption,)
