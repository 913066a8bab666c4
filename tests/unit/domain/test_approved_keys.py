import pytest

from emr_log_guard.domain.approved_keys import missing_approved_keys, unusable_key, wrong_region
from emr_log_guard.domain.keys import ApprovedKey, KeyFact, KeyState
from tests.unit.builders import (
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_key,
    key_arn,
)

MULTI_REGION = "mrk-1234abcd12ab34cd56ef1234567890ab"
REPLICA = key_arn(MULTI_REGION)
SYMMETRIC = "list a symmetric encryption key (SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT)"


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        (key_arn(region=OTHER_REGION), f"list the key of {REGION}"),
        (f"arn:aws:kms:{OTHER_REGION}:111122223333:alias/logs", f"list the key of {REGION}"),
        (
            key_arn(MULTI_REGION, region=OTHER_REGION),
            f"list its replica of {REGION}, a key with a policy of its own: {REPLICA}",
        ),
    ],
)
def test_approved_key_of_another_region_is_reported_with_the_fix(
    identifier: str, words: str
) -> None:
    assert wrong_region(identifier, REGION) == (
        f"{identifier} is in {OTHER_REGION}, and the clusters are in {REGION}; {words}"
    )


@pytest.mark.parametrize("identifier", [KEY.arn, "alias/logs", KEY.arn[-36:], MULTI_REGION])
def test_approved_key_that_may_be_of_this_region_is_accepted(identifier: str) -> None:
    assert wrong_region(identifier, REGION) is None


@pytest.mark.parametrize(
    ("fact", "problem"),
    [
        (NO_SUCH_KEY, f"does not exist ({NO_SUCH_KEY.reason}); correct it, or remove it"),
        (AWS_MANAGED, "is managed by AWS; list a customer-managed key"),
        (
            a_key(spec="RSA_2048", usage="SIGN_VERIFY"),
            f"is a RSA_2048 key for SIGN_VERIFY; {SYMMETRIC}",
        ),
        (
            a_key(spec="HMAC_256", usage="GENERATE_VERIFY_MAC"),
            f"is a HMAC_256 key for GENERATE_VERIFY_MAC; {SYMMETRIC}",
        ),
        (a_key(state=KeyState.DISABLED), "is Disabled; enable it, or remove it"),
    ],
)
def test_unusable_approved_key_is_reported_with_the_fix(fact: KeyFact, problem: str) -> None:
    assert unusable_key("alias/logs", fact) == f"alias/logs {problem}"


@pytest.mark.parametrize("state", KeyState)
def test_only_enabled_and_updating_keys_are_usable(state: KeyState) -> None:
    usable = state in (KeyState.ENABLED, KeyState.UPDATING)

    assert (unusable_key("alias/logs", a_key(state=state)) is None) is usable


def test_unreadable_key_is_not_reported_as_unusable() -> None:
    assert unusable_key("alias/logs", UNREADABLE) is None


def test_missing_approved_key_is_reported_with_its_position_in_the_list() -> None:
    listed = (
        ApprovedKey(KEY.arn, KEY.arn),
        ApprovedKey("alias/gone", NO_SUCH_KEY, last_target=KEY.arn),
        ApprovedKey("alias/secret", UNREADABLE),
    )

    assert missing_approved_keys(listed) == {
        "alias/gone": (
            f"approved_keys[1]: alias/gone does not exist ({NO_SUCH_KEY.reason}); "
            "correct it, or remove it"
        )
    }
