"""The re-scan's state machine: every shard is looked at, whatever becomes of the others."""

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


def test_every_substitution_is_given_and_used() -> None:
    text = (ROOT / "statemachines" / "rescan.asl.yaml").read_text()
    machine = WHOLE.of_type("AWS::Serverless::StateMachine")["RescanStateMachine"]

    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(machine["DefinitionSubstitutions"])
    assert machine["DefinitionUri"] == "statemachines/rescan.asl.yaml"
    assert machine["Tracing"] == {"Enabled": True}
    assert machine["Logging"]["IncludeExecutionData"] is False


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_tried_again_and_given_longer_than_its_function(name: str) -> None:
    task = TASKS[name]
    function = WHOLE.functions[re.sub(r"\$\{(\w+)Arn\}", r"\1", task["Resource"])]

    assert task["TimeoutSeconds"] > function["Timeout"]
    assert task["Retry"][-1]["ErrorEquals"] == ["States.ALL"]
    assert task["Retry"][-1]["MaxAttempts"] > 0


@pytest.mark.parametrize("name", TASKS)
def test_a_task_that_lambda_has_no_concurrency_for_waits_and_uses_up_no_other_retry(
    name: str,
) -> None:
    """Twenty shards on the ten concurrent executions that a new account may have.

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
    # Longer than a shard takes, several times over: half of it, on average, for the jitter.
    assert sum(waits) / 2 > 6 * SCAN_SECONDS
    assert sum(waits) < DEFINITION["TimeoutSeconds"] / 4
    assert list(retriers)[-1] == "States.ALL"  # the first retrier that fits is taken


def test_shards_are_read_from_the_bucket_and_run_apart() -> None:
    assert SCAN["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert SCAN["ItemReader"]["Parameters"]["Bucket"] == "${ReportsBucketName}"
    assert "ItemBatcher" not in SCAN
    assert SCAN["MaxConcurrency"] > 0


def test_a_failed_shard_stops_no_other_and_is_written_down() -> None:
    assert SCAN["ToleratedFailurePercentage"] == 100
    [catch] = CHILD["ScanShard"]["Catch"]
    assert catch == {
        "ErrorEquals": ["States.ALL"],
        "ResultPath": "$.failure",
        "Next": "WriteFailureDown",
    }


def test_what_the_shards_came_to_is_not_carried_from_state_to_state() -> None:
    """A state takes 256 KiB: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
    assert SCAN["ResultPath"] is None
    assert SCAN["ResultWriter"]["Parameters"]["Bucket"] == "${ReportsBucketName}"
    assert CHILD["Done"]["Result"] == {}


def test_without_shards_there_is_nothing_to_map() -> None:
    choice = STATES["AnythingToLookAt"]

    assert choice["Default"] == "Finish"
    assert {each["Next"] for each in choice["Choices"]} == {"AnotherOneRuns", "Scan"}


def test_every_state_is_reached_and_leads_on() -> None:
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
