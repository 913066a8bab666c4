from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decide import AlertKind, NextStep, RequestEnforcement
from emr_log_guard.domain.finding_record import ClusterSnapshot, FindingRecord, Kind, LastNotified
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.policy import Enforcement, Policy, TerminationProtection
from emr_log_guard.domain.termination import Stage, Termination
from emr_log_guard.errors import (
    ClusterNotFoundError,
    TerminationNotAcceptedError,
    TerminationRefusedError,
)
from tests.unit.builders import (
    CLUSTER_ID,
    KEY,
    NOW,
    UNREADABLE,
    a_cluster,
    a_finding,
    a_key,
    a_log_object,
    a_policy,
    an_exemption,
    encrypted,
)
from tests.unit.fakes import NOT_FOUND, FakeSuppressions
from tests.unit.usecases.world import World

BAD = a_cluster(log_key_identifier=None)
PROTECTED = a_cluster(log_key_identifier=None, termination_protected=True)
REQUEST = RequestEnforcement(BAD.arn)
OVERRIDE = a_policy(protection=TerminationProtection.OVERRIDE)
OBJECTS_ENFORCED = Policy(
    Mode.ENFORCE,
    enforcement=Enforcement(frozenset({"EMRLOG-101"}), allowed=True, grace_running=timedelta(0)),
)
OBJECT_REQUEST = RequestEnforcement(BAD.arn, (a_log_object(),))
REFUSED = TerminationRefusedError("answered ValidationException: protected")
TRANSIENT = TerminationNotAcceptedError("EMR is away")


def an_entry(rule_id: str = "EMRLOG-002", **changes: Any) -> FindingRecord:  # noqa: ANN401 - any field
    """Make an entry of a finding that opened just now, and was alerted."""
    record = FindingRecord(
        finding=a_finding(rule_id),
        kind=Kind.LOG_OBJECTS if rule_id == "EMRLOG-101" else Kind.CLUSTER,
        opened_at=NOW,
        evaluated_at=NOW,
        newest=NOW,
        last_notified=LastNotified(NOW, Compliance.NON_COMPLIANT, NOW),
    )
    return replace(record, **changes)


@pytest.fixture(autouse=True)
def bad_cluster(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: BAD}
    world.repository.write_snapshot(ClusterSnapshot(BAD, evaluated=True), None)
    for rule_id in ("EMRLOG-002", "EMRLOG-101"):
        world.repository.write(an_entry(rule_id))


def stage(world: World) -> Stage:
    assert world.termination is not None
    return world.termination.stage


def enforce_while_emr_is_away(world: World) -> None:
    """Have EMR neither accept nor refuse the termination."""
    world.clusters.failures["terminate"] = TRANSIENT
    with pytest.raises(TerminationNotAcceptedError, match="EMR is away"):
        world.enforce(REQUEST)


def notified(world: World) -> tuple[AlertKind, NextStep, str, list[str]]:
    (alert,) = world.alerts.published
    rules = [finding.rule_id for finding in alert.findings]
    return alert.kind, alert.next_step, alert.detail, rules


def test_violating_cluster_is_terminated_and_alerted_once_it_has_terminated(world: World) -> None:
    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED

    assert world.journal == [f"terminate {CLUSTER_ID}", "send in 900 s"]
    assert world.queue.sent == [replace(REQUEST, verify=True)]
    assert stage(world) is Stage.ACCEPTED
    assert world.termination is not None
    assert world.termination.rules == ("EMRLOG-002",)

    world.clusters.known = {CLUSTER_ID: replace(BAD, state="TERMINATED")}
    world.check()
    world.check()

    done = world.alerts.published[0]
    assert world.kinds == ["enforcement.done"]
    assert (done.kind, done.next_step) == (AlertKind.ENFORCEMENT_DONE, NextStep.TERMINATED)
    assert [f.rule_id for f in done.findings] == ["EMRLOG-002"]


@pytest.mark.parametrize("state", ["RUNNING", "TERMINATING"])
def test_termination_is_not_alerted_as_done_before_the_cluster_has_terminated(
    world: World, state: str
) -> None:
    world.enforce(REQUEST)
    world.clusters.known = {CLUSTER_ID: replace(BAD, state=state)}

    world.check()

    assert "enforcement.done" not in world.kinds


