import json
from collections.abc import Mapping
from typing import Any

import pytest
from moto.events.models import EventPattern

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.events import EventBridgeRechecks
from tests.template.stack import EVERYTHING, ROOT, Stack
from tests.unit.environment import without_aws
from tests.unit.stubbed_aws import StubbedAws

LOG = "s3-object-created-log"
CLUSTER = "emr-cluster-state-change-starting"
STEP = "emr-step-status-change-pending"
LAUNCH = "cloudtrail-run-job-flow"
RECHECK = "recheck-requested"
KEY = "cloudtrail-disable-key"
REENCRYPTED = "cloudtrail-update-object-encryption"
KEY_EVENTS = (
    "cloudtrail-connect-custom-key-store",
    "cloudtrail-create-alias",
    "cloudtrail-delete-alias",
    "cloudtrail-delete-expired-key-material",
    "cloudtrail-delete-key",
    KEY,
    "cloudtrail-disconnect-custom-key-store",
    "cloudtrail-import-key-material",
    "cloudtrail-update-alias",
    "kms-cmk-deletion",
    "kms-imported-key-material-expiration",
)
TO_CHECK_CLUSTER = {
    "ClusterStateChangeRule": CLUSTER,
    "ClusterLaunchRule": LAUNCH,
    "StepStatusChangeRule": STEP,
    "RecheckRequestRule": RECHECK,
}


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded


def matches(
    rule: str, what: Mapping[str, Any], parameters: Mapping[str, str], stack: str = "emr-log-guard"
) -> bool:
    pattern = Stack(parameters).of_type("AWS::Events::Rule")[rule]["EventPattern"]
    named = json.dumps(pattern).replace('{"Ref": "AWS::StackName"}', json.dumps(stack))
    return EventPattern.load(named).matches_event(what)  # type: ignore[arg-type]


def cluster_rule(what: Mapping[str, Any]) -> bool:
    return matches("ClusterStateChangeRule", what, {})


