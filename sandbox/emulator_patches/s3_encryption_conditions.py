"""Bucket policies can test the KMS key and SSE-C headers of a put. Upstream: yes.

MiniStack passes only the algorithm to policies. For a part of a multipart upload, which has no such
headers, the upload's own request applies.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import part, wrap
from sandbox.emulator_patches.s3_encryption import CUSTOMER_ALGORITHM, KEY

type Context = dict[str, str]


def with_encryption_headers(read: Callable[..., Context]) -> Callable[..., Context]:
    """Add the condition keys for the KMS key and for SSE-C, if a put has these headers."""

    def object_context(
        action: str, query: dict[str, Any], path: str, headers: dict[str, str]
    ) -> Context:
        context = read(action, query, path, headers)
        if action == "s3:PutObject":
            asked = _of_upload(query) if "uploadId" in query else headers
            context |= {f"s3:{n}": asked[n] for n in (KEY, CUSTOMER_ALGORITHM) if asked.get(n)}
        return context

    return object_context


def _of_upload(query: dict[str, Any]) -> dict[str, str]:
    """The encryption that an upload's own request asked for; empty for the bucket's default."""
    upload_id = part("core.iam_actions", "_query_param")(query, "uploadId")
    upload = part("services.s3", "_multipart_uploads").get(upload_id) or {}
    kept: dict[str, str] = upload.get("preserved_headers", {})
    return kept if upload.get("requested_sse") or CUSTOMER_ALGORITHM in kept else {}


def install() -> None:
    """Complete the condition keys of a put."""
    wrap("core.iam_actions", "_s3_object_context", with_encryption_headers)
