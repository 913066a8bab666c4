from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    AlertKind,
    NextStep,
    RequestEnforcement,
    ScheduleEnforcement,
    Skip,
    Terminate,
    decide,
    enforceable_findings,
    exempted,
    unless_suppressed,
)
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import (
    AlertSettings,
    ClusterMatch,
    Policy,
    RuleSettings,
    TerminationProtection,
)
from tests.unit.builders import (
    CLUSTER_ID,
    NOW,
    UNREADABLE,
    a_cluster,
    a_finding,
    a_log_object,
    a_policy,
    an_exemption,
)
from tests.unit.deciding import decide_now, enforcement_now

ENFORCE = a_policy()
ALERT = a_policy(Mode.ALERT)
ENDED = ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"]
# Findings that terminate no cluster under any policy.
HARMLESS = [
    pytest.param(a_finding(compliance=Compliance.INSUFFICIENT_DATA), id="doubt"),
    pytest.param(a_finding(severity=Severity.MEDIUM), id="less than HIGH"),
    pytest.param(a_finding("EMRLOG-101"), id="a rule that the policy does not list"),
]


def an_alert(actions: tuple[Action, ...]) -> Alert:
    """Take the one alert, first of the actions."""
    alert, *_ = actions
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize("hours", [(1, 4), (4, 1)])
def test_enforcement_is_scheduled_at_the_earliest_end_of_grace(hours: tuple[int, int]) -> None:
    findings = [a_finding("EMRLOG-002"), a_finding("EMRLOG-004")]
    ends = {
        finding.id: NOW + timedelta(hours=each)
        for finding, each in zip(findings, hours, strict=True)
    }

    alert, schedule = decide(findings, a_cluster(), ENFORCE, NOW, ends)

    end = NOW + timedelta(hours=1)
    assert isinstance(alert, Alert)
    assert [finding.deadline for finding in alert.findings] == [end, end]
    assert isinstance(schedule, ScheduleEnforcement)
    assert schedule.at == end


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("compliance", [Compliance.COMPLIANT, Compliance.NOT_APPLICABLE])
def test_compliant_results_lead_to_no_action(mode: Mode, compliance: Compliance) -> None:
    assert decide_now([a_finding(compliance=compliance)], a_cluster(), a_policy(mode), NOW) == ()
    assert decide_now([], a_cluster(), a_policy(mode), NOW) == ()


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.EXEMPT])
def test_resolved_or_exempt_finding_leads_to_no_action(status: Status) -> None:
    assert decide_now([a_finding(status=status)], a_cluster(), ENFORCE, NOW) == ()


def test_observe_mode_sends_no_alert() -> None:
    assert decide_now([a_finding()], a_cluster(), a_policy(Mode.OBSERVE), NOW) == ()


@pytest.mark.parametrize("compliance", [Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA])
def test_alert_mode_alerts_about_violations_and_undetermined_results(
    compliance: Compliance,
) -> None:
    finding = a_finding(compliance=compliance)

    actions = decide_now([finding], a_cluster(), ALERT, NOW)

    assert actions == (
        Alert(
            kind=AlertKind.FINDING_OPENED,
            cluster_arn=finding.cluster_arn,
            cluster_name="nightly-etl",
            findings=(finding,),
            next_step=NextStep.NOTHING_IN_ALERT_MODE,
            mode=Mode.ALERT,
        ),
    )


def test_one_alert_contains_all_findings_most_severe_first() -> None:
    low = a_finding("EMRLOG-001", severity=Severity.LOW)
    high = a_finding("EMRLOG-006")
    also_high = a_finding("EMRLOG-002")
    critical = a_finding("EMRLOG-201", severity=Severity.CRITICAL)
    fine = a_finding("EMRLOG-003", compliance=Compliance.COMPLIANT)

    actions = decide_now([low, high, fine, critical, also_high], a_cluster(), ALERT, NOW)

    assert len(actions) == 1
    assert an_alert(actions).findings == (critical, also_high, high, low)


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.CRITICAL])
def test_enforce_mode_requests_termination_and_the_alert_announces_it(severity: Severity) -> None:
    finding = a_finding(severity=severity)

    actions = decide_now([finding], a_cluster(), ENFORCE, NOW)

    assert actions == (
        Alert(
            kind=AlertKind.FINDING_OPENED,
            cluster_arn=finding.cluster_arn,
            cluster_name="nightly-etl",
            findings=(replace(finding, deadline=NOW),),
            next_step=NextStep.TERMINATION_REQUESTED,
            mode=Mode.ENFORCE,
        ),
        RequestEnforcement(finding.cluster_arn),
    )


