from collections.abc import Mapping

import pytest

from emr_log_guard.domain.batch_operations import FormerEncryption
from emr_log_guard.domain.log_readers import ComparedReaders, ReaderChange, Readers
from emr_log_guard.domain.reencryption_plan import KeyChange
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.usecases.remediation.readers import compare_policies
from tests.unit.builders import ACCOUNT, KEY, OTHER_ACCOUNT
from tests.unit.fakes import FakeKeys

FORMER = KEY.arn.replace("1234abcd", "0000abcd")
FOREIGN = FORMER.replace(ACCOUNT, OTHER_ACCOUNT)
OLD, NEW = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("Old", "New"))


def allowing(role: str) -> Mapping[str, object]:
    statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:*", "Resource": "*"}
    return {"Statement": [statement]}


class Policies(FakeKeys):
    """Keys whose policies differ."""

    documents: Mapping[str, Mapping[str, object] | Unresolved]

    def policy(self, key_arn: str) -> Mapping[str, object] | Unresolved:
        self.policies_asked.append(key_arn)
        return self.documents[key_arn]


@pytest.fixture
def keys() -> Policies:
    keys = Policies()
    keys.documents = {FORMER: allowing(OLD), KEY.arn: allowing(NEW)}
    return keys


def compared(keys: Policies, former: FormerEncryption) -> ComparedReaders:
    change = KeyChange(former, KEY.arn, 1)
    [found] = compare_policies([change], keys, ACCOUNT)
    assert found.change == change
    return found


def test_policies_of_both_keys_are_compared(keys: Policies) -> None:
    found = compared(keys, FormerEncryption(FORMER))

    assert (found.readers, found.unread) == (ReaderChange(lost=(OLD,)), ())


@pytest.mark.parametrize("former", [FormerEncryption(), FormerEncryption(FORMER, aws_managed=True)])
def test_only_the_new_policy_is_read_where_no_permission_is_needed_now(
    keys: Policies, former: FormerEncryption
) -> None:
    found = compared(keys, former)

    assert (found.readers, found.unread) == (Readers(allowed=(NEW,)), ())
    assert keys.policies_asked == [KEY.arn]


@pytest.mark.parametrize(
    ("former", "why"),
    [(FOREIGN, f"only the account of {FOREIGN} can read its policy"), (FORMER, "denied")],
)
def test_former_policy_that_cannot_be_read_is_named(keys: Policies, former: str, why: str) -> None:
    keys.documents = {**keys.documents, FORMER: Unresolved("denied")}

    found = compared(keys, FormerEncryption(former))

    assert (found.readers, found.unread) == (Readers(allowed=(NEW,)), (why,))
    assert FOREIGN not in keys.policies_asked


def test_nothing_is_known_without_the_policy_of_the_new_key(keys: Policies) -> None:
    keys.documents = {**keys.documents, KEY.arn: Unresolved("denied")}

    found = compared(keys, FormerEncryption(FORMER))

    assert (found.readers, found.unread) == (None, ("denied",))


def test_identifier_that_is_no_arn_cannot_be_read(keys: Policies) -> None:
    found = compared(keys, FormerEncryption("1234abcd"))

    assert found.unread == ("only the account of 1234abcd can read its policy",)
