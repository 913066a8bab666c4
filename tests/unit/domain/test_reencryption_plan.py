from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.keys import KeyManager
from emr_log_guard.domain.log_objects import SSE_C, Encryption
from emr_log_guard.domain.reencryption import Leave, Reencrypt, Refuse
from emr_log_guard.domain.reencryption_plan import (
    CAUSES,
    CHANGES,
    ENCRYPTIONS,
    JOBS,
    OTHER_CAUSES,
    FolderPlan,
    KeyChange,
    PlannedFolder,
    PlannedObjects,
    PlanTally,
    ReencryptionPlan,
    plan_reencryption,
)
from emr_log_guard.domain.unresolved import Unresolved
from tests.unit.builders import ACCOUNT, KEY, NOW, OTHER_ACCOUNT, encrypted, log_object_facts

FORMER = KEY.arn.replace("1234abcd", "0000abcd")
OTHER = KEY.arn.replace("1234abcd", "ffffabcd")
SSE_S3 = FormerEncryption()
WITH_FORMER = FormerEncryption(FORMER)
FOLDER = "emr/j-2AXXXXXXGAPLF/"
ALL_OF_IT = (PlannedObjects(SSE_S3, KEY.arn, 7),)


def reencrypt(key_arn: str = KEY.arn) -> Reencrypt:
    return Reencrypt(key_arn, "EMRLOG-101", "SSE-S3")


def a_folder(
    objects: Sequence[PlannedObjects] = ALL_OF_IT,
    *,
    bucket: str = "example-logs",
    prefix: str = FOLDER,
    complete: bool = True,
    unknown: int = 0,
) -> PlannedFolder:
    plan = FolderPlan(tuple(objects), unknown=unknown)
    return PlannedFolder(bucket, prefix, plan, complete)


def planned(*folders: PlannedFolder) -> ReencryptionPlan:
    listed = {each.bucket: 1_000 for each in folders}
    return plan_reencryption(folders, listed, ACCOUNT, NOW)


@pytest.mark.parametrize(
    ("encryption", "decision", "rows", "unknown", "refused"),
    [
        (encrypted("AES256"), reencrypt(), [(SSE_S3, KEY.arn)], 0, {}),
        (encrypted("aws:kms", FORMER), reencrypt(), [(WITH_FORMER, KEY.arn)], 0, {}),
        (encrypted("aws:kms", FORMER), Leave("fine"), [(WITH_FORMER, None)], 0, {}),
        (encrypted("AES256"), Refuse("EMRLOG-101", "no key"), [(SSE_S3, None)], 0, {"no key": 1}),
        (encrypted(SSE_C), Refuse("EMRLOG-101", "SSE-C"), [], 0, {"SSE-C": 1}),
        (encrypted("aws:kms:dsse", FORMER), Leave("fine"), [], 0, {}),
        (Unresolved("denied"), Leave("unknown"), [], 1, {}),
    ],
)
def test_object_is_counted_by_encryption_and_decision(
    encryption: Encryption | Unresolved,
    decision: Reencrypt | Leave | Refuse,
    rows: list[tuple[FormerEncryption, str | None]],
    unknown: int,
    refused: dict[str, int],
) -> None:
    tally = PlanTally()

    tally.add(log_object_facts(encryption=encryption), decision)

    plan = tally.plan
    assert [(each.former, each.key_arn) for each in plan.objects] == rows
    assert all(each.count == 1 for each in plan.objects)
    assert (plan.unknown, plan.refused) == (unknown, refused)


def test_bucket_keys_and_keys_of_aws_are_counted_apart() -> None:
    tally = PlanTally()
    head = encrypted("aws:kms", FORMER)
    managed = replace(KEY, arn=FORMER, manager=KeyManager.AWS)

    for _ in range(2):
        tally.add(log_object_facts(encryption=head), reencrypt())
    tally.add(log_object_facts(encryption=replace(head, bucket_key=True)), reencrypt())
    tally.add(log_object_facts(encryption=head, object_key=managed), reencrypt())

    assert {(each.former, each.count) for each in tally.plan.objects} == {
        (FormerEncryption(FORMER), 2),
        (FormerEncryption(FORMER, bucket_key=True), 1),
        (FormerEncryption(FORMER, aws_managed=True), 1),
    }


def test_merged_parts_count_as_one_folder() -> None:
    part = FolderPlan((PlannedObjects(SSE_S3, KEY.arn, 3),), {"cause": 2}, 1)
    tally = PlanTally()

    tally.merge(part)
    tally.merge(part)

    assert tally.plan == FolderPlan((PlannedObjects(SSE_S3, KEY.arn, 6),), {"cause": 4}, 2)


