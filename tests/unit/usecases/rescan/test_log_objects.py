import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain import log_objects
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.rescan import Folder, Scope
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import AccessDeniedError, NotReadableError
from emr_log_guard.events.rescan import ShardTask
from emr_log_guard.usecases.rescan.ports import ListedObject
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    NOW,
    a_cluster,
    encrypted,
)
from tests.unit.fakes import NOT_FOUND, FakeFolders
from tests.unit.usecases.rescan.rescans import Rescans, a_name, another

GOOD = a_cluster()
HOME = f"emr/{CLUSTER_ID}/"
SSE_S3 = encrypted("AES256")
LOGS = Scope.LOG_OBJECTS


@pytest.fixture
def rescans() -> Rescans:
    """A known cluster with some logs from three hours ago."""
    rescans = Rescans()
    rescans.launch(GOOD)
    rescans.check(CLUSTER_ID)
    for name in ("node/i-1/a.gz", "node/i-2/a.gz", "steps/s-1/a.gz"):
        rescans.folders.put(HOME + name, NOW - timedelta(hours=3))
    return rescans


def read(rescans: Rescans) -> list[str]:
    """The keys that were read since the last time."""
    asked = [version.key.removeprefix(HOME) for version in rescans.folders.asked]
    rescans.folders.asked.clear()
    return sorted(asked)


def test_folder_is_split_by_its_sub_folders_without_losing_keys(rescans: Rescans) -> None:
    for name in ("controller.gz", "o.gz", "zz.gz"):  # between and around the sub-folders
        rescans.folders.put(HOME + name, NOW)

    report = rescans.run(LOGS)

    ranges = [(folder.after, folder.until) for folder in rescans.folders.listed]
    assert ranges == [("", f"{HOME}steps/"), (f"{HOME}steps/", "")]
    assert read(rescans) == [
        "controller.gz",
        "node/i-1/a.gz",
        "node/i-2/a.gz",
        "o.gz",
        "steps/s-1/a.gz",
        "zz.gz",
    ]
    assert (report.log_objects, report.listed) == ({"COMPLIANT": 6}, 6)


def test_object_is_checked_by_one_incremental_run_only(rescans: Rescans) -> None:
    rescans.run(LOGS)
    read(rescans)
    rescans.world.passes(hours=5)

    report = rescans.run(LOGS)

    assert read(rescans) == []
    assert (report.listed, report.log_objects) == (3, {})


def test_new_and_late_objects_are_checked_by_the_next_run(rescans: Rescans) -> None:
    rescans.run(LOGS)
    read(rescans)
    rescans.folders.put(f"{HOME}node/i-1/late.gz", NOW - timedelta(minutes=59))
    rescans.folders.put(f"{HOME}containers/new.gz", NOW + timedelta(hours=1), SSE_S3)
    rescans.world.passes(hours=5)

    report = rescans.run(LOGS)

    assert read(rescans) == ["containers/new.gz", "node/i-1/late.gz"]
    [finding] = report.difference.new
    assert (finding.rule_id, finding.occurrences) == ("EMRLOG-101", 1)
    assert rescans.world.kinds == ["finding.opened"]


def test_known_violating_objects_are_not_alerted_or_counted_again(
    rescans: Rescans,
) -> None:
    for number in range(15):
        rescans.folders.put(f"{HOME}node/bad-{number:02}.gz", NOW, SSE_S3)
    rescans.run(LOGS)
    rescans.results.history = b"{}"  # all of them are looked at again

    report = rescans.run(LOGS)

    assert rescans.world.kinds == ["finding.opened"]
    [finding] = report.difference.open
    assert finding.occurrences == 15


def test_deep_run_checks_old_versions(rescans: Rescans) -> None:
    rescans.run(LOGS)
    read(rescans)
    rescans.folders.put(f"{HOME}node/i-1/a.gz", NOW - timedelta(hours=1))

    report = rescans.run(LOGS, deep=True)

    assert read(rescans) == ["node/i-1/a.gz", "node/i-1/a.gz", "node/i-2/a.gz", "steps/s-1/a.gz"]
    assert report.listed == 4


