"""The policy: mode, approved keys, enforcement and exemptions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from emr_log_guard.domain.compliance import Mode, Severity

DEFAULT_ENFORCED_RULES = frozenset(
    {"EMRLOG-002", "EMRLOG-003", "EMRLOG-004", "EMRLOG-005", "EMRLOG-006", "EMRLOG-008"}
)
DEFAULT_REENCRYPTED_RULES = frozenset({"EMRLOG-101", "EMRLOG-102", "EMRLOG-103"})
"""The rules about the encryption of a log object."""


class TerminationProtection(StrEnum):
    """How to treat a cluster with termination protection."""

    RESPECT = "respect"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Enforcement:
    """When clusters are terminated."""

    rules: frozenset[str] = DEFAULT_ENFORCED_RULES
    grace_at_launch: timedelta = timedelta(0)
    """Grace period of findings that opened before the cluster ran."""
    grace_running: timedelta = timedelta(minutes=240)
    """Grace period of findings that opened on a running cluster."""
    transient: timedelta = timedelta(minutes=30)
    """How long a fact that AWS documents as transient must last before it counts as a violation."""
    termination_protection: TerminationProtection = TerminationProtection.RESPECT
    unless_reencrypted: bool = True
    """Whether a cluster without a usable log key is kept while its logs are re-encrypted."""
    allowed: bool = False
    """Whether the stack was deployed with enforcement; not in the document."""


@dataclass(frozen=True, slots=True)
class Reencryption:
    """Which log objects are re-encrypted in place, and with which key."""

    enabled: bool = False
    rules: frozenset[str] = DEFAULT_REENCRYPTED_RULES
    """The rules whose violations are remediated."""
    default_key: str | None = None
    """The ARN of the key for logs of clusters that name no usable one; None: these are refused."""
    max_objects_per_hour: int = 100_000
    allowed: bool = False
    """Whether the stack was deployed with re-encryption; not in the document."""

    @property
    def active(self) -> bool:
        """Whether anything is re-encrypted."""
        return self.enabled and self.allowed


@dataclass(frozen=True, slots=True)
class ClusterMatch:
    """Which clusters an exemption is for: all given parts must match; without any, none matches."""

    id: str | None = None
    name: str | None = None
    """A shell-style pattern, case-sensitive, such as `legacy-*`."""
    tag: Mapping[str, str] | None = None

    def matches(self, cluster_id: str, name: str | None, tags: Mapping[str, str]) -> bool:
        """Whether the cluster matches."""
        tests = []
        if self.id is not None:
            tests.append(cluster_id == self.id)
        if self.name is not None:
            tests.append(name is not None and fnmatchcase(name, self.name))
        if self.tag:
            tests.append(all(tags.get(key) == value for key, value in self.tag.items()))
        return bool(tests) and all(tests)


@dataclass(frozen=True, slots=True)
class Exemption:
    """No alerts and no termination for some rules of some clusters, until a date."""

    cluster: ClusterMatch
    rules: frozenset[str]
    """Rule ids, or `*` for all."""
    until: date
    """The last day on which it is valid, in UTC."""
    reason: str
    approved_by: str

    def covers(self, rule_id: str) -> bool:
        """Whether the exemption covers a rule."""
        return bool(self.rules & {"*", rule_id})

    def in_force(self, now: datetime) -> bool:
        """Whether the exemption is still valid at that time."""
        return now.astimezone(UTC).date() <= self.until


class RuleCard(Protocol):
    """What a policy needs to know about a rule. The rules are a layer above."""

    @property
    def id(self) -> str:
        """Its id, such as `EMRLOG-002`."""
        ...

    @property
    def severity(self) -> Severity:
        """Its default severity."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it is evaluated by default."""
        ...


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """Settings of one rule; None is its default."""

    enabled: bool | None = None
    severity: Severity | None = None
    mode: Mode | None = None


_DEFAULT = RuleSettings()


