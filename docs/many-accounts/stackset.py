"""Turns the packaged template into one that StackSets deploys to every account of an organization.

StackSets with service-managed permissions take no templates with a transform, SAM's included:
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html
So SAM's transform is made here, by SAM's own translator. And a function's code has to be in a
bucket of its own Region: a bucket's name ends with its Region's, and the template says so.

    .venv/sam/bin/python docs/many-accounts/stackset.py PACKAGED.yaml BUCKET_PREFIX > MEMBERS.json
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

ARTIFACTS = ("CodeUri", "ContentUri", "DefinitionUri")
LARGEST = 1024 * 1024
"""Bytes that a template in S3 may have."""


class NoManagedPolicies(ManagedPolicyLoader):
    """Asks AWS for nothing: the template names no managed policy but SAM's own by their ARNs."""

    def __init__(self) -> None:
        super().__init__(None)

    def load(self) -> dict[str, str]:
        """Know none."""
        return {}


def stop(message: str) -> NoReturn:
    """End with a message and a status that is not zero."""
    sys.exit(f"stackset.py: {message}")


def plain(template: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Translate a packaged template; its artifacts are then in the bucket of each Region."""
    for name, resource in template["Resources"].items():
        for field in ARTIFACTS:
            place = resource.get("Properties", {}).get(field)
            if place is not None and not str(place).startswith(f"s3://{prefix}-"):
                stop(f"{name}.{field} is {place}, not s3://{prefix}-REGION/...: `sam package` it")
    # SAM's translator asks for a Region where none is set; nothing in the template depends on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    translated.pop("Transform", None)
    return in_each_region(translated, prefix)


def in_each_region(node: Any, prefix: str) -> Any:  # noqa: ANN401 - a template is any JSON
    """Name the bucket of artifacts by the Region that the template is deployed in."""
    match node:
        case str() if node.startswith(f"{prefix}-") and "/" not in node:
            return {"Fn::Sub": f"{prefix}-${{AWS::Region}}"}
        case dict():
            return {name: in_each_region(value, prefix) for name, value in node.items()}
        case list():
            return [in_each_region(value, prefix) for value in node]
        case _:
            return node


def main(arguments: list[str]) -> None:
    """Print the template."""
    if len(arguments) != 2:  # noqa: PLR2004 - two are needed
        stop("give the packaged template and the prefix of the buckets' names")
    packaged, prefix = arguments
    text = json.dumps(plain(yaml_parse(Path(packaged).read_text()), prefix), indent=1)
    if len(text.encode()) > LARGEST:
        stop("the template is larger than the 1 MB that CloudFormation takes")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
