"""The command `audit` on an emulated account with IAM enforced, and nothing deployed."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sandbox import EmrPace, Sandbox
from sandbox.fixtures import LOG_URI, OTHER_REGION, Fixtures
from sandbox.quotas import DEFAULT_QUOTAS
from sandbox.running import ACCOUNT_ID, DEFAULT_REGION

pytestmark = pytest.mark.xdist_group("audit")

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "=cmd|' /C calc'!A0 <script>alert(1)</script> \u202e"
FEW = ("--rule", "EMRLOG-001", "--rule", "EMRLOG-002", "--rule", "EMRLOG-004")
EVERYTHING = ("--all-regions", "--objects", "--policy", "policy.json")
ONE_REGION = ("--region", DEFAULT_REGION, "--objects", "--policy", "policy.json")
"""What takes all the same permissions but for listing Regions, and is much faster."""
POLICY = {
    "rules": {"EMRLOG-011": {"enabled": True}},
    "exemptions": [
        {
            "cluster": {"name": "legacy-*"},
            "rules": ["*"],
            "until": "2999-12-31",
            "reason": "moves in autumn",
            "approved_by": "security@example.com",
        }
    ],
}


@dataclass(frozen=True)
class Ran:
    """What a run of the command came to."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def compliance(self) -> dict[str, str]:
        """Clusters' results by name."""
        return {each["name"]: each["compliance"] for each in self.report["clusters"]}

    @property
    def doubts(self) -> dict[str, Any]:
        """What could not be determined."""
        clusters = {
            each["name"]: (
                each["unresolved"],
                [
                    finding["summary"]
                    for finding in each["findings"]
                    if finding["compliance"] == "INSUFFICIENT_DATA"
                ],
            )
            for each in self.report["clusters"]
            if each["compliance"] == "INSUFFICIENT_DATA"
        }
        return {"clusters": clusters, "problems": self.report["problems"]}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "emr_log_guard.cli", "audit", *arguments]


