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


def test_bucket_of_a_step_that_sends_no_events_does_not_comply() -> None:
    elsewhere = LogBucket("elsewhere", sends_events=False)

    outcome = RULE.check(cluster_facts(log_buckets=(LOG_BUCKET, elsewhere), steps=(STEP,)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "elsewhere sends no events to EventBridge" in outcome.summary
    assert "example-logs sends" not in outcome.summary


def test_bucket_missing_from_the_log_buckets_of_the_stack_does_not_comply() -> None:
    facts = cluster_facts(log_buckets=(UNLISTED,))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "example-logs is not in the stack's LogBuckets" in outcome.summary
    assert RULE.remediation(facts).endswith("LogBuckets of the stack and deploy it: example-logs")


def test_bucket_without_events_outweighs_an_undetermined_one() -> None:
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


def test_log_uri_that_cannot_be_parsed_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri="hdfs:///logs"), log_buckets=()))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "'hdfs:///logs' cannot be parsed" in outcome.summary


def test_log_uri_with_an_access_point_alias_is_undetermined() -> None:
    alias = a_cluster(log_uri="s3n://emr-logs-ap-2c9a0-s3alias/logs/")

    outcome = RULE.check(cluster_facts(alias, log_buckets=()))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.summary == (
        "the log URI 's3n://emr-logs-ap-2c9a0-s3alias/logs/' names an access point, not its bucket"
    )


def test_cluster_that_archives_no_logs_is_not_evaluated() -> None:
    assert RULE.check(cluster_facts(NOWHERE)).compliance is Compliance.NOT_APPLICABLE


def test_unlistable_steps_are_left_to_emrlog_008() -> None:
    outcome = RULE.check(cluster_facts(steps=Unresolved("ListSteps answered Throttling")))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_fix_adds_to_the_notification_configuration_and_replaces_nothing() -> None:
    get, put = RULE.remediation(cluster_facts(log_buckets=(SILENT,))).splitlines()

    assert get.startswith("aws s3api get-bucket-notification-configuration --bucket example-logs |")
    assert "add + {EventBridgeConfiguration: {}}" in get
    assert put.endswith("--notification-configuration file://notifications.json")
