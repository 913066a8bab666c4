import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.config import Config

from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.pace import Pace, Paces
from emr_log_guard.adapters.quick_calls import QuickCalls
from emr_log_guard.adapters.quick_way import Authorities, KeptConnections
from emr_log_guard.domain.clusters import Cluster, Step, StepState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import AuditStoppedError, ClusterNotFoundError
from tests.unit.adapters.loopback import (
    CREDENTIALS,
    DROP,
    a_certificate,
    answering,
    is_signed,
    served,
)
from tests.unit.builders import KEY, REGION

FIRST, SECOND = "j-1FIRST", "j-2SECOND"
ARN = f"arn:aws:elasticmapreduce:{REGION}:111122223333:cluster"
DESCRIBE, STEPS = "ElasticMapReduce.DescribeCluster", "ElasticMapReduce.ListSteps"


def a_cluster(cluster_id: str) -> Cluster:
    return Cluster(
        id=cluster_id,
        arn=f"{ARN}/{cluster_id}",
        name="nightly-etl",
        state="RUNNING",
        log_key_identifier=KEY.arn,
    )


def described(cluster_id: str) -> dict[str, Any]:
    """Answer as EMR does; what is not set may be null, at any depth."""
    return {
        "Cluster": {
            "Id": cluster_id,
            "ClusterArn": f"{ARN}/{cluster_id}",
            "Name": "nightly-etl",
            "Status": {"State": "RUNNING", "Timeline": {"CreationDateTime": 1773500966.5}},
            "LogEncryptionKmsKeyId": KEY.arn,
            "TerminationProtected": False,
            "MonitoringConfiguration": {"S3LoggingConfiguration": None},
            "Ec2InstanceAttributes": None,
            "Tags": None,
        }
    }


def page_of_steps(marker: str | None) -> dict[str, Any]:
    number = int(marker or 0)
    status = {"State": "COMPLETED", "Timeline": {"StartDateTime": 1773500966.0}}
    step = {"Id": f"s-{number}", "Name": "etl", "LogUri": "s3://b/", "Status": status}
    page: dict[str, Any] = {"Steps": [step]}
    return page | ({"Marker": str(number + 1)} if number < 2 else {})


@dataclass
class Emr:
    """A server that answers those calls only whose signature is right."""

    url: str
    certificate: Path
    errors: list[tuple[int, str]] = field(default_factory=list)
    """What to answer first, in turn."""
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    by_botocore: list[bool] = field(default_factory=list)
    checks: bool = True

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, dict[str, Any]]:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        target, asked = request.headers["X-Amz-Target"], json.loads(body)
        self.calls.append((target, asked))
        self.by_botocore.append("amz-sdk-request" in request.headers)
        signer = SigV4Auth(CREDENTIALS, "elasticmapreduce", REGION)
        if self.checks and not is_signed(request, self.url, signer, body):
            return 403, {"__type": "InvalidSignatureException"}
        if self.errors:
            status, code = self.errors.pop(0)
            return status, {"__type": code, "message": "told by AWS"}
        if target == STEPS:
            return 200, page_of_steps(asked.get("Marker"))
        return 200, described(asked["ClusterId"])


