"""The keys that the policy approves: read, looked up before they are stored, and found missing."""

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


@dataclass(frozen=True, slots=True)
class ApprovedKeysResolved:
    """What came of it: each names the field, what is wrong, and the fix."""

    problems: tuple[str, ...]
    """Keys that do not exist, or that no cluster can log with."""
    unread: tuple[str, ...]
    """Keys of which nothing could be read."""


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


_ASK_AGAIN = timedelta(hours=1)
"""How long an environment does not ask again whether people were notified of a key."""


class NotifyMissingKeys:
    """Notifies of approved keys that KMS does not know: a policy that is in force lists them."""

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
        self._asked: dict[str, datetime] = {}

    def __call__(self, policy: Policy, missing: Mapping[str, str]) -> None:
        """Notify of each entry that nobody was notified of within a day.

        Where the policy is suspended people know of a graver problem, and its list may be another.

        Args:
            policy: The policy in force.
            missing: The problem, by the key's identifier as the policy lists it.

        """
        if policy.suspended:
            return
        now = self._clock()
        for identifier, problem in missing.items():
            asked = self._asked.get(identifier)
            if asked is not None and now - asked < _ASK_AGAIN:
                continue
            with self._history.once("does not exist", f"key#{identifier}") as first:
                if first:
                    self._alerts.policy_invalid(
                        PolicyProblem(self._parameter, policy.version, (problem,), in_force=True)
                    )
            self._asked[identifier] = now
