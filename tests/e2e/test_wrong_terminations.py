"""What must not cost a cluster its life, and what is alerted of it instead."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from emr_log_guard.domain.finding_record import SKEW
from emr_log_guard.usecases.findings import update_record
from tests.e2e.deployed import Deployed, cluster_event
from tests.e2e.test_enforce_mode import graced, requested_end, stored_policy

pytestmark = pytest.mark.xdist_group("acting")

type Eventually = Callable[..., Any]

numbers = count(1)


def a_key(stack: Deployed) -> str:
    """Make a key that no other test uses."""
    return stack.fixtures.make_key(f"wrong-terminations-{next(numbers)}")


def approving(stack: Deployed, key: str) -> str:
    """The stack's policy with one approved key more."""
    policy = stored_policy(stack)
    return json.dumps(policy | {"approved_keys": [*policy["approved_keys"], key]})


def logging_step(key: str) -> dict[str, Any]:
    """A step whose logs get a key of their own."""
    return {
        "Name": "own-key",
        "HadoopJarStep": {"Jar": "command-runner.jar"},
        "StepMonitoringConfiguration": {"S3MonitoringConfiguration": {"EncryptionKeyArn": key}},
    }


def step_of(stack: Deployed, cluster_id: str) -> str:
    """The id of a cluster's only step."""
    [step] = stack.account.client("emr").list_steps(ClusterId=cluster_id)["Steps"]
    step_id: str = step["Id"]
    return step_id


def set_key_state(stack: Deployed, key: str, state: str | None) -> None:
    """Put a key into a state that no call sets, or make it what it was."""
    kms, tag = stack.account.client("kms"), "sandbox:KeyState"
    if state is None:
        kms.untag_resource(KeyId=key, TagKeys=[tag])
    else:
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": tag, "TagValue": state}])


def lasting(stack: Deployed, cluster_id: str, minutes: int) -> None:
    """Have the cluster's transient finding rest on the same fact for so many minutes."""
    record = stack.repository.read(cluster_id).records["EMRLOG-005"]
    assert record.transient_since is not None
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    update_record(stack.repository, record, lambda current: replace(current, transient_since=since))


def kinds(stack: Deployed, cluster_id: str) -> list[str]:
    """The kinds of all alerts about a cluster, as they came."""
    return [alert["kind"] for alert in stack.inbox.about(cluster_id)]


def test_a_step_that_was_cancelled_before_it_ran_costs_no_cluster_its_life(
    acting: Deployed, eventually: Eventually
) -> None:
    with acting.policy(graced(acting, 60)):
        cluster_id = acting.fixtures.launch(
            "step-cancelled",
            LogEncryptionKmsKeyId=acting.keys.approved,
            Steps=[logging_step(a_key(acting))],
        )
        eventually(lambda: acting.scheduled(cluster_id))
        eventually(lambda: acting.inbox.about(cluster_id, "enforcement.scheduled"))
        eventually(lambda: acting.launch_checked(cluster_id))
        time.sleep(SKEW.total_seconds())  # what is read sooner may have been read in either order
        acting.account.client("emr").cancel_steps(
            ClusterId=cluster_id, StepIds=[step_of(acting, cluster_id)]
        )

        [resolved] = eventually(lambda: acting.inbox.about(cluster_id, "finding.resolved"))
        assert [finding["rule_id"] for finding in resolved["findings"]] == ["EMRLOG-008"]
        eventually(lambda: not acting.scheduled(cluster_id))
        requested_end(acting, cluster_id)  # as the schedule would have, had it fired already
        assert acting.fixtures.state_of(cluster_id) == "STARTING"
        assert kinds(acting, cluster_id) == [
            "finding.opened",
            "enforcement.scheduled",
            "finding.resolved",
        ]


def test_the_key_of_a_finished_step_may_be_retired(
    acting: Deployed, eventually: Eventually
) -> None:
    key = a_key(acting)
    with acting.policy(approving(acting, key)):
        cluster_id = acting.fixtures.launch(
            "step-finished",
            LogEncryptionKmsKeyId=acting.keys.approved,
            Steps=[logging_step(key)],
        )
        assert acting.recheck(cluster_id)["rules"]["EMRLOG-008"] == "COMPLIANT"
        finished = {"Key": f"sandbox:StepState/{step_of(acting, cluster_id)}", "Value": "COMPLETED"}
        acting.account.client("emr").add_tags(ResourceId=cluster_id, Tags=[finished])

        acting.fixtures.disable_key(key)
        eventually(lambda: acting.journal.records("check_key", message="key changed", key=key))

        assert acting.recheck(cluster_id)["rules"]["EMRLOG-008"] == "COMPLIANT"
        requested_end(acting, cluster_id)
        assert acting.fixtures.state_of(cluster_id) == "STARTING"
        assert not kinds(acting, cluster_id)


