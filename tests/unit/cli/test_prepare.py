import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from emr_log_guard.cli.app import app
from tests.unit.aws_answers import KEY_METADATA, iam_profile, iam_role
from tests.unit.builders import (
    ACCOUNT,
    KEY,
    NODE_ROLE_ARN,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    SERVICE_ROLE_ARN,
    key_arn,
)
from tests.unit.stubbed_aws import AwsError, StubbedAws

ROLES = ("--service-role", "EMR_DefaultRole", "--instance-profile", "EMR_EC2_DefaultRole")
LOGS = ("--log-uri", "s3://example-logs/emr")


def described(**changes: str) -> dict[str, Any]:
    return {"KeyMetadata": KEY_METADATA | changes}


@pytest.fixture
def aws(aws: StubbedAws) -> StubbedAws:
    aws.answer("DescribeKey", described())
    aws.answer("GetRole", {"Role": iam_role(SERVICE_ROLE_ARN)})
    aws.answer("GetInstanceProfile", iam_profile(NODE_ROLE_ARN))
    return aws


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without credentials and a Region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["prepare", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def test_key_and_roles_are_looked_up_once_with_credentials(aws: StubbedAws) -> None:
    aws.answer("DescribeKey", described())
    found = document("--key", "alias/emr-logs", *ROLES, *LOGS)

    assert found["key_arn"] == KEY.arn
    assert found["warnings"] == []
    assert aws.counts == {"DescribeKey": 1, "GetRole": 1, "GetInstanceProfile": 1}
    assert set(aws.regions[:1]) == {REGION}


def test_role_of_the_instance_profile_gets_the_policy_under_any_name(aws: StubbedAws) -> None:
    nodes = f"arn:aws:iam::{ACCOUNT}:role/service-role/nodes"
    aws.answer("GetInstanceProfile", iam_profile(nodes))

    found = document("--key", KEY.arn, *ROLES, *LOGS)

    assert found["instance_profile"]["role_arn"] == nodes
    assert "--role-name nodes " in found["shell"]
    assert found["key_policy_statements"][1]["Principal"] == {"AWS": nodes}
    assert "InstanceProfile=EMR_EC2_DefaultRole" in found["create_cluster"]


@pytest.mark.usefixtures("no_credentials")
def test_key_arn_suffices_without_credentials() -> None:
    found = document("--key", KEY.arn, *ROLES, *LOGS)

    assert (found["region"], found["account"]) == (REGION, ACCOUNT)
    assert found["service_role"]["arn"] == SERVICE_ROLE_ARN
    assert found["instance_profile"]["role_arn"] == NODE_ROLE_ARN
    unchecked, assumed = found["warnings"]
    assert unchecked.startswith("there are no AWS credentials: the key was not checked, and EMR ")
    assert assumed.endswith(": the role in EMR_EC2_DefaultRole is taken to have the same name")


def test_offline_makes_no_call(aws: StubbedAws) -> None:
    result = run("--offline", "--key", KEY.arn, *ROLES)

    assert result.exit_code == 0
    assert "Warning: --offline was given: the key was not checked" in result.stderr
    assert aws.calls == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--offline",), "--offline was given"),
        ((), "kms:DescribeKey on alias/emr-logs answered AccessDeniedException"),
    ],
)
def test_alias_that_cannot_be_looked_up_exits_with_2(
    aws: StubbedAws, options: tuple[str, ...], reason: str
) -> None:
    aws.answer("DescribeKey", AwsError("AccessDeniedException"))

    result = run(*options, "--key", "alias/emr-logs", *ROLES)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: --key alias/emr-logs has to be looked up with kms:DescribeKey, and {reason}: "
        "give the key's ARN\n"
    )


@pytest.mark.usefixtures("no_credentials")
def test_alias_without_a_region_exits_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")

    result = run("--key", "alias/emr-logs", *ROLES)

    assert result.exit_code == 2
    assert result.stderr.startswith("Error: no Region: give --region")


@pytest.mark.usefixtures("no_credentials")
def test_unknown_profile_is_a_warning_and_nothing_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "gone")

    result = run("--key", KEY.arn, *ROLES)

    assert result.exit_code == 0
    assert "Warning: The config profile (gone) could not be found: the key was" in result.stderr


