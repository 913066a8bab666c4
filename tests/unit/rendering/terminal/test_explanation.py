from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decisions import Decision, finding_states
from emr_log_guard.domain.finding_record import (
    ClusterHistory,
    ClusterSnapshot,
    FindingRecord,
    Kind,
    LastNotified,
)
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.policy import ClusterMatch, Policy, RuleSettings
from emr_log_guard.domain.reencrypted import Failure, Reencrypted
from emr_log_guard.rendering.terminal.explanation import explanation, explanation_json
from emr_log_guard.rendering.terminal.policy_impact import changed_impacts, policy_impact
from emr_log_guard.rules import ALL_RULES
from tests.unit.builders import (
    CLUSTER_ID,
    KEY,
    NOW,
    a_cluster,
    a_finding,
    a_policy,
    an_exemption,
    reencrypting,
)

FINDING = a_finding()
ENTRY = FindingRecord(
    finding=FINDING,
    kind=Kind.CLUSTER,
    opened_at=NOW,
    evaluated_at=NOW,
    last_notified=LastNotified(NOW, FINDING.compliance),
)
KNOWN = ClusterSnapshot(
    a_cluster(name="night\x1bly", tags={"team": "a"}), "arn:aws:iam::1:user/ada", (KEY.arn,)
)
DECISION = Decision(
    cluster_id=CLUSTER_ID,
    at=NOW,
    by="check_cluster",
    invocation="one",
    cluster_state="RUNNING",
    mode=Mode.ENFORCE,
    policy_version=7,
    decided=("notify finding.opened of EMRLOG-002: termination_requested",),
    findings=finding_states([FINDING]),
)
HOUR = timedelta(hours=1)
BY_TAG = an_exemption(ClusterMatch(tag={"team": "a"}))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (a_policy(), "alerted; the cluster is terminated now"),
        (a_policy(grace=HOUR), "alerted; the cluster is terminated at 2026-03-14 16:09:26 UTC"),
        (a_policy(allowed=False), "alerted; no action on the cluster"),
        (a_policy(Mode.ALERT), "alerted; no action on the cluster"),
        (a_policy(Mode.OBSERVE), "recorded only"),
        (a_policy(exemptions=(BY_TAG,)), "exempt until 2026-12-31: moves to emr-7 in June (app"),
    ],
)
def test_policy_impact_describes_what_happens_to_a_finding(policy: Policy, words: str) -> None:
    assert policy_impact(ENTRY, KNOWN.cluster, policy, NOW).startswith(words)


def test_policy_has_no_impact_on_a_resolved_finding() -> None:
    resolved = replace(ENTRY, finding=replace(FINDING, status=Status.RESOLVED))

    assert policy_impact(resolved, None, a_policy(), NOW) == "resolved"


def test_only_changed_impacts_of_a_new_policy_are_listed() -> None:
    standing = [(ENTRY, KNOWN.cluster)]

    assert list(changed_impacts(standing, a_policy(), a_policy(), NOW)) == []
    (line,) = changed_impacts(standing, a_policy(Mode.ALERT), a_policy(), NOW)
    assert line == (
        f"{CLUSTER_ID} nightly-etl, EMRLOG-002: alerted; no action on the cluster -> "
        "alerted; the cluster is terminated now"
    )
    nameless = replace(ENTRY, finding=replace(FINDING, cluster_name=None))
    (line,) = changed_impacts([(nameless, None)], a_policy(Mode.ALERT), a_policy(), NOW)
    assert line.startswith(f"{CLUSTER_ID}, EMRLOG-002: ")


def test_explanation_contains_facts_findings_and_decisions() -> None:
    policy = replace(a_policy(), version=7)
    text = explanation(
        CLUSTER_ID, ClusterHistory({"EMRLOG-002": ENTRY}, KNOWN), [DECISION], policy, NOW
    )

    assert "Launched by  arn:aws:iam::1:user/ada\n" in text
    assert f"Uses key     {KEY.arn}\n" in text
    assert "Policy       version 7, mode enforce\n" in text
    assert "  EMRLOG-002 log-key-configured: OPEN, NON_COMPLIANT\n" in text
    assert "    last alerted 2026-03-14 15:09:26 UTC\n" in text
    assert "    now: alerted; the cluster is terminated now\n" in text
    assert "  Passed or not applicable: EMRLOG-001, EMRLOG-003, EMRLOG-004, " in text
    assert "  Disabled by policy: EMRLOG-011, EMRLOG-012\n" in text
    assert "check_cluster, policy version 7, mode enforce, cluster RUNNING\n" in text
    assert "    EMRLOG-002: NON_COMPLIANT, OPEN\n" in text
    assert "    -> notify finding.opened of EMRLOG-002: termination_requested\n" in text
    assert "\x1b" not in text


def test_explanation_of_an_unknown_cluster_says_that_nothing_is_known() -> None:
    text = explanation(CLUSTER_ID, ClusterHistory({}), [], a_policy(), NOW)

    assert "Its settings are unknown" in text
    assert "Policy       strict defaults, mode enforce" in text
    assert "No violation has been found." in text
    assert "No decisions." in text
    assert "Passed or" not in text


