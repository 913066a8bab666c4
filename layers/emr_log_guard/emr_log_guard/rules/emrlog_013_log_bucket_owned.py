"""EMRLOG-013: the log buckets belong to this account, or to one in the policy."""

from collections.abc import Iterator
from dataclasses import replace
from shlex import quote

from emr_log_guard.domain.clusters import (
    BucketOwnership,
    ClusterFacts,
    LogBucket,
    Session,
    Step,
    Workload,
)
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    non_compliant,
    past_violation,
    undetermined,
)
from emr_log_guard.domain.log_uri import LogLocation, why_bucket_is_unknown
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.preconditions import no_log_buckets
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule

_CONFIRM = (
    "# S3 denies this while another account owns the bucket. If that account is yours, add it to "
    "log_bucket_owners of the policy:"
)


def check(facts: ClusterFacts) -> Outcome:
    """Check that each log bucket belongs to the cluster's account, or to one in the policy.

    Bucket names are global and go to the first account that creates them, and the default name of
    EMR's log buckets, `aws-logs-ACCOUNT-REGION`, is predictable.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    foreign = _foreign(facts)
    if foreign & _written_to(facts):
        return non_compliant(_sentence(facts, foreign & _written_to(facts)))
    if foreign & _written_to(facts, once=True):
        return past_violation(_sentence(facts, foreign & _written_to(facts, once=True)))
    if unread := _unread(facts):
        reasons = dict.fromkeys(fact.reason for fact in unread)
        lasting = any(not fact.transient for fact in unread)
        return undetermined(Unresolved("; ".join(reasons), transient=not lasting))
    if missing := no_log_buckets(facts):
        return missing
    return compliant(f"logs go to buckets of known accounts: {', '.join(_owned(facts))}")


def _sentence(facts: ClusterFacts, foreign: set[str]) -> str:
    return (
        f"logs go to buckets of an account that is neither {facts.cluster.account} nor in "
        f"log_bucket_owners of the policy: {', '.join(sorted(foreign))}"
    )


def _foreign(facts: ClusterFacts) -> set[str]:
    return {bucket.name for bucket in facts.log_buckets if _is_foreign(bucket)}


def _written_to(facts: ClusterFacts, *, once: bool = False) -> set[str | None]:
    """Return the buckets that receive logs or, if `once`, those that finished steps logged to."""
    uris = [None if once else facts.cluster.archive_uri]
    for each in facts.workloads:
        finished = isinstance(each.workload, Step) and each.workload.finished
        if finished is once and not _never_ran(each.workload):
            uris.append(each.workload.log_uri)
    return {_bucket(uri) for uri in uris}


def _never_ran(workload: Workload) -> bool:
    return isinstance(workload, Step) and workload.never_ran


def _is_foreign(bucket: LogBucket) -> bool:
    return isinstance(bucket.ownership, BucketOwnership) and bucket.ownership.owner is None


def _owned(facts: ClusterFacts) -> list[str]:
    return [
        f"{bucket.name} of {bucket.ownership.owner}"
        for bucket in facts.log_buckets
        if isinstance(bucket.ownership, BucketOwnership) and bucket.ownership.owner
    ]


def _unread(facts: ClusterFacts) -> list[Unresolved]:
    """Return what could not be read."""
    known = {bucket.name: bucket.ownership for bucket in facts.log_buckets}
    unread = []
    for uri in facts.log_uris:
        location = LogLocation.parse(uri)
        reason = why_bucket_is_unknown(uri)
        if location is None or reason:
            unread.append(Unresolved(str(reason)))
            continue
        ownership = known.get(location.bucket)
        if ownership is None:
            unread.append(Unresolved(f"the owner of {location.bucket} was not read"))
        elif isinstance(ownership, Unresolved):
            unread.append(ownership)
    return unread


def remediation(facts: ClusterFacts) -> str:
    """Confirm the owner with S3, then log to a bucket of this account instead."""
    cluster, foreign = facts.cluster, _foreign(facts)
    commands = [
        f"aws s3api head-bucket --bucket {quote(name)} --expected-bucket-owner {cluster.account}"
        for name in sorted(foreign)
    ]
    if _bucket(cluster.archive_uri) in foreign:
        commands.append(relaunch(replace(facts, cluster=replace(cluster, log_uri=None))))
    return "\n".join((_CONFIRM, *commands, *_stop_workloads(facts, foreign)))


def _stop_workloads(facts: ClusterFacts, foreign: set[str]) -> Iterator[str]:
    """Stop the steps and sessions whose own settings log to these buckets."""
    on = f"--region {quote(facts.cluster.region)} --cluster-id {quote(facts.cluster.id)}"
    workloads = [each.workload for each in facts.workloads]
    theirs = [
        each
        for each in workloads
        if _bucket(each.log_uri) in foreign and not (isinstance(each, Step) and each.finished)
    ]
    if theirs:
        yield "# Stop the steps and sessions with such a log URI, and start them again without it:"
    steps = " ".join(quote(each.id) for each in theirs if isinstance(each, Step))
    if steps:
        yield f"aws emr cancel-steps {on} --step-ids {steps}"
    for each in theirs:
        if isinstance(each, Session):
            yield f"aws emr terminate-session {on} --session-id {quote(each.id)}"


def _bucket(uri: str | None) -> str | None:
    location = LogLocation.parse(uri) if uri else None
    return location.bucket if location else None


RULE = Rule(
    id="EMRLOG-013",
    name="log-bucket-owned",
    severity=Severity.HIGH,
    violation="a log bucket belongs to an account that is neither the cluster's nor in "
    "`log_bucket_owners`",
    precondition="logs are archived",
    why="The owner of the bucket can read, keep and delete the logs.",
    check=check,
    remediation=remediation,
)
