"""The record of a cluster's termination: its request, EMR's answer, its outcome.

Each stage is recorded before the action that follows from it, and notifications follow from the
record only. docs/adr/0019-deciding.md
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from emr_log_guard.domain.decide import NextStep

REQUEST_AGAIN = timedelta(minutes=10)
"""How long a sent request is not repeated."""
VERIFY = timedelta(minutes=15)
"""How long EMR is given to terminate a cluster: the longest delay of a message in SQS, too."""
SCHEDULE_LATE = timedelta(minutes=2)
"""How late a schedule may fire: EventBridge Scheduler is precise to the minute.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""
CALL = timedelta(seconds=150)
"""How long a call of EMR may take: longer than the timeout of the function."""
CALLS = 5
"""How many calls in a row may fail before the termination fails: as often as its queue delivers."""


class Stage(StrEnum):
    """How far a termination has come."""

    SCHEDULING = "scheduling"
    """A schedule is about to be made."""
    SCHEDULED = "scheduled"
    REQUESTED = "requested"
    """`enforce` was asked to evaluate the cluster again, and to terminate it."""
    CALLING = "calling"
    """EMR is being called, or the invocation died before it recorded the answer."""
    ACCEPTED = "accepted"
    """EMR accepted the call."""
    OVERDUE = "overdue"
    """EMR accepted the call, and the cluster had not terminated when that was verified."""
    DONE = "done"
    """The cluster has terminated, and that was notified."""
    FAILED = "failed"
    """EMR refused, or every call failed."""
    SKIPPED = "skipped"
    """`enforce` found that the cluster is not to be terminated, or the schedule was cancelled."""


_IN_PROGRESS = frozenset({Stage.CALLING, Stage.ACCEPTED, Stage.OVERDUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """The state of the termination of one cluster."""

    cluster_id: str
    stage: Stage
    at: datetime
    """When this stage was reached, UTC."""
    rules: tuple[str, ...] = ()
    """The rules whose findings it is based on."""
    due: datetime | None = None
    """When the schedule fires, UTC; None without one."""
    reason: str = ""
    """Why it was skipped or failed: a NextStep value."""
    detail: str = ""
    """EMR's answer, if that is the reason."""
    notified: tuple[str, ...] = ()
    """The notified outcomes since the termination was last announced, by reason and detail: none is
    repeated."""
    calls: int = 0
    """How many calls failed in a row."""
    unanswered_at: datetime | None = None
    """When EMR last did not answer a call, UTC: it may have accepted it."""
    policy_version: int | None = None
    """The version of the policy of the decision."""
    answered: bool = False
    """Whether `enforce` skipped it: the same policy would give the same result."""
    owner: str = ""
    """The invocation that calls EMR."""
    expires: datetime | None = None
    """When it expires, UTC."""
    version: int = 0
    """How often it was written; 0 is never."""

    @property
    def in_progress(self) -> bool:
        """Whether EMR was called: the guard terminates the cluster."""
        return self.stage in _IN_PROGRESS

    @property
    def accepted(self) -> bool:
        """Whether EMR accepted the call: later decisions cannot undo that."""
        return self.stage in (Stage.ACCEPTED, Stage.OVERDUE)

    def may_be_accepted(self, now: datetime) -> bool:
        """Whether EMR accepted a call, or may have accepted one that its reads do not show yet.

        EMR's reads are eventually consistent: a cluster whose termination it accepted without an
        answer may be RUNNING for a while, at most VERIFY.
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
        """Whether it was skipped, and the reason was notified."""
        return self.stage is Stage.SKIPPED and self.was_notified(self.reason)

    def called_by_another(self, owner: str, now: datetime) -> bool:
        """Whether another invocation is calling EMR."""
        return self.stage is Stage.CALLING and self.owner != owner and now < self.at + CALL

    def was_notified(self, reason: str, detail: str = "") -> bool:
        """Whether exactly that was notified."""
        return _key(reason, detail) in self.notified

    def with_notified(self, reason: str, detail: str = "") -> "Termination":
        """Record that it was notified."""
        key = _key(reason, detail)
        return self if key in self.notified else replace(self, notified=(*self.notified, key))

    def may_be_requested(self, now: datetime, policy_version: int | None) -> bool:
        """Whether a request to `enforce` may be sent, or sent again.

        An answered request does not block the next one, except within REQUEST_AGAIN under the
        same policy.
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
        """Whether the verification of an accepted termination is overdue."""
        return self.stage is Stage.ACCEPTED and now - self.at >= VERIFY + REQUEST_AGAIN


def on_request(current: Termination | None, begun: Termination, *, announced: bool) -> Termination:
    """Record that `enforce` is about to be requested, unless it has acted already.

    Args:
        current: The state of the termination; None when there is none.
        begun: The termination as it starts now.
        announced: Whether it is notified again: then its outcome is, too.

    """
    if current is not None and (current.in_progress or current.stage is Stage.DONE):
        return current
    return _next(current, begun, Stage.REQUESTED, announced=announced)


def on_request_failed(current: Termination | None, begun: Termination) -> Termination:
    """Record that the request was not sent, so that the next check can request it."""
    state = begun if current is None else current
    if state.stage is not Stage.REQUESTED or state.at != begun.at:
        return state
    return replace(state, stage=Stage.SKIPPED)


def on_scheduling(
    current: Termination | None, begun: Termination, *, announced: bool
) -> Termination:
    """Record that a schedule is about to be created, unless EMR was called meanwhile.

    Args:
        current: The state of the termination; None when there is none.
        begun: The termination as it starts now, and when it is due.
        announced: Whether it is notified again: then its outcome is, too.

    """
    if current is not None and current.in_progress:
        return current
    return replace(_next(current, begun, Stage.SCHEDULING, announced=announced), due=begun.due)


def on_scheduled(current: Termination | None, begun: Termination) -> Termination:
    """Record that the schedule exists, unless the state changed meanwhile."""
    state = begun if current is None else current
    if state.stage is not Stage.SCHEDULING or state.due != begun.due:
        return state
    return replace(state, stage=Stage.SCHEDULED)


def on_cancelled(current: Termination | None, begun: Termination) -> Termination:
    """Record that the schedule was deleted; later stages are kept."""
    if current is not None and not current.scheduled:
        return replace(current, due=None)
    cancelled = _next(current, begun, Stage.SKIPPED)
    return replace(cancelled, reason=str(NextStep.TERMINATION_CANCELLED))


def _next(
    current: Termination | None, begun: Termination, stage: Stage, *, announced: bool = False
) -> Termination:
    """Enter a stage; notified outcomes are kept unless it is announced again."""
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
