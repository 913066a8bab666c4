"""As much of the AWS CLI as the commands need that `prepare` prints: `python aws_command.py …`.

The AWS CLI pins a botocore of its own, and is not everywhere where the tests are.
"""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import ClientError


def main(words: list[str]) -> int:
    service, operation, *rest = words
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    region, query = options.pop("--region", None), options.pop("--query", None)
    text = options.pop("--output", "json") == "text"
    make: Any = boto3.client
    client = make({"s3api": "s3"}.get(service, service), region_name=region)
    try:
        if operation == "create-cluster":
            answer = client.run_job_flow(**cluster(options))
        else:
            method = operation.replace("-", "_")
            shape = client.meta.service_model.operation_model(
                client.meta.method_to_api_mapping[method]
            ).input_shape
            answer = getattr(client, method)(**parameters(options, shape))
    except ClientError as error:
        sys.stderr.write(f"\n{error}\n")
        return 254
    answer.pop("ResponseMetadata")
    found = jmespath.search(query, answer) if query else answer
    sys.stdout.write(f"{found if text else json.dumps(found, default=str)}\n")
    return 0


def parameters(options: dict[str, str], shape: Any) -> dict[str, object]:  # noqa: ANN401
    """Give the parameters of an API from the options that the AWS CLI makes of them."""
    given = {}
    for member, kind in shape.members.items():
        option = f"--{xform_name(member, '-')}"
        if option in options:
            value = options.pop(option)
            if value.startswith("file://"):
                value = Path(value.removeprefix("file://")).read_text()
            given[member] = json.loads(value) if kind.type_name == "structure" else value
    assert not options, f"unknown: {options}"
    return given


def cluster(options: dict[str, str]) -> dict[str, object]:
    """Give RunJobFlow's parameters; its command has options of its own."""
    attributes = options.pop("--ec2-attributes")
    profile = (
        json.loads(attributes)["InstanceProfile"]
        if attributes.startswith("{")
        else attributes.removeprefix("InstanceProfile=")
    )
    kind, count = options.pop("--instance-type"), int(options.pop("--instance-count"))
    given = {
        "Name": options.pop("--name"),
        "ReleaseLabel": options.pop("--release-label"),
        "LogUri": options.pop("--log-uri"),
        "LogEncryptionKmsKeyId": options.pop("--log-encryption-kms-key-id"),
        "ServiceRole": options.pop("--service-role"),
        "JobFlowRole": profile,
        "Instances": {
            "MasterInstanceType": kind,
            "SlaveInstanceType": kind,
            "InstanceCount": count,
            "KeepJobFlowAliveWhenNoSteps": True,
        },
    }
    assert not options, f"unknown: {options}"
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
