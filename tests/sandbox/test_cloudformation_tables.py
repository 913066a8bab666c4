import json
from collections.abc import Callable
from typing import Any

from sandbox import Sandbox


def template(**settings: object) -> str:
    properties = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    table = {"Type": "AWS::DynamoDB::Table", "Properties": properties | settings}
    return json.dumps(
        {"Resources": {"Table": table}, "Outputs": {"Name": {"Value": {"Ref": "Table"}}}}
    )


def test_stack_table_has_the_settings_of_its_latest_template(
    sandbox: Sandbox, key: str, eventually: Callable[..., Any]
) -> None:
    cloudformation, dynamodb = sandbox.client("cloudformation"), sandbox.client("dynamodb")

    def settings(status: str) -> tuple[Any, Any, Any]:
        eventually(lambda: sandbox.stack_status("settings") == status)
        name = sandbox.outputs("settings")["Name"]
        backups = dynamodb.describe_continuous_backups(TableName=name)
        return (
            dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
            backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"][
                "PointInTimeRecoveryStatus"
            ],
            dynamodb.describe_table(TableName=name)["Table"].get("SSEDescription"),
        )

    chosen = template(
        TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        SSESpecification={"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    cloudformation.create_stack(StackName="settings", TemplateBody=chosen)
    lifetimes, recovery, encryption = settings("CREATE_COMPLETE")
    assert lifetimes == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    assert recovery == "ENABLED"
    assert (encryption["Status"], encryption["KMSMasterKeyArn"]) == ("ENABLED", key)

    cloudformation.update_stack(StackName="settings", TemplateBody=template())
    lifetimes, recovery, encryption = settings("UPDATE_COMPLETE")
    assert (lifetimes["TimeToLiveStatus"], recovery) == ("DISABLED", "DISABLED")
    assert encryption is None
