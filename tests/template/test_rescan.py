"""The re-scan's state machine: every shard is scanned, even if others fail."""

import re
from typing import Any

import pytest
import yaml

from tests.template.stack import EVERYTHING, ROOT, Stack

WHOLE = Stack(EVERYTHING)
DEFINITION: dict[str, Any] = yaml.safe_load(
    (ROOT / "statemachines" / "rescan.asl.yaml").read_text()
)
STATES: dict[str, Any] = DEFINITION["States"]
SCAN: dict[str, Any] = STATES["Scan"]
CHILD: dict[str, Any] = SCAN["ItemProcessor"]["States"]
SCAN_SECONDS: int = WHOLE.functions["ScanShardFunction"]["Timeout"]
TASKS = {name: each for name, each in (STATES | CHILD).items() if each["Type"] == "Task"}


def test_every_substitution_is_defined_and_used() -> None:
    text = (ROOT / "statemachines" / "rescan.asl.yaml").read_text()
    machine = WHOLE.of_type("AWS::Serverless::StateMachine")["RescanStateMachine"]

    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(machine["DefinitionSubstitutions"])
    assert machine["DefinitionUri"] == "statemachines/rescan.asl.yaml"
    assert machine["Tracing"] == {"Enabled": True}
    assert machine["Logging"]["IncludeExecutionData"] is False


@pytest.mark.parametrize("name", TASKS)
def test_task_is_retried_and_its_timeout_exceeds_that_of_its_function(name: str) -> None:
    task = TASKS[name]
    function = WHOLE.functions[re.sub(r"\$\{(\w+)Arn\}", r"\1", task["Resource"])]

    assert task["TimeoutSeconds"] > function["Timeout"]
    assert task["Retry"][-1]["ErrorEquals"] == ["States.ALL"]
    assert task["Retry"][-1]["MaxAttempts"] > 0


@pytest.mark.parametrize("name", TASKS)
def test_task_without_lambda_concurrency_waits_and_uses_no_other_retry(
    name: str,
) -> None:
    """Twenty shards run on the ten concurrent executions that a new account may have.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    retriers = {each["ErrorEquals"][0]: each for each in TASKS[name]["Retry"]}
    throttled = retriers["Lambda.TooManyRequestsException"]
    waits = [
        min(
            throttled["IntervalSeconds"] * throttled["BackoffRate"] ** n,
            throttled["MaxDelaySeconds"],
        )
        for n in range(throttled["MaxAttempts"])
    ]

    assert throttled["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
    assert throttled["JitterStrategy"] == "FULL"
    # Several times longer than a shard takes; half of it, because of the jitter's average.
    assert sum(waits) / 2 > 6 * SCAN_SECONDS
    assert sum(waits) < DEFINITION["TimeoutSeconds"] / 4
    assert list(retriers)[-1] == "States.ALL"  # the first retrier that matches is used


def test_shards_are_read_from_the_bucket_and_run_as_a_distributed_map() -> None:
    assert SCAN["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert SCAN["ItemReader"]["Parameters"]["Bucket"] == "${ReportsBucketName}"
    assert "ItemBatcher" not in SCAN
    assert SCAN["ItemReader"]["Parameters"]["Key.$"] == "$.scan.shards_key"
    assert SCAN["MaxConcurrencyPath"] == "$.scan.shards_at_once"
    assert STATES["ScanMore"]["Parameters"] == {"rescan.$": "$.rescan", "scan.$": "$.scan.then"}


def test_failed_shard_stops_no_other_and_is_recorded() -> None:
    assert SCAN["ToleratedFailurePercentage"] == 100
    [catch] = CHILD["ScanShard"]["Catch"]
    assert catch == {
        "ErrorEquals": ["States.ALL"],
        "ResultPath": "$.failure",
        "Next": "RecordFailure",
    }


def test_results_of_shards_are_not_passed_between_states() -> None:
    """A state may hold 256 KiB: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
    assert SCAN["ResultPath"] is None
    assert SCAN["ResultWriter"]["Parameters"]["Bucket"] == "${ReportsBucketName}"
    assert CHILD["Done"]["Result"] == {}


def test_without_shards_the_map_is_skipped() -> None:
    choice = STATES["AnyShards"]

    assert choice["Default"] == "Finish"
    assert {each["Next"] for each in choice["Choices"]} == {"Refused", "Scan"}


def test_every_state_is_reachable_and_has_a_successor_or_ends() -> None:
    for states, start in ((STATES, "Plan"), (CHILD, "ScanShard")):
        reached, left = set(), [start]
        while left:
            name = left.pop()
            if name in reached:
                continue
            reached.add(name)
            state = states[name]
            ends = state.get("End") or state["Type"] == "Fail"
            onward = [
                each
                for each in (
                    state.get("Next"),
                    state.get("Default"),
                    *(other["Next"] for other in state.get("Choices", [])),
                    *(other["Next"] for other in state.get("Catch", [])),
                )
                if each
            ]
            assert ends or onward
            left += onward
        assert reached == set(states)
