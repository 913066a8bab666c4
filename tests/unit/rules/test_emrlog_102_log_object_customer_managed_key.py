import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact
from emr_log_guard.domain.log_objects import SSE_C
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_102_log_object_customer_managed_key import RULE
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    OTHER_ACCOUNT,
    UNREADABLE,
    a_key,
    a_log_object,
    encrypted,
    key_arn,
    log_object_facts,
)


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
@pytest.mark.parametrize(
    "key",
    [KEY, ANOTHER_KEY, a_key(arn=key_arn("mrk-1")), a_key(arn=key_arn(account=OTHER_ACCOUNT))],
)
def test_a_customer_managed_key_complies(algorithm: str, key: KeyFact) -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted(algorithm), object_key=key))

    assert outcome.compliance is Compliance.COMPLIANT
    assert f"{a_log_object()} is encrypted with customer-managed key" in outcome.summary


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_an_aws_managed_key_does_not_comply(algorithm: str) -> None:
    facts = log_object_facts(encryption=encrypted(algorithm), object_key=AWS_MANAGED)

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"{a_log_object()} is encrypted with AWS-managed key" in outcome.summary
    assert AWS_MANAGED.arn in outcome.summary


@pytest.mark.parametrize("key", [NO_SUCH_KEY, UNREADABLE])
def test_a_key_that_cannot_be_described_is_undetermined(key: KeyFact) -> None:
    outcome = RULE.check(log_object_facts(object_key=key))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "kms:DescribeKey" in outcome.summary


def test_object_without_a_named_key_is_undetermined() -> None:
    outcome = RULE.check(log_object_facts(object_key=None))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "names no key" in outcome.summary


@pytest.mark.parametrize("algorithm", ["AES256", SSE_C, "aws:fsx", None, "aws:quantum"])
def test_object_not_encrypted_with_kms_is_not_evaluated(algorithm: str | None) -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted(algorithm), object_key=None))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "not encrypted by KMS" in outcome.summary


def test_object_whose_head_cannot_be_read_is_left_to_emrlog_101() -> None:
    outcome = RULE.check(log_object_facts(encryption=Unresolved("403"), object_key=None))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "could not be read" in outcome.summary


def test_fix_names_the_cluster_key() -> None:
    assert KEY.arn in RULE.remediation(log_object_facts(object_key=AWS_MANAGED))
