import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.sns import SnsAlerts, SnsPolicyChangeAlerts
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.domain.policy import PolicyChange, PolicyProblem
from emr_log_guard.errors import HandoffFailedError
from emr_log_guard.events.sns import parse_alerts
from emr_log_guard.usecases.ports import StoredPolicy, UnreadablePolicy
from tests.unit.builders import NOW
from tests.unit.stubbed_aws import AwsError, StubbedAws

NAME = "/emr-log-guard/test/policy"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:alerts"


@pytest.fixture
def parameter(aws: StubbedAws) -> SsmPolicyParameter:
    clients.ssm.cache_clear()
    return SsmPolicyParameter(aws.attach(clients.ssm()), NAME)


def test_policy_is_read_with_its_version_and_time(
    aws: StubbedAws, parameter: SsmPolicyParameter
) -> None:
    stored = {"Value": "{}", "Version": 7, "LastModifiedDate": NOW}
    aws.answer("GetParameter", {"Parameter": stored})

    assert parameter.read() == StoredPolicy("{}", 7, NOW)
    assert aws.calls == [("GetParameter", {"Name": NAME})]


@pytest.mark.parametrize(
    ("answer", "code", "transient"),
    [
        (AwsError("AccessDeniedException"), "answered AccessDeniedException", False),
        (AwsError("ParameterNotFound"), "answered ParameterNotFound", False),
        (AwsError("InternalServerError"), "answered InternalServerError", True),
        (ConnectTimeoutError(endpoint_url="https://ssm"), "failed with ConnectTimeoutError", True),
    ],
)
def test_unreadable_policy_has_a_reason_and_may_be_transient(
    aws: StubbedAws,
    parameter: SsmPolicyParameter,
    answer: AwsError | Exception,
    code: str,
    *,
    transient: bool,
) -> None:
    aws.answer("GetParameter", answer)

    reason = f"ssm:GetParameter on {NAME} {code}"
    assert parameter.read() == UnreadablePolicy(reason, transient=transient)


def test_policy_is_overwritten_with_intelligent_tiering(
    aws: StubbedAws, parameter: SsmPolicyParameter
) -> None:
    aws.answer("PutParameter", {"Version": 8})

    assert parameter.write("{}") == 8
    assert aws.calls[0][1] == {
        "Name": NAME,
        "Value": "{}",
        "Type": "String",
        "Tier": "Intelligent-Tiering",
        "Overwrite": True,
    }


@pytest.mark.parametrize(("version", "words"), [(3, "is invalid"), (None, "cannot be read")])
def test_policy_problem_is_published_as_text_json_and_attributes(
    aws: StubbedAws, version: int | None, words: str
) -> None:
    aws.answer("Publish", {"MessageId": "m"})
    clients.sns.cache_clear()
    problem = PolicyProblem(NAME, version, ("mode: expected `str`\x1b; write one of …",))
    client = aws.attach(clients.sns())

    SnsAlerts(lambda: client, TOPIC, "guard").policy_invalid(problem)

    [(_, call)] = aws.calls
    messages = json.loads(call["Message"])
    machine = json.loads(messages["sqs"])
    assert words in call["Subject"]
    assert "\x1b" not in messages["email"]
    assert "nothing is terminated" in messages["email"]
    assert (machine["kind"], machine["version"]) == ("policy.invalid", version)
    assert machine["problems"] == list(problem.problems)
    assert {name: value["StringValue"] for name, value in call["MessageAttributes"].items()} == {
        "kind": "policy.invalid",
        "account": "111122223333",
        "region": "eu-west-1",
    }
    [alert] = parse_alerts(
        {"Records": [{"Sns": {"MessageId": "m", "Message": messages["lambda"]}}]}
    )
    assert alert.subject == call["Subject"]


def test_policy_versions_contain_their_author(
    aws: StubbedAws, parameter: SsmPolicyParameter
) -> None:
    first = {"Value": "{}", "Version": 1, "LastModifiedDate": NOW}
    second = {"Value": "[]", "Version": 2, "LastModifiedDate": NOW, "LastModifiedUser": "arn:x"}
    pages: list[dict[str, Any]] = [
        {"Parameters": [first], "NextToken": "n"},
        {"Parameters": [second]},
    ]
    aws.answer("GetParameterHistory", lambda _: pages.pop(0))

    assert parameter.versions() == (
        StoredPolicy("{}", 1, NOW),
        StoredPolicy("[]", 2, NOW, "arn:x"),
    )
    assert [call["Name"] for _, call in aws.calls] == [NAME, NAME]


