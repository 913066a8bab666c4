import json
from collections.abc import Callable
from typing import Any

from sandbox import Sandbox


def template(**settings: object) -> str:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": settings}
    return json.dumps(
        {"Resources": {"Bucket": bucket}, "Outputs": {"Name": {"Value": {"Ref": "Bucket"}}}}
    )


def test_stack_bucket_has_the_default_encryption_of_its_latest_template(
    sandbox: Sandbox, key: str, eventually: Callable[..., Any]
) -> None:
    cloudformation, s3 = sandbox.client("cloudformation"), sandbox.client("s3")

    def head(status: str) -> dict[str, Any]:
        eventually(lambda: sandbox.stack_status("encrypted") == status)
        name = sandbox.outputs("encrypted")["Name"]
        s3.put_object(Bucket=name, Key="k", Body=b"x")
        found: dict[str, Any] = s3.head_object(Bucket=name, Key="k")
        return found

    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": default}
    chosen = template(BucketEncryption={"ServerSideEncryptionConfiguration": [rule]})
    cloudformation.create_stack(StackName="encrypted", TemplateBody=chosen)
    found = head("CREATE_COMPLETE")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)
    assert found["BucketKeyEnabled"] is True

    cloudformation.update_stack(StackName="encrypted", TemplateBody=template())
    assert head("UPDATE_COMPLETE")["ServerSideEncryption"] == "AES256"
