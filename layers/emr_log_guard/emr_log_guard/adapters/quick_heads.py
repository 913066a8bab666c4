"""HeadObject without the detours: a bucket's later heads take a fourth of the first one's work.

So the first head of a bucket is botocore's; where it was sent to, and how it was signed, holds for
the others. Whatever is answered but 200 OK is left to botocore, which knows about redirects,
throttling and errors.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from dataclasses import dataclass, field, replace
from threading import local
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest

from emr_log_guard.adapters.quick_way import KeptConnections, Way
from emr_log_guard.domain.log_objects import Encryption

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from types_boto3_s3 import S3Client

    from emr_log_guard.adapters.call_count import CallCount
    from emr_log_guard.adapters.pace import Pace

_OK = 200
_SAFE = "/~"
"""What botocore leaves as it is in a key, beside letters, digits and `_.-`."""


@dataclass(slots=True)
class QuickHeads:
    """Heads of one client's buckets. Any number of threads may ask."""

    credentials: "Credentials"
    connections: KeptConnections
    pace: "Pace"
    calls: "CallCount"
    _ways: dict[str, Way] = field(default_factory=dict)
    """The ways to the buckets' objects, up to the key."""
    _mine: local = field(default_factory=local)
    """What each thread's last head by botocore was."""

    def watch(self, client: "S3Client") -> None:
        """See how this client asks."""

        def remember(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
            self._mine.request = request

        client.meta.events.register_first("before-send.s3.HeadObject", remember)

    def learn(self, bucket: str, key: str) -> None:
        """Keep how this thread's last head, which was answered with 200 OK, was asked for."""
        request = getattr(self._mine, "request", None)
        tail = quote(key, safe=_SAFE)
        if bucket in self._ways or request is None or not request.url.endswith(f"/{tail}"):
            return
        way = Way.of(request, "s3", "User-Agent")
        if way is not None:
            self._ways[bucket] = replace(way, path=way.path.removesuffix(tail))

    def encryption(self, bucket: str, key: str, owner: str | None = None) -> Encryption | None:
        """Read an object's encryption; None when it takes botocore to find out.

        Raises:
            AuditStoppedError: Nobody wants the answer any more.

        """
        way = self._ways.get(bucket)
        if way is None:
            return None
        self.pace.wait()
        path = way.path + quote(key, safe=_SAFE)
        expected = {} if owner is None else {"x-amz-expected-bucket-owner": owner}
        request = AWSRequest("HEAD", way.url + path, headers={**way.headers, **expected})
        S3SigV4Auth(self.credentials.get_frozen_credentials(), "s3", way.region).add_auth(request)
        answered = self.connections.answer(way, "HEAD", path, request)
        if answered is None:
            return None
        head, _ = answered
        self.calls.note("s3:HeadObject", way.region, head.status)
        if head.status != _OK:
            return None
        self.pace.accepted()
        return Encryption(
            head.getheader("x-amz-server-side-encryption"),
            head.getheader("x-amz-server-side-encryption-aws-kms-key-id"),
        )
