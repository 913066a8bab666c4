"""Review: request checks of everything that is open.

A running cluster may send no event for weeks, and events may be lost. Without reviews there would
be no reminders, no new deadlines after a change of the policy, and missed remediations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from emr_log_guard.domain.finding_record import PENDING_LATE, FindingRecord
from emr_log_guard.events.log_objects import LogObjectCheckRequest
from emr_log_guard.events.review import ReviewRequest
from emr_log_guard.observability import logger, record_open, record_pending
from emr_log_guard.usecases.policy import NotifyPolicyChange
from emr_log_guard.usecases.ports import LogObjectQueue, OpenFindings, Rechecks

_LATE_REQUESTS = timedelta(hours=1)
"""How long an overdue termination or alert counts as late: then they wait for the hourly review."""


@dataclass(frozen=True, slots=True)
class ReviewFindings:
    """Measures open findings and requests checks."""

    findings: OpenFindings
    rechecks: Rechecks
    objects: LogObjectQueue
    notify_change: NotifyPolicyChange
    clock: Callable[[], datetime]
    most: int
    """How many clusters are re-checked per review: of more, each review takes the next ones."""

    def __call__(self, request: ReviewRequest = ReviewRequest()) -> dict[str, int]:  # noqa: B008
        """Request checks of all clusters and bad log objects with open findings, or of late ones.

        A change of the policy is notified as well.

        Returns:
            The number of each.

        """
        if request.review == "late":
            return self._late()
        try:
            if request.policy_changed:  # before the checks are requested, which may take long
                self.notify_change(request.time)
        finally:
            reviewed = self._all()
        return reviewed

    def _all(self) -> dict[str, int]:
        clusters: dict[str, None] = {}
        requests: dict[LogObjectCheckRequest, None] = {}
        records, now = tuple(self.findings.indexed_records()), self.clock()
        record_open(record.finding for record in records if record.open)
        for record in records:
            finding = record.finding
            if not record.open and record.alert_due is not None and record.alert_due > now:
                continue
            clusters[finding.cluster_id] = None
            for version in record.objects:
                place = (finding.account, finding.region, finding.cluster_id)
                requests[LogObjectCheckRequest(version, *place)] = None
        for request in requests:
            self.objects.recheck(request)
        chosen = _in_turn(sorted(clusters), self.most, now)
        self.rechecks.request(chosen)
        logger.info(
            "open findings reviewed",
            clusters=len(chosen),
            postponed=len(clusters) - len(chosen),
            log_objects=len(requests),
        )
        return {"clusters": len(chosen), "log_objects": len(requests)}

    def _late(self) -> dict[str, int]:
        """Measure late notifications, and request checks of what is late."""
        now = self.clock()
        records = tuple(self.findings.indexed_records())
        pending = sum(record.pending_for_long(now) for record in records)
        clusters = dict.fromkeys(e.finding.cluster_id for e in records if _late(e, now))
        record_pending(pending)
        self.rechecks.request(clusters)
        logger.info("late notifications reviewed", pending=pending, clusters=len(clusters))
        return {"clusters": len(clusters), "log_objects": 0}


def _in_turn(clusters: list[str], most: int, now: datetime) -> list[str]:
    """Choose at most so many clusters, so that the reviews of successive hours reach them all."""
    if len(clusters) <= most:
        return clusters
    first = int(now.timestamp() // 3600) * most % len(clusters)
    return (clusters[first:] + clusters[:first])[:most]


def _late(record: FindingRecord, now: datetime) -> bool:
    """Whether a notification, a transient fact or a termination is late, or an alert due."""
    if record.pending_for_long(now):
        return True
    if record.alert_due is not None and timedelta() <= now - record.alert_due < _LATE_REQUESTS:
        return True
    if record.open and record.last_notified is None and record.transient_since is not None:
        return not record.transient_and_young(now)
    deadline = record.last_notified.deadline if record.last_notified else None
    return deadline is not None and PENDING_LATE <= now - deadline < _LATE_REQUESTS
