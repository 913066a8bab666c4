"""A plain server that answers what is asked of S3 here, from a table in memory.

The emulated account takes some 3 ms for each HeadObject, more than either client does, and so would
measure itself. Run as `python -m benchmarks.static_s3 FILE`: FILE is JSON, a bucket's name and its
objects' headers by key. It prints its port, and ends when its standard input does.
"""

import asyncio
import json
import subprocess
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from sandbox.deployment import ROOT

_PAGE = 1000
_AFTER = ("continuation-token", "marker", "start-after")
_XML = "http://s3.amazonaws.com/doc/2006-03-01/"
_MODIFIED = "2026-03-14T15:09:26.000Z"


@dataclass(frozen=True, slots=True)
class Bucket:
    """What the server knows."""

    name: str
    objects: dict[str, dict[str, str]]
    """Headers of a HEAD, by key; in S3's order of keys."""
    keys: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Know the keys by their places."""
        object.__setattr__(self, "keys", list(self.objects))

    def answer(self, method: str, target: str) -> tuple[int, dict[str, str], bytes]:
        """Answer a request: status, headers, body."""
        url = urlsplit(target)
        _, _, key = url.path.lstrip("/").partition("/")
        query = parse_qs(url.query, keep_blank_values=True)
        if method == "HEAD":
            head = self.objects.get(unquote(key))
            return (404, {}, b"") if head is None else (200, head, b"")
        if url.path == "/":
            return _document(
                "ListAllMyBucketsResult",
                f"<Buckets><Bucket><Name>{self.name}</Name>"
                f"<CreationDate>{_MODIFIED}</CreationDate></Bucket></Buckets>",
            )
        if "encoding-type" in query:
            return self._page(query)
        if "location" in query:
            return _document("LocationConstraint", "")
        if {"tagging", "policy", "website", "replication", "lifecycle"} & set(query):
            return 404, {}, b"<Error><Code>NoSuchConfiguration</Code></Error>"
        return _document("Nothing", "")

    def _page(self, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        prefix = query.get("prefix", [""])[0]
        after = next(
            (query[name][0] for name in _AFTER if query.get(name)),
            "",
        )
        first = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after))
        found = self.keys[first : first + _PAGE + 1]
        keys = [key for key in found if key.startswith(prefix)]
        page, more = keys[:_PAGE], len(keys) > _PAGE
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_MODIFIED}</LastModified>"
            "<Size>11</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        following = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        return _document(
            "ListBucketResult",
            f"<Name>{self.name}</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{following}{contents}",
        )


def _document(name: str, inner: str) -> tuple[int, dict[str, str], bytes]:
    text = f'<?xml version="1.0"?><{name} xmlns="{_XML}">{inner}</{name}>'
    return 200, {"content-type": "application/xml"}, text.encode()


class Connection(asyncio.Protocol):
    """One client's connection, kept open."""

    def __init__(self, bucket: Bucket, delay: float) -> None:
        self._bucket = bucket
        self._delay = delay
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request whose head is complete; none has a body."""
        self._read += data
        while b"\r\n\r\n" in self._read:
            request, _, self._read = self._read.partition(b"\r\n\r\n")
            method, target, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
            status, headers, body = self._bucket.answer(method, target)
            lines = [f"HTTP/1.1 {status} -", f"content-length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            answer = "\r\n".join([*lines, "", ""]).encode() + body
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def serve(bucket: Bucket, delay: float) -> None:
    """Serve on a free port of loopback until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(bucket, delay), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def bucket_server(
    folder: Path, name: str, heads: Mapping[str, Mapping[str, str]], milliseconds: float = 0
) -> Iterator[str]:
    """Serve a bucket from a process of its own, each answer held back for so long; give its URL."""
    file = folder / "bucket.json"
    file.write_text(json.dumps({"bucket": name, "objects": heads}))
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.static_s3", file, str(milliseconds)],
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


if __name__ == "__main__":
    file, milliseconds = sys.argv[1:]
    known = json.loads(Path(file).read_text())
    asyncio.run(
        serve(
            Bucket(known["bucket"], dict(sorted(known["objects"].items()))),
            float(milliseconds) / 1000,
        )
    )
