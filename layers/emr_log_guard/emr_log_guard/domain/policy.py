"""What security wants: the mode, the approved keys, what may be enforced, and who is exempt."""

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


class TerminationProtection(StrEnum):
    """What to do about a cluster that is protected against termination."""

    RESPECT = "respect"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What may cost a cluster its life."""

    rules: frozenset[str] = DEFAULT_ENFORCED_RULES
    grace_at_launch: timedelta = timedelta(0)
    """How long what opened before the cluster ran may stand."""
    grace_running: timedelta = timedelta(minutes=240)
    """How long what opened on a running cluster may stand."""
    transient: timedelta = timedelta(minutes=30)
    """How long a fact that AWS documents as transient has to last before it proves anything."""
    termination_protection: TerminationProtection = TerminationProtection.RESPECT
    allowed: bool = False
    """Whether the stack was deployed with the means to terminate at all: not of the document."""


@dataclass(frozen=True, slots=True)
class ClusterMatch:
    """Which clusters an exemption is for: all given parts must match, none given matches none."""

    id: str | None = None
    name: str | None = None
    """A shell-style pattern, case-sensitive, such as `legacy-*`."""
    tag: Mapping[str, str] | None = None

    def matches(self, cluster_id: str, name: str | None, tags: Mapping[str, str]) -> bool:
        """Say whether the cluster is meant."""
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
    """A promise not to act on some rules for some clusters; it always ends."""

    cluster: ClusterMatch
    rules: frozenset[str]
    """Rule ids, or `*` for all."""
    until: date
    """The last day on which it holds, in UTC."""
    reason: str
    approved_by: str

    def covers(self, rule_id: str) -> bool:
        """Say whether the exemption speaks of a rule."""
        return bool(self.rules & {"*", rule_id})

    def in_force(self, now: datetime) -> bool:
        """Say whether the exemption still holds at that moment."""
        return now.astimezone(UTC).date() <= self.until


class RuleCard(Protocol):
    """What a policy has to know of a rule. The rules themselves are a layer above."""

    @property
    def id(self) -> str:
        """Its id, such as `EMRLOG-002`."""
        ...

    @property
    def severity(self) -> Severity:
        """How grave it is unless the policy says otherwise."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it is evaluated unless the policy says otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What the policy changes about one rule; None leaves it as it is."""

    enabled: bool | None = None
    severity: Severity | None = None
    mode: Mode | None = None


_AS_IT_IS = RuleSettings()


@dataclass(frozen=True, slots=True)
class SlackRoute:
    """Where alerts go in Slack: all given conditions must hold; without any, it is for all."""

    webhook_secret_arn: str
    tag: Mapping[str, str] | None = None
    account: str | None = None
    minimum_severity: Severity | None = None
    """How grave the gravest finding of an alert is at least; an alert without any is not meant."""

    @property
    def for_all(self) -> bool:
        """Whether every alert goes this way."""
        return not self.tag and self.account is None and self.minimum_severity is None

    def matches(
        self, account: str | None, severity: Severity | None, tags: Mapping[str, str]
    ) -> bool:
        """Say whether an alert goes this way."""
        if self.account is not None and account != self.account:
            return False
        if self.minimum_severity is not None and (
            severity is None or severity.rank < self.minimum_severity.rank
        ):
            return False
        return all(tags.get(key) == value for key, value in (self.tag or {}).items())


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """When people are told."""

    minimum_severity: Severity = Severity.LOW
    """Milder findings are recorded only, unless a cluster is terminated for them."""
    remind_every: timedelta = timedelta(hours=24)
    """How long after an alert people hear again of what is still open."""
    slack_routes: tuple[SlackRoute, ...] = ()
    """Tried in their order: the first that matches is taken, else the stack's own webhook."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All that security decides. The defaults are the strict ones: everything is told."""

    mode: Mode = Mode.ALERT
    approved_keys: tuple[str, ...] = ()
    """Key ids, key ARNs, alias names or alias ARNs; empty when any customer key will do."""
    enforcement: Enforcement = field(default_factory=Enforcement)
    exemptions: tuple[Exemption, ...] = ()
    rules: Mapping[str, RuleSettings] = field(default_factory=dict)
    """What is different about some rules, by their ids."""
    alerts: AlertSettings = field(default_factory=AlertSettings)
    version: int | None = None
    """The stored document's version; None when there is none to go by."""
    log_bucket_owners: tuple[str, ...] = ()
    """Accounts that may own log buckets, beside a cluster's own; twelve digits each."""
    stored_at: datetime | None = None
    """When that version was stored, UTC; None when there is none."""
    suspended: bool = False
    """Whether the stored document could not be read or is invalid: the last valid one is used to
    evaluate and to alert, and nothing is decided about terminations."""

    def mode_of(self, rule_id: str) -> Mode:
        """Say what may be done about a rule's findings.

        The policy's mode is the most that any rule may do, so that one word stops everything; a
        rule's own mode can only be milder.
        """
        own = self.rules.get(rule_id, _AS_IT_IS).mode or self.mode
        return min(own, self.mode, key=list(Mode).index)

    def severity_of(self, rule: RuleCard) -> Severity:
        """Say how grave a rule is."""
        return self.rules.get(rule.id, _AS_IT_IS).severity or rule.severity

    def enabled(self, rule: RuleCard) -> bool:
        """Say whether a rule is evaluated."""
        own = self.rules.get(rule.id, _AS_IT_IS).enabled
        return rule.enabled if own is None else own

    def strongest_mode(self, rule_ids: Iterable[str]) -> Mode:
        """Say the most that may be done about any of these rules; without any, the policy's mode.

        Modes are written in the order of what they permit.
        """
        modes = {self.mode_of(rule_id) for rule_id in rule_ids}
        return max(modes, key=list(Mode).index, default=self.mode)


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """What is wrong with the stored policy.

    Unless it is in force nonetheless the last valid one is, else the strict defaults.
    """

    parameter: str
    version: int | None
    """The parameter's version; None when it could not be read."""
    problems: tuple[str, ...]
    """What is wrong and how to fix it, one thing each, at least one."""
    in_force: bool = False
    """Whether the stored policy holds nonetheless: an approved key that it lists does not exist."""
