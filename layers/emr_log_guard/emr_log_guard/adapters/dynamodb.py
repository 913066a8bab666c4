"""Amazon DynamoDB: the findings table.

| pk | sk | |
|---|---|---|
| a cluster's id | `cluster` | its snapshot |
| a cluster's id | `enforcement` | the state of its termination |
| a cluster's id | `finding#<rule id>` | a finding record |
| a cluster's id | `workflow#<rule id>` | its workflow status in Security Hub, as last set |
| a cluster's id | `history#<time>#<invocation>` | a decision |
| a cluster's id | `reading` | an invocation reads the cluster for the first time |
| `keys` | `<ARN>#<cluster id>` | its logs use the key, or the alias |
| `policy` | `last_valid` | the last valid policy document |
| `policy` | `problem#policy` | the last notified problem of the policy |
| `policy` | `problem#key#<identifier>` | a missing key was notified |
| `reencryption` | `hour` | how many log objects were re-encrypted in this hour |
| `rescan` | `lease` | the execution of the running re-scan |

One Query reads all records of a cluster. Every write of a record or a snapshot is conditional on
the version that it is based on, so of two concurrent writes only the first succeeds.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from botocore.exceptions import ClientError

from emr_log_guard.adapters.errors import code_of
from emr_log_guard.domain.decisions import Decision
from emr_log_guard.domain.finding_record import (
    RETENTION,
    ClusterHistory,
    ClusterSnapshot,
    FindingRecord,
)
from emr_log_guard.domain.termination import Termination
from emr_log_guard.domain.workflow_state import FindingKey, WorkflowState
from emr_log_guard.errors import WriteConflictError
from emr_log_guard.usecases.ports import StoredPolicy

if TYPE_CHECKING:
    from emr_log_guard.domain.clusters import Cluster
    from emr_log_guard.usecases.ports import Clusters

type Item = dict[str, dict[str, str]]

OPEN_INDEX = "OpenFindings"
"""The sparse index of open findings."""

_BATCH = 100
_BUDGET_ATTEMPTS = 12
_NOTIFYING = timedelta(minutes=1)
_NOTIFY_AGAIN = timedelta(days=1)
_POLICY: "Item" = {"pk": {"S": "policy"}, "sk": {"S": "last_valid"}}
_PROBLEM = "problem#"
_CLUSTER = "cluster"
_ENFORCEMENT = "enforcement"
_FINDING = "finding#"
_HISTORY = "history#"
_KEYS = "keys"
_READING = "reading"  # behind the history, so that the Query of a cluster leaves it out
_WORKFLOW = "workflow#"
_RECORD = msgspec.json.Decoder(FindingRecord)
_SNAPSHOT = msgspec.json.Decoder(ClusterSnapshot)
_TERMINATION = msgspec.json.Decoder(Termination)
_DECISION = msgspec.json.Decoder(Decision)
_WORKFLOW_STATE = msgspec.json.Decoder(WorkflowState)


class DynamoClient(Protocol):
    """The methods of boto3's client that are used."""

    def query(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's own arguments
        """Read the items of a partition."""
        ...

    def get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read an item."""
        ...

    def batch_get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read up to 100 items."""
        ...

    def put_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Write an item."""
        ...

    def delete_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Delete an item."""
        ...


class DynamoFindingRepository:
    """The findings table. Errors propagate: the event is retried."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Read and write this table."""
        self._client = client
        self._table = table

    def read(self, cluster_id: str) -> ClusterHistory:
        """Read all records of a cluster except its decisions: one consistent Query.

        A cluster has at most one item per rule, far below the megabyte of a page.
        """
        items = self._query(
            "pk = :pk AND sk < :history", {":pk": cluster_id, ":history": _HISTORY}, consistent=True
        )
        known, termination = None, None
        records = {}
        for item in items:
            match item["sk"]["S"]:
                case "cluster":
                    known = _SNAPSHOT.decode(item["snapshot"]["S"])
                case "enforcement":
                    termination = _TERMINATION.decode(item["termination"]["S"])
                case _:
                    record = _RECORD.decode(item["record"]["S"])
                    records[record.finding.rule_id] = record
        return ClusterHistory(records, known, termination)

    def write(self, record: FindingRecord) -> FindingRecord:
        """Write a record that was read at its version: one conditional PutItem.

        Raises:
            WriteConflictError: Another invocation has written it.

        """
        written = replace(record, version=record.version + 1)
        finding = record.finding
        item: Item = {
            "pk": {"S": finding.cluster_id},
            "sk": {"S": f"{_FINDING}{finding.rule_id}"},
            "version": {"N": str(written.version)},
            "id": {"S": finding.id},
            "status": {"S": finding.status},
            "compliance": {"S": finding.compliance},
            "severity": {"S": finding.severity},
            "record": {"S": msgspec.json.encode(written).decode()},
            **_expiry(record.expires),
        }
        if record.open or record.pending_since or record.alert_due:
            item["open"] = {"S": "finding"}
        self._put(item, record.version, f"{finding.id} was written by another invocation")
        return written

    def write_termination(self, termination: Termination) -> Termination:
        """Write the state of a termination: one conditional PutItem.

        Raises:
            WriteConflictError: Another invocation has written it.

        """
        written = replace(
            termination,
            version=termination.version + 1,
            expires=termination.at + RETENTION,
        )
        item: Item = {
            "pk": {"S": termination.cluster_id},
            "sk": {"S": _ENFORCEMENT},
            "version": {"N": str(written.version)},
            "termination": {"S": msgspec.json.encode(written).decode()},
            **_expiry(written.expires),
        }
        conflict = f"the termination of {termination.cluster_id} was written by another invocation"
        self._put(item, termination.version, conflict)
        return written

    def begin_first_read(self, cluster_id: str, now: datetime, until: datetime) -> bool:
        """Lease the first read of a cluster: one conditional PutItem.

        Returns:
            Whether no other invocation has the lease. It ends by itself.

        """
        with _lost_race() as lost:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": cluster_id},
                    "sk": {"S": _READING},
                    "until": {"S": _moment(until)},
                    **_expiry(until),
                },
                ConditionExpression="attribute_not_exists(pk) OR #until <= :now",
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={":now": {"S": _moment(now)}},
            )
        return not lost

    def records(self, keys: Collection[FindingKey]) -> dict[FindingKey, FindingRecord]:
        """Read findings; missing ones are left out: one BatchGetItem per 100."""
        items = _read_all(
            self._client, self._table, [_place(key, _FINDING) for key in keys], consistent=True
        )
        found = (_RECORD.decode(item["record"]["S"]) for item in items)
        return {FindingKey(e.finding.cluster_id, e.finding.rule_id): e for e in found}

    def snapshot(self, cluster_id: str) -> ClusterSnapshot | None:
        """Read a snapshot: one GetItem; None when there is none."""
        key = {"pk": {"S": cluster_id}, "sk": {"S": _CLUSTER}}
        item = self._client.get_item(TableName=self._table, Key=key).get("Item")
        return _SNAPSHOT.decode(item["snapshot"]["S"]) if item else None

    def snapshots(self, cluster_ids: Iterable[str]) -> dict[str, ClusterSnapshot]:
        """Read snapshots; missing ones are left out: one BatchGetItem per 100.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
        """
        places: list[Item] = [
            {"pk": {"S": each}, "sk": {"S": _CLUSTER}} for each in dict.fromkeys(cluster_ids)
        ]
        items = _read_all(self._client, self._table, places)
        return {item["pk"]["S"]: _SNAPSHOT.decode(item["snapshot"]["S"]) for item in items}

    def write_snapshot(self, known: ClusterSnapshot, before: ClusterSnapshot | None) -> None:
        """Store a snapshot: a conditional PutItem, and one for each new key.

        A terminated cluster no longer uses its keys: a DeleteItem each.

        Raises:
            WriteConflictError: Another invocation has written it.

        """
        cluster_id = known.cluster.id
        terminated = known.expires is not None
        indexed = set(before.key_names if before else ())
        for arn in known.key_names:
            place = {"pk": {"S": _KEYS}, "sk": {"S": f"{arn}#{cluster_id}"}}
            if terminated:
                self._client.delete_item(TableName=self._table, Key=place)
            elif arn not in indexed:
                self._client.put_item(TableName=self._table, Item=place)
        version = before.version if before else 0
        written = replace(known, version=version + 1)
        self._put(
            {
                "pk": {"S": cluster_id},
                "sk": {"S": _CLUSTER},
                "version": {"N": str(written.version)},
                "snapshot": {"S": msgspec.json.encode(written).decode()},
                **_expiry(known.expires),
            },
            version,
            f"{cluster_id} was written by another invocation",
        )

    def record(self, decision: Decision) -> None:
        """Record a decision for a year: one PutItem."""
        at = _moment(decision.at)
        item: Item = {
            "pk": {"S": decision.cluster_id},
            "sk": {"S": f"{_HISTORY}{at}#{decision.invocation}"},
            "decision": {"S": msgspec.json.encode(decision).decode()},
            **_expiry(decision.expires),
        }
        self._client.put_item(TableName=self._table, Item=item)

    def decisions(self, cluster_id: str) -> Iterator[Decision]:
        """Read the decisions about a cluster, the earliest first."""
        items = self._query(
            "pk = :pk AND begins_with(sk, :history)", {":pk": cluster_id, ":history": _HISTORY}
        )
        return (_DECISION.decode(item["decision"]["S"]) for item in items)

    def using_key(self, key_arn: str) -> tuple[str, ...]:
        """Return the clusters whose logs use a key or an alias, without terminated ones."""
        items = self._query(
            "pk = :pk AND begins_with(sk, :arn)",
            {":pk": _KEYS, ":arn": f"{key_arn}#"},
            consistent=True,
        )
        return tuple(item["sk"]["S"].rpartition("#")[2] for item in items)

    def keys_in_use(self) -> dict[str, tuple[str, ...]]:
        """Return all keys and aliases that logs use, with their clusters that are not terminated.

        One Query, of a page for some thousand clusters.
        """
        found: dict[str, tuple[str, ...]] = {}
        for item in self._query("pk = :pk", {":pk": _KEYS}, consistent=True):
            arn, _, cluster_id = item["sk"]["S"].rpartition("#")
            found[arn] = (*found.get(arn, ()), cluster_id)
        return found

    def open_records(self) -> Iterator[FindingRecord]:
        """Read every open finding, by cluster; one that opened this second may be missing."""
        return (record for record in self.indexed_records() if record.open)

    def indexed_records(self) -> Iterator[FindingRecord]:
        """Read every finding that is open, or of which a notification is pending or due later."""
        items = self._query("#open = :open", {":open": "finding"}, index=OPEN_INDEX)
        return (_RECORD.decode(item["record"]["S"]) for item in items)

    def _query(
        self,
        condition: str,
        values: Mapping[str, str],
        *,
        consistent: bool = False,
        index: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            "ConsistentRead": consistent,
        }
        if index:
            request |= {"IndexName": index, "ExpressionAttributeNames": {"#open": "open"}}
        while True:
            answer = self._client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _put(self, item: Item, version: int, conflict: str) -> None:
        _put(self._client, self._table, item, version, conflict)


