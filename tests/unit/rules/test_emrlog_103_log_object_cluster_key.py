from dataclasses import replace

import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import ApprovedKey, KeyFact, KmsKey
from emr_log_guard.domain.log_objects import SSE_C
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_103_log_object_cluster_key import RULE
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    a_log_object,
    approved,
    encrypted,
    key_arn,
    log_object_facts,
)

UNKNOWN_CLUSTER = Unresolved("elasticmapreduce:DescribeCluster: no such cluster here")


@pytest.mark.parametrize("identifier", [KEY.arn, "1234abcd-12ab-34cd-56ef-1234567890ab"])
@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_cluster_key_complies(algorithm: str, identifier: str) -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted(algorithm, identifier)))

    assert outcome.compliance is Compliance.COMPLIANT
    assert f"{a_log_object()} is encrypted with its cluster's key {KEY.arn}" in outcome.summary


@pytest.mark.parametrize(
    "key",
    [
        ANOTHER_KEY,
        a_key(arn=key_arn(account=OTHER_ACCOUNT)),
        a_key(arn=key_arn(region=OTHER_REGION)),
    ],
)
def test_every_other_key_does_not_comply(key: KmsKey) -> None:
    facts = log_object_facts(encryption=encrypted("aws:kms", key.arn), object_key=key)

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary == (
        f"{a_log_object()} is encrypted with {key.arn}, but its cluster names {KEY.arn}"
    )


@pytest.mark.parametrize(
    ("arn", "compliance"),
    [(KEY.arn, Compliance.COMPLIANT), (ANOTHER_KEY.arn, Compliance.NON_COMPLIANT)],
)
@pytest.mark.parametrize("key", [NO_SUCH_KEY, UNREADABLE, None])
def test_unreadable_key_is_compared_by_its_arn(
    arn: str, compliance: Compliance, key: KeyFact | None
) -> None:
    facts = log_object_facts(encryption=encrypted("aws:kms", arn), object_key=key)

    outcome = RULE.check(facts)

    assert outcome.compliance is compliance
    assert arn in outcome.summary


@pytest.mark.parametrize(
    "identifier",
    [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/emr-logs",
        None,
    ],
)
@pytest.mark.parametrize("key", [NO_SUCH_KEY, UNREADABLE])
def test_unreadable_key_without_a_key_arn_is_undetermined(
    identifier: str | None, key: KeyFact
) -> None:
    facts = log_object_facts(encryption=encrypted("aws:kms", identifier), object_key=key)

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "kms:DescribeKey" in outcome.summary


def test_object_without_a_named_key_is_undetermined() -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted("aws:kms"), object_key=None))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert f"S3 names no key for {a_log_object()}" in outcome.summary


def test_object_of_a_cluster_unknown_to_emr_is_undetermined() -> None:
    outcome = RULE.check(log_object_facts(cluster=UNKNOWN_CLUSTER, expected_key=None))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert UNKNOWN_CLUSTER.reason in outcome.summary


def test_object_of_a_cluster_with_an_unreadable_key_is_undetermined() -> None:
    outcome = RULE.check(log_object_facts(expected_key=UNREADABLE))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert UNREADABLE.reason in outcome.summary


def test_object_of_a_cluster_without_a_key_is_not_evaluated() -> None:
    cluster = a_cluster(log_key_identifier=None)

    outcome = RULE.check(log_object_facts(cluster=cluster, expected_key=None))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "names no log key" in outcome.summary


def test_object_of_a_cluster_whose_key_does_not_exist_is_not_evaluated() -> None:
    outcome = RULE.check(log_object_facts(expected_key=NO_SUCH_KEY))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "cluster's log key does not exist" in outcome.summary


@pytest.mark.parametrize("expected_key", [KEY, AWS_MANAGED, UNREADABLE, None])
def test_aws_managed_key_is_left_to_emrlog_102(expected_key: KeyFact | None) -> None:
    outcome = RULE.check(log_object_facts(object_key=AWS_MANAGED, expected_key=expected_key))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "AWS-managed" in outcome.summary


@pytest.mark.parametrize("algorithm", ["AES256", SSE_C, "aws:backup", None])
def test_object_not_encrypted_with_kms_is_left_to_emrlog_101(algorithm: str | None) -> None:
    outcome = RULE.check(log_object_facts(encryption=encrypted(algorithm), object_key=None))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "not encrypted by KMS" in outcome.summary


def test_object_whose_head_cannot_be_read_is_left_to_emrlog_101() -> None:
    outcome = RULE.check(log_object_facts(encryption=Unresolved("403"), object_key=None))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_fix_names_the_cluster_key() -> None:
    assert KEY.arn in RULE.remediation(log_object_facts(object_key=ANOTHER_KEY))


