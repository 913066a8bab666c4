import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from emr_log_guard.cli.app import app
from emr_log_guard.events.import_findings import import_request
from tests.unit.dead_letters import (
    CLUSTER_EVENT,
    NOTIFICATION,
    OBJECT_EVENT,
    REQUEST,
    event,
    failed,
)
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

URL = "https://sqs.eu-west-1.amazonaws.com/111122223333"
RESOURCES = {
    "CheckKeyFunction": "key",
    "NotifySlackFunction": "slack",
    "EmitEventsFunction": "emit",
    "ImportFindingsFunction": "import",
    "ClusterEventsQueue": f"{URL}/clusters",
    "LogObjectsQueue": f"{URL}/objects",
    "EnforcementQueue": f"{URL}/enforcement",
    "DeadLetterQueue": f"{URL}/dead",
}
SENT = {"MessageId": "1", "MD5OfMessageBody": "0"}


def message(number: int, body: str, **attributes: str) -> dict[str, Any]:
    """Write a message as SQS hands it over; a higher number was sent later."""
    return {
        "MessageId": f"m{number}",
        "ReceiptHandle": f"receipt-{number}",
        "Body": body,
        "Attributes": {"SentTimestamp": str(1773501600000 + number * 1000)},
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }


KEY_EVENT = event("cloudtrail-disable-key")
KEY_FAILURE = failed(KEY_EVENT, errorType="KeyUnreadableError", errorMessage="not valid")
ALL = [
    message(1, json.dumps(CLUSTER_EVENT), ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="may not"),
    message(2, KEY_FAILURE),
    message(3, json.dumps(OBJECT_EVENT)),
    message(4, REQUEST),
    message(5, json.dumps(NOTIFICATION)),
]


@pytest.fixture
def stack(aws: StubbedAws) -> StubbedAws:
    common = {"ResourceType": "t", "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}
    aws.answer(
        "ListStackResources",
        {
            "StackResourceSummaries": [
                {"LogicalResourceId": logical, "PhysicalResourceId": physical} | common
                for logical, physical in RESOURCES.items()
            ]
        },
    )
    for operation in ("ChangeMessageVisibility", "DeleteMessage"):
        aws.answer(operation, {})
    aws.answer("SendMessage", SENT)
    aws.answer("Invoke", lambda _: invoked({"clusters": ["j-1"]}))
    hold(aws, *ALL)
    return aws


def invoked(result: object, **more: object) -> Answer:
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(result).encode()), **more}


def hold(aws: StubbedAws, *messages: dict[str, Any]) -> None:
    """Have these messages in the queue, the later ones first; then it is empty."""
    aws.answer("ReceiveMessage", {"Messages": list(reversed(messages))}, {})


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["replay", "--dead-letters", *arguments], input=answer)


def done(aws: StubbedAws) -> list[str]:
    """Say in short what was done to messages, in its order."""
    said = []
    for name, call in aws.calls:
        match name:
            case "Invoke":
                said.append(f"invoke {call['FunctionName']}")
            case "SendMessage":
                said.append(f"send {call['QueueUrl'].rpartition('/')[2]}")
            case "DeleteMessage":
                said.append(f"delete {call['ReceiptHandle']}")
            case "ChangeMessageVisibility":
                verb = "hold" if call["VisibilityTimeout"] else "release"
                said.append(f"{verb} {call['ReceiptHandle']}")
            case _:
                pass
    return said


def test_each_dead_letter_is_replayed_before_it_is_deleted(stack: StubbedAws) -> None:
    result = run("--yes")

    ways = [
        ["send clusters"],
        ["invoke key"],
        ["send objects"],
        ["send enforcement"],
        ["invoke slack", "invoke emit"],  # which of them SNS could not invoke is unknown
    ]
    assert done(stack) == [
        step
        for number, way in enumerate(ways, 1)
        for step in (f"hold receipt-{number}", *way, f"delete receipt-{number}")
    ]
    assert result.exit_code == 0
    assert result.stdout.endswith("5 messages replayed, 0 left in the queue.\n")


