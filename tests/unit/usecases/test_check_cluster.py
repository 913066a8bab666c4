import pytest

from emr_log_guard.domain.clusters import Cluster, Session, Step
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decide import NextStep, RequestEnforcement
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.policy import Policy, RuleSettings
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import ClusterNotFoundError
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    CLUSTER_ID,
    KEY,
    NODE_ROLE_ARN,
    SERVICE_ROLE_ARN,
    UNREADABLE,
    a_cluster,
    a_key,
    a_policy,
)
from tests.unit.usecases.world import World

NO_KEY = a_cluster(log_key_identifier=None)
NO_LOGS = a_cluster(log_uri=None, log_key_identifier=None)
SENT = ["publish finding.opened", "send"]
TOLD = ["publish finding.opened"]


def test_a_compliant_cluster_is_left_in_peace(world: World) -> None:
    checked = world.check_cluster(CLUSTER_ID)

    assert checked.summary() == {
        "cluster_id": CLUSTER_ID,
        "compliance": "COMPLIANT",
        "rules": {f"EMRLOG-00{n}": "COMPLIANT" for n in (1, 2, 3, 4, 5, 7, 9)},
        "actions": [],
    }
    assert world.journal == []


@pytest.mark.parametrize(
    ("cluster", "key", "rule_id", "compliance", "done"),
    [
        (NO_LOGS, KEY, "EMRLOG-001", Compliance.NON_COMPLIANT, TOLD),
        (NO_KEY, KEY, "EMRLOG-002", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(release_label="emr-6.0.0"), KEY, "EMRLOG-003", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(), AWS_MANAGED, "EMRLOG-004", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(), a_key(state=KeyState.DISABLED), "EMRLOG-005", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(), UNREADABLE, "EMRLOG-005", Compliance.INSUFFICIENT_DATA, TOLD),
        (a_cluster(release_label="emr-x"), KEY, "EMRLOG-003", Compliance.INSUFFICIENT_DATA, TOLD),
    ],
)
def test_in_enforce_mode_only_what_is_proven_grave_is_handed_on(  # noqa: PLR0913, PLR0917 - a table
    world: World,
    cluster: Cluster,
    key: KeyFact,
    rule_id: str,
    compliance: Compliance,
    done: list[str],
) -> None:
    world.clusters.known = {CLUSTER_ID: cluster}
    world.keys.facts = {KEY.arn: key}

    checked = world.check_cluster(CLUSTER_ID)

    found = {finding.rule_id: finding.compliance for finding in checked.findings}
    assert found[rule_id] is compliance
    assert world.journal == done


