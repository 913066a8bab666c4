from dataclasses import replace
from datetime import date, timedelta

import pytest

from emr_log_guard.domain.clusters import Step
from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.decide import NextStep
from emr_log_guard.domain.finding_record import QUIET, FindingRecord, Kind
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.policy import ClusterMatch, Enforcement, Policy, RuleSettings
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.rendering.alerts.text import alert_subject
from tests.unit.builders import ACCOUNT, CLUSTER_ID, REGION, a_cluster, an_exemption
from tests.unit.usecases.world import World

ANOTHER = "j-2ANOTHER"
BUCKET = "arn:aws:s3:::example-logs"
AGAIN = ClusterCheckRequest(BUCKET, force_refresh=True)


@pytest.fixture
def silent(world: World) -> World:
    """Two clusters that are otherwise right log to a bucket that sends no events."""
    world.policy = Policy()
    world.buckets.sending = False
    world.clusters.known = {
        CLUSTER_ID: a_cluster(),
        ANOTHER: a_cluster(id=ANOTHER, arn=a_cluster().arn.replace(CLUSTER_ID, ANOTHER)),
    }
    return world


def the_record(world: World) -> FindingRecord:
    [record] = world.repository.read(BUCKET).records.values()
    return record


def test_bucket_shared_by_clusters_is_one_finding_and_one_alert(
    silent: World,
) -> None:
    checked = [silent.check_cluster(ClusterCheckRequest(each)) for each in (CLUSTER_ID, ANOTHER)]

    assert [each.summary()["compliance"] for each in checked] == ["COMPLIANT", "COMPLIANT"]
    assert silent.records == {}
    [alert] = silent.alerts.published
    [finding] = alert.findings
    assert alert_subject(alert) == (
        "[LOW] log bucket example-logs violates EMRLOG-009 log-bucket-sends-events"
    )
    assert finding.id == f"{BUCKET}#EMRLOG-009"
    assert (finding.cluster_id, finding.cluster_arn, finding.cluster_name) == (BUCKET, BUCKET, None)
    assert (finding.account, finding.region) == (ACCOUNT, REGION)
    assert the_record(silent).kind is Kind.LOG_BUCKET


def test_evidence_names_clusters_that_log_to_the_bucket(silent: World) -> None:
    silent.check()
    silent.passes(seconds=QUIET.total_seconds())
    silent.check_cluster(ClusterCheckRequest(ANOTHER))

    assert the_record(silent).finding.evidence == {
        "log_bucket": "example-logs",
        "samples": (f"{CLUSTER_ID} nightly-etl", f"{ANOTHER} nightly-etl"),
    }
    assert len(silent.alerts.published) == 1


def test_each_bucket_of_a_cluster_and_its_steps_has_its_own_finding(silent: World) -> None:
    silent.clusters.listed = (Step("s-1", "a", "s3://elsewhere/a/"),)

    silent.check()

    assert [alert.bucket for alert in silent.alerts.published] == ["example-logs", "elsewhere"]


def test_termination_of_a_cluster_does_not_resolve_the_bucket_finding(silent: World) -> None:
    silent.check()
    silent.clusters.known = {CLUSTER_ID: a_cluster(state="TERMINATED")}
    silent.passes(minutes=10)
    silent.check()

    silent.check_cluster(AGAIN)

    assert the_record(silent).open
    assert silent.kinds == ["finding.opened"]


@pytest.mark.parametrize("sending", [True, None])
def test_recheck_resolves_the_finding_once_the_bucket_sends_events_or_is_deleted(
    silent: World, *, sending: bool | None
) -> None:
    silent.check()
    silent.passes(minutes=10)
    silent.buckets.sending = sending

    checked = silent.check_cluster(AGAIN)

    assert [f.compliance for f in checked.findings] == [
        Compliance.COMPLIANT if sending else Compliance.NOT_APPLICABLE
    ]
    assert the_record(silent).finding.status is Status.RESOLVED
    assert silent.kinds == ["finding.opened", "finding.resolved"]


def test_recheck_of_a_bucket_without_a_finding_reads_nothing(world: World) -> None:
    assert world.check_cluster(AGAIN).findings == ()
    assert world.buckets.asked == []


def test_denied_bucket_is_one_undetermined_finding(silent: World) -> None:
    silent.buckets.sending = Unresolved("denied")

    silent.check()
    silent.check_cluster(ClusterCheckRequest(ANOTHER))

    [alert] = silent.alerts.published
    assert alert_subject(alert) == (
        "[LOW] log bucket example-logs: could not determine EMRLOG-009 log-bucket-sends-events"
    )


def test_bucket_is_queried_again_after_a_change_or_a_forced_refresh(silent: World) -> None:
    silent.check()
    reads = silent.table.counts["Query"]

    silent.check()
    assert silent.table.counts["Query"] == reads + 1  # that of the cluster
    silent.policy = replace(silent.policy, version=2)
    silent.check()
    assert silent.table.counts["Query"] == reads + 3
    silent.check_cluster(ClusterCheckRequest(CLUSTER_ID, force_refresh=True))
    assert silent.table.counts["Query"] == reads + 5
    silent.buckets.sending = True
    silent.check()
    assert silent.table.counts["Query"] == reads + 7


def test_bucket_finding_never_terminates_a_cluster(silent: World) -> None:
    silent.policy = Policy(
        Mode.ENFORCE,
        enforcement=Enforcement(
            frozenset({"EMRLOG-009"}), grace_running=timedelta(0), allowed=True
        ),
        rules={"EMRLOG-009": RuleSettings(severity=Severity.HIGH)},
    )

    silent.check()

    assert silent.journal == ["publish finding.opened"]
    assert silent.alerts.published[0].next_step is NextStep.NOTHING_ENFORCED


def test_exemption_of_clusters_does_not_cover_a_bucket(silent: World) -> None:
    every = an_exemption(cluster=ClusterMatch(name="*"), until=date(2999, 1, 1))
    silent.policy = Policy(exemptions=(replace(every, rules=frozenset({"*"})),))

    silent.check()

    assert silent.kinds == ["finding.opened"]


def test_disabled_rule_resolves_the_bucket_finding(silent: World) -> None:
    silent.check()
    silent.policy = Policy(rules={"EMRLOG-009": RuleSettings(enabled=False)})

    silent.check_cluster(AGAIN)

    assert silent.kinds == ["finding.opened", "finding.resolved"]
