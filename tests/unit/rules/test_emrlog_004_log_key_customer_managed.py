import pytest

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyState, KmsKey
from emr_log_guard.rules.emrlog_004_log_key_customer_managed import RULE
from tests.unit.builders import (
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


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        a_key(arn=key_arn("mrk-1234abcd12ab34cd56ef1234567890ab")),
        a_key(arn=key_arn(account=OTHER_ACCOUNT)),
        a_key(arn=key_arn(region=OTHER_REGION)),
        a_key(state=KeyState.DISABLED),
    ],
)
def test_customer_managed_key_of_any_account_region_and_state_complies(key: KmsKey) -> None:
    outcome = RULE.check(cluster_facts(log_key=key))

    assert outcome.compliance is Compliance.COMPLIANT
    assert key.arn in outcome.summary


@pytest.mark.parametrize(
    "identifier",
    [
        AWS_MANAGED.arn,
        "a85a5a5a-0000-4000-8000-aaaaaaaaaaaa",
        "alias/aws/s3",
        f"arn:aws:kms:{REGION}:111122223333:alias/aws/s3",
        "alias/looks-like-ours",
    ],
)
def test_aws_managed_key_under_any_identifier_does_not_comply(identifier: str) -> None:
    cluster = a_cluster(log_key_identifier=identifier)

    outcome = RULE.check(cluster_facts(cluster, log_key=AWS_MANAGED))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"{AWS_MANAGED.arn} is managed by AWS" in outcome.summary


def test_customer_managed_key_with_an_alias_similar_to_one_of_aws_complies() -> None:
    cluster = a_cluster(log_key_identifier="alias/aws-emr-logs")

    assert RULE.check(cluster_facts(cluster)).compliance is Compliance.COMPLIANT


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        (cluster_facts(a_cluster(log_uri=None)), "no logs are archived"),
        (cluster_facts(log_key=None), "no log key is configured"),
        (cluster_facts(log_key=NO_SUCH_KEY), "the log key does not exist"),
    ],
)
def test_cluster_without_an_existing_key_is_not_evaluated(
    facts: ClusterFacts, because: str
) -> None:
    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert because in outcome.summary


def test_a_key_that_cannot_be_described_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(log_key=UNREADABLE))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert UNREADABLE.reason in outcome.summary


def test_the_fix_names_the_first_approved_key_of_the_clusters_region() -> None:
    elsewhere = a_key(arn=key_arn(region=OTHER_REGION))
    facts = cluster_facts(log_key=AWS_MANAGED, approved_keys=approved(elsewhere, KEY))

    assert f"--log-encryption-kms-key-id {KEY.arn} " in RULE.remediation(facts)


def test_the_fix_does_not_offer_the_aws_managed_key_again() -> None:
    facts = cluster_facts(log_key=AWS_MANAGED, approved_keys=approved(AWS_MANAGED, KEY))

    assert f"--log-encryption-kms-key-id {KEY.arn} " in RULE.remediation(facts)
