"""What a cluster needs for its logs, as commands and as templates."""

import json
from collections.abc import Mapping, Sequence
from textwrap import indent

from emr_log_guard.domain.preparation import Preparation, Statement
from emr_log_guard.rules import commands

SCHEMA = "emr-log-guard/prepare/1"
_INSTANCE_TYPE = "m5.xlarge"
_CORE_NODES = 2
_NO_LOCATION = "s3://LOG_BUCKET/logs/"


def guide(preparation: Preparation) -> str:
    """Write the guide: commands step by step, then both templates."""
    return "\n".join(
        (
            shell(preparation),
            "# ---- The roles' policies and the cluster as CloudFormation ----\n",
            cloudformation(preparation),
            "# ---- The same as Terraform ----\n",
            terraform(preparation),
        )
    )


def shell(preparation: Preparation) -> str:
    """Write the commands. Comments have no quotes: some shells parse comments."""
    may = "\n".join(
        commands.put_role_policy(role, name, _pretty(document))
        for role, name, document in _role_policies(preparation)
    )
    audit = f"emr-log-guard audit --region {preparation.region} --cluster CLUSTER_ID --objects"
    steps = [
        ("1. Allow both roles to use the key, with least privilege.", may),
        (_about_key_policy(preparation), _add_to_key_policy(preparation)),
        ("4. The cluster.", create_cluster(preparation)),
        ("5. Verify, once it has written logs. Replace CLUSTER_ID.", audit),
    ]
    if preparation.location:
        steps.insert(2, (_about_bucket(preparation), _protect_bucket(preparation)))
    return "\n\n".join(f"# {about}\n{run}" for about, run in steps) + "\n"


def create_cluster(preparation: Preparation) -> str:
    """Write the command that launches the cluster."""
    return commands.create_cluster(
        region=preparation.region,
        name=preparation.cluster_name,
        release_label=preparation.release_label,
        log_uri=_log_uri(preparation),
        key=preparation.key_arn,
        service_role=preparation.service_role,
        instance_profile=preparation.instance_profile,
        more=f" --instance-type {_INSTANCE_TYPE} --instance-count {_CORE_NODES + 1}",
    )


