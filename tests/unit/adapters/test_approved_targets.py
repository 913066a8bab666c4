from emr_log_guard.adapters.approved_targets import DynamoApprovedTargets
from tests.unit.builders import ACCOUNT, ANOTHER_KEY, KEY, REGION
from tests.unit.fake_table import FakeTable

ALIAS = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/emr-logs"


def test_alias_targets_are_stored_in_the_table() -> None:
    table = FakeTable()
    targets = DynamoApprovedTargets(table, "findings")
    assert targets.read() == {}

    targets.write(ALIAS, KEY.arn)
    targets.write(ALIAS, ANOTHER_KEY.arn)
    targets.write(KEY.arn, KEY.arn)

    assert DynamoApprovedTargets(table, "findings").read() == {
        ALIAS: ANOTHER_KEY.arn,
        KEY.arn: KEY.arn,
    }


def test_unchanged_alias_target_is_written_once() -> None:
    table = FakeTable()
    targets = DynamoApprovedTargets(table, "findings")

    for _ in range(3):
        targets.write(ALIAS, KEY.arn)

    assert table.counts == {"PutItem": 1}