def test_deep_run_finds_an_object_re_encrypted_with_another_key(
    rescans: Rescans,
) -> None:
    """Its date stays as it was, so an incremental run has read it already.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/update-sse-encryption.html
    """
    assert rescans.run(LOGS).difference.new == ()
    rescans.world.keys.facts = {KEY.arn: KEY, ANOTHER_KEY.arn: ANOTHER_KEY}
    rescans.folders.heads = {f"{HOME}node/i-1/a.gz": encrypted("aws:kms", ANOTHER_KEY.arn)}
    rescans.world.passes(hours=5)
    assert rescans.run(LOGS).difference.new == ()

    report = rescans.run(LOGS, deep=True)

    [finding] = report.difference.new
    assert (finding.rule_id, finding.compliance) == ("EMRLOG-103", Compliance.NON_COMPLIANT)


def test_deep_run_corrects_the_count_and_resolves_the_finding_when_none_is_left(
    rescans: Rescans,
) -> None:
    for number in range(15):
        rescans.folders.put(f"{HOME}node/bad-{number:02}.gz", NOW, SSE_S3)
    rescans.run(LOGS)
    for number in range(5):
        del rescans.folders.keys[f"{HOME}node/bad-{number:02}.gz"]
    rescans.world.passes(hours=1)

    report = rescans.run(LOGS, deep=True)

    [finding] = report.difference.still_open
    assert finding.occurrences == 10
    assert len(rescans.world.records["EMRLOG-101"].objects) == 10

    rescans.folders.heads = {}
    rescans.world.passes(hours=1)
    report = rescans.run(LOGS, deep=True)

    assert report.difference.resolved == (f"{GOOD.arn}#EMRLOG-101",)
    assert rescans.world.kinds == ["finding.opened", "finding.resolved"]


def test_time_of_the_newest_violating_object_is_recorded(rescans: Rescans) -> None:
    """A termination prevents something only while bad logs are still written."""
    for minutes in (90, 10, 50):
        rescans.folders.put(
            f"{HOME}node/bad-{minutes}.gz", NOW - timedelta(minutes=minutes), SSE_S3
        )

    rescans.run(LOGS)

    record = rescans.world.records["EMRLOG-101"]
    assert record.newest == NOW - timedelta(minutes=10)
    assert record.ongoing(NOW)
    assert not record.ongoing(NOW + timedelta(hours=1))


def test_deep_run_with_a_failed_shard_resolves_nothing(rescans: Rescans) -> None:
    bad = f"{HOME}node/bad.gz"
    rescans.folders.put(bad, NOW, SSE_S3)
    rescans.run(LOGS)
    rescans.folders.heads = {}
    rescans.world.passes(hours=1)

    report = rescans.run(LOGS, deep=True, fails={f"after='{HOME}steps/'": "Lambda.Unknown"})

    assert len(report.difference.still_open) == len(report.failed) == 1


def test_failed_shard_is_checked_from_the_last_successful_run(
    rescans: Rescans,
) -> None:
    rescans.run(LOGS, fails={f"after='{HOME}steps/'": "Sandbox.Timedout"})
    read(rescans)
    rescans.world.passes(hours=5)

    rescans.run(LOGS)

    assert read(rescans) == ["node/i-1/a.gz", "node/i-2/a.gz", "steps/s-1/a.gz"]


def test_unreadable_object_is_undetermined(rescans: Rescans) -> None:
    denied = Unresolved("s3:HeadObject answered 403")
    rescans.folders.put(f"{HOME}node/x.gz", NOW)
    rescans.folders.heads = {f"{HOME}node/x.gz": denied}

    report = rescans.run(LOGS)

    assert report.compliance is Compliance.INSUFFICIENT_DATA
    assert {each.compliance for each in report.difference.undetermined} == {
        Compliance.INSUFFICIENT_DATA
    }
    [line] = [line for lines in rescans.results.last_notified.values() for line in lines]
    assert (line["key"], line["unread"]) == (f"{HOME}node/x.gz", denied.reason)


def test_each_violating_object_has_a_line_in_the_results(rescans: Rescans) -> None:
    rescans.folders.put(f"{HOME}node/x.gz", NOW, SSE_S3)

    rescans.run(LOGS)

    [line] = [line for lines in rescans.results.last_notified.values() for line in lines]
    assert (line["bucket"], line["key"]) == ("example-logs", f"{HOME}node/x.gz")
    assert (line["encryption"], line["compliance"]) == ("AES256", "NON_COMPLIANT")
    assert line["rules"]["EMRLOG-101"] == "NON_COMPLIANT"