def test_payloads_and_bodies_are_replayed_unchanged(stack: StubbedAws) -> None:
    run("--yes")

    payloads = [json.loads(c["Payload"]) for name, c in stack.calls if name == "Invoke"]
    bodies = [c["MessageBody"] for name, c in stack.calls if name == "SendMessage"]
    assert payloads[0] == KEY_EVENT
    assert payloads[1]["Records"][0]["Sns"] == NOTIFICATION
    assert bodies == [json.dumps(CLUSTER_EVENT), json.dumps(OBJECT_EVENT), REQUEST]


def test_dead_letters_are_listed_with_their_causes_before_confirmation(stack: StubbedAws) -> None:
    result = run(answer="n\n")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == ("  1  2026-03-14 15:20:01 UTC  EMR Cluster State Change of j-2AXXXXXXGAPLF")
    assert lines[1] == "     failed with: NO_PERMISSIONS: may not"
    assert lines[3] == "     failed with: KeyUnreadableError: not valid"
    assert lines[5] == "     failed with: unknown: see the function's log"
    assert "Replay 5 messages? [y/N]" in lines[10]
    assert sorted(done(stack)) == [f"release receipt-{number}" for number in range(1, 6)]


@pytest.mark.parametrize(("function", "way"), [("slack", "slack"), ("emit", "emit")])
def test_alert_is_replayed_to_the_function_that_failed(
    stack: StubbedAws, function: str, way: str
) -> None:
    letter = json.loads(failed(event("sns-alert")))
    arn = f"arn:aws:lambda:eu-west-1:111122223333:function:{function}:$LATEST"
    letter["requestContext"]["functionArn"] = arn
    hold(stack, message(1, json.dumps(letter)))

    assert run("--yes").exit_code == 0

    assert done(stack) == ["hold receipt-1", f"invoke {way}", "delete receipt-1"]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"DDBStreamBatchInfo": {"shardId": "s"}}, import_request()),
        (event("import-findings-request"), event("import-findings-request")),
    ],
)
def test_failed_import_is_replayed_and_summarized(
    stack: StubbedAws, body: dict[str, Any], sent: object
) -> None:
    hold(stack, message(1, json.dumps(body)))
    stack.answer("Invoke", lambda _: invoked({"imported": 3, "refused": 0, "unknown": 1}))

    result = run("--yes")

    assert "3 findings imported into Security Hub, 0 refused, 1 no longer" in result.stdout
    [call] = [call for name, call in stack.calls if name == "Invoke"]
    assert (call["FunctionName"], json.loads(call["Payload"])) == ("import", sent)


def test_confirmation_at_the_prompt_replays(stack: StubbedAws) -> None:
    hold(stack, ALL[2])

    result = run(answer="y\n")

    assert "Replay 1 message?" in result.stdout
    assert done(stack) == ["hold receipt-3", "send objects", "delete receipt-3"]


@pytest.mark.parametrize(
    "body",
    ["{", json.dumps({"a": "\x1b[2J"}), failed(json.loads(REQUEST)), failed(OBJECT_EVENT)],
)
def test_unknown_dead_letter_stays_in_the_queue_and_is_named(stack: StubbedAws, body: str) -> None:
    hold(stack, message(1, body), ALL[3])

    result = run("--yes")

    assert result.exit_code == 1
    assert result.stdout.count("not recognised (") == 1
    assert result.stdout.endswith(
        "To delete messages that are not recognised, add --discard: it asks for each.\n"
    )
    assert "\x1b" not in result.stdout
    assert "1 message replayed, 1 left in the queue." in result.stdout
    assert done(stack) == [
        "hold receipt-4",
        "send enforcement",
        "delete receipt-4",
        "release receipt-1",
    ]


