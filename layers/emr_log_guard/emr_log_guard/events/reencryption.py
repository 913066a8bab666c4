"""The guard's request to `reencrypt`.

It only names an object, which is read and evaluated again: a forged request changes nothing.
"""

from typing import Annotated, Final, Literal

import msgspec

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.events.parsing import decode

REENCRYPT_LOG_OBJECT: Final = "emr-log-guard/reencryption/1"
Text = Annotated[str, msgspec.Meta(min_length=1)]


class ReencryptionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Re-encrypt this log object if it violates a rule that the policy remediates."""

    schema: Literal["emr-log-guard/reencryption/1"]
    bucket: Text
    key: Text
    version_id: str | None = None


def encode_reencryption_request(version: ObjectVersion) -> str:
    """Write a request as the JSON body of a queue message."""
    message = ReencryptionRequest(
        REENCRYPT_LOG_OBJECT, version.bucket, version.key, version.version_id
    )
    return msgspec.json.encode(message).decode()


def parse_reencryption_request(body: str) -> ObjectVersion:
    """Parse a request.

    Raises:
        InvalidEventError: The body is not one; the message names the field.

    """
    message = decode(body, ReencryptionRequest)
    return ObjectVersion(message.bucket, message.key, message.version_id or None)
