"""A bulk run of re-encryption on log objects of all kinds, by the command and the deployed stack.

Every object, count, alert and call is compared with what it should be.
"""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.contestants import Ground, WrongResultError, environment
from benchmarks.page import Section
from benchmarks.stack import CALLS, Stack
from emr_log_guard.adapters.dynamodb import DynamoFindingRepository
from sandbox.alert_inbox import AlertInbox
from sandbox.calls import answered
from sandbox.fixtures import Fixtures
from sandbox.polling import wait_for

BUCKET = "logs-from-before"
SECRET = b"0" * 32
SSE_C = {
    "SSECustomerAlgorithm": "AES256",
    "SSECustomerKey": base64.b64encode(SECRET).decode(),
    "SSECustomerKeyMD5": base64.b64encode(md5(SECRET, usedforsecurity=False).digest()).decode(),
}
RULES = ("EMRLOG-101", "EMRLOG-102", "EMRLOG-103")
UPDATE = "S3.UpdateObjectEncryption"
AT_ONCE = 8

type Version = tuple[str, str]
"""An object's key and version id."""
type Encryption = tuple[str | None, str | None]
"""The algorithm, and the key's ARN."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Objects of one kind."""

    title: str
    folders: tuple[str, ...]
    each: int
    """How many are in each folder."""
    put: Mapping[str, Any]
    """PutObject's arguments."""
    read: bool = True
    """Whether the re-scan reads them: they are in the folder of a cluster."""
    requested: bool = False
    """Whether they are to be re-encrypted."""
    refused: bool = False
    """Whether S3 cannot do it, as their encryption shows."""
    updated: bool = False
    """Whether S3 does it."""

    @property
    def count(self) -> int:
        """How many there are."""
        return self.each * len(self.folders)


def reencryption(stack: Stack) -> Section:
    """Write the objects, count them, re-encrypt them, and do that again.

    Raises:
        WrongResultError: Something is not as it should be.

    """
    fixtures = Fixtures(stack.account)
    right, wrong = (fixtures.make_key(f"bulk-{name}") for name in ("right", "wrong"))
    inbox = AlertInbox(stack.account, stack.account.outputs()["AlertsTopicArn"])
    stack.account.client("ssm").put_parameter(
        Name=stack.account.outputs()["PolicyParameterName"],
        Value=json.dumps(
            {
                "mode": "alert",
                "approved_keys": [right],
                "reencryption": {"enabled": True, "default_key": right},
            }
        ),
        Overwrite=True,
    )
    kinds, clusters = _kinds(fixtures, right, wrong)
    records = _records(stack)
    wait_for(lambda: all(records.read(cluster_id).known for cluster_id in clusters))
    stack.disable_rules()  # CloudTrail's events would have each update checked once more
    objects = _write(stack, kinds)
    listed, written = _listed(stack), _encryptions(stack, objects)
    read, requested, refused, updated = (
        sum(getattr(kind, which) for kind in objects.values())
        for which in ("read", "requested", "refused", "updated")
    )
    expected = {
        version: ("aws:kms", right) if kind.updated else written[version]
        for version, kind in objects.items()
    }

    counting, counted = _command(stack, "--dry-run", "--json")
    said = json.loads(counted)
    _demand("dry run", (said["to_reencrypt"], said["listed"]), (requested - refused, read))
    _demand("objects after the dry run", _encryptions(stack, objects), written)

    before = answered(stack.folder / CALLS)
    began = time.monotonic()
    requesting, report = _command(stack, "--wait")
    _settle(stack)
    took = time.monotonic() - began
    calls = answered(stack.folder / CALLS) - before
    _demand("UpdateObjectEncryption", calls[f"{UPDATE} 200"], updated)
    sse_c = sum("SSECustomerKey" in kind.put for kind in objects.values())
    heads = (read - sse_c) + (requested - sse_c) + updated
    _demand("HeadObject", calls["S3.HeadObject 200"], heads)
    _demand("report", f"{read:,} listed" in report, expected=True)
    _demand("encryptions", _encryptions(stack, objects), expected)
    _demand("versions, LastModified and ETag", _listed(stack), listed)
    counts = {place: count for place, count, _ in _recorded(records, clusters)}
    _demand("counts", sum(counts.values()), updated)
    whole = {place: count for place, count, left in _recorded(records, clusters) if not left}
    _demand("alerts", _alerted(inbox), whole)

    before = answered(stack.folder / CALLS)
    repeating, _ = _command(stack, "--wait")
    _settle(stack)
    calls = answered(stack.folder / CALLS) - before
    _demand("UpdateObjectEncryption, second run", calls[f"{UPDATE} 200"], 0)
    _demand("encryptions, second run", _encryptions(stack, objects), expected)
    again = {place: count for place, count, _ in _recorded(records, clusters)}
    _demand("counts, second run", again, counts)
    return Section(
        "Bulk re-encryption",
        f"`emr-log-guard reencrypt --deep` on {len(objects):,} objects, with the deployed stack in "
        "the emulated account. After each step, every object's encryption, version id, "
        "LastModified and ETag, the counts of the report and of the findings, the alerts (one a "
        "cluster and rule, with its total, once none of its objects is left) and the calls are as "
        "expected: else the run fails. A re-encrypted object costs two HeadObject and one "
        "UpdateObjectEncryption, besides the HeadObject of the re-scan. What S3 refuses, as under "
        "Object Lock, is alerted with its cause. The second run changes nothing. "
        f"`--dry-run` took {counting:.0f} s, `--wait` {requesting:.0f} s, until all were "
        f"re-encrypted {took:.0f} s, the second `--wait` {repeating:.0f} s: nearly all of it is "
        "the emulated account, which gives an invocation ten messages.",
        ["objects", "number", "counted by `--dry-run`", "re-encrypted"],
        [
            [kind.title, *(f"{kind.count * factor:,}" for factor in factors)]
            for kind in kinds
            for factors in [(1, kind.requested and not kind.refused, kind.updated)]
        ],
    )


