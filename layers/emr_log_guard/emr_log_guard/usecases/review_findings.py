"""Review: have everything looked at again that is open.

A cluster that runs for weeks may send no event in all that time, and events may be lost: reminders,
deadlines under a changed policy, and what was put right unseen would wait for ever.
"""

from dataclasses import dataclass

from emr_log_guard.events.log_objects import LogObjectHint
from emr_log_guard.observability import logger, record_open
from emr_log_guard.usecases.ports import LogObjectQueue, OpenFindings, Rechecks


@dataclass(frozen=True, slots=True)
class ReviewFindings:
    """Measures what is open and asks for checks; the checks do the rest."""

    findings: OpenFindings
    rechecks: Rechecks
    objects: LogObjectQueue

    def __call__(self) -> dict[str, int]:
        """Ask for a check of each cluster, and of each known bad log object.

        Returns:
            How many of each.

        """
        clusters: dict[str, None] = {}
        hints: dict[LogObjectHint, None] = {}
        entries = tuple(self.findings.open_entries())
        record_open(entry.finding for entry in entries)
        for entry in entries:
            finding = entry.finding
            clusters[finding.cluster_id] = None
            for version in entry.objects:
                place = (finding.account, finding.region, finding.cluster_id)
                hints[LogObjectHint(version, *place)] = None
        for hint in hints:
            self.objects.recheck(hint)
        self.rechecks.request(clusters)
        logger.info("open findings reviewed", clusters=len(clusters), log_objects=len(hints))
        return {"clusters": len(clusters), "log_objects": len(hints)}
