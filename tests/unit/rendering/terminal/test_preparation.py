import io
import json
import shlex
from dataclasses import replace
from typing import Any

import hcl2
import pytest
import yaml
from cfnlint import lint  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.domain.preparation import Preparation
from emr_log_guard.rendering.terminal.preparation import (
    cloudformation,
    create_cluster,
    guide,
    machine,
    shell,
    terraform,
)
from tests.unit.builders import OTHER_ACCOUNT, REGION, a_preparation

HOSTILE = [
    "it's",
    'say "hello"',
    "$(reboot) `reboot`",
    "${var.secret} %{if true}",
    "back\\slash",
    "# no comment: {a: b}",
    "- no list",
    "'; DROP",
    "ünïcode 日本 🙂",
    "--force",
]


def hostile(text: str) -> Preparation:
    """Prepare a cluster whose every name is hostile, as far as AWS lets it be."""
    return a_preparation(
        cluster_name=text,
        instance_profile="a=b,c@d+e",
        node_role_arn="arn:aws:iam::111122223333:role/path/a=b,c@d+e",
        location=LogLocation("example-logs", f"{text}/"),
    )


def template(preparation: Preparation) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(cloudformation(preparation))["Resources"]
    return loaded


def resources(preparation: Preparation) -> dict[str, Any]:
    """Read the Terraform resources by their names, as HCL understands them."""
    parsed = hcl2.load(io.StringIO(terraform(preparation)))
    return {
        unquoted(name): found
        for resource in parsed["resource"]
        for named in resource.values()
        if isinstance(named, dict)
        for name, found in named.items()
    }


def unquoted(text: str) -> str:
    """Give what an HCL string stands for."""
    plain = text.removeprefix('"').removesuffix('"')
    value: str = json.loads(f'"{plain}"')
    return value.replace("$${", "${").replace("%%{", "%{")


@pytest.mark.parametrize(
    "preparation",
    [a_preparation(), a_preparation(location=None), hostile("${var.secret} %{if true}")],
    ids=["bucket and prefix", "own bucket", "hostile names"],
)
def test_cloudformation_template_passes_cfn_lint(preparation: Preparation) -> None:
    found = lint(cloudformation(preparation), config=ManualArgs(regions=[REGION]))

    assert [str(each) for each in found] == []


def test_cfn_lint_rejects_an_unknown_property() -> None:
    text = cloudformation(a_preparation()).replace("LogEncryptionKmsKeyId", "LogKey")

    assert lint(text, config=ManualArgs(regions=[REGION]))


@pytest.mark.parametrize("text", ["nightly-etl", *HOSTILE])
def test_cloudformation_template_contains_hostile_names_unchanged(text: str) -> None:
    wanted = hostile(text)
    made = template(wanted)
    cluster = made["Cluster"]["Properties"]

    assert cluster["Name"] == text
    assert cluster["LogUri"] == f"s3://example-logs/{text}/"
    assert cluster["LogEncryptionKmsKeyId"] == wanted.key_arn
    assert cluster["ServiceRole"] == "EMR_DefaultRole"
    assert cluster["JobFlowRole"] == "a=b,c@d+e"
    assert made["NodeRolePolicy"]["Properties"]["PolicyDocument"] == wanted.node_role_policy()
    assert made["ServiceRolePolicy"]["Properties"]["PolicyDocument"] == wanted.service_role_policy()
    assert made["NodeRolePolicy"]["Properties"]["RoleName"] == "a=b,c@d+e"


@pytest.mark.parametrize("text", ["nightly-etl", *HOSTILE])
def test_terraform_reads_hostile_names_unchanged(text: str) -> None:
    wanted = hostile(text)
    cluster = resources(wanted)["this"]

    assert unquoted(cluster["name"]) == text
    assert unquoted(cluster["log_uri"]) == f"s3://example-logs/{text}/"
    assert unquoted(cluster["log_encryption_kms_key_id"]) == wanted.key_arn
    assert unquoted(cluster["ec2_attributes"][0]["instance_profile"]) == "a=b,c@d+e"


