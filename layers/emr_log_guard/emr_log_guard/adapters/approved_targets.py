"""Amazon DynamoDB: the last resolved key of each approved identifier, in the findings table.

| pk | sk | |
|---|---|---|
| `approved-key` | the key's or alias' ARN | the ARN of the key that it resolved to |
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emr_log_guard.adapters.dynamodb import DynamoClient

_PARTITION = "approved-key"


class DynamoApprovedTargets:
    """Stores them permanently: a deleted alias stays in the list of approved keys."""

    def __init__(self, client: "DynamoClient", table: str) -> None:
        """Use this table."""
        self._client = client
        self._table = table
        self._written: dict[str, str] = {}

    def read(self) -> Mapping[str, str]:
        """Read the keys' ARNs by the identifiers: one consistent Query.

        A policy's size bounds the list to far less than the megabyte that makes a second page.
        """
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _PARTITION}},
            ConsistentRead=True,
        )
        return {item["sk"]["S"]: item["arn"]["S"] for item in answer["Items"]}

    def write(self, identifier: str, arn: str) -> None:
        """Store the key of an identifier: one PutItem, unless this environment has."""
        if self._written.get(identifier) == arn:
            return
        self._client.put_item(
            TableName=self._table,
            Item={"pk": {"S": _PARTITION}, "sk": {"S": identifier}, "arn": {"S": arn}},
        )
        self._written[identifier] = arn