def machine(preparation: Preparation, warnings: Sequence[str]) -> str:
    """Write JSON: a contract."""
    document = {
        "schema": SCHEMA,
        "region": preparation.region,
        "account": preparation.account,
        "key_arn": preparation.key_arn,
        "service_role": {
            "arn": preparation.service_role_arn,
            "policy": preparation.service_role_policy(),
        },
        "instance_profile": {
            "name": preparation.instance_profile,
            "role_arn": preparation.node_role_arn,
            "policy": preparation.node_role_policy(),
        },
        "key_policy_statements": preparation.key_policy_statements(),
        "bucket": preparation.location.bucket if preparation.location else None,
        "bucket_policy_statements": preparation.bucket_policy_statements(),
        "shell": shell(preparation),
        "create_cluster": create_cluster(preparation),
        "cloudformation": cloudformation(preparation),
        "terraform": terraform(preparation),
        "warnings": list(warnings),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def cloudformation(preparation: Preparation) -> str:
    """Write a template. Every value is written as JSON, which is valid YAML.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-emr-cluster.html
    """
    service, node = _role_policies(preparation)
    group = f"{{InstanceType: {_INSTANCE_TYPE}, InstanceCount: "
    return f"""\
AWSTemplateFormatVersion: "2010-09-09"
Description: An EMR cluster whose logs are encrypted with a customer-managed key
Resources:
{_policy_resource("ServiceRolePolicy", *service)}
{_policy_resource("NodeRolePolicy", *node)}
  Cluster:
    Type: AWS::EMR::Cluster
    DependsOn: [ServiceRolePolicy, NodeRolePolicy]
    Properties:
      Name: {_json(preparation.cluster_name)}
      ReleaseLabel: {_json(preparation.release_label)}
      LogUri: {_json(_log_uri(preparation))}
      LogEncryptionKmsKeyId: {_json(preparation.key_arn)}
      ServiceRole: {_json(preparation.service_role)}
      JobFlowRole: {_json(preparation.instance_profile)}
      Instances:
        MasterInstanceGroup: {group}1}}
        CoreInstanceGroup: {group}{_CORE_NODES}}}
"""


def terraform(preparation: Preparation) -> str:
    """Write resources. Every value is written as JSON, with HCL's template markers escaped.

    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/emr_cluster
    """
    service, node = _role_policies(preparation)
    return f"""\
{_policy_block("emr_log_key", *service)}

{_policy_block("emr_logs", *node)}

resource "aws_emr_cluster" "this" {{
  name                      = {_hcl(preparation.cluster_name)}
  release_label             = {_hcl(preparation.release_label)}
  log_uri                   = {_hcl(_log_uri(preparation))}
  log_encryption_kms_key_id = {_hcl(preparation.key_arn)}
  service_role              = {_hcl(preparation.service_role)}

  ec2_attributes {{
    instance_profile = {_hcl(preparation.instance_profile)}
  }}

  master_instance_group {{
    instance_type = "{_INSTANCE_TYPE}"
  }}

  core_instance_group {{
    instance_type  = "{_INSTANCE_TYPE}"
    instance_count = {_CORE_NODES}
  }}

  depends_on = [aws_iam_role_policy.emr_log_key, aws_iam_role_policy.emr_logs]
}}
"""


type _RolePolicy = tuple[str, str, Statement]
"""A role's name, and the name and the document of its policy."""


def _role_policies(preparation: Preparation) -> tuple[_RolePolicy, _RolePolicy]:
    return (
        (
            preparation.service_role,
            preparation.service_role_policy_name,
            preparation.service_role_policy(),
        ),
        (
            preparation.node_role,
            preparation.node_role_policy_name,
            preparation.node_role_policy(),
        ),
    )


def _policy_resource(logical_id: str, role: str, name: str, document: Statement) -> str:
    return f"""\
  {logical_id}:
    Type: AWS::IAM::RolePolicy
    Properties:
      RoleName: {_json(role)}
      PolicyName: {name}
      PolicyDocument:
{indent(_pretty(document), " " * 8)}"""


def _policy_block(label: str, role: str, name: str, document: Statement) -> str:
    return f"""\
resource "aws_iam_role_policy" "{label}" {{
  name   = "{name}"
  role   = {_hcl(role)}
  policy = jsonencode({_nested(document)})
}}"""


def _about_key_policy(preparation: Preparation) -> str:
    if preparation.key_account != preparation.account:
        return (
            f"2. The key belongs to account {preparation.key_account}, so its key policy must "
            "allow the same. Run this in that account."
        )
    return (
        "2. Only if the key policy does not delegate to IAM, as the default one does: allow the "
        "same there.\n#    Both together are fine."
    )


def _about_bucket(preparation: Preparation) -> str:
    otherwise = "Deny logs that are encrypted otherwise. The rest of the bucket is not affected."
    unasked = "gets the default of the bucket" if preparation.default_key else "is denied, too"
    return (
        f"3. {otherwise}\n#    A log that requests no encryption {unasked}. "
        "A denied log is lost: start with an unimportant cluster."
    )


def _add_to_key_policy(preparation: Preparation) -> str:
    return commands.add_to_key_policy(
        preparation.region, preparation.key_arn, preparation.key_policy_statements(), indent=2
    )


def _protect_bucket(preparation: Preparation) -> str:
    bucket = preparation.location.bucket if preparation.location else ""
    add = commands.add_to_bucket_policy(bucket, preparation.bucket_policy_statements(), indent=2)
    if not preparation.default_key:
        return add
    return f"{commands.encrypt_bucket_by_default(bucket, preparation.key_arn)}\n{add}"


def _log_uri(preparation: Preparation) -> str:
    location = preparation.location
    return f"s3://{location.bucket}/{location.prefix}" if location else _NO_LOCATION


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _pretty(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _hcl(text: str) -> str:
    return _untemplated(_json(text))


def _nested(document: Mapping[str, object]) -> str:
    """Write a document as the value of an attribute, indented by two."""
    return indent(_untemplated(_pretty(document)), "  ").lstrip()


def _untemplated(text: str) -> str:
    """Escape what begins a template inside HCL's strings.

    https://developer.hashicorp.com/terraform/language/expressions/strings
    """
    return text.replace("${", "$${").replace("%{", "%%{")
