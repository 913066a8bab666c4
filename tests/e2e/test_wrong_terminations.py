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

pytestmark = pytest.mark.xdist_group("enforce_mode")

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


def test_step_cancelled_before_its_start_does_not_terminate_its_cluster(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    with enforce_mode.policy(graced(enforce_mode, 60)):
        cluster_id = enforce_mode.fixtures.launch(
            "step-cancelled",
            LogEncryptionKmsKeyId=enforce_mode.keys.approved,
            Steps=[logging_step(a_key(enforce_mode))],
        )
        eventually(lambda: enforce_mode.scheduled(cluster_id))
        eventually(lambda: enforce_mode.inbox.about(cluster_id, "enforcement.scheduled"))
        eventually(lambda: enforce_mode.launch_checked(cluster_id))
        time.sleep(SKEW.total_seconds())  # what is read sooner may have been read in either order
        enforce_mode.account.client("emr").cancel_steps(
            ClusterId=cluster_id, StepIds=[step_of(enforce_mode, cluster_id)]
        )

        [resolved] = eventually(lambda: enforce_mode.inbox.about(cluster_id, "finding.resolved"))
        assert [finding["rule_id"] for finding in resolved["findings"]] == ["EMRLOG-008"]
        eventually(lambda: not enforce_mode.scheduled(cluster_id))
        requested_end(enforce_mode, cluster_id)  # as the schedule would have, had it fired already
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"
        assert kinds(enforce_mode, cluster_id) == [
            "finding.opened",
            "enforcement.scheduled",
            "finding.resolved",
        ]


def test_disabled_key_of_a_finished_step_does_not_terminate_the_cluster(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    key = a_key(enforce_mode)
    with enforce_mode.policy(approving(enforce_mode, key)):
        cluster_id = enforce_mode.fixtures.launch(
            "step-finished",
            LogEncryptionKmsKeyId=enforce_mode.keys.approved,
            Steps=[logging_step(key)],
        )
        assert enforce_mode.recheck(cluster_id)["rules"]["EMRLOG-008"] == "COMPLIANT"
        finished = {
            "Key": f"sandbox:StepState/{step_of(enforce_mode, cluster_id)}",
            "Value": "COMPLETED",
        }
        enforce_mode.account.client("emr").add_tags(ResourceId=cluster_id, Tags=[finished])

        enforce_mode.fixtures.disable_key(key)
        eventually(
            lambda: enforce_mode.function_logs.records("check_key", message="key changed", key=key)
        )

        assert enforce_mode.recheck(cluster_id)["rules"]["EMRLOG-008"] == "COMPLIANT"
        requested_end(enforce_mode, cluster_id)
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"
        assert not kinds(enforce_mode, cluster_id)


def test_key_that_appears_after_its_cluster_causes_no_alert_and_no_termination(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    key = a_key(enforce_mode)
    set_key_state(enforce_mode, key, "NotFound")
    with enforce_mode.policy(approving(enforce_mode, key)):
        cluster_id = enforce_mode.fixtures.launch("key-just-made", LogEncryptionKmsKeyId=key)
        checked = enforce_mode.recheck(cluster_id)
        assert checked["rules"]["EMRLOG-005"] == "INSUFFICIENT_DATA"
        requested_end(enforce_mode, cluster_id)

        time.sleep(SKEW.total_seconds())  # what is read sooner may have been read in either order
        set_key_state(enforce_mode, key, None)

        assert enforce_mode.recheck(cluster_id)["compliance"] == "COMPLIANT"
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"
        # The launch's own check comes back for as long as an environment caches what KMS said.
        eventually(lambda: not enforce_mode.repository.read(cluster_id).records["EMRLOG-005"].open)
        assert not kinds(enforce_mode, cluster_id)


@pytest.mark.parametrize("state", ["Creating", "Unavailable"])
def test_transient_key_state_terminates_only_once_it_has_lasted(
    enforce_mode: Deployed, eventually: Eventually, state: str
) -> None:
    key = a_key(enforce_mode)
    set_key_state(enforce_mode, key, state)
    with enforce_mode.policy(approving(enforce_mode, key)):
        cluster_id = enforce_mode.fixtures.launch("key-not-ready", LogEncryptionKmsKeyId=key)
        assert enforce_mode.recheck(cluster_id)["rules"]["EMRLOG-005"] == "INSUFFICIENT_DATA"
        eventually(lambda: enforce_mode.launch_checked(cluster_id))
        assert not kinds(enforce_mode, cluster_id)

        lasting(enforce_mode, cluster_id, minutes=6)
        enforce_mode.recheck(cluster_id)

        [alert] = eventually(lambda: enforce_mode.inbox.about(cluster_id))
        found = [(finding["rule_id"], finding["compliance"]) for finding in alert["findings"]]
        assert found == [("EMRLOG-005", "INSUFFICIENT_DATA")]
        assert alert["next_step"] == "nothing_enforced"
        requested_end(enforce_mode, cluster_id)
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"

        lasting(enforce_mode, cluster_id, minutes=31)
        enforce_mode.recheck(cluster_id)

        eventually(lambda: enforce_mode.fixtures.state_of(cluster_id) == "TERMINATED")
        eventually(lambda: "enforcement.done" in kinds(enforce_mode, cluster_id))
        assert kinds(enforce_mode, cluster_id) == [
            "finding.opened",
            "finding.opened",
            "enforcement.done",
        ]


def test_late_events_of_a_terminating_cluster_cause_no_further_alert(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = enforce_mode.fixtures.launch("terminating")
    while enforce_mode.fixtures.state_of(cluster_id) != "TERMINATED":
        enforce_mode.deliver(cluster_event(cluster_id))  # as of STARTING, in any state

    eventually(lambda: "enforcement.done" in kinds(enforce_mode, cluster_id))
    for _ in range(3):
        enforce_mode.deliver(cluster_event(cluster_id))
    assert kinds(enforce_mode, cluster_id) == ["finding.opened", "enforcement.done"]


def test_missing_policy_alerts_by_the_last_valid_one_and_terminates_nothing(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    with enforce_mode.policy(json.dumps(stored_policy(enforce_mode))):
        ssm, name = enforce_mode.account.client("ssm"), enforce_mode.outputs["PolicyParameterName"]
        policy = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        good = enforce_mode.fixtures.launch(
            "before", LogEncryptionKmsKeyId=enforce_mode.keys.approved
        )
        eventually(lambda: enforce_mode.launch_checked(good))
        assert enforce_mode.recheck(good)["compliance"] == "COMPLIANT"
        enforce_mode.inbox.receive()
        before = len(enforce_mode.inbox.alerts)
        # It ends the environments at once, and with them an invocation that is about to notify.
        enforce_mode.forget("CheckClusterFunction")
        ssm.delete_parameter(Name=name)
        try:
            good = enforce_mode.fixtures.launch(
                "meanwhile", LogEncryptionKmsKeyId=enforce_mode.keys.approved
            )
            bad = enforce_mode.fixtures.launch("meanwhile-bad")
            for _ in range(3):
                assert enforce_mode.recheck(good)["compliance"] == "COMPLIANT"
                assert enforce_mode.recheck(bad)["compliance"] == "NON_COMPLIANT"
            [alert] = eventually(lambda: enforce_mode.inbox.about(bad))
            assert alert["next_step"] == "nothing_without_policy"
            assert enforce_mode.fixtures.state_of(bad) == "STARTING"
        finally:
            ssm.put_parameter(Name=name, Type="String", Value=policy)
        # With the policy back, its review has terminated what it calls for.
        eventually(lambda: enforce_mode.fixtures.state_of(bad) == "TERMINATED")
        eventually(lambda: "enforcement.done" in kinds(enforce_mode, bad))
        assert not kinds(enforce_mode, good)
        [invalid] = [a for a in enforce_mode.inbox.alerts[before:] if a["kind"] == "policy.invalid"]
        assert invalid["version"] is None
