"""An object that is not there: 404 for who may list the bucket, 403 for who may not.

MiniStack answers 404 to everybody.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.corrections.hooks import Response, allowed, wrap
from sandbox.corrections.s3_encryption import S3Error

MISSING = 404


def hiding(read: Callable[..., Any]) -> Callable[..., Any]:
    """Hide from who may not list a bucket that an object is not in it."""

    def read_object(
        bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None
    ) -> Response:
        response: Response = read(bucket, key, headers, query)
        missing = response[0] == MISSING and b"<Code>NoSuchBucket" not in response[2]
        if missing and not allowed(headers, "s3:ListBucket", f"arn:aws:s3:::{bucket}", query):
            return S3Error(code="AccessDenied", message="Access Denied", status=403).response()
        return response

    return read_object


def install() -> None:
    """Correct HeadObject and GetObject."""
    wrap("services.s3", "_head_object", hiding)
    wrap("services.s3", "_get_object", hiding)