def _kinds(fixtures: Fixtures, right: str, wrong: str) -> tuple[list[Kind], tuple[str, ...]]:
    """Launch two clusters, and choose what is in their folders and elsewhere.

    A kind that has the folder of the one before it overwrites its objects.
    """
    uri = f"s3://{BUCKET}/emr/"
    keyed = fixtures.launch("bulk-keyed", LogUri=uri, LogEncryptionKmsKeyId=right)
    keyless = fixtures.launch("bulk-keyless", LogUri=uri)
    home, other = (f"emr/{cluster_id}/node/" for cluster_id in (keyed, keyless))
    until = datetime.now(UTC) + timedelta(days=1)
    locked = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    aws_managed = {"ServerSideEncryption": "aws:kms"}
    dsse = {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": wrong}
    fixed = {"requested": True, "updated": True}
    return [
        Kind("SSE-S3", (f"{home}a", f"{other}a"), 400, {}, **fixed),
        Kind("the key aws/s3", (f"{home}b", f"{other}b"), 200, aws_managed, **fixed),
        Kind(
            "an unapproved key", (f"{home}c",), 200, aws_managed | {"SSEKMSKeyId": wrong}, **fixed
        ),
        Kind("SSE-S3, later overwritten", (f"{home}d",), 50, {}, **fixed),
        Kind("the right key, over these", (f"{home}d",), 50, aws_managed | {"SSEKMSKeyId": right}),
        Kind("the right key", (f"{home}e",), 300, aws_managed | {"SSEKMSKeyId": right}),
        Kind("SSE-C", (f"{home}f",), 20, SSE_C, requested=True, refused=True),
        Kind(
            "DSSE-KMS with an unapproved key", (f"{home}g",), 20, dsse, requested=True, refused=True
        ),
        Kind("SSE-S3 under Object Lock", (f"{home}h",), 20, locked, requested=True),
        Kind("SSE-S3, of an unknown cluster", ("emr/j-3AXXXXXXXXXXX/node",), 40, {}),
        Kind("SSE-S3, in no log folder", ("data",), 100, {}, read=False),
    ], (keyed, keyless)


def _write(stack: Stack, kinds: list[Kind]) -> dict[Version, Kind]:
    """Write all objects, into a bucket that sends no events; return each one's kind."""
    s3 = stack.account.client("s3")
    s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)  # and so with versions
    objects: dict[Version, Kind] = {}

    def put(key: str, kind: Kind) -> Version:
        return key, s3.put_object(Bucket=BUCKET, Key=key, Body=b"a log", **kind.put)["VersionId"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for kind in kinds:
            keys = [f"{place}/{n:04}.gz" for place in kind.folders for n in range(kind.each)]
            objects |= dict.fromkeys(pool.map(lambda key, kind=kind: put(key, kind), keys), kind)
    return objects


def _listed(stack: Stack) -> dict[Version, tuple[datetime, str]]:
    """List every version, with its LastModified and ETag."""
    pages = stack.account.client("s3").get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    return {
        (each["Key"], each["VersionId"]): (each["LastModified"], each["ETag"])
        for page in pages
        for each in page["Versions"]
    }


def _encryptions(stack: Stack, objects: Mapping[Version, Kind]) -> dict[Version, Encryption]:
    """Read the encryption of every version; S3 answers 400 about one with SSE-C."""
    s3 = stack.account.client("s3")

    def read(version: Version) -> Encryption:
        key, version_id = version
        try:
            head = s3.head_object(Bucket=BUCKET, Key=key, VersionId=version_id)
        except ClientError as error:
            return error.response["Error"]["Code"], None
        return head["ServerSideEncryption"], head.get("SSEKMSKeyId")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(objects, pool.map(read, objects), strict=True))


