import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from emr_log_guard.cli.app import app
from emr_log_guard.cli.audit import Format
from emr_log_guard.domain import log_objects
from tests.unit.aws_answers import KEY_METADATA
from tests.unit.builders import ACCOUNT, CLUSTER_ID, KEY, OTHER_ACCOUNT, REGION, a_cluster
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/Audit"
SUMMARY = {
    "Id": CLUSTER_ID,
    "Name": "nightly-etl",
    "ClusterArn": a_cluster().arn,
    "Status": {"State": "RUNNING"},
}
DESCRIBED = SUMMARY | {
    "LogUri": "s3n://example-logs/emr/",
    "LogEncryptionKmsKeyId": KEY.arn,
    "ReleaseLabel": "emr-7.12.0",
    "TerminationProtected": False,
}
FEW = ["--rule", "EMRLOG-002", "--rule", "EMRLOG-004"]


@pytest.fixture
def aws(aws: StubbedAws) -> StubbedAws:
    """One cluster, which is in order."""
    aws.answer("ListClusters", {"Clusters": [SUMMARY]})
    aws.answer("DescribeCluster", {"Cluster": DESCRIBED})
    aws.answer("DescribeKey", {"KeyMetadata": KEY_METADATA})
    return aws


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments], input=answer)


def test_compliant_account_exits_with_0(aws: StubbedAws) -> None:
    result = run(*FEW)

    assert result.exit_code == 0, result.output
    assert "1 cluster in 1 account and Region: 1 COMPLIANT" in result.stdout
    assert result.stderr == ""
    assert set(aws.regions) == {REGION}


def test_non_compliant_cluster_exits_with_1(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", {"Cluster": DESCRIBED | {"LogEncryptionKmsKeyId": ""}})

    result = run(*FEW, "--format", "json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["totals"]["NON_COMPLIANT"] == 1


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDeniedException", "emr-log-guard audit --print-iam-policy"),
        ("ExpiredTokenException", "the credentials have expired: sign in again"),
        # What a Region answers that the account has not opted in to.
        ("UnrecognizedClientException", "the Region may not be enabled for the account"),
    ],
)
def test_missing_access_exits_with_2_and_a_hint(aws: StubbedAws, code: str, advice: str) -> None:
    aws.answer("ListClusters", AwsError(code))

    result = run(*FEW, "--format", "json")

    assert result.exit_code == 2
    problem = f"{REGION}: elasticmapreduce:ListClusters on {REGION} answered {code}"
    assert json.loads(result.stdout)["problems"] == [problem]
    notified, advised = result.stderr.splitlines()
    assert notified == f"Could not be read: {problem}"
    assert advice in advised


def test_same_hint_is_printed_once(aws: StubbedAws) -> None:
    aws.answer("ListClusters", AwsError("ExpiredTokenException"))

    result = run(*FEW, "--region", REGION, "--region", "us-west-2")

    assert result.stdout.count("answered ExpiredTokenException") == 2
    assert result.stderr.count("sign in again") == 1


def test_undetermined_result_exits_with_3(aws: StubbedAws) -> None:
    aws.answer("DescribeKey", AwsError("AccessDeniedException"))

    assert run(*FEW).exit_code == 3


def test_account_without_clusters_is_reported_with_its_id(aws: StubbedAws) -> None:
    aws.answer("ListClusters", {"Clusters": []})
    aws.answer("GetCallerIdentity", {"Account": ACCOUNT})

    printed = run(*FEW).stdout
    assert "No cluster in 1 account and Region" in printed
    assert "Exit status 0: there was nothing to evaluate." in printed
    assert json.loads(run(*FEW, "--format", "json").stdout)["account"] == ACCOUNT

    aws.answer("GetCallerIdentity", AwsError("ServiceUnavailable", status=503))
    assert json.loads(run(*FEW, "--format", "json").stdout)["account"] is None


def test_all_regions_option_audits_every_enabled_region(aws: StubbedAws) -> None:
    aws.answer(
        "DescribeRegions", {"Regions": [{"RegionName": "us-west-2"}, {"RegionName": REGION}]}
    )

    result = run(*FEW, "--all-regions", "--format", "json")

    assert [place["region"] for place in json.loads(result.stdout)["places"]] == [
        REGION,
        "us-west-2",
    ]


def test_unlistable_regions_exit_with_2(aws: StubbedAws) -> None:
    aws.answer("DescribeRegions", AwsError("UnauthorizedOperation"))

    result = run("--all-regions")

    assert result.exit_code == 2
    assert "ec2:DescribeRegions on the account answered UnauthorizedOperation" in result.stdout


def test_assumed_role_is_reported_with_its_account(aws: StubbedAws) -> None:
    aws.answer(
        "AssumeRole",
        {
            "Credentials": {
                "AccessKeyId": "ASIAEXAMPLEEXAMPLE00",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": datetime(2999, 1, 1, tzinfo=UTC),
            }
        },
    )
    aws.answer("ListClusters", {"Clusters": []})

    result = run(*FEW, "--assume-role", ROLE, "--format", "json")

    assert result.exit_code == 0, result.output
    [place] = json.loads(result.stdout)["places"]
    assert (place["role_arn"], place["account"]) == (ROLE, OTHER_ACCOUNT)


