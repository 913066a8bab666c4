from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from emr_log_guard.domain.clusters import Cluster, Session, Step, StepState
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decide import AlertKind, NextStep, RequestEnforcement
from emr_log_guard.domain.finding_record import LEASE, ClusterSnapshot, FindingRecord, Kind, Lease
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.policy import Enforcement, Policy, RuleSettings
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import AlertInProgressError, ClusterNotFoundError, WriteConflictError
from emr_log_guard.events.emr import ClusterCheckRequest
from emr_log_guard.observability import metrics, record_open
from emr_log_guard.rules import ALL_RULES
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    AWS_MANAGED,
    CLUSTER_ID,
    KEY,
    NODE_ROLE_ARN,
    NOW,
    SERVICE_ROLE_ARN,
    UNREADABLE,
    a_cluster,
    a_finding,
    a_key,
    a_policy,
    an_exemption,
)
from tests.unit.usecases.world import World

NO_KEY = a_cluster(log_key_identifier=None)
NO_LOGS = a_cluster(log_uri=None, log_key_identifier=None)
SENT = ["publish finding.opened", "send"]
ALERTED = ["publish finding.opened"]


def test_compliant_cluster_leads_to_no_action(world: World) -> None:
    checked = world.check()

    assert checked.summary() == {
        "cluster_id": CLUSTER_ID,
        "state": "RUNNING",
        "compliance": "COMPLIANT",
        "rules": {f"EMRLOG-{n:03}": "COMPLIANT" for n in (1, 2, 3, 4, 5, 7, 13)},
        "actions": [],
    }
    assert world.journal == []


@pytest.mark.parametrize(
    ("cluster", "key", "rule_id", "compliance", "done"),
    [
        (NO_LOGS, KEY, "EMRLOG-001", Compliance.NON_COMPLIANT, ALERTED),
        (NO_KEY, KEY, "EMRLOG-002", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(release_label="emr-6.0.0"), KEY, "EMRLOG-003", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(), AWS_MANAGED, "EMRLOG-004", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(), a_key(state=KeyState.DISABLED), "EMRLOG-005", Compliance.NON_COMPLIANT, SENT),
        (a_cluster(), UNREADABLE, "EMRLOG-005", Compliance.INSUFFICIENT_DATA, ALERTED),
        (
            a_cluster(release_label="emr-x"),
            KEY,
            "EMRLOG-003",
            Compliance.INSUFFICIENT_DATA,
            ALERTED,
        ),
    ],
)
def test_enforce_mode_requests_termination_only_for_proven_severe_violations(  # noqa: PLR0913, PLR0917 - a table
    world: World,
    cluster: Cluster,
    key: KeyFact,
    rule_id: str,
    compliance: Compliance,
    done: list[str],
) -> None:
    world.clusters.known = {CLUSTER_ID: cluster}
    world.keys.facts = {KEY.arn: key}

    checked = world.check()

    found = {finding.rule_id: finding.compliance for finding in checked.findings}
    assert found[rule_id] is compliance
    assert world.journal == done