def test_object_deleted_meanwhile_is_not_counted(rescans: Rescans) -> None:
    rescans.folders.heads = {f"{HOME}node/i-1/a.gz": NOT_FOUND}

    report = rescans.run(LOGS)

    assert (report.listed, report.log_objects) == (3, {"COMPLIANT": 2})


def test_shard_beyond_the_time_limit_is_continued_by_another(rescans: Rescans) -> None:
    for number in range(20):
        rescans.folders.put(f"{HOME}node/many-{number:02}.gz", NOW)
    rescans.seconds, rescans.ticks = 5, 1

    report = rescans.run(LOGS)

    assert (report.listed, report.log_objects) == (23, {"COMPLIANT": 23})
    assert len(rescans.results.parts) > 4


def test_continued_shard_starts_between_two_keys(rescans: Rescans) -> None:
    key = f"{HOME}steps/s-1/a.gz"
    for _ in range(9):
        rescans.folders.put(key, NOW)
    rescans.seconds, rescans.ticks = 2, 1

    report = rescans.run(LOGS, deep=True)

    assert report.listed == 12  # no version is left out, and none is seen twice


def test_new_cluster_is_described_by_its_shard(rescans: Rescans) -> None:
    new = another(GOOD, 5)
    rescans.launch(new)
    rescans.folders.put(f"emr/{new.id}/node/a.gz", NOW)

    report = rescans.run(LOGS)

    assert report.log_objects == {"COMPLIANT": 4}
    assert new.id in rescans.results.checkpoint().folders


def test_a_cluster_that_archives_no_logs_has_no_shard(rescans: Rescans) -> None:
    silent = another(a_cluster(log_uri=None), 5)
    rescans.launch(silent)
    first = rescans.run(LOGS)
    second = rescans.run(LOGS)

    assert first.failed == second.failed == ()
    assert silent.id not in {each.cluster_id for each in rescans.folders.listed}


@pytest.mark.parametrize("known", [False, True])
def test_log_uri_that_is_not_s3_fails_its_shard(rescans: Rescans, known: bool) -> None:  # noqa: FBT001
    odd = another(a_cluster(log_uri="hdfs:///logs"), 5)
    rescans.launch(odd)
    if known:
        rescans.check(odd.id)
    rescan, shards = rescans.planned(LOGS)
    [shard] = [each for each in shards if each.folder and each.folder.cluster_id == odd.id]

    with pytest.raises(NotReadableError, match="hdfs:///logs"):
        rescans.scan(ShardTask(rescan, shard))


def test_logs_at_an_access_point_are_read_by_its_alias_with_any_configured_buckets(
    rescans: Rescans,
) -> None:
    alias = "emr-logs-ap-abcdefghijklmnopqrstuvwxyz012345-s3alias"
    odd = another(a_cluster(log_uri=f"s3n://{alias}/emr/"), 5)
    rescans.launch(odd)
    rescans.check(odd.id)
    rescans.checked_buckets = ("example-logs",)
    rescans.folders.put(f"emr/{odd.id}/node/a.gz", NOW, SSE_S3)

    report = rescans.run(LOGS)

    assert report.log_objects == {"COMPLIANT": 3, "NON_COMPLIANT": 1}
    assert {each.bucket for each in rescans.folders.asked} == {"example-logs", alias}


def test_object_of_a_cluster_that_logs_to_an_unreadable_access_point_is_undetermined(
    rescans: Rescans,
) -> None:
    alias = "emr-logs-ap-abcdefghijklmnopqrstuvwxyz012345-s3alias"
    odd = another(a_cluster(log_uri=f"s3n://{alias}/emr/"), 5)
    rescans.launch(odd)
    rescans.check(odd.id)
    rescans.folders.unlistable = {alias: NotReadableError("…")}
    rescans.folders.put(f"emr/{odd.id}/node/a.gz", NOW, SSE_S3)

    report = rescans.run(LOGS, deep=True, fails={alias: "NotReadableError: …"})

    assert report.log_objects == {"COMPLIANT": 3, "INSUFFICIENT_DATA": 1}


@pytest.mark.parametrize(("others", "expected"), [((), ACCOUNT), (("444455556666",), None)])
def test_bucket_owner_is_expected_when_only_one_account_may_own_it(
    rescans: Rescans, others: tuple[str, ...], expected: str | None
) -> None:
    rescans.world.policy = replace(rescans.world.policy, log_bucket_owners=others)

    rescans.run(LOGS)

    assert rescans.folders.owners == {expected}


