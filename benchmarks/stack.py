"""The deployed stack that the benchmarks of the functions use."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contestants import WrongResultError
from benchmarks.measuring import Run, measured
from sandbox import EmrPace, Sandbox
from sandbox.calls import EmrCalls, answered, emr_calls
from sandbox.deployment import BUILT, ROOT
from sandbox.quotas import Quota

LAYERS = ("DependenciesLayer", "EmrLogGuardLayer")
SCRIPTS = ROOT / "benchmarks" / "in_function"

CALLS = "calls"
"""The file in which the account records the calls that it answers."""
WEBHOOK = "slack-webhook"
"""The secret that adds the function that posts to Slack to the stack."""


def python() -> Path:
    """The path of a Python without installed packages, like Lambda's."""
    return Path(sys.base_prefix) / "bin" / "python3.13"


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack, and a folder to run in."""

    account: Sandbox
    folder: Path

    def execution(self, name: str) -> str:
        """The ARN of an execution of the re-scan's state machine."""
        machine = self.account.outputs()["RescanStateMachineArn"]
        return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"

    def calls(self) -> Counter[str]:
        """Count the calls so far by operation, such as `ElasticMapReduce.DescribeCluster`."""
        counts: Counter[str] = Counter()
        for line, count in answered(self.folder / CALLS).items():
            counts[line.partition(" ")[0]] += count
        return counts

    def emr_calls(self) -> EmrCalls:
        """Count the calls to EMR so far."""
        return emr_calls(self.folder / CALLS)

    def disable_rules(self) -> None:
        """Disable every event rule, so that no event reaches a function."""
        events = self.account.client("events")
        for rule in events.list_rules()["Rules"]:
            events.disable_rule(Name=rule["Name"])

    def enable_rules(self) -> None:
        """Enable every event rule again."""
        events = self.account.client("events")
        for rule in events.list_rules()["Rules"]:
            events.enable_rule(Name=rule["Name"])

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource of the stack."""
        answer = self.account.client("cloudformation").describe_stack_resource(
            StackName="emr-log-guard", LogicalResourceId=logical_id
        )
        name: str = answer["StackResourceDetail"]["PhysicalResourceId"]
        return name

    def environment(self, function: str) -> dict[str, str]:
        """The environment of a function, including its built layers."""
        configuration = self.account.client("lambda").get_function_configuration(
            FunctionName=self.resource(function)
        )
        given: dict[str, str] = configuration["Environment"]["Variables"]
        paths = [BUILT.parent / function, *(BUILT.parent / layer / "python" for layer in LAYERS)]
        return (
            {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
            | self.account.environment
            | given
            | {
                "AWS_LAMBDA_FUNCTION_NAME": function,
                "AWS_REGION": self.account.region,
                "PYTHONPATH": os.pathsep.join(map(str, paths)),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
        )

    def run(
        self, function: str, script: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> tuple[Run, dict[str, Any]]:
        """Run a script in a function's environment; return the run and the script's last JSON line.

        Raises:
            WrongResultError: The script failed.
        """
        command: list[str | Path] = [python(), "-s", SCRIPTS / f"{script}.py", *arguments]
        run = measured(command, self.environment(function) | dict(settings or {}), self.folder)
        if run.status:
            raise WrongResultError(run.stderr)
        result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
        return run, result


@contextmanager
def deployed() -> Iterator[Stack]:
    """Build the stack from scratch and deploy it, with everything that can be turned on."""
    with TemporaryDirectory() as name, Sandbox.start(calls=Path(name) / CALLS) as account:
        secret = account.client("secretsmanager").create_secret(
            Name=WEBHOOK, SecretString="https://slack.invalid/"
        )
        account.build()
        everything = {
            "EnforcementAllowed": "true",
            "ReencryptionAllowed": "true",
            "SlackWebhookSecretArn": secret["ARN"],
            "AmazonQNotifications": "true",
            "SecurityHub": "true",
            "EmrApiShare": "100",  # this account has no quotas
        }
        account.deploy(everything)
        yield Stack(account, Path(name))


@contextmanager
def deployed_with_defaults(
    pace: EmrPace, quotas: Mapping[str, Quota], **parameters: str
) -> Iterator[Stack]:
    """Build the stack from scratch and deploy it to an account that throttles EMR's API.

    Args:
        pace: How fast clusters live.
        quotas: EMR's.
        parameters: The template's parameters that are not the defaults.

    """
    with (
        TemporaryDirectory() as name,
        Sandbox.start(
            emr=pace, emr_quotas=quotas, batching_windows=True, calls=Path(name) / CALLS
        ) as account,
    ):
        account.build()
        account.deploy(parameters)
        yield Stack(account, Path(name))
