"""Lambda polls a queue with the permissions of the function's role. Upstream: yes.

MiniStack ignores the role's permissions.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import part, wrap
from sandbox.emulator_patches.iam_simulation import principal

NEEDED = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def may_take(queue_arn: str) -> bool:
    """Whether the role of the function that a queue is mapped to may receive its messages."""
    for _, _, mapping in part("services.lambda_svc", "_iter_all_esms")():
        if mapping["EventSourceArn"] == queue_arn:
            function, configuration = part("services.lambda_svc", "_get_func_record_for_qualifier")(
                mapping["FunctionName"], mapping.get("Qualifier")
            )
            role = principal(configuration["Role"], {}) if function else None
            return role is not None and all(
                role.decision(action, queue_arn) == "allowed" for action in NEEDED
            )
    return False


def install() -> None:
    """Leave the messages in the queue while the role may not receive them."""

    def asking(receive: Callable[[str, int], list[Any]]) -> Callable[[str, int], list[Any]]:
        def receive_messages(queue_url: str, batch_size: int) -> list[Any]:
            queue = part("services.sqs", "_queues")[queue_url]
            allowed = may_take(queue["attributes"]["QueueArn"])
            return receive(queue_url, batch_size) if allowed else []

        return receive_messages

    wrap("services.sqs", "_receive_messages_for_esm", asking)