def test_unlistable_bucket_fails_only_its_own_shard(rescans: Rescans) -> None:
    closed = another(a_cluster(log_uri="s3://closed/"), 5)
    rescans.launch(closed)
    rescans.check(closed.id)
    rescans.folders.unlistable = {"closed": NotReadableError("answered SlowDown")}
    rescan, shards = rescans.planned(LOGS)
    [shard] = [each for each in shards if each.folder and each.folder.bucket == "closed"]

    with pytest.raises(NotReadableError, match="SlowDown"):
        rescans.scan(ShardTask(rescan, shard))
    deep = rescans.run(LOGS, deep=True, fails={closed.id: "NotReadableError: …"})

    assert [each.title for each in deep.failed] == [
        f"log objects of {closed.id} s3://closed/{closed.id}/"
    ]


@pytest.mark.parametrize("deep", [False, True])
def test_denied_listing_is_undetermined_until_access_is_granted(
    rescans: Rescans, *, deep: bool
) -> None:
    closed = another(a_cluster(log_uri="s3://closed/"), 5)
    rescans.launch(closed)
    rescans.check(closed.id)
    rescans.run(LOGS)
    before = rescans.results.checkpoint().folders[closed.id]
    rescans.world.passes(hours=1)
    denied = "s3:ListBucket on s3://closed/ answered AccessDenied"
    rescans.folders.unlistable = {"closed": AccessDeniedError(denied)}

    report = rescans.run(LOGS, deep=deep)

    [shard] = report.denied
    assert shard.title == f"log objects of {closed.id} s3://closed/{closed.id}/"
    assert shard.why == denied
    assert (report.failed, report.compliance) == ((), Compliance.INSUFFICIENT_DATA)
    assert report.coverage < 100
    assert rescans.results.checkpoint().folders[closed.id] == before

    rescans.folders.unlistable = {}
    report = rescans.run(LOGS)

    assert (report.denied, report.compliance) == ((), Compliance.COMPLIANT)
    assert rescans.results.checkpoint().folders[closed.id].since == rescans.world.now


def test_last_logs_of_a_terminated_cluster_are_checked_until_none_can_arrive(
    rescans: Rescans,
) -> None:
    rescans.run(LOGS)
    rescans.end(CLUSTER_ID)
    rescans.folders.put(f"{HOME}node/last.gz", NOW + timedelta(minutes=30))
    rescans.world.passes(hours=2)

    first = rescans.run(LOGS)
    rescans.world.passes(hours=2)
    second = rescans.run(LOGS)
    rescans.world.passes(hours=2)
    third = rescans.run(LOGS)

    assert first.listed == second.listed == 4
    assert third.listed == 0
    assert "node/last.gz" in read(rescans)
    assert rescans.results.checkpoint().folders == {}


def test_cluster_launched_and_terminated_between_two_runs_is_found(rescans: Rescans) -> None:
    rescans.run()
    brief = another(GOOD, 7)
    rescans.world.clusters.known[brief.id] = brief
    rescans.listing.terminating = [brief.id]
    rescans.folders.put(f"emr/{brief.id}/node/a.gz", NOW, SSE_S3)
    rescans.world.passes(hours=24)
    rescans.listing.asked.clear()

    report = rescans.run()

    launched_after = NOW - timedelta(hours=1)
    assert rescans.listing.asked[1] == (("TERMINATED", "TERMINATED_WITH_ERRORS"), launched_after)
    assert report.clusters == {"COMPLIANT": 2}
    assert [each.cluster_id for each in report.difference.new] == [brief.id]


def test_deep_run_finds_folders_of_unknown_clusters(rescans: Rescans) -> None:
    gone = a_name(99)
    rescans.folders.put(f"emr/{gone}/node/a.gz", NOW, SSE_S3)
    rescans.folders.put("emr/no-cluster/a.gz", NOW, SSE_S3)

    report = rescans.run(LOGS, deep=True)

    assert {each.cluster_id for each in report.difference.new} == {gone}
    assert gone not in rescans.results.checkpoint().folders


