"""A plain server that answers what both contestants ask S3, from a table in memory.

The emulated account takes some 3 ms for each HeadObject, more than either client does, and so would
measure itself. Run as `python -m benchmarks.static_s3 FILE`: FILE is JSON, a bucket's name and its
objects' headers by key. It prints its port, and ends when its standard input does.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 1000
_XML = "http://s3.amazonaws.com/doc/2006-03-01/"
_MODIFIED = "2026-03-14T15:09:26.000Z"


@dataclass(frozen=True, slots=True)
class Bucket:
    """What the server knows."""

    name: str
    objects: dict[str, dict[str, str]]
    """Headers of a HEAD, by key."""

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
        after = (query.get("continuation-token") or query.get("marker") or [""])[0]
        keys = [k for k in self.objects if k.startswith(prefix) and k > after]
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


if __name__ == "__main__":
    file, milliseconds = sys.argv[1:]
    known = json.loads(Path(file).read_text())
    asyncio.run(
        serve(
            Bucket(known["bucket"], dict(sorted(known["objects"].items()))),
            float(milliseconds) / 1000,
        )
    )