def test_only_enforceable_findings_have_a_deadline() -> None:
    medium = a_finding("EMRLOG-001", severity=Severity.MEDIUM)
    doubt = a_finding("EMRLOG-004", compliance=Compliance.INSUFFICIENT_DATA)

    actions = decide_now([medium, doubt, a_finding()], a_cluster(), ENFORCE, NOW)

    deadlines = {finding.rule_id: finding.deadline for finding in an_alert(actions).findings}
    assert deadlines == {"EMRLOG-001": None, "EMRLOG-002": NOW, "EMRLOG-004": None}


def test_enforcement_request_contains_the_log_objects_it_is_based_on() -> None:
    objects = (a_log_object(), a_log_object("emr/another"))

    _, request = decide_now([a_finding()], a_cluster(), ENFORCE, NOW, objects)

    assert request == RequestEnforcement(a_cluster().arn, objects)


@pytest.mark.parametrize("finding", HARMLESS)
def test_enforce_mode_only_alerts_about_findings_that_are_not_enforceable(finding: Finding) -> None:
    actions = decide_now([finding], a_cluster(), ENFORCE, NOW)

    assert len(actions) == 1
    assert an_alert(actions).findings == (finding,)
    assert an_alert(actions).next_step is NextStep.NOTHING_ENFORCED


def test_only_rules_listed_in_the_policy_are_enforced() -> None:
    policy = replace(
        ENFORCE, enforcement=replace(ENFORCE.enforcement, rules=frozenset({"EMRLOG-101"}))
    )

    assert len(decide_now([a_finding("EMRLOG-101")], a_cluster(), policy, NOW)) == 2
    assert len(decide_now([a_finding("EMRLOG-002")], a_cluster(), policy, NOW)) == 1


def test_stack_without_enforcement_only_alerts() -> None:
    actions = decide_now([a_finding()], a_cluster(), a_policy(allowed=False), NOW)

    assert len(actions) == 1
    assert an_alert(actions).next_step is NextStep.NOTHING_ALLOWED_IN_STACK
    assert an_alert(actions).findings[0].deadline is None


def test_cluster_unknown_to_emr_leads_to_an_alert_only() -> None:
    actions = decide_now([a_finding(cluster_name=None)], None, ENFORCE, NOW)

    assert len(actions) == 1
    assert an_alert(actions).next_step is NextStep.NOTHING_ENFORCED
    assert an_alert(actions).cluster_name is None


@pytest.mark.parametrize("mode", [Mode.ALERT, Mode.ENFORCE])
@pytest.mark.parametrize("state", ENDED)
def test_terminated_cluster_leads_to_an_alert_only(state: str, mode: Mode) -> None:
    actions = decide_now([a_finding()], a_cluster(state=state), a_policy(mode), NOW)

    assert len(actions) == 1
    assert an_alert(actions).next_step is NextStep.CLUSTER_TERMINATED
    assert an_alert(actions).findings[0].deadline is None


def test_termination_protection_does_not_prevent_the_enforcement_request() -> None:
    assert len(decide_now([a_finding()], a_cluster(termination_protected=True), ENFORCE, NOW)) == 2


def test_exempt_finding_leads_to_no_alert_and_no_enforcement() -> None:
    policy = a_policy(exemptions=(an_exemption(rules=["EMRLOG-002"]),))
    other = a_finding("EMRLOG-003")

    assert decide_now([a_finding()], a_cluster(), policy, NOW) == ()
    assert [
        f.rule_id
        for f in an_alert(decide_now([a_finding(), other], a_cluster(), policy, NOW)).findings
    ] == ["EMRLOG-003"]


def test_exemption_ends_after_its_last_day_in_utc() -> None:
    policy = a_policy(exemptions=(an_exemption(until=date(2026, 6, 30)),))
    last = datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)

    assert decide_now([a_finding()], a_cluster(), policy, last) == ()
    assert len(decide_now([a_finding()], a_cluster(), policy, last + timedelta(seconds=1))) == 2


def test_exempt_finding_contains_the_exemption_as_evidence() -> None:
    exemption = an_exemption(until=date(2026, 6, 30))
    finding = a_finding()

    (found,) = exempted([finding], a_cluster(), a_policy(exemptions=(exemption,)), NOW)

    assert found == replace(
        finding,
        status=Status.EXEMPT,
        evidence={
            "log_uri": "s3n://example-logs/emr/",
            "exempt_until": "2026-06-30",
            "exempt_reason": "moves to emr-7 in June",
            "exempt_approved_by": "security@example.com",
        },
    )


def test_first_applicable_exemption_is_the_one_in_the_evidence() -> None:
    exemptions = (
        an_exemption(until=date(2026, 1, 1)),
        an_exemption(rules=["EMRLOG-003"]),
        an_exemption(ClusterMatch(id="j-OTHER")),
        an_exemption(ClusterMatch(name="nightly-*"), until=date(2026, 9, 1)),
        an_exemption(until=date(2026, 10, 1)),
    )

    (found,) = exempted([a_finding()], a_cluster(), a_policy(exemptions=exemptions), NOW)

    assert found.evidence["exempt_until"] == "2026-09-01"


