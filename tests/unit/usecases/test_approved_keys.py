from dataclasses import replace

import pytest

from emr_log_guard.domain.clusters import Step
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.findings import Finding, Outcome
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rules import CLUSTER_RULES
from emr_log_guard.rules.emrlog_006_log_key_approved import RULE as RULE_006
from emr_log_guard.rules.emrlog_103_log_object_cluster_key import RULE as RULE_103
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.usecases.evaluate import evaluate_log_objects
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    NOW,
    OTHER_ACCOUNT,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    a_log_object,
    a_policy,
    encrypted,
    key_arn,
)
from tests.unit.usecases.world import World

KEY_ID = KEY.arn.rpartition("/")[2]
ANOTHER_ID = ANOTHER_KEY.arn.rpartition("/")[2]
MISTYPED = key_arn("1234abcd-12ab-34cd-56ef-1234567890ac")
NO_KEY = a_cluster(log_key_identifier=None)


def by_rule_006(world: World, log_key: str = KEY.arn) -> Outcome:
    """Evaluate a cluster with this log key by EMRLOG-006, and write nothing down."""
    read = world.check_cluster.read_facts.under(world.policy, [rule.id for rule in CLUSTER_RULES])
    return RULE_006.check(read(a_cluster(log_key_identifier=log_key)))


@pytest.mark.parametrize(
    ("approved", "asked", "compliance"),
    [
        ((KEY.arn, "alias/secret", ANOTHER_KEY.arn), [KEY.arn], Compliance.COMPLIANT),
        ((KEY_ID.upper(),), [KEY.arn], Compliance.COMPLIANT),
        ((MISTYPED,), [KEY.arn, MISTYPED], Compliance.INSUFFICIENT_DATA),
        ((ANOTHER_KEY.arn,), [KEY.arn, ANOTHER_KEY.arn], Compliance.NON_COMPLIANT),
        (
            (ANOTHER_KEY.arn, "alias/emr-logs"),
            [KEY.arn, ANOTHER_KEY.arn, "alias/emr-logs"],
            Compliance.COMPLIANT,
        ),
    ],
)
def test_approved_keys_are_resolved_only_when_no_identifier_matches(
    world: World, approved: tuple[str, ...], asked: list[str], compliance: Compliance
) -> None:
    world.keys.facts = {
        KEY.arn: KEY,
        ANOTHER_KEY.arn: ANOTHER_KEY,
        "alias/emr-logs": KEY,
        "alias/secret": UNREADABLE,
    }
    world.policy = Policy(Mode.ALERT, approved)

    assert by_rule_006(world).compliance is compliance
    assert world.keys.asked == asked


def test_only_aliases_are_resolved_for_the_fix_when_the_cluster_has_no_key(
    world: World,
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.keys.facts = {"alias/emr-logs": KEY}
    world.policy = Policy(Mode.ALERT, ("alias/emr-logs", ANOTHER_KEY.arn))

    checked = world.check()

    assert world.keys.asked == ["alias/emr-logs"]
    assert KEY.arn in checked.findings[1].remediation


@pytest.mark.parametrize("record", ["alias/emr-logs", ANOTHER_KEY.arn, ANOTHER_ID])
def test_deleted_approved_key_with_a_known_target_still_rejects_other_keys(
    world: World, record: str
) -> None:
    world.keys.facts = {KEY.arn: KEY, record: ANOTHER_KEY}
    world.policy = Policy(Mode.ALERT, (record,))
    assert by_rule_006(world).compliance is Compliance.NON_COMPLIANT

    world.keys.facts = {KEY.arn: KEY}  # it is deleted, or KMS is late
    outcome = by_rule_006(world)

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.once_lasting is Compliance.NON_COMPLIANT
    assert f"{record}, which was {ANOTHER_KEY.arn}" in outcome.summary


def test_last_target_of_a_deleted_alias_is_undetermined(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, "alias/emr-logs": KEY}
    world.policy = Policy(Mode.ALERT, ("alias/emr-logs",))
    assert by_rule_006(world).compliance is Compliance.COMPLIANT

    world.keys.facts = {KEY.arn: KEY}
    outcome = by_rule_006(world)

    assert (outcome.compliance, outcome.broken) == (Compliance.INSUFFICIENT_DATA, False)


def test_key_is_undetermined_when_an_approved_alias_was_never_resolved(world: World) -> None:
    world.policy = Policy(Mode.ALERT, ("alias/emr-logs",))

    outcome = by_rule_006(world)

    assert (outcome.compliance, outcome.once_lasting) == (Compliance.INSUFFICIENT_DATA, None)


def test_stored_alias_target_follows_the_alias(world: World) -> None:
    world.policy = Policy(Mode.ALERT, ("alias/emr-logs",))
    for target in (KEY, KEY, ANOTHER_KEY):
        world.keys.facts = {KEY.arn: KEY, "alias/emr-logs": target}
        world.check()

    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/emr-logs"
    assert world.targets.read() == {alias: ANOTHER_KEY.arn}


def test_unreadable_unapproved_key_of_another_account_leads_to_termination(
    world: World,
) -> None:
    theirs = key_arn(account=OTHER_ACCOUNT)
    world.clusters.known = {CLUSTER_ID: a_cluster(log_key_identifier=theirs)}
    world.keys.facts = {theirs: UNREADABLE, KEY.arn: KEY}
    world.policy = replace(a_policy(), approved_keys=(KEY.arn,))

    checked = world.check()

    by_rule = {each.rule_id: each.compliance for each in checked.findings}
    assert by_rule["EMRLOG-006"] is Compliance.NON_COMPLIANT
    assert by_rule["EMRLOG-004"] is by_rule["EMRLOG-005"] is Compliance.INSUFFICIENT_DATA
    assert len(world.queue.sent) == 1


def of_object(world: World, key_arn: str) -> Finding:
    """Evaluate one log object under a key by EMRLOG-103."""
    version = a_log_object()
    world.objects.heads = {version.key: encrypted("aws:kms", key_arn)}
    facts = world.read_object.under(world.policy)(version)
    assert facts is not None
    context = EvaluationContext(world.policy, NOW, str, lambda rule: rule == RULE_103)
    (result,) = evaluate_log_objects(Subject.of(a_cluster()), [facts], context)
    return result.finding


@pytest.mark.parametrize("log_key", [None, ANOTHER_KEY.arn])
def test_object_with_an_unapproved_key_does_not_comply(world: World, log_key: str | None) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster(log_key_identifier=log_key)}
    world.keys.facts = {each.arn: each for each in (KEY, ANOTHER_KEY)}
    world.policy = Policy(Mode.ALERT, (KEY.arn,))

    finding = of_object(world, ANOTHER_KEY.arn)

    assert finding.compliance is Compliance.NON_COMPLIANT
    assert "not one of the approved keys" in finding.summary


