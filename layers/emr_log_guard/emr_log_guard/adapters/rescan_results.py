"""Amazon S3: what a re-scan plans, finds and remembers, in the reports bucket.

| key | |
|---|---|
| `rescans/<run>/shards.jsonl` | what is to be looked at, for the Distributed Map |
| `rescans/<run>/results/<part>.ndjson` | each cluster, and each log object that is not good |
| `rescans/<run>/done/<part>.json` | what came of a part of a shard |
| `rescans/<run>/failed/<shard>.json` | what a shard failed with |
| `rescans/<run>/report.json` | the report |
| `rescans/<run>/report.txt` | the report for people |
| `rescans/<run>/report.html` | the report for people, as a page |
| `memory/rescan.json` | what the last run leaves to the next |
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

import msgspec

from emr_log_guard.domain.rescan import RescanCheckpoint, Shard, ShardDone, ShardFailed
from emr_log_guard.rendering.reports.rescan_json import report_json
from emr_log_guard.rendering.reports.rescan_text import rescan_text
from emr_log_guard.usecases.bounded_map import bounded_map

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from emr_log_guard.domain.rescan_report import RescanReport

_MEMORY = "memory/rescan.json"
_RESCANS = "rescans"
THREADS = 10
"""How many results are read at once: as many as a client keeps connections. One after the other,
some 50,000 would take all of a function's 15 minutes, and a deep re-scan may have more."""


class S3RescanResults:
    """The reports bucket. Errors fly: the task is tried again."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Read and write through this client."""
        self._client = client
        self._bucket = bucket

    def plan(self, run: str, shards: Iterable[Shard]) -> str:
        """Write what is to be looked at; name the key for the state machine."""
        key = _shards(run)
        self._put(key, b"".join(msgspec.json.encode(shard) + b"\n" for shard in shards))
        return key

    def planned(self, run: str) -> tuple[Shard, ...]:
        """Read what was to be looked at."""
        lines = self._get(_shards(run)).splitlines()
        return tuple(msgspec.json.decode(line, type=Shard) for line in lines)

    @contextmanager
    def lines(self, run: str, part: str) -> Iterator[Callable[[object], None]]:
        """Give what writes a line of JSON; all are sent once the part was looked at."""
        with TemporaryFile() as file:

            def tell(said: object) -> None:
                file.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")

            yield tell
            file.seek(0)
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{_RESCANS}/{run}/results/{_named(part)}.ndjson",
                Body=file,
                ContentType="application/x-ndjson",
            )

    def done(self, run: str, part: str, done: ShardDone) -> None:
        """Write what came of a part of a shard."""
        self._put(f"{_RESCANS}/{run}/done/{_named(part)}.json", msgspec.json.encode(done))

    def failed(self, run: str, failed: ShardFailed) -> None:
        """Write down that a shard could not be looked at."""
        self._put(f"{_RESCANS}/{run}/failed/{failed.shard}.json", msgspec.json.encode(failed))

    def all_done(self, run: str) -> Iterator[ShardDone]:
        """Read what came of every part of a shard: a GetObject each."""
        for body in self._all(f"{_RESCANS}/{run}/done/"):
            yield msgspec.json.decode(body, type=ShardDone)

    def all_failed(self, run: str) -> Iterator[ShardFailed]:
        """Read which shards are known to have failed."""
        for body in self._all(f"{_RESCANS}/{run}/failed/"):
            yield msgspec.json.decode(body, type=ShardFailed)

    def place(self, run: str) -> str:
        """Name the place of a run's report, an S3 URI."""
        return f"s3://{self._bucket}/{_report(run)}"

    def report(self, report: "RescanReport") -> None:
        """Write the report, for people first: whoever sees the other one finds all three."""
        # Jinja would add a fifth of the floor to each start, and one function writes reports.
        from emr_log_guard.rendering.reports.rescan import rescan_html  # noqa: PLC0415

        run = report.rescan.name
        with TemporaryFile() as page:
            page.writelines(part.encode() for part in rescan_html(report))
            page.seek(0)
            self._put(f"{_RESCANS}/{run}/report.html", page, "text/html")
        self._put(f"{_RESCANS}/{run}/report.txt", rescan_text(report).encode(), "text/plain")
        text = json.dumps(report_json(report), indent=2, ensure_ascii=False)
        self._put(_report(run), text.encode())

    def recall(self) -> RescanCheckpoint:
        """Read what the last run left; nothing before the first."""
        try:
            return msgspec.json.decode(self._get(_MEMORY), type=RescanCheckpoint)
        except self._client.exceptions.NoSuchKey:
            return RescanCheckpoint()

    def remember(self, history: RescanCheckpoint) -> None:
        """Leave it to the next run."""
        self._put(_MEMORY, msgspec.json.encode(history))

    def _all(self, prefix: str) -> Iterator[bytes]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        keys = (listed["Key"] for page in pages for listed in page.get("Contents", ()))
        with ThreadPoolExecutor(THREADS, "result") as pool:
            yield from bounded_map(keys, self._get, pool, 2 * THREADS)

    def _get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def _put(self, key: str, body: bytes | IO[bytes], kind: str = "application/json") -> None:
        self._client.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType=f"{kind}; charset=utf-8"
        )


def _shards(run: str) -> str:
    return f"{_RESCANS}/{run}/shards.jsonl"


def _report(run: str) -> str:
    return f"{_RESCANS}/{run}/report.json"


def _named(part: str) -> str:
    """Name a part of a shard: the rest of one is named after a log object's key."""
    shard, rest, after = part.partition("/")
    return f"{shard}-{sha256(after.encode()).hexdigest()[:16]}" if rest else shard
