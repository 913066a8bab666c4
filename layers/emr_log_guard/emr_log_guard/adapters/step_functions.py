"""AWS Step Functions: executions of the re-scan."""

from typing import Any

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
