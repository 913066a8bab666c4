"""Gathering: the keys that the policy approves, and what each stands for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.keys import (
    ApprovedKey,
    KeyIdentifier,
    KeyNotFound,
    KmsKey,
    is_key_arn,
)
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.usecases.ports import ApprovedTargets, Keys

_NOT_ASKED = Unresolved("the key was found in the list without asking for this alias")


@dataclass(frozen=True, slots=True)
class ReadApprovedKeys:
    """Resolves what the policy approves, and asks KMS only where names do not tell."""

    keys: Keys
    identifiers: Sequence[str] = ()
    """As the policy lists them."""
    targets: ApprovedTargets | None = None
    """None where nothing is remembered: an alias that is gone may then have been any key."""

    def __call__(self, home: Arn, used: Collection[str]) -> tuple[ApprovedKey, ...]:
        """Read the approved keys: at most one DescribeKey each, none if each used key is listed.

        Args:
            home: An ARN of the account and Region that ids and alias names mean.
            used: The ARNs of the keys that are to be looked for. Where there is none the aliases
                are resolved, for an approved key to offer as the fix.

        """
        listed = [_by_name(each, home) for each in self.identifiers]
        if used and all(any(each.names(arn) for each in listed) for arn in used):
            return tuple(listed)
        return tuple(self._resolved(listed, home, every=bool(used)))

    def _resolved(
        self, listed: Sequence[ApprovedKey], home: Arn, *, every: bool
    ) -> Iterator[ApprovedKey]:
        last: Mapping[str, str] | None = None
        for each in listed:
            if not every and is_key_arn(each.identifier):
                yield each
                continue
            identifier = KeyIdentifier.parse(each.identifier)
            name = str(identifier.within(home))
            fact = self.keys.describe(str(identifier))
            if isinstance(fact, KmsKey):
                arn = name if is_key_arn(each.identifier) else fact.arn
                if self.targets:
                    self.targets.remember(name, arn)
                yield replace(each, arn=arn)
            elif isinstance(fact, KeyNotFound):
                if last is None:
                    last = self.targets.recall() if self.targets else {}
                yield replace(each, arn=fact, last_target=last.get(name))
            else:
                yield replace(each, arn=fact)


def _by_name(identifier: str, home: Arn) -> ApprovedKey:
    """Read an entry as far as it tells by itself."""
    key = KeyIdentifier.parse(identifier).within(home)
    if key.is_alias:
        return ApprovedKey(identifier, _NOT_ASKED)
    return ApprovedKey(identifier, str(key), named=str(key))
