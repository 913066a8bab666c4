"""The one account of a cluster's termination: who asked, whether EMR accepted, how it ended.

Each stage is written down before what follows from it is done, and what people are notified of
follows from the record and from nothing else. docs/adr/0019-deciding.md
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.decide import NextStep

REQUEST_AGAIN = timedelta(minutes=10)
"""How long a request that was sent is not repeated."""
VERIFY = timedelta(minutes=15)
"""How long EMR is given to terminate a cluster: the longest delay of a message in SQS, too."""
SCHEDULE_LATE = timedelta(minutes=2)
"""How late a schedule may fire: EventBridge Scheduler is precise to the minute.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""
CALL = timedelta(seconds=150)
"""How long whoever calls EMR may take: longer than the function may run."""
CALLS = 5
"""How many calls in a row may fail before the termination has: as often as its queue delivers."""


class Stage(StrEnum):
    """How far a termination has come."""

    SCHEDULING = "scheduling"
    """A schedule is about to be made."""
    SCHEDULED = "scheduled"
    REQUESTED = "requested"
    """`enforce` was asked to evaluate the cluster again, and to terminate it."""
    CALLING = "calling"
    """EMR is being called, or whoever called it died before it could write down the answer."""
    ACCEPTED = "accepted"
    """EMR accepted the call."""
    OVERDUE = "overdue"
    """EMR accepted the call, and the cluster had not terminated when that was verified."""
    DONE = "done"
    """The cluster has terminated, and people were notified."""
    FAILED = "failed"
    """EMR refused, or every call failed."""
    SKIPPED = "skipped"
    """`enforce` found that the cluster is not to be terminated, or the schedule was cancelled."""