def _put(client: DynamoClient, table: str, item: Item, version: int, conflict: str) -> None:
    """Write an item that was read at a version; 0: there was none."""
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
    if version:
        condition = {
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }
    try:
        client.put_item(TableName=table, Item=item, **condition)
    except ClientError as error:
        if code_of(error) == "ConditionalCheckFailedException":
            raise WriteConflictError(conflict) from error
        raise


class DynamoPolicyHistory:
    """The last valid policy, and the last notified problems: an item each."""

    def __init__(self, client: DynamoClient, table: str, clock: Callable[[], datetime]) -> None:
        """Use this table."""
        self._client = client
        self._table = table
        self._clock = clock

    def keep(self, stored: StoredPolicy) -> None:
        """Store a valid document, unless a newer one is stored: one PutItem."""
        stored_at = _stored_at(stored)
        item: Item = {
            **_POLICY,
            "text": {"S": stored.text},
            "version": {"N": str(stored.version)},
            "stored_at": {"S": stored_at},
        }
        with _lost_race():
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR stored_at < :stored_at",
                ExpressionAttributeValues={":stored_at": {"S": stored_at}},
            )

    def last_valid(self) -> StoredPolicy | None:
        """The last valid document: one consistent Query, as not all functions may GetItem."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk = :sk",
            ExpressionAttributeValues={":pk": _POLICY["pk"], ":sk": _POLICY["sk"]},
            ConsistentRead=True,
        )
        item = next(iter(answer["Items"]), None)
        if item is None:
            return None
        stored_at = item["stored_at"]["S"]
        return StoredPolicy(
            item["text"]["S"],
            int(item["version"]["N"]),
            datetime.fromisoformat(stored_at) if stored_at else None,
        )

    @contextmanager
    def once(self, problem: str, about: str = "policy") -> Iterator[bool]:
        """Return whether the caller has to notify of a problem: one or two PutItems.

        The first caller has a minute; if it dies, the next one notifies. The same problem may be
        notified again after a day.
        """
        now = self._clock()
        first = self._mark(about, problem, now, now + _NOTIFYING)
        yield first
        if first:
            self._mark(about, problem, now, now + _NOTIFY_AGAIN, own=True)

    def _mark(
        self, about: str, problem: str, now: datetime, until: datetime, *, own: bool = False
    ) -> bool:
        request: dict[str, Any] = {}
        if not own:
            request = {
                "ConditionExpression": "attribute_not_exists(pk) OR #problem <> :problem "
                "OR #until <= :now",
                "ExpressionAttributeNames": {"#problem": "problem", "#until": "until"},
                "ExpressionAttributeValues": {
                    ":problem": {"S": problem},
                    ":now": {"S": _moment(now)},
                },
            }
        item: Item = {
            "pk": _POLICY["pk"],
            "sk": {"S": f"{_PROBLEM}{about}"},
            "problem": {"S": problem},
            "until": {"S": _moment(until)},
            **_expiry(until),
        }
        with _lost_race() as race:
            self._client.put_item(TableName=self._table, Item=item, **request)
        return not race


class DynamoReencryptionBudget:
    """How many log objects were re-encrypted in this hour: an item of the findings table."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Use this table."""
        self._client = client
        self._table = table

    def take(self, wanted: int, most: int, now: datetime) -> int:
        """Take a part of this hour's budget: one Query and one conditional PutItem.

        Args:
            wanted: How many objects are to be re-encrypted.
            most: How many may be in an hour of the clock.
            now: UTC.

        Returns:
            How many of them may be.

        Raises:
            WriteConflictError: Too many concurrent writes; to be retried.

        """
        place: Item = {"pk": {"S": "reencryption"}, "sk": {"S": "hour"}}
        hour = f"{now:%Y-%m-%dT%H}"
        for _ in range(_BUDGET_ATTEMPTS):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk = :sk",
                ExpressionAttributeValues={":pk": place["pk"], ":sk": place["sk"]},
                ConsistentRead=True,
            )
            item = next(iter(answer["Items"]), None)
            version = int(item["version"]["N"]) if item else 0
            taken = int(item["taken"]["N"]) if item and item["hour"]["S"] == hour else 0
            granted = max(min(wanted, most - taken), 0)
            if not granted:
                return 0
            written = {
                **place,
                "hour": {"S": hour},
                "taken": {"N": str(taken + granted)},
                "version": {"N": str(version + 1)},
            }
            with suppress(WriteConflictError):
                _put(self._client, self._table, written, version, "the budget was taken")
                return granted
        message = "too many concurrent writes to the budget of re-encryptions"
        raise WriteConflictError(message)


