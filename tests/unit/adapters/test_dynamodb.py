"""The findings table, by one set of tests for the fake and for an emulated DynamoDB."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from emr_log_guard.adapters.dynamodb import (
    DynamoFindingRepository,
    DynamoPolicyHistory,
    DynamoReencryptionBudget,
    DynamoRescanLease,
    StoredClusters,
)
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decisions import Decision, finding_states
from emr_log_guard.domain.finding_record import (
    ClusterSnapshot,
    FindingRecord,
    Kind,
    LastNotified,
    Lease,
)
from emr_log_guard.domain.findings import Status
from emr_log_guard.errors import ClusterNotFoundError, WriteConflictError
from emr_log_guard.usecases.ports import StoredPolicy
from tests.template.stack import Stack
from tests.unit.builders import ANOTHER_KEY, CLUSTER_ID, KEY, NOW, a_cluster, a_finding
from tests.unit.fake_table import FakeTable
from tests.unit.fakes import FakeClusters

FINDING = a_finding(evidence={"samples": ("a", "b"), "count": 2, "sure": True, "key": None})
ENTRY = FindingRecord(
    finding=FINDING,
    kind=Kind.CLUSTER,
    opened_at=NOW,
    evaluated_at=NOW,
    last_notified=LastNotified(NOW, FINDING.compliance),
    lease=Lease("me", NOW),
    pending_since=NOW,
    expires=NOW + timedelta(days=1),
)


@pytest.fixture(params=["fake", "emulated"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "fake":
        yield FakeTable()
        return
    table = Stack().of_type("AWS::DynamoDB::Table")["FindingsTable"]
    shape = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    with mock_aws():
        emulated: Any = boto3.client("dynamodb")
        emulated.create_table(TableName="findings", **{name: table[name] for name in shape})
        yield emulated


@pytest.fixture
def repository(client: Any) -> DynamoFindingRepository:  # noqa: ANN401
    return DynamoFindingRepository(client, "findings")


def test_unwritten_cluster_has_no_records_and_no_snapshot(
    repository: DynamoFindingRepository,
) -> None:
    assert repository.read(CLUSTER_ID).records == {}
    assert repository.read(CLUSTER_ID).known is repository.snapshot(CLUSTER_ID) is None


def test_records_and_snapshot_are_read_as_written(repository: DynamoFindingRepository) -> None:
    written = repository.write(ENTRY)
    other = repository.write(replace(ENTRY, finding=a_finding("EMRLOG-001")))
    repository.write_snapshot(ClusterSnapshot(a_cluster(tags={"team": "a"})), None)

    history = repository.read(CLUSTER_ID)
    assert history.records == {"EMRLOG-001": other, "EMRLOG-002": written}
    known = ClusterSnapshot(a_cluster(tags={"team": "a"}), version=1)
    assert history.known == repository.snapshot(CLUSTER_ID) == known
    assert written == replace(ENTRY, version=1)


@pytest.mark.parametrize("version", [0, 1])
def test_second_write_from_one_version_raises_write_conflict(
    repository: DynamoFindingRepository, version: int
) -> None:
    read = repository.write(ENTRY) if version else ENTRY
    first = repository.write(read)

    with pytest.raises(WriteConflictError):
        repository.write(replace(read, pending_since=None))

    assert repository.read(CLUSTER_ID).records == {"EMRLOG-002": first}


def test_write_over_a_deleted_record_raises_write_conflict(
    repository: DynamoFindingRepository,
) -> None:
    with pytest.raises(WriteConflictError):
        repository.write(replace(ENTRY, version=3))


def test_item_has_its_expiry_status_and_id() -> None:
    table = FakeTable()
    DynamoFindingRepository(table, "findings").write(ENTRY)

    (item,) = table.items.values()
    assert item["expires"] == {"N": str(int((NOW + timedelta(days=1)).timestamp()))}
    assert (item["status"], item["id"]) == ({"S": "OPEN"}, {"S": FINDING.id})


def test_other_client_error_is_raised(repository: DynamoFindingRepository) -> None:
    table = FakeTable()
    code = "ProvisionedThroughputExceededException"
    table.failure = ClientError({"Error": {"Code": code, "Message": "slow down"}}, "PutItem")

    with pytest.raises(ClientError, match=code):
        DynamoFindingRepository(table, "findings").write(ENTRY)
    assert repository.read(CLUSTER_ID).records == {}


def test_stored_cluster_is_described_once(
    repository: DynamoFindingRepository,
) -> None:
    clusters = FakeClusters(a_cluster())

    for _ in range(2):
        assert StoredClusters(clusters, repository).describe(CLUSTER_ID) == a_cluster()

    assert clusters.asked == [CLUSTER_ID]
    with pytest.raises(ClusterNotFoundError):
        StoredClusters(clusters, repository).describe("j-MISSING")


def test_cluster_is_found_by_its_keys_until_it_expires(
    repository: DynamoFindingRepository,
) -> None:
    known = ClusterSnapshot(a_cluster(), keys=(KEY.arn,))
    repository.write_snapshot(known, None)
    first = repository.snapshot(CLUSTER_ID)
    assert first is not None
    repository.write_snapshot(replace(first, keys=(KEY.arn, ANOTHER_KEY.arn)), first)

    assert repository.using_key(KEY.arn) == repository.using_key(ANOTHER_KEY.arn) == (CLUSTER_ID,)
    assert repository.using_key("arn:other") == repository.using_key(KEY.arn[:-1]) == ()
    assert repository.keys_in_use() == {KEY.arn: (CLUSTER_ID,), ANOTHER_KEY.arn: (CLUSTER_ID,)}

    second = repository.snapshot(CLUSTER_ID)
    assert second is not None
    repository.write_snapshot(replace(second, expires=NOW), second)
    assert repository.using_key(KEY.arn) == repository.using_key(ANOTHER_KEY.arn) == ()
    assert repository.keys_in_use() == {}


def test_cluster_is_found_by_its_launch_alias_until_it_expires(
    repository: DynamoFindingRepository,
) -> None:
    alias = f"{KEY.arn.rpartition(':')[0]}:alias/emr-logs"
    known = ClusterSnapshot(a_cluster(log_key_identifier="alias/emr-logs"), keys=(KEY.arn,))
    repository.write_snapshot(known, None)

    assert repository.keys_in_use() == {alias: (CLUSTER_ID,), KEY.arn: (CLUSTER_ID,)}
    assert repository.using_key(alias) == (CLUSTER_ID,)

    first = repository.snapshot(CLUSTER_ID)
    assert first is not None
    repository.write_snapshot(replace(first, expires=NOW), first)
    assert repository.keys_in_use() == {}


def test_second_first_snapshot_of_a_cluster_raises_write_conflict(
    repository: DynamoFindingRepository,
) -> None:
    repository.write_snapshot(ClusterSnapshot(a_cluster(), "ada"), None)

    with pytest.raises(WriteConflictError):
        repository.write_snapshot(ClusterSnapshot(a_cluster()), None)

    known = repository.snapshot(CLUSTER_ID)
    assert known is not None
    assert known.launched_by == "ada"


def test_only_open_records_are_in_the_index(repository: DynamoFindingRepository) -> None:
    opened = repository.write(ENTRY)
    closed = replace(a_finding("EMRLOG-001"), status=Status.RESOLVED)
    repository.write(replace(ENTRY, finding=closed))

    assert list(repository.open_records()) == [opened]

    repository.write(replace(opened, finding=replace(FINDING, status=Status.RESOLVED)))
    assert list(repository.open_records()) == []


def test_decisions_are_stored_in_order_and_apart_from_records_for_a_year(
    repository: DynamoFindingRepository,
) -> None:
    first, second = (
        Decision(
            cluster_id=CLUSTER_ID,
            at=NOW + timedelta(minutes=minutes),
            by="check_cluster",
            invocation="one",
            cluster_state="RUNNING",
            mode=Mode.ALERT,
            policy_version=3,
            decided=("tell",),
            findings=finding_states([FINDING]),
        )
        for minutes in (0, 1)
    )
    for decision in (second, first):
        repository.record(decision)

    assert list(repository.decisions(CLUSTER_ID)) == [first, second]
    assert repository.read(CLUSTER_ID).records == {}
    assert first.expires >= NOW + timedelta(days=365)


def test_every_page_of_a_query_is_read() -> None:
    table = FakeTable()
    DynamoFindingRepository(table, "findings").write(ENTRY)
    answers = iter([{"Items": [], "LastEvaluatedKey": {"pk": {"S": "x"}}}])
    whole = table.query

    def paged(**request: Any) -> dict[str, Any]:  # noqa: ANN401
        answer = next(answers, None)
        assert answer or request["ExclusiveStartKey"] == {"pk": {"S": "x"}}
        return answer or whole(**request)

    table.query = paged  # type: ignore[method-assign]

    assert "EMRLOG-002" in DynamoFindingRepository(table, "findings").read(CLUSTER_ID).records


def test_snapshots_are_read_in_batches_of_a_hundred(
    client: Any,  # noqa: ANN401 - boto3's
    repository: DynamoFindingRepository,
) -> None:
    names = [f"j-{number}" for number in range(102)]
    for name in names[:-1]:
        repository.write_snapshot(ClusterSnapshot(a_cluster(id=name)), None)

    found = repository.snapshots([*names, *names])

    assert set(found) == set(names[:-1])
    assert all(known.cluster.id == name for name, known in found.items())
    assert repository.snapshots([]) == {}
    if isinstance(client, FakeTable):
        assert client.counts["BatchGetItem"] >= 2


def test_rescan_lease_belongs_to_its_first_owner_until_replaced(
    client: Any,  # noqa: ANN401
) -> None:
    lease = DynamoRescanLease(client, "findings")

    assert lease.take("a") is None
    assert lease.take("a") is None
    assert lease.take("b") == "a"
    assert lease.take("b", instead_of="c") == "a"
    assert lease.take("b", instead_of="a") is None
    assert lease.take("c", instead_of="a") == "b"


def test_error_while_taking_the_rescan_lease_is_raised() -> None:
    table = FakeTable()
    table.failure = ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "PutItem")

    with pytest.raises(ClientError):
        DynamoRescanLease(table, "findings").take("a")


def test_older_policy_never_replaces_the_last_valid_one(client: Any) -> None:  # noqa: ANN401
    history = DynamoPolicyHistory(client, "findings", lambda: NOW)
    assert history.last_valid() is None

    newer = StoredPolicy('{"mode": "enforce"}', 2, NOW)
    history.keep(newer)
    history.keep(StoredPolicy("{}", 1, NOW - timedelta(hours=1)))

    assert history.last_valid() == newer


def test_each_policy_problem_is_first_only_once(client: Any) -> None:  # noqa: ANN401
    history = DynamoPolicyHistory(client, "findings", lambda: NOW)
    seen = []
    for problem in ("version 3", "version 3", "version 4"):
        with history.once(problem) as first:
            seen.append(first)

    assert seen == [True, False, True]


def test_hourly_budget_is_shared_and_restarts_with_the_next_hour(client: Any) -> None:  # noqa: ANN401
    budget = DynamoReencryptionBudget(client, "findings")

    assert [budget.take(3, 5, NOW) for _ in range(3)] == [3, 2, 0]
    assert budget.take(3, 5, NOW + timedelta(hours=1)) == 3
    assert budget.take(3, 2, NOW + timedelta(hours=1)) == 0


def test_budget_taken_concurrently_is_not_exceeded() -> None:
    table = FakeTable()
    budget = DynamoReencryptionBudget(table, "findings")
    table.before_put.append(lambda: budget.take(4, 5, NOW))

    assert budget.take(3, 5, NOW) == 1


def test_repeated_lost_races_for_the_budget_raise_write_conflict() -> None:
    table = FakeTable()
    budget = DynamoReencryptionBudget(table, "findings")

    def lost(**_: object) -> dict[str, Any]:
        code = "ConditionalCheckFailedException"
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutItem")

    table.put_item = lost  # type: ignore[method-assign]

    with pytest.raises(WriteConflictError):
        budget.take(1, 999, NOW)