def test_the_alert_comes_before_the_request(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    world.check_cluster(CLUSTER_ID)

    assert world.journal == ["publish finding.opened", "send"]
    assert world.queue.sent == [RequestEnforcement(NO_KEY.arn)]
    assert world.alerts.published[0].next_step is NextStep.TERMINATION_REQUESTED


@pytest.mark.parametrize(
    ("policy", "done"),
    [
        (a_policy(Mode.OBSERVE), []),
        (a_policy(Mode.ALERT), TOLD),
        (a_policy(Mode.ENFORCE, allowed=False), TOLD),
        (a_policy(Mode.ENFORCE), SENT),
    ],
)
def test_the_mode_decides_what_is_done(world: World, policy: Policy, done: list[str]) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.policy = policy

    checked = world.check_cluster(CLUSTER_ID)

    assert checked.summary()["compliance"] == "NON_COMPLIANT"
    assert world.journal == done


def test_what_is_observed_is_written_down(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.policy = a_policy(Mode.OBSERVE)
    caplog.set_level("INFO")

    world.check_cluster(CLUSTER_ID)

    (record,) = [r for r in caplog.records if r.message == "cluster checked"]
    assert record.__dict__["compliance"] == "NON_COMPLIANT"
    assert [f["rule_id"] for f in record.__dict__["findings"]] == ["EMRLOG-002"]


def test_nothing_is_handed_on_when_the_alert_fails(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.alerts.failure = ConnectionError("SNS is away")

    with pytest.raises(ConnectionError, match="SNS is away"):
        world.check_cluster(CLUSTER_ID)

    assert world.queue.sent == []


def test_a_cluster_that_vanished_is_an_error(world: World) -> None:
    with pytest.raises(ClusterNotFoundError):
        world.check_cluster("j-GONE")

    assert world.journal == []


def test_the_same_event_again_asks_for_the_same(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    for _ in range(2):
        world.check_cluster(CLUSTER_ID)

    first, second = world.alerts.published
    assert first == second


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        (a_cluster(service_role=None), "EMR names no service role"),
        (a_cluster(instance_profile=None), "EMR names no instance profile"),
    ],
)
def test_a_role_that_emr_does_not_name_is_doubt(world: World, cluster: Cluster, told: str) -> None:
    world.clusters.known = {CLUSTER_ID: cluster}

    world.check_cluster(CLUSTER_ID)

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.summary) == ("EMRLOG-007", told)


def test_roles_are_asked_for_their_own_action_on_the_key(world: World) -> None:
    world.check_cluster(CLUSTER_ID)

    assert sorted(world.roles.asked) == sorted(
        [
            "EMR_DefaultRole",
            "EMR_EC2_DefaultRole",
            f"{SERVICE_ROLE_ARN} kms:DescribeKey {KEY.arn}",
            f"{NODE_ROLE_ARN} kms:GenerateDataKey {KEY.arn}",
        ]
    )


@pytest.mark.parametrize(
    "key", [AWS_MANAGED, a_key(state=KeyState.DISABLED), a_key(spec="RSA_2048"), UNREADABLE]
)
def test_roles_are_not_asked_about_a_key_that_no_role_could_use(world: World, key: KeyFact) -> None:
    world.keys.facts = {KEY.arn: key}

    world.check_cluster(CLUSTER_ID)

    assert world.roles.asked == world.keys.policies_asked == []


@pytest.mark.parametrize(
    ("decision", "compliance"),
    [
        (IdentityDecision.IMPLICIT_DENY, Compliance.NON_COMPLIANT),
        (Unresolved("iam:SimulatePrincipalPolicy answered Throttling"), "INSUFFICIENT_DATA"),
    ],
)
def test_what_the_roles_may_is_judged(
    world: World, decision: IdentityDecision | Unresolved, compliance: Compliance
) -> None:
    world.roles.decision = decision

    checked = world.check_cluster(CLUSTER_ID)

    assert checked.findings[6].compliance == compliance
    assert world.journal == TOLD


def test_a_key_policy_that_cannot_be_read_is_doubt(world: World) -> None:
    world.keys.document = UNREADABLE

    assert world.check_cluster(CLUSTER_ID).findings[6].summary == UNREADABLE.reason


@pytest.mark.parametrize(
    ("approved", "asked", "compliance"),
    [
        ((KEY.arn,), [KEY.arn], Compliance.COMPLIANT),
        (("alias/emr-logs",), [KEY.arn, "alias/emr-logs"], Compliance.COMPLIANT),
        (("alias/gone",), [KEY.arn, "alias/gone"], Compliance.INSUFFICIENT_DATA),
        (("alias/secret",), [KEY.arn, "alias/secret"], Compliance.INSUFFICIENT_DATA),
    ],
)
def test_approved_keys_are_resolved_unless_they_are_key_arns(
    world: World, approved: tuple[str, ...], asked: list[str], compliance: Compliance
) -> None:
    world.keys.facts = {KEY.arn: KEY, "alias/emr-logs": KEY, "alias/secret": UNREADABLE}
    world.policy = Policy(Mode.ALERT, approved)

    checked = world.check_cluster(CLUSTER_ID)

    assert checked.findings[5].compliance is compliance
    assert world.keys.asked == asked


@pytest.mark.parametrize("launcher", [None, "arn:aws:sts::111122223333:assumed-role/Data/jane"])
def test_findings_name_who_launched_the_cluster_when_that_is_known(
    world: World, launcher: str | None
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    checked = world.check_cluster(CLUSTER_ID, launcher)

    assert {finding.launched_by for finding in checked.findings} == {launcher}
    assert {f.launched_by for f in world.alerts.published[0].findings} == {launcher}


def test_a_step_that_overrides_the_key_is_found_with_one_question_a_key(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    own = AWS_MANAGED.arn
    world.clusters.listed = (
        Step("s-1", "bad", None, own),
        Step("s-2", "bad again", "s3://elsewhere/", own),
        Step("s-3", "elsewhere", "s3://elsewhere/"),
        Step("s-4", "the same", None, KEY.arn),
    )

    world.check_cluster(CLUSTER_ID)

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-008", Compliance.NON_COMPLIANT)
    assert finding.evidence["steps"] == (
        f"s-1: s3n://example-logs/emr/, {own}",
        f"s-2: s3://elsewhere/, {own}",
        f"s-3: s3://elsewhere/, {KEY.arn}",
        f"s-4: s3n://example-logs/emr/, {KEY.arn}",
    )
    assert world.journal == SENT
    assert world.clusters.asked == world.clusters.steps_asked == [CLUSTER_ID]
    assert world.keys.asked == [KEY.arn, own]


def test_steps_that_cannot_be_listed_are_told_and_nobody_is_ended(world: World) -> None:
    world.clusters.listed = Unresolved("elasticmapreduce:ListSteps answered Throttling")

    world.check_cluster(CLUSTER_ID)

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-008", Compliance.INSUFFICIENT_DATA)
    assert world.journal == TOLD


@pytest.mark.parametrize(
    ("enabled", "asked"), [(True, [KEY.arn, ANOTHER_KEY.arn]), (False, [KEY.arn])]
)
def test_the_key_of_cloudwatch_logs_is_read_where_there_are_such_logs(
    world: World, *, enabled: bool, asked: list[str]
) -> None:
    world.clusters.known = {
        CLUSTER_ID: a_cluster(cloudwatch_logs=enabled, cloudwatch_key_identifier=ANOTHER_KEY.arn)
    }

    world.check_cluster(CLUSTER_ID)

    assert world.keys.asked == asked


def with_rule(rule_id: str) -> Policy:
    return Policy(rules={rule_id: RuleSettings(enabled=True)})


@pytest.mark.parametrize(
    ("listed", "asked"), [((), ["example-logs", "elsewhere"]), (("example-logs",), None)]
)
def test_each_bucket_that_logs_go_to_is_asked_once(
    world: World, listed: tuple[str, ...], asked: list[str] | None
) -> None:
    world.checked_buckets = listed
    world.clusters.listed = (
        Step("s-1", "a", "s3://elsewhere/a/"),
        Step("s-2", "b", "s3://elsewhere/b/"),
        Step("s-3", "c", "s3://example-logs/c/"),
    )

    world.check_cluster(CLUSTER_ID)

    assert world.buckets.asked == ["example-logs", "elsewhere"]
    told = [f.summary for alert in world.alerts.published for f in alert.findings]
    assert told == (
        []
        if asked
        else ["log objects are not checked: elsewhere is none of the stack's LogBuckets"]
    )


def test_a_silent_log_bucket_is_told_and_nobody_is_ended(world: World) -> None:
    world.buckets.sending = False

    world.check_cluster(CLUSTER_ID)

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-009", Compliance.NON_COMPLIANT)
    assert world.journal == TOLD


def test_without_the_rules_about_them_neither_steps_nor_buckets_are_read(world: World) -> None:
    off = {rule_id: RuleSettings(enabled=False) for rule_id in ("EMRLOG-008", "EMRLOG-009")}
    world.policy = Policy(rules=off)

    world.check_cluster(CLUSTER_ID)

    assert world.clusters.steps_asked == world.buckets.asked == []


@pytest.mark.parametrize("rotated", [True, False])
def test_rotation_is_read_where_the_policy_asks_for_it(world: World, *, rotated: bool) -> None:
    world.policy = with_rule("EMRLOG-011")
    world.keys.facts = {KEY.arn: KEY}
    world.keys.rotated = rotated

    checked = world.check_cluster(CLUSTER_ID)

    (outcome,) = [f.compliance for f in checked.findings if f.rule_id == "EMRLOG-011"]
    assert outcome is (Compliance.COMPLIANT if rotated else Compliance.NON_COMPLIANT)
    assert world.keys.rotations_asked == [KEY.arn]


def test_rotation_is_not_read_where_nobody_asks_or_kms_rotates_nothing(world: World) -> None:
    world.check_cluster(CLUSTER_ID)
    world.policy = with_rule("EMRLOG-011")
    world.keys.facts = {KEY.arn: a_key(origin="EXTERNAL")}
    world.check_cluster(CLUSTER_ID)

    assert world.keys.rotations_asked == []


def test_sessions_are_read_only_where_the_cluster_has_them_enabled(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    world.clusters.listed_sessions = (Session("is-1", "ide", None, AWS_MANAGED.arn),)

    assert world.check_cluster(CLUSTER_ID).summary()["compliance"] == "COMPLIANT"
    assert world.clusters.sessions_asked == []

    world.clusters.known = {CLUSTER_ID: a_cluster(sessions_enabled=True)}
    world.check_cluster(CLUSTER_ID)

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert finding.summary.startswith("session is-1 (ide): ")
    assert finding.evidence["sessions"] == (f"is-1: s3n://example-logs/emr/, {AWS_MANAGED.arn}",)
    assert world.journal == SENT