def test_denied_reads_are_warnings(aws: StubbedAws) -> None:
    for call in ("DescribeKey", "GetRole", "GetInstanceProfile"):
        aws.answer(call, AwsError("AccessDenied"))

    found = document("--key", KEY.arn, *ROLES, *LOGS)

    assert [warning.partition(" on ")[0] for warning in found["warnings"]] == [
        "kms:DescribeKey",
        "iam:GetRole",
        "iam:GetInstanceProfile",
    ]
    assert found["service_role"]["arn"] == SERVICE_ROLE_ARN


def test_instance_profile_without_a_role_is_a_warning(aws: StubbedAws) -> None:
    aws.answer("GetInstanceProfile", iam_profile())

    [warning] = document("--key", KEY.arn, *ROLES)["warnings"]

    assert warning.startswith("instance profile EMR_EC2_DefaultRole holds no role: ")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"KeyManager": "AWS"}, "is managed by AWS (EMRLOG-004): give another key"),
        (
            {"KeyState": "Disabled"},
            f"is Disabled (EMRLOG-005): aws kms enable-key --region {REGION} --key-id {KEY.arn}",
        ),
        (
            {"KeySpec": "RSA_2048"},
            "only a symmetric encryption key is supported (EMRLOG-005): give another key",
        ),
    ],
)
def test_unusable_key_exits_with_2(aws: StubbedAws, changes: dict[str, str], problem: str) -> None:
    aws.answer("DescribeKey", described(**changes))

    result = run("--key", KEY.arn, *ROLES)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: --key: the log key {KEY.arn} ")
    assert result.stderr.endswith(f"{problem}\n")


def test_missing_key_exits_with_2(aws: StubbedAws) -> None:
    aws.answer("DescribeKey", AwsError("NotFoundException"))

    result = run("--key", KEY.arn, *ROLES)

    assert result.exit_code == 2
    assert "does not exist: kms:DescribeKey answered NotFoundException" in result.stderr


