"""What security wants: the mode, the approved keys, what may be enforced, and who is exempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from emr_log_guard.domain.compliance import Mode

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
    termination_protection: TerminationProtection = TerminationProtection.RESPECT
    allowed: bool = False
    """Whether the stack was deployed with the means to terminate at all."""


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


@dataclass(frozen=True, slots=True)
class Policy:
    """All that security decides."""

    mode: Mode = Mode.ALERT
    approved_keys: tuple[str, ...] = ()
    """Key ids, key ARNs, alias names or alias ARNs; empty when any customer key will do."""
    enforcement: Enforcement = field(default_factory=Enforcement)
    exemptions: tuple[Exemption, ...] = ()