@pytest.mark.parametrize(
    ("operation", "answer", "words"),
    [
        (
            "Invoke",
            lambda _: invoked(
                {"errorType": "KeyUnreadableError", "errorMessage": "not valid"},
                FunctionError="Unhandled",
            ),
            "stays in the queue: key failed: KeyUnreadableError: not valid",
        ),
        ("Invoke", AwsError("AccessDeniedException"), "lambda:InvokeFunction on key answered"),
        (
            "ChangeMessageVisibility",
            AwsError("AWS.SimpleQueueService.MessageNotInflight"),
            "sqs:ChangeMessageVisibility on",
        ),
    ],
)
def test_dead_letter_that_fails_again_stays_and_the_others_are_replayed(
    stack: StubbedAws,
    operation: str,
    answer: Answer | Callable[[object], Answer],
    words: str,
) -> None:
    stack.answer(operation, answer, {"Invoke": invoked({"clusters": []})}.get(operation, {}))
    hold(stack, message(1, KEY_FAILURE), ALL[1])

    result = run("--yes")

    assert result.exit_code == 1
    assert words in result.stdout
    assert "1 message replayed, 1 left in the queue." in result.stdout
    assert [step for step in done(stack) if step.startswith("delete")] == ["delete receipt-2"]
    assert done(stack)[-1] == "release receipt-1"


def test_dead_letter_for_a_missing_resource_stays_in_the_queue(stack: StubbedAws) -> None:
    common = {"ResourceType": "t", "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}
    queue = {"LogicalResourceId": "DeadLetterQueue", "PhysicalResourceId": f"{URL}/dead"} | common
    stack.answer("ListStackResources", {"StackResourceSummaries": [queue]})
    hold(stack, ALL[3])

    result = run("--yes")

    assert result.exit_code == 1
    assert "has no EnforcementQueue: it was deployed without" in result.stdout
    assert done(stack) == ["hold receipt-4", "release receipt-4"]


def test_dead_letter_that_cannot_be_deleted_is_reported_as_still_queued(stack: StubbedAws) -> None:
    stack.answer("DeleteMessage", AwsError("AccessDenied"))
    hold(stack, ALL[3])

    result = run("--yes")

    assert result.exit_code == 1
    assert (
        "re-evaluates the cluster first, but it is still in the queue: sqs:DeleteMessage on"
        in result.stdout
    )


@pytest.mark.parametrize("operation", ["Invoke", "SendMessage", "DeleteMessage"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), RuntimeError("crash")])
def test_interrupted_replay_deletes_or_releases_every_dead_letter(
    stack: StubbedAws, operation: str, stop: BaseException
) -> None:
    calls = {"Invoke": invoked({"clusters": []}), "SendMessage": SENT, "DeleteMessage": {}}

    def stops(_: object) -> Answer:
        raise stop

    stack.answer(operation, calls[operation], stops)
    another = message(5, KEY_FAILURE)
    hold(stack, ALL[0], ALL[2], ALL[1], ALL[3], another)

    result = run("--yes")

    assert result.exit_code != 0
    steps = done(stack)
    deleted = {step.split()[1] for step in steps if step.startswith("delete")}
    released = {step.split()[1] for step in steps if step.startswith("release")}
    in_doubt = deleted & released if operation == "DeleteMessage" else set()
    assert deleted | released == {f"receipt-{number}" for number in range(1, 6)}
    assert deleted & released == in_doubt


def test_dead_letters_are_received_until_none_is_left_and_each_is_replayed_once(
    stack: StubbedAws,
) -> None:
    many = [message(number, REQUEST) for number in range(1, 14)]
    stack.answer("ReceiveMessage", {"Messages": many[:10]}, {"Messages": [many[0], *many[10:]]}, {})

    result = run("--yes")

    assert "13 messages replayed, 0 left" in result.stdout
    taken = [call for name, call in stack.calls if name == "ReceiveMessage"]
    assert len(taken) == 3
    assert taken[0]["VisibilityTimeout"] == 300
    assert taken[0]["QueueUrl"] == f"{URL}/dead"


def test_no_more_dead_letters_are_received_than_requested(stack: StubbedAws) -> None:
    first, second = ({"Messages": ALL[place : place + 1]} for place in range(2))
    stack.answer("ReceiveMessage", first, second)

    result = run("--yes", "--max", "2")

    taken = [call for name, call in stack.calls if name == "ReceiveMessage"]
    assert [call["MaxNumberOfMessages"] for call in taken] == [2, 1]
    assert "There may be more" in result.stdout


