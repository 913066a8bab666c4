"""UpdateObjectEncryption changes an object's key, not its body or date. Upstream: yes.

MiniStack handles the request as a put and overwrites the object's body with it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html
"""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from sandbox.emulator_patches.hooks import Response, allowed, part, wrap
from sandbox.emulator_patches.s3_bucket_keys import BUCKET_KEY
from sandbox.emulator_patches.s3_encryption import ALGORITHM, KEY, S3Error, denial, key_arn

KEY_ARN = re.compile(r"arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:[0-9]{12}:key/.+")
NEEDED = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptTo")
FROM = ("AES256", "aws:kms")
"""The encryption algorithms that an object may have before the update."""


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
    if any(record["preserved_headers"].get(ALGORITHM) not in FROM for record in found):
        raise S3Error(
            code="InvalidRequest", message="This object's encryption cannot be updated.", status=400
        )
    return found


def new_encryption(body: bytes, headers: dict[str, str]) -> dict[str, str]:
    """The encryption in a request, in the form stored with an object.

    Raises:
        S3Error: the request names no full key ARN, or a key that the caller cannot use.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 - the caller is the developer
    except ET.ParseError as error:
        raise S3Error(
            code="MalformedXML", message="The XML you provided was not well-formed", status=400
        ) from error
    said = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
    if not KEY_ARN.fullmatch(said.get("KMSKeyArn", "")):
        raise S3Error(
            code="InvalidRequest", message="The full ARN of a KMS key is required.", status=400
        )
    arn = key_arn(said["KMSKeyArn"])
    for action in NEEDED:
        if not allowed(headers, action, arn):
            raise denial(action, arn)
    bucket_key = {BUCKET_KEY: "true"} if said.get("BucketKeyEnabled") == "true" else {}
    return {ALGORITHM: "aws:kms", KEY: arn, **bucket_key}


def install() -> None:
    """Handle the operation, with its own IAM action."""

    def answering(dispatch: Callable[..., Any]) -> Callable[..., Any]:
        def dispatch_request(*request: Any) -> Response:  # noqa: ANN401 - passed on
            method, bucket, key, headers, body, query = request
            if method != "PUT" or not key or "encryption" not in query:
                response: Response = dispatch(*request)
                return response
            try:
                version = part("services.s3", "_qp")(query, "versionId", "")
                found = records(bucket, key, version)
                encryption = new_encryption(body, headers)
            except S3Error as error:
                return error.response()
            for record in found:
                record["preserved_headers"].pop(BUCKET_KEY, None)
                record["preserved_headers"].update(encryption)
            return 200, {}, b""

        return dispatch_request

    wrap("services.s3", "_dispatch", answering)
    part("core.iam_actions", "_S3_OBJECT_QUERY_ACTIONS")["encryption"] = {
        "PUT": "UpdateObjectEncryption"
    }
