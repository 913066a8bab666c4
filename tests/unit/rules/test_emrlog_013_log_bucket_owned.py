import shlex
from dataclasses import replace

import pytest

from emr_log_guard.domain.clusters import (
    LOG_TYPES,
    BucketOwnership,
    ClusterFacts,
    LogBucket,
    Session,
    Step,
    StepState,
    WorkloadFacts,
)
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_013_log_bucket_owned import RULE
from tests.unit.builders import (
    ACCOUNT,
    CLUSTER_ID,
    KEY,
    LOG_BUCKET,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    a_cluster,
    cluster_facts,
)

DEFAULT = "aws-logs-111122223333-eu-west-1"
STRANGERS = BucketOwnership(None, REGION)
FORBIDDEN = Unresolved("s3:HeadBucket on elsewhere answered 403 for each expected owner")
THROTTLED = Unresolved("s3:HeadBucket on elsewhere answered SlowDown", transient=True)
STEP_WORKLOAD = Step("s-1", "load", "s3://elsewhere/logs/")
STEP = WorkloadFacts(STEP_WORKLOAD, KEY)
SESSION = WorkloadFacts(Session("is-1", "ide", "s3://elsewhere/logs/"), KEY)


def elsewhere(ownership: BucketOwnership | Unresolved) -> ClusterFacts:
    """Have a step log to a bucket of its own."""
    bucket = LogBucket("elsewhere", ownership=ownership)
    return cluster_facts(log_buckets=(LOG_BUCKET, bucket), steps=(STEP,))


def test_bucket_of_the_account_of_the_cluster_complies() -> None:
    outcome = RULE.check(cluster_facts())

    assert outcome.compliance is Compliance.COMPLIANT
    assert outcome.summary == f"logs go to buckets of known accounts: example-logs of {ACCOUNT}"


def test_bucket_of_an_account_named_in_the_policy_complies_in_any_region() -> None:
    outcome = RULE.check(elsewhere(BucketOwnership(OTHER_ACCOUNT, OTHER_REGION)))

    assert outcome.compliance is Compliance.COMPLIANT
    assert outcome.summary.endswith(f"elsewhere of {OTHER_ACCOUNT}")


def test_default_bucket_owned_by_another_account_does_not_comply() -> None:
    cluster = a_cluster(log_uri=f"s3n://{DEFAULT}/elasticmapreduce/")
    facts = cluster_facts(cluster, log_buckets=(LogBucket(DEFAULT, ownership=STRANGERS),))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert not outcome.over
    assert outcome.summary == (
        f"logs go to buckets of an account that is neither {ACCOUNT} nor in log_bucket_owners of "
        f"the policy: {DEFAULT}"
    )
    confirm, *_, end, _comment, _prepare = [
        line for line in RULE.remediation(facts).splitlines() if not line.startswith("# S3 denies")
    ]
    assert shlex.split(confirm) == [
        *("aws", "s3api", "head-bucket", "--bucket", DEFAULT),
        *("--expected-bucket-owner", ACCOUNT),
    ]
    assert "--log-uri s3://LOG_BUCKET/logs/" in RULE.remediation(facts)
    assert end.startswith("aws emr terminate-clusters")


def test_bucket_of_an_unknown_account_used_by_a_step_or_session_does_not_comply() -> None:
    facts = replace(elsewhere(STRANGERS), sessions=(SESSION,))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary.endswith(": elsewhere")
    on = f"--region {REGION} --cluster-id {CLUSTER_ID}"
    assert RULE.remediation(facts).splitlines()[2:] == [
        "# Stop the steps and sessions with such a log URI, and start them again without it:",
        f"aws emr cancel-steps {on} --step-ids s-1",
        f"aws emr terminate-session {on} --session-id is-1",
    ]


def test_bucket_of_an_unknown_account_used_by_a_finished_step_is_reported_as_over() -> None:
    finished = replace(STEP, workload=replace(STEP_WORKLOAD, state=StepState.COMPLETED))
    facts = replace(elsewhere(STRANGERS), steps=(finished,))

    outcome = RULE.check(facts)

    assert (outcome.compliance, outcome.over) == (Compliance.NON_COMPLIANT, True)
    assert "aws emr" not in RULE.remediation(facts)


