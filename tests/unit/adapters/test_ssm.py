import json

import pytest
from botocore.exceptions import ConnectTimeoutError

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.sns import SnsAlerts
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.domain.policy import PolicyProblem
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
        (AwsError("AccessDeniedException"), "AccessDeniedException", False),
        (AwsError("ParameterNotFound"), "ParameterNotFound", False),
        (AwsError("InternalServerError"), "InternalServerError", True),
        (ConnectTimeoutError(endpoint_url="https://ssm"), "ConnectTimeoutError", True),
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

    reason = f"ssm:GetParameter on {NAME} answered {code}"
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
