"""Who can read log objects now, and who could once they are re-encrypted."""

from collections.abc import Iterator, Sequence

from emr_log_guard.domain.log_readers import (
    ComparedReaders,
    ReaderChange,
    Readers,
    UndeterminedReader,
)
from emr_log_guard.rendering.escape import plain

LISTED = 20
"""How many principals of a list are named."""


def readers_text(compared: Sequence[ComparedReaders]) -> str:
    """Write who can read the logs now, and could not afterwards, for each change of keys."""
    if not compared:
        return ""
    title = "Readers, as far as key policies show. Grants and identity policies are not read.\n"
    return title + "".join(line for each in compared for line in _compared(each))


def readers_json(compared: ComparedReaders) -> dict[str, object]:
    """Return the same for one change of keys as a JSON document."""
    found: dict[str, object] = {
        "former": str(compared.change.former),
        "key_arn": compared.change.key_arn,
        "unread": [*compared.unread],
    }
    match compared.readers:
        case ReaderChange(lost, by_identity_policies, undetermined):
            found["lost"] = [*lost]
        case Readers(allowed, by_identity_policies, undetermined):
            found["allowed"] = [*allowed]
        case None:
            return found
    found["by_identity_policies"] = [*by_identity_policies]
    found["undetermined"] = [
        {"principal": each.principal, "reason": each.reason} for each in undetermined
    ]
    return found


def _compared(compared: ComparedReaders) -> Iterator[str]:
    former, key_arn = compared.change.former, compared.change.key_arn
    yield f"  From {plain(str(former))} to {plain(key_arn)}:\n"
    yield from (f"    Could not be read: {plain(why)}\n" for why in compared.unread)
    match compared.readers:
        case ReaderChange() as change:
            yield from _changed(change)
        case Readers() as readers:
            if not compared.unread:
                yield "    Now, anyone whom S3 allows can read them: no key policy limits that.\n"
            yield from _then(readers)
        case None:
            pass


def _changed(change: ReaderChange) -> Iterator[str]:
    if change == ReaderChange():
        yield "    No principal loses access.\n"
    yield from _listed("These can read the logs now, and could not afterwards", change.lost)
    yield from _listed(
        "In these accounts, identity policies decide: those that name the former key must also "
        "name the new one",
        change.by_identity_policies,
    )
    yield from _undetermined(change.undetermined)


def _then(readers: Readers) -> Iterator[str]:
    if readers == Readers():
        yield "    Afterwards, no principal can read them.\n"
    yield from _listed("Afterwards, only these can read them", readers.allowed)
    yield from _listed(
        "Afterwards, identity policies decide in these accounts: they must allow kms:Decrypt on "
        "the new key",
        readers.by_identity_policies,
    )
    yield from _undetermined(readers.undetermined)


def _undetermined(readers: Sequence[UndeterminedReader]) -> Iterator[str]:
    named = [f"{each.principal}: {each.reason}" for each in readers]
    yield from _listed(
        "The key policies do not show whether these could read them afterwards", named
    )


def _listed(title: str, principals: Sequence[str]) -> Iterator[str]:
    if principals:
        yield f"    {title}:\n"
    yield from (f"      {plain(each)}\n" for each in principals[:LISTED])
    if len(principals) > LISTED:
        yield f"      and {len(principals) - LISTED} more\n"
