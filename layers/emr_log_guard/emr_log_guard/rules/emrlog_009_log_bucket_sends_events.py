"""EMRLOG-009: the log buckets send events, so that log objects are checked."""

from emr_log_guard.domain.clusters import ClusterFacts, LogBucket
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
)
from emr_log_guard.domain.log_uri import LogLocation, why_bucket_is_unknown
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.preconditions import no_log_buckets
from emr_log_guard.rules.remediation import send_events
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Check that each log bucket sends events to EventBridge, and that the stack checks them.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
    """
    unchecked = [
        *(f"{b.name} sends no events to EventBridge" for b in _silent(facts)),
        *(f"{b.name} is not in the stack's LogBuckets" for b in facts.log_buckets if not b.checked),
    ]
    if unchecked:
        return non_compliant(f"log objects are not checked: {'; '.join(unchecked)}")
    if unread := _unread(facts):
        return insufficient_data(unread)
    if missing := no_log_buckets(facts):
        return missing
    names = ", ".join(bucket.name for bucket in facts.log_buckets)
    return compliant(f"log objects are checked when they are created: {names}")


def _silent(facts: ClusterFacts) -> list[LogBucket]:
    return [bucket for bucket in facts.log_buckets if bucket.sends_events is False]


def _unread(facts: ClusterFacts) -> str:
    """Return what could not be read, without duplicates; empty when all is known."""
    known = {bucket.name for bucket in facts.log_buckets}
    locations = map(LogLocation.parse, facts.log_uris)
    unknown = map(why_bucket_is_unknown, facts.log_uris)
    reasons = [
        *(
            b.sends_events.reason
            for b in facts.log_buckets
            if isinstance(b.sends_events, Unresolved)
        ),
        *(reason for reason in unknown if reason),
        *(
            f"{at.bucket} was not read"
            for at in locations
            if at and not at.by_access_point and at.bucket not in known
        ),
    ]
    return "; ".join(dict.fromkeys(reasons))


def remediation(facts: ClusterFacts) -> str:
    """Turn on the events of each bucket, and add the missing buckets to LogBuckets."""
    unchecked = [bucket.name for bucket in facts.log_buckets if not bucket.checked]
    commands = [send_events(bucket.name) for bucket in _silent(facts)]
    if unchecked:
        commands.append(
            f"# Add to the parameter LogBuckets of the stack and deploy it: {','.join(unchecked)}"
        )
    return "\n".join(commands)


RULE = Rule(
    id="EMRLOG-009",
    name="log-bucket-sends-events",
    severity=Severity.LOW,
    violation="a log bucket sends no events to EventBridge, or is not in `LogBuckets`, so that "
    "its objects are not checked",
    precondition="logs are archived",
    why="New log objects in such a bucket are not checked: wrong encryption stays undetected.",
    check=check,
    remediation=remediation,
    deployed_only=True,
)
