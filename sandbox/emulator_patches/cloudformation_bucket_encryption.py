"""CloudFormation applies a bucket's BucketEncryption property. Upstream: yes.

MiniStack's CloudFormation drops the property.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
"""

from typing import Any
from xml.sax.saxutils import escape

from sandbox.emulator_patches.hooks import part, settle_provisioned


def install() -> None:
    """Store the default encryption whenever a stack creates or updates a bucket."""
    settle_provisioned("AWS::S3::Bucket", _encrypt)


def _encrypt(bucket: str, properties: dict[str, Any]) -> None:
    part("services.s3", "_delete_bucket_encryption")(bucket)
    for rule in properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", ()):
        default = rule["ServerSideEncryptionByDefault"]
        names = "".join(f"<{name}>{escape(said)}</{name}>" for name, said in default.items())
        wanted = str(rule.get("BucketKeyEnabled", "false")).lower()
        body = (
            "<ServerSideEncryptionConfiguration><Rule>"
            f"<ApplyServerSideEncryptionByDefault>{names}</ApplyServerSideEncryptionByDefault>"
            f"<BucketKeyEnabled>{wanted}</BucketKeyEnabled>"
            "</Rule></ServerSideEncryptionConfiguration>"
        )
        part("services.s3", "_put_bucket_encryption")(bucket, body.encode())
