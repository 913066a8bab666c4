"""The cost of a re-scan: calls for known clusters, log objects per second of a shard, memory."""

import json
import time
from collections import Counter
from datetime import UTC, datetime

from benchmarks.contestants import CLUSTERS, Ground, WrongResultError, custodian
from benchmarks.page import Section
from benchmarks.seed import KEYS, seed_clusters
from benchmarks.stack import Stack, deployed
from benchmarks.static_s3 import bucket_server
from sandbox.fixtures import LOG_BUCKET, Fixtures

KNOWN = 200
PAGE = 50
"""The number of clusters per ListClusters page."""
SETTLED = 5
"""After this many seconds, every launched cluster is running."""
ASKED = ("ElasticMapReduce", "TrentService")
"""EMR and KMS, as their protocol names them."""
CUSTODIANS_EMR = "elasticmapreduce."
"""The prefix of EMR calls in Custodian's statistics."""
COUNTED = ("ListClusters", "DescribeCluster", "DescribeKey")
BEHIND = 20
"""The latency of S3, in milliseconds, in the runs that compare numbers of threads."""
SIZES = (10_000, 100_000, 1_000_000)
POLL = 0.2


def known_clusters() -> Section:
    """Re-scan clusters twice: the second time, they are known."""
    with deployed() as stack:
        stack.disable_rules()
        bad = seed_clusters(stack.account, KNOWN)
        time.sleep(SETTLED)
        first, second = (_rescan(stack) for _ in range(2))
        theirs = custodian(Ground(stack.account, stack.folder), CLUSTERS)
    pages = -(-KNOWN // PAGE)
    if (second["ListClusters"], second["DescribeCluster"]) != (pages, bad):
        message = f"re-scan of {KNOWN} known clusters, {bad} non-compliant, made {dict(second)}"
        raise WrongResultError(message)
    custodians = Counter(
        {
            name.removeprefix(CUSTODIANS_EMR): count
            for name, count in theirs.calls.items()
            if name.startswith(CUSTODIANS_EMR)
        }
    )
    if not custodians["DescribeCluster"]:
        message = f"Custodian described no cluster: {dict(theirs.calls)}"
        raise WrongResultError(message)
    runs = {
        "first re-scan": first,
        "second re-scan": second,
        "Cloud Custodian, each run": custodians,
    }
    return Section(
        "Re-scans of known clusters",
        f"A deployed stack that receives no events re-scans {KNOWN} clusters twice, {bad} of them "
        f"non-compliant, with {KEYS} customer-managed keys and an AWS-managed one, while "
        "nothing changes. A known compliant cluster costs a part of a ListClusters and, once "
        "per key, a DescribeKey; a non-compliant one is described again, to detect its "
        "termination. Calls to EMR and KMS, as counted by the account.",
        ["run", *COUNTED, "others"],
        [
            [name, *(f"{calls[each]}" for each in COUNTED), f"{_others(calls)}"]
            for name, calls in runs.items()
        ],
    )


def throughput(stack: Stack) -> Section:
    """Log objects per second of one `scan_shard`, by the number of threads."""
    cluster, heads = _logs(stack, 5_000)
    rows = []
    for milliseconds, threads in ((0, 64), (BEHIND, 1), (BEHIND, 8), (BEHIND, 64)):
        number = 500 if threads == 1 else len(heads)
        some = dict(list(heads.items())[:number])
        with bucket_server(stack.folder, LOG_BUCKET, some, milliseconds) as s3:
            result = _scan(stack, cluster, number, threads, s3)
        each = result["processor"] / number
        rows.append(
            [
                f"{milliseconds} ms",
                f"{threads}",
                f"{number / result['seconds']:,.0f}",
                f"{each * 1e6:,.0f} µs",
                f"{1 / each:,.0f}",
            ]
        )
    return Section(
        "Log objects per second of one scan_shard",
        "The function's own code from its built layers, against a plain server that shares the "
        "machine's processors. "
        "The function has 64 threads. Its 1,769 MB of memory give it one processor on Lambda; "
        "with less memory its share of a processor shrinks, and the last column "
        "in proportion.",
        [
            "S3 latency",
            "threads",
            "objects per second",
            "CPU time per object",
            "per second of CPU time",
        ],
        rows,
    )


def history(stack: Stack) -> Section:
    """Peak memory of a shard, by the number of objects."""
    rows = []
    for number in SIZES:
        cluster, heads = _logs(stack, number)
        with bucket_server(stack.folder, LOG_BUCKET, heads) as s3:
            result = _scan(stack, cluster, number, 64, s3)
        rows.append([f"{number:,}", f"{result['megabytes']:.0f} MB"])
    return Section(
        "Memory of one scan_shard",
        "Objects are evaluated while they are listed. Peak memory of the process, including "
        "interpreter and layers; every hundredth log is non-compliant.",
        ["log objects", "memory"],
        rows,
    )


def _logs(stack: Stack, number: int) -> tuple[str, dict[str, dict[str, str]]]:
    fixtures = Fixtures(stack.account)
    key = fixtures.make_key(f"shard-{time.monotonic_ns()}")
    cluster = fixtures.launch(f"shard-{number}", LogEncryptionKmsKeyId=key)
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
    _, result = stack.run(
        "ScanShardFunction",
        "scan",
        str(threads),
        json.dumps(task),
        settings={"AWS_ENDPOINT_URL_S3": s3},
    )
    wrong = -(-number // 100)
    expected = {"COMPLIANT": number - wrong, "NON_COMPLIANT": wrong}
    if result["log_objects"] != expected:
        message = f"scan_shard counted {result['log_objects']}, but there are {expected}"
        raise WrongResultError(message)
    return result


def _rescan(stack: Stack) -> Counter[str]:
    """Re-scan all clusters; count the calls to EMR and KMS."""
    before = stack.calls()
    states = stack.account.client("stepfunctions")
    execution = states.start_execution(
        stateMachineArn=stack.account.outputs()["RescanStateMachineArn"],
        input=json.dumps({"scope": "clusters"}),
    )["executionArn"]
    while (end := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(POLL)
    if end["status"] != "SUCCEEDED":
        raise WrongResultError(str(end))
    calls: Counter[str] = Counter()
    for target, count in (stack.calls() - before).items():
        service, _, name = target.partition(".")
        if service in ASKED:
            calls[name] += count
    return calls


def _others(calls: Counter[str]) -> int:
    return calls.total() - sum(calls[each] for each in COUNTED)