def test_alert_is_published_before_the_enforcement_request(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    world.check()

    assert world.journal == ["publish finding.opened", "send"]
    assert world.queue.sent == [RequestEnforcement(NO_KEY.arn)]
    assert world.alerts.published[0].next_step is NextStep.TERMINATION_REQUESTED


@pytest.mark.parametrize(
    ("policy", "done"),
    [
        (a_policy(Mode.OBSERVE), []),
        (a_policy(Mode.ALERT), ALERTED),
        (a_policy(Mode.ENFORCE, allowed=False), ALERTED),
        (a_policy(Mode.ENFORCE), SENT),
    ],
)
def test_mode_decides_between_no_action_alert_and_request(
    world: World, policy: Policy, done: list[str]
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.policy = policy

    checked = world.check()

    assert checked.summary()["compliance"] == "NON_COMPLIANT"
    assert world.journal == done


def test_observe_mode_logs_the_findings(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.policy = a_policy(Mode.OBSERVE)
    caplog.set_level("INFO")

    world.check()

    (record,) = [r for r in caplog.records if r.message == "cluster checked"]
    assert record.__dict__["compliance"] == "NON_COMPLIANT"
    assert [f["rule_id"] for f in record.__dict__["findings"]] == ["EMRLOG-002"]


def test_no_enforcement_is_requested_when_the_alert_fails(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.alerts.failure = ConnectionError("SNS is away")

    with pytest.raises(ConnectionError, match="SNS is away"):
        world.check()

    assert world.queue.sent == []


def test_unknown_cluster_raises_cluster_not_found(world: World) -> None:
    with pytest.raises(ClusterNotFoundError):
        world.check_cluster(ClusterCheckRequest("j-MISSING"))

    assert world.journal == []


def test_hundred_equal_events_cause_one_alert_one_request_and_five_writes(
    world: World,
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    for _ in range(100):
        world.check()

    assert world.journal == SENT
    # The cluster, the finding with its lease, the decision, the notification, the request; and its
    # log bucket is read once.
    assert world.table.counts == {"Query": 102, "PutItem": 5}


def test_compliant_cluster_is_written_once_and_queried_at_each_check(
    world: World,
) -> None:
    for _ in range(3):
        world.check()

    assert world.table.counts == {"Query": 4, "PutItem": 2}


@pytest.mark.parametrize("state", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_terminated_cluster_resolves_its_alerted_findings_once(world: World, state: str) -> None:
    world.clusters.known = {CLUSTER_ID: NO_LOGS}
    world.check()
    world.clusters.known = {CLUSTER_ID: replace(NO_LOGS, state=state)}

    for _ in range(3):
        world.check()

    assert world.journal == [*ALERTED, "publish finding.resolved"]
    assert world.alerts.published[-1].next_step is NextStep.CLUSTER_TERMINATED


def test_every_alert_contains_the_tags_of_the_cluster(world: World) -> None:
    tags = {"team": "data"}
    world.clusters.known = {CLUSTER_ID: replace(NO_LOGS, tags=tags)}
    world.check()
    world.clusters.known = {CLUSTER_ID: replace(NO_LOGS, tags=tags, state="TERMINATED")}
    world.check()

    assert [alert.cluster_tags for alert in world.alerts.published] == [tags, tags]


def test_violation_of_a_cluster_first_seen_terminated_is_alerted_and_then_resolved(
    world: World,
) -> None:
    world.clusters.known = {CLUSTER_ID: replace(NO_KEY, state="TERMINATED")}

    for _ in range(3):
        world.check()

    assert world.kinds == ["finding.opened", "finding.resolved"]
    assert world.alerts.published[0].next_step is NextStep.CLUSTER_TERMINATED
    assert world.queue.sent == []


def test_enabled_key_resolves_the_finding_and_a_key_disabled_again_reopens_it(world: World) -> None:
    turns = (KeyState.DISABLED, KeyState.ENABLED) * 2
    for state in (*turns, KeyState.DISABLED):
        world.keys.facts = {KEY.arn: a_key(state=state)}
        world.check()
        world.now += timedelta(minutes=1)

    notified = [(alert.kind, alert.findings[0].rule_id) for alert in world.alerts.published]
    assert notified == [
        ("finding.opened", "EMRLOG-005"),
        ("finding.resolved", "EMRLOG-005"),
        ("finding.opened", "EMRLOG-201"),  # it had worked by then
        ("finding.resolved", "EMRLOG-201"),
        ("finding.reopened", "EMRLOG-201"),
    ]


def test_open_finding_causes_one_reminder_a_day(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    notified = {}
    for hour in range(50):
        world.check()
        notified[hour] = world.kinds
        world.alerts.published.clear()
        world.now += timedelta(hours=1)

    reminder = ["finding.reminder"]
    heard = {hour: kinds for hour, kinds in notified.items() if kinds}
    assert heard == {0: ["finding.opened"], 24: reminder, 48: reminder}


def test_reminder_contains_when_the_finding_was_first_seen(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.check()
    world.now += timedelta(hours=24)
    world.check()

    assert world.kinds == ["finding.opened", "finding.reminder"]
    assert world.alerts.published[-1].findings[0].first_seen == NOW


def test_undetermined_finding_is_alerted_again_once_proven_and_stays_proven(
    world: World,
) -> None:
    def heard(key: KeyFact) -> list[tuple[str, str, str]]:
        world.keys.facts = {KEY.arn: key}
        world.alerts.published.clear()
        world.passes(minutes=10)
        world.check()
        alerts = world.alerts.published
        return [(a.kind, f.rule_id, f.compliance) for a in alerts for f in a.findings]

    world.policy = replace(a_policy(Mode.ALERT), rules=only("EMRLOG-004"))

    doubt = [("finding.opened", "EMRLOG-004", "INSUFFICIENT_DATA")]
    proof = [("finding.opened", "EMRLOG-004", "NON_COMPLIANT")]
    assert [heard(key) for key in (UNREADABLE, UNREADABLE, AWS_MANAGED, UNREADABLE)] == [
        doubt,
        [],
        proof,
        [],
    ]
    finding = world.records["EMRLOG-004"].finding
    assert (finding.compliance, finding.status) == (Compliance.NON_COMPLIANT, Status.OPEN)


def only(rule_id: str) -> dict[str, RuleSettings]:
    """Switch every other rule off."""
    return {rule.id: RuleSettings(enabled=rule.id == rule_id) for rule in ALL_RULES}


def test_enforcement_is_requested_again_only_after_an_interval(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    for _ in range(12):
        world.check()
        world.now += timedelta(minutes=1)

    assert world.journal == [*SENT, "send"]


def test_failed_alert_is_sent_by_a_retry_after_the_lease_expires(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.alerts.failure = ConnectionError("SNS is away")
    with pytest.raises(ConnectionError):
        world.check()
    world.alerts.failure = None
    (decision,) = world.repository.decisions(CLUSTER_ID)
    assert decision.decided[0].startswith("notify finding.opened of EMRLOG-002")

    with pytest.raises(AlertInProgressError):
        world.check()
    assert not world.alerts.published
    world.now += LEASE
    world.check()

    assert [alert.kind for alert in world.alerts.published] == ["finding.opened"]


def test_late_notifier_keeps_what_another_invocation_wrote_since(world: World) -> None:
    """A slow teller's claim ran out, and another has taken it upon itself since."""
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    theirs = Lease("another", NOW + 2 * LEASE)
    world.table.before_put = [
        lambda: world.repository.write(replace(world.records["EMRLOG-002"], lease=theirs)),
        *[lambda: None] * 3,  # the cluster, the entry and the decision
    ]

    world.check()

    assert world.table.before_put == []
    record = world.records["EMRLOG-002"]
    assert record.last_notified is not None
    assert record.last_notified.at == NOW
    assert record.lease == theirs


def test_unavailable_table_prevents_alerts_and_terminations(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.table.failure = ConnectionError("DynamoDB is away")

    with pytest.raises(ConnectionError):
        world.check()

    assert world.journal == []


@pytest.mark.parametrize(
    ("cluster", "notified"),
    [
        (a_cluster(service_role=None), "EMR names no service role"),
        (a_cluster(instance_profile=None), "EMR names no instance profile"),
    ],
)
def test_role_not_named_by_emr_is_undetermined(
    world: World, cluster: Cluster, notified: str
) -> None:
    world.clusters.known = {CLUSTER_ID: cluster}

    world.check()

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.summary) == ("EMRLOG-007", notified)


def test_each_role_is_simulated_with_its_own_action_on_the_key(world: World) -> None:
    world.check()

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
def test_roles_are_not_simulated_for_an_unusable_key(world: World, key: KeyFact) -> None:
    world.keys.facts = {KEY.arn: key}

    world.check()

    assert world.roles.asked == world.keys.policies_asked == []


@pytest.mark.parametrize(
    ("decision", "compliance"),
    [
        (IdentityDecision.IMPLICIT_DENY, Compliance.NON_COMPLIANT),
        (Unresolved("iam:SimulatePrincipalPolicy answered Throttling"), "INSUFFICIENT_DATA"),
    ],
)
def test_access_of_the_roles_to_the_key_is_evaluated(
    world: World, decision: IdentityDecision | Unresolved, compliance: Compliance
) -> None:
    world.roles.decision = decision

    checked = world.check()

    assert checked.findings[6].compliance == compliance
    assert world.journal == ALERTED


def test_a_key_policy_that_cannot_be_read_is_undetermined(world: World) -> None:
    world.keys.document = UNREADABLE

    assert world.check().findings[6].summary == UNREADABLE.reason


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

    checked = world.check()

    assert checked.findings[5].compliance is compliance
    assert world.keys.asked == asked


@pytest.mark.parametrize("launcher", [None, "arn:aws:sts::111122223333:assumed-role/Data/jane"])
def test_findings_contain_the_launcher_of_the_cluster_if_known(
    world: World, launcher: str | None
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    checked = world.check(launcher)

    assert {finding.launched_by for finding in checked.findings} == {launcher}
    assert {f.launched_by for f in world.alerts.published[0].findings} == {launcher}


def test_step_that_overrides_the_key_is_found_and_each_key_is_read_once(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    own = AWS_MANAGED.arn
    world.clusters.listed = (
        Step("s-4", "the same", None, KEY.arn),
        Step("s-3", "elsewhere", "s3://elsewhere/"),
        Step("s-2", "bad again", "s3://elsewhere/", own),
        Step("s-1", "bad", None, own),
    )

    world.check()

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-008", Compliance.NON_COMPLIANT)
    assert finding.evidence["steps"] == (
        f"s-1: s3n://example-logs/emr/, {own}, RUNNING",
        f"s-2: s3://elsewhere/, {own}, RUNNING",
        f"s-3: s3://elsewhere/, {KEY.arn}, RUNNING",
        f"s-4: s3n://example-logs/emr/, {KEY.arn}, RUNNING",
    )
    assert world.journal == SENT
    assert world.clusters.asked == world.clusters.steps_asked == [CLUSTER_ID]
    assert world.keys.asked == [KEY.arn, own]


def test_unlistable_steps_cause_an_alert_and_no_termination(world: World) -> None:
    world.clusters.listed = Unresolved("elasticmapreduce:ListSteps answered Throttling")

    world.check()

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-008", Compliance.INSUFFICIENT_DATA)
    assert world.journal == ALERTED


@pytest.mark.parametrize(
    ("enabled", "asked"), [(True, [KEY.arn, ANOTHER_KEY.arn]), (False, [KEY.arn])]
)
def test_cloudwatch_key_is_read_only_when_cloudwatch_logs_are_enabled(
    world: World, *, enabled: bool, asked: list[str]
) -> None:
    world.clusters.known = {
        CLUSTER_ID: a_cluster(cloudwatch_logs=enabled, cloudwatch_key_identifier=ANOTHER_KEY.arn)
    }

    world.check()

    assert world.keys.asked == asked


def with_rule(rule_id: str) -> Policy:
    return Policy(rules={rule_id: RuleSettings(enabled=True)})


@pytest.mark.parametrize(
    ("listed", "asked"), [((), ["example-logs", "elsewhere"]), (("example-logs",), None)]
)
def test_each_log_bucket_is_read_once(
    world: World, listed: tuple[str, ...], asked: list[str] | None
) -> None:
    world.checked_buckets = listed
    world.clusters.listed = (
        Step("s-1", "a", "s3://elsewhere/a/"),
        Step("s-2", "b", "s3://elsewhere/b/"),
        Step("s-3", "c", "s3://example-logs/c/"),
    )

    world.check()

    assert world.buckets.asked == ["example-logs", "elsewhere"]
    notified = [f.summary for alert in world.alerts.published for f in alert.findings]
    assert notified == (
        [] if asked else ["log objects are not checked: elsewhere is not in the stack's LogBuckets"]
    )


def test_default_log_bucket_of_another_account_causes_an_alert_and_no_termination(
    world: World,
) -> None:
    default = "s3n://aws-logs-111122223333-eu-west-1/elasticmapreduce/"
    world.clusters.known = {CLUSTER_ID: a_cluster(log_uri=default)}
    world.buckets.owner = "444455556666"
    world.buckets.sending = Unresolved("s3:GetBucketNotificationConfiguration … AccessDenied")

    world.check()

    found = [
        (a.bucket, f.rule_id, f.compliance) for a in world.alerts.published for f in a.findings
    ]
    assert found == [
        (None, "EMRLOG-013", "NON_COMPLIANT"),
        ("aws-logs-111122223333-eu-west-1", "EMRLOG-009", "INSUFFICIENT_DATA"),
    ]
    assert world.journal == ALERTED * 2  # terminating for it is the policy's to allow


def test_log_bucket_with_an_unreadable_owner_causes_an_alert(world: World) -> None:
    world.buckets.owner = Unresolved("s3:HeadBucket on example-logs answered 403")

    world.check()

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-013", "INSUFFICIENT_DATA")


def test_log_bucket_of_an_account_named_in_the_policy_causes_no_alert(world: World) -> None:
    world.policy = Policy(log_bucket_owners=("444455556666",))
    world.buckets.owner = "444455556666"

    world.check()

    assert world.alerts.published == []
    assert world.buckets.owners_asked == [("example-logs", (ACCOUNT, "444455556666"))]


def test_cluster_is_terminated_for_a_bucket_of_an_unknown_account_if_the_policy_lists_the_rule(
    world: World,
) -> None:
    world.policy = Policy(
        Mode.ENFORCE,
        enforcement=Enforcement(
            frozenset({"EMRLOG-013"}), grace_running=timedelta(0), allowed=True
        ),
    )
    world.buckets.owner = "444455556666"
    world.check()
    [request] = world.queue.sent

    world.enforce(request)

    assert f"terminate {CLUSTER_ID}" in world.journal


ABOUT_BUCKETS = ("EMRLOG-008", "EMRLOG-009", "EMRLOG-013")


def test_steps_and_buckets_are_not_read_when_their_rules_are_disabled(world: World) -> None:
    off = {rule_id: RuleSettings(enabled=False) for rule_id in ABOUT_BUCKETS}
    world.policy = Policy(rules=off)

    world.check()

    assert world.clusters.steps_asked == world.buckets.asked == []
    assert world.buckets.owners_asked == []


@pytest.mark.parametrize("rotated", [True, False])
def test_rotation_is_read_and_evaluated_when_the_policy_enables_the_rule(
    world: World, *, rotated: bool
) -> None:
    world.policy = with_rule("EMRLOG-011")
    world.keys.facts = {KEY.arn: KEY}
    world.keys.rotated = rotated

    checked = world.check()

    (outcome,) = [f.compliance for f in checked.findings if f.rule_id == "EMRLOG-011"]
    assert outcome is (Compliance.COMPLIANT if rotated else Compliance.NON_COMPLIANT)
    assert world.keys.rotations_asked == [KEY.arn]


def test_rotation_is_not_read_when_the_rule_is_disabled_or_the_key_cannot_be_rotated(
    world: World,
) -> None:
    world.check()
    world.policy = with_rule("EMRLOG-011")
    world.keys.facts = {KEY.arn: a_key(origin="EXTERNAL")}
    world.check()

    assert world.keys.rotations_asked == []


def test_sessions_are_read_only_when_the_cluster_enables_them(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    world.clusters.listed_sessions = (Session("is-1", "ide", None, AWS_MANAGED.arn),)

    assert world.check().summary()["compliance"] == "COMPLIANT"
    assert world.clusters.sessions_asked == []

    world.clusters.known = {CLUSTER_ID: a_cluster(sessions_enabled=True)}
    world.check()

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert finding.summary.startswith("session is-1 (ide): ")
    assert finding.evidence["sessions"] == (f"is-1: s3n://example-logs/emr/, {AWS_MANAGED.arn}",)
    assert world.journal == SENT


def test_finding_is_resolved_when_its_step_is_cancelled_before_its_start(world: World) -> None:
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    step = Step("s-1", "bad", None, AWS_MANAGED.arn, StepState.PENDING)
    world.clusters.listed = (step,)
    world.check()

    world.clusters.listed = (replace(step, state=StepState.CANCELLED),)
    world.now += timedelta(minutes=1)
    checked = world.check()

    assert checked.summary()["compliance"] == "COMPLIANT"
    assert [alert.kind for alert in world.alerts.published][-1] is AlertKind.FINDING_RESOLVED


def test_cloudwatch_key_of_a_session_is_its_own_or_none(world: World) -> None:
    cluster = a_cluster(
        sessions_enabled=True, cloudwatch_logs=False, cloudwatch_key_identifier=ANOTHER_KEY.arn
    )
    world.clusters.known = {CLUSTER_ID: cluster}
    world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    session = Session("is-1", "ide", cloudwatch_logs=True, managed_logs=True)
    world.clusters.listed_sessions = (
        replace(session, cloudwatch_key_identifier=ANOTHER_KEY.arn),
        replace(session, id="is-2", managed_key_identifier=KEY.arn),
    )

    world.check()

    ((finding,),) = [alert.findings for alert in world.alerts.published]
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-010", Compliance.NON_COMPLIANT)
    assert finding.summary.startswith("session is-2 (ide) sends logs to CloudWatch")
    archive = f"s3n://example-logs/emr/, {KEY.arn}"
    assert finding.evidence["sessions"] == (
        f"is-1: {archive}, CloudWatch: {ANOTHER_KEY.arn}, managed by EMR: no key",
        f"is-2: {archive}, CloudWatch: no key, managed by EMR: {KEY.arn}",
    )
    assert world.keys.asked == [KEY.arn, ANOTHER_KEY.arn]


@pytest.mark.parametrize(
    ("off", "steps_asked", "sessions_asked"),
    [
        (("EMRLOG-008", "EMRLOG-009", "EMRLOG-013"), [], [CLUSTER_ID]),
        (("EMRLOG-008", "EMRLOG-009", "EMRLOG-010", "EMRLOG-013"), [], []),
        (("EMRLOG-008", "EMRLOG-009"), [CLUSTER_ID], [CLUSTER_ID]),
        (("EMRLOG-008", "EMRLOG-010"), [CLUSTER_ID], [CLUSTER_ID]),
    ],
)
def test_steps_and_sessions_are_read_only_for_rules_that_need_them(
    world: World, off: tuple[str, ...], steps_asked: list[str], sessions_asked: list[str]
) -> None:
    world.policy = Policy(rules={rule_id: RuleSettings(enabled=False) for rule_id in off})
    world.clusters.known = {CLUSTER_ID: a_cluster(sessions_enabled=True)}

    world.check()

    assert world.clusters.steps_asked == steps_asked
    assert world.clusters.sessions_asked == sessions_asked


GRACE = timedelta(hours=4)


@pytest.fixture
def graced(world: World) -> World:
    """A running cluster without a key, and four hours to put that right."""
    world.policy = a_policy(grace=GRACE)
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    return world


def test_grace_starts_when_a_violation_is_first_seen_and_is_not_reset_by_repeats(
    graced: World,
) -> None:
    for _ in range(50):
        graced.check()
        graced.passes(minutes=4)

    assert graced.journal == ["publish finding.opened", "publish enforcement.scheduled", "schedule"]
    (schedule,) = graced.schedules.existing.values()
    assert schedule.at == NOW + GRACE
    opened, scheduled = graced.alerts.published
    assert opened.next_step is scheduled.next_step is NextStep.TERMINATION_SCHEDULED
    assert scheduled.findings[0].deadline == NOW + GRACE


def test_check_after_the_grace_requests_enforcement_if_the_schedule_did_not_fire(
    graced: World,
) -> None:
    graced.check()
    graced.passes(hours=4)
    graced.check()
    assert "send" not in graced.journal

    graced.passes(minutes=2)
    graced.check()

    assert graced.journal[-2:] == ["cancel", "send"]


def test_violation_at_launch_has_its_own_grace(graced: World) -> None:
    graced.clusters.known = {CLUSTER_ID: replace(NO_KEY, state="STARTING")}

    graced.check()

    assert graced.journal == SENT


def test_violation_at_launch_keeps_its_grace_when_the_cluster_is_running(world: World) -> None:
    minutes = timedelta(minutes=10)
    policy = a_policy(grace=GRACE)
    world.policy = replace(policy, enforcement=replace(policy.enforcement, grace_at_launch=minutes))
    for state in ("STARTING", "RUNNING", "WAITING"):
        world.clusters.known = {CLUSTER_ID: replace(NO_KEY, state=state)}
        world.check()
        world.passes(seconds=400)

    assert world.kinds == ["finding.opened", "enforcement.scheduled"]
    assert world.alerts.published[1].findings[0].deadline == NOW + minutes
    assert world.journal[-1] == "send"


@pytest.mark.parametrize(
    ("policy", "notified"),
    [
        (a_policy(grace=GRACE, exemptions=(an_exemption(),)), ["enforcement.skipped"]),
        (a_policy(Mode.ALERT), ["enforcement.skipped"]),
        (a_policy(Mode.OBSERVE), []),
        (
            Policy(Mode.ENFORCE, enforcement=Enforcement(frozenset(), allowed=True)),
            ["enforcement.skipped"],
        ),
    ],
    ids=["exempted", "alert", "observe", "not listed"],
)
def test_changed_policy_cancels_the_scheduled_termination(
    graced: World, policy: Policy, notified: list[str]
) -> None:
    graced.check()
    graced.policy = policy
    for _ in range(3):
        graced.check()

    assert graced.kinds[2:] == notified
    assert graced.journal.count("cancel") == 1
    assert graced.schedules.existing == {}


def test_resolved_finding_cancels_the_scheduled_termination(graced: World) -> None:
    graced.check()
    graced.clusters.known = {CLUSTER_ID: a_cluster()}
    graced.passes(minutes=1)
    graced.check()

    assert graced.kinds[2:] == ["finding.resolved"]
    assert graced.schedules.existing == {}


@pytest.mark.parametrize("late", [0, 1, 59], ids="{} s late".format)
def test_due_schedule_that_has_not_fired_is_cancelled(graced: World, late: int) -> None:
    graced.check()
    graced.clusters.known = {CLUSTER_ID: a_cluster()}
    graced.passes(seconds=GRACE.total_seconds() + late)
    graced.check()

    assert graced.kinds[2:] == ["finding.resolved"]
    assert graced.schedules.existing == {}


def test_changed_grace_moves_the_termination_and_is_alerted(graced: World) -> None:
    graced.check()
    graced.policy = a_policy(grace=timedelta(hours=1))
    graced.check()
    graced.check()

    assert graced.kinds[2:] == ["enforcement.scheduled"]
    (schedule,) = graced.schedules.existing.values()
    assert schedule.at == NOW + timedelta(hours=1)

    graced.policy = a_policy()
    graced.check()
    assert graced.kinds[3:] == ["enforcement.scheduled"]
    assert graced.journal[-1] == "send"


def test_exempt_finding_is_recorded_and_alerted_when_the_exemption_expires(
    world: World,
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.policy = a_policy(Mode.ALERT, exemptions=(an_exemption(),))
    checked = world.check()
    [finding] = [record.finding for record in world.records.values()]
    assert finding.status is Status.EXEMPT
    assert finding.evidence["exempt_reason"] == an_exemption().reason
    assert world.journal == []
    assert checked.summary()["compliance"] == "NOT_APPLICABLE"
    record_open(record.finding for record in world.records.values())
    assert metrics.metric_set["OpenHighFindings"]["Value"] == [0]
    assert metrics.metric_set["ExemptFindings"]["Value"] == [1]

    world.policy = a_policy(Mode.ALERT, exemptions=(an_exemption(until=date(2026, 3, 13)),))
    world.check()

    [finding] = [record.finding for record in world.records.values()]
    assert finding.status is Status.OPEN
    assert not {name for name in finding.evidence if name.startswith("exempt_")}
    assert world.kinds == ["finding.opened"]
    assert len(world.alerts.published[0].expired_exemptions) == 1


def test_disabled_rule_resolves_its_findings(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.check()
    world.policy = replace(world.policy, rules={"EMRLOG-002": RuleSettings(enabled=False)})
    world.check()

    assert world.kinds == ["finding.opened", "finding.resolved"]


def test_observe_mode_resolves_an_alerted_finding_without_an_alert(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    world.check()
    world.policy = a_policy(Mode.OBSERVE)
    world.clusters.known = {CLUSTER_ID: a_cluster()}
    world.passes(minutes=1)
    world.check()

    assert world.kinds == ["finding.opened"]
    assert world.records["EMRLOG-002"].last_notified is None


def test_launcher_of_a_cluster_is_stored_although_its_event_comes_later(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    world.check()
    world.check("arn:aws:iam::111122223333:user/ada")
    world.check()

    assert world.kinds == ["finding.opened"]
    record = world.records["EMRLOG-002"]
    assert record.finding.launched_by == "arn:aws:iam::111122223333:user/ada"


def test_decision_is_recorded_with_its_findings(graced: World) -> None:
    graced.policy = replace(graced.policy, version=7)
    graced.check()
    graced.check()

    (decision,) = graced.repository.decisions(CLUSTER_ID)
    assert (decision.by, decision.mode, decision.policy_version) == ("check_cluster", "enforce", 7)
    assert decision.decided == (
        "notify finding.opened of EMRLOG-002: termination_scheduled",
        "notify enforcement.scheduled of EMRLOG-002: termination_scheduled",
        "schedule re-evaluation and termination at 2026-03-14 19:09:26 UTC",
    )
    assert [(g.rule_id, g.compliance, g.deadline) for g in decision.findings] == [
        ("EMRLOG-002", "NON_COMPLIANT", NOW + GRACE)
    ]


def test_continual_concurrent_writes_raise_write_conflict(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}

    def rival() -> None:
        record = world.records.get("EMRLOG-002")
        finding = a_finding()
        world.repository.write(
            record
            or FindingRecord(finding=finding, kind=Kind.CLUSTER, opened_at=NOW, evaluated_at=NOW)
        )

    world.repository.write_snapshot(ClusterSnapshot(NO_KEY), None)
    world.table.before_put = EveryOther(rival)

    with pytest.raises(WriteConflictError):
        world.check()
    assert world.journal == []


class EveryOther(list[Callable[[], object]]):
    """Has a rival write before each write but its own."""

    def __init__(self, rival: Callable[[], None]) -> None:
        super().__init__([rival])
        self.rival = rival
        self.busy = False

    def __bool__(self) -> bool:
        return not self.busy

    def pop(self, *_: object) -> Callable[[], None]:
        def write() -> None:
            self.busy = True
            self.rival()
            self.busy = False

        return write


@pytest.mark.parametrize("force_refresh", [True, False])
def test_forced_refresh_reads_the_policy_again(world: World, *, force_refresh: bool) -> None:
    world.check_cluster(ClusterCheckRequest(CLUSTER_ID, force_refresh=force_refresh))

    assert world.policy_asked == [force_refresh]


def test_enforcement_request_that_failed_is_sent_by_the_next_check(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    send = world.queue.send

    def fails(*_: object) -> None:
        raise ConnectionError

    world.queue.send = fails  # type: ignore[method-assign,assignment]
    with pytest.raises(ConnectionError):
        world.check()
    world.queue.send = send  # type: ignore[method-assign]
    world.check()

    assert world.journal == SENT


def test_answer_to_an_enforcement_request_is_not_overwritten_by_the_requester(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: replace(NO_KEY, termination_protected=True)}
    send = world.queue.send

    def at_once(request: RequestEnforcement, delay_seconds: int = 0) -> None:
        send(request, delay_seconds)
        world.enforce(request)

    world.queue.send = at_once  # type: ignore[method-assign]
    for _ in range(3):
        world.check()
        world.passes(minutes=11)

    assert world.kinds == ["finding.opened", "enforcement.skipped"]


def test_cached_enforce_policy_announces_no_termination_after_a_change_to_alert(
    world: World,
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    enforce = world.policy
    world.policy = replace(enforce, mode=Mode.ALERT, version=2)
    cached = [enforce]
    check = replace(
        world.check_cluster,
        policy=lambda *, force_refresh=False: world.policy if force_refresh else cached[0],
    )

    check(ClusterCheckRequest(CLUSTER_ID))

    assert [alert.next_step for alert in world.alerts.published] == [NextStep.NOTHING_IN_ALERT_MODE]
    assert world.queue.sent == []


@pytest.mark.parametrize(
    ("ago", "latency"),
    [(timedelta(seconds=42), [42]), (-timedelta(seconds=42), [0]), (None, None)],
    ids=["late", "clocks differ", "no time"],
)
def test_alert_latency_is_counted_from_the_time_of_the_event(
    world: World, ago: timedelta | None, latency: list[float] | None
) -> None:
    world.clusters.known = {CLUSTER_ID: NO_KEY}
    at = None if ago is None else NOW - ago

    for _ in range(2):  # the second check alerts no more
        world.check_cluster(ClusterCheckRequest(CLUSTER_ID, at=at))

    assert metrics.metric_set.get("AlertLatency", {}).get("Value") == latency
