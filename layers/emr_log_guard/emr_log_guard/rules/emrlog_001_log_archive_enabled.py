"""EMRLOG-001: the cluster archives its logs."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, compliant, non_compliant
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Check for a LogUri, and for an upload policy that allows some type of log to be archived.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_RunJobFlow.html
    https://docs.aws.amazon.com/emr/latest/APIReference/API_S3LoggingConfiguration.html
    """
    cluster = facts.cluster
    if cluster.log_uri is None:
        return non_compliant("the cluster has no log URI: its logs are not archived")
    if cluster.uploads_disabled:
        return non_compliant(
            f"logs are not archived to {cluster.log_uri}: "
            "the upload policy of every log type is disabled"
        )
    return compliant(f"logs are archived to {cluster.log_uri}")


def remediation(facts: ClusterFacts) -> str:
    """Relaunch with a log URI, a key, and no upload policy that prevents archiving."""
    note = ""
    if facts.cluster.uploads_disabled:
        note = (
            "# Do not use disabled in the LogTypeUploadPolicy, at least for system-logs and "
            "application-logs.\n"
        )
    return f"{note}{relaunch(facts)}"


RULE = Rule(
    id="EMRLOG-001",
    name="log-archive-enabled",
    severity=Severity.MEDIUM,
    violation="the cluster has no log URI, or the upload policy of every log type is `disabled`",
    why="Logs that are not archived are lost with the cluster's nodes, and so is the evidence.",
    check=check,
    remediation=remediation,
)
