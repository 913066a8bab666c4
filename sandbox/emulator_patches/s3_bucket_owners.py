"""S3 refuses a request if the bucket's owner is not the expected one. Upstream: yes.

MiniStack ignores the header `x-amz-expected-bucket-owner`.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import Response, part, wrap
from sandbox.emulator_patches.s3_encryption import S3Error

EXPECTED = "x-amz-expected-bucket-owner"


def refusing(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a request whose bucket belongs to an account other than the expected one."""

    def dispatch_request(
        method: str,
        bucket: str,
        key: str,
        headers: dict[str, str],
        *rest: Any,  # noqa: ANN401 - passed on
    ) -> Response:
        expected = headers.get(EXPECTED)
        owner = part("services.s3", "_bucket_owner_account")(bucket) if bucket else None
        if expected and owner and expected != owner:
            return S3Error(code="AccessDenied", message="Access Denied", status=403).response()
        response: Response = dispatch(method, bucket, key, headers, *rest)
        return response

    return dispatch_request


def install() -> None:
    """Patch every request about a bucket."""
    wrap("services.s3", "_dispatch", refusing)
