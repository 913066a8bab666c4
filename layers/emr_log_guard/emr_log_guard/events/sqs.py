"""Batches of SQS messages: one bad message never blocks the others.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from collections.abc import Callable, Collection, Mapping
from random import uniform
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from emr_log_guard.errors import TemporarilyUnavailableError
from emr_log_guard.events.parsing import convert
from emr_log_guard.observability import logger, record_failed_messages

_FIRST_DELAY = 5
_LONGEST_DELAY = 60
_PATIENT_DELAY = 10
"""Seconds by which the delay of a message that may wait grows with each further attempt. A lost key
has thousands of clusters re-checked at once, which takes hours at the guard's share of EMR's quota.
"""
SHORTEST_PART = 0.5
"""A message comes back after a random part of its delay, at least this one. Otherwise all that a
used up quota kept back would come back together, and what the quota has in between would be lost.
"""

type Postpone = Callable[[Mapping[str, int]], None]
"""Hides messages, by their receipt handles, for so many seconds before they are delivered again."""


def retry_delay(receives: int, *, patient: bool = False) -> int:
    """Say for how many seconds a message is hidden at most that was received so often, and failed.

    Its queue's maxReceiveCount makes of these delays how long a message is tried.

    Args:
        receives: How often it was received.
        patient: Whether it may wait for longer than a minute.

    """
    longest = max(_LONGEST_DELAY, _PATIENT_DELAY * receives) if patient else _LONGEST_DELAY
    return int(min(_FIRST_DELAY * 2 ** (receives - 1), longest))


class Attributes(msgspec.Struct, frozen=True, rename="pascal"):
    """What SQS notes about a message."""

    approximate_receive_count: str = "1"


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """The fields that are needed to handle a message, or to have it redelivered."""

    message_id: str
    body: Any
    """Text; invalid content fails only its own message."""
    receipt_handle: str = ""
    attributes: Attributes = Attributes()


class Batch(msgspec.Struct, frozen=True, rename="pascal"):
    """What SQS invokes a function with."""

    records: tuple[Message, ...]


def each_body[T](
    event: Any,  # noqa: ANN401 - Lambda passes any JSON
    handle: Callable[[str], T],
) -> tuple[list[T], PartialItemFailureResponse]:
    """Handle each message's body on its own.

    Returns:
        The results of the handled messages, and the response that makes SQS redeliver the others,
        until the redrive policy sends them to the dead-letter queue.

    Raises:
        InvalidEventError: The event is not from SQS.

    """
    handled, failures = _each_record(event, handle)
    return [result for _, result in handled], failures


def each_body_then[T](
    event: Any,  # noqa: ANN401 - Lambda passes any JSON
    handle: Callable[[str], T],
    finish: Callable[[list[T]], Collection[T]],
    postpone: Postpone,
    patient: Callable[[T], bool] = lambda _: False,
) -> PartialItemFailureResponse:
    """Handle each message's body on its own, then all results together.

    Args:
        event: What SQS invokes a function with.
        handle: Handles one message's body.
        finish: Takes the results of all messages, and returns those to be redelivered.
        postpone: Delays the next delivery of what failed. A replayed message has no receipt handle,
            and is not delivered again.
        patient: Says what may wait for longer, if it could not be finished.

    Returns:
        The response that makes SQS redeliver what could not be handled or finished.

    Raises:
        InvalidEventError: The event is not from SQS.

    """
    handled, failures = _each_record(event, handle)
    unfinished = {id(result) for result in finish([result for _, result in handled])}
    again = [message_id for message_id, result in handled if id(result) in unfinished]
    failures["batchItemFailures"] += [{"itemIdentifier": message_id} for message_id in again]
    failed = {each["itemIdentifier"] for each in failures["batchItemFailures"]}
    waiting = {message_id for message_id, result in handled if patient(result)}
    delays = {
        each.receipt_handle: retry_delay(
            int(each.attributes.approximate_receive_count), patient=each.message_id in waiting
        )
        for each in convert(event, Batch).records
        if each.message_id in failed and each.receipt_handle
    }
    if delays:
        postpone(
            {receipt: int(delay * uniform(SHORTEST_PART, 1)) for receipt, delay in delays.items()}  # noqa: S311 - no secret
        )
    return failures


def _each_record[T](
    event: Any,  # noqa: ANN401
    handle: Callable[[str], T],
) -> tuple[list[tuple[str, T]], PartialItemFailureResponse]:
    def handle_record(record: SQSRecord) -> tuple[str, T]:
        logger.set_correlation_id(record.message_id)
        try:
            return record.message_id, handle(record.body)
        except TemporarilyUnavailableError as error:
            logger.warning("message postponed", message_id=record.message_id, reason=str(error))
            raise
        except Exception:
            logger.exception("message failed", message_id=record.message_id)
            record_failed_messages()
            raise

    convert(event, Batch)
    records: list[dict[str, Any]] = event["Records"]
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    with processor(records, handle_record) as batch:
        handled = batch.process()
    results = [result for outcome, result, _ in handled if outcome == "success"]
    return results, processor.response()
