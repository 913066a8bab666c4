from dataclasses import replace

import pytest

from emr_log_guard.domain.clusters import ClusterFacts, Session, Step, WorkloadFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact, KeyState, KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_010_cloudwatch_logs_customer_key import RULE
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    approved,
    cluster_facts,
    identifier_of,
    key_arn,
)


@pytest.mark.parametrize(
    ("key", "compliance", "notified"),
    [
        (KEY, Compliance.COMPLIANT, KEY.arn),
        (None, Compliance.NON_COMPLIANT, "names no key"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "managed by AWS"),
        (NO_SUCH_KEY, Compliance.INSUFFICIENT_DATA, "does not exist"),
        (a_key(state=KeyState.CREATING), Compliance.INSUFFICIENT_DATA, "is Creating"),
        (a_key(spec="RSA_4096"), Compliance.NON_COMPLIANT, "is a RSA_4096 key"),
        (a_key(usage="SIGN_VERIFY"), Compliance.NON_COMPLIANT, "only a symmetric encryption key"),
        (
            a_key(arn=key_arn(region=OTHER_REGION)),
            Compliance.NON_COMPLIANT,
            f"is in {OTHER_REGION}, the cluster in {REGION}",
        ),
        (a_key(state=KeyState.DISABLED), Compliance.NON_COMPLIANT, "is Disabled"),
        (a_key(state=KeyState.UPDATING), Compliance.COMPLIANT, KEY.arn),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA, UNREADABLE.reason),
    ],
)
def test_cloudwatch_key_decides_compliance(
    key: KeyFact | None, compliance: Compliance, notified: str
) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(cloudwatch_logs=True), cloudwatch_key=key))

    assert outcome.compliance is compliance
    assert notified in outcome.summary


def sending_to_cloudwatch(key: KeyFact | None, *, log_key: KeyFact | None = KEY) -> ClusterFacts:
    cluster = a_cluster(
        log_key_identifier=identifier_of(log_key),
        cloudwatch_logs=True,
        cloudwatch_key_identifier=identifier_of(key),
    )
    return cluster_facts(cluster, log_key=log_key, cloudwatch_key=key, approved_keys=approved(KEY))


def test_cloudwatch_key_has_to_be_approved() -> None:
    facts = sending_to_cloudwatch(ANOTHER_KEY)

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary.startswith("CloudWatch logs of the cluster: ")
    assert "not one of the approved keys" in outcome.summary
    assert "aws emr create-cluster" in RULE.remediation(facts)


def test_unreadable_key_with_an_arn_of_another_region_does_not_comply() -> None:
    abroad = key_arn(region=OTHER_REGION)
    cluster = a_cluster(cloudwatch_logs=True, cloudwatch_key_identifier=abroad)

    outcome = RULE.check(cluster_facts(cluster, cloudwatch_key=UNREADABLE))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert abroad in outcome.summary


@pytest.mark.parametrize("key", [NO_SUCH_KEY, a_key(state=KeyState.UNAVAILABLE)])
def test_transient_fact_about_the_key_is_undetermined_until_it_has_lasted(key: KeyFact) -> None:
    outcome = RULE.check(sending_to_cloudwatch(key))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.once_lasting is Compliance.NON_COMPLIANT


@pytest.mark.parametrize("key", [NO_SUCH_KEY, a_key(state=KeyState.DISABLED)])
def test_unusable_key_is_reported_only_when_no_archived_logs_use_it(key: KeyFact) -> None:
    facts = sending_to_cloudwatch(key, log_key=key)

    assert RULE.check(facts).compliance is Compliance.NOT_APPLICABLE
    archiving_nothing = replace(facts, cluster=replace(facts.cluster, log_uri=None))
    assert RULE.check(archiving_nothing).broken


@pytest.mark.parametrize(
    ("key", "notified"),
    [(ANOTHER_KEY, "not one of the approved keys"), (AWS_MANAGED, "managed by AWS")],
)
def test_unsuitable_key_is_reported_for_cloudwatch_as_well_as_for_the_archive(
    key: KmsKey, notified: str
) -> None:
    outcome = RULE.check(sending_to_cloudwatch(key, log_key=key))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert notified in outcome.summary