def test_role_that_cannot_be_assumed_exits_with_2(aws: StubbedAws) -> None:
    aws.answer("AssumeRole", AwsError("AccessDenied"))

    result = run("--assume-role", ROLE)

    assert result.exit_code == 2
    assert f"sts:AssumeRole on {ROLE} answered AccessDenied" in result.stdout


@pytest.mark.parametrize("output_format", list(Format))
def test_report_is_written_to_the_output_file(
    aws: StubbedAws, tmp_path: Path, output_format: str
) -> None:
    aws.answer("DescribeCluster", {"Cluster": DESCRIBED | {"LogEncryptionKmsKeyId": ""}})
    file = tmp_path / "report"
    file.write_text("an older report " * 10_000)

    result = run(*FEW, "--format", output_format, "--output", str(file))

    assert (result.exit_code, result.stdout) == (1, "")
    wrote = f"Wrote {file}. 1 cluster in 1 account and Region: 1 NON_COMPLIANT"
    assert wrote in result.stderr.splitlines()
    assert "Wrote" not in run(*FEW, "--output", str(file), "--quiet").stderr
    assert "an older report" not in file.read_text("utf-8")
    assert CLUSTER_ID in file.read_text("utf-8")


def test_unwritable_output_file_exits_with_2_before_any_call(
    aws: StubbedAws, tmp_path: Path
) -> None:
    result = run("--output", str(tmp_path / "no" / "folder"))

    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}/no/folder cannot be written: {os.strerror(2)}\n"
    assert aws.calls == []


def test_findings_link_to_runbooks_below_the_given_url(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", {"Cluster": DESCRIBED | {"LogEncryptionKmsKeyId": ""}})

    result = run(*FEW, "--format", "sarif", "--runbook-base-url", "https://example.com/runbooks")

    [log] = json.loads(result.stdout)["runs"]
    assert [rule.get("helpUri") for rule in log["tool"]["driver"]["rules"]] == [
        "https://example.com/runbooks/EMRLOG-002.md",
        "https://example.com/runbooks/EMRLOG-004.md",
    ]


def test_policy_option_decides_what_is_evaluated(aws: StubbedAws, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"approved_keys": ["arn:aws:kms:eu-west-1:111122223333:key/other"]}')
    assert run("--rule", "EMRLOG-006", "--policy", str(policy)).exit_code == 1
    assert run("--rule", "EMRLOG-006", "--policy", "-", answer="{}").exit_code == 0
    assert aws.calls

    aws.forget_calls()
    result = run("--policy", "-", answer='{"mood": 1}')
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: standard input, line 1, column 10: mood: no such field; "
        "correct its name, or remove it\n"
    )
    assert aws.calls == []


LOGS = ["--rule", "EMRLOG-101", "--objects"]


def test_log_objects_are_checked(aws: StubbedAws) -> None:
    listed = {
        "Key": f"emr/{CLUSTER_ID}/node/i-1/log.gz",
        "LastModified": datetime(2026, 3, 14, tzinfo=UTC),
    }
    aws.answer("ListObjectsV2", {"Contents": [listed]})
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})

    assert run(*LOGS).exit_code == 1
    assert run(*LOGS, "--since", "2026-03-14", "--sample", "5").exit_code == 1
    assert run(*LOGS, "--since", "2026-03-14T00:00:01Z").exit_code == 0


