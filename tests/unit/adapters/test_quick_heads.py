import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.config import Config

from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.pace import Pace
from emr_log_guard.adapters.quick_heads import QuickHeads
from emr_log_guard.adapters.quick_way import Authorities, KeptConnections
from emr_log_guard.adapters.s3 import AuditedLogObjects
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import AuditStoppedError, ObjectNotFoundError
from tests.unit.adapters.loopback import (
    CREDENTIALS,
    DROP,
    a_certificate,
    answering,
    is_signed,
    served,
)
from tests.unit.builders import ACCOUNT, KEY, REGION

FIRST = ObjectVersion("example-logs", "emr/j-1A/first.gz")
SECOND = ObjectVersion("example-logs", "emr/j-1A/second.gz")
FOUND = Encryption("aws:kms", KEY.arn)
HEAD = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": KEY.arn,
}


@dataclass
class S3:
    """A server that answers heads, of those requests only whose signature is right."""

    url: str
    certificate: Path
    statuses: list[int] = field(default_factory=list)
    """What to answer, in turn; 200 when there is no more."""
    paths: list[str] = field(default_factory=list)
    by_botocore: list[bool] = field(default_factory=list)
    owners: list[str | None] = field(default_factory=list)

    @property
    def secure(self) -> bool:
        return self.url.startswith("https:")

    def answer(self, request: BaseHTTPRequestHandler) -> int:
        self.paths.append(request.path)
        self.by_botocore.append("amz-sdk-request" in request.headers)
        self.owners.append(request.headers["x-amz-expected-bucket-owner"])
        if not is_signed(request, self.url, S3SigV4Auth(CREDENTIALS, "s3", REGION)):
            return 403
        return self.statuses.pop(0) if self.statuses else 200


