"""HeadObject without the detours: a bucket's later heads take a fourth of the first one's work.

botocore validates, resolves and parses anew for each call, which for millions of objects is most of
the work. So the first head of a bucket is botocore's; where it was sent to, and how it was signed,
holds for the others. They are signed by botocore, too, and sent over connections that are kept
open. Whatever is answered but 200 OK is left to botocore, which knows about redirects, throttling
and errors.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

import re
import ssl
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.utils import get_environ_proxies

from emr_log_guard.domain.log_objects import Encryption

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from types_boto3_s3 import S3Client

    from emr_log_guard.adapters.call_count import CallCount
    from emr_log_guard.adapters.pace import Pace

_OK = 200
_SECONDS = 20
_SCOPE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/s3/aws4_request"
)


class Authorities:
    """Whose certificates are trusted. They are read when a connection first needs them."""

    def __init__(self, file: str | None) -> None:
        """Take the file of them, which has to be there; None stands for the system's own.

        Raises:
            OSError: It cannot be opened.

        """
        self._file = file
        if file is not None:
            Path(file).open("rb").close()
        self._context: ssl.SSLContext | None = None
        self._lock = Lock()

    def context(self) -> ssl.SSLContext:
        """Return what trusts them, the same each time.

        Raises:
            OSError: They cannot be read.

        """
        with self._lock:
            if self._context is None:
                self._context = ssl.create_default_context(cafile=self._file)
            return self._context


@dataclass(frozen=True, slots=True)
class _Way:
    """How a bucket's objects are asked for."""

    secure: bool
    host: str
    """With the port, if it is not the usual one."""
    path: str
    """Up to the key."""
    region: str
    user_agent: str

    def connect(self, authorities: Authorities) -> HTTPConnection:
        """Open a connection, when the first request is sent."""
        if self.secure:
            return HTTPSConnection(self.host, timeout=_SECONDS, context=authorities.context())
        return HTTPConnection(self.host, timeout=_SECONDS)

    def sign(self, key: str, credentials: "Credentials") -> AWSRequest:
        """Make the signed request for an object."""
        scheme = "https" if self.secure else "http"
        request = AWSRequest(
            "HEAD",
            f"{scheme}://{self.host}{self.path}{quote(key, safe=_SAFE)}",
            headers={"User-Agent": self.user_agent},
        )
        S3SigV4Auth(credentials.get_frozen_credentials(), "s3", self.region).add_auth(request)
        return request


_SAFE = "/~"
"""What botocore leaves as it is in a key, beside letters, digits and `_.-`."""


@dataclass(slots=True)
class QuickHeads:
    """Heads of one client's buckets. Any number of threads may ask."""

    credentials: "Credentials"
    authorities: Authorities
    pace: "Pace"
    calls: "CallCount"
    _ways: dict[str, _Way] = field(default_factory=dict)
    _mine: local = field(default_factory=local)
    """Each thread's connections, and what its last head by botocore was."""

    def watch(self, client: "S3Client") -> None:
        """See how this client asks."""

        def remember(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
            self._mine.request = request

        client.meta.events.register_first("before-send.s3.HeadObject", remember)

    def learn(self, bucket: str, key: str) -> None:
        """Keep how this thread's last head, which was answered with 200 OK, was asked for.

        What goes through a proxy, or is signed in another way, stays botocore's.
        """
        request = getattr(self._mine, "request", None)
        tail = quote(key, safe=_SAFE)
        if bucket in self._ways or request is None or not request.url.endswith(f"/{tail}"):
            return
        scope = _SCOPE.match(_text(request.headers.get("Authorization", "")))
        if scope is not None and not get_environ_proxies(request.url):
            url = urlsplit(request.url)
            self._ways[bucket] = _Way(
                secure=url.scheme == "https",
                host=url.netloc,
                path=url.path.removesuffix(tail),
                region=scope["region"],
                user_agent=_text(request.headers["User-Agent"]),
            )

    def encryption(self, bucket: str, key: str) -> Encryption | None:
        """Read an object's encryption; None when it takes botocore to find out.

        Raises:
            AuditStoppedError: Nobody wants the answer any more.

        """
        way = self._ways.get(bucket)
        if way is None:
            return None
        self.pace.wait()
        request = way.sign(key, self.credentials)
        try:
            connection = self._connection(way)
        except OSError:  # the certificates are not what botocore read any more
            return None
        try:
            connection.request(
                "HEAD", way.path + quote(key, safe=_SAFE), headers=dict(request.headers.items())
            )
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):  # such as a connection that was idle for too long
            connection.close()
            return None
        self.calls.note("s3:HeadObject", way.region, answer.status)
        if answer.status != _OK:
            return None
        self.pace.accepted()
        return Encryption(
            answer.getheader("x-amz-server-side-encryption"),
            answer.getheader("x-amz-server-side-encryption-aws-kms-key-id"),
        )

    def _connection(self, way: _Way) -> HTTPConnection:
        """Return this thread's connection to there.

        Raises:
            OSError: The certificates cannot be read.

        """
        mine: dict[str, HTTPConnection] = self._mine.__dict__.setdefault("connections", {})
        if way.host not in mine:
            mine[way.host] = way.connect(self.authorities)
        return mine[way.host]


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header
