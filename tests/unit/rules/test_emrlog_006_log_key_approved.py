import pytest

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import ApprovedKey, KeyState, KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_006_log_key_approved import RULE
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

MULTI_REGION = a_key(arn=key_arn("mrk-1234abcd12ab34cd56ef1234567890ab"))
IDENTIFIERS = [
    KEY.arn,
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    "alias/emr-logs",
    f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/emr-logs",
]


@pytest.mark.parametrize("as_launched", IDENTIFIERS)
@pytest.mark.parametrize("as_approved", IDENTIFIERS)
def test_an_approved_key_complies_however_either_side_named_it(
    as_launched: str, as_approved: str
) -> None:
    facts = cluster_facts(
        a_cluster(log_key_identifier=as_launched),
        approved_keys=(ApprovedKey(as_approved, KEY.arn),),
    )

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.COMPLIANT
    assert KEY.arn in outcome.summary


@pytest.mark.parametrize("key", [KEY, MULTI_REGION, a_key(arn=key_arn(account=OTHER_ACCOUNT))])
def test_any_of_the_approved_keys_complies(key: KmsKey) -> None:
    facts = cluster_facts(log_key=key, approved_keys=approved(ANOTHER_KEY, key))

    assert RULE.check(facts).compliance is Compliance.COMPLIANT


@pytest.mark.parametrize(
    "key",
    [
        ANOTHER_KEY,
        a_key(arn=key_arn(account=OTHER_ACCOUNT)),
        a_key(arn=key_arn(region=OTHER_REGION)),
        a_key(arn=key_arn("mrk-1234abcd12ab34cd56ef1234567890ab", region=OTHER_REGION)),
    ],
)
def test_every_other_key_does_not_comply_even_a_replica_of_an_approved_one(key: KmsKey) -> None:
    facts = cluster_facts(log_key=key, approved_keys=approved(KEY, MULTI_REGION))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert key.arn in outcome.summary
    assert f"({KEY.arn}, {MULTI_REGION.arn})" in outcome.summary


def test_an_approved_alias_that_was_pointed_elsewhere_approves_the_other_key() -> None:
    cluster = a_cluster(log_key_identifier="alias/emr-logs")
    now_another = (ApprovedKey("alias/emr-logs", ANOTHER_KEY.arn),)

    outcome = RULE.check(cluster_facts(cluster, log_key=KEY, approved_keys=now_another))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "(alias/emr-logs)" in outcome.summary


def test_while_the_list_is_empty_any_key_will_do() -> None:
    outcome = RULE.check(cluster_facts(approved_keys=()))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "no approved keys" in outcome.summary


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        (cluster_facts(a_cluster(log_uri=None), approved_keys=approved(KEY)), "no logs"),
        (cluster_facts(log_key=None, approved_keys=approved(KEY)), "no log key is configured"),
        (cluster_facts(log_key=NO_SUCH_KEY, approved_keys=approved(KEY)), "does not exist"),
        (cluster_facts(log_key=AWS_MANAGED, approved_keys=approved(KEY)), "AWS-managed"),
    ],
)
def test_without_a_key_of_the_customers_there_is_nothing_to_approve(
    facts: ClusterFacts, because: str
) -> None:
    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert because in outcome.summary


def test_a_disabled_key_is_judged_all_the_same() -> None:
    key = a_key(state=KeyState.DISABLED)

    outcome = RULE.check(cluster_facts(log_key=key, approved_keys=approved(ANOTHER_KEY)))

    assert outcome.compliance is Compliance.NON_COMPLIANT


def test_a_log_key_that_cannot_be_described_is_doubt() -> None:
    outcome = RULE.check(cluster_facts(log_key=UNREADABLE, approved_keys=approved(KEY)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert UNREADABLE.reason in outcome.summary


UNKNOWN = ApprovedKey("alias/approved", Unresolved("kms:DescribeKey answered ThrottlingException"))
GONE = ApprovedKey("alias/gone", NO_SUCH_KEY)


def test_an_approved_key_that_cannot_be_resolved_may_be_this_one_and_is_doubt() -> None:
    facts = cluster_facts(approved_keys=(*approved(ANOTHER_KEY), UNKNOWN, GONE))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "ThrottlingException" in outcome.summary


def test_one_match_is_enough_whatever_became_of_the_other_approved_keys() -> None:
    facts = cluster_facts(approved_keys=(UNKNOWN, GONE, *approved(KEY)))

    assert RULE.check(facts).compliance is Compliance.COMPLIANT


def test_an_approved_alias_that_is_gone_may_have_named_this_one_and_is_doubt() -> None:
    outcome = RULE.check(cluster_facts(approved_keys=(GONE,)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert NO_SUCH_KEY.identifier in outcome.summary
    assert NO_SUCH_KEY.reason in outcome.summary


def test_the_fix_is_a_relaunch_with_an_approved_key_that_exists() -> None:
    facts = cluster_facts(approved_keys=(GONE, UNKNOWN, *approved(ANOTHER_KEY)))

    assert f"--log-encryption-kms-key-id {ANOTHER_KEY.arn} " in RULE.remediation(facts)