def _command(stack: Stack, *options: str) -> tuple[float, str]:
    """Run `emr-log-guard reencrypt --deep`; return the seconds and the output."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "emr_log_guard.cli", "reencrypt", "--deep", *options],
        env=environment(Ground(stack.account, stack.folder)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 1:  # something is non-compliant
        raise WrongResultError(done.stdout + done.stderr)
    return time.monotonic() - began, done.stdout


def _settle(stack: Stack) -> None:
    """Wait until every request was handled."""
    queue = stack.resource("ReencryptionQueue")
    wait_for(lambda: stack.account.is_idle(queue))


def _records(stack: Stack) -> DynamoFindingRepository:
    table = stack.account.outputs()["FindingsTableName"]
    return DynamoFindingRepository(stack.account.client("dynamodb"), table)


def _recorded(
    records: DynamoFindingRepository, clusters: tuple[str, ...]
) -> Iterator[tuple[tuple[str, str], int, bool]]:
    """Read how many objects each finding counts as re-encrypted, and whether any are left."""
    for cluster_id in clusters:
        for rule_id, record in records.read(cluster_id).records.items():
            if rule_id in RULES:
                yield (cluster_id, rule_id), record.reencryption.count, record.open


def _alerted(inbox: AlertInbox) -> dict[tuple[str, str], int]:
    """Read how many objects were alerted as re-encrypted; an alert too many is no number."""
    inbox.receive()
    done = [alert for alert in inbox.alerts if alert["kind"] == "remediation.done"]
    found = {
        (alert["cluster_id"], alert["findings"][0]["rule_id"]): int(
            alert["detail"].split()[0].replace(",", "")
        )
        for alert in done
    }
    _demand("alerts a cluster and rule", len(done), len(found))
    return found


def _demand(what: str, found: object, expected: object) -> None:
    if found != expected:
        message = f"{what}: {found!r:.500} instead of {expected!r:.500}"
        raise WrongResultError(message)
