"""What no combination of findings, cluster, policy and moment may bring about."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.decide import (
    Alert,
    RequestEnforcement,
    Terminate,
)
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import (
    AlertSettings,
    ClusterMatch,
    Enforcement,
    Exemption,
    Policy,
    RuleSettings,
    TerminationProtection,
)
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, a_finding, an_exemption
from tests.unit.deciding import decide_now, enforcement_now

RULE_IDS = [f"EMRLOG-{number:03}" for number in (1, 2, 3, 4, 5, 6, 7, 101, 102, 103, 201)]
LIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
ENDED = ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"]

# Every strategy leans towards a terminated cluster: the properties shall be put to the test.
RULE_SETS = st.just(frozenset(RULE_IDS)) | st.frozensets(st.sampled_from(RULE_IDS))
FINDINGS = st.lists(
    st.builds(
        lambda rule_id, compliance, severity, status: a_finding(
            rule_id, compliance=compliance, severity=severity, status=status
        ),
        st.sampled_from(RULE_IDS),
        st.just(Compliance.NON_COMPLIANT) | st.sampled_from(Compliance),
        st.sampled_from(Severity),
        st.just(Status.OPEN) | st.sampled_from(Status),
    ),
    unique_by=lambda finding: finding.rule_id,
    max_size=6,
)
CLUSTERS = st.builds(
    lambda state, protected, team: a_cluster(
        state=state, termination_protected=protected, tags={"team": team}
    ),
    st.sampled_from([*LIVE, *ENDED]),
    st.booleans(),
    st.sampled_from(["a", "b"]),
)
EXEMPTIONS = st.builds(
    lambda match, rules, days: an_exemption(
        match, rules=rules, until=NOW.date() + timedelta(days=days)
    ),
    st.sampled_from(
        [
            ClusterMatch(id=CLUSTER_ID),
            ClusterMatch(id="j-OTHER"),
            ClusterMatch(name="nightly-*"),
            ClusterMatch(tag={"team": "a"}),
            ClusterMatch(),
        ]
    ),
    RULE_SETS | st.just(frozenset({"*"})),
    st.integers(-2, 2),
)
RULE_SETTINGS = st.dictionaries(
    st.sampled_from(RULE_IDS),
    st.builds(lambda mode: RuleSettings(mode=mode), st.sampled_from([*Mode, None])),
    max_size=4,
)
POLICIES = st.builds(
    lambda mode, rules, protection, allowed, exemptions, own, minimum: Policy(
        mode=mode,
        enforcement=Enforcement(rules, protection, allowed),
        exemptions=tuple(exemptions),
        rules=own,
        alerts=AlertSettings(minimum_severity=minimum),
    ),
    st.just(Mode.ENFORCE) | st.sampled_from(Mode),
    RULE_SETS,
    st.sampled_from(TerminationProtection),
    st.just(value=True) | st.booleans(),
    st.lists(EXEMPTIONS, max_size=2),
    st.just({}) | RULE_SETTINGS,
    st.just(Severity.LOW) | st.sampled_from(Severity),
)


def terminates(findings: list[Finding], cluster: Cluster, policy: Policy) -> bool:
    """Say whether a cluster would be handed to enforcement, or ended by it."""
    requested = any(
        isinstance(action, RequestEnforcement)
        for action in decide_now(findings, cluster, policy, NOW)
    )
    return requested or isinstance(enforcement_now(findings, cluster, policy, NOW), Terminate)


def alerts(findings: list[Finding], cluster: Cluster | None, policy: Policy) -> list[Alert]:
    actions = decide_now(findings, cluster, policy, NOW)
    return [action for action in actions if isinstance(action, Alert)]


def is_exempt(finding: Finding, cluster: Cluster, exemption: Exemption) -> bool:
    """Read an exemption in another way than the code under test does."""
    match = exemption.cluster
    by_team = match.tag is not None and cluster.tags["team"] == "a"
    meant = match.id == CLUSTER_ID or match.name == "nightly-*" or by_team
    covers = "*" in exemption.rules or finding.rule_id in exemption.rules
    return meant and covers and exemption.until >= NOW.date()


@given(FINDINGS, CLUSTERS, POLICIES, st.sampled_from([Mode.OBSERVE, Mode.ALERT]))
def test_observe_and_alert_modes_never_terminate(
    findings: list[Finding], cluster: Cluster, policy: Policy, mode: Mode
) -> None:
    own = {rule_id: replace(s, mode=None) for rule_id, s in policy.rules.items()}

    assert not terminates(findings, cluster, replace(policy, mode=mode, rules=own))


@given(FINDINGS, CLUSTERS, POLICIES)
def test_an_undetermined_fact_never_terminates(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    doubtful = [replace(f, compliance=Compliance.INSUFFICIENT_DATA) for f in findings]

    assert not terminates(doubtful, cluster, policy)


@given(FINDINGS, CLUSTERS, POLICIES)
def test_only_violations_terminate(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    others = [f for f in findings if f.compliance is not Compliance.NON_COMPLIANT]

    assert not terminates(others, cluster, policy)


@given(FINDINGS, CLUSTERS, POLICIES)
def test_low_and_medium_findings_never_terminate(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    mild = [f for f in findings if f.severity in {Severity.LOW, Severity.MEDIUM}]

    assert not terminates(mild, cluster, policy)


@given(FINDINGS, CLUSTERS, POLICIES)
def test_rule_that_the_policy_does_not_list_never_terminates(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    unlisted = [f for f in findings if f.rule_id not in policy.enforcement.rules]

    assert not terminates(unlisted, cluster, policy)


@given(FINDINGS, CLUSTERS, POLICIES)
def test_exempt_findings_never_terminate_and_never_alert(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    exempt = [
        f
        for f in findings
        if f.status is Status.EXEMPT or any(is_exempt(f, cluster, e) for e in policy.exemptions)
    ]

    assert not terminates(exempt, cluster, policy)
    assert not alerts(exempt, cluster, policy)


@given(FINDINGS, CLUSTERS, POLICIES)
def test_stack_without_enforcement_never_terminates(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    without = replace(policy, enforcement=replace(policy.enforcement, allowed=False))

    assert not terminates(findings, cluster, without)


@given(FINDINGS, CLUSTERS, POLICIES, st.sampled_from(ENDED))
def test_terminated_cluster_is_never_terminated_again(
    findings: list[Finding], cluster: Cluster, policy: Policy, state: str
) -> None:
    assert not terminates(findings, replace(cluster, state=state), policy)


@given(FINDINGS, POLICIES)
def test_enforcement_is_never_requested_for_a_cluster_unknown_to_emr(
    findings: list[Finding], policy: Policy
) -> None:
    actions = decide_now(findings, None, policy, NOW)

    assert not [action for action in actions if isinstance(action, RequestEnforcement)]


@given(FINDINGS, CLUSTERS, POLICIES)
def test_protected_cluster_is_never_terminated_while_the_policy_respects_protection(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    respectful = replace(
        policy,
        enforcement=replace(
            policy.enforcement, termination_protection=TerminationProtection.RESPECT
        ),
    )
    decision = enforcement_now(findings, cluster, respectful, NOW)

    assert not (isinstance(decision, Terminate) and cluster.termination_protected)
    assert not (isinstance(decision, Terminate) and decision.lift_protection)


@given(FINDINGS, CLUSTERS, POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter(
    findings: list[Finding], cluster: Cluster, policy: Policy, random: Random
) -> None:
    shuffled = random.sample(findings, len(findings))

    assert decide_now(shuffled, cluster, policy, NOW) == decide_now(findings, cluster, policy, NOW)
    assert type(enforcement_now(shuffled, cluster, policy, NOW)) is type(
        enforcement_now(findings, cluster, policy, NOW)
    )


@given(
    FINDINGS,
    st.none() | CLUSTERS,
    POLICIES,
    st.sampled_from([Mode.ALERT, Mode.ENFORCE]),
)
def test_every_open_violation_is_in_exactly_one_alert(
    findings: list[Finding], cluster: Cluster | None, policy: Policy, mode: Mode
) -> None:
    without_exemptions = replace(policy, mode=mode, exemptions=(), rules={}, alerts=AlertSettings())
    broken = [
        f.id
        for f in findings
        if f.compliance is Compliance.NON_COMPLIANT and f.status is Status.OPEN
    ]

    notified = [
        f.id for alert in alerts(findings, cluster, without_exemptions) for f in alert.findings
    ]

    assert [notified.count(finding_id) for finding_id in broken] == [1] * len(broken)


@given(FINDINGS, CLUSTERS, POLICIES)
def test_undetermined_findings_alert_unless_an_exemption_covers_them(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    alert_mode = replace(policy, mode=Mode.ALERT, rules={}, alerts=AlertSettings())
    expected = {
        f.id
        for f in findings
        if f.compliance in {Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA}
        and f.status is Status.OPEN
        and not any(is_exempt(f, cluster, e) for e in policy.exemptions)
    }

    notified = [f.id for alert in alerts(findings, cluster, alert_mode) for f in alert.findings]

    assert sorted(notified) == sorted(expected)


@given(FINDINGS, CLUSTERS, POLICIES)
def test_enforcement_is_requested_exactly_when_an_alert_contains_a_deadline(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    actions = decide_now(findings, cluster, policy, NOW)
    deadlines = [
        finding.deadline
        for action in actions
        if isinstance(action, Alert)
        for finding in action.findings
    ]

    requested = any(isinstance(action, RequestEnforcement) for action in actions)
    assert (NOW in deadlines) is requested
    assert set(deadlines) <= {NOW, None}


@given(FINDINGS, CLUSTERS, POLICIES)
def test_enforcement_terminates_only_what_a_check_would_request(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    decision = enforcement_now(findings, cluster, policy, NOW)
    actions = decide_now(findings, cluster, policy, NOW)

    if isinstance(decision, Terminate):
        assert isinstance(actions[-1], RequestEnforcement)
        assert decision.findings


@given(FINDINGS, CLUSTERS, POLICIES)
def test_rule_in_observe_mode_is_never_in_an_alert_or_decision(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    notified = {f.rule_id for alert in alerts(findings, cluster, policy) for f in alert.findings}
    decision = enforcement_now(findings, cluster, policy, NOW)
    notified |= {finding.rule_id for finding in decision.findings}

    assert Mode.OBSERVE not in {policy.mode_of(rule_id) for rule_id in notified}


@given(FINDINGS, CLUSTERS, POLICIES)
def test_only_rules_in_enforce_mode_terminate_clusters(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    others = [f for f in findings if policy.mode_of(f.rule_id) is not Mode.ENFORCE]
    decision = enforcement_now(findings, cluster, policy, NOW)

    assert not terminates(others, cluster, policy)
    if isinstance(decision, Terminate):
        assert {policy.mode_of(f.rule_id) for f in decision.findings} == {Mode.ENFORCE}


@given(FINDINGS, CLUSTERS, POLICIES)
def test_finding_below_the_minimum_severity_is_alerted_only_with_a_deadline(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    for alert in alerts(findings, cluster, policy):
        assert alert.findings
        for finding in alert.findings:
            severe = finding.severity.rank >= policy.alerts.minimum_severity.rank
            assert severe or finding.deadline == NOW


@given(FINDINGS, CLUSTERS, POLICIES)
def test_alert_names_only_expired_exemptions_that_covered_its_findings(
    findings: list[Finding], cluster: Cluster, policy: Policy
) -> None:
    for alert in alerts(findings, cluster, policy):
        for ended in alert.expired_exemptions:
            renewed = replace(ended, until=NOW.date())
            assert ended.until < NOW.date()
            assert any(is_exempt(finding, cluster, renewed) for finding in alert.findings)
