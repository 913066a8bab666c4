"""The way that a call of botocore's took, for others to take without botocore's detours.

botocore validates, resolves and parses anew for each call, which is most of the work of many. What
is sent along a way is signed by botocore all the same, and sent over connections that are kept
open.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from threading import Lock, local
from typing import Any, Self
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest
from botocore.utils import get_environ_proxies

_SECONDS = 20
_SCOPE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/"
    "aws4_request"
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
class Way:
    """Where requests are sent to, and in which words."""

    url: str
    """Up to the path, such as `https://s3.us-east-1.amazonaws.com`."""
    path: str
    region: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, request: Any, service: str, *headers: str) -> Self | None:  # noqa: ANN401 - botocore's
        """See the way of a request that botocore sent, and keep these headers of it.

        None for what goes through a proxy, or is signed in another way: it stays botocore's.
        """
        scope = _SCOPE.match(_text(request.headers.get("Authorization", "")))
        if scope is None or scope["service"] != service or get_environ_proxies(request.url):
            return None
        url = urlsplit(request.url)
        kept = {name: _text(request.headers[name]) for name in headers}
        return cls(f"{url.scheme}://{url.netloc}", url.path, scope["region"], kept)


@dataclass(frozen=True, slots=True)
class KeptConnections:
    """Each thread's connections. Any number of threads may ask."""

    authorities: Authorities
    _mine: local = field(default_factory=local)

    def answer(
        self, way: Way, method: str, target: str, signed: AWSRequest
    ) -> tuple[HTTPResponse, bytes] | None:
        """Send what was signed and read the answer; None when it takes botocore to get one."""
        connections: dict[str, HTTPConnection] = self._mine.__dict__
        connection = connections.get(way.url)
        try:
            if connection is None:
                connection = connections[way.url] = self._connection(way.url)
            headers = dict(signed.headers.items())
            connection.request(method, target, signed.data or None, headers)
            answer = connection.getresponse()
            return answer, answer.read()
        # Such as a connection that was idle for too long, or certificates that nobody can read.
        except (OSError, HTTPException):
            if connection is not None:
                connection.close()
            return None

    def _connection(self, url: str) -> HTTPConnection:
        """Make a connection, which opens with the first request."""
        scheme, _, host = url.partition("://")
        if scheme == "https":
            return HTTPSConnection(host, timeout=_SECONDS, context=self.authorities.context())
        return HTTPConnection(host, timeout=_SECONDS)


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header
