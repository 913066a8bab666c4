"""Logs, metrics and correlation ids: one logger and one set of metrics for every function.

A metric is billed by its name and dimensions: all have the same single dimension, and what Lambda,
SQS and Step Functions measure is not measured again. See docs/costs.md.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.decide import Action, Alert, AlertKind, CancelEnforcement, NextStep
from emr_log_guard.domain.findings import Finding, Status, overall_of
from emr_log_guard.domain.rescan_report import RescanReport

# Many invocations have no metrics: no warning.
warnings.filterwarnings("ignore", message="No application metrics to publish")

logger = Logger()
metrics = Metrics(service="emr-log-guard")


class Metric(StrEnum):
    """The metrics' names, which the dashboard and the alarms of template.yaml use."""

    CLUSTERS_CHECKED = "ClustersChecked"
    """Clusters that were evaluated because of an event or a request, or fully by a re-scan."""
    LOG_OBJECTS_CHECKED = "LogObjectsChecked"
    """Log objects that were evaluated after their creation, or re-checked for remediation."""
    CLUSTERS_RESCANNED = "ClustersRescanned"
    """Clusters that a re-scan scanned, including those of which it read only the keys."""
    LOG_OBJECTS_RESCANNED = "LogObjectsRescanned"
    """Log objects that a re-scan evaluated."""
    OPEN_CRITICAL_FINDINGS = "OpenCriticalFindings"
    """Open NON_COMPLIANT findings of severity CRITICAL without an exemption, counted every hour."""
    OPEN_HIGH_FINDINGS = "OpenHighFindings"
    """The same for severity HIGH."""
    OPEN_MEDIUM_FINDINGS = "OpenMediumFindings"
    """The same for severity MEDIUM."""
    OPEN_LOW_FINDINGS = "OpenLowFindings"
    """The same for severity LOW."""
    UNDETERMINED_FINDINGS = "UndeterminedFindings"
    """Open findings with insufficient data and without an exemption, counted every hour."""
    EXEMPT_FINDINGS = "ExemptFindings"
    """Open findings that an exemption covers, counted every hour."""
    ALERT_LATENCY = "AlertLatency"
    """Seconds from an event to the publication of its alert."""
    ENFORCEMENT_SCHEDULED = "EnforcementScheduled"
    """Terminations that were requested, at once or for the end of the grace period."""
    ENFORCEMENT_DONE = "EnforcementDone"
    """Clusters that the guard terminated, counted when the termination is confirmed."""
    ENFORCEMENT_SKIPPED = "EnforcementSkipped"
    """Terminations that were cancelled or skipped."""
    ENFORCEMENT_FAILED = "EnforcementFailed"
    """Terminations that EMR refused, and clusters still running after one."""
    LOG_OBJECTS_REENCRYPTED = "LogObjectsReencrypted"
    """Log objects that were re-encrypted in place, and read with their new key."""
    REMEDIATION_FAILED = "RemediationFailed"
    """Causes for which log objects could not be re-encrypted, counted when they are notified."""
    RESCAN_DURATION = "RescanDuration"
    """Seconds that a re-scan of clusters and log objects took."""
    RESCAN_COVERAGE = "RescanCoverage"
    """Percentage of its planned work that a re-scan could scan."""
    CLUSTERS_MISSED_BY_EVENTS = "ClustersMissedByEvents"
    """Clusters launched since the last re-scan that no event had announced."""
    NOTIFICATIONS_PENDING = "NotificationsPending"
    """Findings whose notification has been pending for more than five minutes, counted every
    five minutes."""
    EMR_API_CALLS = "EmrApiCalls"
    """Requests that the guard's functions sent to EMR's API, retries among them."""
    EMR_API_THROTTLED = "EmrApiThrottled"
    """Calls that EMR throttled, and that were not retried or not successfully."""
    MESSAGES_FAILED = "MessagesFailed"
    """Messages of a queue that could not be handled, except because AWS throttled or timed out.
    They are delivered again, and become dead letters in the end."""
    OLDEST_UNCHECKED_LAUNCH = "OldestUncheckedLaunch"
    """Age in seconds of the oldest event about a cluster that could not be checked yet."""
    POLICY_INVALID = "PolicyInvalid"
    """Reads of the stored policy that failed or returned an invalid one; the last valid one was
    used."""
    WEBHOOKS_UNUSABLE = "WebhooksUnusable"
    """Alerts that could not be posted because a Slack webhook or its secret is invalid."""


_OF_ALERTS = {
    AlertKind.ENFORCEMENT_DONE: Metric.ENFORCEMENT_DONE,
    AlertKind.ENFORCEMENT_SKIPPED: Metric.ENFORCEMENT_SKIPPED,
    AlertKind.ENFORCEMENT_FAILED: Metric.ENFORCEMENT_FAILED,
    AlertKind.REMEDIATION_FAILED: Metric.REMEDIATION_FAILED,
}
_OPENED = (AlertKind.FINDING_OPENED, AlertKind.FINDING_REOPENED)


def record_findings(
    event: str, cluster_id: str, findings: Sequence[Finding], *, objects: int = 0
) -> None:
    """Log the result of a check, in every mode.

    Args:
        event: The log message, such as `cluster checked`.
        cluster_id: The cluster.
        findings: The check's findings; exempt ones do not count.
        objects: How many log objects were evaluated; 0 for the cluster itself.

    """
    logger.info(
        event,
        cluster_id=cluster_id,
        compliance=overall_of(findings),
        objects=objects,
        findings=[
            {
                "rule_id": f.rule_id,
                "compliance": f.compliance,
                "status": f.status,
                "summary": f.summary,
            }
            for f in findings
            if f.needs_attention
        ],
    )
    _count(Metric.LOG_OBJECTS_CHECKED if objects else Metric.CLUSTERS_CHECKED, objects or 1)


