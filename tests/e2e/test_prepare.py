"""What `prepare` prints, run as it is printed, on an emulated account with IAM enforced."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import EmrPace, Sandbox
from sandbox.running import ACCOUNT_ID

pytestmark = pytest.mark.xdist_group("prepare")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "team a/it's $(x)/"
EXISTING = {
    "Sid": "WhoReadsTheBucket",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::prepared-logs/*",
}


@dataclass(frozen=True)
class AuditTarget:
    """An account, and a folder in which the printed commands are run."""

    account: Sandbox
    folder: Path
    key: str
    other_key: str

    def prepare(self, *arguments: str, roles: str = "Prepared") -> str:
        """Run the command, and return what it prints."""
        command = [sys.executable, "-m", "emr_log_guard.cli", "prepare", *arguments]
        named = ("--service-role", f"{roles}Service", "--instance-profile", f"{roles}Profile")
        ran = self._run([*command, *named])
        assert "Warning" not in ran.stderr
        return ran.stdout

    def audit(self, cluster_id: str) -> dict[str, str]:
        """Audit a cluster: its own result, and each rule's that found something, by id."""
        command = [sys.executable, "-m", "emr_log_guard.cli", "audit", "--format", "json"]
        ran = self._run([*command, "--cluster", cluster_id, "--objects"], check=False)
        [cluster] = json.loads(ran.stdout)["clusters"]
        found = {each["rule_id"]: each["compliance"] for each in cluster["findings"]}
        return found | {"cluster": cluster["compliance"]}

    def shell(self, script: str) -> str:
        """Run a script as bash does."""
        return self._run(["bash", "-euo", "pipefail", "-c", script]).stdout

    def make_roles(self, name: str) -> str:
        """Make roles that may do nothing; the profile's role has another name than the profile."""
        iam = self.account.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=f"{name}Service", AssumeRolePolicyDocument=document)
        nodes = iam.create_role(
            RoleName=f"{name}Nodes", Path="/emr/", AssumeRolePolicyDocument=document
        )
        iam.create_instance_profile(InstanceProfileName=f"{name}Profile")
        iam.add_role_to_instance_profile(
            InstanceProfileName=f"{name}Profile", RoleName=f"{name}Nodes"
        )
        arn: str = nodes["Role"]["Arn"]
        return arn

    def as_role(self, arn: str) -> Any:  # noqa: ANN401 - a client of S3
        """Assume a role and write as it."""
        session = self.account.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")
        credentials = session["Credentials"]
        return self.account.client(
            "s3",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    def launch(self, roles: str) -> str:
        """Launch a cluster by hand, as `prepare` would have it."""
        answer = self.account.client("emr").run_job_flow(
            Name="by-hand",
            ReleaseLabel="emr-7.12.0",
            LogUri="s3://prepared-logs/by-hand/",
            LogEncryptionKmsKeyId=self.key,
            ServiceRole=f"{roles}Service",
            JobFlowRole=f"{roles}Profile",
            Instances={"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 1},
        )
        cluster_id: str = answer["JobFlowId"]
        return cluster_id

    def _run(self, command: list[str], *, check: bool = True) -> "subprocess.CompletedProcess[str]":
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
        mine = {
            "PYTHONPATH": str(ROOT / "layers" / "emr_log_guard"),
            "PATH": f"{self.folder}:{os.environ['PATH']}",
        }
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env=kept | self.account.environment | mine,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in ran.stderr, ran.stderr
        assert not check or ran.returncode == 0, ran.stderr
        return ran


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditTarget]:
    """Two keys, and a bucket whose policy says something already."""
    folder = tmp_path_factory.mktemp("prepare")
    (folder / "aws").write_text(
        f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "aws_command.py"} "$@"\n'
    )
    (folder / "aws").chmod(0o755)
    with Sandbox.start(emr=EmrPace(launch=3600)) as account:
        kms, s3 = account.client("kms"), account.client("s3")
        key, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        kms.create_alias(AliasName="alias/prepared", TargetKeyId=key)
        for bucket in ("prepared-logs", "fresh-logs"):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_policy(
            Bucket="prepared-logs",
            Policy=json.dumps({"Version": "2012-10-17", "Statement": EXISTING}),
        )
        yield AuditTarget(account, folder, key, other)