def test_deep_run_lists_the_folder_of_a_new_cluster_once(rescans: Rescans) -> None:
    new = another(GOOD, 5)
    rescans.launch(new)
    rescans.folders.put(f"emr/{new.id}/node/a.gz", NOW, SSE_S3)

    report = rescans.run(LOGS, deep=True)

    [finding] = report.difference.new
    assert (report.listed, finding.occurrences) == (4, 1)


def test_deep_run_lists_folders_of_steps_and_follows_only_cluster_folders(
    rescans: Rescans,
) -> None:
    other = another(a_cluster(log_uri="s3://example-logs/steps/"), 5)
    rescans.launch(other)
    rescans.check(other.id)
    rescans.folders.put(f"steps/{other.id}/node/a.gz", NOW)
    rescans.folders.put(f"steps/{CLUSTER_ID}/steps/s-1/a.gz", NOW, SSE_S3)

    report = rescans.run(LOGS, deep=True)

    assert report.listed == 5
    followed = rescans.results.checkpoint().folders
    assert {each.prefix for each in followed.values()} == {HOME, f"steps/{other.id}/"}


def test_memory_of_a_shard_does_not_grow_with_the_number_of_objects(rescans: Rescans) -> None:
    def peak(count: int) -> int:
        rescans.folders.keys = {f"{HOME}node/{n:07}.gz": [NOW] for n in range(count)}
        rescans.folders.asked.clear()
        rescan, [shard] = rescans.planned(LOGS, deep=True)
        tracemalloc.start()
        assert rescans.scan(ShardTask(rescan, shard)) == {}
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        rescans.folders.asked.clear()
        return most

    peak(100)
    assert peak(4_000) < 1.5 * peak(1_000) + 500_000


OBJECTS = 200_000


class Endless(FakeFolders):
    """A folder whose objects are made as they are listed, all of them checked before."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[int] = []
        """How many blocks of memory there were, after the first objects and then from time to time.

        tracemalloc would take many times as long.
        """

    def below(self, bucket: str, prefix: str) -> tuple[str, ...]:
        del bucket, prefix
        return ()

    def within(
        self, folder: Folder, *, versions: bool, owner: str | None = None
    ) -> Iterator[ListedObject]:
        assert not versions
        self.owners.add(owner)
        for number in range(OBJECTS):
            version = ObjectVersion(str(folder.bucket), f"{folder.prefix}node/{number:07}.gz")
            yield ListedObject(version, NOW - timedelta(days=1))
            if number % 20_000 == 1000:
                self.blocks.append(sys.getallocatedblocks())


def test_known_objects_are_listed_without_being_read_or_held_in_memory(
    rescans: Rescans,
) -> None:
    rescans.run(LOGS)
    rescans.folders = endless = Endless()
    rescan, [shard] = rescans.planned(LOGS)
    assert shard.folder is not None

    notified: list[object] = []

    done = rescans.scan.log_objects(rescan, shard, shard.folder, "", notified.append)

    assert (done.listed, done.log_objects, notified) == (OBJECTS, {}, [])
    assert endless.asked == []
    assert max(endless.blocks) - endless.blocks[0] < 50_000


def test_only_named_buckets_are_checked(rescans: Rescans) -> None:
    rescans.checked_buckets = ("other-logs",)
    rescans.launch(another(GOOD, 5))

    for deep in (False, True):
        assert rescans.run(LOGS, deep=deep).listed == 0


def test_run_without_log_objects_keeps_their_checkpoint(rescans: Rescans) -> None:
    rescans.run(LOGS)
    before = rescans.results.checkpoint()
    rescans.world.passes(hours=1)

    rescans.run(Scope.CLUSTERS)

    after = rescans.results.checkpoint()
    assert (after.folders, after.started) == (before.folders, before.started)


def test_large_bucket_adds_advice_to_use_athena(
    rescans: Rescans, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rescans.run(LOGS).advice == ()
    assert log_objects.LARGE_BUCKET == 10_000_000
    monkeypatch.setattr(log_objects, "LARGE_BUCKET", 3)

    [advice] = rescans.run(LOGS).advice

    assert advice.startswith("3 log objects were listed in example-logs")
    assert "Athena" in advice


def test_steps_are_read_for_an_object_without_the_cluster_key(
    rescans: Rescans,
) -> None:
    rescans.folders.put(f"{HOME}node/x.gz", NOW, encrypted("aws:kms", KEY.arn + "-other"))

    report = rescans.run(LOGS)

    assert rescans.world.clusters.steps_asked
    assert report.difference.new
