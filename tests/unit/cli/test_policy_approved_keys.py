"""Approved keys are looked up before a policy holds."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from emr_log_guard.cli.app import app
from tests.unit.builders import KEY, NOW, OTHER_REGION, REGION, key_arn
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

MISSING = key_arn("00000000-12ab-34cd-56ef-1234567890ab")
SHUT = key_arn(account="444455556666")
OTHER = key_arn("0987dcba-09fe-87dc-65ba-ab0987654321")
ELSEWHERE = key_arn("mrk-1234abcd12ab34cd56ef1234567890ab", region=OTHER_REGION)
CHANGES: dict[str, dict[str, str]] = {
    "alias/aws/s3": {"KeyManager": "AWS"},
    "alias/disabled": {"KeyState": "Disabled"},
    "alias/signing": {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
}
REFUSED = {
    MISSING: f"{MISSING} does not exist (kms:DescribeKey answered NotFoundException); correct it",
    "alias/aws/s3": "alias/aws/s3 is managed by AWS; list a customer-managed key",
    "alias/disabled": "alias/disabled is Disabled; enable it",
    "alias/signing": "alias/signing is a RSA_2048 key for SIGN_VERIFY; list a symmetric",
    ELSEWHERE: f"{ELSEWHERE} is in {OTHER_REGION}, and the clusters are in {REGION}; list its",
}


def describe_key(params: dict[str, Any]) -> Answer:
    asked = params["KeyId"]
    if asked in (MISSING, SHUT):
        return AwsError("NotFoundException" if asked == MISSING else "AccessDeniedException")
    usual = {
        "KeyId": "k",
        "Arn": KEY.arn,
        "KeyManager": "CUSTOMER",
        "KeyState": "Enabled",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyUsage": "ENCRYPT_DECRYPT",
    }
    return {"KeyMetadata": usual | CHANGES.get(asked, {})}


@pytest.fixture
def aws(aws: StubbedAws) -> StubbedAws:
    aws.answer("ListStackResources", AwsError("ValidationError"))
    aws.answer(
        "GetParameter", {"Parameter": {"Value": "{}", "Version": 7, "LastModifiedDate": NOW}}
    )
    aws.answer("PutParameter", {"Version": 8})
    aws.answer("DescribeKey", describe_key)
    return aws


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", *arguments])


def approving(folder: Path, *keys: str) -> str:
    file = folder / "policy.json"
    file.write_text(json.dumps({"approved_keys": keys}))
    return str(file)


@pytest.mark.parametrize("key", REFUSED)
@pytest.mark.parametrize("command", [("validate", "--resolve"), ("set", "--yes")])
def test_unusable_approved_key_is_rejected_with_its_position(
    aws: StubbedAws, tmp_path: Path, command: tuple[str, str], key: str
) -> None:
    name, option = command

    result = run(name, approving(tmp_path, KEY.arn, key), option)

    assert result.exit_code == 2
    assert f"Error: approved_keys[1]: {REFUSED[key]}" in result.stderr
    assert ("Hint: --allow-unusable-keys stores" in result.stderr) is (name == "set")
    assert "approved_keys[0]" not in result.stderr
    assert "PutParameter" not in aws.counts


def test_every_unusable_approved_key_is_reported_at_once(aws: StubbedAws, tmp_path: Path) -> None:
    result = run("validate", "--resolve", approving(tmp_path, *REFUSED))

    assert result.exit_code == 2
    assert result.stderr.count("Error: approved_keys[") == len(REFUSED)
    assert aws.counts == {"DescribeKey": len(REFUSED) - 1}  # the other Region is not asked


@pytest.mark.parametrize("command", [("validate", "--resolve"), ("set", "--yes")])
def test_unreadable_approved_key_is_a_warning(
    aws: StubbedAws, tmp_path: Path, command: tuple[str, str]
) -> None:
    name, option = command

    result = run(name, approving(tmp_path, SHUT, "alias/emr-logs"), option)

    assert result.exit_code == 0, result.output
    assert f"Warning: approved_keys[0]: {SHUT} was not checked: kms:DescribeKey" in result.stderr
    assert "AccessDeniedException" in result.stderr
    assert aws.counts["DescribeKey"] == 2


def test_missing_approved_key_can_be_stored_with_allow_unusable_keys(
    aws: StubbedAws, tmp_path: Path
) -> None:
    result = run("set", approving(tmp_path, MISSING), "--yes", "--allow-unusable-keys")

    assert result.exit_code == 0, result.output
    assert f"Warning: approved_keys[0]: {MISSING} does not exist" in result.stderr
    assert aws.counts["PutParameter"] == 1


def test_validate_calls_aws_only_with_resolve(aws: StubbedAws, tmp_path: Path) -> None:
    assert run("validate", approving(tmp_path, MISSING)).exit_code == 0
    assert run("validate", "--resolve", approving(tmp_path)).exit_code == 0
    assert aws.calls == []


def test_resolve_without_a_region_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    result = run("validate", "--resolve", approving(tmp_path, KEY.arn))

    assert result.exit_code == 2
    assert "no Region: give --region, or set AWS_REGION" in result.stderr


@pytest.mark.parametrize("key", [KEY.arn[-36:].upper(), "mrk-1234ABCD12AB34CD56EF1234567890AB"])
def test_key_ids_are_accepted_ignoring_case(tmp_path: Path, key: str) -> None:
    assert run("validate", approving(tmp_path, key)).exit_code == 0


def test_unusable_keys_and_warnings_are_printed_as_json(aws: StubbedAws, tmp_path: Path) -> None:
    result = run("validate", "--resolve", "--json", approving(tmp_path, MISSING, SHUT))

    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["problems"] == [f"approved_keys[0]: {REFUSED[MISSING]}, or remove it"]
    [warning] = document["warnings"]
    assert warning.startswith(f"approved_keys[1]: {SHUT} was not checked")
    assert aws.counts == {"DescribeKey": 2}


def reencrypting(folder: Path, default_key: str, *approved: str) -> str:
    file = folder / "policy.json"
    policy = {"approved_keys": approved, "reencryption": {"default_key": default_key}}
    file.write_text(json.dumps(policy))
    return str(file)


@pytest.mark.parametrize(
    ("default_key", "approved", "says"),
    [
        (MISSING, (), f"{MISSING} does not exist"),
        (ELSEWHERE, (), f"{ELSEWHERE} is not of Region {REGION}; name a key of that Region"),
        (OTHER, (KEY.arn,), f"{OTHER} is not one of approved_keys; add it there"),
    ],
)
@pytest.mark.parametrize("command", [("validate", "--resolve"), ("set", "--yes")])
def test_unusable_default_key_is_rejected(  # noqa: PLR0913, PLR0917
    aws: StubbedAws,
    tmp_path: Path,
    command: tuple[str, str],
    default_key: str,
    approved: tuple[str, ...],
    says: str,
) -> None:
    name, option = command

    result = run(name, reencrypting(tmp_path, default_key, *approved), option)

    assert result.exit_code == 2
    assert f"Error: reencryption.default_key: {says}" in result.stderr
    assert "PutParameter" not in aws.counts


@pytest.mark.parametrize("approved", [(), (KEY.arn,), ("alias/emr-logs",)])
def test_default_key_approved_under_any_identifier_is_accepted(
    aws: StubbedAws, tmp_path: Path, approved: tuple[str, ...]
) -> None:
    result = run("set", "--yes", reencrypting(tmp_path, KEY.arn, *approved))

    assert result.exit_code == 0, result.output
    assert aws.counts["PutParameter"] == 1


def test_unreadable_default_key_is_a_warning(aws: StubbedAws, tmp_path: Path) -> None:
    result = run("validate", "--resolve", reencrypting(tmp_path, SHUT))

    assert result.exit_code == 0, result.output
    assert f"Warning: reencryption.default_key: {SHUT} was not checked" in result.stderr
    assert aws.counts == {"DescribeKey": 1}