class DynamoRescanLease:
    """The lease of the running re-scan, an item of the findings table."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Use this table."""
        self._client = client
        self._table = table

    def take(self, execution: str, instead_of: str | None = None) -> str | None:
        """Take the lease; return the execution that holds it, if another one does."""
        place = {"pk": {"S": "rescan"}, "sk": {"S": "lease"}}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=place | {"execution": {"S": execution}},
                ConditionExpression="attribute_not_exists(pk) OR execution IN (:mine, :former)",
                ExpressionAttributeValues={
                    ":mine": {"S": execution},
                    ":former": {"S": instead_of or execution},
                },
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
        else:
            return None
        held = self._client.get_item(TableName=self._table, Key=place, ConsistentRead=True)
        holder: str = held["Item"]["execution"]["S"]
        return holder


class DynamoWorkflowStates:
    """The workflow statuses that the guard last set in Security Hub: an item per finding."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Use this table."""
        self._client = client
        self._table = table

    def read(self, keys: Collection[FindingKey]) -> dict[FindingKey, WorkflowState]:
        """Read them; missing ones are left out: one BatchGetItem per 100."""
        places = [_place(key, _WORKFLOW) for key in keys]
        items = _read_all(self._client, self._table, places, consistent=True)
        return {
            FindingKey(
                item["pk"]["S"], item["sk"]["S"].removeprefix(_WORKFLOW)
            ): _WORKFLOW_STATE.decode(item["state"]["S"])
            for item in items
        }

    def write(self, key: FindingKey, state: WorkflowState, expires: datetime | None) -> None:
        """Store one for as long as the finding is kept: one PutItem."""
        text = msgspec.json.encode(state).decode()
        item: Item = {**_place(key, _WORKFLOW), "state": {"S": text}, **_expiry(expires)}
        self._client.put_item(TableName=self._table, Item=item)