def environment(account: Sandbox, credentials: Mapping[str, str]) -> dict[str, str]:
    """The environment of a user of the command, without the machine's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    return (
        kept
        | account.environment
        | {"PYTHONPATH": str(ROOT / "layers" / "emr_log_guard")}
        | {name.upper(): value for name, value in credentials.items()}
    )


@dataclass(frozen=True)
class AuditTarget:
    """An account to audit, and roles with some permissions in it."""

    account: Sandbox
    fixtures: Fixtures
    folder: Path
    credentials: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, **credentials: str) -> Ran:
        done = subprocess.run(
            command(*arguments),
            env=environment(self.account, self.credentials | credentials),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, **credentials: str) -> Ran:
        return self.run("--format", "json", *arguments, **credentials)

    def role(self, name: str, *statements: object) -> str:
        """Make a role that anybody of the account may assume; return its ARN."""
        iam = self.account.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        if statements:
            self.allow(name, *statements)
        arn: str = made["Role"]["Arn"]
        return arn

    def allow(self, role: str, *statements: object) -> None:
        self.account.client("iam").put_role_policy(
            RoleName=role, PolicyName="audit", PolicyDocument=document(*statements)
        )

    def as_role(self, arn: str) -> dict[str, str]:
        """Assume a role: what to put into the environment."""
        answer = self.account.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")
        credentials = answer["Credentials"]
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }


def document(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@contextmanager
def a_place(folder: Path, **settings: Any) -> Iterator[AuditTarget]:  # noqa: ANN401 - Sandbox.start's
    with Sandbox.start(emr=EmrPace(launch=3600), **settings) as account:
        yield AuditTarget(account, Fixtures(account), folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditTarget]:
    """Good and bad clusters in two Regions, with logs."""
    with a_place(tmp_path_factory.mktemp("audit")) as made:
        (made.folder / "policy.json").write_text(json.dumps(POLICY))
        fixtures, account = made.fixtures, made.account
        roles = fixtures.make_roles()
        fixtures.attach_conditional_policy(roles["ServiceRole"])
        fixtures.make_log_bucket()
        key, another = (fixtures.make_key(name) for name in ("logs", "others"))
        there = fixtures.make_key("logs", region=OTHER_REGION)
        for arn, region in (
            (key, DEFAULT_REGION),
            (another, DEFAULT_REGION),
            (there, OTHER_REGION),
        ):
            account.client("kms", region_name=region).enable_key_rotation(KeyId=arn)
        step = {
            "Name": "own-settings",
            "HadoopJarStep": {"Jar": "command-runner.jar"},
            "StepMonitoringConfiguration": {
                "S3MonitoringConfiguration": {"EncryptionKeyArn": another}
            },
        }
        good = fixtures.launch(
            "good", LogEncryptionKmsKeyId=key, Steps=[step], SessionEnabled=True, **roles
        )
        encryption = {"ServerSideEncryption": "aws:kms"}
        fixtures.write_log(good, "node/i-1/a.gz", encryption | {"SSEKMSKeyId": key})
        bad = fixtures.launch("bad-logs", LogEncryptionKmsKeyId=key, **roles)
        for number in range(3):
            fixtures.write_log(bad, f"node/i-1/{number}.gz", {"ServerSideEncryption": "AES256"})
        fixtures.launch("no-key", **roles)
        fixtures.launch("legacy-etl", **roles)
        fixtures.launch("aws-managed", LogEncryptionKmsKeyId="alias/aws/s3", **roles)
        fixtures.launch(HOSTILE, **roles)
        account.client("emr", region_name=OTHER_REGION).run_job_flow(
            Name="over-there",
            ReleaseLabel="emr-7.12.0",
            LogUri=LOG_URI,
            LogEncryptionKmsKeyId=there,
            Instances={"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 3},
            **roles,
        )
        yield made


@pytest.fixture(scope="module")
def printed(place: AuditTarget) -> dict[str, Any]:
    """The permissions that the command says it needs for everything."""
    policy: dict[str, Any] = json.loads(place.run(*EVERYTHING, "--print-iam-policy").stdout)
    return policy


@pytest.fixture(scope="module")
def auditor(place: AuditTarget, printed: dict[str, Any]) -> AuditTarget:
    """Somebody with exactly those."""
    role = place.role("Auditor", *printed["Statement"])
    return AuditTarget(place.account, place.fixtures, place.folder, place.as_role(role))


USUAL = {
    "good": "COMPLIANT",
    "bad-logs": "NON_COMPLIANT",
    "no-key": "NON_COMPLIANT",
    "legacy-etl": "NOT_APPLICABLE",
    "aws-managed": "NON_COMPLIANT",
    HOSTILE: "NON_COMPLIANT",
    "over-there": "COMPLIANT",
}


def test_audit_with_the_printed_permissions_determines_everything(auditor: AuditTarget) -> None:
    ran = auditor.json(*EVERYTHING)

    assert ran.compliance == USUAL
    assert ran.doubts == {"clusters": {}, "problems": []}
    assert ran.status == 1
    assert {"us-east-1", "us-west-2"} <= {place["region"] for place in ran.report["places"]}
    assert {place["account"] for place in ran.report["places"]} == {ACCOUNT_ID}
    broken = {
        (each["name"], finding["rule_id"]): finding["occurrences"]
        for each in ran.report["clusters"]
        for finding in each["findings"]
        if finding["compliance"] == "NON_COMPLIANT" and finding["status"] == "OPEN"
    }
    assert broken == {
        ("bad-logs", "EMRLOG-101"): 3,
        ("no-key", "EMRLOG-002"): 1,
        ("aws-managed", "EMRLOG-004"): 1,
        (HOSTILE, "EMRLOG-002"): 1,
    }


def test_each_printed_permission_is_needed(place: AuditTarget, printed: dict[str, Any]) -> None:
    [statement] = printed["Statement"]
    role = place.role("Hindered")
    unused = []
    for action in statement["Action"]:
        rest = [other for other in statement["Action"] if other != action]
        place.allow("Hindered", statement | {"Action": rest})
        where = EVERYTHING if action.startswith("ec2:") else ONE_REGION
        ran = place.json(*where, **place.as_role(role))
        if ran.doubts == {"clusters": {}, "problems": []}:
            unused.append(action)

    assert not unused


def test_missing_permission_makes_only_dependent_results_undetermined(
    place: AuditTarget, printed: dict[str, Any]
) -> None:
    denied = {"Effect": "Deny", "Action": "kms:DescribeKey", "Resource": "*"}
    role = place.role("WithoutKeys", *printed["Statement"], denied)

    ran = place.json(**place.as_role(role))

    assert ran.compliance["no-key"] == "NON_COMPLIANT"
    assert ran.compliance["good"] == "INSUFFICIENT_DATA"
    assert "kms:DescribeKey" in str(ran.doubts["clusters"]["good"])
    assert ran.status == 1


def test_audit_without_permissions_exits_with_2(place: AuditTarget) -> None:
    ran = place.json(**place.as_role(place.role("Nobody")))

    assert ran.status == 2
    assert ran.report["clusters"] == []
    assert "elasticmapreduce:ListClusters on us-east-1 answered AccessDenied" in ran.stderr


def test_denied_region_does_not_stop_the_others(
    place: AuditTarget, printed: dict[str, Any]
) -> None:
    denied = {
        "Effect": "Deny",
        "Action": "elasticmapreduce:ListClusters",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": DEFAULT_REGION}},
    }
    role = place.role("WestOnly", *printed["Statement"], denied)

    ran = place.json("--region", DEFAULT_REGION, "--region", OTHER_REGION, **place.as_role(role))

    assert ran.compliance == {"over-there": "COMPLIANT"}
    assert len(ran.report["problems"]) == 1
    assert ran.status == 3


def test_role_is_assumed_to_audit_its_account(place: AuditTarget, printed: dict[str, Any]) -> None:
    reader = place.role("Reader", *printed["Statement"])
    [_, assuming] = json.loads(place.run("--assume-role", reader, "--print-iam-policy").stdout)[
        "Statement"
    ]
    caller = place.as_role(place.role("Caller", assuming))

    ran = place.json("--assume-role", reader, "--region", OTHER_REGION, **caller)
    assert ran.compliance == {"over-there": "COMPLIANT"}
    assert ran.status == 0
    assert ran.report["account"] == ACCOUNT_ID

    other = reader.replace("Reader", "Nobody")
    ran = place.json(
        "--assume-role", reader, "--assume-role", other, "--region", OTHER_REGION, **caller
    )
    assert ran.compliance == {"over-there": "COMPLIANT"}
    assert "sts:AssumeRole" in ran.report["problems"][0]
    assert ran.status == 3


def test_keys_and_roles_are_read_once(auditor: AuditTarget) -> None:
    calls = auditor.json("--region", DEFAULT_REGION).report["api_calls"]

    assert calls["elasticmapreduce:ListClusters"] == 1
    assert calls["elasticmapreduce:DescribeCluster"] == 6
    # The clusters' key, the AWS-managed one, and the step's.
    assert calls["kms:DescribeKey"] == 3
    assert calls["iam:GetRole"] == calls["iam:GetInstanceProfile"] == 1


def test_terminated_cluster_is_audited_by_its_id(auditor: AuditTarget) -> None:
    cluster_id = auditor.fixtures.launch("gone")
    auditor.account.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])

    assert "gone" not in auditor.json(*FEW).compliance
    ran = auditor.json(*FEW, "--cluster", cluster_id, "--cluster", "j-NOWHERE00000")
    assert ran.compliance == {"gone": "NON_COMPLIANT"}
    assert ran.report["problems"] == ["cluster j-NOWHERE00000 was not found"]


def test_hostile_names_are_escaped_in_every_format(auditor: AuditTarget) -> None:
    page = auditor.run(*FEW, "--format", "html").stdout
    assert page.count("<script") == 1  # the page's own
    assert "&lt;script&gt;" in page

    rows = list(csv.DictReader(io.StringIO(auditor.run(*FEW, "--format", "csv").stdout)))
    assert any(row["cluster_name"].startswith("'=cmd") for row in rows)

    table = auditor.run(*FEW).stdout
    assert "\\u202e" in table or "=cmd" in table
    assert "\u202e" not in table + page + str(rows)

    log = json.loads(auditor.run(*FEW, "--format", "sarif").stdout)
    assert len(log["runs"][0]["results"]) == 4


def test_calls_are_printed_only_with_verbose(auditor: AuditTarget) -> None:
    assert auditor.run(*FEW).stderr == ""

    lines = auditor.run(*FEW, "--verbose").stderr.splitlines()
    assert "elasticmapreduce:ListClusters in us-east-1: OK" in lines
    assert all(re.fullmatch(r"[a-z]+:\w+ in [a-z0-9-]+: \w+", line) for line in lines)


@pytest.fixture(scope="module")
def throttling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditTarget]:
    """An account with EMR's own quotas, and more clusters than they let describe at once."""
    with a_place(tmp_path_factory.mktemp("throttling"), emr_quotas=DEFAULT_QUOTAS) as made:
        for region in (DEFAULT_REGION, OTHER_REGION):  # each has quotas of its own
            emr = made.account.client("emr", region_name=region)
            for number in range(14):
                emr.run_job_flow(
                    Name=f"cluster-{number}",
                    Instances={"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 3},
                    LogUri=LOG_URI,
                )
        yield made


@contextmanager
def started(place: AuditTarget, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Have the command run, and tell of its calls."""
    with subprocess.Popen(
        command(*FEW, "--format", "json", "--verbose", *arguments),
        env=environment(place.account, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def notified(running: subprocess.Popen[str], line: str, times: int = 1) -> str:
    """Read the output of a running command until this line has come so often."""
    assert running.stderr is not None
    seen: list[str] = []
    while seen.count(line) < times:
        seen.append(running.stderr.readline().rstrip())
        assert running.poll() is None, seen
    return "\n".join(seen)


def test_throttled_calls_are_retried_and_do_not_change_the_result(throttling: AuditTarget) -> None:
    throttled = "elasticmapreduce:DescribeCluster in us-east-1: ThrottlingException"
    emr, enough = throttling.account.client("emr"), Event()

    def use_the_quota_up() -> None:
        while not enough.is_set():
            with suppress(emr.exceptions.ClientError):
                emr.describe_cluster(ClusterId="j-NOWHERE00000")

    with ThreadPoolExecutor(1) as others:
        using = others.submit(use_the_quota_up)
        try:
            with started(throttling) as running:
                notified(running, throttled)
                enough.set()
                stdout, _ = running.communicate(timeout=120)
        finally:
            enough.set()
        using.result()

    ran = Ran(running.returncode, stdout, "")
    assert list(ran.compliance.values()) == ["NON_COMPLIANT"] * 14
    assert ran.report["problems"] == []
    assert ran.report["api_calls"]["elasticmapreduce:DescribeCluster"] > 14


def test_max_rate_limits_the_calls(throttling: AuditTarget) -> None:
    begun = time.monotonic()
    ran = throttling.json(*FEW, "--max-rate", "2", "--region", OTHER_REGION)

    assert time.monotonic() - begun >= 6.5
    assert ran.report["api_calls"]["elasticmapreduce:DescribeCluster"] == 14


def test_interrupted_audit_prints_a_partial_report_at_once(throttling: AuditTarget) -> None:
    with started(throttling, "--max-rate", "0.2") as running:
        # The first cluster was evaluated in the five seconds before the second is described.
        notified(running, "elasticmapreduce:DescribeCluster in us-east-1: OK", times=2)
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=45)  # the others would take a minute

    report = json.loads(stdout)
    assert report["partial"] is True
    assert 0 < len(report["clusters"]) < 14
    assert "the audit was interrupted" in stderr
    assert "Traceback" not in stderr
    assert running.returncode == 1
