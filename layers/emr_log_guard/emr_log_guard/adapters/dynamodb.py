"""Amazon DynamoDB: the ledger, one table.

| pk | sk | |
|---|---|---|
| a cluster's id | `cluster` | what cannot change of it |
| a cluster's id | `enforcement` | where its termination stands |
| a cluster's id | `finding#<rule id>` | an entry of the ledger |
| a cluster's id | `workflow#<rule id>` | what the guard last said of it in Security Hub |
| a cluster's id | `history#<time>#<invocation>` | a decision |
| `keys` | `<ARN>#<cluster id>` | that its logs use the key, or name it by the alias |
| `policy` | `last_valid` | the last valid policy document |
| `policy` | `problem#policy` | which problem of the policy people were last notified of |
| `policy` | `problem#key#<identifier>` | that people were notified of a missing key |
| `rescan` | `claim` | which execution re-scans |

One Query reads all that is remembered of a cluster. Every write of an entry or a cluster names the
version that it was made from, so of two that were made from the same one only the first is taken.
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
    key_names,
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
_NOTIFYING = timedelta(minutes=1)
_NOTIFY_AGAIN = timedelta(days=1)
_POLICY: "Item" = {"pk": {"S": "policy"}, "sk": {"S": "last_valid"}}
_PROBLEM = "problem#"
_CLUSTER = "cluster"
_ENFORCEMENT = "enforcement"
_FINDING = "finding#"
_HISTORY = "history#"
_KEYS = "keys"
_WORKFLOW = "workflow#"
_ENTRY = msgspec.json.Decoder(FindingRecord)
_KNOWN = msgspec.json.Decoder(ClusterSnapshot)
_TERMINATION = msgspec.json.Decoder(Termination)
_DECISION = msgspec.json.Decoder(Decision)
_WORD = msgspec.json.Decoder(WorkflowState)


class DynamoClient(Protocol):
    """What is used of boto3's client."""

    def query(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's own words
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
    """The findings table. Errors fly: the event is tried again, and nobody was told anything."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Read and write this table."""
        self._client = client
        self._table = table

    def read(self, cluster_id: str) -> ClusterHistory:
        """Read all that is remembered of a cluster but its history: one consistent Query.

        A cluster has an item a rule at most, far from the megabyte that would make a second page.
        """
        items = self._query(
            "pk = :pk AND sk < :history", {":pk": cluster_id, ":history": _HISTORY}, consistent=True
        )
        known, termination = None, None
        records = {}
        for item in items:
            match item["sk"]["S"]:
                case "cluster":
                    known = _KNOWN.decode(item["known"]["S"])
                case "enforcement":
                    termination = _TERMINATION.decode(item["termination"]["S"])
                case _:
                    record = _ENTRY.decode(item["entry"]["S"])
                    records[record.finding.rule_id] = record
        return ClusterHistory(records, known, termination)

    def write(self, record: FindingRecord) -> FindingRecord:
        """Write an entry that was read at its version: one conditional PutItem.

        Raises:
            WriteConflictError: Somebody else wrote it since.

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
            "entry": {"S": msgspec.json.encode(written).decode()},
            **_expiry(record.expires),
        }
        if record.open or record.pending_since is not None:
            item["open"] = {"S": "finding"}
        self._put(item, record.version, f"{finding.id} was written by somebody else")
        return written

    def write_termination(self, termination: Termination) -> Termination:
        """Write where a termination stands, as it was read and changed: one conditional PutItem.

        Raises:
            WriteConflictError: Somebody else wrote it since.

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
        conflict = f"the termination of {termination.cluster_id} was written by somebody else"
        self._put(item, termination.version, conflict)
        return written

    def records(self, keys: Collection[FindingKey]) -> dict[FindingKey, FindingRecord]:
        """Read findings, those that are not remembered left out: one BatchGetItem per 100."""
        items = _read_all(
            self._client, self._table, [_place(key, _FINDING) for key in keys], consistent=True
        )
        found = (_ENTRY.decode(item["entry"]["S"]) for item in items)
        return {FindingKey(e.finding.cluster_id, e.finding.rule_id): e for e in found}

    def recall(self, cluster_id: str) -> ClusterSnapshot | None:
        """Recall a cluster: one GetItem; None when it is not remembered."""
        key = {"pk": {"S": cluster_id}, "sk": {"S": _CLUSTER}}
        item = self._client.get_item(TableName=self._table, Key=key).get("Item")
        return _KNOWN.decode(item["known"]["S"]) if item else None

    def recall_all(self, cluster_ids: Iterable[str]) -> dict[str, ClusterSnapshot]:
        """Recall clusters, those that are not remembered left out: one BatchGetItem per 100.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
        """
        places: list[Item] = [
            {"pk": {"S": each}, "sk": {"S": _CLUSTER}} for each in dict.fromkeys(cluster_ids)
        ]
        items = _read_all(self._client, self._table, places)
        return {item["pk"]["S"]: _KNOWN.decode(item["known"]["S"]) for item in items}

    def remember(self, known: ClusterSnapshot, before: ClusterSnapshot | None) -> None:
        """Remember a cluster as it is known now: a conditional PutItem, and one for each new key.

        A cluster that is gone uses its keys no longer: a DeleteItem each.

        Raises:
            WriteConflictError: Somebody else wrote it since.

        """
        cluster_id = known.cluster.id
        gone = known.expires is not None
        indexed = set(key_names(before) if before else ())
        for arn in key_names(known):
            place = {"pk": {"S": _KEYS}, "sk": {"S": f"{arn}#{cluster_id}"}}
            if gone:
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
                "known": {"S": msgspec.json.encode(written).decode()},
                **_expiry(known.expires),
            },
            version,
            f"{cluster_id} was written by somebody else",
        )

    def record(self, decision: Decision) -> None:
        """Write a decision down for a year: one PutItem."""
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
        """Name the clusters whose logs use a key, or an alias, and are not known to have ended."""
        items = self._query(
            "pk = :pk AND begins_with(sk, :arn)",
            {":pk": _KEYS, ":arn": f"{key_arn}#"},
            consistent=True,
        )
        return tuple(item["sk"]["S"].rpartition("#")[2] for item in items)

    def keys_in_use(self) -> dict[str, tuple[str, ...]]:
        """Name all keys and aliases that logs use, each with its clusters that have not ended.

        One Query, of a page for some thousand clusters.
        """
        found: dict[str, tuple[str, ...]] = {}
        for item in self._query("pk = :pk", {":pk": _KEYS}, consistent=True):
            arn, _, cluster_id = item["sk"]["S"].rpartition("#")
            found[arn] = (*found.get(arn, ()), cluster_id)
        return found

    def open_records(self) -> Iterator[FindingRecord]:
        """Read every open finding, by cluster; one that opened this second may be missing."""
        return (record for record in self.indexed_entries() if record.open)

    def indexed_entries(self) -> Iterator[FindingRecord]:
        """Read every finding that is open, or of which a notification is pending."""
        items = self._query("#open = :open", {":open": "finding"}, index=OPEN_INDEX)
        return (_ENTRY.decode(item["entry"]["S"]) for item in items)

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
        """Write an item that was read at a version; 0 is that there was none."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if version:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(version)}},
            }
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as error:
            if code_of(error) == "ConditionalCheckFailedException":
                raise WriteConflictError(conflict) from error
            raise


class DynamoPolicyHistory:
    """The last valid policy, and the problems that people were last notified of: an item each."""

    def __init__(self, client: DynamoClient, table: str, clock: Callable[[], datetime]) -> None:
        """Keep them in this table."""
        self._client = client
        self._table = table
        self._clock = clock

    def keep(self, stored: StoredPolicy) -> None:
        """Keep a valid document, unless one that was stored later is kept: one PutItem."""
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
        """Give the last valid document: one consistent Query, for whoever may not GetItem."""
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
        """Say whether the caller is the one to notify of a problem: one or two PutItems.

        Whoever says so first has a minute; if it dies, the next one does. The same problem may be
        notified of again after a day.
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


