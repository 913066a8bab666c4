import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox

type Eventually = Callable[..., Any]
type Role = Callable[..., dict[str, str]]

ARN = "arn:aws:scheduler:us-east-1:111122223333:schedule"
SECONDS = 2
"""How many seconds in the future a schedule that must fire is set."""
names = count(1)


def template(trusted: str, action: str) -> str:
    """A schedule group, a queue, and the role that sends messages to it."""
    role = {
        "AssumeRolePolicyDocument": {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": trusted},
                    "Action": "sts:AssumeRole",
                }
            ]
        },
        "Policies": [
            {
                "PolicyName": "send",
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": action,
                            "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
                        }
                    ]
                },
            }
        ],
    }
    return json.dumps(
        {
            "Resources": {
                "Group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {}},
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            },
            "Outputs": {
                "Group": {"Value": {"Ref": "Group"}},
                "Url": {"Value": {"Ref": "Queue"}},
                "Queue": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}},
                "Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
        }
    )


@dataclass(frozen=True)
class Deadlines:
    """A schedule group whose messages go to a queue."""

    sandbox: Sandbox
    group: str
    url: str
    queue: str
    role: str

    def schedule(self, name: str, at: datetime | str, **changes: object) -> dict[str, Any]:
        """The parameters of CreateSchedule and UpdateSchedule."""
        moment = at if isinstance(at, str) else f"{at:%Y-%m-%dT%H:%M:%S}"
        return {
            "Name": name,
            "GroupName": self.group,
            "ScheduleExpression": f"at({moment})",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {"Arn": self.queue, "RoleArn": self.role, "Input": json.dumps(name)},
        } | changes

    def messages(self) -> list[str]:
        received = self.sandbox.client("sqs").receive_message(QueueUrl=self.url)
        return [message["Body"] for message in received.get("Messages", [])]


@pytest.fixture
def deadlines(sandbox: Sandbox, eventually: Eventually) -> Callable[..., Deadlines]:
    def make(
        trusted: str = "scheduler.amazonaws.com", action: str = "sqs:SendMessage"
    ) -> Deadlines:
        stack = f"deadlines-{next(names)}"
        sandbox.client("cloudformation").create_stack(
            StackName=stack,
            TemplateBody=template(trusted, action),
            Capabilities=["CAPABILITY_IAM"],
        )
        eventually(lambda: sandbox.stack_status(stack) == "CREATE_COMPLETE")
        made = sandbox.outputs(stack)
        return Deadlines(sandbox, made["Group"], made["Url"], made["Queue"], made["Role"])

    return make


def ahead(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def gone(client: Any, name: str, group: str) -> bool:  # noqa: ANN401 - boto3's
    try:
        client.get_schedule(Name=name, GroupName=group)
    except client.exceptions.ResourceNotFoundException:
        return True
    return False


def test_one_time_schedule_fires_at_its_time_and_deletes_itself(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines], eventually: Eventually
) -> None:
    made, scheduler = deadlines(), sandbox.client("scheduler")
    moment = ahead(SECONDS).replace(microsecond=0)

    scheduler.create_schedule(**made.schedule("j-1", moment))

    assert eventually(made.messages) == ['"j-1"']
    assert moment <= datetime.now(UTC)
    eventually(lambda: gone(scheduler, "j-1", made.group))
    # The name is available again, and the first schedule's firing does not affect the second.
    scheduler.create_schedule(**made.schedule("j-1", ahead(SECONDS)))
    assert eventually(made.messages) == ['"j-1"']


def test_schedule_is_created_once_updated_read_and_deleted(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines]
) -> None:
    made, scheduler = deadlines(), sandbox.client("scheduler")
    scheduler.create_schedule(**made.schedule("j-1", "2099-01-01T00:00:00"))

    with pytest.raises(scheduler.exceptions.ConflictException):
        scheduler.create_schedule(**made.schedule("j-1", "2099-01-01T00:00:00"))
    scheduler.update_schedule(**made.schedule("j-1", "2098-01-01T00:00:00"))

    read = scheduler.get_schedule(Name="j-1", GroupName=made.group)
    assert read["Arn"] == f"{ARN}/{made.group}/j-1"
    assert read["ScheduleExpression"] == "at(2098-01-01T00:00:00)"
    assert read["ActionAfterCompletion"] == "DELETE"
    scheduler.delete_schedule(Name="j-1", GroupName=made.group)
    for call in (scheduler.get_schedule, scheduler.delete_schedule):
        with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
            call(Name="j-1", GroupName=made.group)
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.update_schedule(**made.schedule("j-1", "2098-01-01T00:00:00"))
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.create_schedule(**made.schedule("j-1", "2098-01-01T00:00:00", GroupName="none"))


