"""Check log buckets: one finding per bucket and rule, for any number of clusters."""

from dataclasses import dataclass, field
from datetime import datetime

from emr_log_guard.domain.clusters import ClusterFacts, LogBucket
from emr_log_guard.domain.finding_record import QUIET, ClusterHistory, RuleResult
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.notification_plan import plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.evaluate import evaluate_bucket
from emr_log_guard.usecases.findings import ActionDispatcher, CheckResult, FindingRecorder
from emr_log_guard.usecases.ports import Buckets, FindingRepository


@dataclass(frozen=True, slots=True)
class CheckLogBuckets:
    """Evaluates log buckets."""

    buckets: Buckets
    checked_buckets: tuple[str, ...]
    """The buckets whose objects are checked; empty: all that send events."""
    repository: FindingRepository
    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    checked: dict[str, tuple[LogBucket, Policy, datetime]] = field(default_factory=dict)
    """By name: what this environment last recorded of a bucket, under which policy, and when."""

    def of_cluster(
        self, facts: ClusterFacts, context: EvaluationContext, *, force_refresh: bool
    ) -> None:
        """Check the log buckets of a cluster, as just read.

        What this environment recorded within QUIET is not recorded again, unless `force_refresh`.

        Raises:
            AlertInProgressError: Another invocation is about to notify; to be retried.
            StalePolicyError: A newer policy has decided; to be re-evaluated under it.

        """
        cluster = facts.cluster
        for bucket in facts.log_buckets:
            known, policy, at = self.checked.get(bucket.name, (None, None, context.now))
            same = (known, policy) == (bucket, context.policy)
            if same and context.now - at < QUIET and not force_refresh:
                continue
            subject = Subject.of_bucket(bucket.name, cluster.account, cluster.region)
            self._record(subject, bucket, (f"{cluster.id} {cluster.name}",), context, None)

    def again(self, arn: str, context: EvaluationContext) -> tuple[Finding, ...]:
        """Re-check a bucket that a finding is about, whether or not a cluster still logs there.

        Returns:
            One finding per rule; empty when nothing was ever found.

        """
        history = self.repository.read(arn)
        known = next(iter(history.records.values()), None)
        name = known.finding.bucket if known else None
        if known is None or name is None:
            return ()
        checked = not self.checked_buckets or name in self.checked_buckets
        bucket = LogBucket(name, self.buckets.sends_events(name), checked)
        subject = Subject.of_bucket(name, known.finding.account, known.finding.region)
        results = self._record(subject, bucket, (), context, history)
        return tuple(each.finding for each in results)

    def _record(
        self,
        subject: Subject,
        bucket: LogBucket,
        clusters: tuple[str, ...],
        context: EvaluationContext,
        history: ClusterHistory | None,
    ) -> tuple[RuleResult, ...]:
        """Evaluate, record, decide, notify."""
        results = evaluate_bucket(subject, bucket, clusters, context)
        recorded = self.recorder.record(
            CheckResult(subject.id, None, results),
            context.policy,
            history,
            decide=plan_notifications,
        )
        self.dispatcher.dispatch(recorded)
        self.checked[bucket.name] = (bucket, context.policy, context.now)
        return results