def test_object_with_an_approved_key_needs_no_further_reads(world: World) -> None:
    world.policy = Policy(Mode.ALERT, ("alias/secret", KEY.arn))

    assert of_object(world, KEY.arn).compliance is Compliance.COMPLIANT
    assert world.keys.asked == [KEY.arn]
    assert world.table.calls == []


ALIASED = a_cluster(log_key_identifier="alias/emr-logs")


@pytest.mark.parametrize(
    ("approved", "compliance"),
    [
        ((), Compliance.COMPLIANT),
        ((KEY.arn, ANOTHER_KEY.arn), Compliance.COMPLIANT),
        (("alias/emr-logs",), Compliance.NON_COMPLIANT),
    ],
)
def test_older_object_may_have_the_former_target_of_the_cluster_alias(
    world: World, approved: tuple[str, ...], compliance: Compliance
) -> None:
    world.clusters.known = {CLUSTER_ID: ALIASED}
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY, "alias/emr-logs": KEY}
    world.check()

    world.keys.facts = {**world.keys.facts, "alias/emr-logs": ANOTHER_KEY}
    world.policy = Policy(Mode.ALERT, approved)

    assert of_object(world, KEY.arn).compliance is compliance


def test_log_of_a_session_may_have_the_former_key(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: replace(ALIASED, sessions_enabled=True)}
    world.keys.facts = {KEY.arn: KEY, "alias/emr-logs": ANOTHER_KEY}
    world.repository.write_snapshot(ClusterSnapshot(ALIASED, keys=(KEY.arn,)), None)

    assert of_object(world, KEY.arn).compliance is Compliance.COMPLIANT


def test_key_that_the_cluster_never_used_is_not_a_former_key(world: World) -> None:
    third = a_key(arn=MISTYPED)
    world.clusters.known = {CLUSTER_ID: ALIASED}
    world.keys.facts = {third.arn: third, "alias/emr-logs": ANOTHER_KEY}

    assert of_object(world, third.arn).compliance is Compliance.NON_COMPLIANT
    world.repository.write_snapshot(ClusterSnapshot(ALIASED, keys=(KEY.arn,)), None)
    assert of_object(world, third.arn).compliance is Compliance.NON_COMPLIANT


def test_key_named_by_its_arn_has_no_former_key(world: World) -> None:
    step = Step("s-2", "load", None, ANOTHER_KEY.arn)
    world.clusters.listed = (step,)
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    world.repository.write_snapshot(
        ClusterSnapshot(a_cluster(), keys=(KEY.arn, ANOTHER_KEY.arn)), None
    )

    assert of_object(world, ANOTHER_KEY.arn).compliance is Compliance.NON_COMPLIANT
    assert "Query" not in world.table.calls


def test_older_object_with_the_former_key_does_not_comply_without_histories(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: ALIASED}
    world.keys.facts = {KEY.arn: KEY, "alias/emr-logs": ANOTHER_KEY}
    world.repository.write_snapshot(ClusterSnapshot(ALIASED, keys=(KEY.arn,)), None)
    version = a_log_object()

    facts = replace(world.read_object, histories=None)(version)

    assert facts is not None
    assert RULE_103.check(facts).compliance is Compliance.NON_COMPLIANT