@pytest.mark.parametrize("where", ["table", "csv", "file"])
def test_advice_on_large_buckets_is_printed_once_with_every_output(
    aws: StubbedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    monkeypatch.setattr(log_objects, "LARGE_BUCKET", 1)
    listed = {"Key": f"emr/{CLUSTER_ID}/x.gz", "LastModified": datetime(2026, 3, 14, tzinfo=UTC)}
    aws.answer("ListObjectsV2", {"Contents": [listed]})
    aws.answer("HeadObject", {"ServerSideEncryption": "AES256"})
    options = {"csv": ["--format", "csv"], "file": ["--output", str(tmp_path / "report")]}

    result = run(*LOGS, *options.get(where, []))

    notified = result.stdout if where == "table" else result.stderr
    assert notified.count("Advice: 1 log objects were listed in example-logs: ") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--all-regions", "--region", REGION], "--region or --all-regions, not both"),
        (["--json", "--format", "csv"], "--format or --json, not both"),
        (["--quiet", "--verbose"], "--quiet or --verbose, not both"),
        (["--rule", "EMRLOG-999"], "there is no rule 'EMRLOG-999'"),
        (["--skip-rule", "EMRLOG-999"], "there is no rule 'EMRLOG-999'"),
        (["--rule", "EMRLOG-101"], "EMRLOG-101 is about log objects: add --objects"),
        (["--since", "2026-01-01"], "add --objects"),
        (["--sample", "3"], "add --objects"),
        (["--objects", "--sample", "0"], "'--sample': must be greater than or equal to 1"),
        (["--objects", "--sample", "few"], "invalid value for '--sample'"),
        (["--max-rate", "0"], "is not a number of at least 0.01"),
        (["--max-rate", "inf"], "is not a number of at least 0.01"),
        (["--objects", "--since", "yesterday"], "--since yesterday: write a day"),
        (["--assume-role", "Audit"], "write the role's ARN"),
        (["--assume-role", "arn:aws:iam::111122223333:user/Ada"], "write the role's ARN"),
        (["--rule", "EMRLOG-002", "--skip-rule", "EMRLOG-002"], "no rule is left to evaluate"),
        (["--format", "yaml"], "yaml"),
        (["--runbook-base-url", "docs/runbooks"], "docs/runbooks does not begin with https://"),
        (["--state", "DEAD"], "'DEAD' is not one of STARTING, BOOTSTRAPPING,"),
        (["--policy", "gone.json"], "gone.json cannot be read: No such file"),
        (["--policy", "/"], "/ cannot be read: Is a directory"),
        (["--cluster", ""], "'' is not a cluster id: write one such as j-"),
        (["--cluster", "nightly-etl"], "'nightly-etl' is not a cluster id"),
        (
            ["nightly-etl"],
            "unexpected extra argument(s) (nightly-etl); see `emr-log-guard audit --help`",
        ),
    ],
)
def test_wrong_usage_exits_with_2(aws: StubbedAws, arguments: list[str], words: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert words in line
    assert aws.calls == []


@pytest.mark.parametrize("empty", [False, True])
def test_missing_region_exits_with_2_and_a_hint(
    aws: StubbedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, empty: bool
) -> None:
    if empty:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    else:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    result = run()

    assert result.exit_code == 2
    assert "no Region: give --region" in result.stderr
    assert aws.calls == []


def test_unknown_profile_exits_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    result = run("--region", REGION)

    assert result.exit_code == 2
    assert "nobody" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("region", ["eu west", "", "eu-west-1.example.com", "eu--west"])
def test_invalid_region_exits_with_2(
    aws: StubbedAws, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    notified = run("--region", region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region or "-")
    set_in_the_environment = run()

    for result in (notified, set_in_the_environment):
        assert result.exit_code == 2
        assert "is not a Region: write one such as eu-west-1" in result.stderr
    assert aws.calls == []


@pytest.mark.parametrize("arguments", [(), ("--assume-role", ROLE), ("--all-regions",)])
def test_invalid_endpoint_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")

    result = run(*arguments)

    assert result.exit_code == 2
    assert "InvalidEndpoint" in result.stdout or "Invalid endpoint" in result.stdout


def test_missing_credentials_exit_with_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    result = run()

    assert result.exit_code == 2
    assert "failed with NoCredentialsError" in result.stdout
    assert "Next: " not in result.stdout  # the hint says what to do
    assert "there are no AWS credentials: choose a profile" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("--assume-role", ROLE), ("--all-regions",)])
def test_partial_credentials_exit_with_2(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    result = run(*arguments)

    assert result.exit_code == 2
    assert "PartialCredentials" in result.stdout or "Partial credentials" in result.stdout


def test_unreadable_ca_bundle_exits_with_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))

    result = run("--objects")

    assert result.exit_code == 2
    assert f"the certificates in {tmp_path}/none.pem cannot be read" in result.stderr


def test_output_file_that_becomes_unwritable_exits_with_2(aws: StubbedAws, tmp_path: Path) -> None:
    file = tmp_path / "report"

    def replaced_by_a_folder(_: object) -> Answer:
        file.unlink()
        file.mkdir()
        return {"Clusters": [SUMMARY]}

    aws.answer("ListClusters", replaced_by_a_folder)

    result = run(*FEW, "--output", str(file))

    assert result.exit_code == 2
    assert result.stderr == f"Error: {file} cannot be written: {os.strerror(21)}\n"


def test_only_active_clusters_are_listed_by_default(aws: StubbedAws) -> None:
    """However many others there are: ended ones are neither listed nor described."""
    run(*FEW)

    assert aws.calls[0] == (
        "ListClusters",
        {"ClusterStates": ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")},
    )


def test_state_option_ignores_case(aws: StubbedAws) -> None:
    run(*FEW, "--state", "terminated", "--state", "RUNNING")

    assert aws.calls[0] == ("ListClusters", {"ClusterStates": ("TERMINATED", "RUNNING")})


def test_iam_policy_is_printed_without_any_call(aws: StubbedAws) -> None:
    result = run(*FEW, "--print-iam-policy")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["Statement"][0]["Action"] == [
        "elasticmapreduce:DescribeCluster",
        "elasticmapreduce:ListClusters",
        "kms:DescribeKey",
    ]
    assert aws.calls == []


def test_json_option_selects_the_json_format(aws: StubbedAws) -> None:
    result = run(*FEW, "--json")

    assert json.loads(result.stdout)["totals"]["COMPLIANT"] == 1
    assert aws.calls


def test_quiet_omits_hints_but_prints_problems(aws: StubbedAws) -> None:
    aws.answer("ListClusters", AwsError("ExpiredTokenException"))

    result = run(*FEW, "--json", "--quiet")

    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("Could not be read: ")
