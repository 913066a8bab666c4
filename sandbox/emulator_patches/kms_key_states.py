"""KMS keys enter states that no API call sets, controlled by a tag for tests. Upstream: no.

KMS sets `Creating`, `Unavailable` (the key's custom key store is disconnected) and `Updating`
itself; MiniStack never does. The tag `sandbox:KeyState` puts a key into such a state. `NotFound`
emulates eventual consistency: for some minutes after a key is created, DescribeKey may not find it.
Removing the tag restores the key's previous state.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from sandbox.emulator_patches.hooks import Response, part, refuse, wrap

STATE = "sandbox:KeyState"
NOT_FOUND = "NotFound"
STATES = ("Creating", "Unavailable", "Updating", NOT_FOUND)
BEFORE = "_state_before"
"""The field of a key's record that holds its previous state."""
HIDDEN = "_hidden"
"""The field of a key's record that marks the key as not found yet."""


def named(request: dict[str, Any]) -> dict[str, Any] | None:
    """MiniStack's record of the key that a request names."""
    record: dict[str, Any] | None = part("services.kms", "_resolve_key")(request.get("KeyId", ""))
    return record


def enter(record: dict[str, Any], state: str) -> None:
    """Put a key into a state."""
    leave(record)
    if state == NOT_FOUND:
        record[HIDDEN] = True
        return
    record[BEFORE], record["KeyState"] = record["KeyState"], state


def leave(record: dict[str, Any]) -> None:
    """Restore a key's previous state."""
    record.pop(HIDDEN, None)
    if BEFORE in record:
        record["KeyState"] = record.pop(BEFORE)


def entering(tag: Callable[..., Response]) -> Callable[..., Response]:
    """Apply the tag when it is set."""

    def tag_resource(request: dict[str, Any]) -> Response:
        tags = {each["TagKey"]: each["TagValue"] for each in request.get("Tags", [])}
        if STATE in tags and tags[STATE] not in STATES:
            return refuse("TagException", f"{STATE} must be one of {', '.join(STATES)}")
        response = tag(request)
        record = named(request)
        if STATE in tags and record is not None and response[0] == HTTPStatus.OK:
            enter(record, tags[STATE])
        return response

    return tag_resource


def leaving(untag: Callable[..., Response]) -> Callable[..., Response]:
    """Restore the state when the tag is removed."""

    def untag_resource(request: dict[str, Any]) -> Response:
        record = named(request)
        if record is not None and STATE in request.get("TagKeys", []):
            leave(record)
        return untag(request)

    return untag_resource


def hiding(describe: Callable[..., Response]) -> Callable[..., Response]:
    """Return NotFoundException for a hidden key."""

    def describe_key(request: dict[str, Any]) -> Response:
        record = named(request)
        if record is not None and HIDDEN in record:
            return refuse("NotFoundException", f"Key '{record['Arn']}' does not exist")
        return describe(request)

    return describe_key


def install() -> None:
    """Apply the tag, and hide keys that are not found yet."""
    wrap("services.kms", "_tag_resource", entering)
    wrap("services.kms", "_untag_resource", leaving)
    wrap("services.kms", "_describe_key", hiding)
