"""UpdateObjectEncryption changes an object's key, not its body or date. Upstream: yes.

MiniStack handles the request as a put and overwrites the object's body with it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/update-sse-encryption.html
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from sandbox.emulator_patches.hooks import Response, allowed, part, wrap
from sandbox.emulator_patches.s3_bucket_keys import BUCKET_KEY
from sandbox.emulator_patches.s3_encryption import (
    ALGORITHM,
    CUSTOMER_ALGORITHM,
    KEY,
    KMS,
    S3Error,
    denial,
    key_arn,
    may_use,
)

KEY_ARN = re.compile(r"arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:[0-9]{12}:key/.+")
ALSO_ON_OBJECT = "s3:PutObject"
ON_NEW_KEY = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""The permissions that S3 documents, all of them on the key in the request."""
ON_FORMER_KEY = ("kms:Decrypt", "kms:ReEncryptFrom")
"""What KMS requires on the key that the object's data key is encrypted with.

https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html
"""
FROM = ("AES256", "aws:kms")
"""The encryption algorithms that an object may have before the update."""

INVALID_SOURCE = "Only source objects encrypted with SSE-S3 or SSE-KMS are supported."
INVALID_TYPE = "A valid new encryption type is required: SSEKMS."
INVALID_KEY = "The full ARN of a KMS key is required."
INVALID_BUCKET_KEY = "BucketKeyEnabled is neither true nor false."
FOREIGN_KEY = "The KMS key must be owned by the same account as the bucket."
LOCKED = "The object is protected by S3 Object Lock."


def invalid(message: str) -> S3Error:
    """The error for a request, or an object, that the operation does not support."""
    return S3Error(code="InvalidRequest", message=message, status=400)


def denied(message: str) -> S3Error:
    """The error for an object, or a key, with which the operation is forbidden to everybody."""
    return S3Error(code="AccessDenied", message=message, status=403)


def records(bucket: str, key: str, version: str) -> list[dict[str, Any]]:
    """MiniStack's records of one version of an object: the current version has two.

    Raises:
        S3Error: there is no such bucket, object or version.
    """
    buckets = part("services.s3", "_buckets")
    if bucket not in buckets:
        raise S3Error(
            code="NoSuchBucket", message="The specified bucket does not exist", status=404
        )
    current = buckets[bucket]["objects"].get(key)
    wanted = version or (current or {}).get("version_id")
    found = [
        record
        for record in part("services.s3", "_object_versions").get((bucket, key), [])
        if wanted and record["version_id"] == wanted and not record.get("is_delete_marker")
    ]
    if current is not None and (not version or current.get("version_id") == version):
        found.append(current)
    if not found and version:
        raise S3Error(
            code="NoSuchVersion", message="The specified version does not exist.", status=404
        )
    if not found:
        raise S3Error(code="NoSuchKey", message="The specified key does not exist.", status=404)
    return found


def check_updatable(bucket: str, key: str, record: dict[str, Any]) -> None:
    """Check that S3 can update an object.

    Raises:
        S3Error: because of its encryption, or of Object Lock.
    """
    headers = record["preserved_headers"]
    if CUSTOMER_ALGORITHM in headers or headers.get(ALGORITHM) not in FROM:
        raise invalid(INVALID_SOURCE)
    version = (bucket, key, record.get("version_id"))
    hold = part("services.s3", "_object_legal_hold").get(version)
    retention = part("services.s3", "_object_retention").get(version)
    if hold == "ON" or (retention and not _is_past(retention["RetainUntilDate"])):
        raise denied(LOCKED)


def _is_past(date: str) -> bool:
    return datetime.fromisoformat(date).astimezone(UTC) <= datetime.now(UTC)


def new_encryption(body: bytes, headers: dict[str, str], owner: str) -> dict[str, str]:
    """The encryption in a request, in the form stored with an object.

    Raises:
        S3Error: the request names no full ARN of a key of the bucket's owner, or a key that the
            caller cannot use.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 - the caller is the developer
    except ET.ParseError as error:
        raise S3Error(
            code="MalformedXML", message="The XML you provided was not well-formed", status=400
        ) from error
    said = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
    if "SSE-KMS" not in said:
        raise invalid(INVALID_TYPE)
    if not KEY_ARN.fullmatch(said.get("KMSKeyArn", "")):
        raise invalid(INVALID_KEY)
    bucket_key = said.get("BucketKeyEnabled", "false")
    if bucket_key not in ("true", "false"):
        raise invalid(INVALID_BUCKET_KEY)
    if said["KMSKeyArn"].split(":")[4] != owner:
        raise denied(FOREIGN_KEY)
    arn = key_arn(said["KMSKeyArn"])
    require(headers, ON_NEW_KEY, arn)
    return {ALGORITHM: "aws:kms", KEY: arn} | ({BUCKET_KEY: "true"} if bucket_key == "true" else {})


def require(headers: dict[str, str], actions: tuple[str, ...], arn: str) -> None:
    """Check that S3 may use a key for a caller.

    Raises:
        S3Error: one of the actions is denied.
    """
    for action in actions:
        if not may_use(headers, action, arn):
            raise denial(action, arn)


def update(bucket: str, key: str, version: str, headers: dict[str, str], body: bytes) -> None:
    """Update the encryption of one version of an object.

    Raises:
        S3Error: S3 refuses it.
    """
    resource = f"arn:aws:s3:::{bucket}/{key}"
    if not allowed(headers, ALSO_ON_OBJECT, resource):
        raise denial(ALSO_ON_OBJECT, resource)
    found = records(bucket, key, version)
    former = found[0]["preserved_headers"]
    check_updatable(bucket, key, found[0])
    new = new_encryption(body, headers, part("services.s3", "_bucket_owner_account")(bucket))
    if former[ALGORITHM] in KMS:
        require(headers, ON_FORMER_KEY, key_arn(former[KEY]))
    for record in found:
        record["preserved_headers"].pop(BUCKET_KEY, None)
        record["preserved_headers"].update(new)


def install() -> None:
    """Handle the operation, with its own IAM action."""

    def answering(dispatch: Callable[..., Any]) -> Callable[..., Any]:
        def dispatch_request(*request: Any) -> Response:  # noqa: ANN401 - passed on
            method, bucket, key, headers, body, query = request
            if method != "PUT" or not key or "encryption" not in query:
                response: Response = dispatch(*request)
                return response
            version = part("services.s3", "_qp")(query, "versionId", "")
            try:
                update(bucket, key, version, headers, body)
            except S3Error as error:
                return error.response()
            return 200, {}, b""

        return dispatch_request

    wrap("services.s3", "_dispatch", answering)
    part("core.iam_actions", "_S3_OBJECT_QUERY_ACTIONS")["encryption"] = {
        "PUT": "UpdateObjectEncryption"
    }
