"""What AWS answers about the usual key and roles."""

from typing import Any

from tests.unit.builders import ACCOUNT, KEY, NOW

KEY_METADATA: dict[str, Any] = {
    "KeyId": KEY.arn.rpartition("/")[2],
    "Arn": KEY.arn,
    "KeyManager": "CUSTOMER",
    "KeyState": "Enabled",
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyUsage": "ENCRYPT_DECRYPT",
    "Origin": "AWS_KMS",
}


def iam_role(arn: str) -> dict[str, Any]:
    """Describe a role as IAM does."""
    path, _, name = arn.partition(":role")[2].rpartition("/")
    return {
        "Path": f"{path}/",
        "RoleName": name,
        "RoleId": "AROA0000000000000000",
        "Arn": arn,
        "CreateDate": NOW,
    }


def iam_profile(*role_arns: str) -> dict[str, Any]:
    """Answer GetInstanceProfile."""
    return {
        "InstanceProfile": {
            "Path": "/",
            "InstanceProfileName": "EMR_EC2_DefaultRole",
            "InstanceProfileId": "AIPA0000000000000000",
            "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/EMR_EC2_DefaultRole",
            "CreateDate": NOW,
            "Roles": [iam_role(arn) for arn in role_arns],
        }
    }