@pytest.fixture(params=["https", "http"])
def emr(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emr]:
    certificate = a_certificate(tmp_path)

    def answer(asked: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        status, told = serving.answer(asked)
        return status, {}, json.dumps(told).encode()

    with served(answering(answer), certificate if request.param == "https" else None) as url:
        serving = Emr(url, certificate)
        yield serving


@dataclass
class Audited:
    clusters: EmrClusters
    calls: CallCount
    stopped: Event

    def learn(self) -> None:
        assert self.clusters.describe(FIRST) == a_cluster(FIRST)


def an_audit(emr: Emr, signature_version: Any = "v4") -> Audited:  # noqa: ANN401 - botocore's
    calls, stopped = CallCount(), Event()
    client = boto3.client(
        "emr",
        endpoint_url=emr.url,
        verify=str(emr.certificate),
        config=Config(signature_version=signature_version, retries={"total_max_attempts": 1}),
    )
    calls.attach(client)
    connections = KeptConnections(Authorities(str(emr.certificate)))
    quick = QuickCalls(CREDENTIALS, connections, Paces(stopped), calls)
    quick.watch(client)
    return Audited(EmrClusters(client, quick), calls, stopped)


@pytest.fixture
def audited(emr: Emr, opened: list[HTTPConnection]) -> Audited:
    assert not opened
    return an_audit(emr)


def test_the_first_call_is_botocores_and_shows_the_others_the_way(
    emr: Emr, audited: Audited
) -> None:
    audited.learn()

    assert audited.clusters.describe(SECOND) == a_cluster(SECOND)
    assert emr.by_botocore == [True, False]
    assert emr.calls == [(DESCRIBE, {"ClusterId": FIRST}), (DESCRIBE, {"ClusterId": SECOND})]
    assert audited.calls.counts == {"elasticmapreduce:DescribeCluster": 2}


def test_a_thread_keeps_its_connection(audited: Audited, opened: list[HTTPConnection]) -> None:
    audited.learn()

    for _ in range(3):
        assert audited.clusters.describe(SECOND) == a_cluster(SECOND)

    assert len(opened) == 1


def test_each_operation_has_a_way_of_its_own_and_further_pages_are_botocores(
    emr: Emr, audited: Audited
) -> None:
    audited.learn()
    steps = tuple(
        Step(f"s-{number}", "etl", "s3://b/", None, StepState.COMPLETED, started=True)
        for number in range(3)
    )

    for _ in range(2):
        assert audited.clusters.steps(FIRST) == steps

    page = [(STEPS, {"ClusterId": FIRST, **at}) for at in ({}, {"Marker": "1"}, {"Marker": "2"})]
    assert emr.calls[1:] == page * 2
    assert emr.by_botocore == [True, True, True, True, False, True, True]
    assert audited.calls.counts["elasticmapreduce:ListSteps"] == 6


def test_what_is_gone_is_botocores_to_say(emr: Emr, audited: Audited) -> None:
    audited.learn()
    emr.errors = [(400, "InvalidRequestException")] * 2

    with pytest.raises(ClusterNotFoundError, match="told by AWS"):
        audited.clusters.read(SECOND)

    assert emr.by_botocore == [True, False, True]


@pytest.mark.parametrize(
    "error",
    [(400, "com.amazonaws#AccessDeniedException"), (403, ""), (500, "InternalFailure"), (DROP, "")],
)
def test_whatever_is_not_200_is_asked_again_by_botocore(
    emr: Emr, audited: Audited, error: tuple[int, str]
) -> None:
    audited.learn()
    emr.errors = [error]

    assert audited.clusters.read(SECOND) == a_cluster(SECOND)
    assert emr.by_botocore == [True, False, True]

    # and the connection is as good as before
    assert audited.clusters.read(FIRST) == a_cluster(FIRST)
    assert emr.by_botocore == [True, False, True, False]


def test_what_botocore_is_refused_too_is_unresolved(emr: Emr, audited: Audited) -> None:
    audited.learn()
    emr.errors = [(400, "AccessDeniedException")] * 2

    assert audited.clusters.read(SECOND) == Unresolved(
        f"elasticmapreduce:DescribeCluster on {SECOND} answered AccessDeniedException"
    )


@pytest.mark.parametrize("code", ["ThrottlingException", "com.amazonaws#ThrottlingException"])
def test_a_throttle_slows_all_calls_of_its_operation_down(
    emr: Emr, audited: Audited, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled: list[float] = []

    def note(_: Pace, sent: float) -> bool:
        throttled.append(sent)
        return True

    monkeypatch.setattr(Pace, "throttled", note)
    audited.learn()
    emr.errors = [(400, code)]

    assert audited.clusters.read(SECOND) == a_cluster(SECOND)

    assert len(throttled) == 1
    assert audited.calls.counts == {"elasticmapreduce:DescribeCluster": 3}


def test_a_refused_call_shows_no_way(emr: Emr, audited: Audited) -> None:
    emr.errors = [(400, "AccessDeniedException")]
    audited.clusters.read(FIRST)

    audited.learn()

    assert emr.by_botocore == [True, True]


def test_what_is_not_signed_stays_botocores(emr: Emr) -> None:
    emr.checks = False
    anonymous = an_audit(emr, UNSIGNED)

    anonymous.learn()
    anonymous.learn()

    assert emr.by_botocore == [True, True]


def test_what_goes_through_a_proxy_stays_botocores(
    emr: Emr, audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.invalid:3128")  # the client was made without it
    monkeypatch.delenv("no_proxy", raising=False)

    audited.learn()
    audited.learn()

    assert emr.by_botocore == [True, True]


def test_nobody_waits_for_a_call_that_is_not_wanted_any_more(emr: Emr, audited: Audited) -> None:
    audited.learn()
    audited.stopped.set()

    with pytest.raises(AuditStoppedError):
        audited.clusters.read(SECOND)
    assert len(emr.calls) == 1
