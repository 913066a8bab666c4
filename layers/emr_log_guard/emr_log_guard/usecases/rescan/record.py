"""Record the results for a cluster's log objects, of a shard or of a whole re-scan."""

from collections.abc import Sequence
from dataclasses import dataclass

from emr_log_guard.domain.finding_record import ClusterHistory, RuleResult
from emr_log_guard.domain.notification_plan import plan_notifications
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import StalePolicyError
from emr_log_guard.usecases.findings import ActionDispatcher, CheckResult, FindingRecorder
from emr_log_guard.usecases.ports import PolicyProvider


@dataclass(frozen=True, slots=True)
class RecordLogObjects:
    """Records results, decides and acts."""

    recorder: FindingRecorder
    dispatcher: ActionDispatcher
    policy: PolicyProvider

    def __call__(
        self,
        cluster_id: str,
        results: Sequence[RuleResult],
        policy: Policy,
        history: ClusterHistory,
    ) -> None:
        """Record the results for one cluster.

        Args:
            cluster_id: The cluster.
            results: A result for each rule.
            policy: The policy that they were evaluated under.
            history: The stored records, as just read.

        """
        known = history.known.cluster if history.known else None
        result = CheckResult(cluster_id, known, results)
        try:
            recorded = self.recorder.record(result, policy, history, decide=plan_notifications)
        except StalePolicyError:
            now = self.policy(force_refresh=True)
            recorded = self.recorder.record(result, now, None, decide=plan_notifications)
        self.dispatcher.dispatch(recorded)
