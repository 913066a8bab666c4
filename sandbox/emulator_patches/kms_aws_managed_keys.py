"""KMS creates AWS-managed keys such as `alias/aws/s3` on first use. Upstream: yes.

MiniStack has none, and describes every key as customer-managed.

https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key
"""

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import Response, account_and_region, part, refuse, wrap

SERVICES = ("dynamodb", "ebs", "elasticmapreduce", "glue", "lambda", "logs", "rds", "s3",
            "secretsmanager", "sns", "sqs", "ssm")  # fmt: skip
ALIAS = re.compile(rf"(?:arn:aws:kms:[^:]+:[^:]+:)?alias/aws/({'|'.join(SERVICES)})")
OWNER = "_aws_managed_for"
"""The field that marks an AWS-managed key in MiniStack's store."""


def alias_arn(service: str) -> str:
    """The ARN of the alias of a service's AWS-managed key, in the request's account and Region."""
    account, region = account_and_region()
    return f"arn:aws:kms:{region}:{account}:alias/aws/{service}"


def make(service: str) -> dict[str, Any]:
    """Create the AWS-managed key of a service in the request's account and Region."""
    account, region = account_and_region()
    response: Response = part("services.kms", "_create_key")(
        {
            "Description": f"Default key that protects my {service} data when no other key "
            "is defined",
            "Policy": json.dumps(policy(service, account, region)),
        }
    )
    key_id = json.loads(response[2])["KeyMetadata"]["KeyId"]
    record: dict[str, Any] = part("services.kms", "_keys")[key_id]
    record[OWNER] = service
    part("services.kms", "_aliases")[alias_arn(service)] = key_id
    return record


def policy(service: str, account: str, region: str) -> dict[str, Any]:
    """The policy of an AWS-managed key: use it through its service, and describe it.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
    """
    return {
        "Version": "2012-10-17",
        "Id": f"auto-{service}-2",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
                           "kms:CreateGrant", "kms:DescribeKey"],
                "Resource": "*",
                "Condition": {
                    "StringEquals": {
                        "kms:CallerAccount": account,
                        "kms:ViaService": f"{service}.{region}.amazonaws.com",
                    }
                },
            },
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    }  # fmt: skip


def resolving(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Create a service's key when its alias is first resolved."""

    def resolve_key(reference: str) -> dict[str, Any] | None:
        record: dict[str, Any] | None = resolve(reference)
        match = ALIAS.fullmatch(reference or "")
        if record is not None or match is None:
            return record
        # An ARN may name another account or Region, whose keys are not available here.
        here = (f"alias/aws/{match[1]}", alias_arn(match[1]))
        return make(match[1]) if reference in here else None

    return resolve_key


def with_manager(metadata: Callable[..., Any]) -> Callable[..., Any]:
    """Return the key's manager."""

    def key_metadata(record: dict[str, Any]) -> dict[str, Any]:
        described: dict[str, Any] = metadata(record)
        return described | {"KeyManager": "AWS"} if OWNER in record else described

    return key_metadata


def protecting(change: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse changes to AWS-managed keys."""

    def change_key(request: dict[str, Any]) -> Response:
        record = part("services.kms", "_resolve_key")(request.get("KeyId", ""))
        if record is not None and OWNER in record:
            return refuse("AccessDeniedException", "AWS-managed keys cannot be changed")
        response: Response = change(request)
        return response

    return change_key


def install() -> None:
    """Create the keys, return their manager, and protect them from changes."""
    wrap("services.kms", "_resolve_key", resolving)
    wrap("services.kms", "_key_metadata", with_manager)
    for change in ("_disable_key", "_enable_key", "_put_key_policy", "_schedule_key_deletion"):
        wrap("services.kms", change, protecting)