def record_open(findings: Iterable[Finding]) -> None:
    """Measure the open findings. Each is counted once; zero is a measurement, too."""
    counts = Counter(map(_counted_as, findings))
    _count(Metric.UNDETERMINED_FINDINGS, counts[Compliance.INSUFFICIENT_DATA])
    _count(Metric.EXEMPT_FINDINGS, counts[Status.EXEMPT])
    for severity in Severity:
        _count(Metric[f"OPEN_{severity}_FINDINGS"], counts[severity])


def record_pending(notifications: int) -> None:
    """Measure the late notifications; zero is a measurement, too."""
    _count(Metric.NOTIFICATIONS_PENDING, notifications)


def record_actions(actions: Iterable[Action], latency: timedelta | None) -> None:
    """Measure the actions of a check.

    Args:
        actions: All of its actions.
        latency: The time since the event that caused it; None without one.

    """
    for action in actions:
        if isinstance(action, Alert):
            record_alert(action.kind, latency)
        elif not isinstance(action, CancelEnforcement):  # its alert is counted
            _count(Metric.ENFORCEMENT_SCHEDULED)


def record_alert(kind: AlertKind, latency: timedelta | None = None) -> None:
    """Measure an alert that was published."""
    if kind in _OF_ALERTS:
        _count(_OF_ALERTS[kind])
    if latency is not None and kind in _OPENED:
        seconds = max(latency.total_seconds(), 0)  # clocks differ slightly
        metrics.add_metric(Metric.ALERT_LATENCY, MetricUnit.Seconds, seconds)


def record_shard(
    shard: str, clusters: Mapping[str, int], log_objects: Mapping[str, int], *, listed: int
) -> None:
    """Log and measure the result of a shard of a re-scan."""
    logger.info(
        "shard done", shard=shard, clusters=clusters, log_objects=log_objects, listed=listed
    )
    _count(Metric.CLUSTERS_RESCANNED, sum(clusters.values()))
    _count(Metric.LOG_OBJECTS_RESCANNED, sum(log_objects.values()))


def record_rescan(report: RescanReport) -> None:
    """Log the result of a re-scan, and measure its duration and coverage."""
    logger.info(
        "re-scan done",
        execution=report.rescan.execution,
        compliance=report.compliance,
        failed_shards=len(report.failed),
        denied_shards=len(report.denied),
    )
    scope = report.rescan.scope
    if scope.clusters and scope.log_objects:
        seconds = (report.finished - report.rescan.started).total_seconds()
        metrics.add_metric(Metric.RESCAN_DURATION, MetricUnit.Seconds, seconds)
    metrics.add_metric(Metric.RESCAN_COVERAGE, MetricUnit.Percent, report.coverage)


def record_missed_by_events(clusters: int) -> None:
    """Measure how many clusters a re-scan found that no event had announced."""
    _count(Metric.CLUSTERS_MISSED_BY_EVENTS, clusters)


def record_emr_call(requests: int, *, throttled: bool) -> None:
    """Measure a call of EMR's API, which may have been sent several times."""
    _count(Metric.EMR_API_CALLS, requests)
    if throttled:
        _count(Metric.EMR_API_THROTTLED)


def record_failed_messages(count: int = 1) -> None:
    """Measure messages that could not be handled, for another reason than throttling."""
    _count(Metric.MESSAGES_FAILED, count)


def record_oldest_unchecked(age: timedelta) -> None:
    """Measure how long ago the event happened whose cluster has waited longest for its check."""
    seconds = max(age.total_seconds(), 0)  # clocks differ a little
    metrics.add_metric(Metric.OLDEST_UNCHECKED_LAUNCH, MetricUnit.Seconds, seconds)


def record_policy_problem(parameter: str, version: int | None, problems: Sequence[str]) -> None:
    """Log and measure that the stored policy is invalid."""
    logger.error("policy is invalid", parameter=parameter, version=version, problems=list(problems))
    _count(Metric.POLICY_INVALID)


def record_post(subject: str, webhook: str) -> None:
    """Log that an alert was posted, and the secret of its webhook."""
    logger.info("alert posted", subject=subject, webhook=webhook)


def record_unusable_webhook(secret_arn: str, reason: str) -> None:
    """Log and measure that a webhook or its secret is invalid."""
    logger.error("webhook is unusable", secret=secret_arn, reason=reason)
    _count(Metric.WEBHOOKS_UNUSABLE)


def record_reencrypted(
    cluster_id: str, reencrypted: int, refused: Mapping[str, int], *, temporary: int
) -> None:
    """Log and measure the re-encryption of log objects.

    Args:
        cluster_id: The cluster.
        reencrypted: How many objects were re-encrypted.
        refused: How many could not be, by cause.
        temporary: How many are tried again soon, because AWS throttled or failed.

    """
    logger.info(
        "log objects re-encrypted",
        cluster_id=cluster_id,
        objects=reencrypted,
        refused=refused,
        temporary=temporary,
    )
    _count(Metric.LOG_OBJECTS_REENCRYPTED, reencrypted)


def record_enforcement(cluster_arn: str, step: NextStep, detail: str) -> None:
    """Log the outcome of a request to terminate a cluster."""
    logger.warning("enforcement decided", cluster_arn=cluster_arn, outcome=step, detail=detail)


def _count(metric: Metric, count: int = 1) -> None:
    metrics.add_metric(metric, MetricUnit.Count, count)


def _counted_as(finding: Finding) -> str:
    """Return the category that an open finding is counted in."""
    if finding.status is Status.EXEMPT:
        return Status.EXEMPT
    if finding.compliance is Compliance.INSUFFICIENT_DATA:
        return Compliance.INSUFFICIENT_DATA
    return finding.severity