@pytest.mark.parametrize(
    ("match", "cluster", "status"),
    [
        (ClusterMatch(id=CLUSTER_ID), a_cluster(), Status.EXEMPT),
        (ClusterMatch(id=CLUSTER_ID), None, Status.EXEMPT),
        (ClusterMatch(name="nightly-*"), a_cluster(), Status.EXEMPT),
        (ClusterMatch(tag={"team": "a"}), a_cluster(tags={"team": "a"}), Status.EXEMPT),
        (ClusterMatch(tag={"team": "a"}), a_cluster(tags={"team": "b"}), Status.OPEN),
        (ClusterMatch(tag={"team": "a"}), None, Status.OPEN),
        (ClusterMatch(id="j-OTHER"), a_cluster(), Status.OPEN),
        (ClusterMatch(), a_cluster(), Status.OPEN),
    ],
)
def test_exemption_applies_to_matching_clusters_only(
    match: ClusterMatch, cluster: Cluster | None, status: Status
) -> None:
    policy = a_policy(exemptions=(an_exemption(match),))

    assert [f.status for f in exempted([a_finding()], cluster, policy, NOW)] == [status]


def test_enforceable_findings_are_proven_open_at_least_high_and_of_listed_rules() -> None:
    ground = a_finding()
    others = [
        replace(ground, compliance=Compliance.INSUFFICIENT_DATA),
        replace(ground, compliance=Compliance.COMPLIANT),
        replace(ground, status=Status.EXEMPT),
        replace(ground, status=Status.RESOLVED),
        replace(ground, severity=Severity.MEDIUM),
        replace(ground, severity=Severity.LOW),
        replace(ground, rule_id="EMRLOG-007"),
    ]

    assert enforceable_findings([*others, ground], ENFORCE) == (ground,)


def test_enforcement_terminates_for_enforceable_findings_only() -> None:
    ground, medium = a_finding(), a_finding("EMRLOG-001", severity=Severity.MEDIUM)

    assert enforcement_now([medium, ground], a_cluster(), ENFORCE, NOW) == Terminate(
        (ground,), lift_protection=False
    )


def test_enforcement_skips_a_protected_cluster_and_names_the_findings() -> None:
    ground, medium = a_finding(), a_finding("EMRLOG-001", severity=Severity.MEDIUM)
    cluster = a_cluster(termination_protected=True)

    assert enforcement_now([medium, ground], cluster, ENFORCE, NOW) == Skip(
        NextStep.SKIPPED_PROTECTED, (ground,)
    )


@pytest.mark.parametrize("protected", [True, False])
def test_enforcement_lifts_existing_protection_when_the_policy_overrides_it(
    *, protected: bool
) -> None:
    policy = a_policy(protection=TerminationProtection.OVERRIDE)
    cluster = a_cluster(termination_protected=protected)

    assert enforcement_now([a_finding()], cluster, policy, NOW) == Terminate(
        (a_finding(),), lift_protection=protected
    )


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("protected", [True, False])
def test_enforcement_skips_a_terminated_cluster(state: str, *, protected: bool) -> None:
    cluster = a_cluster(state=state, termination_protected=protected)

    assert enforcement_now([a_finding()], cluster, ENFORCE, NOW) == Skip(
        NextStep.CLUSTER_TERMINATED, (a_finding(),)
    )


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(ALERT, id="alert mode"),
        pytest.param(a_policy(allowed=False), id="a stack without the means"),
    ],
)
def test_enforcement_is_skipped_when_policy_or_stack_no_longer_enforces(policy: Policy) -> None:
    assert enforcement_now([a_finding()], a_cluster(), policy, NOW) == Skip(
        NextStep.SKIPPED_NO_LONGER_REQUIRED, (a_finding(),)
    )


def test_skipped_enforcement_names_no_finding_in_observe_mode() -> None:
    assert enforcement_now([a_finding()], a_cluster(), a_policy(Mode.OBSERVE), NOW) == Skip(
        NextStep.SKIPPED_NO_LONGER_REQUIRED, ()
    )


@pytest.mark.parametrize("finding", HARMLESS)
def test_enforcement_is_skipped_when_no_finding_is_enforceable(finding: Finding) -> None:
    fine = a_finding("EMRLOG-003", compliance=Compliance.COMPLIANT)

    assert enforcement_now([fine, finding], a_cluster(), ENFORCE, NOW) == Skip(
        NextStep.SKIPPED_NO_LONGER_REQUIRED, (finding,)
    )


