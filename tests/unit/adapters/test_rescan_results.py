from collections.abc import Iterator
from threading import Barrier
from typing import Any

import boto3
import pytest
from moto import mock_aws

from emr_log_guard.adapters.rescan_results import THREADS, S3RescanResults
from emr_log_guard.adapters.stepfunctions import RescanOutcome, RescanRuns
from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.reencryption_plan import (
    FolderPlan,
    KeyChange,
    PlannedObjects,
    ReencryptionPlan,
)
from emr_log_guard.domain.rescan import (
    BadObjects,
    Folder,
    FolderCheckpoint,
    Rescan,
    RescanCheckpoint,
    Shard,
    ShardDone,
    ShardFailed,
    ShardKind,
)
from emr_log_guard.domain.rescan_report import Difference, RescanReport
from tests.unit.builders import ACCOUNT, CLUSTER_ID, KEY, NOW, REGION, a_finding

FOLDER = Folder(CLUSTER_ID, "logs", "emr/", "a", "b", NOW, active=False)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("s3")
        where = {"LocationConstraint": REGION}
        client.create_bucket(Bucket="reports", CreateBucketConfiguration=where)
        yield client


@pytest.fixture
def results(s3: Any) -> S3RescanResults:  # noqa: ANN401
    return S3RescanResults(s3, "reports")


def keys(s3: Any) -> list[str]:  # noqa: ANN401
    return [each["Key"] for each in s3.list_objects_v2(Bucket="reports").get("Contents", ())]


def body(s3: Any, key: str) -> str:  # noqa: ANN401
    text: str = s3.get_object(Bucket="reports", Key=key)["Body"].read().decode()
    return text


def test_plan_is_read_as_written(s3: Any, results: S3RescanResults) -> None:  # noqa: ANN401
    shards = (Shard(id="1", known=("a",), clusters=("b",)), Shard(id="2", folder=FOLDER))

    for kind, shard in zip(ShardKind, shards, strict=True):
        assert results.plan("run", kind, iter([shard])) == f"rescans/run/shards/{kind}.jsonl"
        results.plan("empty", kind, ())

    assert results.planned("run") == shards
    assert len(body(s3, "rescans/run/shards/clusters.jsonl").splitlines()) == 1
    assert results.planned("empty") == ()


def test_each_result_is_written_as_a_line(s3: Any, results: S3RescanResults) -> None:  # noqa: ANN401
    with results.lines("run", "objects-000001") as tell:
        tell({"key": "ö", "compliance": Compliance.NON_COMPLIANT})
        tell([1])

    assert body(s3, "rescans/run/results/objects-000001.ndjson") == (
        '{"key": "ö", "compliance": "NON_COMPLIANT"}\n[1]\n'
    )


def test_failed_part_writes_no_results(s3: Any, results: S3RescanResults) -> None:  # noqa: ANN401
    def scan() -> None:
        with results.lines("run", "part") as tell:
            tell(1)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        scan()

    assert keys(s3) == []


def test_results_of_the_parts_of_a_shard_are_stored_separately(
    s3: Any,  # noqa: ANN401
    results: S3RescanResults,
) -> None:
    bad = BadObjects(a_finding("EMRLOG-101"), (ObjectVersion("logs", "emr/x", "v1"),))
    done = ShardDone(
        shard="1",
        clusters={"COMPLIANT": 2},
        described=1,
        attention=("a",),
        folder=FOLDER,
        listed=3,
        log_objects={"NON_COMPLIANT": 1},
        bad=(bad,),
        plan=FolderPlan((PlannedObjects(FormerEncryption(), KEY.arn, 1),), {"no key": 2}, 3),
        next_after="emr/x",
    )
    rest = ShardDone(shard="1")
    results.done("run", "1", done)
    results.done("run", "1/emr/x", rest)
    results.done("run", "1/emr/x", rest)
    results.done("other", "1", rest)

    assert list(results.all_done("run")) == [rest, done]
    assert len(keys(s3)) == 3
    assert all(len(key) < 60 for key in keys(s3))


def test_plan_of_a_dry_run_is_read_as_written(
    s3: Any,  # noqa: ANN401
    results: S3RescanResults,
) -> None:
    former = FormerEncryption(KEY.arn, bucket_key=True)
    job = ReencryptionJob(ACCOUNT, "logs", "emr/x/", former, KEY.arn, NOW, 3, 5)
    plan = ReencryptionPlan((KeyChange(former, KEY.arn, 3),), 1, {"no key": 2}, (job,), 4)

    results.write_plan("run", plan)

    ended = RescanOutcome(succeeded=True, report=results.place("run"))
    assert RescanRuns(None, s3, "machine").plan(ended) == plan


def test_results_are_read_concurrently(s3: Any, results: S3RescanResults) -> None:  # noqa: ANN401
    for number in range(THREADS):
        results.done("run", f"{number}", ShardDone(shard=f"{number}"))
    together = Barrier(THREADS, timeout=30)

    def wait(**_: object) -> None:
        together.wait()  # only so many at once get past this

    s3.meta.events.register("before-send.s3.GetObject", wait)

    assert [done.shard for done in results.all_done("run")] == [*map(str, range(THREADS))]


def test_failures_are_read_as_written(results: S3RescanResults) -> None:
    failed = ShardFailed("1", "2 clusters", "why")
    results.failed("run", failed)

    assert list(results.all_failed("run")) == [failed]
    assert list(results.all_failed("other")) == []


def test_checkpoint_is_read_as_written(results: S3RescanResults) -> None:
    assert results.checkpoint() == RescanCheckpoint()
    history = RescanCheckpoint(
        execution="arn",
        started=NOW,
        open=("a#1",),
        folders={CLUSTER_ID: FolderCheckpoint("logs", "emr/", NOW, NOW)},
    )

    results.write_checkpoint(history)

    assert results.checkpoint() == history


def test_report_and_page_are_stored_as_announced(s3: Any, results: S3RescanResults) -> None:  # noqa: ANN401
    report = RescanReport(
        rescan=Rescan(
            execution=f"arn:aws:states:{REGION}:{ACCOUNT}:execution:rescan:run", started=NOW
        ),
        finished=NOW,
        place=results.place("run"),
        shards=0,
        failed=(),
        difference=Difference.between(RescanCheckpoint(), [a_finding(cluster_name="ö")]),
    )

    results.report(report)

    assert report.place == "s3://reports/rescans/run/report.json"
    assert '"cluster_name": "ö"' in body(s3, "rescans/run/report.json")
    assert report.page == "s3://reports/rescans/run/report.html"
    assert "<b>EMRLOG-002</b>" in body(s3, "rescans/run/report.html")
    assert body(s3, "rescans/run/report.html").endswith("</html>")
    head = s3.head_object(Bucket="reports", Key="rescans/run/report.html")
    assert head["ContentType"] == "text/html; charset=utf-8"
