"""AWS KMS: reading keys and their policies."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from emr_log_guard.adapters.errors import AWS_ERRORS, code_of, unresolved
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.keys import KeyFact, KeyManager, KeyNotFound, KeyState, KmsKey
from emr_log_guard.domain.unresolved import Unresolved

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

_NO_SUCH_KEY = frozenset({"NotFoundException", "InvalidArnException"})


class KmsKeys:
    """Keys of any account and Region, as far as they can be read."""

    def __init__(self, client_for: Callable[[str | None], "KMSClient"]) -> None:
        """Read through the client of each key's Region; None: the function's own."""
        self._client_for = client_for

    def describe(self, identifier: str) -> KeyFact:
        """Read a key by id, ARN, alias name or alias ARN: one DescribeKey in the key's Region."""
        arn = Arn.parse(identifier)
        try:
            answer = self._client_for(arn.region if arn else None).describe_key(KeyId=identifier)
        except AWS_ERRORS as error:
            if code_of(error) in _NO_SUCH_KEY:
                reason = f"kms:DescribeKey answered {code_of(error)}"
                return KeyNotFound(identifier, reason)
            return unresolved("kms:DescribeKey", identifier, error)
        metadata = answer["KeyMetadata"]
        try:
            return KmsKey(
                arn=metadata["Arn"],
                manager=KeyManager(metadata["KeyManager"]),
                state=KeyState(metadata["KeyState"]),
                spec=metadata["KeySpec"],
                usage=metadata["KeyUsage"],
                origin=metadata.get("Origin"),
                key_store=metadata.get("CustomKeyStoreId"),
            )
        except (KeyError, ValueError) as error:
            # A new state or manager, or a missing field.
            return Unresolved(f"kms:DescribeKey on {identifier} cannot be parsed: {error}")

    def policy(self, key_arn: str) -> Mapping[str, object] | Unresolved:
        """Read a key's policy: one GetKeyPolicy. Only the key's own account may read it."""
        try:
            region = Arn.of(key_arn).region
            answer = self._client_for(region).get_key_policy(KeyId=key_arn)
            document = json.loads(answer["Policy"])
        except AWS_ERRORS as error:
            return unresolved("kms:GetKeyPolicy", key_arn, error)
        except ValueError:
            return Unresolved(f"kms:GetKeyPolicy on {key_arn} did not return JSON")
        return (
            document
            if isinstance(document, dict)
            else Unresolved("the key policy is not an object")
        )

    def rotation(self, key: KmsKey) -> bool | Unresolved:
        """Return whether KMS rotates a key automatically: one GetKeyRotationStatus."""
        try:
            answer = self._client_for(key.region).get_key_rotation_status(KeyId=key.arn)
        except AWS_ERRORS as error:
            return unresolved("kms:GetKeyRotationStatus", key.arn, error)
        return answer["KeyRotationEnabled"]
