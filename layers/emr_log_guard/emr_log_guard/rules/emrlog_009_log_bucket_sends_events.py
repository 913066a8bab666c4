"""EMRLOG-009: a log bucket sends events, so that log objects are checked."""

from emr_log_guard.domain.clusters import LogBucket
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    non_compliant,
    not_applicable,
    undetermined,
)
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.remediation import send_events
from emr_log_guard.rules.rule import Rule


def check(bucket: LogBucket) -> Outcome:
    """Check that a log bucket sends events to EventBridge, and that the stack checks them.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
    """
    match bucket:
        case LogBucket(sends_events=None):
            return not_applicable(f"there is no bucket {bucket.name}")
        case LogBucket(sends_events=False):
            return non_compliant(
                f"log objects are not checked: {bucket.name} sends no events to EventBridge"
            )
        case LogBucket(checked=False):
            return non_compliant(
                f"log objects are not checked: {bucket.name} is not in the stack's LogBuckets"
            )
        case LogBucket(sends_events=Unresolved() as unread):
            return undetermined(unread)
        case _:
            return compliant(f"log objects are checked when they are created: {bucket.name}")


def remediation(bucket: LogBucket) -> str:
    """Turn on the bucket's events, or add it to LogBuckets."""
    commands = [] if bucket.sends_events else [send_events(bucket.name)]
    if not bucket.checked:
        commands.append(
            f"# Add to the parameter LogBuckets of the stack and deploy it: {bucket.name}"
        )
    return "\n".join(commands)


RULE = Rule(
    id="EMRLOG-009",
    name="log-bucket-sends-events",
    severity=Severity.LOW,
    violation="a log bucket sends no events to EventBridge, or is not in `LogBuckets`, so that "
    "its objects are not checked",
    precondition="the bucket exists",
    why="New log objects in such a bucket are not checked: wrong encryption stays undetected.",
    check=check,
    remediation=remediation,
    deployed_only=True,
)