def test_updated_schedule_fires_at_its_new_time(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines], eventually: Eventually
) -> None:
    made, scheduler = deadlines(), sandbox.client("scheduler")
    scheduler.create_schedule(**made.schedule("j-1", "2099-01-01T00:00:00"))

    scheduler.update_schedule(**made.schedule("j-1", ahead(SECONDS)))

    assert eventually(made.messages) == ['"j-1"']


def test_schedule_in_the_past_is_accepted_and_never_fires(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines], eventually: Eventually
) -> None:
    made, scheduler = deadlines(), sandbox.client("scheduler")

    scheduler.create_schedule(**made.schedule("j-1", "2022-12-31T23:59:59"))

    with pytest.raises(TimeoutError):
        eventually(made.messages, seconds=2)
    assert not gone(scheduler, "j-1", made.group)


@pytest.mark.parametrize(
    "moment", ["2099-12-31T23:59:59Z", "2099-12-31T23:59:59.5", "2099-12-31", "2099-12-31 23:59:59"]
)
def test_time_zone_and_fractions_of_seconds_are_refused(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines], moment: str
) -> None:
    scheduler = sandbox.client("scheduler")

    with pytest.raises(scheduler.exceptions.ValidationException, match="Invalid Schedule Express"):
        scheduler.create_schedule(**deadlines().schedule("j-1", moment))


def test_creating_a_schedule_requires_permission_on_it_and_on_its_role(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines], role: Role
) -> None:
    made = deadlines()
    create: dict[str, object] = {
        "Effect": "Allow",
        "Action": ["scheduler:CreateSchedule", "scheduler:UpdateSchedule"],
        "Resource": f"{ARN}/{made.group}/*",
    }
    dispatch: dict[str, object] = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": made.role,
        "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
    }
    wanted = made.schedule("j-1", "2099-01-01T00:00:00")

    def denied(*statements: dict[str, object], schedule: dict[str, Any] = wanted) -> str:
        scheduler = sandbox.client("scheduler", **role(*statements))
        with pytest.raises(ClientError, match="AccessDenied") as error:
            scheduler.create_schedule(**schedule)
        return str(error.value)

    assert "scheduler:CreateSchedule" in denied(dispatch)
    assert "iam:PassRole" in denied(create)
    assert "iam:PassRole" in denied(create, dispatch | {"Resource": f"{made.role}-of-another"})
    assert "scheduler:CreateSchedule" in denied(
        create, dispatch, schedule=wanted | {"GroupName": "default"}
    )
    allowed = sandbox.client("scheduler", **role(create, dispatch))
    allowed.create_schedule(**wanted)
    allowed.update_schedule(**wanted)
    with pytest.raises(ClientError, match="scheduler:GetSchedule"):
        allowed.get_schedule(Name="j-1", GroupName=made.group)
    with pytest.raises(ClientError, match="iam:PassRole"):
        sandbox.client("scheduler", **role(create)).update_schedule(**wanted)


def test_reading_and_deleting_a_schedule_require_permission_on_it(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines], role: Role
) -> None:
    made, root = deadlines(), sandbox.client("scheduler")
    root.create_schedule(**made.schedule("j-1", "2099-01-01T00:00:00"))
    root.create_schedule(**made.schedule("j-1", "2099-01-01T00:00:00", GroupName="default"))
    both = ["scheduler:GetSchedule", "scheduler:DeleteSchedule"]
    scheduler = sandbox.client(
        "scheduler",
        **role({"Effect": "Allow", "Action": both, "Resource": f"{ARN}/{made.group}/j-1"}),
    )

    for call in (scheduler.get_schedule, scheduler.delete_schedule):
        assert call(Name="j-1", GroupName=made.group)
        with pytest.raises(ClientError, match="AccessDenied"):
            call(Name="j-1", GroupName="default")


def test_role_must_trust_scheduler(sandbox: Sandbox, deadlines: Callable[..., Deadlines]) -> None:
    scheduler, made = sandbox.client("scheduler"), deadlines(trusted="lambda.amazonaws.com")

    with pytest.raises(scheduler.exceptions.ValidationException, match="to assume the role"):
        scheduler.create_schedule(**made.schedule("j-1", "2099-01-01T00:00:00"))


def test_message_that_the_role_may_not_send_is_not_delivered(
    sandbox: Sandbox, deadlines: Callable[..., Deadlines], eventually: Eventually
) -> None:
    made, scheduler = deadlines(action="sqs:ReceiveMessage"), sandbox.client("scheduler")

    scheduler.create_schedule(**made.schedule("j-1", ahead(SECONDS)))

    eventually(lambda: gone(scheduler, "j-1", made.group))
    assert made.messages() == []