def test_decision_to_terminate_is_recorded_before_the_call(world: World) -> None:
    enforce_while_emr_is_away(world)

    assert stage(world) is Stage.REQUESTED
    assert world.termination is not None
    assert world.termination.calls == 1
    (decision,) = world.repository.decisions(CLUSTER_ID)
    assert (decision.by, decision.decided) == ("enforce", ("terminate",))
    assert [(g.rule_id, g.compliance) for g in decision.findings if g.rule_id == "EMRLOG-002"] == [
        ("EMRLOG-002", "NON_COMPLIANT")
    ]


@pytest.mark.parametrize("state", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
@pytest.mark.parametrize("verify", [False, True])
def test_termination_not_yet_alerted_is_alerted_by_the_re_evaluation(
    world: World, state: str, *, verify: bool
) -> None:
    world.enforce(REQUEST)
    world.clusters.known = {CLUSTER_ID: a_cluster(log_key_identifier=None, state=state)}
    world.keys.asked.clear()

    for _ in range(2):
        assert world.enforce(replace(REQUEST, verify=verify)) is NextStep.CLUSTER_TERMINATED

    assert world.kinds == ["enforcement.done"]
    assert world.keys.asked == []


def test_cluster_that_is_still_running_at_verification_is_alerted(world: World) -> None:
    world.enforce(REQUEST)
    world.clusters.known = {CLUSTER_ID: replace(BAD, state="TERMINATING")}

    assert world.enforce(replace(REQUEST, verify=True)) is NextStep.STILL_RUNNING

    assert notified(world) == (
        AlertKind.ENFORCEMENT_FAILED,
        NextStep.STILL_RUNNING,
        "The cluster is TERMINATING.",
        ["EMRLOG-002"],
    )


def test_verification_without_a_termination_causes_no_alert(world: World) -> None:
    assert world.enforce(replace(REQUEST, verify=True)) is NextStep.STILL_RUNNING

    assert world.journal == []


@pytest.mark.parametrize("ours", [True, False])
def test_termination_in_progress_is_not_started_again(world: World, *, ours: bool) -> None:
    if ours:
        world.enforce(REQUEST)
    world.journal.clear()
    world.clusters.known = {CLUSTER_ID: replace(BAD, state="TERMINATING")}

    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED

    assert world.journal == []


def test_cluster_unknown_to_emr_leads_to_no_action(world: World) -> None:
    world.clusters.known = {}

    assert world.enforce(REQUEST) is NextStep.CLUSTER_TERMINATED

    assert world.journal == []


@pytest.mark.parametrize(
    ("left", "journal"), [(timedelta(seconds=2), ["send in 2 s"]), (timedelta(hours=1), [])]
)
def test_cluster_is_not_terminated_within_its_grace(
    world: World, left: timedelta, journal: list[str]
) -> None:
    world.policy = a_policy(grace=left)

    assert world.enforce(REQUEST) is NextStep.SKIPPED_IN_GRACE

    assert world.journal == journal
    assert world.rechecks.asked == []


def test_finding_without_a_record_counts_as_in_grace_and_causes_a_recheck(
    world: World,
) -> None:
    world.table.items.clear()

    assert world.enforce(REQUEST) is NextStep.SKIPPED_IN_GRACE

    assert world.journal == []
    assert world.rechecks.asked == [CLUSTER_ID]

    world.check()
    assert world.kinds == ["finding.opened"]
    [request] = world.queue.sent
    assert world.enforce(request) is NextStep.TERMINATION_STARTED


def test_resolved_finding_counts_as_in_grace_and_causes_a_recheck(world: World) -> None:
    record = world.records["EMRLOG-002"]
    resolved = replace(record.finding, status=Status.RESOLVED)
    world.repository.write(replace(record, finding=resolved, opened_at=NOW - timedelta(days=9)))

    assert world.enforce(REQUEST) is NextStep.SKIPPED_IN_GRACE

    assert world.journal == []
    assert world.rechecks.asked == [CLUSTER_ID]


def test_failed_termination_is_not_alerted_as_done_when_the_cluster_terminates(
    world: World,
) -> None:
    enforce_while_emr_is_away(world)
    world.policy = a_policy(exemptions=(an_exemption(),))
    world.enforce(REQUEST)
    world.alerts.published.clear()

    world.clusters.known = {CLUSTER_ID: replace(BAD, state="TERMINATED")}
    world.check()

    assert "enforcement.done" not in world.kinds


@pytest.mark.parametrize("change", [a_policy(Mode.ALERT), PROTECTED])
def test_skip_is_not_alerted_while_emr_may_have_accepted_the_termination(
    world: World, change: Policy | Cluster
) -> None:
    enforce_while_emr_is_away(world)
    if isinstance(change, Policy):
        world.policy = change
    else:
        world.clusters.known = {CLUSTER_ID: change}
    world.queue.sent.clear()

    world.enforce(REQUEST)
    world.check()
    assert "enforcement.skipped" not in world.kinds
    assert [*world.queue.sent] == [REQUEST]  # to be evaluated again once that is known

    world.passes(minutes=15)
    world.enforce(REQUEST)
    world.check()
    assert world.kinds.count("enforcement.skipped") == 1


def test_resolved_finding_is_not_alerted_as_a_completed_termination(world: World) -> None:
    world.check()
    enforce_while_emr_is_away(world)
    world.alerts.published.clear()

    world.clusters.known = {CLUSTER_ID: a_cluster()}
    world.passes(minutes=1)
    world.check()

    assert world.kinds == ["finding.resolved"]


def test_finding_resolved_during_termination_is_followed_by_the_alert_of_the_termination(
    world: World,
) -> None:
    world.check()
    world.enforce(REQUEST)
    world.alerts.published.clear()
    world.passes(minutes=1)
    world.clusters.known = {CLUSTER_ID: a_cluster(state="TERMINATING")}
    world.check()

    world.clusters.known = {CLUSTER_ID: a_cluster(state="TERMINATED")}
    world.check()
    world.check()

    assert [
        str(alert.kind)
        for alert in world.alerts.published
        if [finding.rule_id for finding in alert.findings] == ["EMRLOG-002"]
    ] == ["finding.resolved", "enforcement.done"]


def test_skipped_termination_is_alerted_once_with_its_reason(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: replace(PROTECTED, tags={"team": "data"})}
    for _ in range(3):
        world.enforce(REQUEST)

    [alert] = world.alerts.published
    assert (alert.cluster_tags, alert.next_step) == ({"team": "data"}, NextStep.SKIPPED_PROTECTED)


def test_request_without_enforceable_findings_causes_a_recheck_and_no_alert(
    world: World,
) -> None:
    world.clusters.known, world.keys.facts = {CLUSTER_ID: a_cluster()}, {KEY.arn: KEY}
    for _ in range(3):
        world.enforce(REQUEST)

    assert world.alerts.published == []
    assert world.rechecks.asked == [CLUSTER_ID] * 3


def test_unavailable_table_prevents_termination(world: World) -> None:
    world.table.failure = ConnectionError("DynamoDB is away")

    with pytest.raises(ConnectionError, match="DynamoDB is away"):
        world.enforce(REQUEST)

    assert world.journal == []


def test_cluster_not_found_at_termination_counts_as_terminated(world: World) -> None:
    world.clusters.failures["terminate"] = ClusterNotFoundError("gone")

    assert world.enforce(REQUEST) is NextStep.CLUSTER_TERMINATED


@pytest.mark.parametrize(
    ("key", "policy"),
    [
        (KEY, a_policy()),
        (None, a_policy(exemptions=(an_exemption(),))),
        (None, a_policy(Mode.ALERT)),
        (None, a_policy(Mode.OBSERVE)),
        (None, Policy(Mode.ENFORCE, enforcement=Enforcement(frozenset(), allowed=True))),
        (None, OBJECTS_ENFORCED),
    ],
    ids=["fixed", "exempt", "alert", "observe", "no rule listed", "other rule listed"],
)
def test_re_evaluation_without_enforceable_findings_skips_the_termination(
    world: World, key: KeyFact | None, policy: Policy
) -> None:
    world.clusters.known = {CLUSTER_ID: a_cluster() if key else BAD}
    world.keys.facts = {KEY.arn: key} if key else {}
    world.policy = policy

    assert world.enforce(REQUEST) is NextStep.SKIPPED_NO_LONGER_REQUIRED

    assert world.journal == []
    assert world.rechecks.asked == [CLUSTER_ID]


def test_only_rules_enforced_by_the_policy_are_evaluated(world: World) -> None:
    world.policy = Policy(
        Mode.ENFORCE, enforcement=Enforcement(frozenset({"EMRLOG-002"}), allowed=True)
    )
    world.clusters.known = {CLUSTER_ID: a_cluster()}
    world.keys.facts = {KEY.arn: UNREADABLE}

    world.enforce(REQUEST)

    (decision,) = world.repository.decisions(CLUSTER_ID)
    assert [ground.rule_id for ground in decision.findings] == ["EMRLOG-002"]


def test_protected_cluster_is_skipped(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: PROTECTED}

    assert world.enforce(REQUEST) is NextStep.SKIPPED_PROTECTED

    assert world.journal == ["publish enforcement.skipped"]


def test_override_lifts_the_protection_and_terminates_the_cluster(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE

    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED

    assert world.journal == [
        f"unprotect {CLUSTER_ID}",
        f"terminate {CLUSTER_ID}",
        "send in 900 s",
    ]


def test_refused_termination_is_alerted(world: World) -> None:
    world.clusters.failures["terminate"] = REFUSED

    assert world.enforce(REQUEST) is NextStep.TERMINATION_REFUSED

    assert world.journal == [f"terminate {CLUSTER_ID}", "publish enforcement.failed"]
    assert world.alerts.published[0].detail == str(REFUSED)
    assert stage(world) is Stage.FAILED


@pytest.mark.parametrize("failing", ["unprotect", "terminate"])
def test_refused_termination_under_override_restores_the_protection(
    world: World, failing: str
) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures[failing] = REFUSED

    assert world.enforce(REQUEST) is NextStep.TERMINATION_REFUSED

    assert world.journal[-2:] == [f"protect {CLUSTER_ID}", "publish enforcement.failed"]


def test_cluster_not_found_under_override_gets_no_protection_back(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures["terminate"] = ClusterNotFoundError("gone")

    assert world.enforce(REQUEST) is NextStep.CLUSTER_TERMINATED

    assert f"protect {CLUSTER_ID}" not in world.journal


def test_protection_that_cannot_be_restored_is_alerted(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures |= {
        "terminate": REFUSED,
        "protect": TerminationRefusedError("answered AccessDeniedException"),
    }

    assert world.enforce(REQUEST) is NextStep.TERMINATION_REFUSED

    assert world.alerts.published[0].detail == (
        f"{REFUSED}; its termination protection may be off: answered AccessDeniedException"
    )


@pytest.mark.parametrize("failing", ["unprotect", "terminate"])
def test_transient_error_under_override_restores_the_protection_and_is_raised(
    world: World, failing: str
) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures[failing] = TRANSIENT

    with pytest.raises(TerminationNotAcceptedError, match="EMR is away"):
        world.enforce(REQUEST)

    assert world.journal[-1] == f"protect {CLUSTER_ID}"
    assert world.alerts.published == []


def test_transient_error_is_raised_when_the_protection_cannot_be_restored(world: World) -> None:
    world.clusters.known, world.policy = {CLUSTER_ID: PROTECTED}, OVERRIDE
    world.clusters.failures |= {"terminate": TRANSIENT, "protect": REFUSED}

    with pytest.raises(TerminationNotAcceptedError, match="EMR is away"):
        world.enforce(REQUEST)


def test_transient_error_is_raised(world: World) -> None:
    enforce_while_emr_is_away(world)

    assert world.journal == [f"terminate {CLUSTER_ID}"]


def test_cluster_is_terminated_for_a_log_object_that_still_violates(world: World) -> None:
    world.policy = OBJECTS_ENFORCED
    world.objects.heads = {a_log_object().key: encrypted("AES256")}

    assert world.enforce(OBJECT_REQUEST) is NextStep.TERMINATION_STARTED

    assert world.termination is not None
    assert world.termination.rules == ("EMRLOG-101",)


@pytest.mark.parametrize(
    ("head", "step"),
    [
        (encrypted("aws:kms", KEY.arn), NextStep.SKIPPED_NO_LONGER_REQUIRED),
        (UNREADABLE, NextStep.SKIPPED_UNDETERMINED),
        (NOT_FOUND, NextStep.SKIPPED_NO_LONGER_REQUIRED),
    ],
)
def test_remediated_unreadable_or_deleted_log_object_skips_the_termination(
    world: World, head: object, step: NextStep
) -> None:
    world.policy = OBJECTS_ENFORCED
    world.objects.heads = {a_log_object().key: head}  # type: ignore[dict-item]

    assert world.enforce(OBJECT_REQUEST) is step


@pytest.mark.parametrize("folder", ["j-ANOTHERCLUSTER", "j-UNKNOWNCLUSTER", "elsewhere"])
def test_log_objects_of_other_clusters_skip_the_termination(world: World, folder: str) -> None:
    another = a_cluster(id="j-ANOTHERCLUSTER", arn=BAD.arn.replace(CLUSTER_ID, "j-ANOTHERCLUSTER"))
    world.clusters.known[another.id] = another
    world.policy = OBJECTS_ENFORCED
    key = f"emr/{folder}/stderr.gz"
    world.objects.heads = {key: encrypted("AES256")}

    step = world.enforce(RequestEnforcement(BAD.arn, (a_log_object(key),)))

    assert step is NextStep.SKIPPED_NO_LONGER_REQUIRED


def test_failed_alert_raises_and_is_sent_once_by_the_retry(world: World) -> None:
    world.alerts.failure = ConnectionError("SNS is away")
    world.clusters.known = {CLUSTER_ID: PROTECTED}

    with pytest.raises(ConnectionError, match="SNS is away"):
        world.enforce(REQUEST)

    world.alerts.failure = None
    for _ in range(2):
        assert world.enforce(REQUEST) is NextStep.SKIPPED_PROTECTED
    assert world.kinds == ["enforcement.skipped"]


def test_cluster_with_only_suppressed_findings_is_skipped_and_alerted_once(
    world: World,
) -> None:
    world.suppressions = FakeSuppressions(frozenset({a_finding().id}))

    for _ in range(2):
        assert world.enforce(REQUEST) is NextStep.SKIPPED_SUPPRESSED

    assert notified(world) == (
        AlertKind.ENFORCEMENT_SKIPPED,
        NextStep.SKIPPED_SUPPRESSED,
        "The cluster is RUNNING.",
        ["EMRLOG-002"],
    )
    assert not [action for action in world.journal if action.startswith("terminate")]
    assert stage(world) is Stage.SKIPPED
    decided = [decision.decided for decision in world.repository.decisions(CLUSTER_ID)]
    assert decided[0] == ("do not terminate: skipped_suppressed",)


def test_cluster_with_an_unsuppressed_finding_is_terminated(world: World) -> None:
    world.suppressions = FakeSuppressions(frozenset({"another"}))

    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED
    assert world.suppressions.asked == [(a_finding().id,)]


def test_unreadable_suppressions_skip_the_termination(world: World) -> None:
    world.suppressions = FakeSuppressions(UNREADABLE)

    assert world.enforce(REQUEST) is NextStep.SKIPPED_UNDETERMINED

    assert notified(world) == (
        AlertKind.ENFORCEMENT_SKIPPED,
        NextStep.SKIPPED_UNDETERMINED,
        UNREADABLE.reason,
        ["EMRLOG-002"],
    )
    assert not [action for action in world.journal if action.startswith("terminate")]


def test_suppressions_are_not_read_for_a_cluster_that_is_skipped_anyway(world: World) -> None:
    world.suppressions = FakeSuppressions(frozenset())
    world.clusters.known = {CLUSTER_ID: PROTECTED}

    assert world.enforce(REQUEST) is NextStep.SKIPPED_PROTECTED
    assert world.suppressions.asked == []


def test_concurrent_checks_of_a_terminated_cluster_cause_one_alert(world: World) -> None:
    world.enforce(REQUEST)
    world.clusters.known = {CLUSTER_ID: replace(BAD, state="TERMINATED")}
    world.check()
    (done,) = world.alerts.published
    assert world.termination is not None
    # The other one read the account before this one wrote that it is done.
    world.repository.write_termination(replace(world.termination, stage=Stage.ACCEPTED))
    world.check()

    assert world.alerts.published == [done]


def test_skipped_termination_is_not_alerted_again_as_cancelled(world: World) -> None:
    world.clusters.known = {CLUSTER_ID: PROTECTED}
    world.enforce(REQUEST)
    world.policy = a_policy(Mode.ALERT)
    world.check()
    assert world.kinds == ["enforcement.skipped"]

    # Enforced again, it is announced again before anything happens.
    world.clusters.known = {CLUSTER_ID: BAD}
    world.policy = a_policy()
    world.check()

    assert world.kinds == ["enforcement.skipped", "enforcement.scheduled"]
    assert world.enforce(REQUEST) is NextStep.TERMINATION_STARTED


def test_disabled_key_that_worked_terminates_the_cluster_if_the_policy_lists_emrlog_201(
    world: World,
) -> None:
    world.table.items.clear()
    good = a_cluster()
    world.clusters.known = {CLUSTER_ID: good}
    world.policy = Policy(
        Mode.ENFORCE,
        enforcement=Enforcement(
            frozenset({"EMRLOG-201"}), allowed=True, grace_running=timedelta(0)
        ),
    )
    world.check()
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}
    world.passes(minutes=1)
    world.check()
    [request] = world.queue.sent

    assert world.enforce(request) is NextStep.TERMINATION_STARTED
    assert world.termination is not None
    assert world.termination.rules == ("EMRLOG-201",)


@pytest.mark.parametrize("cluster", [a_cluster(), PROTECTED])
def test_accepted_termination_is_not_reverted_by_a_later_decision(
    world: World, cluster: Cluster
) -> None:
    world.enforce(REQUEST)
    world.clusters.known = {CLUSTER_ID: cluster}  # EMR's answer lags behind

    world.enforce(REQUEST)
    assert stage(world) is Stage.ACCEPTED

    world.clusters.known = {CLUSTER_ID: replace(BAD, state="TERMINATED")}
    world.check()
    assert world.kinds == ["enforcement.done"]


@pytest.mark.parametrize("error", [REFUSED, TRANSIENT])
def test_accepted_termination_is_alerted_as_done_although_a_later_call_is_refused(
    world: World, error: Exception
) -> None:
    world.enforce(REQUEST)
    world.clusters.failures["terminate"] = error  # EMR's answer lags behind
    for _ in range(6):
        with suppress(TerminationNotAcceptedError):
            world.enforce(REQUEST)

    world.clusters.known = {CLUSTER_ID: replace(BAD, state="TERMINATED")}
    world.check()

    assert world.kinds == ["enforcement.failed", "enforcement.done"]


@pytest.mark.parametrize(
    "known",
    [
        None,
        LastNotified(NOW, Compliance.INSUFFICIENT_DATA),
        LastNotified(NOW, Compliance.NON_COMPLIANT),
        LastNotified(NOW, Compliance.NON_COMPLIANT, NOW + timedelta(minutes=5)),
    ],
    ids=["of nothing", "that it is unread", "of the violation alone", "of a later termination"],
)
def test_cluster_is_not_terminated_before_the_termination_is_announced(
    world: World, known: LastNotified | None
) -> None:
    record = world.records["EMRLOG-002"]
    world.repository.write(replace(record, last_notified=known))

    assert world.enforce(REQUEST) is NextStep.SKIPPED_NOT_NOTIFIED

    assert world.journal == []
    assert world.rechecks.asked == [CLUSTER_ID]


def test_request_ahead_of_its_notification_does_not_block_the_next_request(
    world: World,
) -> None:
    record = world.records["EMRLOG-002"]
    world.repository.write(replace(record, last_notified=None))
    world.repository.write_termination(
        Termination(cluster_id=CLUSTER_ID, stage=Stage.REQUESTED, at=NOW)
    )

    assert world.enforce(REQUEST) is NextStep.SKIPPED_NOT_NOTIFIED

    assert world.termination is not None
    assert world.termination.may_be_requested(world.now, world.policy.version)
