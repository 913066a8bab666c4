"""What a re-encryption of log objects costs, and who can read them afterwards."""

from collections.abc import Iterable

from emr_log_guard.domain.log_readers import ReaderChange, Readers, UndeterminedReader
from emr_log_guard.domain.reencryption_cost import Estimate
from emr_log_guard.rendering.escape import plain

_IDENTITY_POLICIES = (
    "Identity policies decide in these accounts: those that name the former key have to name the "
    "new one, too"
)


def cost_table(estimate: Estimate) -> str:
    """Write an estimate as a table: what, how many, and USD."""
    rows = [
        (charge.what, f"{charge.count:,}", f"{charge.usd:,.2f}")
        for charge in estimate.charges
        if charge.count
    ]
    rows.append(("all, at the list prices of us-east-1", "", f"{estimate.usd:,.2f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        f"  {what:<{widths[0]}}  {count:>{widths[1]}}  {usd:>{widths[2]}} USD\n"
        for what, count, usd in rows
    )


def reader_change(change: ReaderChange) -> str:
    """Write who can read now and could not with the new key. Grants are not read."""
    return (
        "".join(
            (
                _listed("These can read now, and could not then", change.lost),
                _listed(_IDENTITY_POLICIES, change.by_identity_policies),
                _undetermined(change.undetermined),
            )
        )
        or "By the key policies, no principal loses access. Grants were not read.\n"
    )


def new_readers(readers: Readers) -> str:
    """Write who can read with the new key, for objects that everybody can read whom S3 lets."""
    now = (
        "Everybody can read now whom S3 lets: the current encryption needs no permission on a "
        "customer-managed key.\n"
    )
    delegated = (
        "Then, identity policies decide in these accounts: they have to allow kms:Decrypt on the "
        "new key"
    )
    then = (
        _listed("Then, only these can read", readers.allowed),
        _listed(delegated, readers.by_identity_policies),
        _undetermined(readers.undetermined),
    )
    return now + ("".join(then) or "Then, its key policy lets no principal read.\n")


def _listed(title: str, principals: Iterable[str]) -> str:
    lines = "".join(f"  {plain(principal)}\n" for principal in principals)
    return f"{title}:\n{lines}" if lines else ""


def _undetermined(readers: Iterable[UndeterminedReader]) -> str:
    return _listed(
        "Of these, the key policies do not tell whether they could read",
        (f"{each.principal}: {each.reason}" for each in readers),
    )
