"""A plain server that records an account's responses and replays them.

Run it as `python -m benchmarks.recorded_account URL`. The first time, a request is sent to the
account at URL, which may be stopped once everything is recorded.
"""

import re
import sys
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from benchmarks.plain_server import Request, response, serve, served

_SECONDS = 60
_BROKEN = 500
"""Responses with this status or above are errors of the account and are not recorded."""
_OF_THE_CONNECTION = frozenset({"connection", "date", "keep-alive", "transfer-encoding"})
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([^,]+)")
"""The access key, Region and service of a request, without its date."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An account's responses so far."""

    url: str
    _answers: dict[object, bytes] = field(default_factory=dict)

    def answer(self, request: Request) -> bytes:
        """Return the response to a request; ask the account only if it is not recorded."""
        asked = _question(request)
        known = self._answers.get(asked)
        if known is not None:
            return known
        try:
            status, headers, body = self._ask(request)
        except (OSError, HTTPException) as error:
            return response(502, {}, f"{request.method} {request.target}: {error}".encode())
        answer = response(status, headers, body)
        if status < _BROKEN:
            self._answers[asked] = answer
        return answer

    def _ask(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=_SECONDS)) as connection:
            connection.request(request.method, request.target, request.body, dict(request.headers))
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            for name in _OF_THE_CONNECTION & set(headers):
                del headers[name]
            return answer.status, headers, answer.read()


def _question(request: Request) -> object:
    """The identity of a request: everything except its time and signature."""
    credential = _CREDENTIAL.search(request.headers.get("authorization", ""))
    return (
        request.method,
        request.target,
        request.headers.get("x-amz-target"),
        credential and credential.groups(),
        request.body,
    )


def recorded(url: str) -> AbstractContextManager[str]:
    """Serve the responses of the account at a URL; return the new URL."""
    return served("benchmarks.recorded_account", url)


if __name__ == "__main__":
    serve(Recording(sys.argv[1]).answer)
