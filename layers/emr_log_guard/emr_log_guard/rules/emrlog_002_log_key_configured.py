"""EMRLOG-002: the cluster names a key for its logs."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, compliant, non_compliant, not_applicable
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Check for a LogEncryptionKmsKeyId.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_RunJobFlow.html
    """
    cluster = facts.cluster
    if cluster.archive_uri is None:
        return not_applicable("no logs are archived")
    if cluster.log_key_identifier is None:
        return non_compliant(
            f"logs go to {cluster.archive_uri} without a log encryption key: "
            "EMR writes them with S3's own key (SSE-S3)"
        )
    return compliant(f"the cluster names {cluster.log_key_identifier} for its logs")


RULE = Rule(
    id="EMRLOG-002",
    name="log-key-configured",
    severity=Severity.HIGH,
    violation="the cluster has a log URI and no log key",
    precondition="logs are archived",
    why="Without a log key, no key policy of yours limits or revokes access to the logs.",
    check=check,
    remediation=relaunch,
)
