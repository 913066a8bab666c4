"""State machines of a template may be defined in YAML.

MiniStack reads the definition that a template points to as JSON only.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-stepfunctions-statemachine.html
"""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from sandbox.corrections.hooks import wrap


def in_json(definition: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    """Give every definition in JSON, of which YAML is a superset."""

    def defined(properties: Mapping[str, Any]) -> str:
        # MiniStack's own environment has it, the one that starts the sandbox need not.
        read = import_module("yaml").safe_load
        return json.dumps(read(definition(properties)))

    return defined


def install() -> None:
    """Correct what CloudFormation makes of state machines."""
    wrap("services.cloudformation.provisioners", "_sfn_definition", in_json)
