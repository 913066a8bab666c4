import pytest

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import ApprovedKey, KeyNotFound, KeyState, KmsKey
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
def test_approved_key_complies_under_any_pair_of_identifiers(
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
def test_key_that_is_not_listed_does_not_comply_even_as_a_replica(key: KmsKey) -> None:
    facts = cluster_facts(log_key=key, approved_keys=approved(KEY, MULTI_REGION))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert key.arn in outcome.summary
    assert f"({KEY.arn}, {MULTI_REGION.arn})" in outcome.summary


def test_approved_alias_approves_only_its_current_target() -> None:
    cluster = a_cluster(log_key_identifier="alias/emr-logs")
    now_another = (ApprovedKey("alias/emr-logs", ANOTHER_KEY.arn),)

    outcome = RULE.check(cluster_facts(cluster, log_key=KEY, approved_keys=now_another))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "(alias/emr-logs)" in outcome.summary


def test_key_is_not_evaluated_when_no_keys_are_approved() -> None:
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
def test_cluster_without_a_customer_managed_key_is_not_evaluated(
    facts: ClusterFacts, because: str
) -> None:
    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert because in outcome.summary


def test_disabled_key_is_evaluated() -> None:
    key = a_key(state=KeyState.DISABLED)

    outcome = RULE.check(cluster_facts(log_key=key, approved_keys=approved(ANOTHER_KEY)))

    assert outcome.compliance is Compliance.NON_COMPLIANT


def test_a_log_key_that_cannot_be_described_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(log_key=UNREADABLE, approved_keys=approved(KEY)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert UNREADABLE.reason in outcome.summary


SHUT = Unresolved("kms:DescribeKey answered AccessDeniedException")
THEIRS = key_arn(account=OTHER_ACCOUNT)


@pytest.mark.parametrize(
    ("listed", "compliance"),
    [
        ((THEIRS,), Compliance.COMPLIANT),
        ((THEIRS.replace("1234abcd", "1234ABCD"),), Compliance.COMPLIANT),
        ((KEY.arn, ANOTHER_KEY.arn), Compliance.NON_COMPLIANT),
    ],
)
@pytest.mark.parametrize("unread", [SHUT, Unresolved("ThrottlingException", transient=True)])
def test_unreadable_key_is_compared_by_its_arn(
    unread: Unresolved, listed: tuple[str, ...], compliance: Compliance
) -> None:
    cluster = a_cluster(log_key_identifier=THEIRS)
    approved_keys = tuple(ApprovedKey(each, each) for each in listed)

    outcome = RULE.check(cluster_facts(cluster, log_key=unread, approved_keys=approved_keys))

    assert outcome.compliance is compliance
    assert THEIRS in outcome.summary


@pytest.mark.parametrize("identifier", ["alias/approved", "0987dcba-09fe-87dc-65ba-ab0987654321"])
def test_unreadable_key_is_undetermined_when_an_approved_alias_or_id_is_unresolved(
    identifier: str,
) -> None:
    cluster = a_cluster(log_key_identifier=THEIRS)
    listed = (*approved(KEY), ApprovedKey(identifier, SHUT))

    outcome = RULE.check(cluster_facts(cluster, log_key=SHUT, approved_keys=listed))

    assert (outcome.compliance, outcome.broken) == (Compliance.INSUFFICIENT_DATA, False)
    assert identifier in outcome.summary


def test_unreadable_key_named_by_an_alias_is_undetermined() -> None:
    cluster = a_cluster(log_key_identifier="alias/emr-logs")

    outcome = RULE.check(cluster_facts(cluster, log_key=SHUT, approved_keys=approved(KEY)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA


def test_key_ids_are_compared_ignoring_case() -> None:
    typed = KEY.arn.replace("1234abcd", "1234ABCD")

    outcome = RULE.check(cluster_facts(approved_keys=(ApprovedKey(typed, typed),)))

    assert outcome.compliance is Compliance.COMPLIANT


def test_approved_key_id_matches_although_it_cannot_be_described() -> None:
    key_id = KEY.arn.rpartition("/")[2]
    listed = (ApprovedKey(key_id, SHUT, named=KEY.arn),)

    assert RULE.check(cluster_facts(approved_keys=listed)).compliance is Compliance.COMPLIANT


@pytest.mark.parametrize("approved_as", [MULTI_REGION.arn, "alias/emr-logs"])
def test_summary_for_a_replica_of_an_approved_key_says_what_to_add(
    approved_as: str,
) -> None:
    replica = a_key(arn=MULTI_REGION.arn.replace(REGION, OTHER_REGION))
    facts = cluster_facts(
        log_key=replica, approved_keys=(ApprovedKey(approved_as, MULTI_REGION.arn),)
    )

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert (
        f"{approved_as} is a related multi-Region key in {REGION}, with a key policy of its own: "
        "to approve this one as well, add its ARN to approved_keys"
    ) in outcome.summary


def test_key_is_undetermined_when_an_approved_arn_does_not_exist() -> None:
    mistyped = key_arn("1234abcd-12ab-34cd-56ef-1234567890ac")
    gone = KeyNotFound(mistyped, "kms:DescribeKey answered NotFoundException")

    outcome = RULE.check(cluster_facts(approved_keys=(ApprovedKey(mistyped, gone),)))

    assert (outcome.compliance, outcome.broken) == (Compliance.INSUFFICIENT_DATA, False)
    assert mistyped in outcome.summary


def test_key_is_undetermined_when_describing_an_approved_arn_is_throttled() -> None:
    throttled = Unresolved("kms:DescribeKey answered ThrottlingException", transient=True)

    outcome = RULE.check(cluster_facts(approved_keys=(ApprovedKey(ANOTHER_KEY.arn, throttled),)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.once_lasting is Compliance.INSUFFICIENT_DATA


def test_deleted_approved_alias_approves_no_key_but_its_last_target() -> None:
    gone = ApprovedKey("alias/gone", NO_SUCH_KEY, last_target=ANOTHER_KEY.arn)

    outcome = RULE.check(cluster_facts(approved_keys=(gone,)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA  # NotFoundException may pass
    assert outcome.once_lasting is Compliance.NON_COMPLIANT
    assert f"alias/gone, which was {ANOTHER_KEY.arn}" in outcome.summary


def test_last_target_of_a_deleted_approved_alias_is_undetermined() -> None:
    gone = ApprovedKey("alias/gone", NO_SUCH_KEY, last_target=KEY.arn)

    outcome = RULE.check(cluster_facts(approved_keys=(gone,)))

    assert (outcome.compliance, outcome.broken) == (Compliance.INSUFFICIENT_DATA, False)
    assert "no longer exists" in outcome.summary


UNKNOWN = ApprovedKey("alias/approved", Unresolved("kms:DescribeKey answered ThrottlingException"))
MISSING = ApprovedKey("alias/gone", NO_SUCH_KEY)


def test_key_is_undetermined_when_an_approved_key_cannot_be_resolved() -> None:
    facts = cluster_facts(approved_keys=(*approved(ANOTHER_KEY), UNKNOWN, MISSING))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "ThrottlingException" in outcome.summary


def test_key_that_matches_complies_although_other_approved_keys_are_unresolved() -> None:
    facts = cluster_facts(approved_keys=(UNKNOWN, MISSING, *approved(KEY)))

    assert RULE.check(facts).compliance is Compliance.COMPLIANT


def test_key_is_undetermined_when_a_missing_approved_alias_has_no_known_target() -> None:
    outcome = RULE.check(cluster_facts(approved_keys=(MISSING,)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert NO_SUCH_KEY.identifier in outcome.summary
    assert NO_SUCH_KEY.reason in outcome.summary


def test_the_fix_is_a_relaunch_with_an_approved_key_that_exists() -> None:
    facts = cluster_facts(approved_keys=(MISSING, UNKNOWN, *approved(ANOTHER_KEY)))

    assert f"--log-encryption-kms-key-id {ANOTHER_KEY.arn} " in RULE.remediation(facts)