@pytest.fixture(params=["https", "http"])
def s3(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[S3]:
    certificate = a_certificate(tmp_path)
    handler = answering(lambda asked: (serving.answer(asked), HEAD, b""))
    with served(handler, certificate if request.param == "https" else None) as url:
        serving = S3(url, certificate)
        yield serving


@dataclass
class Audited:
    objects: AuditedLogObjects
    quick: QuickHeads
    calls: CallCount
    stopped: Event

    def learn_from(self, first: ObjectVersion = FIRST) -> None:
        assert self.objects.encryption(first) == FOUND


def an_audit(s3: S3, signature_version: Any = "s3v4") -> Audited:  # noqa: ANN401 - botocore's
    calls, stopped = CallCount(), Event()
    client = boto3.client(
        "s3",
        endpoint_url=s3.url,
        verify=str(s3.certificate),
        config=Config(signature_version=signature_version, retries={"total_max_attempts": 1}),
    )
    calls.attach(client)
    connections = KeptConnections(Authorities(str(s3.certificate)))
    quick = QuickHeads(CREDENTIALS, connections, Pace(stopped), calls)
    quick.watch(client)
    return Audited(AuditedLogObjects(client, quick), quick, calls, stopped)


@pytest.fixture
def audited(s3: S3, opened: list[HTTPConnection]) -> Audited:
    assert not opened
    return an_audit(s3)


def test_the_first_head_of_a_bucket_is_botocores_and_shows_the_others_the_way(
    s3: S3, audited: Audited
) -> None:
    audited.learn_from()

    assert audited.objects.encryption(SECOND) == FOUND
    assert s3.by_botocore == [True, False]
    assert s3.paths == ["/example-logs/emr/j-1A/first.gz", "/example-logs/emr/j-1A/second.gz"]
    assert audited.calls.counts == {"s3:HeadObject": 2}


def test_every_head_names_the_bucket_owner_that_is_expected(s3: S3, audited: Audited) -> None:
    for version in (FIRST, SECOND):
        assert audited.objects.encryption(version, ACCOUNT) == FOUND

    assert s3.by_botocore == [True, False]
    assert s3.owners == [ACCOUNT, ACCOUNT]


def test_certificates_are_read_once_and_when_a_head_needs_them(
    s3: S3, audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them takes some 20 ms, which a function's start would pay each time."""
    read: list[str] = []
    create = ssl.create_default_context

    def remember(*, cafile: str) -> ssl.SSLContext:
        read.append(cafile)
        return create(cafile=cafile)

    monkeypatch.setattr("ssl.create_default_context", remember)
    audited.learn_from()
    assert not read

    heads = [audited.objects.encryption(SECOND)]
    with ThreadPoolExecutor(4) as pool:
        heads += pool.map(audited.objects.encryption, [SECOND] * 4)

    assert heads == [FOUND] * 5
    assert len(read) == s3.secure


def test_without_certificates_botocore_asks(s3: S3, audited: Audited) -> None:
    audited.learn_from()
    s3.certificate.write_text("no certificate")

    assert audited.objects.encryption(SECOND) == FOUND
    assert s3.by_botocore == [True, s3.secure]


def test_a_thread_keeps_its_connection(audited: Audited, opened: list[HTTPConnection]) -> None:
    audited.learn_from()

    for _ in range(3):
        assert audited.objects.encryption(SECOND) == FOUND

    assert len(opened) == 1


def test_each_bucket_has_a_way_of_its_own(s3: S3, audited: Audited) -> None:
    audited.learn_from()

    audited.learn_from(ObjectVersion("other-logs", "emr/j-1A/first.gz"))

    assert s3.by_botocore == [True, True]


@pytest.mark.parametrize(
    "key",
    ["a b+c/ü~?#&=%.gz", "//twice//", "../up/./here", "'(\u202e)!*@:,;$", "emr/a%2Fb\\c.gz"],
)
def test_any_key_is_asked_for_and_signed_as_botocore_does(
    s3: S3, audited: Audited, key: str
) -> None:
    version = ObjectVersion("example-logs", key)
    audited.learn_from()
    assert audited.objects.encryption(version) == FOUND

    an_audit(s3).learn_from(version)

    assert s3.by_botocore == [True, False, True]
    assert s3.paths[1] == s3.paths[2]


def test_what_is_gone_is_botocores_to_say(s3: S3, audited: Audited) -> None:
    audited.learn_from()
    s3.statuses = [404, 404]

    with pytest.raises(ObjectNotFoundError):
        audited.objects.encryption(SECOND)

    assert s3.by_botocore == [True, False, True]


@pytest.mark.parametrize("status", [301, 403, 500, 503, DROP])
def test_whatever_is_not_200_is_asked_again_by_botocore(
    s3: S3, audited: Audited, status: int
) -> None:
    audited.learn_from()
    s3.statuses = [status]

    assert audited.objects.encryption(SECOND) == FOUND
    assert s3.by_botocore == [True, False, True]

    # and the connection is as good as before
    assert audited.objects.encryption(FIRST) == FOUND
    assert s3.by_botocore == [True, False, True, False]


def test_what_botocore_is_refused_too_is_unresolved(s3: S3, audited: Audited) -> None:
    audited.learn_from()
    s3.statuses = [403, 403]

    assert audited.objects.encryption(SECOND) == Unresolved(
        f"s3:HeadObject on {SECOND} answered 403"
    )


def test_a_refused_head_shows_no_way(s3: S3, audited: Audited) -> None:
    s3.statuses = [403]
    audited.objects.encryption(FIRST)

    audited.learn_from(SECOND)

    assert s3.by_botocore == [True, True]


def test_one_version_of_an_object_shows_no_way(s3: S3, audited: Audited) -> None:
    audited.learn_from(ObjectVersion("example-logs", "emr/j-1A/first.gz", "v1"))
    audited.learn_from(SECOND)

    assert s3.by_botocore == [True, True]


def test_what_is_not_signed_stays_botocores(s3: S3) -> None:
    anonymous = an_audit(s3, UNSIGNED)

    for version in (FIRST, SECOND):
        anonymous.quick.learn(version.bucket, version.key)
        anonymous.objects.encryption(version)
    anonymous.quick.learn(SECOND.bucket, SECOND.key)

    assert s3.by_botocore == [True, True]
    assert anonymous.quick.encryption(FIRST.bucket, FIRST.key) is None


def test_what_goes_through_a_proxy_stays_botocores(
    s3: S3, audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.invalid:3128")  # the client was made without it
    monkeypatch.delenv("no_proxy", raising=False)

    audited.learn_from()
    audited.learn_from(SECOND)

    assert s3.by_botocore == [True, True]


def test_nobody_waits_for_a_head_that_is_not_wanted_any_more(s3: S3, audited: Audited) -> None:
    audited.learn_from()
    audited.stopped.set()

    with pytest.raises(AuditStoppedError):
        audited.objects.encryption(SECOND)
    assert len(s3.paths) == 1