def test_counts_are_limited_and_complete() -> None:
    tally = PlanTally()

    for number in range(ENCRYPTIONS + 5):
        for _ in range(2):
            head = encrypted("aws:kms", f"{FORMER[:-4]}{number:04}")
            tally.add(log_object_facts(encryption=head), reencrypt())
    for number in range(CAUSES + 5):
        facts = log_object_facts(encryption=encrypted(SSE_C))
        tally.add(facts, Refuse("EMRLOG-101", f"cause {number}"))

    plan = tally.plan
    assert len(plan.objects) == ENCRYPTIONS
    assert (sum(each.count for each in plan.objects), plan.unknown) == (2 * ENCRYPTIONS, 10)
    assert len(plan.refused) == CAUSES + 1
    assert plan.refused[OTHER_CAUSES] == 5


def test_folder_has_a_job_for_each_former_encryption() -> None:
    rows = (
        PlannedObjects(SSE_S3, KEY.arn, 7),
        PlannedObjects(WITH_FORMER, KEY.arn, 9),
        PlannedObjects(FormerEncryption(KEY.arn), None, 5),
    )

    jobs = planned(a_folder(rows)).jobs

    usual = ReencryptionJob(
        ACCOUNT, "example-logs", FOLDER, WITH_FORMER, KEY.arn, NOW, objects=9, in_bucket=1_000
    )
    assert jobs == (usual, replace(usual, former=SSE_S3, objects=7))


@pytest.mark.parametrize(
    "folder",
    [
        a_folder(complete=False),
        a_folder(unknown=1),
        a_folder(bucket="ap-123-s3alias"),
        a_folder([PlannedObjects(SSE_S3, None, 7)]),
        a_folder([*ALL_OF_IT, PlannedObjects(SSE_S3, None, 1)]),
        a_folder([*ALL_OF_IT, PlannedObjects(SSE_S3, OTHER, 1)]),
        a_folder([PlannedObjects(FormerEncryption(FORMER, aws_managed=True), KEY.arn, 7)]),
        a_folder([PlannedObjects(FormerEncryption("1234abcd"), KEY.arn, 7)]),
        a_folder(
            [
                PlannedObjects(WITH_FORMER, KEY.arn, 7),
                PlannedObjects(FormerEncryption(KEY.arn), FORMER, 7),
            ]
        ),
        a_folder([PlannedObjects(SSE_S3, KEY.arn.replace(ACCOUNT, OTHER_ACCOUNT), 7)]),
        a_folder([]),
    ],
    ids=[
        *("not read to the end", "unknown objects", "access point", "nothing to do"),
        *("compliant objects", "another new key", "key of AWS", "no key ARN", "swapped keys"),
        *("other account", "empty"),
    ],
)
def test_folder_has_no_job_that_could_touch_other_objects(folder: PlannedFolder) -> None:
    assert planned(folder).jobs == ()


@pytest.mark.parametrize("inner", [f"{FOLDER}j-3BXXXXXXGAPLF/", f"{FOLDER}x/y/j-3BXXXXXXGAPLF/"])
def test_folders_inside_each_other_have_no_jobs(inner: str) -> None:
    beside = a_folder(prefix="emr/j-4CXXXXXXGAPLF/")
    elsewhere = a_folder(prefix=inner, bucket="other-logs")

    jobs = planned(a_folder(), a_folder(prefix=inner), beside, elsewhere).jobs

    assert [(job.bucket, job.prefix) for job in jobs] == [
        (beside.bucket, beside.prefix),
        (elsewhere.bucket, elsewhere.prefix),
    ]


def test_largest_jobs_are_named() -> None:
    folders = [
        a_folder([PlannedObjects(SSE_S3, KEY.arn, number)], prefix=f"{number}/")
        for number in range(1, JOBS + 4)
    ]

    plan = planned(*folders)

    assert (len(plan.jobs), plan.more_jobs) == (JOBS, 3)
    assert [job.objects for job in plan.jobs[:2]] == [JOBS + 3, JOBS + 2]


def test_changes_of_keys_and_causes_are_summed_up_over_folders() -> None:
    rows = (*ALL_OF_IT, PlannedObjects(WITH_FORMER, KEY.arn, 1), PlannedObjects(SSE_S3, None, 9))
    refusing = replace(a_folder([]), plan=FolderPlan(refused={"no key": 2}))

    plan = planned(a_folder(rows), a_folder(rows, prefix="b/"), refusing, refusing)

    assert plan.changes == (KeyChange(SSE_S3, KEY.arn, 14), KeyChange(WITH_FORMER, KEY.arn, 2))
    assert (plan.more_changes, plan.refused) == (0, {"no key": 4})


