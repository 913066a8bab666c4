"""ASGI middleware between the account and its functions that applies the active faults.

`PUT /_sandbox/faults` replaces the active faults with the JSON list in its body. `GET
/_sandbox/calls` returns how many calls functions have made, and how many of them a fault affected.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sandbox.calls import Application
from sandbox.faults import deliveries, workers
from sandbox.faults.fault import Call, Crash, Fault, first_affecting
from sandbox.faults.requests import access_key_of, call_of, error, headers_of
from sandbox.running import ADMIN

FAULTS = "/_sandbox/faults"
CALLS = "/_sandbox/calls"

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]


class FaultyAccount:
    """An ASGI application that wraps another one and applies faults."""

    def __init__(self, app: Application, chance: Callable[[], float] = random.random) -> None:
        """Wrap `app`; `chance` decides which share of the calls is affected."""
        self._app = app
        self._chance = chance
        self._faults: list[Fault] = []
        self._calls = 0
        self._met = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == FAULTS:
            self._faults = [Fault.parse(each) for each in json.loads(await _body(receive))]
            deliveries.repeat(self._faults)
            await _answer(send, 200, [], b"{}")
        elif scope["path"] == CALLS:
            counts = {"calls": self._calls, "met": self._met}
            await _answer(send, 200, [], json.dumps(counts).encode())
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        if access_key_of(headers) in {None, ADMIN}:
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        call = call_of(scope["method"], scope["path"], headers, body)
        self._calls += 1
        fault = first_affecting(self._faults, call, self._chance())
        if fault is None:
            await self._app(scope, _again(body, receive), send)
        else:
            self._met += 1
            await self._meet(fault, call, headers, (scope, body, receive), send)

    async def _meet(
        self,
        fault: Fault,
        call: Call,
        headers: Mapping[str, str],
        request: tuple[dict[str, Any], bytes, Receive],
        send: Send,
    ) -> None:
        scope, body, receive = request
        if fault.status is not None:
            await asyncio.sleep(fault.delay)
            await _answer(send, fault.status, *error(call.service, headers, fault.code))
            return
        if fault.crash is Crash.BEFORE:
            workers.kill(call.access_key)
            return
        answers = [await _answered(self._app, scope, body, receive) for _ in range(fault.times)]
        if fault.crash is Crash.AFTER:
            workers.kill(call.access_key)
            return
        await asyncio.sleep(fault.delay)
        for message in answers[-1]:
            await send(message)


async def _answered(
    app: Application, scope: dict[str, Any], body: bytes, receive: Receive
) -> list[dict[str, Any]]:
    """Pass a request on, and capture the response."""
    messages: list[dict[str, Any]] = []

    async def keep(message: dict[str, Any]) -> None:
        messages.append(message)

    await app(dict(scope), _again(body, receive), keep)
    return messages


async def _body(receive: Receive) -> bytes:
    """Read the whole body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Replay a body that was read; later messages come from the client."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> dict[str, Any]:
        return left.pop() if left else await receive()

    return replayed


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
