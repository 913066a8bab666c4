"""CloudFormation applies a table's TTL, recovery and encryption settings. Upstream: yes.

MiniStack's CloudFormation drops TimeToLiveSpecification and PointInTimeRecoverySpecification, and
SSESpecification when it creates the table.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from typing import Any

from sandbox.emulator_patches.hooks import part, settle_provisioned


def install() -> None:
    """Apply the settings whenever a stack creates or updates a table."""
    settle_provisioned("AWS::DynamoDB::Table", _apply)


def _apply(name: str, properties: dict[str, Any]) -> None:
    recovery = properties.get("PointInTimeRecoverySpecification") or {}
    part("services.dynamodb", "_update_continuous_backups")(
        {
            "TableName": name,
            "PointInTimeRecoverySpecification": {
                "PointInTimeRecoveryEnabled": recovery.get("PointInTimeRecoveryEnabled") in _TRUE
            },
        }
    )
    part("services.dynamodb", "_ttl_settings").pop(name, None)
    if lifetimes := properties.get("TimeToLiveSpecification"):
        said = lifetimes | {"Enabled": lifetimes["Enabled"] in _TRUE}
        part("services.dynamodb", "_update_ttl")(
            {"TableName": name, "TimeToLiveSpecification": said}
        )
    table = part("services.dynamodb", "_tables")[name]
    table["SSEDescription"] = part("services.dynamodb", "_sse_description_from_spec")(
        _encryption(properties.get("SSESpecification"))
    )


def _encryption(specification: dict[str, Any] | None) -> dict[str, Any] | None:
    """Convert CloudFormation's names to the API's."""
    if not specification:
        return None
    more = {name: value for name, value in specification.items() if name != "SSEEnabled"}
    return {"Enabled": specification["SSEEnabled"] in _TRUE} | more


_TRUE = (True, "true")
"""CloudFormation passes parameter values as text."""