def test_a_key_that_appears_seconds_after_its_cluster_is_no_violation(
    acting: Deployed, eventually: Eventually
) -> None:
    key = a_key(acting)
    set_key_state(acting, key, "NotFound")
    with acting.policy(approving(acting, key)):
        cluster_id = acting.fixtures.launch("key-just-made", LogEncryptionKmsKeyId=key)
        checked = acting.recheck(cluster_id)
        assert checked["rules"]["EMRLOG-005"] == "INSUFFICIENT_DATA"
        requested_end(acting, cluster_id)

        time.sleep(SKEW.total_seconds())  # what is read sooner may have been read in either order
        set_key_state(acting, key, None)

        assert acting.recheck(cluster_id)["compliance"] == "COMPLIANT"
        assert acting.fixtures.state_of(cluster_id) == "STARTING"
        # The launch's own check comes back for as long as an environment caches what KMS said.
        eventually(lambda: not acting.repository.read(cluster_id).records["EMRLOG-005"].open)
        assert not kinds(acting, cluster_id)


@pytest.mark.parametrize("state", ["Creating", "Unavailable"])
def test_a_key_in_a_state_that_passes_is_no_violation_until_it_has_lasted(
    acting: Deployed, eventually: Eventually, state: str
) -> None:
    key = a_key(acting)
    set_key_state(acting, key, state)
    with acting.policy(approving(acting, key)):
        cluster_id = acting.fixtures.launch("key-not-ready", LogEncryptionKmsKeyId=key)
        assert acting.recheck(cluster_id)["rules"]["EMRLOG-005"] == "INSUFFICIENT_DATA"
        eventually(lambda: acting.launch_checked(cluster_id))
        assert not kinds(acting, cluster_id)

        lasting(acting, cluster_id, minutes=6)
        acting.recheck(cluster_id)

        [alert] = eventually(lambda: acting.inbox.about(cluster_id))
        found = [(finding["rule_id"], finding["compliance"]) for finding in alert["findings"]]
        assert found == [("EMRLOG-005", "INSUFFICIENT_DATA")]
        assert alert["next_step"] == "nothing_enforced"
        requested_end(acting, cluster_id)
        assert acting.fixtures.state_of(cluster_id) == "STARTING"

        lasting(acting, cluster_id, minutes=31)
        acting.recheck(cluster_id)

        eventually(lambda: acting.fixtures.state_of(cluster_id) == "TERMINATED")
        eventually(lambda: "enforcement.done" in kinds(acting, cluster_id))
        assert kinds(acting, cluster_id) == [
            "finding.opened",
            "finding.opened",
            "enforcement.done",
        ]


def test_a_terminating_cluster_whose_earlier_events_arrive_is_reported_once(
    acting: Deployed, eventually: Eventually
) -> None:
    cluster_id = acting.fixtures.launch("terminating")
    while acting.fixtures.state_of(cluster_id) != "TERMINATED":
        acting.deliver(cluster_event(cluster_id))  # as of STARTING, whatever state it is in

    eventually(lambda: "enforcement.done" in kinds(acting, cluster_id))
    for _ in range(3):
        acting.deliver(cluster_event(cluster_id))
    assert kinds(acting, cluster_id) == ["finding.opened", "enforcement.done"]


def test_while_the_policy_is_missing_the_last_valid_one_holds_and_nothing_is_terminated(
    acting: Deployed, eventually: Eventually
) -> None:
    with acting.policy(json.dumps(stored_policy(acting))):
        ssm, name = acting.account.client("ssm"), acting.outputs["PolicyParameterName"]
        policy = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        good = acting.fixtures.launch("before", LogEncryptionKmsKeyId=acting.keys.approved)
        eventually(lambda: acting.launch_checked(good))
        assert acting.recheck(good)["compliance"] == "COMPLIANT"
        acting.inbox.receive()
        before = len(acting.inbox.alerts)
        # It ends the environments at once, and with them whoever is about to notify.
        acting.forget("CheckClusterFunction")
        ssm.delete_parameter(Name=name)
        try:
            good = acting.fixtures.launch("meanwhile", LogEncryptionKmsKeyId=acting.keys.approved)
            bad = acting.fixtures.launch("meanwhile-bad")
            for _ in range(3):
                assert acting.recheck(good)["compliance"] == "COMPLIANT"
                assert acting.recheck(bad)["compliance"] == "NON_COMPLIANT"
            [alert] = eventually(lambda: acting.inbox.about(bad))
            assert alert["next_step"] == "nothing_without_policy"
            assert acting.fixtures.state_of(bad) == "STARTING"
        finally:
            ssm.put_parameter(Name=name, Type="String", Value=policy)
        # With the policy back, its review has terminated what it calls for.
        eventually(lambda: acting.fixtures.state_of(bad) == "TERMINATED")
        eventually(lambda: "enforcement.done" in kinds(acting, bad))
        assert not kinds(acting, good)
        [invalid] = [a for a in acting.inbox.alerts[before:] if a["kind"] == "policy.invalid"]
        assert invalid["version"] is None
