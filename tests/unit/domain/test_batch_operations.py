"""The requests are validated with botocore's own model of S3 Control."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator

from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from tests.unit.builders import ACCOUNT, KEY

MODEL = botocore.session.Session().get_service_model("s3control")
REQUEST = MODEL.shape_for("CreateJobRequest")
FORMER = KEY.arn.replace("1234abcd", "0000abcd")
JOB = ReencryptionJob(
    account=ACCOUNT,
    bucket="example-logs",
    prefix="logs/j-2AXXXXXXGAPLF/",
    former=FormerEncryption(),
    key_arn=KEY.arn,
    created_before=datetime(2026, 6, 1, 12, tzinfo=UTC),
    objects=1_000,
    in_bucket=5_000,
)
FROM_KMS = replace(JOB, former=FormerEncryption(FORMER))
WITH_BUCKET_KEY = replace(JOB, former=FormerEncryption(FORMER, bucket_key=True))


def problems(request: Mapping[str, object]) -> Iterator[str]:
    """Say what botocore's validator finds, and what it does not look at."""
    report = ParamValidator().validate(request, REQUEST)
    if report.has_errors():
        yield report.generate_report()
    yield from _unlooked_at(request, REQUEST)


def _unlooked_at(value: Any, shape: Shape) -> Iterator[str]:  # noqa: ANN401 - any part of a request
    """Say which values break a pattern, an enumeration or a maximum of the model."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, part in value.items():
            if name in shape.members:
                yield from _unlooked_at(part, shape.members[name])
        return
    if isinstance(shape, ListShape) and isinstance(value, list):
        for item in value:
            yield from _unlooked_at(item, shape.member)
    metadata = shape.metadata
    if "max" in metadata and (value if isinstance(value, int) else len(value)) > metadata["max"]:
        yield f"{shape.name} is too long or too large"
    if "enum" in metadata and value not in metadata["enum"]:
        yield f"{shape.name} cannot be {value}"
    pattern = metadata.get("pattern", "").replace(r"\p{L}\p{Z}\p{N}", r"\w ")
    if pattern and not re.fullmatch(pattern, value):
        yield f"{shape.name} cannot be {value}"


def generator(job: ReencryptionJob) -> dict[str, Any]:
    request: dict[str, Any] = dict(job.create_job())
    found: dict[str, Any] = request["ManifestGenerator"]["S3JobManifestGenerator"]
    return found


def allowed(job: ReencryptionJob) -> dict[str, Any]:
    """Return the resources of each action of the role."""
    statements: Any = job.role_policy()["Statement"]
    found: dict[str, Any] = {}
    for statement in statements:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            found.setdefault(action, []).append(statement["Resource"])
    return found


@pytest.mark.parametrize("job", [JOB, FROM_KMS, WITH_BUCKET_KEY])
def test_request_matches_the_model_of_s3_control(job: ReencryptionJob) -> None:
    assert not list(problems(job.create_job()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"Report": {}},
        {"Report": {"Enabled": True, "Format": "CSV"}},
        {"Surprise": 1},
        {"AccountId": "1"},
        {"ClientRequestToken": "x" * 65},
        {"Report": {"Enabled": True, "ReportScope": "Some"}},
        {"Operation": {"S3UpdateObjectEncryption": {"ObjectEncryption": {"SSEKMS": {}}}}},
    ],
)
def test_wrong_request_does_not_match_the_model(wrong: dict[str, object]) -> None:
    assert list(problems({**JOB.create_job(), **wrong}))


@pytest.mark.parametrize("job", [JOB, FROM_KMS, WITH_BUCKET_KEY])
def test_job_re_encrypts_with_the_new_key_and_keeps_the_use_of_a_bucket_key(
    job: ReencryptionJob,
) -> None:
    assert job.create_job()["Operation"] == {
        "S3UpdateObjectEncryption": {
            "ObjectEncryption": {
                "SSEKMS": {"KMSKeyArn": KEY.arn, "BucketKeyEnabled": job is WITH_BUCKET_KEY}
            }
        }
    }


@pytest.mark.parametrize(
    ("job", "encryption"),
    [
        (JOB, {"SSES3": {}}),
        (FROM_KMS, {"SSEKMS": {"KmsKeyArn": FORMER, "BucketKeyEnabled": False}}),
        (WITH_BUCKET_KEY, {"SSEKMS": {"KmsKeyArn": FORMER, "BucketKeyEnabled": True}}),
    ],
)
def test_job_selects_checked_objects_of_the_folder_with_the_former_encryption(
    job: ReencryptionJob, encryption: dict[str, object]
) -> None:
    assert generator(job)["SourceBucket"] == "arn:aws:s3:::example-logs"
    assert generator(job)["ExpectedBucketOwner"] == ACCOUNT
    assert generator(job)["Filter"] == {
        "KeyNameConstraint": {"MatchAnyPrefix": ["logs/j-2AXXXXXXGAPLF/"]},
        "MatchAnyObjectEncryption": [encryption],
        "ObjectSizeGreaterThanBytes": 0,  # no folder markers
        "CreatedBefore": "2026-06-01T12:00:00Z",
    }


def test_job_waits_for_a_confirmation_and_writes_nothing_else() -> None:
    request: Any = JOB.create_job()

    assert request["ConfirmationRequired"] is True
    assert request["Report"] == {"Enabled": False}
    assert generator(JOB)["EnableManifestOutput"] is False


def test_repeated_request_has_the_same_token_and_any_other_job_its_own() -> None:
    others = [
        FROM_KMS,
        replace(JOB, prefix="logs/j-OTHER/"),
        replace(JOB, bucket="other-logs"),
        replace(JOB, created_before=JOB.created_before + timedelta(hours=1)),
    ]
    tokens = {str(job.create_job()["ClientRequestToken"]) for job in (JOB, *others)}

    assert replace(JOB).create_job() == JOB.create_job()
    assert len(tokens) == 5


def test_role_may_only_list_the_bucket_and_re_encrypt_the_folder() -> None:
    logs = "arn:aws:s3:::example-logs/logs/j-2AXXXXXXGAPLF/*"

    assert allowed(JOB) == {
        "s3:GetObject": [logs],
        "s3:GetObjectVersion": [logs],
        "s3:PutObject": [logs],
        "s3:UpdateObjectEncryption": [logs],
        "s3:PutInventoryConfiguration": ["arn:aws:s3:::example-logs"],
        "kms:Decrypt": [[KEY.arn]],
        "kms:Encrypt": [[KEY.arn]],
        "kms:GenerateDataKey": [[KEY.arn]],
        "kms:ReEncrypt*": [[KEY.arn]],
    }


def test_role_may_use_the_former_key() -> None:
    assert allowed(FROM_KMS)["kms:ReEncrypt*"] == [[FORMER, KEY.arn]]


def test_wildcard_in_a_prefix_is_literal() -> None:
    [logs] = allowed(replace(JOB, prefix="*/$?/"))["s3:UpdateObjectEncryption"]

    assert logs == "arn:aws:s3:::example-logs/${*}/${$}${?}/*"


def test_only_s3_batch_operations_assumes_the_role_that_the_job_names() -> None:
    assert JOB.trust_policy()["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
    assert JOB.create_job()["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/{JOB.role_name}"
    assert JOB.role_name != FROM_KMS.role_name


def test_arns_are_in_the_partition_of_the_key() -> None:
    job = replace(JOB, key_arn=f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/1")

    assert generator(job)["SourceBucket"] == "arn:aws-cn:s3:::example-logs"
    assert str(job.create_job()["RoleArn"]).startswith("arn:aws-cn:iam::")
    assert job.region == "cn-north-1"
