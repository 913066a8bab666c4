import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.rules.emrlog_010_cloudwatch_logs_customer_key import RULE
from tests.unit.builders import (
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    UNREADABLE,
    a_cluster,
    a_key,
    cluster_facts,
)


@pytest.mark.parametrize(
    ("key", "compliance", "told"),
    [
        (KEY, Compliance.COMPLIANT, KEY.arn),
        (None, Compliance.NON_COMPLIANT, "names no key"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "managed by AWS"),
        (NO_SUCH_KEY, Compliance.NON_COMPLIANT, "does not exist"),
        (a_key(state=KeyState.DISABLED), Compliance.NON_COMPLIANT, "is Disabled"),
        (a_key(state=KeyState.UPDATING), Compliance.COMPLIANT, KEY.arn),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA, UNREADABLE.reason),
    ],
)
def test_the_key_of_logs_in_cloudwatch_decides(
    key: KeyFact | None, compliance: Compliance, told: str
) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(cloudwatch_logs=True), cloudwatch_key=key))

    assert outcome.compliance is compliance
    assert told in outcome.summary


def test_without_logs_in_cloudwatch_there_is_nothing_to_encrypt() -> None:
    assert RULE.check(cluster_facts()).compliance is Compliance.NOT_APPLICABLE


def test_a_key_that_the_other_logs_use_as_well_is_reported_once() -> None:
    lost = a_key(state=KeyState.DISABLED)
    facts = cluster_facts(a_cluster(cloudwatch_logs=True), log_key=lost, cloudwatch_key=lost)

    assert RULE.check(facts).compliance is Compliance.NOT_APPLICABLE


def test_a_key_that_was_lost_is_brought_back() -> None:
    lost = a_key(state=KeyState.DISABLED)
    text = RULE.remediation(cluster_facts(a_cluster(cloudwatch_logs=True), cloudwatch_key=lost))

    assert text == f"aws kms enable-key --region eu-west-1 --key-id {KEY.arn}"


def test_the_fix_is_a_relaunch_with_a_key_for_cloudwatch() -> None:
    text = RULE.remediation(cluster_facts(a_cluster(cloudwatch_logs=True)))

    assert "EncryptionKeyArn" in text.splitlines()[0]
    assert "aws emr create-cluster" in text