@pytest.mark.parametrize(
    ("carried", "compliance", "notified"),
    [
        (KEY, Compliance.COMPLIANT, "is encrypted with its step s-1's key"),
        (ANOTHER_KEY, Compliance.NON_COMPLIANT, f"its step s-1 names {KEY.arn}"),
    ],
)
def test_log_of_a_step_is_compared_with_the_key_of_the_step(
    carried: KmsKey, compliance: Compliance, notified: str
) -> None:
    facts = log_object_facts(
        encryption=encrypted("aws:kms", carried.arn), object_key=carried, expected_of="step s-1"
    )

    outcome = RULE.check(facts)

    assert outcome.compliance is compliance
    assert notified in outcome.summary


UNAPPROVED = encrypted("aws:kms", ANOTHER_KEY.arn)


@pytest.mark.parametrize("expected_key", [None, NO_SUCH_KEY, ANOTHER_KEY, UNREADABLE])
def test_object_with_an_unapproved_key_does_not_comply_with_any_cluster_key(
    expected_key: KeyFact | None,
) -> None:
    facts = log_object_facts(
        encryption=UNAPPROVED,
        object_key=ANOTHER_KEY,
        expected_key=expected_key,
        approved_keys=approved(KEY),
    )

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"{a_log_object()}'s key {ANOTHER_KEY.arn} is not one of the approved keys" in (
        outcome.summary
    )
    assert KEY.arn in RULE.remediation(facts)


@pytest.mark.parametrize(
    ("expected_key", "compliance"),
    [
        (KEY, Compliance.COMPLIANT),
        (None, Compliance.NOT_APPLICABLE),
        (ANOTHER_KEY, Compliance.NON_COMPLIANT),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA),
    ],
)
def test_object_with_an_approved_key_is_compared_with_the_cluster_key(
    expected_key: KeyFact | None, compliance: Compliance
) -> None:
    facts = log_object_facts(expected_key=expected_key, approved_keys=approved(KEY))

    assert RULE.check(facts).compliance is compliance


def test_object_is_undetermined_when_an_approved_key_cannot_be_resolved() -> None:
    listed = (ApprovedKey("alias/approved", UNREADABLE),)

    outcome = RULE.check(log_object_facts(expected_key=None, approved_keys=listed))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA


def test_object_of_a_cluster_unknown_to_emr_is_undetermined_even_with_an_unapproved_key() -> None:
    facts = log_object_facts(
        cluster=UNKNOWN_CLUSTER,
        expected_key=None,
        object_key=ANOTHER_KEY,
        encryption=UNAPPROVED,
        approved_keys=approved(KEY),
    )

    assert RULE.check(facts).compliance is Compliance.INSUFFICIENT_DATA


@pytest.mark.parametrize(
    ("listed", "compliance"),
    [
        ((), Compliance.COMPLIANT),
        (approved(ANOTHER_KEY, KEY), Compliance.COMPLIANT),
        (approved(KEY), Compliance.NON_COMPLIANT),
    ],
)
def test_former_key_of_an_alias_complies_while_it_is_approved(
    listed: tuple[ApprovedKey, ...], compliance: Compliance
) -> None:
    facts = log_object_facts(
        encryption=UNAPPROVED,
        object_key=ANOTHER_KEY,
        former_keys=(KEY.arn, ANOTHER_KEY.arn),
        approved_keys=listed,
    )

    assert RULE.check(facts).compliance is compliance


def test_key_that_the_cluster_never_used_does_not_comply() -> None:
    facts = log_object_facts(encryption=UNAPPROVED, object_key=ANOTHER_KEY, former_keys=(KEY.arn,))

    assert RULE.check(facts).compliance is Compliance.NON_COMPLIANT


def test_fix_names_an_approved_key_of_the_region_of_the_cluster() -> None:
    elsewhere = a_key(arn=key_arn(region=OTHER_REGION))
    gone = ApprovedKey("alias/gone", NO_SUCH_KEY)
    facts = log_object_facts(
        encryption=UNAPPROVED,
        object_key=ANOTHER_KEY,
        expected_key=ANOTHER_KEY,
        approved_keys=(gone, *approved(elsewhere, KEY)),
    )

    assert KEY.arn in RULE.remediation(facts)
    none = log_object_facts(expected_key=None, approved_keys=approved(elsewhere))
    assert "ARN_OF_THE_LOG_KEY" in RULE.remediation(none)
    unknown = log_object_facts(expected_key=None, cluster=UNKNOWN_CLUSTER)
    assert "ARN_OF_THE_LOG_KEY" in RULE.remediation(unknown)


@pytest.mark.parametrize("expected", [KEY, AWS_MANAGED, a_key(arn=key_arn(region=OTHER_REGION))])
def test_default_key_of_the_policy_complies_with_any_cluster_key(expected: KmsKey) -> None:
    facts = replace(
        log_object_facts(
            encryption=encrypted("aws:kms", ANOTHER_KEY.arn),
            object_key=ANOTHER_KEY,
            expected_key=expected,
        ),
        default_key=ANOTHER_KEY.arn,
    )

    assert RULE.check(facts).compliance is Compliance.COMPLIANT
    assert RULE.check(replace(facts, default_key=None)).compliance is Compliance.NON_COMPLIANT
    unapproved = replace(facts, approved_keys=approved(KEY))
    assert RULE.check(unapproved).compliance is Compliance.NON_COMPLIANT
