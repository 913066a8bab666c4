"""Amazon S3: plan, results and checkpoint of re-scans, in the reports bucket.

| key | |
|---|---|
| `rescans/<run>/shards/<kind>.jsonl` | the planned shards, for the Distributed Map |
| `rescans/<run>/results/<part>.ndjson` | each cluster, and each log object that is not compliant |
| `rescans/<run>/done/<part>.json` | the result of a part of a shard |
| `rescans/<run>/failed/<shard>.json` | the error of a shard |
| `rescans/<run>/report.json` | the report |
| `rescans/<run>/report.txt` | the report as text |
| `rescans/<run>/report.html` | the report as HTML |
| `rescans/<run>/reencryption.json` | what a dry run would re-encrypt |
| `memory/rescan.json` | the checkpoint for the next run |
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

import msgspec

from emr_log_guard.domain.rescan import RescanCheckpoint, Shard, ShardDone, ShardFailed, ShardKind
from emr_log_guard.rendering.reports.rescan import rescan_html
from emr_log_guard.rendering.reports.rescan_json import report_json
from emr_log_guard.rendering.reports.rescan_text import rescan_text
from emr_log_guard.usecases.bounded_map import bounded_map

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from emr_log_guard.domain.reencryption_plan import ReencryptionPlan
    from emr_log_guard.domain.rescan_report import RescanReport

_CHECKPOINT = "memory/rescan.json"
_RESCANS = "rescans"
THREADS = 10
"""How many results are read concurrently: the size of a client's connection pool. Sequentially,
some 50,000 would take all of a function's 15 minutes, and a deep re-scan may have more."""


class S3RescanResults:
    """The reports bucket. Errors propagate: the task is retried."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Read and write through this client."""
        self._client = client
        self._bucket = bucket

    def plan(self, run: str, kind: ShardKind, shards: Iterable[Shard]) -> str:
        """Write the planned shards of one kind; return the key for the state machine."""
        key = _shards(run, kind)
        self._put(key, b"".join(msgspec.json.encode(shard) + b"\n" for shard in shards))
        return key

    def planned(self, run: str) -> tuple[Shard, ...]:
        """Read the planned shards."""
        lines = (line for kind in ShardKind for line in self._get(_shards(run, kind)).splitlines())
        return tuple(msgspec.json.decode(line, type=Shard) for line in lines)

    @contextmanager
    def lines(self, run: str, part: str) -> Iterator[Callable[[object], None]]:
        """Return a function that writes a line of JSON; all are uploaded when the block ends."""
        with TemporaryFile() as file:

            def write_line(line: object) -> None:
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

            yield write_line
            file.seek(0)
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{_RESCANS}/{run}/results/{_named(part)}.ndjson",
                Body=file,
                ContentType="application/x-ndjson",
            )

    def done(self, run: str, part: str, done: ShardDone) -> None:
        """Write the result of a part of a shard."""
        self._put(f"{_RESCANS}/{run}/done/{_named(part)}.json", msgspec.json.encode(done))

    def failed(self, run: str, failed: ShardFailed) -> None:
        """Record that a shard failed."""
        self._put(f"{_RESCANS}/{run}/failed/{failed.shard}.json", msgspec.json.encode(failed))

    def all_done(self, run: str) -> Iterator[ShardDone]:
        """Read the results of all parts of shards: a GetObject each."""
        for body in self._all(f"{_RESCANS}/{run}/done/"):
            yield msgspec.json.decode(body, type=ShardDone)

    def all_failed(self, run: str) -> Iterator[ShardFailed]:
        """Read which shards failed."""
        for body in self._all(f"{_RESCANS}/{run}/failed/"):
            yield msgspec.json.decode(body, type=ShardFailed)

    def place(self, run: str) -> str:
        """Return the S3 URI of a run's report."""
        return f"s3://{self._bucket}/{_report(run)}"

    def report(self, report: "RescanReport") -> None:
        """Write the reports, JSON last: when it exists, the others do, too."""
        run = report.rescan.name
        with TemporaryFile() as page:
            page.writelines(part.encode() for part in rescan_html(report))
            page.seek(0)
            self._put(f"{_RESCANS}/{run}/report.html", page, "text/html")
        self._put(f"{_RESCANS}/{run}/report.txt", rescan_text(report).encode(), "text/plain")
        text = json.dumps(report_json(report), indent=2, ensure_ascii=False)
        self._put(_report(run), text.encode())

    def write_plan(self, run: str, plan: "ReencryptionPlan") -> None:
        """Write what a dry run found, as RescanRuns reads it."""
        self._put(f"{_RESCANS}/{run}/reencryption.json", msgspec.json.encode(plan))

    def checkpoint(self) -> RescanCheckpoint:
        """Read the checkpoint of the last run; empty before the first."""
        try:
            return msgspec.json.decode(self._get(_CHECKPOINT), type=RescanCheckpoint)
        except self._client.exceptions.NoSuchKey:
            return RescanCheckpoint()

    def write_checkpoint(self, history: RescanCheckpoint) -> None:
        """Store the checkpoint for the next run."""
        self._put(_CHECKPOINT, msgspec.json.encode(history))

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


def _shards(run: str, kind: ShardKind) -> str:
    return f"{_RESCANS}/{run}/shards/{kind}.jsonl"


def _report(run: str) -> str:
    return f"{_RESCANS}/{run}/report.json"


def _named(part: str) -> str:
    """Return the name of a part; the rest of a shard is named after a log object's key."""
    shard, rest, after = part.partition("/")
    return f"{shard}-{sha256(after.encode()).hexdigest()[:16]}" if rest else shard
