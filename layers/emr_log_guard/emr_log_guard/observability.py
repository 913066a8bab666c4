"""Logs, metrics and correlation ids: one logger and one set of metrics for every function."""

from collections.abc import Mapping, Sequence

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.decide import NextStep
from emr_log_guard.domain.findings import Finding, Status, overall_of

logger = Logger()
metrics = Metrics()


def record_findings(
    event: str, cluster_id: str, findings: Sequence[Finding], *, objects: int = 0
) -> None:
    """Write down what a check found, in every mode: nothing is judged in silence.

    Args:
        event: What was done, such as `cluster checked`.
        cluster_id: Whose findings they are.
        findings: The check's findings; those that are exempt say so, and do not count.
        objects: How many log objects were judged; 0 when it was the cluster itself.

    """
    compliance = overall_of(findings)
    attention = [finding for finding in findings if finding.needs_attention]
    logger.info(
        event,
        cluster_id=cluster_id,
        compliance=compliance,
        objects=objects,
        findings=[
            {
                "rule_id": f.rule_id,
                "compliance": f.compliance,
                "status": f.status,
                "summary": f.summary,
            }
            for f in attention
        ],
    )
    checked, count = ("LogObjectsChecked", objects) if objects else ("ClustersChecked", 1)
    metrics.add_metric(name=checked, unit=MetricUnit.Count, value=count)
    for name, wanted in (
        ("NonCompliantFindings", Compliance.NON_COMPLIANT),
        ("UndeterminedFindings", Compliance.INSUFFICIENT_DATA),
    ):
        found = sum(f.compliance is wanted and f.status is not Status.EXEMPT for f in attention)
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=found)


def record_shard(
    shard: str, clusters: Mapping[str, int], log_objects: Mapping[str, int], *, listed: int
) -> None:
    """Write down how many clusters, or log objects, a shard of a re-scan came to."""
    logger.info(
        "shard done", shard=shard, clusters=clusters, log_objects=log_objects, listed=listed
    )
    for name, counts in (("ClustersRescanned", clusters), ("LogObjectsRescanned", log_objects)):
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=sum(counts.values()))


def record_policy_problem(parameter: str, version: int | None, problems: Sequence[str]) -> None:
    """Write down that the strict defaults hold instead of the stored policy."""
    logger.error("policy is invalid", parameter=parameter, version=version, problems=list(problems))
    metrics.add_metric(name="PolicyInvalid", unit=MetricUnit.Count, value=1)


def record_enforcement(cluster_arn: str, step: NextStep, detail: str) -> None:
    """Write down what came of a request to end a cluster."""
    logger.warning("enforcement decided", cluster_arn=cluster_arn, outcome=step, detail=detail)
    terminated = int(step is NextStep.TERMINATION_STARTED)
    metrics.add_metric(name="ClustersTerminated", unit=MetricUnit.Count, value=terminated)
