"""A plain server that answers as S3 does, from a table in memory: it lists, heads and re-encrypts.

Run it as `python -m benchmarks.static_s3 FILE MILLISECONDS`: FILE is JSON with a bucket's name and
its objects' headers by key.
"""

import json
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from benchmarks.plain_server import Request, response, serve, served

_PAGE = 1000
_AFTER = ("continuation-token", "marker", "start-after")
_XML = "http://s3.amazonaws.com/doc/2006-03-01/"
_ALGORITHM = "x-amz-server-side-encryption"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
_REGION = "us-east-1"
_MODIFIED = "2026-03-14T15:09:26.000Z"


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket that the server serves."""

    name: str
    objects: dict[str, dict[str, str]]
    """The headers of HEAD responses by key, in S3's order of keys."""
    keys: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Index the keys by their positions."""
        object.__setattr__(self, "keys", list(self.objects))

    def answer(self, request: Request) -> bytes:
        """Respond to a request."""
        url = urlsplit(request.target)
        _, _, key = url.path.lstrip("/").partition("/")
        query = parse_qs(url.query, keep_blank_values=True)
        if request.method == "HEAD" and not key:
            return response(200, {"x-amz-bucket-region": _REGION}, b"")
        if request.method == "HEAD":
            head = self.objects.get(unquote(key))
            return response(404, {}, b"") if head is None else response(200, head, b"")
        if request.method == "PUT":
            return self._re_encrypted(unquote(key), query, request)
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
            return response(404, {}, b"<Error><Code>NoSuchConfiguration</Code></Error>")
        return _document("Nothing", "")

    def _re_encrypted(self, key: str, query: dict[str, list[str]], request: Request) -> bytes:
        """Change the key of an object: in place, or by copying it onto itself."""
        in_place = "encryption" in query
        if in_place:
            found = re.search(rb"<KMSKeyArn>(.+?)</KMSKeyArn>", request.body)
            new = {_ALGORITHM: "aws:kms", _KEY: found[1].decode() if found else ""}
        else:
            new = {name: request.headers[name] for name in (_ALGORITHM, _KEY)}
        self.objects[key] = self.objects[key] | new
        if in_place:
            return response(200, {}, b"")
        return _document("CopyObjectResult", f"<LastModified>{_MODIFIED}</LastModified>")

    def _page(self, query: dict[str, list[str]]) -> bytes:
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


def _document(name: str, inner: str) -> bytes:
    text = f'<?xml version="1.0"?><{name} xmlns="{_XML}">{inner}</{name}>'
    return response(200, {"content-type": "application/xml"}, text.encode())


def bucket_server(
    folder: Path, name: str, heads: Mapping[str, Mapping[str, str]], milliseconds: float = 0
) -> AbstractContextManager[str]:
    """Serve a bucket from a separate process, with a delay for each response; return its URL."""
    file = folder / "bucket.json"
    file.write_text(json.dumps({"bucket": name, "objects": heads}))
    return served("benchmarks.static_s3", file, str(milliseconds))


if __name__ == "__main__":
    known = json.loads(Path(sys.argv[1]).read_text())
    bucket = Bucket(known["bucket"], dict(sorted(known["objects"].items())))
    serve(bucket.answer, float(sys.argv[2]))
