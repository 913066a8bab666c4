"""Read no more of a cluster's steps than may be new."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from emr_log_guard.domain.clusters import PartlyListed, Session, Step
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.usecases.ports import AllWorkloads

_BEYOND = Unresolved("a step that an event names is not among the newest", transient=True)
_NOT_YET = Unresolved("the steps are listed after the other clusters are described", transient=True)


@dataclass(slots=True)
class ClusterSteps:
    """The steps and sessions of one cluster, for one check of it.

    All steps are listed when the cluster is seen for the first time, and where no event announced
    the check. After that steps are read only when events name some that are not known, or that have
    log settings of their own, whose state matters. One call then reads the newest steps: among them
    are those of events that are still to come. Steps that were not among the newest when these were
    read last are read by their ids. Sessions have no events, and are listed at each check of a
    cluster on which there may be any.
    """

    workloads: AllWorkloads
    known: ClusterSnapshot | None
    request: ClusterCheckRequest
    postponed: bool = False
    """Whether nothing is read for now, because other clusters of the batch come first."""
    _read: tuple[Step, ...] | Unresolved | None = field(default=None, init=False)
    _beyond: bool = field(default=False, init=False)
    """Whether an event names a step that is not among the newest."""
    _sessions: tuple[Session, ...] | Unresolved | None = field(default=None, init=False)

    def steps(self, cluster_id: str) -> tuple[Step, ...] | PartlyListed | Unresolved:
        """Give the steps with log settings of their own; what is not known is read once."""
        if self._read is None:
            self._read = self._unknown(cluster_id)
        if isinstance(self._read, Unresolved):
            return PartlyListed(self._listed.steps, self._read) if self._listed else self._read
        steps = {each.id: each for each in self._listed.steps} if self._listed else {}
        steps |= {each.id: each for each in self._read if each.has_log_settings}
        found = tuple(steps.values())
        return PartlyListed(found, _BEYOND) if self._beyond else found

    @property
    def left(self) -> bool:
        """Whether there is something to read that was postponed."""
        return self.postponed and (self._listed is None or bool(self._wanted(self._listed)))

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        """Give the sessions, which are read once."""
        if self._sessions is None:
            self._sessions = self.workloads.sessions(cluster_id)
        return self._sessions

    def added_to(self, snapshot: ClusterSnapshot, begun: datetime) -> ClusterSnapshot:
        """Add the steps that were read to the snapshot to store, by a check that began then."""
        if self._read is None or isinstance(self._read, Unresolved):
            return snapshot
        newest = self._listed is None or self._newest_first(self._listed)
        oldest_first = tuple(reversed(self._read))
        return replace(
            snapshot,
            steps_listed=True,
            steps=tuple(each for each in oldest_first if each.has_log_settings),
            other_steps=tuple(each.id for each in oldest_first if not each.has_log_settings),
            newest_steps_read_at=begun if newest else None,
        )

    @property
    def _listed(self) -> ClusterSnapshot | None:
        """Return the stored steps; None when all have to be listed."""
        known = self.known
        return known if self.request.by_event and known and known.steps_listed else None

    def _unknown(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        if self.left:
            return _NOT_YET
        if self._listed is None:
            return self.workloads.all_steps(cluster_id)
        wanted = self._wanted(self._listed)
        if not wanted:
            return ()
        if not self._newest_first(self._listed):
            return self.workloads.all_steps(cluster_id, wanted)
        newest = self.workloads.newest_steps(cluster_id)
        if not isinstance(newest, Unresolved):
            self._beyond = not {each.id for each in newest}.issuperset(wanted)
        return newest

    def _newest_first(self, listed: ClusterSnapshot) -> bool:
        """Whether the steps that events name may be among the newest, and others that are new."""
        wanted, read_at = self._wanted(listed), listed.newest_steps_read_at
        latest = self.request.latest or self.request.at
        new = bool(wanted) and {each.id for each in listed.steps}.isdisjoint(wanted)
        return new and latest is not None and (read_at is None or latest > read_at)

    def _wanted(self, listed: ClusterSnapshot) -> tuple[str, ...]:
        """Give the steps that events name, unless they are known to have no log settings."""
        return tuple(each for each in self.request.step_ids if each not in listed.other_steps)
