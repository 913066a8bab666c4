import json
from collections.abc import Callable
from typing import Any

from sandbox import Sandbox

MACHINE = {
    "StartAt": "Scan",
    "States": {
        "Scan": {
            "Type": "Map",
            "Label": "Scan",
            "ItemsPath": "$.items",
            "MaxConcurrencyPath": "$.at_once",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Item",
                "States": {"Item": {"Type": "Pass", "End": True}},
            },
            "End": True,
        }
    },
}

TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
}


def test_distributed_map_takes_its_concurrency_from_the_input(
    sandbox: Sandbox, eventually: Callable[..., Any]
) -> None:
    states = sandbox.client("stepfunctions")
    role = sandbox.client("iam").create_role(
        RoleName="paced", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]["Arn"]
    machine = states.create_state_machine(
        name="paced",
        definition=json.dumps(MACHINE),
        roleArn=role,
    )["stateMachineArn"]
    asked = json.dumps({"items": [1, 2, 3], "at_once": 2})
    execution = states.start_execution(stateMachineArn=machine, input=asked)["executionArn"]

    def ended() -> bool:
        status: str = states.describe_execution(executionArn=execution)["status"]
        return status == "SUCCEEDED"

    eventually(ended)
    [run] = states.list_map_runs(executionArn=execution)["mapRuns"]
    described = states.describe_map_run(mapRunArn=run["mapRunArn"])
    assert described["maxConcurrency"] == 2
    assert described["itemCounts"]["succeeded"] == 3
