"""What a re-scan costs: calls for known clusters, log objects a second of one shard, memory."""

import json
import time
from datetime import UTC, datetime

from benchmarks.contestants import CLUSTERS, Ground, WrongResultError, custodian
from benchmarks.page import Section
from benchmarks.seed import KEYS
from benchmarks.stack import Stack
from benchmarks.static_s3 import bucket_server
from sandbox.estate import LOG_BUCKET, Estate

KNOWN = 200
BEHIND = 20
"""Milliseconds that S3 takes for an answer, in the runs that compare numbers of threads."""
SIZES = (10_000, 100_000, 1_000_000)
POLL = 0.2


def known_clusters(stack: Stack) -> Section:
    """Re-scan clusters twice: the second time they are known."""
    estate = Estate(stack.account)
    roles = estate.make_roles("Rescan")
    keys = [estate.make_key(f"known-{place}") for place in range(KEYS)]
    for place in range(KNOWN):
        estate.launch(f"known-{place:03}", LogEncryptionKmsKeyId=keys[place % KEYS], **roles)
    first, second = (_rescan(stack) for _ in range(2))
    theirs = custodian(Ground(stack.account, stack.folder), CLUSTERS)
    return Section(
        "The same clusters again",
        f"A deployed stack re-scans {KNOWN} compliant clusters under {KEYS} keys, twice, while "
        "nothing changes. "
        "Known clusters cost one ListClusters per 50 and one DescribeKey per key (a test asserts "
        "it); "
        "whatever is new or not compliant is described.",
        ["run", "clusters", "described"],
        [
            ["first", f"{first['clusters']}", f"{first['described']}"],
            ["second", f"{second['clusters']}", f"{second['described']}"],
            ["Cloud Custodian, each run", "", f"{theirs.calls.get('emr.DescribeCluster', 0)}"],
        ],
    )


def throughput(stack: Stack) -> Section:
    """Log objects a second of one `scan_shard`, by threads."""
    cluster, heads = _logs(stack, 5_000)
    rows = []
    for milliseconds, threads in ((0, 64), (BEHIND, 1), (BEHIND, 8), (BEHIND, 64)):
        number = 500 if threads == 1 else len(heads)
        some = dict(list(heads.items())[:number])
        with bucket_server(stack.folder, LOG_BUCKET, some, milliseconds) as s3:
            told = _scan(stack, cluster, number, threads, s3)
        each = told["processor"] / number
        rows.append(
            [
                f"{milliseconds} ms",
                f"{threads}",
                f"{number / told['seconds']:,.0f}",
                f"{each * 1e6:,.0f} µs",
                f"{1 / each:,.0f}",
            ]
        )
    return Section(
        "Log objects a second of one scan_shard",
        "The function's own code from its built layers, against a plain server that shares the "
        "machine's processors. "
        "The function has 64 threads. On Lambda a processor comes with 1,769 MB of memory, which "
        "is what it is given; "
        "with less memory it gets that much less of a processor, and the last column shrinks "
        "alike.",
        [
            "S3 answers after",
            "threads",
            "objects a second",
            "processor an object",
            "at one whole processor",
        ],
        rows,
    )


def memory(stack: Stack) -> Section:
    """Peak memory of a shard as its objects grow in number."""
    rows = []
    for number in SIZES:
        cluster, heads = _logs(stack, number)
        with bucket_server(stack.folder, LOG_BUCKET, heads) as s3:
            told = _scan(stack, cluster, number, 64, s3)
        rows.append(
            [f"{number:,}", f"{told['megabytes']:.0f} MB", f"{number / told['seconds']:,.0f}"]
        )
    return Section(
        "Memory of one scan_shard",
        "What is listed is read and judged as it comes. The most memory that the process held, "
        "interpreter and layers "
        "included; every hundredth log is wrong.",
        ["log objects", "memory", "objects a second"],
        rows,
    )


def _logs(stack: Stack, number: int) -> tuple[str, dict[str, dict[str, str]]]:
    estate = Estate(stack.account)
    key = estate.make_key(f"shard-{time.monotonic_ns()}")
    cluster = estate.launch(f"shard-{number}", LogEncryptionKmsKeyId=key)
    good = {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": key,
    }
    wrong = {"x-amz-server-side-encryption": "AES256"}
    return cluster, {
        f"clusters/{cluster}/node/i-{place:07}/daemon.gz": good if place % 100 else wrong
        for place in range(number)
    }


def _scan(stack: Stack, cluster: str, number: int, threads: int, s3: str) -> dict[str, float]:
    task = {
        "rescan": {
            "execution": "arn:aws:states:us-east-1:111122223333:execution:rescan:benchmark",
            "started": datetime.now(UTC).isoformat(),
            "scope": "log_objects",
        },
        "shard": {
            "id": "0",
            "folder": {
                "cluster_id": cluster,
                "bucket": LOG_BUCKET,
                "prefix": f"clusters/{cluster}/",
            },
        },
    }
    _, told = stack.run(
        "ScanShardFunction",
        "scan",
        str(threads),
        json.dumps(task),
        settings={"AWS_ENDPOINT_URL_S3": s3},
    )
    wrong = -(-number // 100)
    expected = {"COMPLIANT": number - wrong, "NON_COMPLIANT": wrong}
    if not told["next_after"] and told["log_objects"] != expected:
        message = f"scan_shard counted {told['log_objects']}, and there are {expected}"
        raise WrongResultError(message)
    return told


def _rescan(stack: Stack) -> dict[str, int]:
    states = stack.account.client("stepfunctions")
    execution = states.start_execution(
        stateMachineArn=stack.account.outputs()["RescanStateMachineArn"],
        input=json.dumps({"scope": "clusters"}),
    )["executionArn"]
    while (end := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(POLL)
    if end["status"] != "SUCCEEDED":
        raise WrongResultError(str(end))
    bucket, _, key = json.loads(end["output"])["report"].removeprefix("s3://").partition("/")
    body = stack.account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    counts = json.loads(body)["counts"]
    return {"clusters": sum(counts["clusters"].values()), "described": counts["clusters_described"]}
