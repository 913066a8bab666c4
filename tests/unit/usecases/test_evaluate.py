from dataclasses import replace

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import ClusterMatch, Policy, RuleSettings
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.evaluation import EvaluationContext
from emr_log_guard.usecases.evaluate import evaluate_cluster_now, evaluate_log_object_now
from emr_log_guard.usecases.read_cluster_facts import ReadClusterFacts
from tests.unit.builders import (
    ACCOUNT,
    CLUSTER_ID,
    NOW,
    REGION,
    a_cluster,
    an_exemption,
    encrypted,
    log_object_facts,
)
from tests.unit.usecases.world import World, runbook

CONTEXT = EvaluationContext(NOW, runbook)


def judged(world: World, policy: Policy) -> dict[str, Finding]:
    read_facts = ReadClusterFacts(world.keys, roles=world.roles, workloads=world.clusters)
    read_facts = replace(read_facts, bucket_owners=world.buckets)
    cluster = a_cluster(log_key_identifier=None)
    found = evaluate_cluster_now(cluster, read_facts, policy, CONTEXT)
    return {finding.rule_id: finding for finding in found}


def test_a_cluster_is_judged_as_the_policy_says_and_nothing_is_done() -> None:
    world = World()
    severe = {
        "EMRLOG-002": RuleSettings(severity=Severity.LOW),
        "EMRLOG-001": RuleSettings(enabled=False),
    }

    found = judged(world, Policy(rules=severe))

    assert "EMRLOG-001" not in found
    assert found["EMRLOG-002"].compliance is Compliance.NON_COMPLIANT
    assert found["EMRLOG-002"].severity is Severity.LOW
    assert world.journal == []


def test_an_exemption_is_marked() -> None:
    exemption = an_exemption(ClusterMatch(id=CLUSTER_ID), rules=["EMRLOG-002"])

    found = judged(World(), Policy(exemptions=(exemption,)))

    assert found["EMRLOG-002"].status is Status.EXEMPT
    assert found["EMRLOG-001"].status is Status.OPEN


def test_a_log_object_is_judged() -> None:
    facts = log_object_facts(encryption=encrypted("AES256"))

    findings = evaluate_log_object_now(facts, "999", "elsewhere", Policy(), CONTEXT)

    assert {f.rule_id: f.compliance for f in findings}["EMRLOG-101"] is Compliance.NON_COMPLIANT
    assert {f.cluster_arn for f in findings} == {a_cluster().arn}


def test_an_unknown_cluster_is_that_of_the_objects_account_and_region() -> None:
    unknown = Unresolved("elasticmapreduce:DescribeCluster answered: not valid")
    facts = log_object_facts(encryption=encrypted("AES256"), cluster=unknown, expected_key=unknown)

    findings = evaluate_log_object_now(facts, ACCOUNT, REGION, Policy(), CONTEXT)

    assert {f.cluster_arn for f in findings} == {a_cluster().arn}
    assert {f.cluster_name for f in findings} == {None}
