"""Re-encrypting log objects: in place, beside Cloud Custodian, which copies them."""

import json
import os
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks.contestants import Found, Ground, WrongResultError, custodian, objects_policy
from benchmarks.measuring import Runs
from benchmarks.page import Section
from benchmarks.stack import Stack
from benchmarks.static_s3 import bucket_server
from sandbox.fixtures import LOG_BUCKET, Fixtures

OBJECTS = 2_000
BEHIND = 20
"""The latency of S3, in milliseconds."""
BATCH = 200
"""How many messages the queue hands to the function at once."""
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
    copies, updates = list[Found](), list[dict[str, Any]]()
    for _ in range(rounds):
        copies.append(_copied(stack, key, heads))
        updates.append(_in_place(stack, key, heads))
    theirs, calls, requests = (
        Runs([each.run for each in copies]),
        copies[-1].calls,
        updates[-1]["requests"],
    )
    seconds = median(each["seconds"] for each in updates)
    rows = [
        [
            "Cloud Custodian",
            f"{theirs.seconds:.1f} s",
            f"{median(run.processor for run in theirs.runs):.1f} s",
            f"{OBJECTS / theirs.seconds:,.0f}",
            f"{theirs.megabytes:.0f} MB",
            f"{calls['s3.HeadObject']:,}",
            "0",
            f"{calls['s3.CopyObject']:,}",
        ],
        [
            "reencrypt",
            f"{seconds:.1f} s",
            f"{median(each['processor'] for each in updates):.1f} s",
            f"{OBJECTS / seconds:,.0f}",
            f"{median(each['megabytes'] for each in updates):.0f} MB",
            f"{requests['HEAD']:,}",
            f"{requests['PUT']:,}",
            "0",
        ],
    ]
    return Section(
        "Re-encryption",
        f"{OBJECTS:,} log objects of a cluster with a log key have SSE-S3 and get that key; S3 is "
        f"a plain server that responds after {BEHIND} ms. Custodian (`encrypt-keys`) copies each "
        "object onto itself: its date changes, an Object Created event is sent, and its data is "
        "written again. In a versioned bucket it changes no object that is encrypted. `reencrypt` "
        f"is one function that handles batches of {BATCH} messages, one after the other, and also "
        "evaluates each object again and records the results. HEAD requests are HeadObject, and a "
        "HeadBucket a batch. Targets: 150 objects a second on one processor, 3 times Custodian's, "
        "with two HeadObject and one UpdateObjectEncryption each. One invocation is "
        f"{theirs.seconds / seconds:.1f} times as fast as Custodian: its processor signs three "
        "requests an object, Custodian's two. On Lambda two invocations run at once. "
        f"Medians of {rounds}; the load of the machine was {load:.1f} before, and "
        f"{os.getloadavg()[0]:.1f} after.",
        ["", "time", "CPU time", "objects per second", "memory", "HEAD requests",
         "UpdateObjectEncryption", "CopyObject"],
        rows,
    )  # fmt: skip


def _copied(stack: Stack, key: str, heads: Mapping[str, Mapping[str, str]]) -> Found:
    with bucket_server(stack.folder, LOG_BUCKET, heads, BEHIND) as s3:
        at = Ground(stack.account, stack.folder, s3)
        found = custodian(at, objects_policy(key, report_only=False))
        _demand_none_left(at, key)
    if found.bad != OBJECTS:
        message = f"Custodian re-encrypted {found.bad}"
        raise WrongResultError(message)
    return found


def _in_place(stack: Stack, key: str, heads: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    bodies = [
        json.dumps({"schema": "emr-log-guard/reencryption/1", "bucket": LOG_BUCKET, "key": each})
        for each in heads
    ]
    file = stack.folder / "bodies.json"
    file.write_text(json.dumps(bodies))
    with bucket_server(stack.folder, LOG_BUCKET, heads, BEHIND) as s3:
        _, result = stack.run(
            "ReencryptFunction",
            "reencrypt",
            f"{BATCH}",
            str(file),
            settings={"AWS_ENDPOINT_URL_S3": s3},
        )
        _demand_none_left(Ground(stack.account, stack.folder, s3), key)
    if result["failed"]:
        message = f"reencrypt left {result['failed']} messages"
        raise WrongResultError(message)
    return result


def _demand_none_left(at: Ground, key: str) -> None:
    """Require that all objects have the key."""
    if left := custodian(at, objects_policy(key)).bad:
        message = f"{left} objects do not have the key"
        raise WrongResultError(message)
