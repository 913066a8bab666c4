"""The functions' environment, read once into a typed value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from emr_log_guard.errors import InvalidConfigurationError

RUNBOOKS = "docs/runbooks"
"""Where the runbooks are in this repository."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a stack tells its functions."""

    policy_parameter_name: str
    alerts_topic_arn: str
    enforcement_queue_url: str | None
    """None in a stack that may not terminate anything."""
    runbook_base_url: str
    findings_table_name: str
    log_buckets: tuple[str, ...] = ()
    """The buckets whose objects are checked; empty when it is every bucket that sends events."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the environment of a function that judges.

        Raises:
            InvalidConfigurationError: A variable is missing; the message says which.

        """
        return cls(
            policy_parameter_name=required(env, "POLICY_PARAMETER_NAME"),
            alerts_topic_arn=required(env, "ALERTS_TOPIC_ARN"),
            enforcement_queue_url=env.get("ENFORCEMENT_QUEUE_URL") or None,
            runbook_base_url=env.get("RUNBOOK_BASE_URL") or RUNBOOKS,
            findings_table_name=required(env, "FINDINGS_TABLE_NAME"),
            log_buckets=log_buckets(env),
        )

    def runbook(self, rule_id: str) -> str:
        """Say where a rule's runbook is."""
        return runbook(rule_id, self.runbook_base_url)


def runbook(rule_id: str, base_url: str = RUNBOOKS) -> str:
    """Say where a rule's runbook is: in this repository, unless told otherwise."""
    return f"{base_url.rstrip('/')}/{rule_id}.md"


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """Where the ends of graces are scheduled."""

    group: str
    role_arn: str
    queue_arn: str
    dead_letters_arn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the environment of a function that schedules.

        Raises:
            InvalidConfigurationError: A variable is missing; the message says which.

        """
        return cls(
            group=required(env, "SCHEDULE_GROUP_NAME"),
            role_arn=required(env, "SCHEDULE_ROLE_ARN"),
            queue_arn=required(env, "ENFORCEMENT_QUEUE_ARN"),
            dead_letters_arn=required(env, "DEAD_LETTER_QUEUE_ARN"),
        )


def log_buckets(env: Mapping[str, str]) -> tuple[str, ...]:
    """Read which buckets' objects are checked; empty when it is every bucket's."""
    return tuple(filter(None, env.get("LOG_BUCKETS", "").split(",")))


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