def test_alias_is_looked_up_in_the_given_region(aws: StubbedAws) -> None:
    there = key_arn(region=OTHER_REGION)
    aws.answer("DescribeKey", described(Arn=there))

    found = document("--key", "alias/emr-logs", "--region", OTHER_REGION, *ROLES)

    assert found["region"] == OTHER_REGION
    assert set(aws.regions) == {OTHER_REGION, "aws-global"}


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--key", "nonsense"), "--key 'nonsense': write a key id, key ARN, alias name"),
        (("--key", "alias/aws/s3"), "--key 'alias/aws/s3' is AWS-managed"),
        (("--key", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3"), "is AWS-managed"),
        (("--key", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/logs"), "and there are no AWS cred"),
        (("--key", KEY.arn, "--region", "nowhere"), "'nowhere' is not a Region"),
        (("--key", KEY.arn, "--region", OTHER_REGION), f"in {REGION}, not in {OTHER_REGION} (EMR"),
        (("--key", KEY.arn, "--account", "12"), "--account '12': write twelve digits"),
        (("--key", KEY.arn, "--log-uri", "hdfs:///logs"), "--log-uri 'hdfs:///logs': write s3://"),
        (("--key", KEY.arn, "--log-uri", "s3://B_/x"), "--log-uri 's3://B_/x': write s3://"),
        (("--key", KEY.arn, "--log-uri", "s3://logs/\u202e"), "no control or formatting"),
        (("--key", KEY.arn, "--log-uri", f"s3://logs/{'x' * 1024}"), "at most 1024 characters"),
        (("--key", KEY.arn, "--name", ""), "--name: write a name for the cluster"),
        (("--key", KEY.arn, "--name", "a\nb"), "--name 'a\\\\nb': write at most 256 characters"),
        (("--key", KEY.arn, "--name", "{{resolve:ssm:x}}"), "CloudFormation would look up"),
        (("--key", KEY.arn, "--release-label", "emr-6.0.0"), "release 6.0.0 ignores the log"),
        (("--key", KEY.arn, "--release-label", "latest"), "the release label 'latest' cannot be"),
        (("--key", KEY.arn, "--default-encryption"), "--default-encryption is about the log b"),
        (("--key", KEY.arn, "--output", "/nowhere/at/all"), "/nowhere/at/all cannot be written: "),
        (("--key", KEY.arn, "--service-role", "a b"), "--service-role 'a b': write a name, or an"),
        (("--key", KEY.arn, "--service-role", "role/a"), "--service-role 'role/a': write a name"),
        (
            ("--key", KEY.arn, "--service-role", f"arn:aws:iam::{ACCOUNT}:user/a"),
            "write a name, or an ARN such as arn:aws:iam::111122223333:role/NAME",
        ),
        (
            ("--key", KEY.arn, "--instance-profile", NODE_ROLE_ARN),
            "write a name, or an ARN such as arn:aws:iam::111122223333:instance-profile/NAME",
        ),
        (
            ("--key", KEY.arn, "--service-role", f"arn:aws-cn:iam::{ACCOUNT}:role/a"),
            "--service-role is of partition aws-cn, the key of aws",
        ),
        (
            (
                *("--key", KEY.arn, "--account", OTHER_ACCOUNT),
                *("--service-role", SERVICE_ROLE_ARN),
            ),
            f"--account says {OTHER_ACCOUNT}, --service-role says {ACCOUNT}",
        ),
    ],
)
def test_invalid_option_prints_one_error_line(arguments: tuple[str, ...], problem: str) -> None:
    result = run(*ROLES, *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    [line] = [line for line in result.stderr.splitlines() if not line.startswith("Warning: ")]
    assert line.startswith("Error: ")
    assert problem in line


@pytest.mark.usefixtures("no_credentials")
def test_roles_may_be_of_another_account_than_the_key() -> None:
    given = (
        ("--account", OTHER_ACCOUNT, *ROLES),
        (
            *("--service-role", f"arn:aws:iam::{OTHER_ACCOUNT}:role/path/EMR_DefaultRole"),
            "--instance-profile",
            f"arn:aws:iam::{OTHER_ACCOUNT}:instance-profile/EMR_EC2_DefaultRole",
        ),
    )
    for roles in given:
        found = document("--key", KEY.arn, *roles)
        assert found["account"] == OTHER_ACCOUNT
        assert f"arn:aws:iam::{OTHER_ACCOUNT}:role/" in found["instance_profile"]["role_arn"]
        assert "# 2. The key belongs to account 111122223333" in found["shell"]


def test_roles_of_an_account_other_than_the_callers_are_not_checked(
    aws: StubbedAws,
) -> None:
    found = document("--key", KEY.arn, "--account", OTHER_ACCOUNT, *ROLES)

    assert found["service_role"]["arn"] == f"arn:aws:iam::{OTHER_ACCOUNT}:role/EMR_DefaultRole"
    assert [warning.partition(":")[0] for warning in found["warnings"]] == [
        f"your credentials are of {ACCOUNT}, not {OTHER_ACCOUNT}",
    ] * 2
    assert aws.counts["GetInstanceProfile"] == 1


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_every_arn_is_in_the_partition_of_the_key(partition: str) -> None:
    region = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}[partition]
    key = f"arn:{partition}:kms:{region}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"

    printed = run("--key", key, *ROLES, *LOGS).stdout

    assert "arn:aws:" not in printed
    assert f"arn:{partition}:s3:::example-logs/emr/*" in printed


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("text", "# 1. "),
        ("shell", "# 1. "),
        ("cloudformation", "AWSTemplateFormatVersion"),
        ("terraform", 'resource "aws_iam_role_policy"'),
        ("json", "{"),
    ],
)
def test_each_format_is_printed_or_written(name: str, beginning: str, tmp_path: Path) -> None:
    printed = run("--key", KEY.arn, *ROLES, *LOGS, "--format", name)
    file = tmp_path / "out"
    written = run("--key", KEY.arn, *ROLES, *LOGS, "--format", name, "--output", str(file))

    assert printed.stdout.startswith(beginning)
    assert (written.exit_code, written.stdout) == (0, "")
    assert file.read_text("utf-8") == printed.stdout


@pytest.mark.usefixtures("no_credentials")
def test_default_encryption_option_adds_the_bucket_encryption() -> None:
    printed = run("--key", KEY.arn, *ROLES, *LOGS, "--default-encryption").stdout

    assert "put-bucket-encryption" in printed
    assert "EmrLogsRefuseUnnamedKeys" in printed


def test_json_option_selects_the_json_format(aws: StubbedAws) -> None:
    short, long = (
        run("--key", KEY.arn, *ROLES, *option) for option in (["--json"], ["--format", "json"])
    )

    assert short.exit_code == 0
    assert short.stdout == long.stdout
    assert run("--key", KEY.arn, *ROLES, "--json", "--format", "shell").exit_code == 2
    assert aws.calls
