"""Starting an account, deploying to it and stopping it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox, SandboxError, deployment
from tests.sandbox.functions import invoke, make_function

pytestmark = pytest.mark.xdist_group("deployed")

STACK = Path(__file__).parent / "stack"


def group_is_gone(pid: int) -> bool:
    """Whether no process of a group is running; zombies do not count."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = status.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == pid and state != "Z":
            return False
    return True


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deployment.build(STACK / "template.yaml", tmp_path_factory.mktemp("sam") / "build")


@pytest.fixture(scope="module")
def deployed(sandbox: Sandbox, built: Path) -> dict[str, str]:
    return sandbox.deploy({"Greeting": "good day"}, stack="tiny", built=built)


def test_deployed_function_runs_with_its_parameters_and_its_own_role(
    sandbox: Sandbox, deployed: dict[str, str], eventually: Callable[..., Any]
) -> None:
    name = deployed["FunctionName"]

    answer = sandbox.client("lambda").invoke(FunctionName=name, Payload=b"{}")["Payload"].read()

    assert "not authorized to perform: dynamodb:DeleteItem" in json.loads(answer)["refused"]
    logs = sandbox.client("logs")
    eventually(
        lambda: [
            event
            for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
            if "good day" in event["message"]
        ]
    )


def test_emr_and_s3_events_reach_a_deployed_function(
    sandbox: Sandbox, deployed: dict[str, str], eventually: Callable[..., Any]
) -> None:
    dynamodb = sandbox.client("dynamodb")

    cluster = sandbox.client("emr").run_job_flow(Name="etl", Instances={"InstanceCount": 1})
    sandbox.client("s3").put_object(Bucket=deployed["LogsBucketName"], Key="logs/a b", Body=b"x")

    for name in (cluster["JobFlowId"], "logs/a b"):
        item = {"TableName": deployed["SeenTableName"], "Key": {"id": {"S": name}}}
        eventually(lambda item=item: "Item" in dynamodb.get_item(**item))


def test_failed_deployment_shows_the_output_of_sam(sandbox: Sandbox, tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Resources: {Nonsense: {Type: 'AWS::Nonsense::Thing'}}")

    with pytest.raises(SandboxError, match=r"(?s)`sam deploy` failed:.*AWS::Nonsense::Thing"):
        sandbox.deploy(stack="nonsense", built=template)


def test_root_user_has_all_permissions(sandbox: Sandbox) -> None:
    identity = sandbox.client("sts").get_caller_identity()

    assert identity["Arn"] == "arn:aws:iam::111122223333:root"


def test_unknown_credentials_have_no_permissions(sandbox: Sandbox) -> None:
    stranger = sandbox.client("emr", aws_access_key_id="AKIAIOSFODNN7EXAMPLE")

    with pytest.raises(ClientError, match="security token"):
        stranger.list_clusters()


def test_account_listens_on_loopback_only(sandbox: Sandbox) -> None:
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", sandbox.port))


def run_a_function(account: Sandbox) -> None:
    name = make_function(account, "def handler(event, context): return event")
    assert invoke(account, name, "here") == ("here", False)


def test_accounts_are_separate_and_stop_all_their_processes(
    sandbox: Sandbox, eventually: Callable[..., Any]
) -> None:
    with Sandbox.start() as other:
        run_a_function(other)
        other.client("s3").create_bucket(Bucket="only-here")
        names = [each["Name"] for each in sandbox.client("s3").list_buckets()["Buckets"]]
        assert "only-here" not in names
        folder = other.log.parent

    assert group_is_gone(other.pid)
    eventually(lambda: not folder.exists())
    other.stop()


def test_account_stops_when_its_parent_process_exits(
    eventually: Callable[..., Any],
) -> None:
    program = """
        import os
        from sandbox import Sandbox
        print(Sandbox.start().pid, flush=True)
        os._exit(0)
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=deployment.ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(deployment.ROOT)},
    )

    eventually(lambda: group_is_gone(int(found.stdout)))


def test_port_in_use_is_reported_with_its_number(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match=f"port {sandbox.port} is in use.*--port"):
        Sandbox.start(port=sandbox.port)


def test_responses_can_be_delayed() -> None:
    with Sandbox.start(latency_ms=300) as slow:
        clusters = slow.client("emr")
        begun = time.monotonic()
        clusters.list_clusters()
        assert time.monotonic() - begun >= 0.3
