from emr_log_guard.domain.clusters import LogBucket, Step, WorkloadFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_009_log_bucket_sends_events import RULE
from tests.unit.builders import KEY, LOG_BUCKET, a_cluster, cluster_facts

DENIED = Unresolved("s3:GetBucketNotificationConfiguration on b answered AccessDenied")
SILENT = LogBucket("example-logs", sends_events=False)
UNLISTED = LogBucket("example-logs", sends_events=True, checked=False)
STEP = WorkloadFacts(Step("s-1", "load", "s3://elsewhere/logs/"), KEY)
NOWHERE = a_cluster(log_uri=None)


def test_a_bucket_that_sends_its_events_complies() -> None:
    outcome = RULE.check(cluster_facts())

    assert outcome.compliance is Compliance.COMPLIANT
    assert "example-logs" in outcome.summary


def test_a_bucket_that_sends_no_events_does_not_comply_whoever_logs_there() -> None:
    elsewhere = LogBucket("elsewhere", sends_events=False)

    outcome = RULE.check(cluster_facts(log_buckets=(LOG_BUCKET, elsewhere), steps=(STEP,)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "elsewhere sends no events to EventBridge" in outcome.summary
    assert "example-logs sends" not in outcome.summary


def test_a_bucket_that_the_stack_does_not_look_at_is_as_blind() -> None:
    facts = cluster_facts(log_buckets=(UNLISTED,))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "example-logs is not in the stack's LogBuckets" in outcome.summary
    assert RULE.remediation(facts).endswith("LogBuckets of the stack and deploy it: example-logs")


def test_what_is_blind_outweighs_what_is_undetermined() -> None:
    doubtful = LogBucket("elsewhere", sends_events=DENIED)

    outcome = RULE.check(cluster_facts(log_buckets=(SILENT, doubtful), steps=(STEP,)))

    assert outcome.compliance is Compliance.NON_COMPLIANT


def test_a_bucket_that_cannot_be_read_is_undetermined() -> None:
    facts = cluster_facts(log_buckets=(LogBucket("example-logs", sends_events=DENIED),))

    outcome = RULE.check(facts)

    assert (outcome.compliance, outcome.summary) == (Compliance.INSUFFICIENT_DATA, DENIED.reason)
    assert RULE.remediation(facts) == ""


def test_a_bucket_that_was_not_read_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(steps=(STEP,)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.summary == "elsewhere was not read"


def test_a_log_uri_that_cannot_be_read_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri="hdfs:///logs"), log_buckets=()))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "'hdfs:///logs' cannot be parsed" in outcome.summary


def test_a_log_uri_by_an_access_point_is_undetermined_and_asks_nothing_of_its_alias() -> None:
    alias = a_cluster(log_uri="s3n://emr-logs-ap-2c9a0-s3alias/logs/")

    outcome = RULE.check(cluster_facts(alias, log_buckets=()))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.summary == (
        "the log URI 's3n://emr-logs-ap-2c9a0-s3alias/logs/' names an access point, not its bucket"
    )


def test_where_nothing_is_archived_there_is_nothing_to_check() -> None:
    assert RULE.check(cluster_facts(NOWHERE)).compliance is Compliance.NOT_APPLICABLE


def test_steps_that_cannot_be_listed_are_left_to_008() -> None:
    outcome = RULE.check(cluster_facts(steps=Unresolved("ListSteps answered Throttling")))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_the_fix_adds_to_the_configuration_and_replaces_nothing() -> None:
    get, put = RULE.remediation(cluster_facts(log_buckets=(SILENT,))).splitlines()

    assert get.startswith("aws s3api get-bucket-notification-configuration --bucket example-logs |")
    assert "add + {EventBridgeConfiguration: {}}" in get
    assert put.endswith("--notification-configuration file://notifications.json")
