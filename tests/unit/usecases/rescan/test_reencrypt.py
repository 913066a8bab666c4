"""Re-scans that re-encrypt: what they request, what they record, and when they are refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.log_objects import SSE_C
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.reencryption_plan import KeyChange
from emr_log_guard.domain.rescan import OVERLAP, Scope
from emr_log_guard.errors import ObjectNotFoundError
from emr_log_guard.events.reencryption import (
    encode_reencryption_request,
    parse_reencryption_request,
)
from emr_log_guard.events.rescan import RescanRequest, ShardTask
from emr_log_guard.usecases.rescan import log_objects
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    CLUSTER_ID,
    KEY,
    NOW,
    a_cluster,
    a_policy,
    an_exemption,
    encrypted,
    reencrypting,
)
from tests.unit.usecases.rescan.rescans import MACHINE, Rescans, a_name, another
from tests.unit.usecases.world import World

GOOD = a_cluster()
HOME = f"emr/{CLUSTER_ID}/"
SSE_S3 = encrypted("AES256")
LOGS = Scope.LOG_OBJECTS
OTHER = another(GOOD, 2)
RULE = "EMRLOG-101"


@pytest.fixture
def rescans() -> Rescans:
    """A known cluster without logs."""
    rescans = Rescans(World(policy=reencrypting()))
    rescans.launch(GOOD)
    rescans.check(CLUSTER_ID)
    return rescans


def write(rescans: Rescans, *names: str, cluster_id: str = CLUSTER_ID) -> None:
    """Have non-compliant logs from before the last re-scan."""
    for name in names:
        key = f"emr/{cluster_id}/{name}"
        rescans.folders.put(key, NOW - timedelta(days=3), SSE_S3)
        rescans.world.objects.heads = {**rescans.world.objects.heads, key: SSE_S3}


def requested(rescans: Rescans) -> list[str]:
    return [version.key for version, _ in rescans.world.reencryptions.sent]


def reencrypt(rescans: Rescans) -> None:
    """Have everything re-encrypted that is requested."""
    world = rescans.world
    for version, _ in world.reencryptions.sent:
        request = parse_reencryption_request(encode_reencryption_request(version))
        assert world.reencrypt.reencrypt([request]) == ()
        rescans.folders.heads = {**rescans.folders.heads, **world.objects.heads}
    world.reencryptions.sent = []


def test_all_violating_objects_are_requested_and_resolved_once_reencrypted(
    rescans: Rescans,
) -> None:
    rescans.run(LOGS)  # an incremental re-scan would not read again what is older than this
    write(rescans, *(f"node/{number:02}" for number in range(30)), "steps/s/1")
    rescans.folders.put(f"{HOME}node/good", NOW - timedelta(days=3))
    write(rescans, "node/gone", cluster_id=a_name(9))  # of a cluster that EMR does not know

    report = rescans.run(LOGS, reencrypt=True)

    assert len(requested(rescans)) == len(set(requested(rescans))) == 31
    assert all(key.startswith(HOME) for key in requested(rescans))
    assert f"{HOME}node/good" not in requested(rescans)
    assert report.log_objects["NON_COMPLIANT"] == 32  # what was read
    assert rescans.world.records[RULE].finding.occurrences == 31
    reencrypt(rescans)
    record = rescans.world.records[RULE]
    assert (record.finding.status, record.reencryption.count) == (Status.RESOLVED, 31)
    assert rescans.run(LOGS, reencrypt=True).log_objects.get("NON_COMPLIANT") == 1
    assert requested(rescans) == []


def test_plain_rescan_requests_nothing(rescans: Rescans) -> None:
    write(rescans, "node/1")

    rescans.run(LOGS)

    assert requested(rescans) == []


@pytest.mark.parametrize("deep", [False, True])
def test_old_versions_are_reencrypted_by_a_deep_rescan_only(
    rescans: Rescans, *, deep: bool
) -> None:
    write(rescans, "node/1")
    write(rescans, "node/1")

    rescans.run(LOGS, deep=deep, reencrypt=True)

    versions = [version.version_id for version, _ in rescans.world.reencryptions.sent]
    assert versions == (["v0", "v1"] if deep else [None])


@pytest.mark.parametrize("done_before_finish", [1, 20, 30])
def test_objects_reencrypted_before_the_end_are_not_recorded_as_open(
    rescans: Rescans, done_before_finish: int
) -> None:
    """Shards read 30 objects as non-compliant; some are right when the results are recorded."""
    write(rescans, *(f"node/{number:02}" for number in range(20)))
    write(rescans, *(f"steps/{number:02}" for number in range(10)))
    rescan, shards = rescans.planned(LOGS, reencrypt=True)
    for shard in shards:
        rescans.scan_all(rescan, shard)
    sent, rescans.world.reencryptions.sent = rescans.world.reencryptions.sent, []
    rescans.world.reencryptions.sent = sent[:done_before_finish]
    reencrypt(rescans)
    rescans.world.passes(minutes=5)

    rescans.finish(rescan)

    left = 30 - done_before_finish
    record = rescans.world.records[RULE]
    assert record.open is (left > 0)
    assert record.finding.occurrences == left or not left
    rescans.world.reencryptions.sent = sent[done_before_finish:]
    reencrypt(rescans)
    record = rescans.world.records[RULE]
    assert (record.open, record.reencryption.count) == (False, 30)


def test_violations_are_recorded_before_they_are_requested(
    rescans: Rescans, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(rescans, "node/1", "node/2")
    seen: list[int] = []
    monkeypatch.setattr(
        rescans.world.reencryptions,
        "send",
        lambda _: seen.append(rescans.world.records[RULE].finding.occurrences),
    )
    rescan, shards = rescans.planned(LOGS, reencrypt=True)

    for shard in shards:
        rescans.scan_all(rescan, shard)

    assert seen == [2]


def test_retried_shard_counts_its_objects_once(rescans: Rescans) -> None:
    write(rescans, "node/1", "node/2")
    rescan, [shard] = rescans.planned(LOGS, reencrypt=True)

    for _ in range(2):
        rescans.scan(ShardTask(rescan, shard))
    rescans.finish(rescan)

    assert rescans.world.records[RULE].finding.occurrences == 2
    reencrypt(rescans)
    record = rescans.world.records[RULE]
    assert (record.open, record.reencryption.count) == (False, 2)


def test_shard_leaves_the_rest_once_it_has_many_requests(
    rescans: Rescans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_objects, "REQUESTS", 5)
    write(rescans, *(f"node/{number:03}" for number in range(100)))
    rescan, [shard] = rescans.planned(LOGS, reencrypt=True)

    rest = rescans.scan(ShardTask(rescan, shard))

    assert rest["after"]
    assert 5 <= len(requested(rescans)) < 100
    while rest:
        rest = rescans.scan(ShardTask(rescan, shard, rest["after"]))
    rescans.finish(rescan)
    assert sorted(requested(rescans)) == [f"{HOME}node/{number:03}" for number in range(100)]
    assert rescans.world.records[RULE].finding.occurrences == 100


def test_exempt_rules_and_rules_that_are_not_remediated_are_only_reported() -> None:
    exempt = replace(reencrypting(), exemptions=(an_exemption(rules=(RULE,)),))
    for policy in (exempt, reencrypting(rules=("EMRLOG-102",))):
        rescans = Rescans(World(policy=policy))
        rescans.launch(GOOD)
        rescans.check(CLUSTER_ID)
        write(rescans, "node/1")

        report = rescans.run(LOGS, reencrypt=True)

        assert requested(rescans) == []
        assert report.log_objects["NON_COMPLIANT"] == 1


def test_one_cluster_is_covered_alone_and_leaves_no_checkpoint(rescans: Rescans) -> None:
    rescans.launch(OTHER)
    rescans.check(OTHER.id)
    rescans.run(LOGS)
    before = rescans.results.checkpoint()
    write(rescans, "node/1", "steps/1")
    write(rescans, "node/1", cluster_id=OTHER.id)
    rescans.world.passes(hours=1)

    report = rescans.run(LOGS, reencrypt=True, cluster=OTHER.id)

    assert requested(rescans) == [f"emr/{OTHER.id}/node/1"]
    assert report.log_objects == {"NON_COMPLIANT": 1}
    after = rescans.results.checkpoint()
    assert (after.started, after.folders) == (before.started, before.folders)
    why = {each.reason for each in report.not_evaluated if each.id == RULE}
    assert why == {f"for log objects of other clusters; this re-scan covered {OTHER.id} only"}


def test_dry_run_counts_what_would_be_requested_and_requests_nothing(rescans: Rescans) -> None:
    write(rescans, "node/1", "node/2", "steps/1")
    rescans.folders.put(f"{HOME}node/good", NOW - timedelta(days=3))

    rescans.run(LOGS, reencrypt=True, dry_run=True)

    assert requested(rescans) == []
    answer = rescans.results.checkpoint().answer
    assert (answer["to_reencrypt"], answer["listed"]) == (3, 4)
    assert rescans.world.records[RULE].finding.occurrences == 3  # reported as by any re-scan
    rescans.run(LOGS, reencrypt=True)
    assert len(requested(rescans)) == 3
    assert rescans.results.checkpoint().answer["to_reencrypt"] == 3


def test_dry_run_plans_which_objects_get_which_key(rescans: Rescans) -> None:
    """Two clusters, of which one has a log with another key, and one that cannot be updated."""
    write(rescans, "node/1", "node/2", "steps/1")
    rescans.folders.put(f"{HOME}node/good", NOW - timedelta(days=3))
    rescans.launch(OTHER)
    rescans.check(OTHER.id)
    elsewhere = f"emr/{OTHER.id}/"
    rescans.folders.put(f"{elsewhere}node/1", NOW, encrypted("aws:kms", ANOTHER_KEY.arn))
    rescans.folders.put(f"{elsewhere}node/2", NOW, encrypted(SSE_C))

    rescans.run(LOGS, reencrypt=True, dry_run=True)

    [plan] = rescans.results.dry_runs
    assert plan.changes == (
        KeyChange(FormerEncryption(), KEY.arn, 3),
        KeyChange(FormerEncryption(ANOTHER_KEY.arn), KEY.arn, 1),
    )
    [(cause, count)] = plan.refused.items()
    assert (count, "SSE-C" in cause) == (1, True)
    started = rescans.world.now
    assert plan.jobs == (
        ReencryptionJob(
            ACCOUNT,
            "example-logs",
            HOME,
            FormerEncryption(),
            KEY.arn,
            started - OVERLAP,
            objects=3,
            in_bucket=6,
        ),
        ReencryptionJob(
            ACCOUNT,
            "example-logs",
            elsewhere,
            FormerEncryption(ANOTHER_KEY.arn),
            KEY.arn,
            started - OVERLAP,
            objects=1,
            in_bucket=6,
        ),
    )


def test_only_a_dry_run_determines_keys(rescans: Rescans) -> None:
    write(rescans, "node/1")
    rescans.world.buckets.owners_asked = []

    rescans.run(LOGS, reencrypt=True)

    assert rescans.results.dry_runs == []
    assert rescans.world.buckets.owners_asked == []


def test_folder_with_objects_that_are_no_logs_has_no_job(rescans: Rescans) -> None:
    """The folder of a cluster that logs elsewhere: what is in it was written by somebody else."""
    write(rescans, "node/1")
    rescans.launch(replace(OTHER, log_uri="s3://example-logs/elsewhere/"))
    rescans.check(OTHER.id)
    write(rescans, "data/1", cluster_id=OTHER.id)

    rescans.run(LOGS, reencrypt=True, dry_run=True)

    [plan] = rescans.results.dry_runs
    assert [job.prefix for job in plan.jobs] == [HOME]


def test_folder_that_is_not_read_to_the_end_has_no_job(rescans: Rescans) -> None:
    write(rescans, "node/1", "steps/1")

    rescans.run(LOGS, reencrypt=True, dry_run=True, fails={"objects-000002": "it timed out"})

    [plan] = rescans.results.dry_runs
    assert (plan.changes[0].count, plan.jobs) == (1, ())


def test_object_that_is_deleted_meanwhile_is_in_no_job(rescans: Rescans) -> None:
    write(rescans, "node/1", "node/2")
    rescans.folders.heads = {
        **rescans.folders.heads,
        f"{HOME}node/2": ObjectNotFoundError("gone"),
    }

    rescans.run(LOGS, reencrypt=True, dry_run=True)

    [plan] = rescans.results.dry_runs
    assert [job.objects for job in plan.jobs] == [1]


def test_logs_without_a_usable_key_are_refused(rescans: Rescans) -> None:
    write(rescans, "node/1")
    rescans.world.buckets.owner = "444455556666"

    rescans.run(LOGS, reencrypt=True, dry_run=True)

    [plan] = rescans.results.dry_runs
    assert (plan.changes, plan.jobs, [*plan.refused.values()]) == ((), (), [1])


def test_dry_run_does_not_subtract_what_is_reencrypted_meanwhile(rescans: Rescans) -> None:
    """Nothing requests those that are left, so nothing would record them again."""
    write(rescans, "node/1", "node/2")
    rescan, [shard] = rescans.planned(LOGS, reencrypt=True, dry_run=True)
    rescans.scan(ShardTask(rescan, shard))
    assert RULE not in rescans.world.records

    [bad] = [each for done in rescans.results.all_done(rescan.name) for each in done.bad]

    assert (bad.finding.rule_id, bad.reencrypted_before) == (RULE, None)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (reencrypting(allowed=False), "deploy it with ReencryptionAllowed=true"),
        (reencrypting(enabled=False), "set reencryption.enabled"),
        (replace(reencrypting(), mode=Mode.OBSERVE), "a mode other than observe"),
        (replace(reencrypting(), suspended=True), "could not be read or is invalid"),
        (a_policy(), "deploy it with ReencryptionAllowed=true"),
    ],
)
def test_rescan_is_refused_where_nothing_may_be_reencrypted(policy: Policy, reason: str) -> None:
    rescans = Rescans(World(policy=policy))
    asked = RescanRequest(f"{MACHINE}:1", LOGS, reencrypt=True)

    assert reason in str(rescans.plan(asked)["refused"])
    assert rescans.results.shards == ()
    assert "refused" not in rescans.plan(RescanRequest(f"{MACHINE}:2", LOGS))


def test_policy_that_is_switched_off_after_the_plan_requests_nothing(rescans: Rescans) -> None:
    write(rescans, "node/1")
    rescan, [shard] = rescans.planned(LOGS, reencrypt=True)
    rescans.world.policy = reencrypting(enabled=False)

    rescans.scan(ShardTask(rescan, shard))

    assert requested(rescans) == []


def test_key_that_is_no_longer_the_clusters_is_replaced(rescans: Rescans) -> None:
    key = f"{HOME}node/1"
    head = encrypted("aws:kms", ANOTHER_KEY.arn)
    rescans.folders.put(key, NOW - timedelta(days=3), head)
    rescans.world.objects.heads = {key: head}

    rescans.run(LOGS, reencrypt=True)
    reencrypt(rescans)

    assert [each[1] for each in rescans.world.objects.updates] == [KEY.arn]
    assert not rescans.world.records["EMRLOG-103"].open
