import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox

YAML = """
StartAt: Say
States:
  Say: # in YAML there are comments
    Type: Pass
    Result: ${Greeting}
    End: true
"""
JSON = json.dumps(
    {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": "${Greeting}", "End": True}}}
)


@pytest.mark.parametrize(("name", "text"), [("yaml", YAML), ("json", JSON)])
def test_stack_creates_a_state_machine_from_a_yaml_definition(
    sandbox: Sandbox, bucket: str, eventually: Callable[..., Any], name: str, text: str
) -> None:
    sandbox.client("s3").put_object(Bucket=bucket, Key="machine", Body=text.encode())
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "DefinitionS3Location": {"Bucket": bucket, "Key": "machine"},
            "DefinitionSubstitutions": {"Greeting": "hello"},
            "RoleArn": "arn:aws:iam::111122223333:role/any",
        },
    }
    template = {
        "Resources": {"Machine": machine},
        "Outputs": {"Arn": {"Value": {"Ref": "Machine"}}},
    }
    stack, states = f"machine-{name}", sandbox.client("stepfunctions")
    sandbox.client("cloudformation").create_stack(
        StackName=stack, TemplateBody=json.dumps(template)
    )
    eventually(lambda: sandbox.stack_status(stack) == "CREATE_COMPLETE")

    execution = states.start_execution(stateMachineArn=sandbox.outputs(stack)["Arn"])

    def output() -> Any:  # noqa: ANN401
        return states.describe_execution(executionArn=execution["executionArn"]).get("output")

    assert json.loads(eventually(output)) == "hello"
