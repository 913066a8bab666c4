import shlex

import pytest

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyState, KmsKey
from emr_log_guard.rules.emrlog_005_log_key_usable import RULE
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
    approved,
    cluster_facts,
    key_arn,
)

MULTI_REGION = "mrk-1234abcd12ab34cd56ef1234567890ab"


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        a_key(arn=key_arn(MULTI_REGION)),
        a_key(arn=key_arn(account=OTHER_ACCOUNT)),
        a_key(arn=f"arn:aws-us-gov:kms:{REGION}:{ACCOUNT}:key/1234abcd"),
    ],
)
def test_an_enabled_symmetric_key_of_the_region_complies(key: KmsKey) -> None:
    outcome = RULE.check(cluster_facts(log_key=key))

    assert outcome.compliance is Compliance.COMPLIANT
    assert key.arn in outcome.summary


@pytest.mark.parametrize(
    "identifier",
    [
        KEY.arn,
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/emr-logs",
        f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/emr-logs",
    ],
)
def test_usable_key_complies_under_any_identifier(identifier: str) -> None:
    facts = cluster_facts(a_cluster(log_key_identifier=identifier))

    assert RULE.check(facts).compliance is Compliance.COMPLIANT


STATES = {
    KeyState.ENABLED: Compliance.COMPLIANT,
    KeyState.UPDATING: Compliance.COMPLIANT,  # KMS goes on encrypting meanwhile
    KeyState.CREATING: Compliance.INSUFFICIENT_DATA,  # it passes
    KeyState.DISABLED: Compliance.NON_COMPLIANT,
    KeyState.PENDING_DELETION: Compliance.NON_COMPLIANT,
    KeyState.PENDING_IMPORT: Compliance.NON_COMPLIANT,
    KeyState.PENDING_REPLICA_DELETION: Compliance.NON_COMPLIANT,
    KeyState.UNAVAILABLE: Compliance.INSUFFICIENT_DATA,  # until its store is connected again
}


@pytest.mark.parametrize("state", KeyState)
def test_key_state_decides_compliance(state: KeyState) -> None:
    outcome = RULE.check(cluster_facts(log_key=a_key(state=state)))

    assert outcome.compliance is STATES[state]
    assert f"{KEY.arn} is {state}" in outcome.summary
    assert outcome.broken is (STATES[state] is not Compliance.COMPLIANT)


def test_transient_key_state_does_not_hide_a_wrong_key_spec() -> None:
    outcome = RULE.check(cluster_facts(log_key=a_key(state=KeyState.CREATING, spec="RSA_2048")))

    assert outcome.compliance is Compliance.NON_COMPLIANT


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("RSA_4096", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("SM2", "ENCRYPT_DECRYPT"),
        ("SYMMETRIC_DEFAULT", "A_NEW_USAGE"),
    ],
)
def test_a_key_that_is_not_for_symmetric_encryption_does_not_comply(spec: str, usage: str) -> None:
    outcome = RULE.check(cluster_facts(log_key=a_key(spec=spec, usage=usage)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"{KEY.arn} is a {spec} key for {usage}" in outcome.summary


@pytest.mark.parametrize("key_id", ["1234abcd", MULTI_REGION])
def test_key_of_another_region_does_not_comply_even_if_multi_region(key_id: str) -> None:
    key = a_key(arn=key_arn(key_id, region=OTHER_REGION))

    outcome = RULE.check(cluster_facts(log_key=key))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"{key.arn} is in {OTHER_REGION}, the cluster in {REGION}" in outcome.summary


def test_missing_key_is_undetermined_and_violates_the_rule_once_it_has_lasted() -> None:
    outcome = RULE.check(cluster_facts(log_key=NO_SUCH_KEY))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.once_lasting is Compliance.NON_COMPLIANT
    assert "alias/gone does not exist" in outcome.summary
    assert NO_SUCH_KEY.reason in outcome.summary


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        (cluster_facts(a_cluster(log_uri=None)), "no logs are archived"),
        (cluster_facts(log_key=None), "no log key is configured"),
        (cluster_facts(log_key=AWS_MANAGED), "the log key is AWS-managed"),
    ],
)
def test_cluster_without_a_customer_managed_key_is_not_evaluated(
    facts: ClusterFacts, because: str
) -> None:
    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert because in outcome.summary


@pytest.mark.parametrize(
    "identifier",
    [
        KEY.arn,
        "alias/emr-logs",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:alias/emr-logs",
        "arn:aws:s3:::not-a-key",
    ],
)
def test_a_key_that_cannot_be_described_is_undetermined(identifier: str) -> None:
    cluster = a_cluster(log_key_identifier=identifier)

    outcome = RULE.check(cluster_facts(cluster, log_key=UNREADABLE))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert UNREADABLE.reason in outcome.summary


@pytest.mark.parametrize("resource", ["key/1234abcd", "alias/emr-logs"])
def test_unreadable_key_with_an_arn_of_another_region_does_not_comply(resource: str) -> None:
    identifier = f"arn:aws:kms:{OTHER_REGION}:{OTHER_ACCOUNT}:{resource}"
    cluster = a_cluster(log_key_identifier=identifier)

    outcome = RULE.check(cluster_facts(cluster, log_key=UNREADABLE))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"{identifier} is in {OTHER_REGION}, not in {REGION}" in outcome.summary


RELAUNCH = ["emr create-cluster", "emr terminate-clusters", "prepare --region"]


def commands(text: str) -> list[str]:
    """Name the commands of a remediation, such as `kms enable-key`."""
    return [
        " ".join(words[1:3])
        for line in text.splitlines()
        if (words := shlex.split(line, comments=True))
    ]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (KeyState.DISABLED, ["kms enable-key"]),
        (KeyState.PENDING_DELETION, ["kms cancel-key-deletion", "kms enable-key"]),
        (KeyState.PENDING_IMPORT, ["kms get-parameters-for-import", "kms import-key-material"]),
        *(
            (state, ["kms describe-key", *RELAUNCH])
            for state in (
                KeyState.CREATING,
                KeyState.PENDING_REPLICA_DELETION,
                KeyState.UNAVAILABLE,
            )
        ),
    ],
)
def test_fix_restores_the_key_when_its_state_allows_it(
    state: KeyState, expected: list[str]
) -> None:
    text = RULE.remediation(cluster_facts(log_key=a_key(state=state)))

    assert commands(text) == expected
    assert text.startswith(f"aws {expected[0]} --region {REGION} --key-id {KEY.arn}")


@pytest.mark.parametrize(
    "key",
    [
        NO_SUCH_KEY,
        UNREADABLE,
        a_key(spec="RSA_2048"),
        a_key(state=KeyState.DISABLED, arn=key_arn(region=OTHER_REGION)),
        a_key(state=KeyState.DISABLED, spec="HMAC_256", usage="GENERATE_VERIFY_MAC"),
    ],
)
def test_fix_is_a_relaunch_with_another_key_when_this_one_cannot_be_restored(key: KmsKey) -> None:
    text = RULE.remediation(cluster_facts(log_key=key, approved_keys=approved(ANOTHER_KEY)))

    assert commands(text) == RELAUNCH
    assert f"--log-encryption-kms-key-id {ANOTHER_KEY.arn} " in text


def test_the_fix_does_not_offer_the_unusable_key_again() -> None:
    key = a_key(state=KeyState.UNAVAILABLE)
    text = RULE.remediation(cluster_facts(log_key=key, approved_keys=approved(key, ANOTHER_KEY)))

    assert f"--log-encryption-kms-key-id {ANOTHER_KEY.arn} " in text
