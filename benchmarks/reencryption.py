"""Re-encrypting log objects: in place, beside Cloud Custodian, which copies them."""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from benchmarks.contestants import Found, Ground, WrongResultError, custodian, objects_policy
from benchmarks.measuring import Runs
from benchmarks.page import Section
from benchmarks.stack import Stack, deployed_with_defaults
from benchmarks.static_s3 import bucket_server
from sandbox import EmrPace
from sandbox.fixtures import LOG_BUCKET, Fixtures
from sandbox.polling import wait_for
from sandbox.quotas import DEFAULT_QUOTAS

OBJECTS = 2_000
BEHIND = 20
"""The latency of S3, in milliseconds."""
BATCH = 200
"""How many messages the queue hands to the function at once."""
AT_ONCE = 2
"""How many invocations the queue's mapping allows at once."""
HEADS = ("s3:HeadObject", "s3:HeadBucket")
STALE = 60
"""Seconds for which functions may keep an older policy."""
QUIET = 5
"""Seconds between two log objects."""
ON_THE_WAY = ("CheckLogObjectsFunction", "ReencryptFunction")
POLICY = {"mode": "alert", "reencryption": {"enabled": True}}


def log_objects(stack: Stack, rounds: int) -> Section:
    """Re-encrypt log objects with SSE-S3, each contestant the same ones."""
    stack.disable_rules()
    stack.account.client("ssm").put_parameter(
        Name=stack.account.outputs()["PolicyParameterName"],
        Value=json.dumps(POLICY),
        Overwrite=True,
    )
    fixtures = Fixtures(stack.account)
    key = fixtures.make_key(f"reencryption-{time.monotonic_ns()}")
    cluster = fixtures.launch("reencryption", LogEncryptionKmsKeyId=key)
    heads = {
        f"clusters/{cluster}/node/i-{place:07}/daemon.gz": {
            "x-amz-server-side-encryption": "AES256"
        }
        for place in range(OBJECTS)
    }
    load = os.getloadavg()[0]
    copies = list[Found]()
    updates: dict[int, list[_Updates]] = {1: [], AT_ONCE: []}
    for _ in range(rounds):
        copies.append(_copied(stack, key, heads))
        for invocations, runs in updates.items():
            runs.append(_in_place(stack, key, heads, invocations))
    theirs, calls = Runs([each.run for each in copies]), copies[-1].calls
    rows = [
        [
            "Cloud Custodian",
            f"{theirs.seconds:.1f} s",
            f"{median(run.processor for run in theirs.runs):.1f} s",
            f"{OBJECTS / theirs.seconds:,.0f}",
            "1",
            f"{theirs.megabytes:.0f} MB",
            f"{calls['s3.HeadObject']:,}",
            "0",
            f"{calls['s3.CopyObject']:,}",
        ]
    ]
    for invocations, runs in updates.items():
        seconds = median(each.seconds for each in runs)
        rows.append(
            [
                "reencrypt" if invocations == 1 else f"reencrypt, {invocations} at once",
                f"{seconds:.1f} s",
                f"{median(each.processor for each in runs):.1f} s",
                f"{OBJECTS / seconds:,.0f}",
                f"{theirs.seconds / seconds:.1f}",
                f"{median(each.megabytes for each in runs):.0f} MB",
                f"{sum(runs[-1].requests[each] for each in HEADS):,}",
                f"{runs[-1].requests['s3:UpdateObjectEncryption']:,}",
                "0",
            ]
        )
    rows.append(["target", "", "", "150", "3", "", f"{2 * OBJECTS:,}", f"{OBJECTS:,}", "0"])
    return Section(
        "Re-encryption",
        f"{OBJECTS:,} log objects of a cluster with a log key have SSE-S3 and get that key; S3 is "
        f"a plain server that responds after {BEHIND} ms. Custodian (`encrypt-keys`) copies each "
        "object onto itself: its date changes, an Object Created event is sent, and its data is "
        "written again. In a versioned bucket it changes no object that is encrypted. `reencrypt` "
        f"is one function that handles batches of {BATCH} messages, one after the other, and also "
        "evaluates each object again and records the results. HEAD requests are HeadObject, and a "
        "HeadBucket a batch. An invocation is bound by its processor: each of the three requests "
        "an object (Custodian makes two) costs botocore about 0.9 ms, while evaluation and records "
        "cost 0.15 ms an object. Neither other numbers of threads nor botocore's settings for "
        "retries, checksums and validation change that: one invocation is not 3 times as fast. "
        f"The deployed stack has up to {AT_ONCE} at once; here they share the machine with the "
        f"server. The peak memory was {updates[1][-1].of_first_batch:.0f} MB after one batch, "
        f"and {updates[1][-1].megabytes:.0f} MB after all. "
        f"Medians of {rounds}; the load of the machine was {load:.1f} before, and "
        f"{os.getloadavg()[0]:.1f} after.",
        ["", "time", "CPU time", "objects per second", "speed-up", "memory of each",
         "HEAD requests", "UpdateObjectEncryption", "CopyObject"],
        rows,
    )  # fmt: skip


