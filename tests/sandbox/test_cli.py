# ruff: noqa: ANN401 - requests and answers are what AWS takes and gives

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox import Sandbox, SandboxError, deployment, record
from sandbox.cli import AWS_CLI_1, app, exports
from sandbox.polling import wait_for
from sandbox.quotas import DEFAULT_QUOTAS, Quota

run = CliRunner()

type Deploy = Callable[[Sandbox, dict[str, str]], dict[str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keeps the developer's own sandbox out of the test, and builds nothing."""
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    monkeypatch.setattr(record, "LOG", tmp_path / "account.log")
    monkeypatch.setattr(record, "FILE", tmp_path / "account.json")
    monkeypatch.setattr(deployment, "build", lambda: None)
    return tmp_path


def deploys(monkeypatch: pytest.MonkeyPatch, deploy: Any) -> None:
    monkeypatch.setattr(Sandbox, "deploy", deploy)


def free_port() -> str:
    with Sandbox.start() as other:
        return str(other.port)


# Leaving the account's process running, of which Python warns, is the purpose of --detach.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_up_starts_status_shows_and_down_stops_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}

    def deploy(_sandbox: Sandbox, parameters: dict[str, str]) -> dict[str, str]:
        given.update(parameters)
        return {"AlertsTopicArn": "arn:topic"}

    deploys(monkeypatch, deploy)
    port = free_port()

    up = run.invoke(
        app,
        [
            *("up", "--detach", "--port", port),
            *("--parameter", "Mode=enforce=now", "--launch-seconds", "0", "--end-seconds", "600"),
        ],
    )
    running = record.running()
    assert running is not None
    emr = running.client("emr")
    cluster_id = emr.run_job_flow(
        Name="paced", ReleaseLabel="emr-7.12.0", Instances={"KeepJobFlowAliveWhenNoSteps": False}
    )["JobFlowId"]

    def state() -> str:
        answer: str = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]
        return answer

    wait_for(lambda: state() == "TERMINATING", seconds=10)
    status = run.invoke(app, ["status"])
    again = run.invoke(app, ["up", "--port", port])
    down = run.invoke(app, ["down"])

    assert up.exit_code == 0, up.stderr
    assert up.stdout.splitlines() == [
        "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}",
        "export AWS_ACCESS_KEY_ID=test",
        "export AWS_SECRET_ACCESS_KEY=test",
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_REGION=us-east-1",
        "export EMR_LOG_GUARD_ALERTS_TOPIC_ARN=arn:topic",
        AWS_CLI_1,
    ]
    assert given == {"Mode": "enforce=now"}
    assert status.exit_code == 0
    assert f"http://127.0.0.1:{port}" in status.stderr
    assert "not deployed" in status.stderr
    assert again.exit_code == 1
    assert "a sandbox runs at" in again.stderr
    assert down.exit_code == 0
    assert "stopped" in down.stderr


@pytest.mark.parametrize(
    ("version", "called"),
    [
        ("aws-cli/1.45.11 Python/3.11.7", "--endpoint-url http://127.0.0.1:1 emr list-clusters"),
        ("aws-cli/2.27.0 Python/3.13.3", "emr list-clusters"),
    ],
)
def test_version_1_of_the_aws_cli_gets_the_endpoint_with_each_call(
    tmp_path: Path, version: str, called: str
) -> None:
    aws = tmp_path / "aws"
    aws.write_text(f'#!/bin/sh\ncase "$1" in --version) echo "{version}";; *) echo "$@";; esac\n')
    aws.chmod(0o755)
    account = Sandbox(port=1, region="us-east-1", pid=1, log=tmp_path / "log")
    lines = shlex.quote("\n".join(exports(account, {})))

    answer = subprocess.run(
        ["/bin/sh", "-c", f"eval {lines}; aws emr list-clusters"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == called


def test_status_and_down_report_that_no_sandbox_is_running() -> None:
    assert run.invoke(app, ["status"]).exit_code == 1
    down = run.invoke(app, ["down"])
    assert (down.exit_code, down.stdout) == (0, "")
    assert "No sandbox is running" in down.stderr


def test_record_of_an_account_that_has_exited_is_ignored(folder: Path) -> None:
    with Sandbox.start() as gone:
        record.save(gone)

    assert json.loads((folder / "account.json").read_text())["pid"] == gone.pid
    assert run.invoke(app, ["status"]).exit_code == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_account_has_the_default_roles_of_emr(monkeypatch: pytest.MonkeyPatch) -> None:
    deploys(monkeypatch, lambda _sandbox, _parameters: {})
    run.invoke(app, ["up", "--detach", "--port", free_port()])
    running = record.running()
    assert running is not None

    iam = running.client("iam")
    profile = iam.get_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
    role = iam.get_role(RoleName="EMR_DefaultRole")["Role"]
    run.invoke(app, ["down"])

    assert [each["RoleName"] for each in profile["InstanceProfile"]["Roles"]] == [
        "EMR_EC2_DefaultRole"
    ]
    assert role["RoleName"] == "EMR_DefaultRole"


def test_unknown_parameter_is_refused() -> None:
    up = run.invoke(app, ["up", "--parameter", "mode=enforce", "--parameter", "Mode=alert"])

    assert up.exit_code == 1
    assert "the template has no parameter mode" in up.stderr
    assert record.running() is None


def test_parameter_without_a_value_is_refused() -> None:
    up = run.invoke(app, ["up", "--parameter", "Mode"])

    assert up.exit_code == 1
    assert "NAME=VALUE" in up.stderr


@pytest.mark.parametrize(
    ("options", "quotas"),
    [
        ([], None),
        (["--emr-quotas"], DEFAULT_QUOTAS),
        (["--emr-quotas", "--latency-ms", "0"], DEFAULT_QUOTAS),
        (["--emr-quotas", "ListSteps=3/2"], {**DEFAULT_QUOTAS, "ListSteps": Quota(3, 2)}),
        (["--emr-quotas=ListSteps=3/2"], {**DEFAULT_QUOTAS, "ListSteps": Quota(3, 2)}),
    ],
)
def test_emr_quotas_are_the_defaults_or_as_given(
    monkeypatch: pytest.MonkeyPatch, options: list[str], quotas: dict[str, Quota] | None
) -> None:
    started: list[dict[str, Any]] = []

    def start(**settings: Any) -> None:
        started.append(settings)
        message = "not now"
        raise SandboxError(message)

    monkeypatch.setattr(Sandbox, "start", start)

    run.invoke(app, ["up", *options])

    assert [settings["emr_quotas"] for settings in started] == [quotas]


def test_invalid_emr_quotas_are_refused() -> None:
    up = run.invoke(app, ["up", "--emr-quotas", "ListSteps=3"])

    assert up.exit_code == 1
    assert "--emr-quotas ListSteps=3: '3' is no quota of ListSteps: write " in up.stderr


def test_failed_deployment_is_reported_and_the_account_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pids: list[int] = []

    def deploy(sandbox: Sandbox, _parameters: dict[str, str]) -> dict[str, str]:
        pids.append(sandbox.pid)
        message = "`sam deploy` failed: [no] such thing"
        raise SandboxError(message)

    deploys(monkeypatch, deploy)

    up = run.invoke(app, ["up", "--detach", "--port", free_port()])

    assert up.exit_code == 1
    assert "[no] such thing" in up.stderr
    assert up.stdout == ""
    assert run.invoke(app, ["status"]).exit_code == 1


def test_up_without_detach_runs_until_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    stayed: list[Sandbox] = []

    def interrupted(sandbox: Sandbox) -> None:
        stayed.append(sandbox)
        raise KeyboardInterrupt

    deploys(monkeypatch, lambda _sandbox, _parameters: {})
    monkeypatch.setattr("sandbox.cli._stay", interrupted)

    up = run.invoke(app, ["up", "--port", free_port()])

    assert up.exit_code == 0
    assert not stayed[0].alive()


def test_port_in_use_is_reported(sandbox: Sandbox) -> None:
    up = run.invoke(app, ["up", "--port", str(sandbox.port)])

    assert up.exit_code == 1
    assert f"port {sandbox.port} is in use" in up.stderr


def test_exports_are_quoted_for_the_shell(sandbox: Sandbox) -> None:
    lines = exports(sandbox, {"SlackURL": "https://x/?a=b c", "ReportsBucketName": "b"})

    [line] = [each for each in lines if "SLACK_URL" in each]
    assert shlex.split(line)[1:] == ["EMR_LOG_GUARD_SLACK_URL=https://x/?a=b c"]
    assert "export EMR_LOG_GUARD_REPORTS_BUCKET_NAME=b" in lines
