"""CloudFormation accepts state machine definitions in YAML. Upstream: yes.

MiniStack parses the definition that a template refers to as JSON only.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-stepfunctions-statemachine.html
"""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from sandbox.emulator_patches.hooks import wrap


def in_json(definition: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    """Convert every definition to JSON; YAML is a superset of JSON."""

    def defined(properties: Mapping[str, Any]) -> str:
        # MiniStack's environment has PyYAML; the environment that starts the sandbox may not.
        read = import_module("yaml").safe_load
        return json.dumps(read(definition(properties)))

    return defined


def install() -> None:
    """Patch how CloudFormation creates state machines."""
    wrap("services.cloudformation.provisioners", "_sfn_definition", in_json)
