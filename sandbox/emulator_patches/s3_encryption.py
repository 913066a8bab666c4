"""S3 encrypts every object, by default with AES256, and returns the key's ARN. Upstream: yes.

MiniStack returns no encryption for a plain put, refuses aws:kms without a key and aws:kms:dsse,
returns a key as the request names it, and does not check permissions on the key.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.emulator_patches.hooks import (
    Response,
    account_and_region,
    allowed,
    aws_managed,
    part,
    unusable,
    wrap,
)

ALGORITHM = "x-amz-server-side-encryption"
KEY = "x-amz-server-side-encryption-aws-kms-key-id"
CUSTOMER_ALGORITHM = "x-amz-server-side-encryption-customer-algorithm"
KMS = ("aws:kms", "aws:kms:dsse")
DEFAULT_KEY = "alias/aws/s3"
WRITING, READING = "kms:GenerateDataKey", "kms:Decrypt"

type Encryption = dict[str, str]
"""The encryption headers that are stored with an object."""


@dataclass(eq=False)
class S3Error(Exception):
    """An error of S3."""

    code: str
    message: str
    status: int

    def response(self) -> Response:
        """The error as an S3 response."""
        response: Response = part("services.s3", "_error")(self.code, self.message, self.status)
        return response


def denial(action: str, arn: str) -> S3Error:
    """The error for a caller who lacks a permission on a key."""
    message = f"User is not authorized to perform: {action} on resource: {arn}"
    return S3Error(code="AccessDenied", message=message, status=403)


def key_arn(reference: str) -> str:
    """The ARN of the enabled key that a request names.

    A key of another account is not verified, because it does not exist here.

    Raises:
        S3Error: this Region has no such key, or the key cannot be used.
    """
    account, region = account_and_region()
    if reference.startswith("arn:"):
        key_region, key_account = reference.split(":")[3:5]
        if key_region != region:
            raise S3Error(
                code="KMS.NotFoundException", message=f"Invalid arn {key_region}", status=400
            )
        if key_account != account:
            return reference
    key = part("services.kms", "_resolve_key")(reference)
    if key is None:
        raise S3Error(
            code="KMS.NotFoundException", message=f"Key '{reference}' does not exist", status=400
        )
    if (trouble := unusable(key)) is not None:
        code = {"Disabled": "DisabledException", "InvalidState": "KMSInvalidStateException"}
        raise S3Error(code=f"KMS.{code[trouble[0]]}", message=trouble[1], status=400)
    return str(key["Arn"])


def may_use(headers: dict[str, str], action: str, arn: str) -> bool:
    """Whether S3 may use a key for a caller; it may use an AWS-managed key for every caller.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    key = part("services.kms", "_resolve_key")(arn)
    through = {"kms:viaservice": f"s3.{account_and_region()[1]}.amazonaws.com"}
    managed = key is not None and aws_managed(key)
    return managed or allowed(headers, action, arn, context=through)


def settled(asked: Encryption, headers: dict[str, str]) -> Encryption:
    """The encryption to store for a write, from the request or the bucket's default.

    Raises:
        S3Error: the key cannot be used.
    """
    if CUSTOMER_ALGORITHM in asked:
        return asked
    algorithm = asked.get(ALGORITHM, "AES256")
    if algorithm not in KMS:
        return {ALGORITHM: algorithm}
    arn = key_arn(asked.get(KEY, DEFAULT_KEY))
    if not may_use(headers, WRITING, arn):
        raise denial(WRITING, arn)
    return {ALGORITHM: algorithm, KEY: arn}


def settling(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Resolve the encryption of a write."""

    def resolve_write(
        headers: dict[str, str], bucket: str
    ) -> tuple[Encryption | None, Response | None]:
        asked = dict(headers)
        algorithm = asked.get(ALGORITHM)
        if algorithm in KMS:
            # MiniStack validates the combination of headers, and requires a key for aws:kms.
            asked[ALGORITHM] = "aws:kms"
            asked.setdefault(KEY, DEFAULT_KEY)
        kept, error = resolve(asked, bucket)
        if error is not None:
            return None, error
        if algorithm in KMS:
            kept[ALGORITHM] = algorithm
        try:
            return settled(kept, headers), None
        except S3Error as refused:
            return None, refused.response()

    return resolve_write


def guarding(get: Callable[..., Any]) -> Callable[..., Any]:
    """Require permission to decrypt with the object's key in order to read the object."""

    def get_object(
        bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None
    ) -> Response:
        response: Response = get(bucket, key, headers, query)
        arn = response[1].get(KEY)
        if arn and not may_use(headers, READING, arn):
            return denial(READING, arn).response()
        return response

    return get_object


def install() -> None:
    """Patch every write, and reading an object."""
    wrap("services.s3", "_resolve_sse_write_headers", settling)
    wrap("services.s3", "_get_object", guarding)
