import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact
from emr_log_guard.rules.emrlog_010_cloudwatch_logs_customer_key import RULE
from tests.unit.builders import (
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    UNREADABLE,
    a_cluster,
    cluster_facts,
)


@pytest.mark.parametrize(
    ("key", "compliance", "told"),
    [
        (KEY, Compliance.COMPLIANT, KEY.arn),
        (None, Compliance.NON_COMPLIANT, "names no key"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "managed by AWS"),
        (NO_SUCH_KEY, Compliance.NON_COMPLIANT, "does not exist"),
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


def test_the_fix_is_a_relaunch_with_a_key_for_cloudwatch() -> None:
    text = RULE.remediation(cluster_facts(a_cluster(cloudwatch_logs=True)))

    assert "EncryptionKeyArn" in text.splitlines()[0]
    assert "aws emr create-cluster" in text
