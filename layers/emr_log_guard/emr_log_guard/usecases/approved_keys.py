"""The keys that the policy names: resolve them, check new ones, notify of unusable ones."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from emr_log_guard.domain.approved_keys import unusable_key, wrong_region
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.keys import (
    ApprovedKey,
    KeyIdentifier,
    KeyNotFound,
    KmsKey,
    is_key_arn,
)
from emr_log_guard.domain.policy import Policy, PolicyProblem
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.usecases.ports import ApprovedTargets, Keys, PolicyAlerts, PolicyHistory

_RECHECK = timedelta(hours=1)
"""How long an environment does not check again whether a key was notified."""
_NOT_RESOLVED = Unresolved("this alias was not resolved: the key is approved without it")


@dataclass(frozen=True, slots=True)
class ReadApprovedKeys:
    """Resolves the approved keys, and calls KMS only for those that match by no ARN."""

    keys: Keys
    identifiers: Sequence[str] = ()
    """As the policy lists them."""
    targets: ApprovedTargets | None = None
    """None when targets are not stored: a deleted alias may then have been any key."""

    def __call__(self, home: Arn, used: Collection[str]) -> tuple[ApprovedKey, ...]:
        """Read the approved keys: at most one DescribeKey each, none if each used key is listed.

        Args:
            home: An ARN of the account and Region of ids and alias names.
            used: The ARNs of the keys to match. If empty, the aliases are resolved, to offer an
                approved key as the fix.

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
                    self.targets.write(name, arn)
                yield replace(each, arn=arn)
            elif isinstance(fact, KeyNotFound):
                if last is None:
                    last = self.targets.read() if self.targets else {}
                yield replace(each, arn=fact, last_target=last.get(name))
            else:
                yield replace(each, arn=fact)


def _by_name(identifier: str, home: Arn) -> ApprovedKey:
    """Parse an entry without calling KMS."""
    key = KeyIdentifier.parse(identifier).within(home)
    if key.is_alias:
        return ApprovedKey(identifier, _NOT_RESOLVED)
    return ApprovedKey(identifier, str(key), named=str(key))


@dataclass(frozen=True, slots=True)
class ApprovedKeysResolved:
    """The results: each names the field, the problem and the fix."""

    problems: tuple[str, ...]
    """Keys that do not exist, or that no cluster can log with."""
    unread: tuple[str, ...]
    """Keys that could not be read."""


def resolve_approved_keys(
    identifiers: Sequence[str], keys: Keys, region: str
) -> ApprovedKeysResolved:
    """Look up each approved key of the Region: one DescribeKey each."""
    problems, unread = [], []
    for place, identifier in enumerate(identifiers):
        field = f"approved_keys[{place}]"
        if elsewhere := wrong_region(identifier, region):
            problems.append(f"{field}: {elsewhere}")
            continue
        fact = keys.describe(identifier)
        if isinstance(fact, Unresolved):
            unread.append(f"{field}: {identifier} was not checked: {fact.reason}")
        elif problem := unusable_key(identifier, fact):
            problems.append(f"{field}: {problem}")
    return ApprovedKeysResolved(tuple(problems), tuple(unread))


def resolve_default_key(policy: Policy, keys: Keys, region: str) -> ApprovedKeysResolved:
    """Look up the key that logs are re-encrypted with, and whether it is approved.

    One DescribeKey, and one for each approved alias unless an ARN or id matches. Whether it is of
    the account and Region of a bucket is determined for each log object.
    """
    field, arn = "reencryption.default_key", policy.reencryption.default_key
    if arn is None:
        return ApprovedKeysResolved((), ())
    if KeyIdentifier.parse(arn).region != region:
        elsewhere = f"{field}: {arn} is not of Region {region}; name a key of that Region"
        return ApprovedKeysResolved((elsewhere,), ())
    fact = keys.describe(arn)
    problem = None if isinstance(fact, Unresolved) else unusable_key(arn, fact)
    if isinstance(fact, Unresolved):
        return ApprovedKeysResolved((), (f"{field}: {arn} was not checked: {fact.reason}",))
    if problem:
        return ApprovedKeysResolved((f"{field}: {problem}",), ())
    approved = ReadApprovedKeys(keys, policy.approved_keys)(Arn.of(arn), (arn,))
    if approved and not any(each.names(arn) for each in approved):
        problem = f"{field}: {arn} is not one of approved_keys; add it there"
        return ApprovedKeysResolved((problem,), ())
    return ApprovedKeysResolved((), ())


class NotifyUnusableKeys:
    """Notifies of keys that the policy in effect names and that cannot be used."""

    def __init__(
        self,
        parameter: str,
        history: PolicyHistory,
        alerts: PolicyAlerts,
        clock: Callable[[], datetime],
    ) -> None:
        """Notify of the policy in this parameter."""
        self._parameter = parameter
        self._history = history
        self._alerts = alerts
        self._clock = clock
        self._checked: dict[str, datetime] = {}

    def __call__(self, policy: Policy, unusable: Mapping[str, str]) -> None:
        """Notify of each entry once a day.

        Not while the policy is suspended: then a more severe problem is notified.

        Args:
            policy: The policy in effect.
            unusable: The problem, by the key's identifier as the policy lists it.

        """
        if policy.suspended:
            return
        now = self._clock()
        for identifier, problem in unusable.items():
            checked = self._checked.get(identifier)
            if checked is not None and now - checked < _RECHECK:
                continue
            with self._history.once("does not exist", f"key#{identifier}") as first:
                if first:
                    self._alerts.policy_invalid(
                        PolicyProblem(self._parameter, policy.version, (problem,), in_force=True)
                    )
            self._checked[identifier] = now
