"""A request may name the account that has to own its bucket: S3 refuses it if another one does.

MiniStack takes no notice of the header.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.corrections.hooks import Response, part, wrap
from sandbox.corrections.s3_encryption import S3Error

EXPECTED = "x-amz-expected-bucket-owner"


def refusing(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a request whose bucket belongs to another account than it expects."""

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
    """Correct every request about a bucket."""
    wrap("services.s3", "_dispatch", refusing)