def a_session(key: KeyFact | None, number: int = 1) -> WorkloadFacts:
    session = Session(
        f"is-{number}",
        f"ide-{number}",
        cloudwatch_logs=True,
        cloudwatch_key_identifier=identifier_of(key),
    )
    return WorkloadFacts(session, KEY, key)


@pytest.mark.parametrize(
    ("key", "compliance", "notified"),
    [
        (KEY, Compliance.COMPLIANT, KEY.arn),
        (None, Compliance.NON_COMPLIANT, "session is-1 (ide-1) sends logs to CloudWatch and names"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "CloudWatch logs of session is-1 (ide-1): "),
        (ANOTHER_KEY, Compliance.NON_COMPLIANT, "not one of the approved keys"),
        (NO_SUCH_KEY, Compliance.INSUFFICIENT_DATA, "does not exist"),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA, UNREADABLE.reason),
    ],
)
def test_cloudwatch_logs_of_a_session_are_evaluated_like_those_of_the_cluster(
    key: KeyFact | None, compliance: Compliance, notified: str
) -> None:
    outcome = RULE.check(cluster_facts(sessions=(a_session(key),), approved_keys=approved(KEY)))

    assert outcome.compliance is compliance
    assert notified in outcome.summary


def test_fix_for_sessions_terminates_each_of_them() -> None:
    facts = replace(
        sending_to_cloudwatch(KEY), sessions=(a_session(None), a_session(None, number=2))
    )

    assert RULE.check(facts).summary.endswith("names no key for them (and 1 more)")
    commands = [line for line in RULE.remediation(facts).splitlines() if line[0] != "#"]
    where = f"--region {REGION} --cluster-id {facts.cluster.id}"
    assert commands == [
        f"aws emr terminate-session {where} --session-id is-1",
        f"aws emr terminate-session {where} --session-id is-2",
    ]


def test_fix_enables_a_disabled_key_shared_by_cluster_and_session_once() -> None:
    lost = a_key(state=KeyState.DISABLED)
    facts = replace(sending_to_cloudwatch(lost), sessions=(a_session(lost),))

    assert RULE.remediation(facts) == f"aws kms enable-key --region {REGION} --key-id {KEY.arn}"


def test_unlistable_sessions_are_undetermined_unless_the_cluster_violates_the_rule() -> None:
    unlisted = Unresolved("elasticmapreduce:ListSessions answered AccessDeniedException")
    quiet = cluster_facts(sessions=unlisted)

    assert RULE.check(quiet).compliance is Compliance.INSUFFICIENT_DATA
    assert RULE.check(quiet).summary == unlisted.reason
    broken = replace(sending_to_cloudwatch(AWS_MANAGED), sessions=unlisted)
    assert RULE.check(broken).compliance is Compliance.NON_COMPLIANT


def test_step_and_session_that_log_to_s3_only_are_not_evaluated() -> None:
    session = WorkloadFacts(Session("is-1", "ide", "s3://elsewhere/"), KEY)
    step = WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), KEY)

    outcome = RULE.check(cluster_facts(sessions=(session,), steps=(step,)))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_cluster_without_cloudwatch_logs_is_not_evaluated() -> None:
    assert RULE.check(cluster_facts()).compliance is Compliance.NOT_APPLICABLE


def test_disabled_key_that_the_archive_also_uses_is_left_to_emrlog_005() -> None:
    lost = a_key(state=KeyState.DISABLED)
    facts = cluster_facts(a_cluster(cloudwatch_logs=True), log_key=lost, cloudwatch_key=lost)

    assert RULE.check(facts).compliance is Compliance.NOT_APPLICABLE


def test_fix_enables_a_disabled_key() -> None:
    lost = a_key(state=KeyState.DISABLED)
    text = RULE.remediation(cluster_facts(a_cluster(cloudwatch_logs=True), cloudwatch_key=lost))

    assert text == f"aws kms enable-key --region eu-west-1 --key-id {KEY.arn}"


def test_fix_is_a_relaunch_with_a_cloudwatch_key() -> None:
    text = RULE.remediation(cluster_facts(a_cluster(cloudwatch_logs=True)))

    assert "EncryptionKeyArn" in text.splitlines()[0]
    assert "aws emr create-cluster" in text