_UNDER_WAY = frozenset({Stage.CALLING, Stage.ACCEPTED, Stage.OVERDUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """Where the termination of one cluster stands."""

    cluster_id: str
    stage: Stage
    at: datetime
    """When this stage was reached, UTC."""
    rules: tuple[str, ...] = ()
    """The rules whose findings ground it."""
    due: datetime | None = None
    """When the schedule fires, UTC; None without one."""
    reason: str = ""
    """Why it was skipped or failed: a next step."""
    detail: str = ""
    """What EMR answered, if that is why."""
    notified: tuple[str, ...] = ()
    """What people were notified of since the cluster was last to be terminated, by reason and
    detail: none of it is repeated."""
    calls: int = 0
    """How many calls failed in a row."""
    unanswered_at: datetime | None = None
    """When EMR last did not answer a call, UTC: it may have accepted it all the same."""
    policy_version: int | None = None
    """The version of the policy that it was decided under."""
    answered: bool = False
    """Whether `enforce` skipped it: the same policy would only lead to the same answer."""
    owner: str = ""
    """Who calls EMR."""
    expires: datetime | None = None
    """When it may be forgotten."""
    version: int = 0
    """How often it was written; 0 is never."""

    @property
    def under_way(self) -> bool:
        """Whether EMR was called, and the cluster's end is the guard's doing."""
        return self.stage in _UNDER_WAY

    @property
    def accepted(self) -> bool:
        """Whether EMR accepted the call: nothing that is decided later takes that back."""
        return self.stage in (Stage.ACCEPTED, Stage.OVERDUE)

    def may_be_accepted(self, now: datetime) -> bool:
        """Whether EMR accepted a call, or may have and not shown it yet.

        EMR's reads are eventually consistent: a cluster whose termination it accepted without an
        answer may be RUNNING for a while. VERIFY is as long as that is taken to be possible.
        """
        if self.stage is Stage.CALLING:
            return now < self.at + VERIFY
        unanswered = self.unanswered_at is not None and now < self.unanswered_at + VERIFY
        return self.accepted or unanswered

    @property
    def scheduled(self) -> bool:
        """Whether a schedule exists, or may exist."""
        return self.stage in (Stage.SCHEDULING, Stage.SCHEDULED)

    @property
    def skip_notified(self) -> bool:
        """Whether it was skipped, and people were notified why."""
        return self.stage is Stage.SKIPPED and self.was_notified(self.reason)

    def called_by_another(self, owner: str, now: datetime) -> bool:
        """Whether somebody else is calling EMR right now."""
        return self.stage is Stage.CALLING and self.owner != owner and now < self.at + CALL

    def was_notified(self, reason: str, detail: str = "") -> bool:
        """Whether people were notified of just that."""
        return _key(reason, detail) in self.notified

    def with_notified(self, reason: str, detail: str = "") -> "Termination":
        """Remember that people were notified of that."""
        key = _key(reason, detail)
        return self if key in self.notified else replace(self, notified=(*self.notified, key))

    def may_be_requested(self, now: datetime, policy_version: int | None) -> bool:
        """Say whether `enforce` is to be asked, or asked once more.

        A request that was answered blocks no other one, except where the same policy would only
        get the same answer within REQUEST_AGAIN.
        """
        recent = now - self.at < REQUEST_AGAIN
        match self.stage:
            case Stage.DONE:
                return False
            case Stage.CALLING | Stage.ACCEPTED | Stage.OVERDUE:
                return now - self.at >= 4 * VERIFY
            case Stage.SCHEDULED if self.due is not None:
                return not self.due <= now < self.due + SCHEDULE_LATE
            case Stage.REQUESTED | Stage.FAILED:
                return not recent
            case Stage.SKIPPED:
                same = self.answered and self.policy_version == policy_version
                return not (recent and same)
            case _:
                return True

    def verification_missed(self, now: datetime) -> bool:
        """Whether nobody has verified for too long what became of an accepted termination."""
        return self.stage is Stage.ACCEPTED and now - self.at >= VERIFY + REQUEST_AGAIN


def on_request(current: Termination | None, begun: Termination, *, announced: bool) -> Termination:
    """Note that `enforce` is about to be asked, unless it was quicker.

    Args:
        current: Where the termination stands; None when there never was one.
        begun: The termination as it begins now.
        announced: Whether people are notified of it anew: then they hear of what becomes of it.

    """
    if current is not None and (current.under_way or current.stage is Stage.DONE):
        return current
    return _next(current, begun, Stage.REQUESTED, announced=announced)


def on_request_failed(current: Termination | None, begun: Termination) -> Termination:
    """Note that the request was not sent, so it does not keep the next check from asking."""
    standing = begun if current is None else current
    if standing.stage is not Stage.REQUESTED or standing.at != begun.at:
        return standing
    return replace(standing, stage=Stage.SKIPPED)


def on_scheduling(
    current: Termination | None, begun: Termination, *, announced: bool
) -> Termination:
    """Note that a schedule is about to be made, unless EMR was called meanwhile.

    Args:
        current: Where the termination stands; None when there never was one.
        begun: The termination as it begins now, and when it is due.
        announced: Whether people are notified of it anew: then they hear of what becomes of it.

    """
    if current is not None and current.under_way:
        return current
    return replace(_next(current, begun, Stage.SCHEDULING, announced=announced), due=begun.due)


def on_scheduled(current: Termination | None, begun: Termination) -> Termination:
    """Note that the schedule exists, unless others went on since it was begun."""
    standing = begun if current is None else current
    if standing.stage is not Stage.SCHEDULING or standing.due != begun.due:
        return standing
    return replace(standing, stage=Stage.SCHEDULED)


def on_cancelled(current: Termination | None, begun: Termination) -> Termination:
    """Note that the schedule was removed; what is not only scheduled goes on."""
    if current is not None and not current.scheduled:
        return replace(current, due=None)
    cancelled = _next(current, begun, Stage.SKIPPED)
    return replace(cancelled, reason=str(NextStep.TERMINATION_CANCELLED))


def _next(
    current: Termination | None, begun: Termination, stage: Stage, *, announced: bool = False
) -> Termination:
    """Go on to a stage; what people were notified of is kept unless it is announced anew."""
    if current is None:
        return replace(begun, stage=stage)
    return replace(
        current,
        stage=stage,
        at=begun.at,
        rules=begun.rules or current.rules,
        due=None,
        reason="",
        detail="",
        policy_version=begun.policy_version,
        answered=False,
        notified=() if announced else current.notified,
    )


def _key(reason: str, detail: str) -> str:
    return f"{reason}: {detail}" if detail else reason
