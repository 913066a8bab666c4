"""The functions' environment, read once into a typed value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from emr_log_guard.domain.compliance import Mode, Severity
from emr_log_guard.domain.policy import Enforcement, Policy, TerminationProtection
from emr_log_guard.errors import InvalidConfigurationError
from emr_log_guard.rules import ALL_RULES

ENFORCEABLE_RULES = frozenset(
    rule.id for rule in ALL_RULES if rule.severity.rank >= Severity.HIGH.rank
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a stack's parameters say."""

    policy: Policy
    alerts_topic_arn: str
    enforcement_queue_url: str | None
    """None in a stack that may not terminate anything."""
    runbook_base_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the environment of a function that judges.

        Raises:
            InvalidConfigurationError: A variable is missing or wrong; the message says which, and
                what it may be.

        """
        queue_url = env.get("ENFORCEMENT_QUEUE_URL") or None
        return cls(
            policy=Policy(
                mode=_choice(env, "MODE", Mode),
                approved_keys=_listed(env, "APPROVED_KEYS"),
                enforcement=Enforcement(
                    rules=_rules(env, "ENFORCEMENT_RULES", ENFORCEABLE_RULES),
                    termination_protection=_choice(
                        env, "TERMINATION_PROTECTION", TerminationProtection
                    ),
                    allowed=queue_url is not None,
                ),
            ),
            alerts_topic_arn=required(env, "ALERTS_TOPIC_ARN"),
            enforcement_queue_url=queue_url,
            runbook_base_url=env.get("RUNBOOK_BASE_URL") or "docs/runbooks",
        )

    def runbook(self, rule_id: str) -> str:
        """Say where a rule's runbook is."""
        return f"{self.runbook_base_url.rstrip('/')}/{rule_id}.md"


def required(env: Mapping[str, str], name: str) -> str:
    """Read a variable that must be set.

    Raises:
        InvalidConfigurationError: It is not.

    """
    value = env.get(name, "").strip()
    if not value:
        message = f"environment variable {name} is missing: deploy the stack's template unchanged"
        raise InvalidConfigurationError(message)
    return value


def _choice[E: StrEnum](env: Mapping[str, str], name: str, choices: type[E]) -> E:
    value = required(env, name)
    try:
        return choices(value)
    except ValueError:
        message = (
            f"environment variable {name} is {value!r}: it must be one of {', '.join(choices)}"
        )
        raise InvalidConfigurationError(message) from None


def _listed(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part for raw in env.get(name, "").split(",") if (part := raw.strip()))


def _rules(env: Mapping[str, str], name: str, enforceable: Collection[str]) -> frozenset[str]:
    named = frozenset(_listed(env, name))
    unknown = sorted(named - set(enforceable))
    if unknown:
        message = (
            f"environment variable {name} names {', '.join(unknown)}: only proven findings of "
            f"severity HIGH end a cluster, so it may name {', '.join(sorted(enforceable))}"
        )
        raise InvalidConfigurationError(message)
    return named
