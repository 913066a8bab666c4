import pytest
from botocore.exceptions import ClientError

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.stepfunctions import StepFunctionsExecutions
from tests.unit.builders import NOW
from tests.unit.stubbed_aws import AwsError, StubbedAws

EXECUTION = "arn:aws:states:eu-west-1:111122223333:execution:x-rescan:1"


@pytest.fixture
def executions(aws: StubbedAws) -> StepFunctionsExecutions:
    clients.states.cache_clear()
    return StepFunctionsExecutions(aws.attach(clients.states()))


@pytest.mark.parametrize(
    ("status", "running"),
    [
        ("RUNNING", True),
        ("PENDING_REDRIVE", True),
        ("SUCCEEDED", False),
        ("FAILED", False),
        ("TIMED_OUT", False),
        ("ABORTED", False),
    ],
)
def test_running_follows_from_the_status_of_the_execution(
    aws: StubbedAws,
    executions: StepFunctionsExecutions,
    status: str,
    running: bool,  # noqa: FBT001
) -> None:
    machine = EXECUTION.replace("execution", "stateMachine")
    described = {"executionArn": EXECUTION, "stateMachineArn": machine, "startDate": NOW}
    aws.answer("DescribeExecution", described | {"status": status})

    assert executions.running(EXECUTION) is running


def test_missing_execution_is_not_running(
    aws: StubbedAws, executions: StepFunctionsExecutions
) -> None:
    aws.answer("DescribeExecution", AwsError("ExecutionDoesNotExist"))

    assert executions.running(EXECUTION) is False


def test_unreadable_execution_raises_client_error(
    aws: StubbedAws, executions: StepFunctionsExecutions
) -> None:
    aws.answer("DescribeExecution", AwsError("AccessDeniedException"))

    with pytest.raises(ClientError):
        executions.running(EXECUTION)
