"""Publishing to an encrypted topic requires permissions on the topic's key. Upstream: yes.

MiniStack does not check them.

https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#sns-what-permissions-for-sse
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from sandbox.emulator_patches.hooks import Response, allowed, aws_managed, part, unusable, wrap

PUBLISHING = ("Publish", "PublishBatch")
NEEDED = ("kms:GenerateDataKey", "kms:Decrypt")


def key_of_topic(body: bytes) -> str | None:
    """The key of the topic that a request publishes to, as it was configured, or None."""
    said = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
    if said.get("Action") not in PUBLISHING:
        return None
    arn = said.get("TopicArn") or said.get("TargetArn") or ""
    topic: dict[str, Any] = part("services.sns", "_topic_by_arn_any_scope")(arn) or {}
    key: str | None = topic.get("attributes", {}).get("KmsMasterKeyId")
    return key


def refusal(reference: str, headers: dict[str, str]) -> tuple[str, str] | None:
    """The code and message for a caller who may not use the key, or None."""
    key = part("services.kms", "_resolve_key")(reference)
    if key is None:
        return "KMSNotFound", f"Key {reference} does not exist"
    if (trouble := unusable(key)) is not None:
        return f"KMS{trouble[0]}", trouble[1]
    lacking = [action for action in NEEDED if not allowed(headers, action, key["Arn"])]
    if lacking and not aws_managed(key):
        message = f"The caller is not authorized to perform: {lacking[0]} on: {key['Arn']}"
        return "KMSAccessDenied", message
    return None


def install() -> None:
    """Check the key before a request reaches the topic."""

    def checking(handle: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> Response:
            key = key_of_topic(body or b"")
            if key and (refused := refusal(key, headers)) is not None:
                error: Response = part("services.sns", "_error")(*refused, 400)
                return error
            response: Response = await handle(method, path, headers, body, query)
            return response

        return handle_request

    wrap("services.sns", "handle_request", checking)