class DynamoRescanClaim:
    """The claim of whoever re-scans, an item of the findings table."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Keep it in this table."""
        self._client = client
        self._table = table

    def take(self, execution: str, instead_of: str | None = None) -> str | None:
        """Claim the re-scan; name the execution that has it, if another one has."""
        place = {"pk": {"S": "rescan"}, "sk": {"S": "claim"}}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=place | {"execution": {"S": execution}},
                ConditionExpression="attribute_not_exists(pk) OR execution IN (:mine, :theirs)",
                ExpressionAttributeValues={
                    ":mine": {"S": execution},
                    ":theirs": {"S": instead_of or execution},
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


class DynamoWords:
    """What the guard last said of findings in Security Hub: an item each, beside the finding's."""

    def __init__(self, client: DynamoClient, table: str) -> None:
        """Keep it in this table."""
        self._client = client
        self._table = table

    def recall(self, keys: Collection[FindingKey]) -> dict[FindingKey, WorkflowState]:
        """Recall it, nothing where nothing was said: one BatchGetItem per 100."""
        places = [_place(key, _WORKFLOW) for key in keys]
        items = _read_all(self._client, self._table, places, consistent=True)
        return {
            FindingKey(item["pk"]["S"], item["sk"]["S"].removeprefix(_WORKFLOW)): _WORD.decode(
                item["word"]["S"]
            )
            for item in items
        }

    def remember(self, key: FindingKey, word: WorkflowState, expires: datetime | None) -> None:
        """Write it down for as long as the finding is kept: one PutItem."""
        text = msgspec.json.encode(word).decode()
        item: Item = {**_place(key, _WORKFLOW), "word": {"S": text}, **_expiry(expires)}
        self._client.put_item(TableName=self._table, Item=item)


class LedgeredClusters:
    """Clusters whose settings the ledger remembers, so that a cold start need not ask EMR."""

    def __init__(self, clusters: "Clusters", repository: DynamoFindingRepository) -> None:
        """Ask the ledger first, then these clusters."""
        self._clusters = clusters
        self._ledger = repository

    def describe(self, cluster_id: str) -> "Cluster":
        """Recall a cluster, or read and remember it. Its state and tags may be out of date.

        Raises:
            ClusterNotFoundError: Neither the ledger nor EMR knows it.

        """
        known = self._ledger.recall(cluster_id)
        if known is not None:
            return known.cluster
        cluster = self._clusters.describe(cluster_id)
        with suppress(WriteConflictError):  # whoever forestalled us knows as much
            self._ledger.remember(ClusterSnapshot(cluster), None)
        return cluster


@contextmanager
def _lost_race() -> Iterator[list[str]]:
    """Let a conditional write be refused: the list that it gives is empty unless it was."""
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
    """Write a moment so that moments sort as they come."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _expiry(at: datetime | None) -> Item:
    """Write when DynamoDB may delete an item.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    """
    return {"expires": {"N": str(int(at.timestamp()))}} if at else {}


def _place(key: FindingKey, kind: str) -> Item:
    """Say where something of a finding is kept."""
    return {"pk": {"S": key.cluster_id}, "sk": {"S": f"{kind}{key.rule_id}"}}


def _read_all(
    client: DynamoClient, table: str, places: Iterable[Item], *, consistent: bool = False
) -> Iterator[dict[str, Any]]:
    """Read the items that are there: one BatchGetItem per 100, and more where DynamoDB asks so.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    for batch in batched(places, _BATCH):
        wanted: dict[str, Any] = {table: {"Keys": list(batch), "ConsistentRead": consistent}}
        while wanted:
            answer = client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(table, ())
            wanted = answer.get("UnprocessedKeys", {})