class StoredClusters:
    """Clusters from their stored snapshots, so that a cold start need not call EMR."""

    def __init__(self, clusters: "Clusters", repository: DynamoFindingRepository) -> None:
        """Read snapshots first, then these clusters."""
        self._clusters = clusters
        self._repository = repository

    def describe(self, cluster_id: str) -> "Cluster":
        """Read a cluster from its snapshot, or from EMR. State and tags may be outdated.

        Raises:
            ClusterNotFoundError: There is no snapshot, and EMR does not know it.

        """
        known = self._repository.snapshot(cluster_id)
        if known is not None:
            return known.cluster
        cluster = self._clusters.describe(cluster_id)
        with suppress(WriteConflictError):  # lost a write race: the other one has the same
            self._repository.write_snapshot(ClusterSnapshot(cluster), None)
        return cluster


@contextmanager
def _lost_race() -> Iterator[list[str]]:
    """Tolerate a failed condition: the list is empty unless it failed."""
    lost: list[str] = []
    try:
        yield lost
    except ClientError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        lost.append(str(error))


def _stored_at(stored: StoredPolicy) -> str:
    return _moment(stored.stored_at) if stored.stored_at else ""


def _moment(at: datetime) -> str:
    """Format a time so that it sorts chronologically."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _expiry(at: datetime | None) -> Item:
    """Write when DynamoDB may delete an item.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    """
    return {"expires": {"N": str(int(at.timestamp()))}} if at else {}


def _place(key: FindingKey, kind: str) -> Item:
    """Return the key of an item of a finding."""
    return {"pk": {"S": key.cluster_id}, "sk": {"S": f"{kind}{key.rule_id}"}}


def _read_all(
    client: DynamoClient, table: str, places: Iterable[Item], *, consistent: bool = False
) -> Iterator[dict[str, Any]]:
    """Read the existing items: one BatchGetItem per 100, and more for unprocessed keys.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    for batch in batched(places, _BATCH):
        wanted: dict[str, Any] = {table: {"Keys": list(batch), "ConsistentRead": consistent}}
        while wanted:
            answer = client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(table, ())
            wanted = answer.get("UnprocessedKeys", {})