def test_rules_are_grouped_as_passed_or_disabled_only_if_there_are_any() -> None:
    everything = {rule.id: ENTRY for rule in ALL_RULES}
    all_on = replace(a_policy(), rules={rule.id: RuleSettings(enabled=True) for rule in ALL_RULES})

    assert "Passed or" not in explanation(
        CLUSTER_ID, ClusterHistory(everything, KNOWN), [], a_policy(), NOW
    )
    assert "Disabled by policy" not in explanation(
        CLUSTER_ID, ClusterHistory({}, KNOWN), [], all_on, NOW
    )


def test_decision_about_a_cluster_unknown_to_emr_says_so() -> None:
    unknown = replace(DECISION, cluster_state=None, policy_version=None)
    bare = ClusterSnapshot(a_cluster(log_uri=None, log_key_identifier=None, release_label=None))
    unalerted = replace(ENTRY, last_notified=None)
    history = ClusterHistory({"EMRLOG-002": unalerted}, bare)
    text = explanation(CLUSTER_ID, history, [unknown], a_policy(), NOW)

    assert "strict defaults, mode enforce, cluster unknown to EMR" in text
    assert "Log URI      none\n" in text
    assert "last alerted" not in text


def test_rules_of_a_decision_are_grouped_by_compliance_and_status() -> None:
    states = finding_states(
        [
            FINDING,
            a_finding("EMRLOG-009"),
            a_finding("EMRLOG-006", status=Status.EXEMPT),
            a_finding("EMRLOG-003", compliance=Compliance.NOT_APPLICABLE),
        ]
    )
    history = ClusterHistory({"EMRLOG-002": ENTRY}, KNOWN)
    decided = replace(DECISION, findings=states)

    text = explanation(CLUSTER_ID, history, [decided], a_policy(), NOW)

    assert (
        "    EMRLOG-002, EMRLOG-009: NON_COMPLIANT, OPEN; EMRLOG-006: NON_COMPLIANT, EXEMPT\n"
        in text
    )
    assert "EMRLOG-003: " not in text
    bare = explanation(CLUSTER_ID, history, [replace(DECISION, findings=())], a_policy(), NOW)
    assert "cluster RUNNING\n    -> notify finding.opened" in bare


def test_concurrent_equal_decisions_are_shown_once_in_order() -> None:
    schedule = "schedule re-evaluation and termination at 2026-03-14 19:09:26 UTC"
    first = replace(DECISION, decided=(*DECISION.decided, schedule))
    second = replace(DECISION, invocation="two", at=NOW + timedelta(seconds=1), decided=(schedule,))
    last = replace(DECISION, by="enforce", at=NOW + HOUR, decided=("terminate",))

    text = explanation(
        CLUSTER_ID, ClusterHistory({}, KNOWN), [last, second, first], a_policy(), NOW
    )
    document = explanation_json(
        CLUSTER_ID, ClusterHistory({}, KNOWN), [last, second, first], a_policy(), NOW
    )

    assert text.count(schedule) == text.count("-> terminate\n") == 1
    assert text.index(schedule) < text.index("-> terminate\n")
    history = document["history"]
    assert isinstance(history, list)
    assert [each["by"] for each in history] == ["check_cluster", "enforce"]


REMEDIED = FindingRecord(
    finding=a_finding("EMRLOG-101", status=Status.RESOLVED),
    kind=Kind.LOG_OBJECTS,
    opened_at=NOW,
    evaluated_at=NOW,
    reencryption=Reencrypted(
        count=7,
        former={"SSE-S3": 5, "key-\x1b1": 2},
        last=NOW,
        keys=(KEY.arn,),
        samples=("s3://example-logs/emr/\x1ba",),
        failures={"it is encrypted with SSE-C": Failure(NOW)},
    ),
)


def test_explanation_contains_reencrypted_objects_and_failures() -> None:
    policy = reencrypting()
    policy = replace(
        policy, mode=Mode.ENFORCE, enforcement=replace(policy.enforcement, allowed=True)
    )
    history = ClusterHistory({"EMRLOG-002": ENTRY, "EMRLOG-101": REMEDIED}, KNOWN)
    text = explanation(CLUSTER_ID, history, [], policy, NOW)

    assert "    re-encrypted 7 (5 from SSE-S3, 2 from key-\\x1b1), last 2026-03-14 15:09" in text
    assert f"      with {KEY.arn}\n      s3://example-logs/emr/\\x1ba\n" in text
    assert "    not re-encrypted at 2026-03-14 15:09:26 UTC: it is encrypted with SSE-C\n" in text
    assert "no action on the cluster while all of its logs are re-encrypted" in text
    assert "\x1b" not in text
    read = explanation_json(CLUSTER_ID, history, [], policy, NOW)
    findings = read["findings"]
    assert isinstance(findings, list)
    first, second = findings
    assert first["reencryption"]["count"] == 0
    assert second["reencryption"] == {
        "count": 7,
        "from": {"SSE-S3": 5, "key-\x1b1": 2},
        "with": (KEY.arn,),
        "last": NOW.isoformat(),
        "samples": ("s3://example-logs/emr/\x1ba",),
        "failures": {"it is encrypted with SSE-C": NOW.isoformat()},
    }
