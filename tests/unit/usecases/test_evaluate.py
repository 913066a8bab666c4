from dataclasses import replace

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.keys import KeyState
from emr_log_guard.domain.policy import Policy, RuleSettings
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.evaluate import evaluate_cluster, evaluate_log_objects
from tests.unit.builders import (
    KEY,
    NOW,
    a_cluster,
    a_key,
    a_log_object,
    encrypted,
    log_object_facts,
)
from tests.unit.usecases.world import World, runbook

NO_KEY = a_cluster(log_key_identifier=None)
CONTEXT = EvaluationContext(Policy(), NOW, runbook)


def evaluated(
    world: World, known: ClusterSnapshot, context: EvaluationContext
) -> dict[str, Finding]:
    read_facts = ReadClusterFacts(
        world.keys, roles=world.roles, workloads=world.clusters, bucket_owners=world.buckets
    )
    evaluation = evaluate_cluster(known, read_facts, context)
    return {finding.rule_id: finding for finding in evaluation.findings}


def test_cluster_is_evaluated_under_the_policy_without_side_effects() -> None:
    world = World()
    settings = {
        "EMRLOG-002": RuleSettings(severity=Severity.LOW),
        "EMRLOG-001": RuleSettings(enabled=False),
    }

    found = evaluated(
        world, ClusterSnapshot(NO_KEY), replace(CONTEXT, policy=Policy(rules=settings))
    )

    assert "EMRLOG-001" not in found
    assert found["EMRLOG-002"].compliance is Compliance.NON_COMPLIANT
    assert found["EMRLOG-002"].severity is Severity.LOW
    assert world.journal == []


def test_only_facts_needed_by_the_selected_rules_are_read() -> None:
    world = World()

    found = evaluated(
        world,
        ClusterSnapshot(a_cluster()),
        replace(CONTEXT, selects=lambda rule: rule.id == "EMRLOG-005"),
    )

    assert list(found) == ["EMRLOG-005"]
    assert world.clusters.steps_asked == []


def test_finding_contains_the_launcher_of_the_cluster() -> None:
    found = evaluated(
        World(), ClusterSnapshot(NO_KEY, launched_by="arn:aws:iam::111122223333:user/a"), CONTEXT
    )

    assert {finding.launched_by for finding in found.values()} == {
        "arn:aws:iam::111122223333:user/a"
    }


def test_disabled_key_that_worked_violates_emrlog_201_and_not_emrlog_005() -> None:
    world = World()
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}

    found = evaluated(world, ClusterSnapshot(a_cluster(), log_key_worked=True), CONTEXT)

    assert found["EMRLOG-201"].compliance is Compliance.NON_COMPLIANT
    assert found["EMRLOG-005"].compliance is Compliance.NOT_APPLICABLE


def test_each_log_object_is_evaluated_and_reported_to_the_callback() -> None:
    good, bad = (
        log_object_facts(version=a_log_object("good")),
        log_object_facts(version=a_log_object("bad"), encryption=encrypted("AES256")),
    )
    noted: list[tuple[str, Compliance]] = []

    results = evaluate_log_objects(
        Subject.of(a_cluster()),
        [good, bad],
        CONTEXT,
        named=1,
        note=lambda facts, outcomes: noted.append((facts.version.key, outcomes["EMRLOG-101"])),
    )

    assert noted == [("good", Compliance.COMPLIANT), ("bad", Compliance.NON_COMPLIANT)]
    assert {each.finding.rule_id: each.bad for each in results}["EMRLOG-101"] == (bad.version,)
    assert evaluate_log_objects(Subject.of(a_cluster()), [], CONTEXT) == ()
