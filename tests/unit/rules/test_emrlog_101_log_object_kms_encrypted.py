import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.log_objects import SSE_C
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_101_log_object_kms_encrypted import RULE
from tests.unit.builders import KEY, a_log_object, encrypted, log_object_facts


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_object_encrypted_with_kms_complies(algorithm: str) -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted(algorithm, KEY.arn)))

    assert outcome.compliance is Compliance.COMPLIANT
    assert f"{a_log_object()} is encrypted with {algorithm}" in outcome.summary


@pytest.mark.parametrize(
    ("algorithm", "evidence"),
    [
        ("AES256", "is encrypted with SSE-S3 (AES256), not with AWS KMS"),
        (SSE_C, "is encrypted with SSE-C, not with AWS KMS"),
        ("aws:fsx", "is encrypted with aws:fsx, not with AWS KMS"),
        ("aws:backup", "is encrypted with aws:backup, not with AWS KMS"),
        (None, "has no server-side encryption"),
    ],
)
def test_object_encrypted_otherwise_or_not_at_all_does_not_comply(
    algorithm: str | None, evidence: str
) -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted(algorithm)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary == f"{a_log_object()} {evidence}"


@pytest.mark.parametrize("algorithm", ["aws:quantum", "AWS:KMS", ""])
def test_unknown_encryption_algorithm_is_undetermined(algorithm: str) -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted(algorithm)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert repr(algorithm) in outcome.summary


def test_an_object_whose_head_cannot_be_read_is_undetermined() -> None:
    outcome = RULE.check(log_object_facts(encryption=Unresolved("s3:HeadObject answered 403")))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "s3:HeadObject answered 403" in outcome.summary


def test_fix_encrypts_the_object_in_place_with_the_cluster_key() -> None:
    command = RULE.remediation(log_object_facts(encryption=encrypted("AES256"), object_key=None))

    assert command.startswith("aws s3api update-object-encryption --region eu-west-1 ")
    assert KEY.arn in command


def test_fix_for_a_customer_provided_key_is_a_comment_without_a_command() -> None:
    text = RULE.remediation(log_object_facts(encryption=encrypted(SSE_C), object_key=None))

    assert text.startswith("# ")
    assert "customer-provided key" in text
    assert "update-object-encryption" not in text


def test_object_whose_head_cannot_be_read_gets_the_usual_fix() -> None:
    facts = log_object_facts(encryption=Unresolved("s3:HeadObject answered 403"))

    assert "update-object-encryption" in RULE.remediation(facts)