def test_bucket_of_a_step_cancelled_before_its_start_is_ignored() -> None:
    cancelled = replace(STEP, workload=replace(STEP_WORKLOAD, state=StepState.CANCELLED))

    outcome = RULE.check(replace(elsewhere(STRANGERS), steps=(cancelled,)))

    assert outcome.compliance is Compliance.COMPLIANT


def test_cluster_with_all_uploads_disabled_is_not_evaluated() -> None:
    disabled = a_cluster(log_upload_policies=dict.fromkeys(LOG_TYPES, "disabled"))

    outcome = RULE.check(cluster_facts(disabled, log_buckets=()))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_fix_stops_no_step_or_session_that_logs_to_a_known_bucket() -> None:
    cluster = a_cluster(log_uri=f"s3n://{DEFAULT}/elasticmapreduce/")
    facts = cluster_facts(
        cluster,
        log_buckets=(
            LogBucket(DEFAULT, ownership=STRANGERS),
            LogBucket("elsewhere", ownership=BucketOwnership(ACCOUNT, REGION)),
        ),
        sessions=(SESSION,),
        steps=(WorkloadFacts(Step("s-2", "load", None, KEY.arn), KEY),),
    )

    assert "cancel-steps" not in RULE.remediation(facts)
    assert "terminate-session" not in RULE.remediation(facts)


def test_fix_cancels_no_step_when_only_a_session_violates_the_rule() -> None:
    bucket = LogBucket("elsewhere", ownership=STRANGERS)
    facts = cluster_facts(log_buckets=(LOG_BUCKET, bucket), sessions=(SESSION,))

    assert "cancel-steps" not in RULE.remediation(facts)
    assert "terminate-session" in RULE.remediation(facts)


def test_bucket_of_an_unknown_account_outweighs_an_unreadable_one() -> None:
    buckets = (LogBucket("example-logs", ownership=STRANGERS), LogBucket("elsewhere"))

    outcome = RULE.check(cluster_facts(log_buckets=buckets, steps=(STEP,)))

    assert outcome.compliance is Compliance.NON_COMPLIANT


def test_an_owner_that_cannot_be_read_is_undetermined() -> None:
    outcome = RULE.check(elsewhere(FORBIDDEN))

    assert (outcome.compliance, outcome.summary) == ("INSUFFICIENT_DATA", FORBIDDEN.reason)
    assert outcome.once_lasting is None


def test_owner_whose_reading_is_throttled_is_undetermined_for_now() -> None:
    outcome = RULE.check(elsewhere(THROTTLED))

    assert (outcome.compliance, outcome.summary) == ("INSUFFICIENT_DATA", THROTTLED.reason)
    assert outcome.once_lasting is Compliance.INSUFFICIENT_DATA


def test_one_lasting_failure_makes_the_result_lasting_and_each_is_named() -> None:
    buckets = (
        LogBucket("example-logs", ownership=THROTTLED),
        LogBucket("elsewhere", ownership=FORBIDDEN),
    )

    outcome = RULE.check(cluster_facts(log_buckets=buckets, steps=(STEP,)))

    assert outcome.summary == f"{THROTTLED.reason}; {FORBIDDEN.reason}"
    assert outcome.once_lasting is None


@pytest.mark.parametrize(
    ("log_uri", "reason"),
    [
        ("hdfs:///logs", "cannot be parsed"),
        ("s3n://emr-logs-ap-2c9a0-s3alias/logs/", "names an access point, not its bucket"),
        ("s3n://unread/logs/", "the owner of unread was not read"),
    ],
)
def test_log_uri_without_a_known_bucket_owner_is_undetermined(log_uri: str, reason: str) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri=log_uri), log_buckets=()))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert reason in outcome.summary


def test_cluster_that_archives_no_logs_is_not_evaluated() -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri=None)))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_unlistable_steps_are_left_to_emrlog_008() -> None:
    outcome = RULE.check(cluster_facts(steps=Unresolved("ListSteps answered Throttling")))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_fix_quotes_user_controlled_names() -> None:
    hostile = "x; rm -rf /"
    facts = cluster_facts(
        a_cluster(log_uri=f"s3://{hostile.replace('/', '')}/"),
        log_buckets=(LogBucket("x; rm -rf ", ownership=STRANGERS),),
    )

    words = shlex.split(RULE.remediation(facts), comments=True)

    assert "x; rm -rf " in words
    assert "rm" not in words
