"""Turns the packaged template into one that StackSets deploys to every account of an organization.

StackSets with service-managed permissions take no templates with a transform, SAM's included:
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html
So SAM's transform is made here, by SAM's own translator. And a function's code has to be in a
bucket of its own Region: a bucket's name ends with its Region's, and the template says so. The
translator writes ARNs of managed policies, which differ between partitions (AWS, China, GovCloud):
the template is for all Regions of the one partition that REGION is in.

    .venv/sam/bin/python tools/many_accounts/stackset.py PACKAGED BUCKET_PREFIX REGION > MEMBERS
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

# Both are in the SAM CLI's environment alone.
from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found]
from samtranslator.translator.managed_policy_translator import (  # type: ignore[import-not-found]
    ManagedPolicyLoader,
)
from samtranslator.translator.transform import transform  # type: ignore[import-not-found]

ARTIFACTS = ("CodeUri", "ContentUri", "DefinitionUri")
BUCKETS = {
    "AWS::Lambda::Function": ("Code", "S3Bucket"),
    "AWS::Lambda::LayerVersion": ("Content", "S3Bucket"),
    "AWS::StepFunctions::StateMachine": ("DefinitionS3Location", "Bucket"),
}
"""Where a translated resource names the bucket of its code; nothing else is changed."""
REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]+"
LARGEST = 1024 * 1024
"""Bytes that a template in S3 may have."""


class NoManagedPolicies(ManagedPolicyLoader):  # type: ignore[misc]
    """Asks AWS for nothing: the template names no managed policy but SAM's own by their ARNs."""

    def __init__(self) -> None:
        super().__init__(None)

    def load(self) -> dict[str, str]:
        """Know none."""
        return {}


def stop(message: str) -> NoReturn:
    """End with a message and a status that is not zero."""
    sys.exit(f"stackset.py: {message}")


def plain(template: dict[str, Any], prefix: str, region: str) -> dict[str, Any]:
    """Translate a packaged template; its artifacts are then in the bucket of each Region."""
    [bucket] = artifacts(template, prefix)
    os.environ["AWS_DEFAULT_REGION"] = region  # from which the translator derives the partition
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    translated.pop("Transform", None)
    for name, resource in translated["Resources"].items():
        if resource["Type"] in BUCKETS:
            place, field = BUCKETS[resource["Type"]]
            found = resource["Properties"][place]
            if found[field] != bucket:
                stop(f"{name}.{place}.{field} is {found[field]}, not {bucket}")
            found[field] = {"Fn::Sub": f"{prefix}-${{AWS::Region}}"}
    return translated


def artifacts(template: dict[str, Any], prefix: str) -> set[str]:
    """Name the bucket that every artifact was packaged into; stop if it is not one of the hub's."""
    buckets = set()
    for name, resource in template["Resources"].items():
        for field in ARTIFACTS:
            place = resource.get("Properties", {}).get(field)
            if place is not None:
                # `sam package` writes where a state machine's definition is as an object.
                named = isinstance(place, dict)
                uri = f"s3://{place['Bucket']}/{place['Key']}" if named else str(place)
                found = re.fullmatch(rf"s3://({re.escape(prefix)}-{REGION})/.+", uri)
                if found is None:
                    stop(f"{name}.{field} is {uri}, not s3://{prefix}-REGION/...: `sam package` it")
                buckets.add(found[1])
    if len(buckets) != 1:
        stop(f"the code is in {len(buckets)} buckets, not in one: `sam package` it")
    return buckets


def main(arguments: list[str]) -> None:
    """Print the template."""
    if len(arguments) != 3:  # noqa: PLR2004 - three are needed
        stop(
            "give the packaged template, the prefix of the buckets' names, and a Region of the"
            " partition that the members are in"
        )
    packaged, prefix, region = arguments
    if re.fullmatch(REGION, region) is None:
        stop(f"{region} is no Region")
    text = json.dumps(plain(yaml_parse(Path(packaged).read_text()), prefix, region), indent=1)
    if len(text.encode()) > LARGEST:
        stop("the template is larger than the 1 MB that CloudFormation takes")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
