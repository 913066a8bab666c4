"""S3 stores whether an object uses an S3 Bucket Key, and HeadObject returns it. Upstream: yes.

A write or the bucket's default requests it. MiniStack drops BucketKeyEnabled.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
"""

import re
from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import part, replace, wrap
from sandbox.emulator_patches.s3_encryption import ALGORITHM

BUCKET_KEY = "x-amz-server-side-encryption-bucket-key-enabled"
BY_DEFAULT = re.compile(r"<BucketKeyEnabled>\s*true\s*</BucketKeyEnabled>", re.IGNORECASE)


def wanted(headers: dict[str, str], bucket: str) -> bool:
    """Whether a write uses a bucket key: the request's header, or else the bucket's default."""
    if BUCKET_KEY in headers:
        return headers[BUCKET_KEY].lower() == "true"
    default = part("services.s3", "_bucket_encryption").get(bucket) or ""
    return BY_DEFAULT.search(default) is not None


def install() -> None:
    """Store the bucket key with every object that is encrypted with aws:kms."""

    def keeping(resolve: Callable[..., Any]) -> Callable[..., Any]:
        def resolve_write(headers: dict[str, str], bucket: str) -> tuple[Any, Any]:
            kept, error = resolve(headers, bucket)
            if kept and kept.get(ALGORITHM) == "aws:kms" and wanted(headers, bucket):
                kept[BUCKET_KEY] = "true"
            return kept, error

        return resolve_write

    wrap("services.s3", "_resolve_sse_write_headers", keeping)
    replace("services.s3", "_SSE_STORED_HEADERS", lambda stored: (*stored, BUCKET_KEY))
