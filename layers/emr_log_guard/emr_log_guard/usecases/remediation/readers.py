"""Compare who can read log objects before and after a re-encryption, by the key policies."""

from collections.abc import Iterable, Iterator

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.log_readers import (
    ComparedReaders,
    KeyWithPolicy,
    ReaderChange,
    Readers,
    compare_readers,
    readers_of,
)
from emr_log_guard.domain.reencryption_plan import KeyChange
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.usecases.ports import Keys


def compare_policies(
    changes: Iterable[KeyChange], keys: Keys, account: str
) -> Iterator[ComparedReaders]:
    """Compare the policies of former and new keys: at most one GetKeyPolicy for each.

    Args:
        changes: What is re-encrypted, from and to which key.
        keys: Reads the policies; caches them.
        account: The account whose keys' policies can be read, twelve digits.

    """
    for change in changes:
        new = _with_policy(change.key_arn, keys, account)
        former = None
        if change.former.key_arn is not None and not change.former.aws_managed:
            former = _with_policy(change.former.key_arn, keys, account)
        readers: ReaderChange | Readers | None = None
        if isinstance(new, KeyWithPolicy):
            if isinstance(former, KeyWithPolicy):
                readers = compare_readers(former, new)
            else:
                readers = readers_of(new)
        unread = (each.reason for each in (former, new) if isinstance(each, Unresolved))
        yield ComparedReaders(change, readers, tuple(unread))


def _with_policy(key_arn: str, keys: Keys, account: str) -> KeyWithPolicy | Unresolved:
    arn = Arn.parse(key_arn)
    if arn is None or arn.account != account:
        return Unresolved(f"only the account of {key_arn} can read its policy")
    document = keys.policy(key_arn)
    return document if isinstance(document, Unresolved) else KeyWithPolicy(key_arn, document)
