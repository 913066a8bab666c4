"""Amazon DynamoDB: the ledger, one table.

| pk | sk | |
|---|---|---|
| a cluster's id | `cluster` | what cannot change of it |
| a cluster's id | `finding#<rule id>` | an entry of the ledger |

One Query reads all that is remembered of a cluster. Every write names the version that it was
made from, so of two that were made from the same one only the first is taken.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from botocore.exceptions import ClientError

from emr_log_guard.adapters.aws_errors import code_of
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.ledger import Entry, Memory
from emr_log_guard.errors import LedgerConflictError

if TYPE_CHECKING:
    from emr_log_guard.usecases.ports import Clusters

type Item = dict[str, dict[str, str]]

_CLUSTER = "cluster"
_FINDING = "finding#"
_ENTRY = msgspec.json.Decoder(Entry)
_SETTINGS = msgspec.json.Decoder(Cluster)


class DynamoClient(Protocol):
    """What is used of boto3's client."""

    def query(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's own words
        """Read the items of a partition."""
        ...

    def get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read an item."""
        ...

    def put_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Write an item."""
        ...


class DynamoLedger:
    """The findings table. Errors fly: the event is tried again, and nobody was told anything."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Read and write this table."""
        self._client = client
        self._table = table

    def read(self, cluster_id: str) -> Memory:
        """Read all that is remembered of a cluster: one consistent Query.

        A cluster has an item a rule at most, far from the megabyte that would make a second page.
        """
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": cluster_id}},
            ConsistentRead=True,
        )
        cluster = None
        entries = {}
        for item in answer["Items"]:
            if item["sk"]["S"] == _CLUSTER:
                cluster = _SETTINGS.decode(item["settings"]["S"])
            else:
                entry = _ENTRY.decode(item["entry"]["S"])
                entries[entry.finding.rule_id] = entry
        return Memory(entries, cluster)

    def write(self, entry: Entry) -> Entry:
        """Write an entry that was read at its version: one conditional PutItem.

        Raises:
            LedgerConflictError: Somebody else wrote it since.

        """
        written = replace(entry, version=entry.version + 1)
        finding = entry.finding
        item: Item = {
            "pk": {"S": finding.cluster_id},
            "sk": {"S": f"{_FINDING}{finding.rule_id}"},
            "version": {"N": str(written.version)},
            "id": {"S": finding.id},
            "status": {"S": finding.status},
            "compliance": {"S": finding.compliance},
            "severity": {"S": finding.severity},
            "entry": {"S": msgspec.json.encode(written).decode()},
        }
        if entry.expires:
            item["expires"] = {"N": str(int(entry.expires.timestamp()))}
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if entry.version:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(entry.version)}},
            }
        self._put(item, condition, f"{finding.id} was written by somebody else")
        return written

    def recall(self, cluster_id: str) -> Cluster | None:
        """Recall a cluster's settings: one GetItem; None when they are not remembered."""
        key = {"pk": {"S": cluster_id}, "sk": {"S": _CLUSTER}}
        item = self._client.get_item(TableName=self._table, Key=key).get("Item")
        return _SETTINGS.decode(item["settings"]["S"]) if item else None

    def remember(self, cluster: Cluster) -> None:
        """Remember a cluster's settings as they are now: one PutItem."""
        self._put(
            {
                "pk": {"S": cluster.id},
                "sk": {"S": _CLUSTER},
                "settings": {"S": msgspec.json.encode(cluster).decode()},
            },
            {},
            "",
        )

    def _put(self, item: Item, condition: Mapping[str, Any], conflict: str) -> None:
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as error:
            if code_of(error) == "ConditionalCheckFailedException":
                raise LedgerConflictError(conflict) from error
            raise


class LedgeredClusters:
    """Clusters whose settings the ledger remembers, so that a cold start need not ask EMR."""

    def __init__(self, clusters: "Clusters", ledger: DynamoLedger) -> None:
        """Ask the ledger first, then these clusters."""
        self._clusters = clusters
        self._ledger = ledger

    def describe(self, cluster_id: str) -> Cluster:
        """Recall a cluster, or read and remember it. Its state and tags may be out of date.

        Raises:
            ClusterNotFoundError: Neither the ledger nor EMR knows it.

        """
        known = self._ledger.recall(cluster_id)
        if known is None:
            known = self._clusters.describe(cluster_id)
            self._ledger.remember(known)
        return known
