"""Read no more of a cluster's steps than may be new."""

from dataclasses import dataclass, field, replace

from emr_log_guard.domain.clusters import PartlyListed, Session, Step
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.usecases.ports import AllWorkloads

_NOT_YET = Unresolved("the steps are listed after the other clusters are described", transient=True)


@dataclass(slots=True)
class ClusterSteps:
    """The steps and sessions of one cluster, for one check of it.

    Steps are listed when the cluster is seen for the first time, and by re-scans. After an
    event steps are read only when it names some that are not known, or that have log settings of
    their own, whose state matters. All steps that are newer than the known ones are then listed:
    among them are those of events that are still to come. A re-check lists these, too, and reads
    the unfinished ones with settings of their own, unless the guard's own limit does not allow
    that: the known ones are then evaluated, as after an event. Sessions have no events, and are
    listed at each check of a cluster on which there may be any.
    """

    workloads: AllWorkloads
    known: ClusterSnapshot | None
    request: ClusterCheckRequest
    postponed: bool = False
    """Whether nothing is read for now, because other clusters of the batch come first."""
    _read: tuple[Step, ...] | Unresolved | None = field(default=None, init=False)
    _sessions: tuple[Session, ...] | Unresolved | None = field(default=None, init=False)

    def steps(self, cluster_id: str) -> tuple[Step, ...] | PartlyListed | Unresolved:
        """Give the steps with log settings of their own; what is not known is read once."""
        if self._read is None:
            self._read = self._unknown(cluster_id)
        if isinstance(self._read, Unresolved):
            return PartlyListed(self._listed.steps, self._read) if self._listed else self._read
        steps = {each.id: each for each in self._known_steps}
        steps |= {each.id: each for each in self._read if each.has_log_settings}
        return tuple(steps.values())

    @property
    def left(self) -> bool:
        """Whether there is something to read that was postponed."""
        return self.postponed and (self._listed is None or bool(self._wanted(self._listed)))

    @property
    def unread(self) -> frozenset[str]:
        """The steps that events name, if only these could not be read, and all others are known."""
        if self._listed is None or not isinstance(self._read, Unresolved):
            return frozenset()
        limited = isinstance(self._sessions, Unresolved) and self._sessions.rate_limited
        return frozenset() if limited else frozenset(self._wanted(self._listed))

    @property
    def rate_limited(self) -> bool:
        """Whether the guard's own limit did not allow to read them now."""
        read = (self._read, self._sessions)
        return any(isinstance(each, Unresolved) and each.rate_limited for each in read)

    def sessions(self, cluster_id: str) -> tuple[Session, ...] | Unresolved:
        """Give the sessions, which are read once."""
        if self._sessions is None:
            self._sessions = self.workloads.sessions(cluster_id)
        return self._sessions

    def added_to(self, snapshot: ClusterSnapshot) -> ClusterSnapshot:
        """Add the steps that were read to the snapshot to store."""
        if self._read is None or isinstance(self._read, Unresolved):
            return snapshot
        oldest_first = tuple(reversed(self._read))
        return replace(
            snapshot,
            steps_listed=True,
            steps=tuple(each for each in oldest_first if each.has_log_settings),
            other_steps=tuple(each.id for each in oldest_first if not each.has_log_settings),
        )

    @property
    def _listed(self) -> ClusterSnapshot | None:
        """Return the stored steps; None when all have to be listed."""
        by_known = self.request.by_event or self.request.force_refresh
        return self.known if by_known and self.known and self.known.steps_listed else None

    def _unknown(self, cluster_id: str) -> tuple[Step, ...] | Unresolved:
        listed = self._listed
        if self.left:
            return _NOT_YET
        unfinished = [each.id for each in self._known_steps if not each.finished]
        if listed is None:
            return self.workloads.all_steps(cluster_id, unfinished)
        named, own = self._wanted(listed), {each.id for each in listed.steps}
        known = own.union(listed.other_steps)
        if self.request.force_refresh:
            wanted = tuple(dict.fromkeys((*named, *unfinished)))
            read = self.workloads.new_steps(cluster_id, wanted, known)
            limited = isinstance(read, Unresolved) and read.rate_limited
            return () if limited and not named else read
        if not named:
            return ()
        if own.issuperset(named):
            return self.workloads.named_steps(cluster_id, named)
        return self.workloads.new_steps(cluster_id, named, known)

    @property
    def _known_steps(self) -> tuple[Step, ...]:
        """Return the stored steps with log settings of their own."""
        return self.known.steps if self.known else ()

    def _wanted(self, listed: ClusterSnapshot) -> tuple[str, ...]:
        """Give the steps that events name, unless they are known to have no log settings."""
        return tuple(each for each in self.request.step_ids if each not in listed.other_steps)
