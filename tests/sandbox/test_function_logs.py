import json
import time
from typing import Any

from sandbox import Sandbox
from sandbox.function_logs import FunctionLogs

STACK = "one-log-group"
AT_ONCE = 10_000
"""How many events PutLogEvents takes, and FilterLogEvents returns."""
TEMPLATE = {"Resources": {"FunctionLogs": {"Type": "AWS::Logs::LogGroup"}}}


def test_entry_behind_ten_thousand_others_of_its_log_group_is_found(sandbox: Sandbox) -> None:
    logs, cloudformation = sandbox.client("logs"), sandbox.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK)
    resource = cloudformation.describe_stack_resource(
        StackName=STACK, LogicalResourceId="FunctionLogs"
    )
    group = resource["StackResourceDetail"]["PhysicalResourceId"]
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    wanted = {"service": "check_key", "message": "key changed", "key": "arn:aws:kms:a:1:key/b-c"}
    for record, count in (({"service": "check_cluster"}, AT_ONCE), (wanted, 1)):
        events: list[Any] = [{"timestamp": now, "message": json.dumps(record)}] * count
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    function_logs = FunctionLogs(sandbox, STACK)

    assert function_logs.records("check_key", message="key changed", key=wanted["key"]) == [wanted]
    assert function_logs.records("check_key", message="key changed", key="another") == []