def test_empty_queue_is_reported(stack: StubbedAws) -> None:
    stack.answer("ReceiveMessage", {})

    result = run()

    assert result.exit_code == 0
    assert "is empty" in result.stdout


def test_unreadable_queue_exits_with_2(stack: StubbedAws) -> None:
    stack.answer("ReceiveMessage", AwsError("AccessDenied"))

    result = run()

    assert result.exit_code == 2
    assert f"sqs:ReceiveMessage on {URL}/dead answered AccessDenied" in result.stderr


def test_failure_to_release_a_message_does_not_stop_the_others(stack: StubbedAws) -> None:
    stack.answer("ChangeMessageVisibility", AwsError("AccessDenied"))

    result = run(answer="n\n")

    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert len(done(stack)) == 5


def test_binary_message_attributes_are_ignored(stack: StubbedAws) -> None:
    strange = ALL[0] | {"MessageAttributes": {"ERROR_CODE": {"DataType": "Binary"}}}
    hold(stack, strange)

    assert "unknown: see" in run(answer="n\n").stdout


def test_results_are_printed_as_json(stack: StubbedAws) -> None:
    hold(stack, ALL[0], message(2, "no event"))

    result = run("--yes", "--json")

    assert result.exit_code == 1
    first, second = json.loads(result.stdout)["messages"]
    assert first == {
        "id": "m1",
        "sent": "2026-03-14T15:20:01+00:00",
        "event": "EMR Cluster State Change of j-2AXXXXXXGAPLF",
        "cause": "NO_PERMISSIONS: may not",
        "replayed": True,
        "discarded": False,
        "result": "sent to the queue of check_cluster",
    }
    assert (second["id"], second["replayed"], second["cause"]) == ("m2", False, None)
    assert second["result"] == "stays in the queue"
    assert second["event"].startswith("not recognised (")


def test_unknown_dead_letters_alone_are_not_offered_for_replay(stack: StubbedAws) -> None:
    hold(stack, message(1, "no event"), message(2, "nor this"))

    result = run()

    assert result.exit_code == 1
    assert "Replay" not in result.stdout
    assert "failed with" not in result.stdout
    assert "0 messages replayed, 2 left in the queue." in result.stdout
    assert sorted(done(stack)) == ["release receipt-1", "release receipt-2"]


def test_only_known_dead_letters_are_offered_for_replay(stack: StubbedAws) -> None:
    hold(stack, message(1, "no event"), ALL[2])

    assert "Replay 1 message?" in run(answer="n\n").stdout


def test_discard_deletes_each_message_that_is_confirmed(stack: StubbedAws) -> None:
    hold(stack, message(1, "no event"), ALL[2])

    result = run("--discard", answer="y\nn\n")

    assert result.exit_code == 1
    assert "Delete message 1 for good?" in result.stdout
    assert "1 message deleted, 1 left in the queue." in result.stdout
    assert done(stack) == ["delete receipt-1", "release receipt-3"]


def test_discard_with_yes_deletes_every_dead_letter(stack: StubbedAws) -> None:
    hold(stack, message(1, "no event"), ALL[2])

    result = run("--discard", "--yes", "--json")

    assert result.exit_code == 0, result.output
    assert [
        (m["replayed"], m["discarded"], m["result"]) for m in json.loads(result.stdout)["messages"]
    ] == [(False, True, "deleted")] * 2
    assert done(stack) == ["delete receipt-1", "delete receipt-3"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--json"], "--json asks no questions: add --yes"), ([], "Aborted")],
)
def test_discard_deletes_nothing_without_an_answer(
    stack: StubbedAws, arguments: list[str], words: str
) -> None:
    hold(stack, ALL[2])

    result = run("--discard", *arguments)

    assert words in result.stderr
    assert done(stack) == ["release receipt-3"]


def test_discard_without_dead_letters_exits_with_2() -> None:
    result = CliRunner().invoke(app, ["replay", "-", "--discard"])

    assert (result.exit_code, "--discard needs --dead-letters" in result.stderr) == (2, True)
