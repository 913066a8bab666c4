"""A plain HTTP server for prepared responses, which is faster than the clients.

The emulated account takes several milliseconds for many responses, more than the clients that are
compared: the benchmark would measure the account.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sandbox.deployment import ROOT


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request."""

    method: str
    target: str
    """The path and query, as sent."""
    headers: Mapping[str, str]
    """The headers, with names in lower case."""
    body: bytes

    @classmethod
    def read(cls, head: bytes, body: bytes) -> "Request":
        """Parse a request's head, without the empty line that ends it."""
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        return cls(method, target, _headers(lines), body)


def _headers(lines: list[str]) -> dict[str, str]:
    named = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in named}


def response(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Render a response. Content-Length is added unless the headers contain it, as for HEAD."""
    complete = {"content-length": str(len(body))} | dict(headers)
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in complete.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Connection(asyncio.Protocol):
    """One client's connection, which is kept open."""

    def __init__(self, answer: Callable[[Request], bytes], delay: float) -> None:
        self._answer = answer
        self._delay = delay
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self._read += data
        while request := self._request():
            answer = self._answer(request)
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _request(self) -> Request | None:
        """Take the next request from the buffer; None while it is incomplete."""
        head, end, rest = self._read.partition(b"\r\n\r\n")
        if not end:
            return None
        request = Request.read(head, rest)
        length = int(request.headers.get("content-length", 0))
        if len(rest) < length:
            return None
        self._read = rest[length:]
        return Request(request.method, request.target, request.headers, rest[:length])


def serve(answer: Callable[[Request], bytes], milliseconds: float = 0) -> None:
    """Serve on a free loopback port until standard input ends, and print the port.

    Each response is delayed by so many milliseconds, to emulate network latency.
    """

    async def until_the_end() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(answer, milliseconds / 1000), "127.0.0.1", 0
        )
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await loop.run_in_executor(None, sys.stdin.read)

    asyncio.run(until_the_end())


@contextmanager
def served(module: str, *arguments: str | Path) -> Iterator[str]:
    """Run a server module, `python -m MODULE ARGUMENT …`, and return its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        port = process.stdout.readline().strip() if process.stdout else ""
        yield f"http://127.0.0.1:{port}"
        if process.stdin:
            process.stdin.close()
