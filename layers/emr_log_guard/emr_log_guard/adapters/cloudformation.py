"""AWS CloudFormation: the resources of a deployed stack."""

from typing import TYPE_CHECKING

from emr_log_guard.adapters.errors import AWS_ERRORS, code_of, failure_of
from emr_log_guard.errors import HandoffFailedError, NotDeployedError
from emr_log_guard.usecases.replay.replay import DeployedStack

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

_NO_SUCH_STACK = "ValidationError"
"""CloudFormation's error code for unknown and invalid stack names."""


def deployed_stack(client: "CloudFormationClient", name: str) -> DeployedStack:
    """Read a stack's resources: one ListStackResources per 100.

    Raises:
        NotDeployedError: There is no such stack in this account and Region.
        HandoffFailedError: It could not be read.

    """
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    try:
        resources = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if "PhysicalResourceId" in resource
        }
    except AWS_ERRORS as error:
        if code_of(error) == _NO_SUCH_STACK:
            region = client.meta.region_name
            message = f"no stack {name} in {region}: check --stack, --region and --profile"
            raise NotDeployedError(message) from error
        message = failure_of("cloudformation:ListStackResources", name, error)
        raise HandoffFailedError(message) from error
    return DeployedStack(name, resources)
