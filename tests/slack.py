"""A stand-in for Slack: an incoming webhook on loopback that keeps what was posted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

type Answer = tuple[int, bytes, dict[str, str]]
OK: Answer = (200, b"ok", {})


def text_of(post: dict[str, Any]) -> str:
    """Give all that a post shows, as one text."""
    return json.dumps(post, ensure_ascii=False)


class Slack(ThreadingHTTPServer):
    """Answers posts as given, one after the other, the last answer for good; else 200 `ok`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = [OK]
        self.posts: list[dict[str, Any]] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return self.url_of("B0")

    def url_of(self, webhook: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/T0/{webhook}/x"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Slack)
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.paths.append(self.path)
        self.answer()

    def answer(self) -> None:
        assert isinstance(self.server, Slack)
        answers = self.server.answers
        status, body, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def slack_webhook() -> Iterator[Slack]:
    """Serve a webhook until the block ends."""
    with Slack() as server:
        thread = Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
