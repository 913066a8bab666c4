"""What is right for a cluster, as a truth table."""

from dataclasses import replace

import pytest

from sandbox.chaos.truth import (
    LAUNCHED_LAST,
    Expectation,
    Plan,
    SeenCluster,
    expected,
    expected_later,
    expected_refused,
    expected_switched,
)

KEY = "arn:aws:kms:eu-west-1:111122223333:key/approved"
GOOD = SeenCluster("j-1", "good-0", "s3://logs/", KEY, protected=False, state="RUNNING")
KEYLESS = replace(GOOD, log_key=None)
OPENED = ("finding.opened", "EMRLOG-002")
SCHEDULED = ("enforcement.scheduled", "EMRLOG-002")
SKIPPED = ("enforcement.skipped", "EMRLOG-002")
DONE = ("enforcement.done", "EMRLOG-002")


@pytest.mark.parametrize(
    ("cluster", "broken"),
    [
        (GOOD, set()),
        (replace(GOOD, log_uri=None, log_key=None), {"EMRLOG-001"}),
        (KEYLESS, {"EMRLOG-002"}),
        (replace(GOOD, log_key="another"), {"EMRLOG-006"}),
        (replace(GOOD, object_encryption=("aws:kms", "AES256")), {"EMRLOG-101"}),
        (replace(KEYLESS, object_encryption=("AES256",)), {"EMRLOG-002", "EMRLOG-101"}),
        (replace(GOOD, object_encryption=("aws:kms",)), set()),
        (replace(KEYLESS, name="exempt-0"), set()),
    ],
)
def test_violated_rules_follow_from_the_account(cluster: SeenCluster, broken: set[str]) -> None:
    assert cluster.broken(KEY) == broken


@pytest.mark.parametrize(
    ("plan", "right"),
    [
        (Plan.ALERT, Expectation(frozenset({OPENED}))),
        (Plan.ENFORCE, Expectation(frozenset({OPENED, DONE}), terminated=True)),
        (
            Plan.GRACE,
            Expectation(
                frozenset({OPENED, DONE}), overtaken=frozenset({SCHEDULED}), terminated=True
            ),
        ),
    ],
)
def test_each_plan_expects_its_alerts(plan: Plan, right: Expectation) -> None:
    assert expected(KEYLESS, plan, KEY) == right


def test_later_policy_allows_a_schedule_alert() -> None:
    assert expected_later(KEYLESS, Plan.ENFORCE, KEY).allowed == {SCHEDULED}
    assert expected_later(KEYLESS, Plan.ALERT, KEY) == expected(KEYLESS, Plan.ALERT, KEY)


@pytest.mark.parametrize("plan", Plan)
def test_compliant_clusters_and_those_without_logs_are_never_terminated(plan: Plan) -> None:
    without_logs = replace(GOOD, log_uri=None)

    assert expected(GOOD, plan, KEY).required == frozenset()
    assert expected(without_logs, plan, KEY).required == {("finding.opened", "EMRLOG-001")}
    assert not expected(without_logs, plan, KEY).terminated


def test_protected_cluster_is_expected_to_be_skipped() -> None:
    right = expected(replace(KEYLESS, protected=True), Plan.ENFORCE, KEY)

    assert right.required == {OPENED, SKIPPED}
    assert not right.terminated


def test_refused_termination_expects_a_failure_and_a_later_resolution() -> None:
    cluster = replace(KEYLESS, object_encryption=("AES256",))

    right = expected_refused(cluster, Plan.ENFORCE, KEY)

    assert right.required == {
        OPENED,
        ("finding.opened", "EMRLOG-101"),
        ("enforcement.failed", "EMRLOG-002"),
        ("enforcement.failed", "EMRLOG-101"),
        ("finding.resolved", "EMRLOG-002"),
    }
    assert right.terminated is None
    assert expected_refused(cluster, Plan.ALERT, KEY) == expected(cluster, Plan.ALERT, KEY)


@pytest.mark.parametrize(
    ("plan", "name", "required", "terminated"),
    [
        (Plan.ALERT, "without-key-0", {OPENED}, False),
        (Plan.ENFORCE, "without-key-0", {OPENED, DONE}, True),
        (Plan.GRACE, "without-key-0", {OPENED, SCHEDULED, SKIPPED}, False),
        (Plan.ENFORCE, LAUNCHED_LAST, {OPENED}, False),
        (Plan.GRACE, LAUNCHED_LAST, {OPENED}, False),
    ],
)
def test_policy_switched_back_cancels_scheduled_terminations(
    plan: Plan, name: str, required: set[tuple[str, str]], *, terminated: bool
) -> None:
    right = expected_switched(replace(KEYLESS, name=name), plan, KEY)

    assert (set(right.required), right.terminated) == (required, terminated)
