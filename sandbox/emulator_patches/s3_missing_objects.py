"""S3 returns 403 for a missing object to callers who may not list the bucket. Upstream: yes.

Callers who may list it get 404. MiniStack returns 404 to every caller.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import Response, allowed, wrap
from sandbox.emulator_patches.s3_encryption import S3Error

MISSING = 404


def hiding(read: Callable[..., Any]) -> Callable[..., Any]:
    """Return 403 instead of 404 to callers who may not list the bucket."""

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
    """Patch HeadObject and GetObject."""
    wrap("services.s3", "_head_object", hiding)
    wrap("services.s3", "_get_object", hiding)
