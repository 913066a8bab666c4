"""The plain server that has an account's answers: it gives them as the account did."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_connection
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.recorded_account import recorded

if TYPE_CHECKING:
    from types_boto3_emr import EMRClient
    from types_boto3_emr.literals import ClusterStateType

CLUSTERS = [f"j-{number:04}" for number in range(120)]
PAGE = 50
DESCRIBE = "ElasticMapReduce.DescribeCluster"


@dataclass
class Account:
    """An account that lists and describes clusters, and knows how often it was asked."""

    running: ExitStack
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    broken: bool = False

    def answer(self, target: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked[target.partition(".")[2]] += 1
        if self.broken:
            return 500, {"__type": "InternalFailure"}
        if target == "ElasticMapReduce.ListClusters":
            first = int(asked.get("Marker", 0))
            found = CLUSTERS if "RUNNING" in asked["ClusterStates"] else []
            page = [{"Id": each} for each in found[first : first + PAGE]]
            more = {"Marker": str(first + PAGE)} if found[first + PAGE :] else {}
            return 200, {"Clusters": page} | more
        if asked["ClusterId"] not in CLUSTERS:
            return 400, {"__type": "InvalidRequestException", "message": "no such cluster"}
        return 200, {"Cluster": {"Id": asked["ClusterId"], "Name": "nightly-etl"}}

    def stop(self) -> None:
        self.running.close()


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on loopback; yield the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def account() -> Iterator[Account]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = running.answer(self.headers["X-Amz-Target"], json.loads(body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def do_HEAD(self) -> None:
            running.asked["HeadObject"] += 1
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.send_header("X-Amz-Server-Side-Encryption", "AES256")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ExitStack() as stack:
        running = Account(stack)
        running.url = stack.enter_context(served(Answering))
        yield running


def a_client(service: str, url: str, region: str = "us-east-1") -> Any:  # noqa: ANN401 - of any service
    make: Any = boto3.client
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return make(service, endpoint_url=url, region_name=region, config=config)


@pytest.fixture
def server(account: Account) -> Iterator[str]:
    with recorded(account.url) as url:
        yield url


@pytest.fixture
def emr(server: str) -> "EMRClient":
    client: EMRClient = a_client("emr", server)
    return client


def listed(emr: "EMRClient", *states: "ClusterStateType") -> list[str]:
    pages = emr.get_paginator("list_clusters").paginate(ClusterStates=states)
    return [each["Id"] for page in pages for each in page["Clusters"]]


def test_recorded_answers_are_replayed_without_the_account(
    account: Account, emr: "EMRClient"
) -> None:
    def ask() -> list[str]:
        assert listed(emr, "RUNNING") == CLUSTERS
        assert listed(emr, "WAITING") == []
        return [emr.describe_cluster(ClusterId=each)["Cluster"]["Id"] for each in CLUSTERS]

    assert ask() == CLUSTERS
    account.stop()
    assert ask() == CLUSTERS

    assert account.asked == {"ListClusters": 4, "DescribeCluster": len(CLUSTERS)}


def test_client_error_is_recorded(account: Account, emr: "EMRClient") -> None:
    for _ in range(2):
        with pytest.raises(emr.exceptions.InvalidRequestException, match="no such cluster"):
            emr.describe_cluster(ClusterId="j-NONE")
        account.stop()


def test_server_error_is_not_recorded(account: Account, emr: "EMRClient") -> None:
    account.broken = True
    with pytest.raises(ClientError, match="InternalFailure"):
        emr.describe_cluster(ClusterId=CLUSTERS[0])

    account.broken = False

    assert emr.describe_cluster(ClusterId=CLUSTERS[0])["Cluster"]["Id"] == CLUSTERS[0]


def test_unrecorded_call_fails_without_the_account(
    account: Account,
    emr: "EMRClient",
) -> None:
    emr.describe_cluster(ClusterId=CLUSTERS[0])
    account.stop()

    with pytest.raises(ClientError, match="502"):
        emr.describe_cluster(ClusterId=CLUSTERS[1])


def test_equal_calls_to_two_regions_are_recorded_separately(account: Account, server: str) -> None:
    for region in ("us-east-1", "eu-west-1"):
        a_client("emr", server, region).describe_cluster(ClusterId=CLUSTERS[0])

    assert account.asked["DescribeCluster"] == 2


def test_recorded_head_object_has_a_length_and_no_body(account: Account, server: str) -> None:
    s3 = a_client("s3", server)

    for _ in range(2):
        head = s3.head_object(Bucket="logs", Key="daemon.gz")
        assert (head["ContentLength"], head["ServerSideEncryption"]) == (7, "AES256")

    assert account.asked == {"HeadObject": 1}


def test_requests_may_arrive_in_parts_and_pipelined(account: Account, server: str) -> None:
    body = json.dumps({"ClusterId": CLUSTERS[0]}).encode()
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: {DESCRIBE}\r\nContent-Length: {len(body)}\r\n\r\n"
    sent = (head.encode() + body) * 2
    where = urlsplit(server)

    with create_connection((where.hostname, where.port), timeout=10) as connection:
        for piece in (sent[:30], sent[30 : len(head) + 5], sent[len(head) + 5 :]):
            connection.sendall(piece)
            sleep(0.02)
        read = b""
        while read.count(b"nightly-etl") < 2:
            received = connection.recv(65536)
            assert received, read
            read += received

    assert read.count(b"HTTP/1.1 200 ") == 2
    assert account.asked == {"DescribeCluster": 1}