def test_deleted_parameter_has_no_versions(aws: StubbedAws, parameter: SsmPolicyParameter) -> None:
    aws.answer("GetParameterHistory", AwsError("ParameterNotFound"))

    assert parameter.versions() == ()


def test_denied_versions_raise_handoff_failed(
    aws: StubbedAws, parameter: SsmPolicyParameter
) -> None:
    aws.answer("GetParameterHistory", AwsError("AccessDeniedException"))

    with pytest.raises(HandoffFailedError, match=r"ssm:GetParameterHistory on .* AccessDenied"):
        parameter.versions()


CHANGE = PolicyChange(
    id="c-1",
    parameter=NAME,
    version=7,
    changed_at=NOW,
    changed_by="arn:aws:sts::111122223333:assumed-role/security/ada",
    changes=('-  "mode": "alert"', '+  "mode": "enforce\x1b"'),
)


def sent_about(aws: StubbedAws, change: PolicyChange) -> dict[str, Any]:
    """Publish an alert about a change, and return the call."""
    aws.answer("Publish", {"MessageId": "m"})
    clients.sns.cache_clear()
    SnsPolicyChangeAlerts(aws.attach(clients.sns()), TOPIC, "guard").policy_changed(change)
    [(_, call)] = aws.calls
    return call


def test_policy_change_alert_contains_author_difference_and_how_to_undo_it(aws: StubbedAws) -> None:
    call = sent_about(aws, CHANGE)

    messages = json.loads(call["Message"])
    assert messages["email"] == (
        "EMR Log Guard: policy version 7 was stored by assumed-role/security/ada\n"
        "Account 111122223333, eu-west-1. Stored 2026-03-14 15:09 UTC. "
        "It takes effect within 60 seconds, if it is valid.\n\n"
        "Parameter    /emr-log-guard/test/policy\n"
        "Changed by   arn:aws:sts::111122223333:assumed-role/security/ada\n"
        "To undo      aws ssm get-parameter --region eu-west-1 "
        "--name /emr-log-guard/test/policy:6 --query Parameter.Value --output text > policy.json\n"
        "             emr-log-guard policy set policy.json\n\n"
        "Changes\n"
        '  -  "mode": "alert"\n'
        '  +  "mode": "enforce\\x1b"\n'
    )
    machine = json.loads(messages["sqs"])
    assert {name: machine[name] for name in ("id", "kind", "stack", "version", "changed_by")} == {
        "id": "c-1",
        "kind": "policy.changed",
        "stack": "guard",
        "version": 7,
        "changed_by": CHANGE.changed_by,
    }
    assert machine["changes"] == list(CHANGE.changes)
    assert machine["changed_at"] == NOW.isoformat()
    assert {name: value["StringValue"] for name, value in call["MessageAttributes"].items()} == {
        "kind": "policy.changed",
        "id": "c-1",
        "account": "111122223333",
        "region": "eu-west-1",
    }
    [alert] = parse_alerts(
        {"Records": [{"Sns": {"MessageId": "m", "Message": messages["lambda"]}}]}
    )
    assert (alert.subject, alert.about) == (call["Subject"], None)


def test_alert_about_the_first_policy_version_offers_no_undo(aws: StubbedAws) -> None:
    call = sent_about(aws, replace(CHANGE, version=1, changed_by=None))

    text = json.loads(call["Message"])["email"]
    assert call["Subject"] == "EMR Log Guard: policy version 1 was stored"
    assert "undo" not in text
    assert "Changed by   unknown: AWS CloudTrail names the caller\n" in text


def test_alert_about_a_deleted_policy_explains_what_applies_now(aws: StubbedAws) -> None:
    deleted = replace(CHANGE, version=None, changed_by=None, changed_at=None, changes=())

    call = sent_about(aws, deleted)

    assert call["Subject"] == "EMR Log Guard: the policy was deleted"
    assert json.loads(call["Message"])["email"].splitlines()[1] == (
        "Account 111122223333, eu-west-1. Deleted. The last valid policy is used to evaluate and "
        "to alert, and nothing is terminated. Without one, every rule is enabled, and exemptions "
        "and approved keys are unknown."
    )
