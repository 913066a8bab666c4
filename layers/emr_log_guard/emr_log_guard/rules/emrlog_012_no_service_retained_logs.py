"""EMRLOG-012: the EMR service keeps no logs for itself."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, compliant, non_compliant
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule

_LOG_TYPES = ("system-logs", "application-logs", "persistent-ui-logs")
_DEFAULT = "emr-managed"


def check(facts: ClusterFacts) -> Outcome:
    """Ask for another upload policy than emr-managed, which is the default, for every log type.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_S3LoggingConfiguration.html
    """
    policies = facts.cluster.log_upload_policies
    retained = [kind for kind in _LOG_TYPES if policies.get(kind, _DEFAULT) == _DEFAULT]
    if retained:
        return non_compliant(f"the EMR service may retain {', '.join(retained)} for itself")
    return compliant("the EMR service retains no logs for itself")


def remediation(facts: ClusterFacts) -> str:
    """Relaunch with an upload policy for every log type; EMR keeps persistent-ui-logs or none."""
    return (
        "# Add --monitoring-configuration with an S3LoggingConfiguration whose LogTypeUploadPolicy "
        "says on-customer-s3only or disabled for system-logs and application-logs, and disabled "
        "for persistent-ui-logs.\n"
        f"{relaunch(facts)}"
    )


RULE = Rule(
    id="EMRLOG-012",
    name="no-service-retained-logs",
    severity=Severity.LOW,
    violation="EMR retains some type of log for itself",
    why="What the service retains lies outside the customer's account, key and retention rules.",
    check=check,
    remediation=remediation,
    enabled=False,
)