def test_skipped_enforcement_names_the_exemption_that_prevented_it() -> None:
    policy = a_policy(exemptions=(an_exemption(),))

    decision = enforcement_now([a_finding()], a_cluster(), policy, NOW)

    assert isinstance(decision, Skip)
    assert decision.reason is NextStep.SKIPPED_NO_LONGER_REQUIRED
    assert [finding.status for finding in decision.findings] == [Status.EXEMPT]
    assert decision.findings[0].evidence["exempt_approved_by"] == "security@example.com"


def with_mode(policy: Policy, rule_id: str, mode: Mode) -> Policy:
    return replace(policy, rules={rule_id: RuleSettings(mode=mode)})


@pytest.mark.parametrize(
    ("mode", "own", "notified", "requested"),
    [
        (Mode.OBSERVE, Mode.OBSERVE, False, False),
        (Mode.OBSERVE, Mode.ALERT, False, False),
        (Mode.OBSERVE, Mode.ENFORCE, False, False),
        (Mode.ALERT, Mode.OBSERVE, False, False),
        (Mode.ALERT, Mode.ENFORCE, True, False),
        (Mode.ENFORCE, Mode.ENFORCE, True, True),
        (Mode.ENFORCE, Mode.OBSERVE, False, False),
        (Mode.ENFORCE, Mode.ALERT, True, False),
    ],
)
def test_mode_of_a_rule_can_only_be_milder_than_the_mode_of_the_policy(
    mode: Mode, own: Mode, *, notified: bool, requested: bool
) -> None:
    policy = with_mode(a_policy(mode), "EMRLOG-002", own)

    actions = decide_now([a_finding()], a_cluster(), policy, NOW)
    decision = enforcement_now([a_finding()], a_cluster(), policy, NOW)

    assert [type(action) for action in actions] == [Alert] * notified + [
        RequestEnforcement
    ] * requested
    assert isinstance(decision, Terminate) is requested
    if notified:
        assert an_alert(actions).mode is min(mode, own, key=list(Mode).index)


def test_observed_finding_is_left_out_of_the_alert() -> None:
    policy = with_mode(ENFORCE, "EMRLOG-003", Mode.OBSERVE)
    findings = [a_finding(), a_finding("EMRLOG-003")]

    actions = decide_now(findings, a_cluster(), policy, NOW)

    assert [finding.rule_id for finding in an_alert(actions).findings] == ["EMRLOG-002"]
    assert enforcement_now(findings, a_cluster(), policy, NOW) == Terminate(
        (a_finding(),), lift_protection=False
    )


@pytest.mark.parametrize(
    ("minimum", "notified"),
    [(Severity.LOW, 2), (Severity.MEDIUM, 2), (Severity.HIGH, 1), (Severity.CRITICAL, 0)],
)
def test_finding_below_the_minimum_severity_is_not_alerted(
    minimum: Severity, notified: int
) -> None:
    policy = replace(ALERT, alerts=AlertSettings(minimum_severity=minimum))
    findings = [a_finding(), a_finding("EMRLOG-007", severity=Severity.MEDIUM)]

    actions = decide_now(findings, a_cluster(), policy, NOW)

    assert sum(len(a.findings) for a in actions if isinstance(a, Alert)) == notified


def test_finding_that_terminates_a_cluster_is_alerted_below_the_minimum_severity() -> None:
    policy = replace(ENFORCE, alerts=AlertSettings(minimum_severity=Severity.CRITICAL))

    actions = decide_now([a_finding(), a_finding("EMRLOG-101")], a_cluster(), policy, NOW)

    assert [finding.rule_id for finding in an_alert(actions).findings] == ["EMRLOG-002"]
    assert len(actions) == 2


def test_alert_names_the_expired_exemption_that_covered_its_finding() -> None:
    expired = an_exemption(rules=["EMRLOG-002"], until=date(2026, 1, 1))
    others = (
        an_exemption(rules=["EMRLOG-003"], until=date(2026, 1, 1)),
        an_exemption(ClusterMatch(id="j-OTHER"), until=date(2026, 1, 1)),
        an_exemption(rules=["EMRLOG-003"]),
    )
    policy = a_policy(Mode.ALERT, exemptions=(*others, expired))

    actions = decide_now([a_finding()], a_cluster(), policy, NOW)

    assert an_alert(actions).expired_exemptions == (expired,)


def test_termination_for_suppressed_findings_only_is_skipped() -> None:
    one, other = a_finding(), a_finding("EMRLOG-004")
    decision = Terminate((one, other), lift_protection=True)

    assert unless_suppressed(decision, frozenset()) == decision
    assert unless_suppressed(decision, frozenset({one.id})) == Terminate(
        (other,), lift_protection=True
    )
    assert unless_suppressed(decision, frozenset({one.id, other.id})) == Skip(
        NextStep.SKIPPED_SUPPRESSED, (one, other)
    )
    assert unless_suppressed(decision, UNREADABLE) == Skip(
        NextStep.SKIPPED_UNDETERMINED, (one, other), UNREADABLE.reason
    )
