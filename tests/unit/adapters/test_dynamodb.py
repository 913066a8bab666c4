"""The ledger's table, by one set of tests for the fake and for an emulated DynamoDB."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from emr_log_guard.adapters.dynamodb import DynamoLedger, LedgeredClusters
from emr_log_guard.domain.ledger import Claim, Entry, Kind, Told
from emr_log_guard.errors import ClusterNotFoundError, LedgerConflictError
from tests.template.stack import Stack
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, a_finding
from tests.unit.fake_table import FakeTable
from tests.unit.fakes import FakeClusters

FINDING = a_finding(evidence={"samples": ("a", "b"), "count": 2, "sure": True, "key": None})
ENTRY = Entry(
    finding=FINDING,
    kind=Kind.CLUSTER,
    judged_at=NOW,
    told=Told(NOW, FINDING.compliance),
    claim=Claim("me", NOW),
    requested_at=NOW,
    expires=NOW + timedelta(days=1),
)


@pytest.fixture(params=["fake", "emulated"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "fake":
        yield FakeTable()
        return
    table = Stack().of_type("AWS::DynamoDB::Table")["FindingsTable"]
    shape = ("BillingMode", "AttributeDefinitions", "KeySchema")
    with mock_aws():
        emulated: Any = boto3.client("dynamodb")
        emulated.create_table(TableName="findings", **{name: table[name] for name in shape})
        yield emulated


@pytest.fixture
def ledger(client: Any) -> DynamoLedger:  # noqa: ANN401
    return DynamoLedger(client, "findings")


def test_what_was_never_written_is_not_known(ledger: DynamoLedger) -> None:
    assert ledger.read(CLUSTER_ID).entries == {}
    assert ledger.read(CLUSTER_ID).cluster is ledger.recall(CLUSTER_ID) is None


def test_what_is_written_is_read_as_it_was(ledger: DynamoLedger) -> None:
    written = ledger.write(ENTRY)
    other = ledger.write(replace(ENTRY, finding=a_finding("EMRLOG-001")))
    ledger.remember(a_cluster(tags={"team": "a"}))

    memory = ledger.read(CLUSTER_ID)
    assert memory.entries == {"EMRLOG-001": other, "EMRLOG-002": written}
    assert memory.cluster == ledger.recall(CLUSTER_ID) == a_cluster(tags={"team": "a"})
    assert written == replace(ENTRY, version=1)


@pytest.mark.parametrize("version", [0, 1])
def test_of_two_writes_from_one_version_the_first_is_taken(
    ledger: DynamoLedger, version: int
) -> None:
    read = ledger.write(ENTRY) if version else ENTRY
    first = ledger.write(read)

    with pytest.raises(LedgerConflictError):
        ledger.write(replace(read, requested_at=None))

    assert ledger.read(CLUSTER_ID).entries == {"EMRLOG-002": first}


def test_what_was_forgotten_since_is_a_conflict(ledger: DynamoLedger) -> None:
    with pytest.raises(LedgerConflictError):
        ledger.write(replace(ENTRY, version=3))


def test_an_item_tells_when_it_may_be_forgotten() -> None:
    table = FakeTable()
    DynamoLedger(table, "findings").write(ENTRY)

    (item,) = table.items.values()
    assert item["expires"] == {"N": str(int((NOW + timedelta(days=1)).timestamp()))}
    assert (item["status"], item["id"]) == ({"S": "OPEN"}, {"S": FINDING.id})


def test_any_other_refusal_flies(ledger: DynamoLedger) -> None:
    table = FakeTable()
    code = "ProvisionedThroughputExceededException"
    table.failure = ClientError({"Error": {"Code": code, "Message": "slow down"}}, "PutItem")

    with pytest.raises(ClientError, match=code):
        DynamoLedger(table, "findings").write(ENTRY)
    assert ledger.read(CLUSTER_ID).entries == {}


def test_a_cluster_is_asked_of_emr_once_over_all_cold_starts(ledger: DynamoLedger) -> None:
    clusters = FakeClusters(a_cluster())

    for _ in range(2):
        assert LedgeredClusters(clusters, ledger).describe(CLUSTER_ID) == a_cluster()

    assert clusters.asked == [CLUSTER_ID]
    with pytest.raises(ClusterNotFoundError):
        LedgeredClusters(clusters, ledger).describe("j-GONE")