def test_most_frequent_changes_are_named() -> None:
    rows = [
        PlannedObjects(FormerEncryption(f"{FORMER[:-4]}{number:04}"), KEY.arn, number)
        for number in range(1, CHANGES + 3)
    ]

    plan = planned(a_folder(rows))

    assert (len(plan.changes), plan.more_changes) == (CHANGES, 2)
    assert plan.changes[0].count == CHANGES + 2


@dataclass(frozen=True)
class Stored:
    """An object in a bucket, and what was decided about it."""

    key: str
    encryption: Encryption | Unresolved
    decision: Reencrypt | Leave | Refuse

    @property
    def decided(self) -> Reencrypt | Leave | Refuse:
        """What is decided once the encryption is known."""
        return Leave("unknown") if isinstance(self.encryption, Unresolved) else self.decision

    def with_key(self, key_arn: str) -> Self:
        """Return it re-encrypted, which leaves nothing to do."""
        head = encrypted("aws:kms", key_arn)
        return replace(self, encryption=head, decision=Leave("compliant"))


KEYS = st.sampled_from([f"{FOLDER}{name}" for name in ("node/1", "steps/1", "j-3BXXXXXXGAPLF/1")])
HEADS = st.sampled_from(
    [
        encrypted("AES256"),
        encrypted("aws:kms", FORMER),
        replace(encrypted("aws:kms", FORMER), bucket_key=True),
        encrypted("aws:kms", OTHER),
        encrypted("aws:kms:dsse", FORMER),
        encrypted(SSE_C),
        encrypted(None),
        Unresolved("denied"),
    ]
)
KEY_CHANGES = [reencrypt(), reencrypt(OTHER), reencrypt(FORMER)]
DECISIONS = st.sampled_from([*KEY_CHANGES, Leave("compliant"), Refuse("EMRLOG-101", "no key")])
SELECTABLE = st.sampled_from(
    [encrypted("AES256"), encrypted("aws:kms", FORMER), encrypted("aws:kms", OTHER)]
)
FOLDERS = st.one_of(
    st.lists(st.builds(Stored, KEYS, HEADS, DECISIONS), max_size=8),
    st.lists(st.builds(Stored, KEYS, SELECTABLE, st.sampled_from(KEY_CHANGES)), max_size=4),
)


SWAPPED = [
    Stored(f"{FOLDER}node/1", encrypted("aws:kms", FORMER), reencrypt(OTHER)),
    Stored(f"{FOLDER}steps/1", encrypted("aws:kms", OTHER), reencrypt(FORMER)),
]


@example(SWAPPED, Random(1))  # noqa: S311 - nothing secret
@given(FOLDERS, st.randoms())
def test_jobs_in_any_order_give_objects_their_keys_and_touch_no_others(
    found: list[Stored], order: Random
) -> None:
    stored, tally = [*found], PlanTally()
    for each in stored:
        tally.add(log_object_facts(encryption=each.encryption), each.decided)
    jobs = [*planned(PlannedFolder("example-logs", FOLDER, tally.plan, complete=True)).jobs]
    order.shuffle(jobs)

    for job in jobs:
        touched = [number for number, each in enumerate(stored) if selects(job, each)]
        assert len(touched) == job.objects > 0
        for number in touched:
            assert stored[number].decided == reencrypt(job.key_arn)
            stored[number] = stored[number].with_key(job.key_arn)


def selects(job: ReencryptionJob, stored: Stored) -> bool:
    """Filter as S3 documents it; what could not be read may have any encryption."""
    request: Any = job.create_job()
    filters = request["ManifestGenerator"]["S3JobManifestGenerator"]["Filter"]
    [prefix], [encryption] = (
        filters["KeyNameConstraint"]["MatchAnyPrefix"],
        filters["MatchAnyObjectEncryption"],
    )
    head = stored.encryption
    if not stored.key.startswith(prefix) or isinstance(head, Unresolved):
        return stored.key.startswith(prefix)
    if "SSES3" in encryption:
        return head.algorithm == "AES256"
    key = {"KmsKeyArn": head.key_identifier, "BucketKeyEnabled": head.bucket_key}
    return head.algorithm == "aws:kms" and encryption["SSEKMS"] == key