def quiet(rounds: int) -> Section:
    """Write one log object after the other, each in a quiet account."""
    pace = EmrPace(1, 24 * 3600, 1)
    with deployed_with_defaults(pace, DEFAULT_QUOTAS, ReencryptionAllowed="true") as stack:
        fixtures = Fixtures(stack.account)
        fixtures.make_log_bucket()
        key = fixtures.make_key("emr-logs")
        policy = {"mode": "alert", "reencryption": {"enabled": True, "default_key": key}}
        stack.account.client("ssm").put_parameter(
            Name=stack.account.outputs()["PolicyParameterName"],
            Value=json.dumps(policy),
            Overwrite=True,
        )
        cluster = fixtures.launch("streaming")
        time.sleep(STALE)
        one = partial(_one, stack, fixtures, cluster, key)
        one("first.gz")
        warm = [one(f"warm-{place}.gz") for place in range(rounds)]
        cold = []
        for place in range(rounds):
            for function in ON_THE_WAY:
                stack.account.start_cold(stack.resource(function))
            cold.append(one(f"cold-{place}.gz"))
    return Section(
        "Re-encryption of one log object",
        "One log object with SSE-S3 of a running cluster without a log key, in an otherwise quiet "
        "account, with the stack's default parameters: the time from the response to PutObject, "
        "which sends Object Created, until HeadObject finds `default_key`. Up to 5 s of it the "
        "queue of log objects waits for more of them, and up to 1 s that of re-encryptions. On "
        "Lambda, a function that was idle for long starts cold. The load of the machine was "
        f"{os.getloadavg()[0]:.1f} at the end.",
        ["functions", "log objects", "time until re-encrypted, median", "last", "target"],
        [
            [case, f"{len(times)}", f"{median(times):.1f} s", f"{max(times):.1f} s", "median 10 s"]
            for case, times in (("warm", warm), ("cold", cold))
        ],
    )


def _one(stack: Stack, fixtures: Fixtures, cluster: str, key: str, name: str) -> float:
    """Write a log object; return the seconds until it has the key."""
    s3 = stack.account.client("s3")
    log = fixtures.write_log(cluster, f"node/i-1/{name}", {})
    written = time.monotonic()
    wait_for(
        lambda: s3.head_object(Bucket=LOG_BUCKET, Key=log).get("SSEKMSKeyId") == key, seconds=120
    )
    took = time.monotonic() - written
    time.sleep(QUIET)
    return took


def _copied(stack: Stack, key: str, heads: Mapping[str, Mapping[str, str]]) -> Found:
    with bucket_server(stack.folder, LOG_BUCKET, heads, BEHIND) as s3:
        at = Ground(stack.account, stack.folder, s3)
        found = custodian(at, objects_policy(key, report_only=False))
        _demand_none_left(at, key)
    if found.bad != OBJECTS:
        message = f"Custodian re-encrypted {found.bad}"
        raise WrongResultError(message)
    return found


@dataclass(frozen=True, slots=True)
class _Updates:
    """What invocations took to re-encrypt the objects."""

    seconds: float
    """From the first one's begin to the last one's end, without the start of the processes."""
    processor: float
    """CPU time of all, in seconds."""
    megabytes: float
    """The peak memory of the largest."""
    of_first_batch: float
    """The same after its first batch."""
    requests: Counter[str]


def _in_place(
    stack: Stack, key: str, heads: Mapping[str, Mapping[str, str]], invocations: int
) -> _Updates:
    """Re-encrypt the objects, an equal part in each of so many invocations at once."""
    bodies = [
        json.dumps({"schema": "emr-log-guard/reencryption/1", "bucket": LOG_BUCKET, "key": each})
        for each in heads
    ]
    with bucket_server(stack.folder, LOG_BUCKET, heads, BEHIND) as s3:

        def invoke(part: int) -> dict[str, Any]:
            file = stack.folder / f"bodies-{part}.json"
            file.write_text(json.dumps(bodies[part::invocations]))
            settings = {"AWS_ENDPOINT_URL_S3": s3}
            arguments = (f"{BATCH}", str(file))
            return stack.run("ReencryptFunction", "reencrypt", *arguments, settings=settings)[1]

        with ThreadPoolExecutor(invocations) as pool:
            results = list(pool.map(invoke, range(invocations)))
        _demand_none_left(Ground(stack.account, stack.folder, s3), key)
    if failed := sum(each["failed"] for each in results):
        message = f"reencrypt left {failed} messages"
        raise WrongResultError(message)
    return _Updates(
        max(each["ended"] for each in results) - min(each["begun"] for each in results),
        sum(each["processor"] for each in results),
        max(each["megabytes"] for each in results),
        max(each["megabytes_of_first_batch"] for each in results),
        sum((Counter(each["requests"]) for each in results), Counter()),
    )


def _demand_none_left(at: Ground, key: str) -> None:
    """Require that all objects have the key."""
    if left := custodian(at, objects_policy(key)).bad:
        message = f"{left} objects do not have the key"
        raise WrongResultError(message)
