"""The functions' environment, read once into a typed value."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from emr_log_guard.errors import InvalidConfigurationError


@dataclass(frozen=True, slots=True)
class EnforcementSettings:
    """Where terminations are requested and scheduled."""

    queue_url: str
    queue_arn: str
    schedule_group: str
    schedule_role_arn: str
    dead_letters_arn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the environment of a stack that may terminate clusters.

        Raises:
            InvalidConfigurationError: A variable is missing; the message says which.

        """
        return cls(
            queue_url=required(env, "ENFORCEMENT_QUEUE_URL"),
            queue_arn=required(env, "ENFORCEMENT_QUEUE_ARN"),
            schedule_group=required(env, "SCHEDULE_GROUP_NAME"),
            schedule_role_arn=required(env, "SCHEDULE_ROLE_ARN"),
            dead_letters_arn=required(env, "DEAD_LETTER_QUEUE_ARN"),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment that all functions of a stack share."""

    region: str
    stack_name: str
    policy_parameter_name: str
    findings_table_name: str
    reports_bucket_name: str
    alerts_topic_arn: str
    runbook_base_url: str
    enforcement: EnforcementSettings | None
    """None in a stack that may not terminate clusters."""
    reencryption_queue_url: str | None
    """None in a stack that may not re-encrypt log objects."""
    log_buckets: tuple[str, ...]
    """The buckets whose objects are checked; empty when it is every bucket that sends events."""
    emr_api_share: float
    """How much of EMR's default quotas is for all but first reads: `domain.emr_rates`."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the environment that all functions share.

        Raises:
            InvalidConfigurationError: A variable is missing; the message says which.

        """
        return cls(
            region=required(env, "AWS_DEFAULT_REGION"),
            stack_name=required(env, "STACK_NAME"),
            policy_parameter_name=required(env, "POLICY_PARAMETER_NAME"),
            findings_table_name=required(env, "FINDINGS_TABLE_NAME"),
            reports_bucket_name=required(env, "REPORTS_BUCKET_NAME"),
            alerts_topic_arn=required(env, "ALERTS_TOPIC_ARN"),
            runbook_base_url=env.get("RUNBOOK_BASE_URL", ""),
            enforcement=(
                EnforcementSettings.from_env(env) if env.get("ENFORCEMENT_QUEUE_URL") else None
            ),
            reencryption_queue_url=env.get("REENCRYPTION_QUEUE_URL") or None,
            log_buckets=tuple(filter(None, env.get("LOG_BUCKETS", "").split(","))),
            emr_api_share=_share(env),
        )

    def runbook(self, rule_id: str) -> str:
        """Return the URL of a rule's runbook, or what to search for in the documentation."""
        return runbook(rule_id, self.runbook_base_url)


def runbook(rule_id: str, base_url: str = "") -> str:
    """Return the URL of a rule's runbook below a base, or what to search for in the docs."""
    if not base_url:
        return f"{rule_id} in the documentation of EMR Log Guard"
    return f"{base_url.rstrip('/')}/{rule_id}.md"


def _share(env: Mapping[str, str]) -> float:
    text = required(env, "EMR_API_SHARE")
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        message = f"environment variable EMR_API_SHARE is {text}, but must be a number above 0"
        raise InvalidConfigurationError(message)
    return share


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
