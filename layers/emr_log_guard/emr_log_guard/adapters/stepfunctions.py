"""AWS Step Functions: executions of the re-scan, and starting and watching one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from emr_log_guard.adapters.errors import AWS_ERRORS, handoff
from emr_log_guard.domain.reencryption_plan import ReencryptionPlan

_RUNNING = frozenset({"RUNNING", "PENDING_REDRIVE"})
_SCANNED = ("succeeded", "failed", "timedOut", "aborted")


@dataclass(frozen=True, slots=True)
class RescanOutcome:
    """The outcome of a re-scan."""

    succeeded: bool
    compliance: str = ""
    report: str = ""
    """Where it is, an S3 URI."""
    why: str = ""
    """Why it did not succeed."""
    listed: int = 0
    """How many log objects it listed."""
    to_reencrypt: int = 0
    """How many of them are to be re-encrypted."""
    missed: int = 0
    """How many shards could not be scanned, or not to the end."""

    @property
    def page(self) -> str:
        """Where the HTML report is, an S3 URI."""
        return f"{self.report.removesuffix('.json')}.html"

    @property
    def text(self) -> str:
        """Where the report as text is, an S3 URI."""
        return f"{self.report.removesuffix('.json')}.txt"


class RescanRuns:
    """Re-scans of one stack.

    Each method raises HandoffFailedError when a call fails; the message has the call and its error.
    """

    def __init__(self, states: Any, s3: Any, machine: str) -> None:  # noqa: ANN401 - boto3's types
        """Use these clients.

        Args:
            states: The client for Step Functions.
            s3: The client for S3.
            machine: The state machine's ARN.

        """
        self._states = states
        self._s3 = s3
        self._machine = machine

    def running(self) -> str | None:
        """Return the running execution: one ListExecutions. Also None without the permission.

        The state machine refuses a second one in any case; this reports it before the start.
        """
        try:
            found = self._states.list_executions(
                stateMachineArn=self._machine, statusFilter="RUNNING", maxResults=1
            )["executions"]
        except AWS_ERRORS:
            return None
        return found[0]["executionArn"] if found else None

    def start(self, request: Mapping[str, object]) -> str:
        """Start a re-scan with this input: one StartExecution. Return the execution's ARN."""
        with handoff("states:StartExecution", self._machine):
            answer = self._states.start_execution(
                stateMachineArn=self._machine, input=json.dumps(request)
            )
        arn: str = answer["executionArn"]
        return arn

    def ended(self, execution: str) -> RescanOutcome | None:
        """Return the outcome of a re-scan: one DescribeExecution. None while it is running."""
        with handoff("states:DescribeExecution", execution):
            answer = self._states.describe_execution(executionArn=execution)
        match answer["status"]:
            case status if status in _RUNNING:
                return None
            case "SUCCEEDED":
                output = json.loads(answer["output"])
                return RescanOutcome(
                    succeeded=True,
                    compliance=output["compliance"],
                    report=output["report"],
                    listed=output.get("listed", 0),
                    to_reencrypt=output.get("to_reencrypt", 0),
                    missed=output.get("failed_shards", 0) + output.get("denied_shards", 0),
                )
            case status:
                cause = " ".join(filter(None, (answer.get("error"), answer.get("cause"))))
                return RescanOutcome(succeeded=False, why=f"{status} {cause}".rstrip())

    def progress(self, execution: str) -> tuple[int, int]:
        """Return how many shards are scanned, and their total.

        0 of 0 while it is planned, and without the permission. One ListMapRuns, and a
        DescribeMapRun each for clusters and log objects; those of log objects count once they are
        being scanned.
        """
        try:
            runs = self._states.list_map_runs(executionArn=execution)["mapRuns"]
            counts = [
                self._states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
                for run in runs
            ]
        except AWS_ERRORS:
            return 0, 0
        scanned = sum(count[each] for count in counts for each in _SCANNED)
        return scanned, sum(count["total"] for count in counts)

    def read(self, place: str) -> bytes:
        """Read a report: one GetObject."""
        bucket, _, key = place.removeprefix("s3://").partition("/")
        with handoff("s3:GetObject", place):
            body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def plan(self, ended: RescanOutcome) -> ReencryptionPlan:
        """Read what a dry run found: one GetObject."""
        place = f"{ended.report.rpartition('/')[0]}/reencryption.json"
        return msgspec.json.decode(self.read(place), type=ReencryptionPlan)


class StepFunctionsExecutions:
    """Executions of this account and Region."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3's own types are not at hand
        """Read through this client."""
        self._client = client

    def running(self, execution: str) -> bool:
        """Return whether an execution is running: one DescribeExecution. Errors propagate.

        Step Functions deletes executions 90 days after their end.
        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
        """
        try:
            answer = self._client.describe_execution(executionArn=execution)
        except self._client.exceptions.ExecutionDoesNotExist:
            return False
        return answer["status"] in _RUNNING
