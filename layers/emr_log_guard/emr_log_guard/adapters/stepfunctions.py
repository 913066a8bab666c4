"""AWS Step Functions: executions of the re-scan, and starting and following one from outside."""

import json
from dataclasses import dataclass
from typing import Any

from emr_log_guard.adapters.errors import AWS_ERRORS, code_of
from emr_log_guard.errors import HandoffFailedError

_SCANNED = ("succeeded", "failed", "timedOut", "aborted")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a re-scan ended."""

    succeeded: bool
    compliance: str = ""
    report: str = ""
    """Where it is, an S3 URI."""
    why: str = ""
    """Why it did not succeed."""

    @property
    def page(self) -> str:
        """Where the report is as a page for a browser, an S3 URI."""
        return _beside(self.report, "html")


class RescanRuns:
    """Re-scans of one stack.

    Each method raises HandoffFailedError when a call fails; the message says which said what.
    """

    def __init__(self, states: Any, s3: Any, machine: str) -> None:  # noqa: ANN401 - boto3's types
        """Start and follow through these clients.

        Args:
            states: The client for Step Functions.
            s3: The client for S3.
            machine: The state machine's ARN.

        """
        self._states = states
        self._s3 = s3
        self._machine = machine

    def running(self) -> str | None:
        """Name the execution that runs: one ListExecutions. None, too, to whoever may not ask.

        The state machine refuses a second one in any case; this says so before it is started.
        """
        try:
            found = self._states.list_executions(
                stateMachineArn=self._machine, statusFilter="RUNNING", maxResults=1
            )["executions"]
        except AWS_ERRORS:
            return None
        return found[0]["executionArn"] if found else None

    def start(self, *, scope: str, deep: bool) -> str:
        """Start a re-scan: one StartExecution. Return the execution's ARN."""
        asked = json.dumps({"scope": scope, "deep": deep})
        try:
            answer = self._states.start_execution(stateMachineArn=self._machine, input=asked)
        except AWS_ERRORS as error:
            raise HandoffFailedError(
                _told("states:StartExecution", self._machine, error)
            ) from error
        arn: str = answer["executionArn"]
        return arn

    def ended(self, execution: str) -> Ended | None:
        """Say how a re-scan ended: one DescribeExecution. None while it runs."""
        try:
            answer = self._states.describe_execution(executionArn=execution)
        except AWS_ERRORS as error:
            raise HandoffFailedError(_told("states:DescribeExecution", execution, error)) from error
        match answer["status"]:
            case "RUNNING" | "PENDING_REDRIVE":
                return None
            case "SUCCEEDED":
                output = json.loads(answer["output"])
                return Ended(
                    succeeded=True, compliance=output["compliance"], report=output["report"]
                )
            case status:
                said = " ".join(filter(None, (answer.get("error"), answer.get("cause"))))
                return Ended(succeeded=False, why=f"{status} {said}".rstrip())

    def progress(self, execution: str) -> tuple[int, int]:
        """Say how many shards were looked at, of how many: a ListMapRuns and a DescribeMapRun.

        None of none while it is planned, and to whoever may not ask.
        """
        try:
            runs = self._states.list_map_runs(executionArn=execution)["mapRuns"]
            if not runs:
                return 0, 0
            run = self._states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])
        except AWS_ERRORS:
            return 0, 0
        counts = run["itemCounts"]
        return sum(counts[each] for each in _SCANNED), counts["total"]

    def read(self, report: str, kind: str) -> str:
        """Read a report as `txt` or `json`: one GetObject."""
        bucket, _, key = _beside(report, kind).removeprefix("s3://").partition("/")
        try:
            body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except AWS_ERRORS as error:
            raise HandoffFailedError(
                _told("s3:GetObject", f"s3://{bucket}/{key}", error)
            ) from error
        return body.decode()


def _beside(report: str, kind: str) -> str:
    return f"{report.removesuffix('.json')}.{kind}"


def _told(call: str, subject: str, error: Any) -> str:  # noqa: ANN401 - one of AWS_ERRORS
    return f"{call} on {subject} answered {code_of(error)}"


_RUNNING = frozenset({"RUNNING", "PENDING_REDRIVE"})


class StepFunctionsExecutions:
    """Executions of this account and Region."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3's own types are not at hand
        """Read through this client."""
        self._client = client

    def running(self, execution: str) -> bool:
        """Ask whether an execution runs: one DescribeExecution. Errors fly: in doubt it does.

        Step Functions forgets an execution 90 days after its end.
        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
        """
        try:
            answer = self._client.describe_execution(executionArn=execution)
        except self._client.exceptions.ExecutionDoesNotExist:
            return False
        return answer["status"] in _RUNNING