def log_rule(what: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> bool:
    return matches("LogObjectCreatedRule", what, parameters or {})


def reencrypted_rule(what: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> bool:
    return matches("LogObjectReencryptedRule", what, parameters or {})


def reencrypted(bucket: str, key: str) -> dict[str, Any]:
    return with_detail(REENCRYPTED, requestParameters={"bucketName": bucket, "key": key})


def with_detail(name: str, **changes: object) -> dict[str, Any]:
    base = event(name)
    return base | {"detail": base["detail"] | changes}


def object_created(key: str) -> dict[str, Any]:
    return with_detail(LOG, object={"key": key})


@pytest.mark.parametrize("state", ["starting", "running", "waiting"])
def test_running_cluster_is_checked(state: str) -> None:
    assert cluster_rule(event(f"emr-cluster-state-change-{state}"))


@pytest.mark.parametrize("state", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_terminated_cluster_is_checked(state: str) -> None:
    terminated = event("emr-cluster-state-change-terminated")

    assert cluster_rule(terminated | {"detail": terminated["detail"] | {"state": state}})


@pytest.mark.parametrize(
    "near_miss",
    [
        event(CLUSTER) | {"source": "custom.emr"},
        event(CLUSTER) | {"source": "aws.emr-containers"},
        event(CLUSTER) | {"detail-type": "EMR Step Status Change"},
        with_detail(CLUSTER, state="TERMINATING"),
        event(LOG),
    ],
)
def test_events_that_are_not_about_a_cluster_state_are_ignored(near_miss: dict[str, Any]) -> None:
    assert not cluster_rule(near_miss)


@pytest.mark.parametrize("state", ["pending", "cancelled"])
def test_cluster_of_a_pending_or_cancelled_step_is_checked(state: str) -> None:
    assert matches("StepStatusChangeRule", event(f"emr-step-status-change-{state}"), {})


@pytest.mark.parametrize("name", [LOG, f"{LOG}-unversioned"])
def test_log_object_is_checked(name: str) -> None:
    assert log_rule(event(name))


@pytest.mark.parametrize(
    "key",
    [
        "j-2AXXXXXXGAPLF/node/i-0abc/stderr.gz",
        "logs/j-2AXXXXXXGAPLF/steps/s-1/stderr.gz",
        "a/long/prefix/j-2AXXXXXXGAPLF/containers/application_1/container_1/stdout.gz",
    ],
)
def test_log_object_is_checked_under_any_prefix(key: str) -> None:
    assert log_rule(object_created(key))


@pytest.mark.parametrize(
    "near_miss",
    [
        event("s3-object-created-other"),
        event(LOG) | {"detail-type": "Object Deleted"},
        event(LOG) | {"source": "custom.s3"},
        object_created("j-2AXXXXXXGAPLF"),
        object_created("logs/j-2AXXXXXXGAPLF"),
        object_created("logs/proj-2026/report.csv"),
        object_created("subj-1/report.csv"),
        event(CLUSTER),
    ],
)
def test_objects_that_are_not_logs_are_ignored(near_miss: dict[str, Any]) -> None:
    assert not log_rule(near_miss)


@pytest.mark.parametrize(
    ("bucket", "checked"),
    [
        ("amzn-s3-demo-emr-logs", True),
        ("amzn-s3-demo-more-logs", True),
        ("amzn-s3-demo-emr-logs-2", False),
        ("another-bucket", False),
    ],
)
def test_only_objects_in_the_log_buckets_are_checked_if_any_are_listed(
    bucket: str, *, checked: bool
) -> None:
    what = with_detail(LOG, bucket={"name": bucket})

    assert log_rule(what, EVERYTHING) is checked
    assert log_rule(what)


def test_events_in_the_example_batch_match_the_rule() -> None:
    for record in event("sqs-s3-object-created")["Records"]:
        assert log_rule(json.loads(record["body"]))


@pytest.mark.parametrize(("rule", "name"), TO_CHECK_CLUSTER.items())
def test_event_matches_its_own_rule_only(rule: str, name: str) -> None:
    assert matches(rule, event(name), {})
    assert [other for other in TO_CHECK_CLUSTER if matches(other, event(name), {})] == [rule]


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("ClusterLaunchRule", event(LAUNCH) | {"source": "aws.emr"}),
        ("StepStatusChangeRule", with_detail(STEP, state="RUNNING")),
    ],
)
def test_variants_of_an_event_match_the_same_rule(rule: str, what: dict[str, Any]) -> None:
    assert matches(rule, what, {})


@pytest.mark.parametrize(
    "call",
    [
        "DisableKey",
        "EnableKey",
        "ScheduleKeyDeletion",
        "CancelKeyDeletion",
        "DeleteImportedKeyMaterial",
        "ImportKeyMaterial",
        "PutKeyPolicy",
        "RevokeGrant",
        "EnableKeyRotation",
        "DisableKeyRotation",
    ],
)
def test_call_that_changes_whether_a_key_is_usable_is_checked(call: str) -> None:
    assert matches("CheckKeyFunctionKeyChange", with_detail(KEY, eventName=call), {})


@pytest.mark.parametrize("name", KEY_EVENTS)
def test_event_about_a_key_matches_the_key_change_rule_only(name: str) -> None:
    rules = Stack({}).of_type("AWS::Events::Rule")
    # The policy's rule depends on the stack's own names and is tested separately.
    patterns = [each for each in rules if "EventPattern" in rules[each] and "Policy" not in each]

    assert [rule for rule in patterns if matches(rule, event(name), {})] == [
        "CheckKeyFunctionKeyChange"
    ]


def test_reencrypted_object_is_checked() -> None:
    assert reencrypted_rule(event(REENCRYPTED))
    assert reencrypted_rule(reencrypted("any", "j-2AXXXXXXGAPLF/node/x.gz"))
    assert reencrypted_rule(event(REENCRYPTED) | {"source": "aws.elsewhere"})


@pytest.mark.parametrize(
    ("bucket", "checked"),
    [
        ("amzn-s3-demo-emr-logs", True),
        ("amzn-s3-demo-more-logs", True),
        ("amzn-s3-demo-emr-logs-2", False),
        ("another-bucket", False),
    ],
)
def test_only_reencrypted_objects_in_the_log_buckets_are_checked_if_any_are_listed(
    bucket: str, *, checked: bool
) -> None:
    what = reencrypted(bucket, "logs/j-2AXXXXXXGAPLF/node/x.gz")

    assert reencrypted_rule(what, EVERYTHING) is checked
    assert reencrypted_rule(what)


@pytest.mark.parametrize("operation", ["", "-create", "-delete"])
def test_change_of_the_own_policy_parameter_is_reviewed(operation: str) -> None:
    """A policy that was deleted and is created again sends no Update.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
    """
    changed: Any = event(f"parameter-store-change{operation}")
    labelled: Any = changed | {"detail": changed["detail"] | {"operation": "LabelParameterVersion"}}
    another: Any = changed | {"detail": changed["detail"] | {"name": "/another"}}
    rule = Stack({}).of_type("AWS::Events::Rule")["ReviewFindingsFunctionPolicyChange"][
        "EventPattern"
    ]
    named = rule | {"detail": rule["detail"] | {"name": [changed["detail"]["name"]]}}
    pattern = EventPattern.load(json.dumps(named))

    assert rule["detail"]["name"] == [{"Ref": "PolicyParameter"}]
    assert pattern.matches_event(changed)
    assert not pattern.matches_event(another)
    assert not pattern.matches_event(labelled)


@pytest.mark.parametrize(
    ("rule", "near_miss"),
    [
        ("CheckKeyFunctionKeyChange", with_detail(KEY, eventName="Decrypt")),
        ("CheckKeyFunctionKeyChange", with_detail(KEY, errorCode="AccessDenied")),
        ("CheckKeyFunctionKeyChange", with_detail(KEY, eventSource="cloudhsm.amazonaws.com")),
        ("CheckKeyFunctionKeyChange", event(KEY) | {"source": "my.trail"}),
        ("CheckKeyFunctionKeyChange", event("kms-cmk-deletion") | {"source": "my.kms"}),
        (
            "CheckKeyFunctionKeyChange",
            event("kms-cmk-deletion") | {"detail-type": "KMS CMK Rotation"},
        ),
        (
            "CheckKeyFunctionKeyChange",
            with_detail("cloudtrail-update-alias", errorCode="NotFoundException"),
        ),
        ("CheckKeyFunctionKeyChange", event(REENCRYPTED)),
        ("LogObjectReencryptedRule", event(REENCRYPTED) | {"source": "my.trail"}),
        ("LogObjectReencryptedRule", with_detail(REENCRYPTED, errorCode="AccessDenied")),
        ("LogObjectReencryptedRule", with_detail(REENCRYPTED, eventName="PutObject")),
        (
            "LogObjectReencryptedRule",
            with_detail(REENCRYPTED, eventSource="s3tables.amazonaws.com"),
        ),
        ("LogObjectReencryptedRule", reencrypted("any", "logs/proj-2026/report.csv")),
        ("LogObjectReencryptedRule", event(LOG)),
        ("ClusterLaunchRule", event(f"{LAUNCH}-failed")),
        ("ClusterLaunchRule", event(LAUNCH) | {"source": "my.trail"}),
        ("ClusterLaunchRule", with_detail(LAUNCH, eventName="TerminateJobFlows")),
        (
            "ClusterLaunchRule",
            with_detail(LAUNCH, eventSource="emr-containers.amazonaws.com"),
        ),
        ("ClusterLaunchRule", with_detail(LAUNCH, errorCode="AccessDenied")),
        ("StepStatusChangeRule", event("emr-step-status-change-completed")),
        ("StepStatusChangeRule", event(STEP) | {"source": "custom.emr"}),
        ("RecheckRequestRule", event(RECHECK) | {"source": "custom"}),
        ("RecheckRequestRule", with_detail(RECHECK, stack="emr-log-guard-test")),
        (
            "RecheckRequestRule",
            event(RECHECK) | {"detail": {"cluster_id": "j-2AXXXXXXGAPLF"}},
        ),
        ("RecheckRequestRule", event(RECHECK) | {"detail-type": "Finding Opened"}),
    ],
)
def test_similar_events_are_ignored(rule: str, near_miss: dict[str, Any]) -> None:
    assert not matches(rule, near_miss, {})


@pytest.mark.parametrize("asking", ["emr-log-guard", "emr-log-guard-test"])
@pytest.mark.parametrize("listening", ["emr-log-guard", "emr-log-guard-test"])
def test_recheck_request_matches_only_the_stack_that_it_names(
    monkeypatch: pytest.MonkeyPatch, asking: str, listening: str
) -> None:
    """All stacks of an account put their requests on the same default bus."""
    without_aws(monkeypatch)
    aws = StubbedAws()
    aws.answer("PutEvents", {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]})
    clients.events.cache_clear()
    EventBridgeRechecks(aws.attach(clients.events()), asking).request(["j-2AXXXXXXGAPLF"])
    [(_, request)] = aws.calls
    [record] = request["Entries"]
    put = {
        "source": record["Source"],
        "detail-type": record["DetailType"],
        "detail": json.loads(record["Detail"]),
    }

    assert matches("RecheckRequestRule", put, {}, listening) is (asking == listening)


@pytest.mark.parametrize(
    "function", ["CheckKeyFunction", "EnforceFunction", "ReviewFindingsFunction"]
)
def test_functions_that_request_checks_know_the_stack_name(function: str) -> None:
    variables = Stack(EVERYTHING).variables(function)

    assert variables["STACK_NAME"] == {"Ref": "AWS::StackName"}
