"""EMRLOG-001: the cluster archives its logs at all."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, compliant, non_compliant
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Ask for a LogUri: https://docs.aws.amazon.com/emr/latest/APIReference/API_RunJobFlow.html."""
    if facts.cluster.log_uri is None:
        return non_compliant("the cluster has no log URI: its logs are not archived")
    return compliant(f"logs are archived to {facts.cluster.log_uri}")


RULE = Rule(
    id="EMRLOG-001",
    name="log-archive-enabled",
    severity=Severity.MEDIUM,
    violation="the cluster has no log URI",
    why="Logs that are not archived are lost with the cluster's nodes, and evidence with them.",
    check=check,
    remediation=relaunch,
)