def steps(script: str, last: int) -> str:
    """Give a script up to and with one of its steps."""
    return script.partition(f"# {last + 1}. ")[0]


def refused(s3: Any, bucket: str, key: str, **encryption: str) -> bool:  # noqa: ANN401 - a client
    """Say whether a put is refused by a policy."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=b"a log line\n", **encryption)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return True
    return False


def ways(place: AuditTarget) -> Mapping[str, dict[str, str]]:
    """Name the ways in which a put may ask to be encrypted."""
    kms = {"ServerSideEncryption": "aws:kms"}
    return {
        "the key": kms | {"SSEKMSKeyId": place.key},
        "another key": kms | {"SSEKMSKeyId": place.other_key},
        "no key": kms,
        "twice": {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": place.key},
        "SSE-S3": {"ServerSideEncryption": "AES256"},
        "SSE-C": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32},
        "nothing": {},
    }


@pytest.fixture(scope="module")
def prepared(place: AuditTarget) -> tuple[str, str]:
    """Do all that is printed; return the cluster's id and the ARN of the nodes' role."""
    nodes = place.make_roles("Prepared")
    script = place.prepare(
        *("--key", "alias/prepared", "--name", 'it\'s "$(x)"'),
        *("--log-uri", f"s3://prepared-logs/{FOLDER}", "--format", "shell"),
    )
    place.shell(steps(script, 3))
    before = place.account.client("s3").get_bucket_policy(Bucket="prepared-logs")["Policy"]
    launched = place.shell(steps(script, 4))  # all of it once more: nothing is there twice
    after = place.account.client("s3").get_bucket_policy(Bucket="prepared-logs")["Policy"]
    assert json.loads(before) == json.loads(after)
    *_, answer = launched.strip().splitlines()
    return json.loads(answer)["JobFlowId"], nodes


def test_prepared_cluster_complies(place: AuditTarget, prepared: tuple[str, str]) -> None:
    cluster_id, nodes = prepared
    log = f"{FOLDER}{cluster_id}/node/i-1/daemons.log.gz"
    assert not refused(place.as_role(nodes), "prepared-logs", log, **ways(place)["the key"])

    found = place.audit(cluster_id)

    assert found.pop("cluster") == "COMPLIANT"
    assert found["EMRLOG-007"] == "COMPLIANT"
    assert set(found.values()) <= {"COMPLIANT", "NOT_APPLICABLE"}
    described = place.account.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert described["Name"] == 'it\'s "$(x)"'
    assert described["LogEncryptionKmsKeyId"] == place.key


def test_cluster_with_unprepared_roles_does_not_comply(place: AuditTarget) -> None:
    place.make_roles("Unprepared")

    found = place.audit(place.launch("Unprepared"))

    assert found["EMRLOG-007"] == found["cluster"] == "NON_COMPLIANT"


@pytest.mark.parametrize("step", [1, 2])
def test_role_policies_alone_suffice_and_so_does_the_key_policy_alone(
    place: AuditTarget, step: int
) -> None:
    roles = f"Half{step}"
    place.make_roles(roles)
    script = place.prepare("--key", place.key, "--format", "shell", roles=roles)
    begin = script.index(f"# {step}. ")
    place.shell(script[begin : script.index(f"# {'2' if step == 1 else '4'}. ")])

    assert place.audit(place.launch(roles))["EMRLOG-007"] == "COMPLIANT"


def test_prepared_roles_have_no_other_permissions(
    place: AuditTarget, prepared: tuple[str, str]
) -> None:
    s3 = place.as_role(prepared[1])

    assert refused(s3, "prepared-logs", "elsewhere/x", **ways(place)["the key"])
    assert refused(s3, "fresh-logs", f"{FOLDER}x", **ways(place)["the key"])
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket="prepared-logs", Key=f"{FOLDER}x")


@pytest.fixture(scope="module")
def anybody(place: AuditTarget) -> Any:  # noqa: ANN401 - a client of S3
    """Somebody who may write everything, with every key."""
    iam = place.account.client("iam")
    everything = {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = iam.create_role(RoleName="Anybody", AssumeRolePolicyDocument=json.dumps(document))
    document["Statement"] = [everything]
    iam.put_role_policy(RoleName="Anybody", PolicyName="all", PolicyDocument=json.dumps(document))
    return place.as_role(role["Role"]["Arn"])


@pytest.mark.usefixtures("prepared")
def test_bucket_policy_denies_other_encryption_in_the_log_folder(
    place: AuditTarget,
    anybody: Any,  # noqa: ANN401 - boto3's
) -> None:
    found = {
        name: refused(anybody, "prepared-logs", f"{FOLDER}j-X/x", **encryption)
        for name, encryption in ways(place).items()
    }

    assert found == dict.fromkeys(ways(place), True) | {"the key": False}


@pytest.mark.usefixtures("prepared")
def test_other_folders_accept_any_encryption_as_before(place: AuditTarget, anybody: Any) -> None:  # noqa: ANN401
    for name, encryption in ways(place).items():
        assert not refused(anybody, "prepared-logs", f"team a/other/{name}", **encryption)
    policy = place.account.client("s3").get_bucket_policy(Bucket="prepared-logs")["Policy"]
    assert EXISTING in json.loads(policy)["Statement"]


@pytest.mark.usefixtures("prepared")
def test_bucket_policy_applies_to_the_start_of_a_multipart_upload(
    place: AuditTarget,
    anybody: Any,  # noqa: ANN401
) -> None:
    where = {"Bucket": "prepared-logs", "Key": f"{FOLDER}j-X/parts"}
    upload = anybody.create_multipart_upload(**where, **ways(place)["the key"])["UploadId"]

    assert anybody.upload_part(**where, PartNumber=1, UploadId=upload, Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        anybody.create_multipart_upload(**where)


def test_put_without_encryption_is_allowed_when_the_key_is_the_default(
    place: AuditTarget,
    anybody: Any,  # noqa: ANN401
) -> None:
    place.make_roles("Default")
    script = place.prepare(
        *("--key", place.key, "--default-encryption", "--format", "shell"),
        *("--log-uri", "s3://fresh-logs"),
        roles="Default",
    )
    place.shell(steps(script, 3))

    found = {
        name: refused(anybody, "fresh-logs", "j-X/log", **encryption)
        for name, encryption in ways(place).items()
    }
    assert found == dict.fromkeys(ways(place), True) | {"the key": False, "nothing": False}
    head = place.account.client("s3").head_object(Bucket="fresh-logs", Key="j-X/log")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", place.key)
    assert not refused(anybody, "fresh-logs", "elsewhere", **ways(place)["SSE-S3"])


def test_unreadable_bucket_policy_is_not_replaced(place: AuditTarget) -> None:
    nodes = place.make_roles("Blind")
    may_write = {"Effect": "Allow", "Action": "s3:PutBucketPolicy", "Resource": "*"}
    place.account.client("iam").put_role_policy(
        RoleName="BlindNodes",
        PolicyName="write",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may_write]}),
    )
    script = place.prepare(
        *("--key", place.key, "--format", "shell", "--log-uri", "s3://prepared-logs/blind/"),
        roles="Blind",
    )
    step = steps(script, 3)[script.index("# 3. ") :]
    session = place.account.client("sts").assume_role(RoleArn=nodes, RoleSessionName="test")
    credentials = {
        "AWS_ACCESS_KEY_ID": session["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["Credentials"]["SessionToken"],
    }
    as_blind = "\n".join(f"export {name}='{value}'" for name, value in credentials.items())
    before = place.account.client("s3").get_bucket_policy(Bucket="prepared-logs")["Policy"]

    with pytest.raises(AssertionError, match="AccessDenied"):
        place.shell(f"{as_blind}\n{step}")

    after = place.account.client("s3").get_bucket_policy(Bucket="prepared-logs")["Policy"]
    assert after == before
