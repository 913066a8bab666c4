"""AWS CLI commands that several texts offer. User-controlled text is quoted."""

import json
from collections.abc import Mapping, Sequence
from shlex import quote

_SHORTHAND = frozenset(",=[]{}'\"")
"""Characters that are special in the AWS CLI's shorthand syntax.

https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
"""
_MERGE = (
    "{} | .Statement = ([.Statement // empty] | flatten "
    "| map(select(.Sid | IN($added[].Sid) | not))) + $added"
)
"""Statements of the same Sid are replaced, so that a command can be run twice."""


def create_cluster(  # noqa: PLR0913 - each is an option of the command
    *,
    region: str,
    name: str,
    release_label: str,
    log_uri: str,
    key: str,
    service_role: str | None,
    instance_profile: str | None,
    more: str = "",
) -> str:
    """Launch a cluster whose logs are encrypted with a key."""
    options = [
        f"--region {quote(region)}",
        f"--name {quote(name)}",
        f"--release-label {quote(release_label)}",
        f"--log-uri {quote(log_uri)}",
        f"--log-encryption-kms-key-id {quote(key)}",
    ]
    if service_role:
        options.append(f"--service-role {quote(service_role)}")
    if instance_profile:
        attributes = f"InstanceProfile={instance_profile}"
        if _SHORTHAND & set(instance_profile):
            attributes = json.dumps({"InstanceProfile": instance_profile})
        options.append(f"--ec2-attributes {quote(attributes)}")
    return f"aws emr create-cluster {' '.join(options)}{more}"


def put_role_policy(role: str, name: str, document: str) -> str:
    """Add an inline policy to a role."""
    return (
        f"aws iam put-role-policy --role-name {quote(role)} --policy-name {quote(name)} "
        f"--policy-document {quote(document)}"
    )


def add_to_key_policy(
    region: str, key_arn: str, statements: Sequence[Mapping[str, object]], indent: int | None = None
) -> str:
    """Add statements to a key's policy: put replaces the whole document, so read, add, write.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
    """
    key = f"--region {quote(region)} --key-id {quote(key_arn)}"
    return (
        f"aws kms get-key-policy {key} --policy-name default --query Policy --output text "
        f"| jq --argjson added {quote(json.dumps(statements, indent=indent))} "
        f"{quote(_MERGE.format('.'))} > key-policy.json\n"
        f"aws kms put-key-policy {key} --policy-name default --policy file://key-policy.json"
    )


def add_to_bucket_policy(
    bucket: str, statements: Sequence[Mapping[str, object]], indent: int | None = None
) -> str:
    """Add statements to a bucket's policy, which is created if there is none.

    Nothing is written when there is a policy that cannot be read.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
    """
    name = f"--bucket {quote(bucket)}"
    nothing = 'add // {"Version": "2012-10-17"}'
    return (
        f"{{ aws s3api get-bucket-policy {name} --query Policy --output text 2> bucket-policy.err "
        "|| { cat bucket-policy.err >&2; grep -q NoSuchBucketPolicy bucket-policy.err; }; } "
        "> bucket-policy.old &&\n"
        f"jq -s --argjson added {quote(json.dumps(statements, indent=indent))} "
        f"{quote(_MERGE.format(nothing))} bucket-policy.old > bucket-policy.json &&\n"
        f"aws s3api put-bucket-policy {name} --policy file://bucket-policy.json"
    )


def encrypt_bucket_by_default(bucket: str, key_arn: str) -> str:
    """Make a key the default encryption of a bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
    """
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    rule = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    return (
        f"aws s3api put-bucket-encryption --bucket {quote(bucket)} "
        f"--server-side-encryption-configuration {quote(json.dumps({'Rules': [rule]}))}"
    )


def prepare(
    *, key: str, service_role: str, instance_profile: str, log_uri: str, region: str
) -> str:
    """Print what a cluster needs for its logs: read-only."""
    return (
        f"emr-log-guard prepare --region {quote(region)} --key {quote(key)} "
        f"--service-role {quote(service_role)} --instance-profile {quote(instance_profile)} "
        f"--log-uri {quote(log_uri)}"
    )
