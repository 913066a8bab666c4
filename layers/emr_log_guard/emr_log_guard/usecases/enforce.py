"""Enforce: read everything again, judge again, decide again, and only then end a cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import (
    Alert,
    AlertKind,
    NextStep,
    RequestEnforcement,
    Spare,
    Terminate,
    decide_enforcement,
    expired_exemptions,
)
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.policy import Exemption, Policy
from emr_log_guard.errors import ClusterNotFoundError, ObjectNotFoundError, TerminationRefusedError
from emr_log_guard.observability import logger, record_enforcement
from emr_log_guard.rules import CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.in_force import in_force
from emr_log_guard.rules.judge import Judging, Subject, judge_cluster, judge_log_objects
from emr_log_guard.usecases.ports import Alerts, TerminableClusters
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject

_KINDS = {
    NextStep.CLUSTER_ENDED: AlertKind.ENFORCEMENT_DONE,
    NextStep.TERMINATION_STARTED: AlertKind.ENFORCEMENT_DONE,
    NextStep.SPARED_PROTECTED: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.SPARED_NO_LONGER_CALLED_FOR: AlertKind.ENFORCEMENT_SKIPPED,
    NextStep.TERMINATION_REFUSED: AlertKind.ENFORCEMENT_FAILED,
}


@dataclass(frozen=True, slots=True)
class Enforce:
    """Ends clusters. Trusts nothing that it was told: a request only says where to look."""

    clusters: TerminableClusters
    read_facts: ReadClusterFacts
    read_object: ReadLogObject
    policy: Callable[[], Policy]
    """Gives the policy in force."""
    alerts: Alerts
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]

    def __call__(self, request: RequestEnforcement) -> NextStep:
        """End the cluster if that is still called for, and tell what came of it.

        Errors that a retry may cure fly; the request is delivered again, then dead-lettered.
        """
        arn = Arn.parse(request.cluster_arn)
        cluster_id = arn.resource.rpartition("/")[2] if arn else ""
        policy = self.policy()
        try:
            cluster = self.clusters.describe(cluster_id)
        except ClusterNotFoundError as error:
            return self._tell(
                policy, request.cluster_arn, None, (), NextStep.CLUSTER_ENDED, str(error)
            )
        now = self.clock()
        findings = () if cluster.ended else self._judge(cluster, policy, request)
        match decide_enforcement(findings, cluster, policy, now):
            case Spare(reason=step, findings=told):
                detail = f"The cluster is {cluster.state}."
            case Terminate(findings=told) as decision:
                step, detail = self._terminate(cluster, decision)
        expired = expired_exemptions(told, cluster, policy, now)
        return self._tell(policy, cluster.arn, cluster.name, told, step, detail, expired)

    def _judge(
        self, cluster: Cluster, policy: Policy, request: RequestEnforcement
    ) -> tuple[Finding, ...]:
        """Judge by the rules that the policy would end a cluster for, and no others."""
        enforced = policy.enforcement.rules
        rules = [rule for rule in in_force(CLUSTER_RULES, policy) if rule.id in enforced]
        judging = Judging(self.clock(), self.runbook)
        facts = self.read_facts.under(policy, rules)(cluster)
        findings = judge_cluster(facts, rules, judging)
        objects = list(self._objects(cluster, request))
        if objects:
            about_objects = [
                rule for rule in in_force(LOG_OBJECT_RULES, policy) if rule.id in enforced
            ]
            findings += judge_log_objects(Subject.of(cluster), objects, about_objects, judging)
        return findings

    def _objects(self, cluster: Cluster, request: RequestEnforcement) -> Iterator[LogObjectFacts]:
        """Read the request's log objects again; only this cluster's own count."""
        for version in request.log_objects:
            try:
                facts = self.read_object(version)
            except ObjectNotFoundError:
                logger.info("log object is gone", object=str(version))
                continue
            if facts is not None and facts.cluster_id == cluster.id:
                yield facts

    def _terminate(self, cluster: Cluster, decision: Terminate) -> tuple[NextStep, str]:
        """Terminate one cluster; restore the protection that was lifted for it if that fails."""
        try:
            if not decision.lift_protection:
                self.clusters.terminate(cluster.id)
                return NextStep.TERMINATION_STARTED, ""
            self._terminate_protected(cluster.id)
        except ClusterNotFoundError as error:
            return NextStep.CLUSTER_ENDED, str(error)
        except TerminationRefusedError as error:
            return NextStep.TERMINATION_REFUSED, str(error)
        return NextStep.TERMINATION_STARTED, "Its termination protection was lifted."

    def _terminate_protected(self, cluster_id: str) -> None:
        """Lift and terminate. A lift that seems to fail may have worked: it is undone as well."""
        try:
            self.clusters.set_termination_protection(cluster_id, protected=False)
            self.clusters.terminate(cluster_id)
        except ClusterNotFoundError:
            raise
        except BaseException as error:
            try:
                self.clusters.set_termination_protection(cluster_id, protected=True)
            except TerminationRefusedError as unrestored:
                if not isinstance(error, TerminationRefusedError):
                    raise error from unrestored
                message = f"{error}; its termination protection may be off: {unrestored}"
                raise TerminationRefusedError(message) from error
            raise

    def _tell(  # noqa: PLR0913, PLR0917 - the parts of an alert
        self,
        policy: Policy,
        cluster_arn: str,
        cluster_name: str | None,
        findings: tuple[Finding, ...],
        step: NextStep,
        detail: str,
        expired: tuple[Exemption, ...] = (),
    ) -> NextStep:
        record_enforcement(cluster_arn, step, detail)
        self.alerts.publish(
            Alert(
                _KINDS[step],
                cluster_arn,
                cluster_name,
                findings,
                step,
                policy.strongest_mode(finding.rule_id for finding in findings),
                detail,
                expired,
            )
        )
        return step