@dataclass(frozen=True, slots=True)
class SlackRoute:
    """A Slack route: all given conditions must match; without any, all alerts do."""

    webhook_secret_arn: str
    tag: Mapping[str, str] | None = None
    account: str | None = None
    minimum_severity: Severity | None = None
    """The lowest severity of the most severe finding; alerts without findings do not match."""

    @property
    def for_all(self) -> bool:
        """Whether it matches every alert."""
        return not self.tag and self.account is None and self.minimum_severity is None

    def matches(
        self, account: str | None, severity: Severity | None, tags: Mapping[str, str]
    ) -> bool:
        """Whether an alert matches."""
        if self.account is not None and account != self.account:
            return False
        if self.minimum_severity is not None and (
            severity is None or severity.rank < self.minimum_severity.rank
        ):
            return False
        return all(tags.get(key) == value for key, value in (self.tag or {}).items())


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """When alerts are sent."""

    minimum_severity: Severity = Severity.LOW
    """Findings of lower severity are only recorded, unless a cluster is terminated for them."""
    remind_every: timedelta = timedelta(hours=24)
    """Time from an alert to a reminder, while the finding is open."""
    slack_routes: tuple[SlackRoute, ...] = ()
    """The first that matches is used, else the stack's own webhook."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy. The defaults are strict: every finding alerts."""

    mode: Mode = Mode.ALERT
    approved_keys: tuple[str, ...] = ()
    """Key ids, key ARNs, alias names or alias ARNs; empty: any customer-managed key."""
    enforcement: Enforcement = field(default_factory=Enforcement)
    reencryption: Reencryption = field(default_factory=Reencryption)
    exemptions: tuple[Exemption, ...] = ()
    rules: Mapping[str, RuleSettings] = field(default_factory=dict)
    """Settings of individual rules, by rule id."""
    alerts: AlertSettings = field(default_factory=AlertSettings)
    version: int | None = None
    """The stored document's version; None when there is none."""
    log_bucket_owners: tuple[str, ...] = ()
    """Accounts that may own log buckets, besides a cluster's own; twelve digits each."""
    stored_at: datetime | None = None
    """When that version was stored, UTC; None when there is none."""
    suspended: bool = False
    """Whether the stored document could not be read or is invalid: the last valid one is used to
    evaluate and to alert, and no termination is decided."""

    def mode_of(self, rule_id: str) -> Mode:
        """Return the mode of a rule.

        The policy's mode is the strongest mode of any rule, so that one setting stops everything;
        a rule's own mode can only be weaker.
        """
        own = self.rules.get(rule_id, _DEFAULT).mode or self.mode
        return min(own, self.mode, key=list(Mode).index)

    def severity_of(self, rule: RuleCard) -> Severity:
        """Return the severity of a rule."""
        return self.rules.get(rule.id, _DEFAULT).severity or rule.severity

    def enabled(self, rule: RuleCard) -> bool:
        """Whether a rule is evaluated."""
        own = self.rules.get(rule.id, _DEFAULT).enabled
        return rule.enabled if own is None else own

    def reencrypts(self, rule_id: str) -> bool:
        """Whether log objects that violate a rule are re-encrypted."""
        covered = self.reencryption.active and rule_id in self.reencryption.rules
        return covered and not self.suspended and self.mode_of(rule_id) is not Mode.OBSERVE

    @property
    def why_not_reencrypted(self) -> str | None:
        """Why no log object is re-encrypted, and what to do; None if some are."""
        if self.suspended:
            return "the policy could not be read or is invalid: nothing is re-encrypted"
        if not self.reencryption.allowed:
            return (
                "the stack may not re-encrypt log objects: deploy it with ReencryptionAllowed=true"
            )
        if not any(self.reencrypts(rule_id) for rule_id in self.reencryption.rules):
            return (
                "the policy does not re-encrypt log objects: set reencryption.enabled, and a mode "
                "other than observe"
            )
        return None

    def strongest_mode(self, rule_ids: Iterable[str]) -> Mode:
        """Return the strongest mode of these rules; without any, the policy's mode."""
        modes = {self.mode_of(rule_id) for rule_id in rule_ids}
        return max(modes, key=list(Mode).index, default=self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """A change of the stored policy."""

    id: str
    """The same for each alert about this change."""
    parameter: str
    version: int | None
    """The parameter's new version; None when it was deleted."""
    changed_at: datetime | None
    """UTC; None when unknown."""
    changed_by: str | None
    """The ARN of who changed it; None when Parameter Store does not say."""
    changes: tuple[str, ...]
    """The lines of a unified diff."""


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """A problem of the stored policy.

    Unless `in_force`, the last valid policy applies instead, else the strict defaults.
    """

    parameter: str
    version: int | None
    """The parameter's version; None when it could not be read."""
    problems: tuple[str, ...]
    """Each problem with its fix; at least one."""
    in_force: bool = False
    """Whether the stored policy applies nonetheless: one of its approved keys does not exist."""