def test_terraform_template_sequences_are_escaped() -> None:
    text = terraform(a_preparation(cluster_name="${a}", location=LogLocation("logs", "x*%{b}/")))

    assert text.count("${") == text.count("$${") == 2
    assert text.count("%{") == text.count("%%{") == 2


def words(text: str) -> list[str]:
    return shlex.split(text, comments=True)


def after(found: list[str], option: str) -> str:
    return found[found.index(option) + 1]


@pytest.mark.parametrize("text", ["nightly-etl", *HOSTILE])
def test_shell_reads_hostile_names_unchanged(text: str) -> None:
    wanted = hostile(text)
    found = words(shell(wanted))

    documents = [json.loads(found[at + 1]) for at, word in enumerate(found) if "document" in word]
    added = [json.loads(found[at + 1]) for at, word in enumerate(found) if word == "added"]
    assert documents == [wanted.service_role_policy(), wanted.node_role_policy()]
    assert added == [wanted.key_policy_statements(), wanted.bucket_policy_statements()]
    assert after(found, "--name") == text
    assert after(found, "--log-uri") == f"s3://example-logs/{text}/"
    assert json.loads(after(found, "--ec2-attributes")) == {"InstanceProfile": "a=b,c@d+e"}
    assert found.count("create-cluster") == 1


@pytest.mark.parametrize("default_key", [True, False])
def test_shell_comments_contain_no_metacharacters(*, default_key: bool) -> None:
    for wanted in (
        a_preparation(default_key=default_key),
        replace(a_preparation(), service_role_arn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/S"),
    ):
        comments = [line for line in shell(wanted).splitlines() if line.startswith("#")]
        assert comments
        assert not set("".join(comments)) & set("'\"`$()[]{}<>|&;*?!\\~")


def test_key_of_another_account_needs_its_key_policy_changed() -> None:
    wanted = replace(a_preparation(), service_role_arn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/S")

    assert "# 2. The key belongs to account 111122223333, so its key policy must" in shell(wanted)
    assert "# 2. Only if the key policy" in shell(a_preparation())


def test_default_encryption_is_set_before_the_bucket_policy() -> None:
    text = shell(a_preparation(default_key=True))

    assert text.index("put-bucket-encryption") < text.index("put-bucket-policy")
    assert "put-bucket-encryption" not in shell(a_preparation())


def test_preparation_without_a_log_location_sets_no_bucket_policy() -> None:
    text = shell(a_preparation(location=None))

    assert "put-bucket-policy" not in text
    assert "# 3." not in text
    assert "--log-uri s3://LOG_BUCKET/logs/" in text


def test_guide_contains_shell_cloudformation_and_terraform() -> None:
    wanted = a_preparation()
    text = guide(wanted)

    assert shell(wanted) in text
    assert cloudformation(wanted) in text
    assert terraform(wanted) in text


def test_json_contains_every_field_of_its_schema() -> None:
    wanted = a_preparation()

    assert json.loads(machine(wanted, ["not checked"])) == {
        "schema": "emr-log-guard/prepare/1",
        "region": REGION,
        "account": "111122223333",
        "key_arn": wanted.key_arn,
        "service_role": {
            "arn": wanted.service_role_arn,
            "policy": wanted.service_role_policy(),
        },
        "instance_profile": {
            "name": "EMR_EC2_DefaultRole",
            "role_arn": wanted.node_role_arn,
            "policy": wanted.node_role_policy(),
        },
        "key_policy_statements": wanted.key_policy_statements(),
        "bucket": "example-logs",
        "bucket_policy_statements": wanted.bucket_policy_statements(),
        "shell": shell(wanted),
        "create_cluster": create_cluster(wanted),
        "cloudformation": cloudformation(wanted),
        "terraform": terraform(wanted),
        "warnings": ["not checked"],
    }
    assert json.loads(machine(a_preparation(location=None), []))["bucket"] is None
