from collections.abc import Mapping, Sequence

import pytest

from emr_log_guard.errors import InvalidEventError, TemporarilyUnavailableError
from emr_log_guard.events.sqs import each_body, each_body_then, retry_delay
from emr_log_guard.observability import metrics


def a_batch(*bodies: str) -> dict[str, list[dict[str, object]]]:
    return {"Records": [{"messageId": f"m{i}", "body": body} for i, body in enumerate(bodies)]}


def shout(body: str) -> str:
    if body.startswith("bad"):
        raise ValueError(body)
    return body.upper()


def failed(*ids: str) -> dict[str, Sequence[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in ids]}


@pytest.mark.parametrize(
    ("bodies", "results", "answer"),
    [
        (("a", "b", "c"), ["A", "B", "C"], failed()),
        (("a", "bad", "c"), ["A", "C"], failed("m1")),
        (("bad", "bad", "bad"), [], failed("m0", "m1", "m2")),
        ((), [], failed()),
    ],
    ids=["all good", "one bad of three", "all bad", "none"],
)
def test_only_failed_messages_are_returned_to_the_queue(
    bodies: tuple[str, ...], results: list[str], answer: object
) -> None:
    assert each_body(a_batch(*bodies), shout) == (results, answer)


def test_duplicate_message_is_handled_twice() -> None:
    results, _ = each_body(a_batch("a", "a"), shout)

    assert results == ["A", "A"]


def test_failure_is_logged_with_its_message_id(caplog: pytest.LogCaptureFixture) -> None:
    each_body(a_batch("bad luck"), shout)

    (record,) = caplog.records
    assert record.__dict__["message_id"] == "m0"
    assert "ValueError: bad luck" in caplog.text


def test_failures_of_one_batch_are_not_kept_for_the_next() -> None:
    each_body(a_batch("bad"), shout)

    assert each_body(a_batch("a"), shout) == (["A"], failed())


@pytest.mark.parametrize(
    "event", [None, {}, {"Records": None}, {"Records": ["text"]}, {"source": "aws.emr"}]
)
def test_event_that_is_not_a_batch_is_rejected(event: object) -> None:
    with pytest.raises(InvalidEventError, match="not Batch"):
        each_body(event, shout)


def test_messages_left_unfinished_by_the_batch_function_are_returned_to_the_queue() -> None:
    finished: list[list[str]] = []

    def finish(results: list[str]) -> list[str]:
        finished.append(results)
        return [result for result in results if result == "B"]

    postponed: list[object] = []

    answer = each_body_then(a_batch("a", "bad", "b"), shout, finish, postponed.append)

    assert postponed == []  # without receipt handles they were replayed
    assert finished == [["A", "B"]]
    assert answer == failed("m1", "m2")


@pytest.mark.parametrize("record", [{"body": "a"}, {"messageId": "m0"}, {"dynamodb": {}}, "a"])
def test_batch_with_an_invalid_message_is_rejected_before_handling(record: object) -> None:
    batch = {"Records": [*a_batch("a")["Records"], record]}

    with pytest.raises(InvalidEventError, match=r"not Batch: .*Records\[1\]"):
        each_body(batch, shout)


def test_undecodable_body_fails_alone() -> None:
    assert each_body(a_batch("a", "\ud800"), lambda body: body.encode()) == ([b"a"], failed("m1"))


def test_failed_messages_are_postponed_by_their_receive_count() -> None:
    batch = a_batch("a", "bad", "b")
    received = {1: "3", 2: "1"}
    for place, record in enumerate(batch["Records"]):
        record |= {
            "receiptHandle": f"r{place}",
            "attributes": {"ApproximateReceiveCount": received.get(place, "1")},
        }
    postponed: list[Mapping[str, int]] = []

    for _ in range(100):
        each_body_then(batch, shout, lambda results: results[1:], postponed.append)

    assert {tuple(each) for each in postponed} == {("r1", "r2")}
    seconds = {receipt: {each[receipt] for each in postponed} for receipt in ("r1", "r2")}
    assert seconds["r1"] <= {*range(10, 21)}
    assert seconds["r2"] <= {2, 3, 4, 5}
    assert len(seconds["r1"]) > 5  # what failed together does not come back together


def test_delay_of_what_may_wait_grows_further() -> None:
    batch = a_batch("soon", "late", "bad")
    for record in batch["Records"]:
        record |= {
            "receiptHandle": record["body"],
            "attributes": {"ApproximateReceiveCount": "30"},
        }
    postponed: list[Mapping[str, int]] = []

    each_body_then(
        batch, shout, lambda results: results, postponed.append, lambda result: result == "LATE"
    )

    [seconds] = postponed
    assert seconds["soon"] <= 60
    assert seconds["bad"] <= 60
    assert 150 <= seconds["late"] <= 300


def test_nothing_is_postponed_when_nothing_failed() -> None:
    postponed: list[object] = []

    each_body_then(a_batch("a"), shout, lambda _: [], postponed.append)

    assert postponed == []


def test_delay_doubles_up_to_a_minute() -> None:
    delays = [retry_delay(receives) for receives in range(1, 8)]

    assert delays == [5, 10, 20, 40, 60, 60, 60]


def test_delay_of_what_may_wait_doubles_up_to_a_minute_and_grows_by_ten_seconds() -> None:
    delays = [retry_delay(receives, patient=True) for receives in range(1, 10)]

    assert delays == [5, 10, 20, 40, 60, 60, 70, 80, 90]


def test_throttled_message_fails_without_counting_as_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def throttled(body: str) -> str:
        message = f"elasticmapreduce:DescribeCluster on {body} answered ThrottlingException"
        raise TemporarilyUnavailableError(message)

    metrics.clear_metrics()
    _, failures = each_body(a_batch("j-1"), throttled)

    assert failures == failed("m0")
    assert "MessagesFailed" not in metrics.metric_set
    assert [record.levelname for record in caplog.records] == ["WARNING"]
