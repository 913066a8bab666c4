"""Which log objects are re-encrypted, and with which key: the truth table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.clusters import BucketOwnership
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import ApprovedKey, KeyFact, KeyManager, KeyState, KmsKey
from emr_log_guard.domain.log_objects import SSE_C, LogObjectFacts
from emr_log_guard.domain.reencryption import (
    Leave,
    Reencrypt,
    Refuse,
    Remediable,
    Target,
    key_for,
    violation_of,
)
from emr_log_guard.domain.unresolved import Unresolved
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    OTHER_REGION,
    REGION,
    a_cluster,
    a_key,
    approved,
    encrypted,
    key_arn,
    log_object_facts,
)

RULES = frozenset({"EMRLOG-101", "EMRLOG-102", "EMRLOG-103"})
SSE_S3 = log_object_facts(encryption=encrypted("AES256"), object_key=None)
BROKEN_101 = {"EMRLOG-101": Compliance.NON_COMPLIANT}
BUCKET = BucketOwnership(ACCOUNT, REGION)
UNREAD = Unresolved("kms:DescribeKey answered AccessDeniedException")
DISABLED = a_key(state=KeyState.DISABLED)
SIGNING = a_key(spec="RSA_2048", usage="SIGN_VERIFY")
FOREIGN = a_key(arn=key_arn(account="444455556666"))
ELSEWHERE = a_key(arn=key_arn(region=OTHER_REGION))
USABLE = (KEY, ANOTHER_KEY)


def violation(facts: LogObjectFacts = SSE_S3) -> Remediable:
    found = violation_of(facts, BROKEN_101, RULES)
    assert isinstance(found, Remediable)
    return found


def target(
    named: KeyFact | None = KEY,
    default: KeyFact | None = None,
    approved_keys: tuple[ApprovedKey, ...] = (),
    bucket: BucketOwnership | Unresolved = BUCKET,
) -> Target:
    return Target(named, default, approved_keys, bucket)


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_violation_of_a_remediated_rule_is_remediable(algorithm: str) -> None:
    facts = log_object_facts(encryption=encrypted(algorithm, "the-key"))

    assert violation_of(facts, BROKEN_101, RULES) == Remediable(
        facts, a_cluster(), "EMRLOG-101", "the-key"
    )


@pytest.mark.parametrize(
    ("facts", "outcomes", "rules"),
    [
        pytest.param(
            replace(SSE_S3, cluster=UNREAD), BROKEN_101, RULES, id="log of an unknown cluster"
        ),
        pytest.param(SSE_S3, {}, RULES, id="no result"),
        pytest.param(SSE_S3, {"EMRLOG-101": Compliance.COMPLIANT}, RULES, id="compliant"),
        pytest.param(
            SSE_S3, {"EMRLOG-101": Compliance.INSUFFICIENT_DATA}, RULES, id="undetermined"
        ),
        pytest.param(replace(SSE_S3, encryption=UNREAD), BROKEN_101, RULES, id="encryption unread"),
        pytest.param(SSE_S3, BROKEN_101, RULES - {"EMRLOG-101"}, id="rule not remediated"),
    ],
)
def test_object_without_a_remediable_violation_is_left(
    facts: LogObjectFacts, outcomes: dict[str, Compliance], rules: frozenset[str]
) -> None:
    assert isinstance(violation_of(facts, outcomes, rules), Leave)


@pytest.mark.parametrize(
    ("algorithm", "says"),
    [
        (None, "is not encrypted"),
        (SSE_C, "customer-provided key"),
        ("aws:kms:dsse", "DSSE-KMS"),
        ("aws:fsx", "aws:fsx, which S3 cannot re-encrypt"),
    ],
)
def test_object_that_s3_cannot_reencrypt_is_refused_with_a_hint(
    algorithm: str | None, says: str
) -> None:
    facts = log_object_facts(encryption=encrypted(algorithm))

    found = violation_of(facts, BROKEN_101, RULES)

    assert isinstance(found, Refuse)
    assert says in found.cause
    assert "copy it onto itself" in found.cause


def test_cluster_key_takes_precedence_over_the_default_key() -> None:
    assert key_for(violation(), target(KEY, ANOTHER_KEY)) == Reencrypt(
        KEY.arn, "EMRLOG-101", "SSE-S3"
    )


@pytest.mark.parametrize("named", [None, AWS_MANAGED, DISABLED, SIGNING, NO_SUCH_KEY, ELSEWHERE])
def test_default_key_is_used_for_clusters_without_a_usable_key(named: KeyFact | None) -> None:
    assert key_for(violation(), target(named, ANOTHER_KEY)) == Reencrypt(
        ANOTHER_KEY.arn, "EMRLOG-101", "SSE-S3"
    )


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (target(None), "no log key, and the policy has no reencryption.default_key"),
        (target(UNREAD, ANOTHER_KEY), "could not be read: kms:DescribeKey answered Access"),
        (target(AWS_MANAGED), "managed by AWS"),
        (target(DISABLED), "is Disabled: enable it"),
        (target(a_key(state=KeyState.PENDING_DELETION)), "is PendingDeletion"),
        (target(SIGNING), "no symmetric encryption key"),
        (target(FOREIGN), "not a key of the bucket's account"),
        (target(KEY, bucket=BucketOwnership(None, REGION)), "not a key of the bucket's account"),
        (target(ELSEWHERE), "not a key of the bucket's Region"),
        (target(KEY, bucket=BucketOwnership(ACCOUNT)), "not a key of the bucket's Region"),
        (target(KEY, bucket=UNREAD), "cannot be compared with the owner of the bucket"),
        (target(KEY, approved_keys=approved(ANOTHER_KEY)), "not one of the approved keys"),
        (target(NO_SUCH_KEY), "could not be read: kms:DescribeKey on alias/gone"),
        (target(None, UNREAD), "default_key could not be read"),
        (target(DISABLED, FOREIGN), "default_key arn:aws:kms"),
    ],
)
def test_object_is_refused_with_a_hint_when_no_key_is_usable(chosen: Target, says: str) -> None:
    found = key_for(violation(), chosen)

    assert isinstance(found, Refuse)
    assert says in found.cause


def test_object_that_already_has_the_chosen_key_is_refused() -> None:
    """Whatever rule it violates, to re-encrypt it again would be a loop."""
    facts = log_object_facts(encryption=encrypted("aws:kms", KEY.arn))

    found = key_for(violation(facts), target(KEY))

    assert isinstance(found, Refuse)
    assert "already" in found.cause


def test_former_key_is_kept_for_the_record() -> None:
    facts = log_object_facts(encryption=encrypted("aws:kms", ANOTHER_KEY.arn))

    found = key_for(violation(facts), target(KEY))

    assert isinstance(found, Reencrypt)
    assert found.former == ANOTHER_KEY.arn


KEYS = st.builds(
    KmsKey,
    arn=st.sampled_from([KEY.arn, ANOTHER_KEY.arn, FOREIGN.arn, ELSEWHERE.arn]),
    manager=st.sampled_from(KeyManager),
    state=st.sampled_from(KeyState),
    spec=st.sampled_from(["SYMMETRIC_DEFAULT", "RSA_2048"]),
    usage=st.sampled_from(["ENCRYPT_DECRYPT", "SIGN_VERIFY"]),
)
FACTS = st.one_of(st.none(), KEYS, st.just(UNREAD), st.just(NO_SUCH_KEY))
BUCKETS = st.sampled_from([BUCKET, BucketOwnership(None, None), UNREAD])


@given(FACTS, FACTS, st.lists(st.sampled_from([KEY, ANOTHER_KEY, FOREIGN]), max_size=2), BUCKETS)
def test_only_usable_approved_keys_of_the_bucket_account_are_ever_used(
    named: KeyFact | None,
    default: KeyFact | None,
    listed: list[KmsKey],
    bucket: BucketOwnership | Unresolved,
) -> None:
    found = key_for(violation(), target(named, default, approved(*listed), bucket))

    if isinstance(found, Reencrypt):
        [key] = {each for each in (named, default) if isinstance(each, KmsKey)} & {
            key for key in (named, default) if isinstance(key, KmsKey) and key.arn == found.key_arn
        } or [None]
        assert key is not None
        assert (key.manager, key.state) == (KeyManager.CUSTOMER, KeyState.ENABLED)
        assert (key.spec, key.usage) == ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
        assert (key.account, key.region) == (ACCOUNT, REGION)
        assert bucket == BUCKET
        assert not listed or key.arn in {each.arn for each in listed}


@given(st.dictionaries(st.sampled_from(sorted(RULES)), st.sampled_from(Compliance)))
def test_only_a_proven_violation_is_ever_remediable(outcomes: dict[str, Compliance]) -> None:
    found = violation_of(SSE_S3, outcomes, RULES)

    if isinstance(found, Remediable):
        assert outcomes[found.rule_id] is Compliance.NON_COMPLIANT
    else:
        assert Compliance.NON_COMPLIANT not in outcomes.values()
