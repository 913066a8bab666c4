"""Evaluating an event here, with the caller's credentials: nothing is deployed, told or done."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import typer

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.aws_errors import AWS_ERRORS
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.s3 import S3Buckets, S3LogObjects
from emr_log_guard.cli.ending import fail
from emr_log_guard.config import runbook
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.findings import Finding, overall_of
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import ClusterNotFoundError, ObjectNotFoundError
from emr_log_guard.events.log_objects import LogObjectHint
from emr_log_guard.events.replay import ForCheckCluster, ForCheckLogObjects
from emr_log_guard.rendering.findings_text import findings_text
from emr_log_guard.rules.evaluation import EvaluationContext
from emr_log_guard.usecases.evaluate import evaluate_cluster_now, evaluate_log_object_now
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.read_log_object import ReadLogObject

_STATUS = {Compliance.NON_COMPLIANT: 1, Compliance.INSUFFICIENT_DATA: 3}
"""The exit status of a verdict; 0 for all others."""


@dataclass(frozen=True, slots=True)
class Here:
    """What this machine's credentials may read."""

    clusters: EmrClusters
    keys: KmsKeys
    roles: IamRoles
    objects: S3LogObjects
    buckets: S3Buckets

    @classmethod
    def now(cls) -> "Here":
        """Find credentials and a Region."""
        return cls(
            EmrClusters(clients.emr()),
            KmsKeys(clients.kms),
            IamRoles(clients.iam()),
            S3LogObjects(clients.s3()),
            S3Buckets(clients.s3()),
        )


def judge_here(what: ForCheckCluster | ForCheckLogObjects, policy: Policy) -> int:
    """Judge what the event points to, print what is found, and return the exit status."""
    try:
        found = list(_findings(Here.now(), what, policy))
    except (*AWS_ERRORS, ClusterNotFoundError) as error:
        fail(str(error))
    verdicts = []
    for findings in found:
        compliance = overall_of(findings)
        typer.echo(findings_text(findings, compliance))
        verdicts.append(compliance)
    return _STATUS.get(overall(verdicts), 0)


def _findings(
    here: Here, what: ForCheckCluster | ForCheckLogObjects, policy: Policy
) -> Iterator[tuple[Finding, ...]]:
    context = EvaluationContext(datetime.now(UTC), runbook)
    if isinstance(what, ForCheckLogObjects):
        for hint in what.hints:
            yield from _of_object(here, hint, policy, context)
        return
    cluster = here.clusters.describe(what.hint.cluster_id)
    context = EvaluationContext(context.now, runbook, what.hint.launched_by)
    read_facts = ReadClusterFacts(
        here.keys, roles=here.roles, workloads=here.clusters, bucket_owners=here.buckets
    )
    yield evaluate_cluster_now(cluster, read_facts, policy, context)


def _of_object(
    here: Here, hint: LogObjectHint, policy: Policy, context: EvaluationContext
) -> Iterator[tuple[Finding, ...]]:
    try:
        read = ReadLogObject(here.clusters, here.objects, here.keys, here.clusters)
        facts = read.under(policy)(hint.version)
    except ObjectNotFoundError:
        typer.echo(f"{hint.version} is gone: there is nothing to judge.")
        return
    if facts is None:
        typer.echo(f"{hint.version} is no cluster's log.")
        return
    typer.echo(f"{hint.version}")
    yield evaluate_log_object_now(facts, hint.account, hint.region, policy, context)
