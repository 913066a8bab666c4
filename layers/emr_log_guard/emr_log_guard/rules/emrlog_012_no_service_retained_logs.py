"""EMRLOG-012: the EMR service retains no logs."""

from collections.abc import Iterator

from emr_log_guard.domain.clusters import LOG_TYPES, ClusterFacts, Session
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, compliant, non_compliant, undetermined
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.remediation import relaunch, terminate_sessions
from emr_log_guard.rules.rule import Rule

_DEFAULT = "emr-managed"


def check(facts: ClusterFacts) -> Outcome:
    """Check that no log type has upload policy emr-managed, the default.

    And that no session uses managed logging: with any key, the service stores the logs.
    https://docs.aws.amazon.com/emr/latest/APIReference/API_S3LoggingConfiguration.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_SessionManagedLoggingConfiguration.html
    """
    retained = [
        *([", ".join(kinds)] if (kinds := _retained_kinds(facts)) else []),
        *(_logs_of(session) for session in _managed_sessions(facts)),
    ]
    if retained:
        return non_compliant(f"the EMR service may retain {'; '.join(retained)}")
    if isinstance(facts.sessions, Unresolved):
        return undetermined(facts.sessions)
    return compliant("the EMR service retains no logs")


def _retained_kinds(facts: ClusterFacts) -> list[str]:
    policies = facts.cluster.log_upload_policies
    return [kind for kind in LOG_TYPES if policies.get(kind, _DEFAULT) == _DEFAULT]


def _managed_sessions(facts: ClusterFacts) -> list[Session]:
    sessions = [each.workload for each in facts.workloads if isinstance(each.workload, Session)]
    return [session for session in sessions if session.managed_logs]


def _logs_of(session: Session) -> str:
    key = session.managed_key_identifier
    return f"the logs of {session.title} {f'under key {key}' if key else 'without a key'}"


def remediation(facts: ClusterFacts) -> str:
    """Relaunch with an upload policy for every log type; start sessions without managed logging."""
    again = terminate_sessions(
        facts, _managed_sessions(facts), "with Enabled=false in the ManagedLoggingConfiguration"
    )
    return "\n".join((*_relaunch(facts), *again))


def _relaunch(facts: ClusterFacts) -> Iterator[str]:
    """Relaunch, if the service retains a log type; it retains persistent-ui-logs, or none."""
    if not _retained_kinds(facts):
        return
    yield (
        "# Add --monitoring-configuration with an S3LoggingConfiguration whose LogTypeUploadPolicy "
        "says on-customer-s3only or disabled for system-logs and application-logs, and disabled "
        "for persistent-ui-logs.\n"
        f"{relaunch(facts)}"
    )


RULE = Rule(
    id="EMRLOG-012",
    name="no-service-retained-logs",
    severity=Severity.LOW,
    violation="EMR retains some type of log in its own account, or the logs of an active Spark "
    "Connect session",
    why="Logs that EMR retains are outside your account, your key and your retention rules.",
    check=check,
    remediation=remediation,
    enabled=False,
)
