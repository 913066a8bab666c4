"""A running account: start it, deploy to it, call it and stop it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sandbox import deployment, settings
from sandbox.deployment import ROOT
from sandbox.errors import SandboxError
from sandbox.quotas import Quota, quotas_text

if TYPE_CHECKING:
    from types_boto3_cloudformation.client import CloudFormationClient

HOST = "127.0.0.1"
ACCOUNT_ID = "111122223333"
DEFAULT_PORT = 4566
DEFAULT_REGION = "us-east-1"
DEFAULT_STACK = "emr-log-guard"
ADMIN = "test"
"""Access key and secret of the account's root user; IAM users and roles have their own."""

READY_SECONDS = 60
STOP_SECONDS = 10


@dataclass(frozen=True)
class EmrPace:
    """How long the phases of a cluster's life cycle take, in seconds."""

    launch: float = 1.0
    step: float = 1.0
    termination: float = 1.0


class Sandbox:
    """An account in its own process, on loopback only; leaving the context stops it.

    Its credentials are those of the root user. IAM is enforced for all other principals.
    """

    def __init__(self, *, port: int, region: str, pid: int, log: Path) -> None:
        self.port = port
        self.region = region
        self.pid = pid
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(  # noqa: PLR0913 - each is a choice of its own
        cls,
        *,
        port: int | None = None,
        region: str = DEFAULT_REGION,
        emr: EmrPace | None = None,
        emr_quotas: Mapping[str, Quota] | None = None,
        batching_windows: bool = False,
        latency_ms: float = 0,
        log: Path | None = None,
        calls: Path | None = None,
        faults: bool = False,
        retry_seconds: float = 1,
        detach: bool = False,
    ) -> Self:
        """Start a new account and wait until it responds.

        Args:
            port: the port to listen on; None chooses a free one.
            region: the default Region of `client` and `deploy`.
            emr: how fast clusters change their state.
            emr_quotas: throttle EMR's API; actions that are not named have their default quota.
            batching_windows: gather the messages of queues into batches for as long as Lambda does.
            latency_ms: delay each response by so many milliseconds.
            log: the file for the account's output; None uses one that is deleted with the account.
            calls: the file for the calls that it answers, as `sandbox.calls` reads them.
            faults: allow `sandbox.faults` to inject faults, and retry asynchronous invocations.
            retry_seconds: the delay of Lambda's first retry; the second one takes twice as long.
            detach: keep it running when this process exits.

        Raises:
            SandboxError: the port is in use, or the account did not start.
        """
        folder = Path(tempfile.mkdtemp(prefix="emr-log-guard-"))
        try:
            started = cls._launched(
                port,
                region,
                log or folder / "account.log",
                _settings(folder, emr, detach=detach)
                | ({} if emr_quotas is None else {settings.EMR_QUOTAS: quotas_text(emr_quotas)})
                | ({settings.BATCHING_WINDOWS: "1"} if batching_windows else {})
                | {settings.LATENCY_MS: str(latency_ms)}
                | ({settings.CALLS: str(calls.absolute())} if calls else {})
                | ({settings.FAULTS: "1"} if faults else {})
                | {"LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(retry_seconds)},
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        try:
            started.wait_until_ready()
        except BaseException:
            started.stop()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return started

    @classmethod
    def _launched(cls, port: int | None, region: str, log: Path, chosen: dict[str, str]) -> Self:
        python = ROOT / ".venv" / "sandbox" / "bin" / "python"
        if not python.exists():
            message = f"{python} is missing: run `make setup`"
            raise SandboxError(message)
        # We bind the socket here, and the child inherits it: no other program can take the port.
        with _listening(port) as listener, log.open("wb") as output:
            taken: int = listener.getsockname()[1]
            process = subprocess.Popen(
                [python, "-m", "sandbox.account"],
                cwd=ROOT,
                env=_environment(taken, region)
                | chosen
                | {settings.SOCKET: str(listener.fileno())},
                pass_fds=(listener.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        launched = cls(port=taken, region=region, pid=process.pid, log=log)
        launched._process = process
        return launched

    def in_region(self, region: str) -> Self:
        """The same account, with another default Region for `client` and `deploy`."""
        return type(self)(port=self.port, region=region, pid=self.pid, log=self.log)

    @property
    def endpoint(self) -> str:
        """The URL of all services."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point AWS tools at this account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ADMIN,
            "AWS_SECRET_ACCESS_KEY": ADMIN,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,  # precedes it where both are set
        }

    def client(self, service: str, *, region_name: str | None = None, **credentials: str) -> Any:  # noqa: ANN401
        """A boto3 client for `service`; the root user's credentials are the default."""
        import boto3  # noqa: PLC0415 - the account's own process needs none of it
        from botocore.config import Config  # noqa: PLC0415

        make: Callable[..., Any] = boto3.client
        return make(
            service,
            **({"aws_access_key_id": ADMIN, "aws_secret_access_key": ADMIN} | credentials),
            endpoint_url=self.endpoint,
            region_name=region_name or self.region,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    @staticmethod
    def build() -> None:
        """Build the project's template for this machine's architecture, for `deploy` to use.

        Raises:
            SandboxError: `sam build` failed; the message contains its last lines.
        """
        deployment.build()

    def deploy(
        self,
        parameters: Mapping[str, str] | None = None,
        stack: str = DEFAULT_STACK,
        *,
        built: Path = deployment.BUILT,
    ) -> dict[str, str]:
        """Deploy a built template, by default the project's, and return the stack's outputs.

        The project's template is built first if it was never built.

        Raises:
            SandboxError: `sam` failed; the message contains its last lines.
        """
        if built == deployment.BUILT and not built.exists():
            deployment.build()
        deployment.deploy(
            built, stack=stack, parameters=parameters or {}, environment=self.environment
        )
        return self.outputs(stack)

    def outputs(self, stack: str = DEFAULT_STACK) -> dict[str, str]:
        """The outputs of a deployed stack."""
        client: CloudFormationClient = self.client("cloudformation")
        found = client.describe_stacks(StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def stack_status(self, stack: str = DEFAULT_STACK) -> str | None:
        """The stack's status as CloudFormation returns it, or None if there is no such stack."""
        client: CloudFormationClient = self.client("cloudformation")
        stacks = client.list_stacks()["StackSummaries"]
        found = [each["StackStatus"] for each in stacks if each["StackName"] == stack]
        return found[0] if found else None

    def set_variable(self, function: str, name: str, value: str) -> None:
        """Set an environment variable of a function; its next invocation starts cold."""
        client = self.client("lambda")
        found = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName=function, Environment={"Variables": found | {name: value}}
        )

    def start_cold(self, function: str) -> None:
        """Have the next invocation of a function start cold: nothing is cached then."""
        self.set_variable(function, "STARTED_COLD", str(time.monotonic_ns()))

    def is_idle(self, queue: str, *, delayed: bool = True) -> bool:
        """Whether nothing waits in a queue, and nothing of it is being handled.

        Args:
            queue: Its URL.
            delayed: Whether messages that are not to be delivered yet count as waiting.

        """
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        if delayed:
            names.append("ApproximateNumberOfMessagesDelayed")
        counts = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return not any(map(int, counts["Attributes"].values()))

    def logs_tail(self, lines: int = 20) -> str:
        """The last lines of the account's output."""
        if not self.log.exists():
            return ""
        with self.log.open(errors="replace") as log:
            return "".join(deque(log, maxlen=lines))

    def alive(self) -> bool:
        """Whether the account's process is running."""
        if self._process is not None:
            return self._process.poll() is None
        # A zombie process still has its id, but no socket.
        try:
            os.kill(self.pid, 0)
            socket.create_connection((HOST, self.port), timeout=STOP_SECONDS).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Stop the account and every function's process. Has no effect if it is already stopped."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def __enter__(self) -> Self:
        """Return the running account."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the account."""
        self.stop()

    def wait_until_ready(self) -> None:
        """Return once the account responds.

        Raises:
            SandboxError: it did not start.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if not self.alive():
                message = f"the account did not start:\n{self.logs_tail()}"
                raise SandboxError(message)
            try:
                with urllib.request.urlopen(  # noqa: S310 - our own address
                    f"{self.endpoint}/_ministack/health", timeout=2
                ) as response:
                    json.load(response)
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        message = f"the account did not respond within {READY_SECONDS} s:\n{self.logs_tail()}"
        raise SandboxError(message)


def root_user(account: str) -> dict[str, str]:
    """Credentials of an account's root user for `Sandbox.client`; any twelve digits will do."""
    return {"aws_access_key_id": account, "aws_secret_access_key": account}


def _listening(port: int | None) -> socket.socket:
    try:
        return socket.create_server((HOST, port or 0), backlog=128)
    except OSError as error:
        message = f"port {port} is in use: free it, or choose another with --port"
        raise SandboxError(message) from error


def _environment(port: int, region: str) -> dict[str, str]:
    """The environment of the account and its functions, without the developer's AWS settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # Functions start faster if they may write bytecode files.
        if not name.startswith(("AWS_", "PYTHON")) and name != "VIRTUAL_ENV"
    }
    return kept | {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ADMIN,
        "AWS_SECRET_ACCESS_KEY": ADMIN,
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": region,
        "SFN_WAIT_SCALE": "0.02",  # state machines retry fifty times sooner
        "SFTP_ENABLED": "0",
    }


def _settings(folder: Path, emr: EmrPace | None, *, detach: bool) -> dict[str, str]:
    pace = emr or EmrPace()
    return {
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(folder),
        settings.FOLDER: str(folder),
        settings.EMR_LAUNCH_SECONDS: str(pace.launch),
        settings.EMR_STEP_SECONDS: str(pace.step),
        settings.EMR_TERMINATION_SECONDS: str(pace.termination),
    } | ({} if detach else {settings.PARENT: str(os.getpid())})
